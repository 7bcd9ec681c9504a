//! Calls that seccomp denies, and a missing or false `/proc`, through the public API.
//!
//! A filter cannot be removed, so each case has its own process, and tries all keep lists in it.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;

use rstest::rstest;

use forkexec::{CloseStrategy, Command, Error, SpawnMethod, SpawnPolicy, Stage};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::world;

/// The open descriptors besides the standard streams. All are inheritable.
const OPEN: [i32; 6] = [50, 60, 61, 500, 20, 21];

const KEEPS: [&[i32]; 4] = [&[], &[60], &[60, 61], &[20, 500]];

/// The names of what closes descriptors here, by the first strategy that is tried.
struct Closers {
    bulk: &'static str,
    list: &'static str,
}

impl Closers {
    /// Nothing is denied yet, so that nothing is learned that the test is to find out.
    fn look() -> Self {
        let closer = |link| {
            let mut command = Command::new(probe::path());
            let mut child = command.arg("true").close_strategy(link).spawn().expect("it starts");
            child.wait().expect("it ends");
            child.close_method().name()
        };
        Self { bulk: closer(CloseStrategy::Bulk), list: closer(CloseStrategy::Enumerate) }
    }

    fn has_bulk(&self) -> bool {
        self.bulk != self.list
    }

    /// Returns the name for the first strategy that is not denied.
    fn name(&self, link: CloseStrategy) -> &'static str {
        match link {
            CloseStrategy::Bulk if self.has_bulk() => self.bulk,
            CloseStrategy::Enumerate => self.list,
            _ => "loop",
        }
    }
}

/// Returns the method of a child while nothing is denied.
fn method() -> SpawnMethod {
    let mut child = probe::command(&["true"]).spawn().expect("it starts");
    child.wait().expect("it ends");
    child.method()
}

/// Starts the probe with each keep list. Returns what closed the others, and checks what the probe inherited.
fn closers_with_exactly_the_keeps(fds: &[OwnedFd]) -> Vec<&'static str> {
    KEEPS.map(|keep| closer_with_exactly(fds, keep)).into()
}

fn closer_with_exactly(fds: &[OwnedFd], keep: &[i32]) -> &'static str {
    let mut command = probe::command(&["report"]);
    command.stdout(forkexec::Stdio::piped());
    for fd in fds.iter().filter(|fd| keep.contains(&fd.as_raw_fd())) {
        command.keep_fd(fd);
    }
    let child = command.spawn().expect("what is denied has an answer");
    let closer = child.close_method().name();
    let output = child.wait_with_output().expect("the probe ends");
    let seen = Seen::of(&output.stdout);
    assert_eq!(seen.fds, [&[0, 1, 2], keep].concat());
    closer
}

/// The state of `/proc` during a test.
#[derive(Clone, Copy, Debug)]
enum Proc {
    True,
    Away,
    False,
}

impl Proc {
    fn put_in_place(self, directory: &std::path::Path) -> Result<(), String> {
        match self {
            Self::True => Ok(()),
            Self::Away => world::without_proc(),
            Self::False => world::false_proc(directory),
        }
    }
}

const BULK: libc::c_long = libc::SYS_close_range;
const LIST: libc::c_long = libc::SYS_getdents64;

#[rstest]
// Faults: F1
#[case::bulk_call(&[BULK], Proc::True, CloseStrategy::Enumerate)]
// Faults: F2
#[case::bulk_call_and_list(&[BULK, LIST], Proc::True, CloseStrategy::Loop)]
#[case::list_alone(&[LIST], Proc::True, CloseStrategy::Bulk)]
// Faults: F3
#[case::bulk_call_without_proc(&[BULK], Proc::Away, CloseStrategy::Loop)]
// Faults: F4
#[case::bulk_call_with_false_proc(&[BULK], Proc::False, CloseStrategy::Loop)]
// Faults: F4
#[case::both_with_false_proc(&[BULK, LIST], Proc::False, CloseStrategy::Loop)]
fn denied_call_is_reported_and_leaks_nothing(
    #[case] denied: &'static [libc::c_long],
    #[case] proc: Proc,
    #[case] left: CloseStrategy,
    #[values(libc::ENOSYS, libc::EPERM, libc::EACCES, libc::EINVAL)] errno: i32,
) {
    isolated(|| {
        let (fds, directory) =
            (world::open_at(&OPEN), tempfile::tempdir().expect("a temporary directory can be made"));
        let closers = Closers::look();
        if let Err(reason) = proc.put_in_place(directory.path()) {
            return skip(&reason);
        }
        let deny = denied.iter().fold(Deny::new(), |deny, &call| deny.errno(call, errno));
        deny.install().expect("a filter is taken");
        assert_eq!(closers_with_exactly_the_keeps(&fds), [closers.name(left); KEEPS.len()]);
    });
}

/// The same without any filter, from each link on.
#[rstest]
#[case::bulk(CloseStrategy::Bulk)]
#[case::list(CloseStrategy::Enumerate)]
#[case::every_number(CloseStrategy::Loop)]
fn child_has_exact_fds_with_any_first_close_strategy(#[case] link: CloseStrategy) {
    isolated(|| {
        let fds = world::open_at(&OPEN);
        let mut command = probe::command(&["report"]);
        command.keep_fd(&fds[1]).close_strategy(link);
        let output = command.output().expect("the probe runs");
        let seen = Seen::of(&output.stdout);
        assert_eq!(seen.fds, [0, 1, 2, 60]);
    });
}

/// Faults: F5
#[test]
fn existing_program_is_not_called_missing_without_proc() {
    isolated(|| {
        if let Err(reason) = world::without_proc() {
            return skip(&reason);
        }
        Deny::new().errno(libc::SYS_close_range, libc::EPERM).install().expect("a filter is taken");
        assert!(probe::command(&["true"]).status().expect("it is there").success());
        let error = Command::new("/no/such/program").spawn().expect_err("it is not there");
        assert_eq!(error.as_spawn().map(forkexec::SpawnError::stage), Some(Stage::Exec));
    });
}

/// Faults: E16
#[rstest]
fn refused_fork_is_reported_by_spawn(#[values(libc::EAGAIN, libc::ENOMEM, libc::EPERM)] errno: i32) {
    isolated(|| {
        Deny::new().starts(errno).install().expect("a filter is taken");
        let error = Command::new(probe::path()).spawn().expect_err("nothing can be started");
        let told = error.as_spawn().map(|error| (error.stage(), error.errno().raw()));
        assert_eq!(told, Some((Stage::Start, errno)));
    });
}

/// Faults: F6
#[test]
fn limit_below_open_descriptors_hides_none() {
    isolated(|| {
        let fds = world::open_at(&OPEN);
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        world::set_limit(libc::RLIMIT_NOFILE, 64, hard).expect("a limit can be lowered");
        let denied = Deny::new().errno(libc::SYS_close_range, libc::EPERM);
        denied.errno(libc::SYS_getdents64, libc::EPERM).install().expect("a filter is taken");
        assert_eq!(closer_with_exactly(&fds, &[60, 61]), "loop");
        world::set_limit(libc::RLIMIT_NOFILE, 64, 64).expect("a limit can be lowered");
        assert_eq!(closer_with_exactly(&fds, &[60, 61]), "loop");
    });
}

/// A call that only closes has a next link: the suite `trapped`.
///
/// Faults: F11
#[rstest]
#[case::directory(libc::SYS_chdir, Stage::Chdir)]
#[case::session(libc::SYS_setsid, Stage::Session)]
#[case::nice(libc::SYS_setpriority, Stage::Nice)]
fn child_killed_before_exec_is_reported_with_its_stage(#[case] call: libc::c_long, #[case] stage: Stage) {
    isolated(|| {
        Deny::new().kill(call).install().expect("a filter is taken");
        let spawned = probe::command(&["true"]).current_dir("/").setsid().nice(1).spawn();
        let Err(Error::Died { stage: told, status: Some(status) }) = spawned else {
            panic!("a child that was killed is {spawned:?}");
        };
        assert_eq!((told, status.signal()), (stage, Some(libc::SIGSYS)));
    });
}

/// The mark is written before the call that kills, and the pipe ends as it does at exec.
///
/// Faults: E9
#[test]
fn child_killed_in_execve_is_an_error() {
    isolated(|| {
        Deny::new().kill(libc::SYS_execve).install().expect("a filter is taken");
        let spawned = probe::command(&["true"]).spawn();
        if cfg!(forkexec_backend = "posix") {
            let status = spawned.expect("the floor cannot tell").wait().expect("it ends");
            return assert_eq!(status.signal(), Some(libc::SIGSYS));
        }
        let Err(Error::Died { stage: Stage::Exec, status: Some(status) }) = spawned else {
            panic!("a child that was killed is {spawned:?}");
        };
        assert_eq!(status.signal(), Some(libc::SIGSYS));
    });
}

/// Its process group cannot be asked about, because it is in another session: of a forked one `/proc` tells.
///
/// Faults: E9
#[rstest]
fn session_leader_killed_in_execve_is_an_error(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        if cfg!(forkexec_backend = "posix") {
            return skip("the floor cannot tell");
        }
        Deny::new().kill(libc::SYS_execve).install().expect("a filter is taken");
        for _ in 0..20 {
            let spawned = probe::command(&["true"]).spawn_policy(launch).setsid().spawn();
            let Err(Error::Died { stage: Stage::Exec, status: Some(status) }) = spawned else {
                panic!("a child that was killed is {spawned:?}");
            };
            assert_eq!(status.signal(), Some(libc::SIGSYS));
        }
    });
}

/// The termination signal of a child that shares memory shows its death to the backend of Linux. A forked child needs `/proc`
/// for that; without it, and over the floor, the status shows it.
///
/// Faults: E9
#[rstest]
fn death_in_execve_without_proc_shows_in_error_or_status(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
    #[values(false, true)] session: bool,
) {
    isolated(|| {
        if let Err(reason) = world::without_proc() {
            return skip(&reason);
        }
        let is_the_floor = cfg!(forkexec_backend = "posix");
        let is_error = launch == SpawnPolicy::Auto && method() != SpawnMethod::Fork && !is_the_floor;
        Deny::new().kill(libc::SYS_execve).install().expect("a filter is taken");
        let mut command = probe::command(&["true"]);
        command.spawn_policy(launch);
        if session {
            command.setsid();
        }
        let status = match (is_error, command.spawn()) {
            (true, Err(Error::Died { stage: Stage::Exec, status })) => status.expect("nobody else takes it"),
            (false, Ok(mut child)) => child.wait().expect("it ends"),
            (_, spawned) => panic!("a child that was killed is {spawned:?}"),
        };
        assert_eq!(status.signal(), Some(libc::SIGSYS));
    });
}
