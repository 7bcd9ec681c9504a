//! The parent's memory stays traceable while children that share it change their ids.
//!
//! Threads meet at a call: one waits before it, at most [`PATIENCE`], until another one reaches the point of the test.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rstest::rstest;

use forkexec_core::{Backend as _, Dumpable, Errno, LaunchError, ParentSys, Plan, SpawnMethod, Stage};
use forkexec_linux::{Kernel, Linux, LinuxLauncher};
use forkexec_tests::isolate::{isolated_if, skip};
use forkexec_tests::world;

use crate::failing::{Failing, Fault, Side};
use crate::launcher::plan;
use crate::shared::{launch, over};
use crate::vfork;

/// Long enough for a thread to reach its next call on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts a child by one launcher, and waits for it.
type Starts = Box<dyn Fn(&Plan<'_>) -> Result<(), LaunchError> + Sync>;

fn by_clone(fault: Fault) -> Starts {
    let (backend, launcher) = over(|kernel| Failing::parent(kernel, fault));
    Box::new(move |plan| launch(backend, &launcher, plan).map(drop))
}

/// Forks where there is no vfork(2).
fn by_vfork(fault: Fault) -> Starts {
    let (backend, launcher) = vfork::over(|kernel| Failing::parent(kernel, fault));
    Box::new(move |plan| vfork::launch(backend, &launcher, plan).map(drop))
}

/// An attribute of a process's memory allows tracing and core dumps. A change of ids clears it (PR_SET_DUMPABLE(2const)),
/// even in a child that shares the memory. The last such child restores it.
#[rstest]
fn process_stays_traceable_after_children_with_other_ids(
    #[values(by_clone, by_vfork)] by: fn(Fault) -> Starts,
    #[values(Some(1), Some(0), None)] gid: Option<u32>,
    #[values(true, false)] was: bool,
    #[values(1, 8)] threads: usize,
) {
    isolated_if(is_possible, || {
        make_dumpable(was);
        let start = by(Fault::NONE);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..20 {
                        start(&Plan { gid, ..plan() }).expect("it starts");
                    }
                });
            }
        });
        assert_eq!(is_dumpable(), was);
    });
}

/// A child that is killed under its new id, or cannot take it, leaves nothing behind either.
#[rstest]
#[case::after_the_change("set_mask", Stage::Mask)]
#[case::at_the_change("set_gid", Stage::Gid)]
fn memory_stays_traceable_after_a_failed_child(
    #[case] call: &'static str,
    #[case] stage: Stage,
    #[values(by_clone, by_vfork)] by: fn(Fault) -> Starts,
) {
    isolated_if(is_possible, || {
        let fault =
            Fault { side: Side::Child, name: Some(call), index: 0, errno: Errno::from_raw(libc::EXDEV) };
        let failed = by(fault)(&Plan { gid: Some(1), ..plan() });
        assert!(matches!(failed, Err(LaunchError::Child(report)) if report.stage == stage), "{failed:?}");
        assert!(is_dumpable());
    });
}

/// While it changes, no child can take descriptors from this process. A forked process has no such child.
#[test]
fn attribute_changes_while_this_process_has_such_a_child() {
    isolated_if(is_possible, || {
        // SAFETY: it is asked for the process ID and the attribute of this process alone.
        let kernel = unsafe { Kernel::new() };
        let dumpable = Dumpable::new();
        assert!(!dumpable.is_changing(&kernel));
        let change =
            dumpable.id_change(&kernel, &Plan { gid: Some(1), ..plan() }).expect("no thread is busy");
        assert!(change.is_some() && dumpable.is_changing(&kernel));
        // SAFETY: the child reads memory and ends.
        let forked = unsafe { libc::fork() };
        if forked == 0 {
            // SAFETY: it does not return.
            unsafe { libc::_exit(dumpable.is_changing(&kernel).into()) };
        }
        let mut status = 0;
        // SAFETY: the call writes the status.
        assert_eq!(unsafe { libc::waitpid(forked, &raw mut status, 0) }, forked);
        assert_eq!(libc::WEXITSTATUS(status), 0);
        drop(change);
        assert!(!dumpable.is_changing(&kernel));
    });
}

/// Skips the test if something is missing.
fn is_possible() -> bool {
    let is_possible = world::is_root() && is_dumpable();
    if !is_possible {
        skip("needs the superuser, and a process that may be traced");
    }
    is_possible
}

pub(crate) fn is_dumpable() -> bool {
    // SAFETY: the operation takes no address.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 }
}

pub(crate) fn make_dumpable(dumpable: bool) {
    // SAFETY: the operation takes no address.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_int::from(dumpable), 0, 0, 0) }, 0);
}

/// The number of threads that have reached the call at which they meet.
static AT_THE_CALL: AtomicUsize = AtomicUsize::new(0);
/// The number of times that a thread slept because another one was changing the attribute.
static SLEPT: AtomicUsize = AtomicUsize::new(0);
/// True after the second child was started.
static IS_STARTED: AtomicBool = AtomicBool::new(false);
/// True after the first child was started.
static IS_READY: AtomicBool = AtomicBool::new(false);
/// True if a thread waited in vain.
static HAVE_MISSED: AtomicBool = AtomicBool::new(false);

fn comes_true(what: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while !what() && began.elapsed() < PATIENCE {
        thread::yield_now();
    }
    what()
}

fn wait_until(what: impl Fn() -> bool) {
    HAVE_MISSED.fetch_or(!comes_true(what), Ordering::Relaxed);
}

/// The first one at the call waits until another one sleeps.
fn wait_for_who_sleeps() {
    if IS_READY.load(Ordering::Relaxed) && AT_THE_CALL.fetch_add(1, Ordering::Relaxed) == 0 {
        wait_until(|| SLEPT.load(Ordering::Relaxed) > 0);
    }
}

/// The first one at the call waits until the second child was started.
fn wait_for_the_second_child() {
    if IS_READY.load(Ordering::Relaxed) && AT_THE_CALL.fetch_add(1, Ordering::Relaxed) == 0 {
        wait_until(|| IS_STARTED.load(Ordering::Relaxed));
    }
}

fn note_sleep() {
    SLEPT.fetch_add(1, Ordering::Relaxed);
}

/// Each waits until there are two.
fn wait_for_the_other() {
    if IS_READY.load(Ordering::Relaxed) {
        AT_THE_CALL.fetch_add(1, Ordering::Relaxed);
        wait_until(|| AT_THE_CALL.load(Ordering::Relaxed) >= 2);
    }
}

fn other_group() -> Plan<'static> {
    Plan { gid: Some(1), ..plan() }
}

type Backend = Linux<Failing<Kernel>>;

/// Starts two children with another id: the second when the first has reached the call. Returns the method of the
/// second.
fn start_two(backend: &'static Backend, launcher: &LinuxLauncher<'static, Failing<Kernel>>) -> SpawnMethod {
    launch(backend, launcher, &plan()).expect("it starts");
    IS_READY.store(true, Ordering::Relaxed);
    let start = || launch(backend, launcher, &other_group()).expect("it starts").method;
    thread::scope(|scope| {
        let first = scope.spawn(start);
        assert!(comes_true(|| AT_THE_CALL.load(Ordering::Relaxed) > 0));
        let second = scope.spawn(start).join().expect("it does not panic");
        IS_STARTED.store(true, Ordering::Relaxed);
        first.join().expect("it does not panic");
        second
    })
}

/// The last child restores the attribute. During that no other child starts or ends.
#[test]
fn spawn_waits_while_the_attribute_is_restored() {
    isolated_if(is_possible, || {
        let (backend, launcher) = over(|kernel| {
            let failing =
                Failing::nothing(kernel).acting_as(Side::Parent, "make_dumpable", wait_for_who_sleeps);
            failing.acting_as(Side::Parent, "pause", note_sleep)
        });
        start_two(backend, &launcher);
        assert!(!HAVE_MISSED.load(Ordering::Relaxed), "the second one did not wait");
        assert!(is_dumpable());
    });
}

/// A thread that stops while it checks the attribute blocks no other thread, because the others check again.
/// Faults: M13
#[rstest]
#[case::asks("is_dumpable", SpawnMethod::Shared)]
#[case::gives_it_back("make_dumpable", SpawnMethod::Fork)]
fn stuck_thread_holds_up_no_start(#[case] call: &'static str, #[case] method: SpawnMethod) {
    isolated_if(is_possible, || {
        let (backend, launcher) =
            over(|kernel| Failing::nothing(kernel).acting_as(Side::Parent, call, wait_for_the_second_child));
        assert_eq!(start_two(backend, &launcher), method);
        assert!(!HAVE_MISSED.load(Ordering::Relaxed), "the second one waited for the first");
        assert!(is_dumpable());
    });
}

/// A forked process has no thread that restores the attribute. Its memory keeps the copied state, because the process
/// may have cleared the attribute itself.
/// Faults: M13
#[rstest]
#[case::asks("is_dumpable")]
#[case::starts("start")]
#[case::gives_it_back("make_dumpable")]
fn forked_process_does_not_wait_for_the_parents_thread(#[case] call: &'static str) {
    isolated_if(is_possible, || {
        let (backend, launcher) =
            over(|kernel| Failing::nothing(kernel).acting_as(Side::Parent, call, wait_for_the_second_child));
        launch(backend, &launcher, &plan()).expect("it starts");
        IS_READY.store(true, Ordering::Relaxed);
        thread::scope(|scope| {
            let first = scope.spawn(|| launch(backend, &launcher, &other_group()).map(|ran| ran.method));
            assert!(comes_true(|| AT_THE_CALL.load(Ordering::Relaxed) > 0));
            // SAFETY: the C library's allocator works in a forked process, and nothing else is needed there.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let before = is_dumpable();
                let ran = launch(backend, &launcher, &other_group()).map(|ran| ran.method);
                let is_good = ran == Ok(SpawnMethod::Shared) && is_dumpable() == before;
                // SAFETY: ends the process.
                unsafe { libc::_exit(i32::from(!is_good)) }
            }
            let status = backend.sys().inner().wait(child);
            IS_STARTED.store(true, Ordering::Relaxed);
            assert_eq!((status, first.join().expect("it does not panic")), (Ok(0), Ok(SpawnMethod::Shared)));
        });
        assert!(!HAVE_MISSED.load(Ordering::Relaxed), "the forked process waited");
        assert!(is_dumpable());
    });
}

#[test]
fn any_number_of_children_start_at_once() {
    isolated_if(is_possible, || {
        let (backend, launcher) =
            over(|kernel| Failing::nothing(kernel).acting_as(Side::Parent, "start", wait_for_the_other));
        launch(backend, &launcher, &plan()).expect("it starts");
        IS_READY.store(true, Ordering::Relaxed);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| launch(backend, &launcher, &other_group()).expect("it starts"));
            }
        });
        assert!(!HAVE_MISSED.load(Ordering::Relaxed), "the second one waited for the first");
        assert!(is_dumpable());
    });
}
