//! Waiting with a limit, and ending by force.

use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use forkexec::{Child, Command, Error, SpawnPolicy};
use forkexec_tests::isolate::{isolated, skip};
use rstest::rstest;

use crate::ground::check;
use crate::held::Acting;

/// With a descriptor of the child where there are such, and without.
fn sleeping(pidfd: bool) -> Child {
    Command::new("sleep").arg("600").create_pidfd(pidfd).spawn().expect("it starts")
}

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_mins(1);

/// Faults: W8
#[rstest]
fn wait_timeout_returns_when_the_time_is_over(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let mut child = sleeping(pidfd);
        let began = Instant::now();
        assert_eq!(child.wait_timeout(SHORT).expect("it can be waited for"), None);
        assert!(began.elapsed() >= SHORT);
        child.kill().expect("it is ours");
        let status = child.wait_timeout(LONG).expect("it can be waited for");
        assert_eq!(status.and_then(|status| status.signal()), Some(libc::SIGKILL));
        assert_eq!(child.wait_timeout(SHORT).expect("the status is known"), status);
    });
}

/// Faults: W8
#[rstest]
fn wait_timeout_returns_at_once_when_the_child_ends(
    #[values(true, false)] pidfd: bool,
    #[values(Duration::from_mins(10), Duration::MAX)] limit: Duration,
) {
    isolated(|| {
        let mut child = Command::new("sleep").arg("0.05").create_pidfd(pidfd).spawn().expect("it starts");
        let began = Instant::now();
        assert_eq!(child.wait_timeout(limit).expect("it can be waited for"), Some(ExitStatus::from_raw(0)));
        assert!(began.elapsed() < LONG);
    });
}

#[rstest]
#[case::that_goes_by_itself("exec sleep 600", libc::SIGTERM)]
#[case::that_will_not_go("trap '' TERM; echo; while :; do sleep 1; done", libc::SIGKILL)]
fn child_is_terminated_then_killed(#[case] script: &str, #[case] signal: i32) {
    use std::io::Read as _;
    isolated(|| {
        let mut command = Command::new("sh");
        command.args(["-c", script]).process_group(0);
        let refuses = signal == libc::SIGKILL;
        if refuses {
            command.stdout(forkexec::Stdio::piped());
        }
        let mut child = command.spawn().expect("it starts");
        if let Some(stdout) = &mut child.stdout {
            stdout.read_exact(&mut [0]).expect("it says that it refuses");
        }
        let grace = if refuses { SHORT } else { LONG };
        let status = child.terminate_then_kill(grace).expect("it is ours");
        assert_eq!(status.signal(), Some(signal));
        // SAFETY: the shell's own child, if there is one, is in its group.
        unsafe { libc::kill(-i32::try_from(child.id()).expect("it is a pid"), libc::SIGKILL) };
    });
}

#[rstest]
fn wait_timeout_reports_a_lost_status(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let _acting = Acting::new(libc::SIGCHLD, libc::SIG_IGN);
        let mut child = sleeping(pidfd);
        assert_eq!(child.wait_timeout(SHORT).expect("it runs"), None);
        child.kill().expect("it is ours");
        let waited = child.wait_timeout(LONG);
        assert!(matches!(waited, Err(Error::StatusLost { .. })), "{waited:?}");
    });
}

/// Other code takes the status, so the PID can be reused: no signal is sent to it, and no wait is made for it.
#[rstest]
fn child_whose_status_was_taken_has_no_process(
    #[values(SpawnPolicy::Auto, SpawnPolicy::Fork)] launch: SpawnPolicy,
) {
    isolated(|| {
        let mut child = Command::new("true").spawn_policy(launch).spawn().expect("it starts");
        if child.pidfd().is_none() {
            child.wait().expect("it ends");
            return skip("a child has no descriptor here");
        }
        let pid = i32::try_from(child.id()).expect("it is a pid");
        // SAFETY: nothing is written.
        check(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) });
        child.send_signal(libc::SIGKILL).expect("it has ended, which is no error");
        let waited = child.wait();
        assert!(matches!(waited, Err(Error::StatusLost { .. })), "{waited:?}");
    });
}

/// A reactor makes a descriptor that it gets nonblocking (smol's `Async::new`). A wait by it then does not block
/// (`PIDFD_NONBLOCK` of pidfd_open(2)).
#[test]
fn child_with_a_nonblocking_pidfd_can_be_awaited() {
    isolated(|| {
        let mut child = Command::new("sleep").arg("0.1").spawn().expect("it starts");
        let Some(pidfd) = child.pidfd().map(|pidfd| pidfd.as_raw_fd()) else {
            child.wait().expect("it ends");
            return skip("a child has no descriptor here");
        };
        // SAFETY: the test owns the descriptor.
        check(unsafe { libc::fcntl(pidfd, libc::F_SETFL, libc::O_NONBLOCK) });
        assert_eq!(child.try_wait().expect("it runs"), None);
        assert!(child.wait().expect("it ends").success());

        let mut child = sleeping(true);
        let pidfd = child.pidfd().expect("there is one").as_raw_fd();
        // SAFETY: the test owns the descriptor.
        check(unsafe { libc::fcntl(pidfd, libc::F_SETFL, libc::O_NONBLOCK) });
        let status = child.terminate_then_kill(LONG).expect("it ends");
        assert_eq!(status.signal(), Some(libc::SIGTERM));
    });
}
