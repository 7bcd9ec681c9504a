//! Allocations of a spawn. A prepared command makes none.
//!
//! The allocator of this binary counts the requests of each thread.

#![cfg(any(target_os = "linux", target_os = "android"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs::File;
use std::thread;

use forkexec::{BorrowingCommand, Command, Prepared, Stdio};
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe;
use rstest::rstest;

thread_local! {
    /// It needs no memory and no destructor, so that the allocator can use it.
    #[cfg_attr(
        target_os = "android",
        expect(clippy::missing_const_for_thread_local, reason = "clippy does not see it through Android's macro")
    )]
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: all calls go to `System`. Counting touches no memory that was allocated.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the contract of `dealloc`, and the memory is `System`'s.
        unsafe { System.dealloc(memory, layout) };
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the contract of `realloc`, and the memory is `System`'s.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Returns how many allocations this thread makes during the work.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

const STARTS: usize = 1_000;

fn start_often(prepared: &Prepared<'_>, starts: usize) {
    for _ in 0..starts {
        let mut child = prepared.spawn().expect("the probe can be started");
        assert!(child.wait().expect("it ends").success());
    }
}

fn command() -> Command {
    probe::command(&["true"])
}

fn with_all_that_has_a_list(command: &mut BorrowingCommand<'_>) {
    let file = || File::open("/").expect("it is there");
    command.keep_fd(file()).fd(20, file()).fd(21, file()).current_dir_fd(file());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.rlimit(forkexec::Resource::CORE, Some(0), Some(0)).umask(0o022).time_stages();
}

#[rstest]
#[case::nothing_passed(|_: &mut BorrowingCommand<'_>| ())]
#[case::piped_output(|it: &mut BorrowingCommand<'_>| { it.stdout(Stdio::piped()); })]
#[case::all_that_has_a_list(with_all_that_has_a_list)]
fn prepared_command_spawns_without_allocating(#[case] ask: fn(&mut BorrowingCommand<'_>)) {
    isolated(|| {
        let mut command = command();
        ask(&mut command);
        let prepared = command.into_prepared().expect("it means something");
        assert_eq!(allocations(|| start_often(&prepared, STARTS)), 0);
    });
}

#[test]
fn eight_threads_spawn_without_allocating() {
    const THREADS: usize = 8;
    isolated(|| {
        let mut command = command();
        command.stdout(Stdio::piped());
        let prepared = command.prepare().expect("it means something");
        let counts = thread::scope(|scope| {
            let start = || allocations(|| start_often(&prepared, STARTS / THREADS));
            let threads = [(); THREADS].map(|()| scope.spawn(start));
            threads.map(|thread| thread.join().expect("nothing panics"))
        });
        assert_eq!(counts, [0; THREADS]);
    });
}

/// The counter works.
#[test]
fn unprepared_command_allocates() {
    isolated(|| {
        let mut command = command();
        assert!(allocations(|| assert!(command.status().expect("it ends").success())) > 0);
    });
}
