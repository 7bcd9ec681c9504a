//! The launcher of macOS over the posix_spawn(2) of this C library: the actions, attributes and candidates that POSIX shares, its
//! fallback to fork(2), and calls that fail.
//!
//! The C library has no `POSIX_SPAWN_CLOEXEC_DEFAULT`. The other descriptors of these tests are close-on-exec.
//!
//! - `calls`: the calls around posix_spawn(2), by this C library
//! - `solaris`: the launcher of illumos and Solaris over glibc, which has their action that closes

mod calls;
#[cfg(target_env = "gnu")]
mod solaris;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rstest::rstest;
use tempfile::TempDir;

use forkexec_apple::{Apple, AppleLauncher, OneMethod};
use forkexec_core::{
    Backend, CStrArray, Errno, Exec, FallbackReason, Fd, KeepList, LaunchError, Launcher, Mask, Move, Plan,
    Report, ShellFallback, SignalSet, SpawnMethod, Stage, Sys, ThinCStr, WorkingDirectory,
};
use forkexec_posix::Kernel;
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe::{FdFacts, Seen};
use forkexec_unix::{SpawnBackend, SpawnLauncher};

use crate::failing::{Failing, Fault, Side};
use crate::launcher::{plan, plan_of};
use crate::shared::{launch_reporting, wait_for};
use crate::sim::rich::as_hook;

type Floor = Apple<Failing<Kernel>>;

const METHODS: [SpawnMethod; 2] = [SpawnMethod::PosixSpawn, SpawnMethod::Fork];

/// A launcher needs a backend that stays: the suite has few, and each is one of a process that ends.
fn over(
    calls: impl FnOnce(Failing<Kernel>) -> Failing<Kernel>,
) -> (&'static Floor, &'static AppleLauncher<'static, Failing<Kernel>>) {
    // SAFETY: it is used by launchers only, and on descriptors and children of the test's own.
    let kernel = Failing::parent(unsafe { Kernel::new() }, Fault::NONE).pretending_limit(Some(1_024));
    let backend = Box::leak(Box::new(Apple::new(calls(kernel))));
    (backend, Box::leak(Box::new(AppleLauncher::new(backend))))
}

fn plain() -> (&'static Floor, &'static AppleLauncher<'static, Failing<Kernel>>) {
    over(|kernel| kernel)
}

/// Launches once, and waits for a child that runs.
fn launch<B: Backend<Sys = Failing<Kernel>>>(
    backend: &B,
    launcher: &dyn Launcher,
    plan: &Plan<'_>,
) -> Result<SpawnMethod, LaunchError> {
    let child = launcher.launch(plan)?;
    Ok(wait_for(backend, &child).method)
}

/// The error of each method without a fallback.
fn errors(plan: &Plan<'_>) -> [Option<LaunchError>; 2] {
    let (backend, launcher) = plain();
    errors_over(backend, launcher, plan)
}

fn errors_over<B: SpawnBackend + Backend<Sys = Failing<Kernel>>>(
    backend: &B,
    launcher: &SpawnLauncher<'_, B>,
    plan: &Plan<'_>,
) -> [Option<LaunchError>; 2] {
    METHODS.map(|method| launch(backend, &OneMethod::new(launcher, method), plan).err())
}

/// The file of a descriptor.
fn open(path: &Path) -> OwnedFd {
    File::open(path).expect("it is there").into()
}

fn c_string(path: &Path) -> &'static CStr {
    Box::leak(CString::new(path.as_os_str().as_bytes()).expect("a path has no NUL").into_boxed_c_str())
}

/// The parts of a report that do not differ between two children of one plan. glibc ignores a signal that it reserves, above 31,
/// in a child of posix_spawn(2).
#[derive(Debug, PartialEq)]
struct Inherited {
    facts: BTreeMap<Fd, FdFacts>,
    leads_group: bool,
    leads_session: bool,
    seen: Seen,
}

impl Inherited {
    fn of(seen: Seen) -> Self {
        let facts = seen.facts.iter().filter(|(fd, _)| **fd != 1).map(|(fd, facts)| (*fd, *facts)).collect();
        let (leads_group, leads_session) = (seen.pgid == seen.pid, seen.sid == seen.pid);
        let pgid = if leads_group { 0 } else { seen.pgid };
        let sid = if leads_session { 0 } else { seen.sid };
        let ignored = seen.ignored.iter().copied().filter(|&signal| signal < 32).collect();
        Self {
            facts,
            leads_group,
            leads_session,
            seen: Seen { pid: 0, pgid, sid, ignored, facts: BTreeMap::new(), ..seen },
        }
    }
}

/// Starts the probe by each method. Its report goes to descriptor 1.
fn reports(plan: &Plan<'_>, moves: &[Move]) -> [Inherited; 2] {
    let (backend, launcher) = plain();
    reports_over(backend, launcher, plan, moves)
}

fn reports_over<B: SpawnBackend + Backend<Sys = Failing<Kernel>>>(
    backend: &B,
    launcher: &SpawnLauncher<'_, B>,
    plan: &Plan<'_>,
    moves: &[Move],
) -> [Inherited; 2] {
    METHODS.map(|method| {
        let (mut reader, writer) = io::pipe().expect("a pipe can be made");
        let writer = OwnedFd::from(writer);
        let report = [Move::copy(writer.as_raw_fd(), 1), Move::ClearCloexec(0), Move::ClearCloexec(2)];
        let moves: Vec<Move> = moves.iter().copied().chain(report).collect();
        let plan = Plan { moves: &moves, ..*plan };
        let one = OneMethod::new(launcher, method);
        let (ran, text) = launch_reporting(backend, &one, &plan, writer, &mut reader).expect("it starts");
        assert_eq!(ran.method, method);
        Inherited::of(Seen::parse(&text))
    })
}

#[test]
fn real_child_is_as_a_forked_one() {
    isolated(|| {
        let directory = TempDir::new().expect("a directory can be made");
        let files = ["a", "b", "c", "d"].map(|name| {
            let path = directory.path().join(name);
            fs::write(&path, name).expect("it can be written");
            open(&path)
        });
        let [a, b, c, d] = files.each_ref().map(AsRawFd::as_raw_fd);
        let mut keep = vec![a, b, c, d, 90];
        keep.sort_unstable();
        // A ring, a copy, a descriptor that stays, and one that is mapped onto itself.
        let moves =
            [Move::save(a), Move::copy(b, a), Move::RestoreTemp(b), Move::copy(c, 90), Move::copy(d, d)];
        let plan = Plan {
            keep: KeepList::new(&keep).expect("it is sorted"),
            inherit: &[c],
            reset: SignalSet::EMPTY.with(libc::SIGPIPE),
            mask: Mask::Set(SignalSet::EMPTY.with(libc::SIGUSR2)),
            process_group: Some(0),
            directory: Some(WorkingDirectory::Path(c_string(directory.path()))),
            ..plan_of(c"report")
        };
        let [spawned, forked] = reports(&plan, &moves);
        let mut fds = keep.clone();
        fds.extend([0, 1, 2]);
        fds.sort_unstable();
        assert_eq!(spawned.seen.fds, fds);
        assert!(spawned.leads_group && !spawned.leads_session);
        // The runtime of the test ignores SIGPIPE.
        assert_eq!((&spawned.seen.blocked[..], &spawned.seen.ignored[..]), (&[libc::SIGUSR2][..], &[][..]));
        assert_eq!(spawned.seen.cwd.as_deref(), directory.path().canonicalize().ok().as_deref());
        assert_eq!(spawned, forked);
    });
}

#[rstest]
#[case::session(Plan { session: true, ..plan_of(c"report") })]
#[case::own_group(Plan { process_group: Some(0), ..plan_of(c"report") })]
#[case::mask_of_the_parent(Plan { mask: Mask::Inherit, ..plan_of(c"report") })]
#[case::nothing_closed(Plan { close: None, ..plan_of(c"report") })]
fn real_setting_has_the_effect_that_it_has_after_fork(#[case] plan: Plan<'static>) {
    isolated(move || {
        // SAFETY: changes the mask of this thread, in a process of the test.
        let kernel = unsafe { Kernel::new() };
        kernel.set_mask(SignalSet::EMPTY.with(libc::SIGUSR1)).expect("it is a mask");
        let [spawned, forked] = reports(&plan, &[]);
        kernel.set_mask(SignalSet::EMPTY).expect("it is a mask");
        assert_eq!((spawned.leads_session, &spawned.seen.ignored[..]), (plan.session, &[libc::SIGPIPE][..]));
        assert_eq!(spawned.seen.blocked.contains(&libc::SIGUSR1), plan.mask == Mask::Inherit);
        assert_eq!(spawned, forked);
    });
}

#[test]
fn open_directory_is_entered() {
    isolated(|| {
        let directory = TempDir::new().expect("a directory can be made");
        let opened = open(directory.path());
        let early_directory = Some(WorkingDirectory::Fd(opened.as_raw_fd()));
        let [spawned, forked] = reports(&Plan { early_directory, ..plan_of(c"report") }, &[]);
        assert_eq!(spawned.seen.cwd.as_deref(), directory.path().canonicalize().ok().as_deref());
        assert_eq!(spawned, forked);
    });
}

/// A directory with programs that cannot run.
fn programs() -> TempDir {
    let directory = TempDir::new().expect("a directory can be made");
    let write = |name: &str, text: &str, mode| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("it can be written");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    write("denied", "", 0o644);
    write("script", "exit 0", 0o755);
    write("without", "#!/no/such/interpreter\n", 0o755);
    directory
}

/// The candidates of one start, and the argument that makes the probe end at once.
fn searching(directory: &Path, names: &[&str]) -> Plan<'static> {
    let candidates: Vec<&CStr> = names.iter().map(|name| c_string(&directory.join(name))).collect();
    Plan::new(Exec { candidates: candidates.leak(), ..plan().exec })
}

#[rstest]
#[case::missing(&["missing"], Errno::NOENT, 0)]
#[case::all_missing(&["missing", "absent"], Errno::NOENT, 1)]
#[case::below_a_file(&["missing", "denied/prog"], Errno::NOTDIR, 1)]
#[case::denied_before_missing(&["denied", "missing"], Errno::ACCES, 0)]
#[case::denied_after_missing(&["missing", "denied"], Errno::ACCES, 1)]
#[case::directory(&["."], Errno::ACCES, 0)]
#[case::no_program(&["script", "denied"], Errno::NOEXEC, 0)]
#[case::without_its_interpreter(&["missing", "without"], Errno::NOENT, 1)]
#[case::none(&[], Errno::NOENT, 0)]
fn error_of_real_candidates_is_that_of_a_forked_child(
    #[case] names: &'static [&'static str],
    #[case] errno: Errno,
    #[case] operand: i32,
) {
    isolated(move || {
        let directory = programs();
        let error = LaunchError::Child(Report { stage: Stage::Exec, errno, operand });
        assert_eq!(errors(&searching(directory.path(), names)), [Some(error); 2]);
    });
}

#[test]
fn real_script_runs_through_the_shell() {
    isolated(|| {
        let directory = programs();
        let script = c_string(&directory.path().join("script"));
        let argv = Box::leak(Box::new([Some(ThinCStr::from(c"sh")), Some(script.into()), None]));
        let argv = CStrArray::new(argv).expect("it ends with a null");
        let shell = Some(ShellFallback { shell: c"/bin/sh", argvs: &[argv] });
        let candidates = [script];
        let plan = Plan::new(Exec { candidates: &candidates, shell, ..plan().exec });
        assert_eq!(errors(&plan), [None; 2]);
    });
}

/// A number that is not open.
const CLOSED: Fd = 93;

#[rstest]
#[case::kept(Plan { keep: KeepList::new(&[CLOSED]).expect("it is sorted"), inherit: &[CLOSED], ..plan() }, Stage::KeepFds, Errno::BADF, CLOSED)]
#[case::source(Plan { moves: vec![Move::copy(CLOSED, 0)].leak(), ..plan() }, Stage::DupFds, Errno::BADF, CLOSED)]
#[case::directory(Plan { early_directory: Some(WorkingDirectory::Fd(CLOSED)), ..plan() }, Stage::EarlyChdir, Errno::BADF, CLOSED)]
#[case::missing_path(Plan { directory: Some(WorkingDirectory::Path(c"/no/such")), ..plan() }, Stage::Chdir, Errno::NOENT, 0)]
#[case::file(Plan { directory: Some(WorkingDirectory::Path(c"/proc/version")), ..plan() }, Stage::Chdir, Errno::NOTDIR, 0)]
fn real_failure_has_the_stage_of_a_forked_child(
    #[case] plan: Plan<'static>,
    #[case] stage: Stage,
    #[case] errno: Errno,
    #[case] operand: i32,
) {
    isolated(move || {
        let error = LaunchError::Child(Report { stage, errno, operand });
        assert_eq!(errors(&plan), [Some(error); 2]);
    });
}

/// A plan whose process group does not exist. The call fails with an errno that several stages have.
fn joining_no_group() -> Plan<'static> {
    Plan { process_group: Some(i32::MAX), ..plan() }
}

#[test]
fn unknown_stage_is_found_by_a_forked_child_if_fork_is_allowed() {
    isolated(|| {
        let (backend, launcher) = plain();
        assert_eq!(
            launcher.launch_fast(&joining_no_group()).map(drop),
            Err(LaunchError::StageUnknown(Errno::PERM))
        );
        let report = Report { stage: Stage::ProcessGroup, errno: Errno::PERM, operand: 0 };
        assert_eq!(launch(backend, launcher, &joining_no_group()), Err(LaunchError::Child(report)));
        // EPERM was about this plan alone.
        assert_eq!((launcher.method(), launcher.fallback_reason()), (SpawnMethod::PosixSpawn, None));
        assert_eq!(launch(backend, launcher, &plan()), Ok(SpawnMethod::PosixSpawn));
    });
}

#[rstest]
#[case::closure(FallbackReason::Closure)]
#[case::umask(FallbackReason::Inexpressible(Stage::Umask))]
fn plan_that_is_not_expressed_is_forked(#[case] reason: FallbackReason) {
    isolated(move || {
        let (backend, launcher) = plain();
        let hook = || Ok(());
        let plan = match reason {
            FallbackReason::Closure => Plan { hook: Some(as_hook(&hook)), ..plan() },
            _ => Plan { umask: Some(0o22), ..plan() },
        };
        assert_eq!(launcher.launch_fast(&plan).map(drop), Err(LaunchError::ForkRequired(reason)));
        assert_eq!(launch(backend, launcher, &plan), Ok(SpawnMethod::Fork));
        assert_eq!((launcher.method(), launcher.fallback_reason()), (SpawnMethod::PosixSpawn, None));
    });
}

#[rstest]
#[case::sandbox(Errno::PERM, LaunchError::StageUnknown(Errno::PERM))]
#[case::no_such_call(Errno::NOSYS, LaunchError::ForkRequired(FallbackReason::Refused(Errno::NOSYS)))]
fn refusal_for_good_is_remembered_once_fork_works(#[case] errno: Errno, #[case] error: LaunchError) {
    isolated(move || {
        let (backend, launcher) = over(|kernel| kernel.denying(&["spawn_child"], errno));
        let fast = || launcher.launch_fast(&plan()).map(drop);
        assert_eq!((fast(), fast()), (Err(error), Err(error)));
        assert_eq!(launcher.method(), SpawnMethod::PosixSpawn);
        assert_eq!(launch(backend, launcher, &plan()), Ok(SpawnMethod::Fork));
        let reason = FallbackReason::Refused(errno);
        assert_eq!((launcher.method(), launcher.fallback_reason()), (SpawnMethod::Fork, Some(reason)));
        assert_eq!(fast(), Err(LaunchError::ForkRequired(reason)));
        let asked = backend.sys().denials();
        assert_eq!(launch(backend, launcher, &plan()), Ok(SpawnMethod::Fork));
        assert_eq!(backend.sys().denials(), asked, "it is not asked again");
    });
}

#[rstest]
fn other_refusals_concern_one_launch(
    #[values(Errno::INVAL, Errno::NOMEM, Errno::INTR, Errno::IO)] errno: Errno,
) {
    isolated(move || {
        let fault = Fault { side: Side::Parent, name: Some("spawn_child"), index: 0, errno };
        // SAFETY: as in `over`.
        let (backend, launcher) =
            over(|_| Failing::parent(unsafe { Kernel::new() }, fault).pretending_limit(Some(1_024)));
        assert_eq!(launch(backend, launcher, &plan()), Ok(SpawnMethod::Fork));
        assert_eq!((launcher.method(), launcher.fallback_reason()), (SpawnMethod::PosixSpawn, None));
        assert_eq!(launch(backend, launcher, &plan()), Ok(SpawnMethod::PosixSpawn));
    });
}

/// Too many processes: fork(2) would fail, too.
#[test]
fn full_process_table_is_no_reason_to_fork() {
    isolated(|| {
        let (backend, launcher) = over(|kernel| kernel.denying(&["spawn_child"], Errno::AGAIN));
        let error = LaunchError::Parent { stage: Stage::Start, errno: Errno::AGAIN };
        assert_eq!(launch(backend, launcher, &plan()), Err(error));
    });
}

/// Each call of the parent fails once with each errno. A fallback to fork(2) makes more calls.
///
/// Faults: E15
#[test]
fn call_that_fails_once_around_posix_spawn_leaks_nothing() {
    const CALLS: [&str; 7] =
        ["signal_mask", "spawn", "inherit", "add_dup2", "add_close", "spawn_child", "is_cloexec"];
    isolated(|| {
        let file = open(Path::new("/dev/null"));
        let fd = file.as_raw_fd();
        let keep = [fd];
        let plan = Plan {
            keep: KeepList::new(&keep).expect("it is sorted"),
            inherit: &keep,
            moves: &[Move::copy(fd, 0), Move::Close(0), Move::copy(fd, 0)],
            ..plan()
        };
        let before = Snapshot::take();
        for errno in [Errno::PERM, Errno::INVAL, Errno::NOMEM, Errno::BADF, Errno::NOSYS, Errno::IO] {
            for name in CALLS {
                let fault = Fault { side: Side::Parent, name: Some(name), index: 0, errno };
                // SAFETY: as in `over`.
                let (backend, launcher) =
                    over(|_| Failing::parent(unsafe { Kernel::new() }, fault).pretending_limit(Some(1_024)));
                let started = launch(backend, launcher, &plan);
                assert_eq!(backend.sys().failed(), Some(name));
                assert!(started.is_ok(), "{name} {errno}: {started:?}");
                assert_eq!(before.differences(&Snapshot::take()), [""; 0], "{name} {errno}");
            }
        }
    });
}
