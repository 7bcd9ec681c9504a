//! The launcher whose children share memory, over the real kernel: failing calls of the parent and of the child, one at
//! a time, and calls that always fail.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Barrier, OnceLock};
use std::thread;

use nix::errno::Errno as ThreadErrno;
use rstest::rstest;

use forkexec_core::{
    Backend, CloseStrategy, Closer, Errno, Exec, FallbackReason, LaunchError, Launched, Launcher, Move,
    ParentSys, Plan, Report, SignalSet, SpawnMethod, Stage, Sys, WorkingDirectory,
};
use forkexec_linux::{Call, Kernel, Linux, LinuxLauncher, Start};
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe::Seen;
use forkexec_tests::{deny::Deny, world};

use crate::failing::{Copies, Failing, Fault, Side};
use crate::handed_over::{LOST, lost};
use crate::launcher::{busy, plan};
use crate::sim::rich::as_hook;

// Android's C library has no cancellation.
#[cfg(not(target_os = "android"))]
mod cancelled;

/// Errnos of clone(2), clone3(2), mmap(2) and others. The refusals of old kernels and filters come first.
pub(crate) const ERRNOS: [Errno; 13] = [
    Errno::NOSYS,
    Errno::PERM,
    Errno::ACCES,
    Errno::INVAL,
    Errno::AGAIN,
    Errno::NOMEM,
    Errno::MFILE,
    Errno::NFILE,
    Errno::BUSY,
    Errno::EXIST,
    Errno::INTR,
    Errno::from_raw(libc::ENOSPC),
    Errno::from_raw(libc::EUSERS),
];

pub(crate) type Calls = Failing<Kernel>;

/// A launcher needs one that stays: the suite has few, and each is one of a process that ends.
pub(crate) fn over(
    calls: impl FnOnce(Kernel) -> Calls,
) -> (&'static Linux<Calls>, LinuxLauncher<'static, Calls>) {
    // SAFETY: it is used by launchers only, and on descriptors and children of the test's own.
    let backend = Box::leak(Box::new(Linux::new(calls(unsafe { Kernel::new() }))));
    (backend, LinuxLauncher::new(backend))
}

/// The parent's facts about a child that ran.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) method: SpawnMethod,
    pub(crate) by: Closer,
    pub(crate) pidfd: bool,
}

/// Launches once, and holds the launcher to leave the errno of this thread alone if it works. A child that runs is waited for.
pub(crate) fn launch(
    backend: &Linux<Calls>,
    launcher: &dyn Launcher,
    plan: &Plan<'_>,
) -> Result<Ran, LaunchError> {
    ThreadErrno::EXDEV.set();
    let started = launcher.launch(plan)?;
    assert_eq!(ThreadErrno::last(), ThreadErrno::EXDEV, "the errno of the thread that starts a child");
    Ok(wait_for(backend, &started))
}

/// Waits for a child that runs.
pub(crate) fn wait_for(backend: &impl Backend<Sys = Failing<impl ParentSys>>, started: &Launched) -> Ran {
    let Launched { pid, pidfd, method, closed, .. } = *started;
    let sys = backend.sys().inner();
    assert_eq!(sys.wait(pid), Ok(0), "the probe succeeds");
    if let Some(pidfd) = pidfd {
        assert_eq!(sys.is_cloexec(pidfd), Ok(true));
        sys.close(pidfd).expect("it is the caller's");
    }
    Ran { method, by: closed.by, pidfd: pidfd.is_some() }
}

/// The available methods to start a child.
#[derive(Clone, Copy, Debug)]
enum World {
    /// Linux 5.5 and later.
    Whole,
    /// Linux 5.2, or a container whose filter lacks clone3(2).
    WithoutClone3,
    /// Linux 2.6.
    CloneAlone,
}

impl World {
    fn refuse(self) -> fn(Start) -> Option<Errno> {
        match self {
            Self::Whole => |_| None,
            Self::WithoutClone3 => |start| (start.call == Call::Clone3).then_some(Errno::NOSYS),
            Self::CloneAlone => |start| (start.call == Call::Clone3 || start.pidfd).then_some(Errno::INVAL),
        }
    }

    fn ran(self) -> Ran {
        Ran { method: SpawnMethod::Shared, by: Closer::Bulk, pidfd: !matches!(self, Self::CloneAlone) }
    }

    /// The first child, which shows whether memory is shared: clone(2) shares no table before that is known.
    fn first(self) -> Ran {
        let method = if matches!(self, Self::Whole) { SpawnMethod::Shared } else { SpawnMethod::Vfork };
        Ran { method, ..self.ran() }
    }
}

/// Returns true if a spawn ends as it must after one call of the parent failed.
fn is_expected(world: World, name: &str, errno: Errno, started: &Result<Ran, LaunchError>) -> bool {
    let is_about_the_pidfd = world.ran().pidfd && matches!(errno, Errno::MFILE | Errno::NFILE);
    match name {
        "map_shared" | "map_private" | "forbid" | "block_signals" => {
            matches!(started, Err(LaunchError::Parent { stage: Stage::Setup, errno: told }) if *told == errno)
        }
        "start" if is_about_the_pidfd || errno.is_refusal() => started.is_ok(),
        "start" => {
            matches!(started, Err(LaunchError::Parent { stage: Stage::Start, errno: told }) if *told == errno)
        }
        _ => started.is_ok(),
    }
}

/// Faults: E15
#[rstest]
fn call_of_the_parent_that_fails_once_leaks_and_loses_nothing(
    #[values(World::Whole, World::WithoutClone3, World::CloneAlone)] world: World,
) {
    isolated(|| {
        let plan = plan();
        let before = Snapshot::take();
        for errno in ERRNOS {
            let mut failed: Vec<&str> = Vec::new();
            loop {
                let fault = Fault { side: Side::Parent, name: None, index: failed.len(), errno };
                let (backend, launcher) =
                    over(|kernel| Failing::parent(kernel, fault).refusing(world.refuse()));
                let first = launch(backend, &launcher, &plan);
                let is_known = backend.sys().failed().is_none() || first.is_ok();
                let started =
                    if backend.sys().failed().is_some() { first } else { launch(backend, &launcher, &plan) };
                let Some(name) = backend.sys().failed() else { break };
                failed.push(name);
                if name == "set_mask" {
                    // A mask that was in force cannot be refused: the kernel would have to break its word.
                    backend.sys().inner().set_mask(SignalSet::EMPTY).expect("it is taken");
                }
                assert!(is_expected(world, name, errno, &started), "{failed:?} {errno}: {started:?}");
                assert_eq!(before.differences(&Snapshot::take()), [""; 0], "{failed:?} {errno}");
                // One failure is no reason to avoid the call for good.
                let again = launch(backend, &launcher, &plan).expect("nothing fails any more");
                if name != "start" || !errno.is_refusal() {
                    let expected = if is_known { world.ran() } else { world.first() };
                    assert_eq!(again, expected, "{failed:?} {errno}");
                }
            }
            let all = [
                "map_shared",
                "map_private",
                "forbid",
                "block_signals",
                "start",
                "set_mask",
                "reap_unexecuted",
            ];
            assert!(all.iter().all(|name| failed.contains(name)), "{failed:?}");
        }
    });
}

/// Launches a probe that reports. Returns the method and the report, if the probe ran.
pub(crate) fn reported(
    backend: &Linux<Calls>,
    launcher: &dyn Launcher,
    close: CloseStrategy,
) -> Result<(Ran, Seen), LaunchError> {
    reported_by(backend, launcher, &Plan { close: Some(close), ..busy(c"report") })
}

/// Launches the reporting probe of this plan, which places no other descriptors.
pub(crate) fn reported_by(
    backend: &impl Backend<Sys = Failing<impl ParentSys>>,
    launcher: &dyn Launcher,
    plan: &Plan<'_>,
) -> Result<(Ran, Seen), LaunchError> {
    let (mut reader, writer) = io::pipe().expect("a pipe can be made");
    let writer = OwnedFd::from(writer);
    let moves = [Move::copy(writer.as_raw_fd(), 1), Move::ClearCloexec(0), Move::ClearCloexec(2)];
    let plan = Plan { moves: &moves, ..*plan };
    let started = launch_reporting(backend, launcher, &plan, writer, &mut reader);
    started.map(|(ran, text)| (ran, Seen::parse(&text)))
}

/// The text is read before the child is waited for: a report is longer than a pipe's buffer may be.
pub(crate) fn launch_reporting(
    backend: &impl Backend<Sys = Failing<impl ParentSys>>,
    launcher: &dyn Launcher,
    plan: &Plan<'_>,
    writer: OwnedFd,
    reader: &mut impl Read,
) -> Result<(Ran, String), LaunchError> {
    let Launched { pid, pidfd, method, closed, .. } = launcher.launch(plan)?;
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("a report is ASCII");
    let sys = backend.sys().inner();
    assert_eq!(sys.wait(pid), Ok(0), "the probe succeeds");
    if let Some(pidfd) = pidfd {
        sys.close(pidfd).expect("it is the caller's");
    }
    Ok((Ran { method, by: closed.by, pidfd: pidfd.is_some() }, text))
}

/// Faults: E15
#[rstest]
fn any_failing_call_of_the_child_leaks_nothing(
    #[values(World::Whole, World::WithoutClone3)] world: World,
    #[values(Errno::PERM, Errno::INVAL, Errno::IO, Errno::NOMEM, Errno::MFILE, Errno::BADF)] errno: Errno,
) {
    isolated(|| {
        let secrets = world::open_many(3);
        let (before, mut stages, mut succeeded) = (Snapshot::take(), Vec::new(), 0);
        // The last call is execve: it fails last.
        for index in 0.. {
            let fault = Fault { side: Side::Child, name: None, index, errno };
            let (backend, launcher) = over(|kernel| Failing::parent(kernel, fault).refusing(world.refuse()));
            let seen = reported(backend, &launcher, CloseStrategy::Bulk);
            assert_eq!(before.differences(&Snapshot::take()), [""; 0], "call {index}");
            match seen {
                Ok((ran, seen)) => {
                    assert_eq!((ran.method, seen.fds), (world.first().method, vec![0, 1, 2]), "call {index}");
                    succeeded += 1;
                }
                Err(LaunchError::Child(report)) => {
                    assert_eq!(report.errno, errno, "call {index}");
                    stages.push(report.stage);
                }
                Err(other) => panic!("call {index}: {other:?}"),
            }
            if stages.last() == Some(&Stage::Exec) {
                break;
            }
        }
        println!("{} calls that are told, {succeeded} that have an answer", stages.len());
        assert!(stages.is_sorted() && succeeded > 0, "{stages:?}");
        drop(secrets);
    });
}

const fn ran(method: SpawnMethod, by: Closer, pidfd: bool) -> Ran {
    Ran { method, by, pidfd }
}

const LISTED: Closer = Closer::Enumerator(0);

/// The starts that are refused, and the errno.
type Refusal = (fn(Start) -> bool, Errno);

fn all(_: Start) -> bool {
    true
}

fn none(_: Start) -> bool {
    false
}

fn clone3(start: Start) -> bool {
    start.call == Call::Clone3
}

fn clone3_and_pidfd(start: Start) -> bool {
    clone3(start) || start.pidfd
}

fn clone3_and_table(start: Start) -> bool {
    clone3(start) || start.shares_table
}

fn clone_alone(start: Start) -> bool {
    start.call == Call::Clone
}

/// Starts and calls that always fail; the method of the first child, and that of the third and later ones; how many
/// refusals the first two met. The second child is the first for which clone(2) shares the table.
#[rstest]
#[case::nothing(none, &[], ran(SpawnMethod::Shared, Closer::Bulk, true), ran(SpawnMethod::Shared, Closer::Bulk, true), 0)]
#[case::clone3(clone3, &[], ran(SpawnMethod::Vfork, Closer::Bulk, true), ran(SpawnMethod::Shared, Closer::Bulk, true), 1)]
#[case::clone3_and_pidfd(
    clone3_and_pidfd, &[], ran(SpawnMethod::Vfork, Closer::Bulk, false), ran(SpawnMethod::Shared, Closer::Bulk, false), 2)]
#[case::clone3_and_shared_table(
    clone3_and_table, &[], ran(SpawnMethod::Vfork, Closer::Bulk, true), ran(SpawnMethod::Vfork, Closer::Bulk, true), 3)]
#[case::clone(
    clone_alone, &[], ran(SpawnMethod::Shared, Closer::Bulk, true), ran(SpawnMethod::Shared, Closer::Bulk, true), 0)]
#[case::all_starts(all, &[], ran(SpawnMethod::Fork, Closer::Bulk, true), ran(SpawnMethod::Fork, Closer::Bulk, true), 3)]
#[case::unsharing_range(
    none, &["close_range_unshare"],
    ran(SpawnMethod::Shared, Closer::Bulk, true), ran(SpawnMethod::Vfork, Closer::Bulk, true), 1)]
#[case::unsharing(
    none, &["unshare_files"],
    ran(SpawnMethod::Shared, Closer::Bulk, true), ran(SpawnMethod::Shared, Closer::Bulk, true), 0)]
#[case::both_unsharings(
    none, &["close_range_unshare", "unshare_files"],
    ran(SpawnMethod::Vfork, Closer::Bulk, true), ran(SpawnMethod::Vfork, Closer::Bulk, true), 2)]
#[case::close_range(
    none, &["close_range_unshare", "close_range"],
    ran(SpawnMethod::Shared, LISTED, true), ran(SpawnMethod::Vfork, LISTED, true), 2)]
#[case::close_range_and_clone3(
    clone3, &["close_range_unshare", "close_range"],
    ran(SpawnMethod::Vfork, LISTED, true), ran(SpawnMethod::Vfork, LISTED, true), 2)]
#[case::close_range_and_unshare(
    none, &["close_range_unshare", "close_range", "unshare_files"],
    ran(SpawnMethod::Vfork, LISTED, true), ran(SpawnMethod::Vfork, LISTED, true), 3)]
#[case::whether_it_runs(
    none, &["reap_unexecuted"],
    ran(SpawnMethod::Shared, Closer::Bulk, true), ran(SpawnMethod::Shared, Closer::Bulk, true), 1)]
fn refused_clone_falls_back_and_is_not_retried(
    #[case] refused: fn(Start) -> bool,
    #[case] denied: &'static [&'static str],
    #[case] first: Ran,
    #[case] next: Ran,
    #[case] refusals: usize,
    #[values(Errno::NOSYS, Errno::PERM, Errno::ACCES, Errno::INVAL)] errno: Errno,
) {
    /// The refusal is a function without captures, so it is static. Each test has its own process.
    static REFUSED: OnceLock<Refusal> = OnceLock::new();
    fn refuse(start: Start) -> Option<Errno> {
        REFUSED.get().and_then(|&(refused, errno)| refused(start).then_some(errno))
    }

    isolated(|| {
        REFUSED.set((refused, errno)).expect("it is set once");
        let secrets = world::open_many(3);
        let (backend, launcher) =
            over(|kernel| Failing::nothing(kernel).denying(denied, errno).refusing(refuse));
        let told = reported(backend, &launcher, CloseStrategy::Bulk).expect("what is refused has a next way");
        assert_eq!((told.0, told.1.fds), (first, vec![0, 1, 2]));
        reported(backend, &launcher, CloseStrategy::Bulk).expect("what is refused has a next way");
        let refused_starts =
            || backend.sys().take_starts().into_iter().filter(|start| refused(*start)).count();
        // A spawn makes `reap_unexecuted` for each child, whatever it returned before.
        let asked_each_time = usize::from(denied.contains(&"reap_unexecuted"));
        let denials = backend.sys().denials();
        assert_eq!(refused_starts() + denials, refusals + asked_each_time);
        for round in 1..3 {
            let told =
                reported(backend, &launcher, CloseStrategy::Bulk).expect("what is refused has a next way");
            assert_eq!((&told.0, told.1.fds), (&next, vec![0, 1, 2]));
            let again = (refused_starts(), backend.sys().denials());
            assert_eq!(again, (0, denials + round * asked_each_time));
        }
        assert_eq!(launcher.method(), next.method);
        drop(secrets);
    });
}

/// The child shares the place where the thread that starts it has its errno, and sets it with each call that fails.
///
/// Faults: M2
#[rstest]
fn failed_child_leaves_errno_of_the_spawning_thread(
    #[values(World::Whole, World::CloneAlone)] world: World,
    #[values("execve", "chdir")] fails: &'static str,
) {
    isolated(|| {
        let (backend, launcher) = over(|kernel| {
            Failing::nothing(kernel).refusing(world.refuse()).acting(fails, || ThreadErrno::ENOTTY.set())
        });
        let directory = if fails == "chdir" { c"/no/such/directory" } else { c"/" };
        let plan = Plan { directory: Some(WorkingDirectory::Path(directory)), ..plan_without_program() };
        launch(backend, &launcher, &plan).expect_err("one of both is missing");
        assert_eq!(ThreadErrno::last(), ThreadErrno::EXDEV);
    });
}

/// A program that is not there.
fn plan_without_program() -> Plan<'static> {
    let exec = plan().exec;
    Plan { exec: Exec { candidates: &[c"/no/such/program"], ..exec }, ..plan() }
}

/// Every emulator that copies the memory.
pub(crate) fn copies() -> impl Iterator<Item = Copies> {
    (0..8).map(|bits| Copies { waits: bits & 1 != 0, shares_table: bits & 2 != 0, announces: bits & 4 != 0 })
}

/// The first child with a copy of the memory is the only one: it is reported as any other, and the next is forked.
/// Faults: F15, M1
#[test]
fn first_child_with_copied_memory_is_the_callers() {
    isolated(|| {
        for copies in copies() {
            let (backend, launcher) = over(|kernel| Failing::nothing(kernel).copying(copies));
            for starts in [1, 0] {
                let ran = launch(backend, &launcher, &plan());
                assert_eq!(ran, Ok(self::ran(SpawnMethod::Fork, Closer::Bulk, true)), "{copies:?}");
                assert_eq!(backend.sys().take_starts().len(), starts, "{copies:?}");
            }
            assert_eq!(
                (launcher.method(), launcher.fallback_reason()),
                (SpawnMethod::Fork, Some(FallbackReason::NotShared))
            );
            let required = launcher.launch_fast(&plan()).map(|started| started.pid);
            assert_eq!(required, Err(LaunchError::ForkRequired(FallbackReason::NotShared)));
            assert_eq!(backend.sys().inner().wait(-1), Err(Errno::CHILD), "{copies:?}");
        }
    });
}

/// Each call of a child with copied memory fails once: the report arrives, and nothing is left.
/// Faults: F15, M1
#[rstest]
fn first_child_with_copied_memory_reports_each_failure(
    #[values(Errno::PERM, Errno::IO, Errno::NOMEM)] errno: Errno,
) {
    isolated(|| {
        let secrets = world::open_many(3);
        let before = Snapshot::take();
        for copies in copies() {
            let mut stages = Vec::new();
            for index in 0.. {
                let fault = Fault { side: Side::Child, name: None, index, errno };
                let (backend, launcher) = over(|kernel| Failing::parent(kernel, fault).copying(copies));
                let seen = reported(backend, &launcher, CloseStrategy::Bulk);
                assert_eq!(before.differences(&Snapshot::take()), [""; 0], "{copies:?}, call {index}");
                match seen {
                    Ok((ran, seen)) => {
                        assert_eq!(
                            (ran.method, seen.fds),
                            (SpawnMethod::Fork, vec![0, 1, 2]),
                            "{copies:?}, {index}"
                        );
                    }
                    Err(LaunchError::Child(report)) => {
                        assert_eq!(report.errno, errno, "{copies:?}, call {index}");
                        stages.push(report.stage);
                    }
                    Err(other) => panic!("{copies:?}, call {index}: {other:?}"),
                }
                assert_eq!(
                    launcher.fallback_reason(),
                    Some(FallbackReason::NotShared),
                    "{copies:?}, call {index}"
                );
                if stages.last() == Some(&Stage::Exec) {
                    break;
                }
            }
            assert!(stages.is_sorted() && stages.len() > 10, "{copies:?}: {stages:?}");
        }
        drop(secrets);
    });
}

/// A child with copied memory is killed at each of its calls. One that dies before its first act shows nothing about memory.
/// Faults: F15, M1
#[rstest]
fn first_child_with_copied_memory_is_reported_killed(
    #[values("close_range_unshare", "set_mask", "execve")] call: &'static str,
) {
    isolated(|| {
        let before = Snapshot::take();
        for copies in copies() {
            let (backend, launcher) = over(|kernel| {
                Failing::nothing(kernel).copying(copies).acting(call, || {
                    // SAFETY: the child ends itself.
                    unsafe { libc::raise(libc::SIGKILL) };
                })
            });
            let died = launch(backend, &launcher, &plan());
            let status = Some(libc::SIGKILL);
            assert!(
                matches!(died, Err(LaunchError::Died { status: told, .. }) if told == status),
                "{died:?}"
            );
            assert_eq!(launcher.fallback_reason(), Some(FallbackReason::NotShared), "{copies:?}");
            assert_eq!(before.differences(&Snapshot::take()), [""; 0], "{copies:?}");
        }
    });
}

/// wait4(2) and setpgid(2) answer nothing useful; waitid(2) or the missing report tell.
/// Faults: F15, M1
#[rstest]
#[case::no_wait(&["reap_unexecuted"])]
#[case::no_group(&["join_no_group"])]
#[case::no_flag(&["join_no_group", "read_file"])]
#[case::nothing(&["reap_unexecuted", "join_no_group", "read_file"])]
fn first_child_with_copied_memory_is_known_by_any_answer(
    #[case] denied: &'static [&'static str],
    #[values(Errno::PERM, Errno::NOSYS)] errno: Errno,
) {
    isolated(|| {
        for copies in copies() {
            let failing = |kernel| Failing::nothing(kernel).copying(copies).denying(denied, errno);
            let (backend, launcher) = over(failing);
            assert_eq!(launch(backend, &launcher, &plan()).map(|ran| ran.method), Ok(SpawnMethod::Fork));
            let (backend, launcher) = over(failing);
            let missing = Plan { root: Some(c"/no/such/root"), ..plan() };
            let told = Report { stage: Stage::Chroot, errno: Errno::NOENT, operand: 0 };
            assert_eq!(launch(backend, &launcher, &missing), Err(LaunchError::Child(told)), "{copies:?}");
        }
    });
}

/// In a sanitized program nothing is shared, and no child is started to find that out.
#[test]
fn under_a_sanitizer_children_are_forked() {
    isolated(|| {
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).sanitized());
        assert_eq!(launch(backend, &launcher, &plan()), Ok(ran(SpawnMethod::Fork, Closer::Bulk, true)));
        assert_eq!(backend.sys().take_starts().len(), 0);
        assert_eq!(
            (launcher.method(), launcher.fallback_reason()),
            (SpawnMethod::Fork, Some(FallbackReason::Sanitizer))
        );
        let required = launcher.launch_fast(&plan()).map(|started| started.pid);
        assert_eq!(required, Err(LaunchError::ForkRequired(FallbackReason::Sanitizer)));
    });
}

/// A child that reported a failed exec has not executed. No further check is made.
#[test]
fn report_of_a_child_needs_no_other_proof() {
    isolated(|| {
        let (backend, launcher) =
            over(|kernel| Failing::nothing(kernel).denying(&["reap_unexecuted"], Errno::CHILD));
        assert_eq!(launch(backend, &launcher, &lost()), Err(LaunchError::Child(LOST)));
        assert_eq!(backend.sys().denials(), 0);
    });
}

/// If the termination signal does not show it, `/proc` does.
#[rstest]
#[case::runs(plan(), Ok(World::Whole.ran()))]
#[case::fails(lost(), Err(LaunchError::Child(LOST)))]
fn running_child_is_recognized_through_proc(
    #[case] plan: Plan<'static>,
    #[case] told: Result<Ran, LaunchError>,
) {
    isolated(|| {
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).announcing_no_exec());
        assert_eq!(launch(backend, &launcher, &plan), told);
    });
}

#[test]
fn closure_needs_fork_and_is_an_error_without_it() {
    isolated(|| {
        let (backend, launcher) = over(Failing::nothing);
        let plan = Plan { hook: Some(as_hook(&|| Ok(()))), ..plan() };
        assert_eq!(launch(backend, &launcher, &plan).map(|ran| ran.method), Ok(SpawnMethod::Fork));
        assert_eq!(backend.sys().take_starts(), []);
        let required = launcher.launch_fast(&plan).map(|started| started.pid);
        assert_eq!(required, Err(LaunchError::ForkRequired(FallbackReason::Closure)));
        assert_eq!((launcher.method(), launcher.fallback_reason()), (SpawnMethod::Shared, None));
    });
}

/// A lack of free numbers does not affect the next child.
#[rstest]
fn child_without_free_number_has_no_pidfd_and_the_next_has_one(
    #[values(World::Whole, World::WithoutClone3)] world: World,
) {
    isolated(|| {
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).refusing(world.refuse()));
        launch(backend, &launcher, &plan()).expect("it starts");
        let (soft, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        world::set_limit(libc::RLIMIT_NOFILE, 16, hard).expect("a limit can be lowered");
        let stdin = io::stdin();
        let copies: Vec<OwnedFd> = std::iter::from_fn(|| stdin.as_fd().try_clone_to_owned().ok()).collect();
        assert!(!copies.is_empty());
        for _ in 0..2 {
            let told = launch(backend, &launcher, &plan());
            assert_eq!(told, Ok(Ran { pidfd: false, ..world.ran() }));
        }
        drop(copies);
        assert_eq!(launch(backend, &launcher, &plan()), Ok(world.ran()));
        world::set_limit(libc::RLIMIT_NOFILE, soft, hard).expect("a limit can be raised up to the hard one");
    });
}

/// If a spawn fails for lack of a resource, the next child tries the same call, whatever else is refused.
#[rstest]
fn transient_failure_is_not_remembered(
    #[values(Errno::AGAIN, Errno::NOMEM)] errno: Errno,
    #[values(libc::ENOSYS, libc::EPERM)] refusal: i32,
) {
    isolated(|| {
        Deny::new().errno(libc::SYS_clone3, refusal).install().expect("a filter is taken");
        let fault = Fault { side: Side::Parent, name: Some("start"), index: 0, errno };
        let (backend, launcher) = over(|kernel| Failing::parent(kernel, fault));
        let first = launch(backend, &launcher, &plan());
        assert_eq!(first, Err(LaunchError::Parent { stage: Stage::Start, errno }));
        assert_eq!(launch(backend, &launcher, &plan()), Ok(World::WithoutClone3.first()));
        assert_eq!(launch(backend, &launcher, &plan()), Ok(World::WithoutClone3.ran()));
    });
}

/// Returns the number of memory mappings of this process.
fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps").expect("a process can look at its memory").lines().count()
}

#[test]
fn stack_is_mapped_once_whatever_its_child_does() {
    isolated(|| {
        let (backend, launcher) = over(Failing::nothing);
        let missing = Plan { root: Some(c"/no/such/root"), ..plan() };
        let round = || {
            launch(backend, &launcher, &plan()).expect("it starts");
            let told = Report { stage: Stage::Chroot, errno: Errno::NOENT, operand: 0 };
            assert_eq!(launch(backend, &launcher, &missing), Err(LaunchError::Child(told)));
        };
        (0..20).for_each(|_| round());
        let before = mappings();
        (0..200).for_each(|_| round());
        assert_eq!(mappings(), before);
    });
}

/// The guards below the stacks of children: no other piece of memory without any access is of this size.
pub(crate) fn guards() -> usize {
    const GUARD: usize = 1 << 16;
    let is_guard = |line: &&str| {
        let mut words = line.split(' ');
        let range = words.next().and_then(|range| range.split_once('-'));
        let ends = range.map(|(first, end)| [first, end].map(|it| usize::from_str_radix(it, 16)));
        let Some([Ok(first), Ok(end)]) = ends else { return false };
        words.next() == Some("---p") && end - first == GUARD
    };
    let maps = fs::read_to_string("/proc/self/maps").expect("a process can look at its memory");
    maps.lines().filter(is_guard).count()
}

/// Threads that start at once have a stack each, and all but a few are given back.
#[test]
fn cache_keeps_no_more_stacks_than_it_has_room_for() {
    const KEPT: usize = 16;
    const THREADS: usize = 64;

    isolated(|| {
        // SAFETY: it is used by launchers only, and on children of the test's own.
        let backend = Linux::new(unsafe { Kernel::new() });
        let launcher = LinuxLauncher::new(&backend);
        let go = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    go.wait();
                    for _ in 0..5 {
                        let started = launcher.launch(&plan()).expect("it starts");
                        let Launched { pid, pidfd, .. } = started;
                        assert_eq!(backend.sys().wait(pid), Ok(0));
                        if let Some(pidfd) = pidfd {
                            backend.sys().close(pidfd).expect("it is the caller's");
                        }
                    }
                });
            }
        });
        assert!((1..=KEPT).contains(&guards()), "{}", guards());
    });
}
