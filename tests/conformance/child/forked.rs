//! Other threads while one forks, and the forked process.

use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use forkexec::{
    Command, Containment, OnDrop, Operation, Prepared, Stdio, reap_dropped, reserve_low_fds, supports,
};
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;

use crate::child::dropped::Threads;
use crate::ground::check;
use crate::start::probe;

/// The work of all threads, and of each process that is forked during it: it takes each lock and uses each thread of
/// the library.
fn exercise(capturing: &Prepared<'_>) {
    let mut command = probe(&["true"]);
    if supports(Operation::DieWithParent) {
        command.die_with_parent(libc::SIGKILL);
    }
    let mut child = command.spawn().expect("it starts");
    assert!(child.wait().expect("it ends").success());
    let mut dropped = probe(&["sleep-on-stdin"]);
    drop(dropped.stdin(Stdio::piped()).on_drop(OnDrop::Kill).spawn().expect("it starts"));
    assert!(capturing.output().expect("it starts").status.success());
    let mut tree =
        Command::new("sleep").arg("600").containment(Containment::Group).spawn().expect("it starts");
    tree.kill_tree().expect("it is ours");
    assert_eq!(tree.wait().expect("it ends").signal(), Some(libc::SIGKILL));
}

/// The work of a forked process. It runs on a second thread: a process with one thread spawns everything on that
/// thread.
fn forked(capturing: &Prepared<'_>) -> bool {
    let work = || {
        exercise(capturing);
        reserve_low_fds(16).is_ok()
    };
    thread::scope(|scope| scope.spawn(work).join().unwrap_or(false))
}

/// Each fork meets the threads in another moment.
///
/// Faults: M13
#[test]
fn process_forked_from_a_threaded_program_starts_children() {
    const ROUNDS: usize = 40;
    isolated(|| {
        let threads = Threads::now();
        let is_over = AtomicBool::new(false);
        let capturing = probe(&["true"]).into_prepared().expect("it means something");
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Acquire) {
                        exercise(&capturing);
                    }
                });
            }
            let ended: Vec<_> = (0..ROUNDS).map(|_| in_a_forked_process(|| forked(&capturing))).collect();
            is_over.store(true, Ordering::Release);
            assert!(ended.iter().all(ExitStatus::success), "{ended:?}");
        });
        while reap_dropped() > 0 {
            thread::yield_now();
        }
        // The one that starts children which die with the process stays.
        threads.await_no_more_than(1);
    });
}

/// Runs the work in a forked process and returns its status. The process is killed if it takes too long.
pub(super) fn in_a_forked_process(work: impl FnOnce() -> bool) -> ExitStatus {
    // SAFETY: the C library's functions work in the child of a threaded program, and the test is about those of this
    // library.
    match check(unsafe { libc::fork() }) {
        0 => {
            // SAFETY: ends the forked process alone, if it hangs.
            unsafe { libc::alarm(20) };
            let code = catch_unwind(AssertUnwindSafe(work)).map_or(1, |done| i32::from(!done));
            // SAFETY: the process ends.
            unsafe { libc::_exit(code) }
        }
        pid => world::wait_for(pid),
    }
}
