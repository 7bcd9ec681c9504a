//! The launcher of illumos and Solaris over the posix_spawn(3) of glibc: its file actions, with the one that closes, and the stage of
//! a failure. glibc closes by close_range(2).

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use rstest::rstest;
use tempfile::TempDir;

use forkexec_core::{
    Backend, Errno, FallbackReason, Fd, KeepList, LaunchError, Launcher, Mask, Move, Plan, Report, SignalSet,
    SpawnMethod, Stage, WorkingDirectory,
};
use forkexec_posix::Kernel;
use forkexec_solaris::{Solaris, SolarisLauncher};
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::isolated;

use super::{CLOSED, c_string, errors_over, launch, open, programs, reports_over, searching};
use crate::failing::{Failing, Fault, Side};
use crate::launcher::{plan, plan_of};

type Sun = Solaris<Failing<Kernel>>;

fn over(fault: Fault) -> (&'static Sun, &'static SolarisLauncher<'static, Failing<Kernel>>) {
    // SAFETY: it is used by launchers only, and on descriptors and children of the test's own.
    let kernel = Failing::parent(unsafe { Kernel::new() }, fault).pretending_limit(Some(1_024));
    let backend = Box::leak(Box::new(Solaris::new(kernel)));
    (backend, Box::leak(Box::new(SolarisLauncher::new(backend))))
}

fn plain() -> (&'static Sun, &'static SolarisLauncher<'static, Failing<Kernel>>) {
    over(Fault::NONE)
}

/// Opens a file at each number from the first up, inheritable or not.
fn open_at(first: Fd, count: Fd, cloexec: bool) -> Vec<OwnedFd> {
    let file = open(Path::new("/dev/null"));
    let open = |lowest| {
        let dup = if cloexec { FcntlArg::F_DUPFD_CLOEXEC(lowest) } else { FcntlArg::F_DUPFD(lowest) };
        assert_eq!(fcntl(&file, dup).expect("the number is free"), lowest);
        // SAFETY: fcntl returned it, and nothing else owns it.
        unsafe { OwnedFd::from_raw_fd(lowest) }
    };
    (first..first + count).map(open).collect()
}

#[test]
fn real_child_has_what_is_kept_and_nothing_else() {
    isolated(|| {
        let directory = TempDir::new().expect("a directory can be made");
        // 40 to 49 are inheritable secrets, and the others close-on-exec.
        let _files = [open_at(40, 10, false), open_at(60, 6, true), open_at(200, 1, false)];
        let keep = [42, 45, 61, 62, 63, 64, 66];
        // A ring, a copy, a descriptor that is mapped onto itself, and one that is shared.
        let moves = [
            Move::save(61),
            Move::copy(62, 61),
            Move::RestoreTemp(62),
            Move::copy(60, 66),
            Move::copy(63, 63),
            Move::ClearCloexec(64),
        ];
        let plan = Plan {
            keep: KeepList::new(&keep).expect("it is sorted"),
            inherit: &[42],
            reset: SignalSet::EMPTY.with(libc::SIGPIPE),
            mask: Mask::Set(SignalSet::EMPTY.with(libc::SIGUSR2)),
            process_group: Some(0),
            directory: Some(WorkingDirectory::Path(c_string(directory.path()))),
            ..plan_of(c"report")
        };
        let (backend, launcher) = plain();
        let [spawned, forked] = reports_over(backend, launcher, &plan, &moves);
        let expected: Vec<Fd> = [0, 1, 2].into_iter().chain(keep).collect();
        assert_eq!(spawned.seen.fds, expected);
        assert_eq!(spawned.seen.cwd.as_deref(), directory.path().canonicalize().ok().as_deref());
        assert_eq!(spawned, forked);
    });
}

#[test]
fn real_child_of_an_open_directory_does_not_inherit_it() {
    isolated(|| {
        let directory = TempDir::new().expect("a directory can be made");
        let opened = open(directory.path());
        let early_directory = Some(WorkingDirectory::Fd(opened.as_raw_fd()));
        let (backend, launcher) = plain();
        let plan = Plan { early_directory, session: true, ..plan_of(c"report") };
        let [spawned, forked] = reports_over(backend, launcher, &plan, &[]);
        assert_eq!((&spawned.seen.fds[..], spawned.leads_session), (&[0, 1, 2][..], true));
        assert_eq!(spawned.seen.cwd.as_deref(), directory.path().canonicalize().ok().as_deref());
        assert_eq!(spawned, forked);
    });
}

#[rstest]
#[case::kept(Plan { keep: KeepList::new(&[CLOSED]).expect("it is sorted"), inherit: &[CLOSED], ..plan() }, Stage::KeepFds, CLOSED)]
#[case::source(Plan { moves: vec![Move::copy(CLOSED, 0)].leak(), ..plan() }, Stage::DupFds, CLOSED)]
#[case::directory(Plan { early_directory: Some(WorkingDirectory::Fd(CLOSED)), ..plan() }, Stage::EarlyChdir, CLOSED)]
fn real_failure_has_the_stage_of_a_forked_child(
    #[case] plan: Plan<'static>,
    #[case] stage: Stage,
    #[case] operand: i32,
) {
    isolated(move || {
        // The gaps below the number are closed one by one.
        let _file = open_at(30, 1, false);
        let keep = [30, CLOSED];
        let keep = KeepList::new(if plan.keep.contains(CLOSED) { &keep } else { &[] }).expect("it is sorted");
        let (backend, launcher) = plain();
        let error = LaunchError::Child(Report { stage, errno: Errno::BADF, operand });
        assert_eq!(errors_over(backend, launcher, &Plan { keep, ..plan }), [Some(error); 2]);
    });
}

#[rstest]
#[case::all_missing(&["missing", "absent"], Errno::NOENT, 1)]
#[case::denied_before_missing(&["denied", "missing"], Errno::ACCES, 0)]
#[case::no_program(&["script", "denied"], Errno::NOEXEC, 0)]
fn error_of_real_candidates_is_that_of_a_forked_child(
    #[case] names: &'static [&'static str],
    #[case] errno: Errno,
    #[case] operand: i32,
) {
    isolated(move || {
        let directory = programs();
        let (backend, launcher) = plain();
        let error = LaunchError::Child(Report { stage: Stage::Exec, errno, operand });
        assert_eq!(errors_over(backend, launcher, &searching(directory.path(), names)), [Some(error); 2]);
    });
}

#[test]
fn unknown_stage_is_found_by_a_forked_child() {
    isolated(|| {
        let (backend, launcher) = plain();
        let plan = Plan { process_group: Some(i32::MAX), ..plan() };
        assert_eq!(launcher.launch_fast(&plan).map(drop), Err(LaunchError::StageUnknown(Errno::PERM)));
        let report = Report { stage: Stage::ProcessGroup, errno: Errno::PERM, operand: 0 };
        assert_eq!(launch(backend, launcher, &plan), Err(LaunchError::Child(report)));
        assert_eq!((launcher.method(), launcher.fallback_reason()), (SpawnMethod::PosixSpawn, None));
    });
}

#[test]
fn kept_descriptors_far_apart_are_a_reason_to_fork() {
    isolated(|| {
        let _files = [open_at(10, 1, false), open_at(200, 1, false)];
        let keep = [10, 200];
        let plan = Plan { keep: KeepList::new(&keep).expect("it is sorted"), ..plan() };
        let (backend, launcher) = plain();
        let reason = FallbackReason::Inexpressible(Stage::KeepFds);
        assert_eq!(launcher.launch_fast(&plan).map(drop), Err(LaunchError::ForkRequired(reason)));
        assert_eq!(launch(backend, launcher, &plan), Ok(SpawnMethod::Fork));
    });
}

/// Each call of the parent fails once with each errno. Then the child is forked, unless the call only looked.
///
/// Faults: E15
#[test]
fn call_that_fails_once_around_posix_spawn_leaks_nothing() {
    const CALLS: [&str; 8] = [
        "signal_mask",
        "spawn",
        "add_dup2",
        "add_close",
        "add_closefrom",
        "spawn_child",
        "is_cloexec",
        "is_on_procfs",
    ];
    isolated(|| {
        let _file = open_at(5, 1, true);
        let keep = [5];
        let plan = Plan {
            keep: KeepList::new(&keep).expect("it is sorted"),
            inherit: &keep,
            moves: &[Move::copy(5, 0), Move::Close(0), Move::copy(5, 0)],
            ..plan()
        };
        let before = Snapshot::take();
        for errno in [Errno::PERM, Errno::INVAL, Errno::NOMEM, Errno::BADF, Errno::NOSYS, Errno::IO] {
            for name in CALLS {
                let (backend, launcher) =
                    over(Fault { side: Side::Parent, name: Some(name), index: 0, errno });
                let started = launch(backend, launcher, &plan);
                assert_eq!(backend.sys().failed(), Some(name));
                assert!(started.is_ok(), "{name} {errno}: {started:?}");
                assert_eq!(before.differences(&Snapshot::take()), [""; 0], "{name} {errno}");
            }
        }
        assert_eq!(launch(plain().0, plain().1, &plan), Ok(SpawnMethod::PosixSpawn));
    });
}
