//! A child that is killed, stopped or sent a signal at each of its calls, and a parent that is interrupted at each
//! call.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rstest::rstest;

use forkexec_core::{LaunchError, Stage};
use forkexec_tests::isolate::isolated_for;
use forkexec_tests::process::state;

use super::ground::{Ground, World};
use super::plans::Row;
use super::{Clean, LIMIT, is_swept, plans};
use crate::failing::Side;
use crate::held::Acting;
use crate::script::{Call, What};

/// State that children write, too, forked or not.
#[derive(Debug)]
struct Shared {
    /// The child that is about to stop.
    stopping: AtomicI32,
    /// The thread that starts children, and its process.
    parent: [AtomicI32; 2],
    /// The runs of the parent's handler in the parent, and elsewhere.
    handled: AtomicUsize,
    astray: AtomicUsize,
}

/// It stays mapped: a handler and the children find it here.
fn shared() -> &'static Shared {
    static SHARED: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let address = SHARED.get_or_init(|| {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: the memory is new, and nothing refers to it.
        let memory = unsafe { libc::mmap(ptr::null_mut(), size_of::<Shared>(), protection, flags, -1, 0) };
        assert_ne!(memory, libc::MAP_FAILED);
        memory.expose_provenance()
    });
    let memory: *const Shared = ptr::with_exposed_provenance(*address);
    // SAFETY: it is zeroed, aligned to a page, large enough and never unmapped; all of it is atomic.
    unsafe { &*memory }
}

/// To the process that calls it.
fn send(signal: i32) {
    // SAFETY: the call reads about the calling process, and is async-signal-safe.
    let process = unsafe { libc::getpid() };
    // SAFETY: as above.
    unsafe { libc::kill(process, signal) };
}

fn kill() {
    send(libc::SIGKILL);
}

fn stop() {
    // SAFETY: the call reads about the calling process and changes nothing.
    shared().stopping.store(unsafe { libc::getpid() }, Ordering::Release);
    send(libc::SIGSTOP);
}

/// Sends a signal that only the parent handles.
fn send_what_the_parent_handles() {
    send(libc::SIGUSR1);
}

/// By default it does nothing.
fn send_what_does_nothing() {
    send(libc::SIGWINCH);
}

/// Sends a signal to the spawning thread, from itself or from its child.
fn interrupt_the_parent() {
    let [thread, process] = [&shared().parent[0], &shared().parent[1]].map(|it| it.load(Ordering::Relaxed));
    // SAFETY: the thread is one of the test's own process, and the call is async-signal-safe.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1) };
}

extern "C" fn count(_: i32) {
    // SAFETY: the call reads about the calling process and changes nothing.
    let is_the_parent = unsafe { libc::getpid() } == shared().parent[1].load(Ordering::Relaxed);
    let counter = if is_the_parent { &shared().handled } else { &shared().astray };
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Continues each stopped process until `done` is set.
fn continue_who_stops(done: &AtomicBool) -> usize {
    let (mut continued, mut stopped) = (0, 0);
    while !done.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_micros(50));
        stopped = match shared().stopping.swap(0, Ordering::Acquire) {
            0 => stopped,
            child => child,
        };
        if stopped != 0 && state(stopped) == Some('T') {
            // SAFETY: it is a child of this process that was not reaped.
            assert_eq!(unsafe { libc::kill(stopped, libc::SIGCONT) }, 0);
            (stopped, continued) = (0, continued + 1);
        }
    }
    continued
}

/// Each plan with its usual way to close.
fn cleans(ground: &Ground, world: World) -> Vec<Clean<'_>> {
    plans::rows(ground).into_iter().map(|row| Clean::of(ground, world, row)).collect()
}

impl Clean<'_> {
    /// The child's calls. Of a series of calls for each signal, the first few are enough.
    fn calls_of_the_child(&self) -> impl Iterator<Item = &Call> {
        let is_one_of_many = |call: &Call| call.name == "disposition" && call.numbers[0] > 3;
        let calls = self.calls[Side::Child as usize].iter();
        calls.filter(move |call| is_swept(&self.row, call) && !is_one_of_many(call))
    }

    /// Returns the error of a spawn in which the child, or the parent, does this before a call.
    fn does(&self, call: &Call, act: fn()) -> Option<LaunchError> {
        self.start(&[self.at(call, What::Does(act))]).launched.err()
    }
}

/// Returns the stage in which a child dies of a signal that was sent at a call. The signal is blocked until the
/// program's mask is set.
fn dies_at(row: &Row, call: &Call) -> Option<Stage> {
    let stage = call.stage.expect("every call of a child belongs to a stage");
    let is_blocked = matches!(row.plan.mask, forkexec_core::Mask::Set(mask) if mask.contains(libc::SIGUSR1));
    (!is_blocked).then_some(stage.max(Stage::Mask))
}

/// Faults: E10
#[rstest]
fn child_killed_at_any_call_is_reported_with_its_stage(
    #[values(World::Clone3, World::Clone, World::Contained, World::Fork)] world: World,
) {
    isolated_for(LIMIT, || {
        let ground = Ground::new();
        let mut killed = 0;
        shared();
        for clean in cleans(&ground, world) {
            for call in clean.calls_of_the_child() {
                let stage = call.stage.expect("every call of a child belongs to a stage");
                let died = LaunchError::Died { stage, status: Some(libc::SIGKILL) };
                assert_eq!(clean.does(call, kill), Some(died), "{} by {world:?}: {call:?}", clean.row.name);
                killed += 1;
            }
        }
        println!("{world:?}: {killed} children killed");
        assert!(killed >= 100, "{killed}");
    });
}

/// Faults: E12
#[rstest]
fn child_stopped_and_continued_at_any_call_is_the_same(
    #[values(World::Clone3, World::Clone, World::Contained, World::Fork)] world: World,
) {
    isolated_for(LIMIT, || {
        let ground = Ground::new();
        shared();
        let done = AtomicBool::new(false);
        let (stopped, continued) = thread::scope(|scope| {
            let continuing = scope.spawn(|| continue_who_stops(&done));
            let stopped: usize = cleans(&ground, world).iter().map(|clean| stop_at_each(clean)).sum();
            done.store(true, Ordering::Relaxed);
            (stopped, continuing.join().expect("it does not panic"))
        });
        println!("{world:?}: {stopped} children stopped");
        assert!(stopped >= 100 && continued == stopped, "{continued} of {stopped}");
    });
}

fn stop_at_each(clean: &Clean<'_>) -> usize {
    let stops = |call: &&Call| {
        assert_eq!(clean.does(call, stop), clean.told, "{}: {call:?}", clean.row.name);
        true
    };
    clean.calls_of_the_child().filter(stops).count()
}

/// Its parent has a handler for one of them, which does not run in the child, and by which the child ends.
///
/// Faults: E12
#[rstest]
fn signal_to_a_child_at_any_call_has_its_default_effect(
    #[values(World::Clone3, World::Clone, World::Contained, World::Fork)] world: World,
) {
    isolated_for(LIMIT, || {
        let ground = Ground::new();
        shared().parent[1].store(std::process::id().cast_signed(), Ordering::Relaxed);
        let handled = Acting::with_flags(libc::SIGUSR1, count as *const () as usize, 0);
        let mut sent = 0;
        for clean in cleans(&ground, world) {
            for call in clean.calls_of_the_child() {
                let context = || format!("{} by {world:?}: {call:?}", clean.row.name);
                assert_eq!(clean.does(call, send_what_does_nothing), clean.told, "{}", context());
                let died = dies_at(&clean.row, call)
                    .map(|stage| LaunchError::Died { stage, status: Some(libc::SIGUSR1) });
                assert_eq!(
                    clean.does(call, send_what_the_parent_handles),
                    died.or(clean.told),
                    "{}",
                    context()
                );
                sent += 2;
            }
        }
        println!("{world:?}: {sent} signals sent to children");
        assert!(sent >= 200, "{sent}");
        let counted = [&shared().handled, &shared().astray].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counted, [0, 0], "the handler ran in the parent, and elsewhere");
        drop(handled);
    });
}

/// The child sends the signal at each of its calls, and the parent before each of its own. The handler interrupts what
/// it can.
///
/// Faults: E12
#[rstest]
fn parent_interrupted_at_any_call_gets_the_same_result(
    #[values(World::Clone3, World::Clone, World::Contained, World::Fork)] world: World,
) {
    isolated_for(LIMIT, || {
        let ground = Ground::new();
        // SAFETY: the call reads about the calling thread and changes nothing.
        shared().parent[0].store(unsafe { libc::gettid() }, Ordering::Relaxed);
        shared().parent[1].store(std::process::id().cast_signed(), Ordering::Relaxed);
        let handled = Acting::with_flags(libc::SIGUSR1, count as *const () as usize, 0);
        let mut sent = 0;
        for clean in cleans(&ground, world) {
            for call in clean.calls[Side::Parent as usize].iter().chain(clean.calls_of_the_child()) {
                let told = clean.does(call, interrupt_the_parent);
                assert_eq!(told, clean.told, "{} by {world:?}: {call:?}", clean.row.name);
                sent += 1;
            }
        }
        let handlers = shared().handled.load(Ordering::Relaxed);
        println!("{world:?}: {sent} signals sent to the parent, {handlers} handled");
        // The number of polls differs between spawns.
        assert!(sent >= 200 && handlers * 10 >= sent * 9, "{handlers} of {sent}");
        assert_eq!(shared().astray.load(Ordering::Relaxed), 0, "the handler ran in a child");
        drop(handled);
    });
}
