//! The launcher by vfork(2) over the portable backend and the real kernel: failing calls of the parent and of the child, one at
//! a time, and calls that always fail. Each applies to the first child of a launcher, which shows whether memory is shared, and
//! to a later one.

use std::iter;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use nix::errno::Errno as ThreadErrno;
use rstest::rstest;

use forkexec_core::{
    Backend, CloseStrategy, Closer, Errno, Exec, FallbackReason, LaunchError, Launcher, Limit, OneMethod,
    ParentSys, Plan, Report, Resource, SignalSet, SpawnMethod, Stage, Sys, VforkLauncher, VforkSys,
    WorkingDirectory,
};
use forkexec_posix::{Kernel, Posix};
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::{isolated_if, skip};
use forkexec_tests::world;

use crate::failing::{Copies, Failing, Fault, Side};
use crate::launcher::{busy, crossing_plan, plan};
use crate::shared::{ERRNOS, Ran, reported_by, wait_for};
use crate::sim::rich::as_hook;
use crate::stack::{dies_alone, overflow};

type Floor = Posix<Failing<Kernel>>;

/// A launcher needs a backend that stays: the suite has few, and each is one of a process that ends.
pub(crate) fn over(
    calls: impl FnOnce(Kernel) -> Failing<Kernel>,
) -> (&'static Floor, VforkLauncher<'static, Floor>) {
    // SAFETY: it is used by launchers only, and on descriptors and children of the test's own.
    let backend = Box::leak(Box::new(Posix::new(calls(unsafe { Kernel::new() }))));
    (backend, VforkLauncher::new(backend))
}

/// Launches once, and holds the launcher to leave the errno of this thread alone if it works. A child that runs is waited for.
pub(crate) fn launch(backend: &Floor, launcher: &dyn Launcher, plan: &Plan<'_>) -> Result<Ran, LaunchError> {
    ThreadErrno::EXDEV.set();
    let started = launcher.launch(plan)?;
    assert_eq!(ThreadErrno::last(), ThreadErrno::EXDEV, "the errno of the thread that starts a child");
    Ok(wait_for(backend, &started))
}

/// Skips the test on a system or processor without this launcher.
pub(crate) fn has_vfork() -> bool {
    // SAFETY: it makes no call.
    let has_vfork = unsafe { Kernel::new() }.has_vfork();
    if !has_vfork {
        skip("the floor has no vfork(2) here");
    }
    has_vfork
}

const fn ran(method: SpawnMethod) -> Ran {
    Ran { method, by: Closer::Enumerator(0), pidfd: false }
}

/// The plan of root with a call in as many stages as the floor has.
fn floor_plan(close: CloseStrategy) -> Plan<'static> {
    Plan { close: Some(close), no_new_privs: false, die_with_parent: None, ..busy(c"report") }
}

fn missing_root() -> Plan<'static> {
    Plan { root: Some(c"/no/such/root"), ..plan() }
}

const MISSING_ROOT: LaunchError =
    LaunchError::Child(Report { stage: Stage::Chroot, errno: Errno::NOENT, operand: 0 });

/// The number of calls of vfork(2) in this process.
static VFORKS: AtomicUsize = AtomicUsize::new(0);

fn count_vfork() {
    VFORKS.fetch_add(1, Ordering::Relaxed);
}

fn counting(failing: Failing<Kernel>) -> Failing<Kernel> {
    failing.acting_as(Side::Parent, "vfork", count_vfork)
}

fn take_vforks() -> usize {
    VFORKS.swap(0, Ordering::Relaxed)
}

/// Returns true if a start ends as it must after one call of the parent failed.
fn is_expected(name: &str, errno: Errno, started: &Result<Ran, LaunchError>) -> bool {
    // At the limit of descriptors dup_min answers EINVAL.
    let told = if (name, errno) == ("dup_min", Errno::INVAL) { Errno::MFILE } else { errno };
    match name {
        "map_shared" | "pipe" | "dup_min" | "file_id" | "map_private" | "forbid" | "block_signals" => {
            *started == Err(LaunchError::Parent { stage: Stage::Setup, errno: told })
        }
        "vfork" if errno.is_refusal() => *started == Ok(ran(SpawnMethod::Fork)),
        "vfork" => *started == Err(LaunchError::Parent { stage: Stage::Start, errno }),
        "read" if errno != Errno::INTR => matches!(started, Err(LaunchError::Died { .. })),
        _ => *started == Ok(ran(SpawnMethod::Vfork)),
    }
}

/// Starts a child, another one if no call has failed yet, and one after the failure. Returns the call that failed.
fn fail_once(fault: Fault) -> Option<&'static str> {
    let plan = crossing_plan();
    let before = Snapshot::take();
    let errno = fault.errno;
    let (backend, launcher) = over(|kernel| Failing::parent(kernel, fault));
    let first = launch(backend, &launcher, &plan);
    let has_failed = backend.sys().failed().is_some();
    let started = if has_failed { first } else { launch(backend, &launcher, &plan) };
    let name = backend.sys().failed()?;
    if name == "set_mask" {
        // A mask that was in force cannot be refused: the kernel would have to break its word.
        backend.sys().inner().set_mask(SignalSet::EMPTY).expect("it is taken");
    }
    assert!(is_expected(name, errno, &started), "{name} {errno}: {started:?}");
    assert_eq!(before.differences(&Snapshot::take()), [""; 0], "{name} {errno}");
    // One failure is no reason to avoid the call for good, but for a refusal.
    let is_refused = name == "vfork" && errno.is_refusal();
    let next = if is_refused { SpawnMethod::Fork } else { SpawnMethod::Vfork };
    assert_eq!(launch(backend, &launcher, &plan), Ok(ran(next)), "{name} {errno}");
    assert!(backend.sys().take_mapped().len() <= 1, "{name} {errno}: stacks were lost");
    Some(name)
}

/// The first start has more calls than a later one: those of the pipe. When its thread continues, the pipe may not be closed yet,
/// so the number of its calls varies.
///
/// Faults: E15
#[test]
fn call_that_fails_once_around_vfork_leaks_nothing() {
    const OF_THE_PIPE: [&str; 8] =
        ["map_shared", "pipe", "dup_min", "file_id", "map_private", "forbid", "close", "read"];
    const OF_ALL: [&str; 3] = ["block_signals", "vfork", "set_mask"];
    isolated_if(has_vfork, || {
        for errno in ERRNOS {
            let fault = |name, index| Fault { side: Side::Parent, name, index, errno };
            let failed: Vec<_> = (0..).map_while(|index| fail_once(fault(None, index))).collect();
            assert!(OF_THE_PIPE.iter().chain(&OF_ALL).all(|name| failed.contains(name)), "{failed:?}");
            for name in OF_ALL {
                assert_eq!(fail_once(fault(Some(name), 1)), Some(name), "in a later start");
            }
        }
    });
}

/// Faults: E15
#[rstest]
fn any_failing_call_of_a_child_of_vfork_leaks_nothing(
    #[values(Errno::PERM, Errno::INVAL, Errno::IO, Errno::NOMEM, Errno::MFILE, Errno::BADF)] errno: Errno,
) {
    isolated_if(has_vfork, || {
        let secrets = world::open_many(3);
        let (before, mut stages, mut succeeded) = (Snapshot::take(), [Vec::new(), Vec::new()], 0);
        for index in 0.. {
            let (backend, launcher) =
                over(|kernel| Failing::parent(kernel, Fault { side: Side::Child, name: None, index, errno }));
            let start = || reported_by(backend, &launcher, &floor_plan(CloseStrategy::Bulk));
            let first = start();
            let is_first = backend.sys().failed().is_some();
            let seen = if is_first { first } else { start() };
            let Some(name) = backend.sys().failed() else { break };
            assert_eq!(before.differences(&Snapshot::take()), [""; 0], "call {index}, {name}");
            match seen {
                Ok((ran, seen)) => {
                    assert_eq!(
                        (ran.method, seen.fds),
                        (SpawnMethod::Vfork, vec![0, 1, 2]),
                        "call {index}, {name}"
                    );
                    succeeded += 1;
                }
                Err(LaunchError::Child(report)) => {
                    assert_eq!(report.errno, errno, "call {index}, {name}");
                    stages[usize::from(!is_first)].push(report.stage);
                }
                Err(other) => panic!("call {index}, {name}: {other:?}"),
            }
            let (ran, seen) = start().expect("nothing fails any more");
            assert_eq!((ran.method, seen.fds), (SpawnMethod::Vfork, vec![0, 1, 2]), "after {name}");
            assert!(backend.sys().take_mapped().len() <= 1, "{name}: stacks were lost");
        }
        println!("{stages:?} are told, {succeeded} calls have an answer");
        let [first, later] = stages;
        assert!(first.is_sorted() && later.is_sorted() && succeeded > 0);
        // The first child also marks the pipe.
        assert_eq!(first[..first.len() - 1], later[..]);
        assert_eq!(first[first.len() - 2..], [Stage::Exec; 2]);
        drop(secrets);
    });
}

/// Old kernels and filters refuse.
#[rstest]
fn refused_vfork_leads_to_fork_and_is_remembered(
    #[values(Errno::NOSYS, Errno::PERM, Errno::ACCES, Errno::INVAL)] errno: Errno,
) {
    isolated_if(has_vfork, || {
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).denying(&["vfork"], errno));
        let required = LaunchError::ForkRequired(FallbackReason::Refused(errno));
        // Without a forked child it is not known that the refusal is about vfork.
        for denials in 1..3 {
            assert_eq!(launcher.launch_fast(&plan()).map(|started| started.pid), Err(required));
            assert_eq!((backend.sys().denials(), launcher.fallback_reason()), (denials, None));
        }
        for _ in 0..2 {
            assert_eq!(launch(backend, &launcher, &plan()), Ok(ran(SpawnMethod::Fork)));
            assert_eq!(backend.sys().denials(), 3);
            assert_eq!(launcher.fallback_reason(), Some(FallbackReason::Refused(errno)));
            assert_eq!(launcher.method(), SpawnMethod::Fork);
        }
        assert_eq!(launcher.launch_fast(&plan()).map(|started| started.pid), Err(required));
    });
}

/// If fork(2) fails, too, the cause may be another one.
#[test]
fn refusal_of_vfork_and_fork_is_not_remembered() {
    isolated_if(has_vfork, || {
        let fault = Fault { side: Side::Parent, name: Some("fork"), index: 0, errno: Errno::PERM };
        let (backend, launcher) =
            over(|kernel| counting(Failing::parent(kernel, fault)).denying(&["vfork"], Errno::PERM));
        let failed = LaunchError::Parent { stage: Stage::Start, errno: Errno::PERM };
        assert_eq!(launch(backend, &launcher, &plan()), Err(failed));
        assert_eq!(launcher.fallback_reason(), None);
        assert_eq!(launch(backend, &launcher, &plan()), Ok(ran(SpawnMethod::Fork)));
        assert_eq!(take_vforks(), 2);
    });
}

/// Emulators that turn vfork(2) into fork(2).
fn copies() -> impl Iterator<Item = Copies> {
    [false, true].map(|waits| Copies { waits, shares_table: false, announces: true }).into_iter()
}

/// Faults: F15, M1
#[test]
fn first_child_of_vfork_with_copied_memory_is_the_callers() {
    isolated_if(has_vfork, || {
        for copies in copies() {
            let (backend, launcher) = over(|kernel| counting(Failing::nothing(kernel).copying(copies)));
            for vforks in [1, 0] {
                assert_eq!(launch(backend, &launcher, &plan()), Ok(ran(SpawnMethod::Fork)), "{copies:?}");
                assert_eq!(take_vforks(), vforks, "{copies:?}");
                let known = (launcher.method(), launcher.fallback_reason());
                assert_eq!(known, (SpawnMethod::Fork, Some(FallbackReason::NotShared)), "{copies:?}");
            }
            let required = LaunchError::ForkRequired(FallbackReason::NotShared);
            assert_eq!(launcher.launch_fast(&plan()).map(|started| started.pid), Err(required));
            assert_eq!(backend.sys().inner().wait(-1), Err(Errno::CHILD), "{copies:?}");
        }
    });
}

/// Faults: F15, M1
#[rstest]
fn first_child_of_vfork_with_copied_memory_reports_each_failure(
    #[values(Errno::PERM, Errno::IO, Errno::NOMEM)] errno: Errno,
) {
    isolated_if(has_vfork, || {
        let before = Snapshot::take();
        for copies in copies() {
            let mut stages = Vec::new();
            // The mark and the exec fail last.
            for index in iter::successors(Some(0), |index| Some(index + 1)) {
                let fault = Fault { side: Side::Child, name: None, index, errno };
                let (backend, launcher) = over(|kernel| Failing::parent(kernel, fault).copying(copies));
                let seen = reported_by(backend, &launcher, &floor_plan(CloseStrategy::Enumerate));
                assert_eq!(before.differences(&Snapshot::take()), [""; 0], "{copies:?}, call {index}");
                match seen {
                    Ok((ran, seen)) => assert_eq!((ran.method, seen.fds), (SpawnMethod::Fork, vec![0, 1, 2])),
                    Err(LaunchError::Child(report)) => {
                        assert_eq!(report.errno, errno, "{copies:?}, call {index}");
                        stages.push(report.stage);
                    }
                    Err(other) => panic!("{copies:?}, call {index}: {other:?}"),
                }
                assert_eq!(
                    launcher.fallback_reason(),
                    Some(FallbackReason::NotShared),
                    "{copies:?}, {index}"
                );
                if stages.ends_with(&[Stage::Exec; 2]) {
                    break;
                }
            }
            assert!(stages.is_sorted() && stages.len() > 10, "{copies:?}: {stages:?}");
        }
    });
}

fn die() {
    // SAFETY: the child ends itself.
    unsafe { libc::raise(libc::SIGKILL) };
}

/// The floor does not know whether a child died in execve(2), so this child counts as started.
///
/// Faults: E9, E10
#[rstest]
fn child_of_vfork_that_is_killed_is_reported(
    #[values(None, Some(false), Some(true))] copies: Option<bool>,
    #[values("chdir", "set_mask", "execve")] call: &'static str,
) {
    isolated_if(has_vfork, || {
        let before = Snapshot::take();
        let (backend, launcher) = over(|kernel| {
            let failing = Failing::nothing(kernel).acting(call, die);
            match copies {
                Some(waits) => failing.copying(Copies { waits, shares_table: false, announces: true }),
                None => failing,
            }
        });
        let plan = Plan { directory: Some(WorkingDirectory::Path(c"/")), ..plan() };
        let stage = if call == "chdir" { Stage::Chdir } else { Stage::Mask };
        for _ in 0..2 {
            let started = launcher.launch(&plan).map(|started| started.pid);
            match started {
                Ok(pid) if call == "execve" => assert_eq!(backend.sys().inner().wait(pid), Ok(libc::SIGKILL)),
                died => assert_eq!(died, Err(LaunchError::Died { stage, status: Some(libc::SIGKILL) })),
            }
            assert_eq!(before.differences(&Snapshot::take()), [""; 0]);
            let reason = copies.map(|_| FallbackReason::NotShared);
            assert_eq!(launcher.fallback_reason(), reason);
        }
    });
}

/// The errno of the thread after vfork(2), at its next call.
static AFTER_VFORK: AtomicI32 = AtomicI32::new(0);

/// The child has no errno of its own, and sets that of the thread with each call that fails.
///
/// Faults: M2
#[rstest]
fn failed_child_of_vfork_leaves_errno_of_the_spawning_thread(
    #[values("execve", "chdir")] fails: &'static str,
) {
    isolated_if(has_vfork, || {
        let (backend, launcher) = over(|kernel| {
            Failing::nothing(kernel)
                .acting_as(Side::Parent, "vfork", || ThreadErrno::EXDEV.set())
                .acting(fails, || ThreadErrno::ENOTTY.set())
                .acting_as(Side::Parent, "set_mask", || {
                    AFTER_VFORK.store(ThreadErrno::last_raw(), Ordering::Relaxed);
                })
        });
        let directory = if fails == "chdir" { c"/no/such/directory" } else { c"/" };
        let exec = Exec { candidates: &[c"/no/such/program"], ..plan().exec };
        let plan = Plan { exec, directory: Some(WorkingDirectory::Path(directory)), ..plan() };
        for _ in 0..2 {
            launch(backend, &launcher, &plan).expect_err("one of both is missing");
            assert_eq!(AFTER_VFORK.swap(0, Ordering::Relaxed), ThreadErrno::EXDEV as i32);
        }
    });
}

/// Faults: M6
#[test]
fn child_of_vfork_uses_less_than_half_of_its_stack() {
    isolated_if(has_vfork, || {
        let secrets = world::open_many(50);
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).measuring_stacks());
        let mut used = Vec::new();
        // The first child of the launcher reports through a pipe, the later ones do not.
        for (link, closer) in [
            (CloseStrategy::Enumerate, Closer::Enumerator(0)),
            (CloseStrategy::Enumerate, Closer::Enumerator(0)),
            (CloseStrategy::Loop, Closer::Loop),
        ] {
            let (ran, seen) = reported_by(backend, &launcher, &floor_plan(link)).expect("the plan works");
            assert_eq!((ran.method, ran.by, seen.fds), (SpawnMethod::Vfork, closer, vec![0, 1, 2]));
            used.push(backend.sys().stack_used().expect("it is measured"));
        }
        assert_eq!(launch(backend, &launcher, &missing_root()), Err(MISSING_ROOT));
        let (most, of) = backend.sys().stack_used().expect("it is measured");
        println!("the stack of a child: {most} of {of} bytes at most; first, list, loop: {used:?}");
        assert!(used[0].0 > 0 && most < of / 2, "{most} of {of}");
        drop(secrets);
    });
}

/// A child inherits the handler for SIGSEGV, which std set. It blocks the signal, and dies of it all the same.
///
/// Faults: M6
#[test]
fn child_of_vfork_that_overflows_its_stack_dies_alone() {
    isolated_if(
        || has_vfork() && dies_alone(),
        || {
            let (_, hard) = world::limit(libc::RLIMIT_CORE).expect("the limit is known");
            world::set_limit(libc::RLIMIT_CORE, 0, hard).expect("a limit can be lowered");
            let (backend, launcher) = over(|kernel| Failing::nothing(kernel).acting("chdir", overflow));
            let plan = Plan { directory: Some(WorkingDirectory::Path(c"/")), ..plan() };
            for _ in 0..3 {
                let Err(LaunchError::Died { stage: Stage::Chdir, status: Some(status) }) =
                    launch(backend, &launcher, &plan)
                else {
                    panic!("a child without a stack dies");
                };
                assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSEGV, "{status:#x}");
            }
            let next = launch(backend, &launcher, &Plan { directory: None, ..plan });
            assert_eq!(next, Ok(ran(SpawnMethod::Vfork)));
            assert_eq!(backend.sys().take_mapped().len(), 1, "the same stack each time");
        },
    );
}

/// A limit of the stack, which changes memory on BSD.
const STACK_LIMIT: Limit = Limit { resource: Resource::STACK, soft: 1 << 20, hard: 1 << 20 };

/// A closure runs in a forked child, and so does a limit that changes memory. Nothing is learnt from that child.
///
/// Faults: M15
#[rstest]
#[case::closure(Plan { hook: Some(as_hook(&|| Ok(()))), ..plan() }, FallbackReason::Closure)]
#[case::limit(Plan { limits: &[STACK_LIMIT], ..plan() }, FallbackReason::MemoryLimit)]
fn plan_that_acts_on_memory_needs_fork_over_the_floor_too(
    #[case] acting: Plan<'static>,
    #[case] reason: FallbackReason,
) {
    isolated_if(has_vfork, || {
        let as_on_bsd = |it: Failing<Kernel>| it.denying(&["limit_changes_memory"], Errno::NOSYS);
        let (backend, launcher) = over(|kernel| as_on_bsd(counting(Failing::nothing(kernel))));
        assert_eq!(launch(backend, &launcher, &acting), Ok(ran(SpawnMethod::Fork)));
        let required = launcher.launch_fast(&acting).map(|started| started.pid);
        assert_eq!(required, Err(LaunchError::ForkRequired(reason)));
        assert_eq!((launcher.method(), launcher.fallback_reason()), (SpawnMethod::Vfork, None));
        assert_eq!(take_vforks(), 0);
    });
}

/// On Linux a limit of the stack changes no memory, and a limit of another resource changes none on any system.
#[rstest]
#[case::of_the_stack(STACK_LIMIT, &[])]
#[case::of_another_resource(Limit { resource: Resource::CORE, soft: 0, hard: 0 }, &["limit_changes_memory"])]
fn limit_that_leaves_memory_alone_needs_no_fork(#[case] limit: Limit, #[case] denied: &[&'static str]) {
    isolated_if(has_vfork, || {
        let (backend, launcher) =
            over(|kernel| counting(Failing::nothing(kernel)).denying(denied, Errno::NOSYS));
        let limits = [limit];
        assert_eq!(
            launch(backend, &launcher, &Plan { limits: &limits, ..plan() }),
            Ok(ran(SpawnMethod::Vfork))
        );
    });
}

/// A launcher that knows that vfork(2) is of no use starts no child to find out.
#[rstest]
#[case::sanitizer(Failing::sanitized, FallbackReason::Sanitizer)]
#[case::no_such_method(|it: Failing<Kernel>| it.denying(&["has_vfork"], Errno::NOSYS), FallbackReason::NoSuchMethod)]
fn launcher_that_cannot_use_vfork_forks(
    #[case] change: fn(Failing<Kernel>) -> Failing<Kernel>,
    #[case] reason: FallbackReason,
) {
    isolated_if(has_vfork, || {
        let (backend, launcher) = over(|kernel| change(counting(Failing::nothing(kernel))));
        assert_eq!((launcher.method(), launcher.fallback_reason()), (SpawnMethod::Fork, Some(reason)));
        assert_eq!(launch(backend, &launcher, &plan()), Ok(ran(SpawnMethod::Fork)));
        let required = launcher.launch_fast(&plan()).map(|started| started.pid);
        assert_eq!(required, Err(LaunchError::ForkRequired(reason)));
        let one = OneMethod::new(&launcher, SpawnMethod::Vfork);
        assert_eq!(launch(backend, &one, &plan()), Err(LaunchError::ForkRequired(reason)));
        assert_eq!(take_vforks(), 0);
    });
}

/// A probe of one method starts a child that executes nothing, once.
#[test]
fn one_method_learns_about_memory_first() {
    isolated_if(has_vfork, || {
        let (backend, launcher) = over(|kernel| counting(Failing::nothing(kernel)));
        let [vfork, fork] = [SpawnMethod::Vfork, SpawnMethod::Fork].map(|it| OneMethod::new(&launcher, it));
        assert_eq!(launch(backend, &fork, &plan()), Ok(ran(SpawnMethod::Fork)));
        assert_eq!(take_vforks(), 0);
        for vforks in [2, 1] {
            assert_eq!(launch(backend, &vfork, &plan()), Ok(ran(SpawnMethod::Vfork)));
            assert_eq!(take_vforks(), vforks);
        }
        assert_eq!(launch(backend, &vfork, &missing_root()), Err(MISSING_ROOT));
        assert_eq!(backend.sys().inner().wait(-1), Err(Errno::CHILD));
    });
}

/// A probe of vfork(2) alone fails where memory is copied or vfork(2) is refused.
#[rstest]
#[case::copied(|it: Failing<Kernel>| {
    it.copying(Copies { waits: false, shares_table: false, announces: true })
}, FallbackReason::NotShared)]
#[case::refused(|it: Failing<Kernel>| it.denying(&["vfork"], Errno::PERM), FallbackReason::Refused(Errno::PERM))]
fn one_method_does_not_fall_back(
    #[case] change: fn(Failing<Kernel>) -> Failing<Kernel>,
    #[case] reason: FallbackReason,
) {
    isolated_if(has_vfork, || {
        let (backend, launcher) = over(|kernel| change(Failing::nothing(kernel)));
        let one = OneMethod::new(&launcher, SpawnMethod::Vfork);
        for _ in 0..2 {
            assert_eq!(launch(backend, &one, &plan()), Err(LaunchError::ForkRequired(reason)));
        }
        assert_eq!(backend.sys().inner().wait(-1), Err(Errno::CHILD));
    });
}
