//! The launcher over the real kernel: calls of the parent and of the child failing, one after the other.

use std::ffi::{CStr, CString};
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rstest::rstest;

use forkexec_core::{
    Backend, CHANNEL_REPLACED, CStrArray, Capabilities, Errno, Exec, FdEnumerator, ForkLauncher, HookError,
    KeepList, LaunchError, Launched, Launcher, Limit, Mask, Move, ParentSys, Plan, Report, Resource,
    SignalSet, Stage, Sys, ThinCStr, WorkingDirectory,
};
use forkexec_linux::{Kernel, Linux};
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::world;

use crate::failing::{Failing, Fault, Side};
use crate::killed::hang;
use crate::sim::rich::as_hook;

/// A plan that runs the probe with one argument and sets nothing else.
pub(crate) fn plan() -> Plan<'static> {
    plan_of(c"true")
}

pub(crate) fn plan_of(verb: &'static CStr) -> Plan<'static> {
    static PROBE: LazyLock<CString> =
        LazyLock::new(|| CString::new(probe::path().as_os_str().as_bytes()).expect("a path has no NUL"));
    let argv = [Some(ThinCStr::from(PROBE.as_c_str())), Some(verb.into()), None];
    let argv = CStrArray::new(Box::leak(Box::new(argv))).expect("it ends with a null");
    let candidates = Box::leak(Box::new([PROBE.as_c_str()]));
    Plan::new(Exec { candidates, argv, env: None, shell: None })
}

fn backend(fault: Fault) -> Linux<Failing<Kernel>> {
    // SAFETY: it is used by launchers only, and on descriptors and children of the test's own.
    Linux::new(Failing::parent(unsafe { Kernel::new() }, fault))
}

/// Launches once. A child that runs is waited for.
pub(crate) fn launch(plan: &Plan<'_>, fault: Fault) -> Result<Launched, LaunchError> {
    launch_pretending(None, plan, fault)
}

/// Launches with a false hard limit of descriptors.
pub(crate) fn launch_pretending(
    limit: Option<u64>,
    plan: &Plan<'_>,
    fault: Fault,
) -> Result<Launched, LaunchError> {
    // SAFETY: as in `backend`.
    let kernel = unsafe { Kernel::new() };
    launch_over(&Linux::new(Failing::parent(kernel, fault).pretending_limit(limit)), plan)
}

fn launch_over(backend: &Linux<Failing<Kernel>>, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
    let launched = ForkLauncher::new(backend).launch(plan)?;
    assert_eq!(backend.sys().inner().wait(launched.pid), Ok(0), "the probe succeeds");
    Ok(launched)
}

fn in_parent(name: &'static str, errno: Errno) -> Fault {
    Fault { side: Side::Parent, name: Some(name), index: 0, errno }
}

/// A plan that keeps the numbers where the pipe of the report would lie, so that it has to move.
pub(crate) fn crossing_plan() -> Plan<'static> {
    Plan { keep: KeepList::new(&[3, 4, 5, 6, 7, 8, 9]).expect("the list is sorted"), ..plan() }
}

#[rstest]
#[case::memory("map_shared", Stage::Setup)]
#[case::pipe("pipe", Stage::Setup)]
#[case::moving_the_pipe("dup_min", Stage::Setup)]
#[case::knowing_the_pipe("file_id", Stage::Setup)]
#[case::blocking_signals("block_signals", Stage::Setup)]
#[case::fork("fork", Stage::Start)]
fn failed_call_of_the_parent_is_reported_and_leaks_nothing(
    #[case] name: &'static str,
    #[case] stage: Stage,
    #[values(Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::PERM)] errno: Errno,
) {
    isolated(|| {
        let launched = launch(&crossing_plan(), in_parent(name, errno));
        assert_eq!(launched.map(|launched| launched.pid), Err(LaunchError::Parent { stage, errno }));
    });
}

/// The pipe of the report gets the lowest free numbers first, and moves from there.
#[rstest]
fn report_pipe_on_a_stream_number_leaves_nothing_open(
    #[values(&[0, 1], &[1, 2], &[0, 1, 2])] closed: &[RawFd],
) {
    let closed = closed.to_vec();
    isolated(move || {
        let reopen = world::close_stdio(&closed);
        let before = Snapshot::take();
        let launched = launch(&plan(), in_parent("write", Errno::IO)).map(drop);
        let left = before.differences(&Snapshot::take());
        drop(reopen);
        assert_eq!((launched, left), (Ok(()), vec![]));
    });
}

/// Faults: E12
#[test]
fn interrupted_read_of_the_report_is_retried() {
    isolated(|| assert!(launch(&plan(), in_parent("read", Errno::INTR)).is_ok()));
}

/// Faults: E12
#[rstest]
fn unreadable_report_is_no_success(#[values(Errno::IO, Errno::BADF)] errno: Errno) {
    isolated(|| {
        let launched = launch(&plan(), in_parent("read", errno));
        assert!(matches!(launched, Err(LaunchError::Died { status: Some(_), .. })), "{launched:?}");
    });
}

#[rstest]
#[case::interrupted(Errno::INTR)]
#[case::reaped_by_other_code(Errno::CHILD)]
fn report_is_returned_even_if_the_wait_fails(#[case] errno: Errno) {
    isolated(|| {
        let launched = launch(&Plan { root: Some(c"/no/such/root"), ..plan() }, in_parent("wait", errno));
        let told = Report { stage: Stage::Chroot, errno: Errno::NOENT, operand: 0 };
        assert_eq!(launched.map(|launched| launched.pid), Err(LaunchError::Child(told)));
    });
}

#[rstest]
#[case::known(Errno::INTR, Some(libc::SIGKILL))]
#[case::reaped_by_other_code(Errno::CHILD, None)]
fn death_without_a_report_has_a_status_if_the_wait_succeeds(
    #[case] errno: Errno,
    #[case] status: Option<i32>,
) {
    isolated(|| {
        let die = || {
            // SAFETY: the child ends itself.
            unsafe { libc::raise(libc::SIGKILL) };
            Ok(())
        };
        let launched = launch(&Plan { hook: Some(as_hook(&die)), ..plan() }, in_parent("wait", errno));
        let died = LaunchError::Died { stage: Stage::PreExec, status };
        assert_eq!(launched.map(|launched| launched.pid), Err(died));
    });
}

/// The number that the writing end of the report's pipe gets: the second one that is free.
fn next_pipe() -> RawFd {
    let (_reader, writer) = io::pipe().expect("a pipe can be made");
    writer.as_raw_fd()
}

/// It leads to the parent alone.
///
/// Faults: D5
#[rstest]
#[case::inheritable(|writer| {
    // SAFETY: the child owns its numbers.
    unsafe { libc::fcntl(writer, libc::F_SETFD, 0) }
})]
#[case::another_file(|writer| {
    // SAFETY: the child owns its numbers.
    unsafe { libc::dup2(2, writer) };
    // SAFETY: the child owns its numbers.
    unsafe { libc::fcntl(writer, libc::F_SETFD, libc::FD_CLOEXEC) }
})]
fn closure_that_changes_the_report_pipe_ends_the_child(#[case] change: fn(RawFd) -> i32) {
    isolated(|| {
        let writer = next_pipe();
        let hook = move || {
            assert!(change(writer) >= 0);
            Ok(())
        };
        let launched = launch(&Plan { hook: Some(as_hook(&hook)), ..plan() }, Fault::NONE);
        let told = Report { stage: Stage::PreExec, errno: Errno::BADF, operand: CHANNEL_REPLACED };
        assert_eq!(launched.map(|launched| launched.pid), Err(LaunchError::Child(told)));
    });
}

/// A child without the pipe still reports its result.
#[test]
fn parent_waits_for_a_closure_that_closes_the_report_pipe() {
    isolated(|| {
        let writer = next_pipe();
        let hook = move || {
            // SAFETY: the child owns its numbers.
            unsafe { libc::close(writer) };
            // SAFETY: waits, and changes nothing.
            unsafe { libc::usleep(50_000) };
            Err(HookError::Errno(Errno::TXTBSY))
        };
        let launched = launch(&Plan { hook: Some(as_hook(&hook)), ..plan() }, Fault::NONE);
        let told = Report { stage: Stage::PreExec, errno: Errno::TXTBSY, operand: 0 };
        assert_eq!(launched.map(|launched| launched.pid), Err(LaunchError::Child(told)));
    });
}

#[test]
fn child_with_an_unreadable_report_is_killed() {
    isolated(|| {
        // SAFETY: as in `backend`.
        let calls = Failing::nothing(unsafe { Kernel::new() }).denying(&["read"], Errno::IO);
        let launched = launch_over(&Linux::new(calls.acting("execve", hang)), &plan());
        let died = LaunchError::Died { stage: Stage::Exec, status: Some(libc::SIGKILL) };
        assert_eq!(launched.map(|launched| launched.pid), Err(died));
    });
}

/// Memory that is shared and of no file has this name (proc(5)).
fn shared_memory() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").expect("a process can look at its memory");
    maps.lines().filter(|line| line.contains(" /dev/zero")).count()
}

#[test]
fn mapping_for_a_report_is_released() {
    isolated(|| {
        let before = shared_memory();
        for _ in 0..3 {
            assert!(launch(&plan(), Fault::NONE).is_ok());
        }
        assert_eq!(shared_memory(), before);
    });
}

/// setpgid(2) fails with `EACCES` for a child that runs a program, but a filter may return that for any process. The
/// parent asks while the exec is slow, and the exec then fails.
///
/// Faults: E9
#[test]
fn answer_of_a_filter_is_not_taken_for_a_running_program() {
    fn linger() {
        // SAFETY: waits, and changes nothing.
        unsafe { libc::usleep(50_000) };
    }
    isolated(|| {
        let exec = Exec { candidates: &[c"/no/such/program"], ..plan().exec };
        // SAFETY: as in `backend`.
        let calls = Failing::nothing(unsafe { Kernel::new() });
        let calls = calls.denying(&["join_no_group"], Errno::ACCES).acting("execve", linger);
        let launched = launch_over(&Linux::new(calls), &Plan { exec, ..plan() });
        let told = Report { stage: Stage::Exec, errno: Errno::NOENT, operand: 0 };
        assert_eq!(launched.map(|launched| launched.pid), Err(LaunchError::Child(told)));
    });
}

/// Returns true if the launch ends as it must after the parent's call failed.
fn is_expected(name: &str, errno: Errno, launched: &Result<Launched, LaunchError>) -> bool {
    match name {
        "map_shared" | "pipe" | "dup_min" | "file_id" | "block_signals" => {
            matches!(launched, Err(LaunchError::Parent { stage: Stage::Setup, errno: told }) if *told == errno)
        }
        "fork" => {
            matches!(launched, Err(LaunchError::Parent { stage: Stage::Start, errno: told }) if *told == errno)
        }
        "read" if errno != Errno::INTR => matches!(launched, Err(LaunchError::Died { .. })),
        _ => launched.is_ok(),
    }
}

/// Faults: E15
#[rstest]
fn any_failing_call_of_the_parent_leaks_nothing(
    #[values(Errno::INTR, Errno::PERM, Errno::IO, Errno::NOMEM, Errno::BADF)] errno: Errno,
) {
    isolated(|| {
        let before = Snapshot::take();
        let mut failed = Vec::new();
        loop {
            let fault = Fault { side: Side::Parent, name: None, index: failed.len(), errno };
            let backend = backend(fault);
            let launched = launch_over(&backend, &crossing_plan());
            let Some(name) = backend.sys().failed() else { break };
            failed.push(name);
            if name == "set_mask" {
                // A mask that was in force cannot be refused: the kernel would have to break its word.
                backend.sys().inner().set_mask(SignalSet::EMPTY).expect("it is taken");
            }
            assert!(is_expected(name, errno, &launched), "{failed:?}: {launched:?}");
            assert_eq!(before.differences(&Snapshot::take()), [""; 0], "{failed:?}");
        }
        let all = [
            "map_shared",
            "pipe",
            "dup_min",
            "file_id",
            "block_signals",
            "fork",
            "set_mask",
            "close",
            "read",
        ];
        assert!(all.iter().all(|name| failed.contains(name)), "{failed:?}");
    });
}

/// A plan of the probe with a call in as many stages as root can pass through without a terminal and without a closure.
pub(crate) fn busy(verb: &'static CStr) -> Plan<'static> {
    Plan {
        root: Some(c"/"),
        directory: Some(WorkingDirectory::Path(c"/")),
        umask: Some(0o022),
        reset: SignalSet::ALL,
        ignore: SignalSet::EMPTY.with(libc::SIGUSR1),
        session: true,
        limits: &[Limit { resource: Resource::CORE, soft: 0, hard: 0 }],
        nice: Some(1),
        groups: Some(&[1]),
        gid: Some(0),
        uid: Some(0),
        no_new_privs: true,
        die_with_parent: Some(libc::SIGTERM),
        mask: Mask::Set(SignalSet::EMPTY),
        ..plan_of(verb)
    }
}

/// Launches a probe that reports. The descriptors that it saw, if it ran.
fn descriptors_seen(fault: Fault) -> Result<Vec<i32>, LaunchError> {
    let (mut reader, writer) = io::pipe().expect("a pipe can be made");
    let writer = OwnedFd::from(writer);
    let moves = [Move::copy(writer.as_raw_fd(), 1), Move::ClearCloexec(0), Move::ClearCloexec(2)];
    let plan = Plan { moves: &moves, hook: Some(as_hook(&|| Ok(()))), ..busy(c"report") };
    let backend = backend(fault);
    let launched = ForkLauncher::new(&backend).launch(&plan);
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("a report is ASCII");
    let launched = launched?;
    assert_eq!(backend.sys().inner().wait(launched.pid), Ok(0), "the probe succeeds");
    Ok(Seen::parse(&text).fds)
}

/// Faults: E15
#[rstest]
fn any_failing_call_of_the_child_leaks_nothing(
    #[values(Errno::PERM, Errno::IO, Errno::NOMEM, Errno::BADF)] errno: Errno,
) {
    isolated(|| {
        let (before, mut stages, mut succeeded) = (Snapshot::take(), Vec::new(), 0);
        // The last call is execve: it fails last.
        for index in 0.. {
            let seen = descriptors_seen(Fault { side: Side::Child, name: None, index, errno });
            assert_eq!(before.differences(&Snapshot::take()), [""; 0], "call {index}");
            match seen {
                Ok(fds) => {
                    assert_eq!(fds, [0, 1, 2], "call {index}");
                    succeeded += 1;
                }
                Err(LaunchError::Child(report)) => {
                    assert_eq!(report.errno, errno, "call {index}");
                    stages.push(report.stage);
                }
                Err(other) => panic!("call {index}: {other:?}"),
            }
            if stages.last() == Some(&Stage::Exec) && succeeded > 3 && seen_all(&stages) {
                break;
            }
        }
        println!("{} calls that are told, {succeeded} that have an answer", stages.len());
        assert!(stages.is_sorted(), "{stages:?}");
    });
}

/// The mark and then the program itself.
fn seen_all(stages: &[Stage]) -> bool {
    stages.iter().filter(|&&stage| stage == Stage::Exec).count() == 2
}

/// A backend that refuses exec unless the parent called [`Backend::before_launch`].
struct LookingUp {
    sys: Kernel,
    calls: AtomicUsize,
}

// SAFETY: each method calls `Kernel` alone, which meets the requirements of `Sys`.
unsafe impl Backend for LookingUp {
    type Sys = Kernel;

    fn sys(&self) -> &Kernel {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        &forkexec_linux::CAPABILITIES
    }

    fn before_launch(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<Kernel>] {
        &[]
    }

    fn execve(
        &self,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<<Kernel as Sys>::Executed, Errno> {
        if self.calls.load(Ordering::Relaxed) == 0 {
            return Err(Errno::NOSYS);
        }
        self.sys.execve(path, argv, env)
    }
}

#[test]
fn parent_runs_its_hook_before_each_child() {
    isolated(|| {
        // SAFETY: as in `backend`.
        let backend = LookingUp { sys: unsafe { Kernel::new() }, calls: AtomicUsize::new(0) };
        for calls in 1..=2 {
            let launched =
                ForkLauncher::new(&backend).launch(&plan()).expect("the child knows what it needs");
            assert_eq!(backend.sys.wait(launched.pid), Ok(0), "the probe succeeds");
            assert_eq!(backend.calls.load(Ordering::Relaxed), calls);
        }
    });
}
