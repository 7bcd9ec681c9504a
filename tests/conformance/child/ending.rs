//! Exit statuses, and the errors if a status is lost.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr;

use forkexec::{Child, Command, Errno, Error, Stdio};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;
use rstest::rstest;

use crate::ground::{check, is_emulated, is_privileged};
use crate::held::Acting;
use crate::start::{failure, probe, words};

/// Faults: W11
#[rstest]
#[case::zero(&["exit", "0"], Some(0), None)]
#[case::one(&["exit", "1"], Some(1), None)]
#[case::code_of_a_failed_child(&["exit", "255"], Some(255), None)]
#[case::killed(&["kill", "9"], None, Some(9))]
#[case::terminated(&["kill", "15"], None, Some(15))]
#[case::by_the_highest_signal(&["kill", "64"], None, Some(64))]
fn exit_status_is_a_code_or_a_signal(
    #[case] args: &[&str],
    #[case] code: Option<i32>,
    #[case] signal: Option<i32>,
) {
    isolated(|| {
        if signal == Some(64) && is_emulated("keeps signal 64 for itself") {
            return;
        }
        let status = probe(args).status().expect("it can be started");
        assert_eq!((status.code(), status.signal()), (code, signal));
    });
}

/// Faults: W3
#[test]
fn second_wait_returns_the_same_status() {
    isolated(|| {
        let mut child = probe(&["exit", "3"]).spawn().expect("it can be started");
        let waits = [(); 3].map(|()| child.wait().ok().and_then(|status| status.code()));
        let tried = child.try_wait().ok().flatten().and_then(|status| status.code());
        assert_eq!((waits, tried), ([Some(3); 3], Some(3)));
    });
}

#[test]
fn try_wait_returns_none_until_the_child_ends() {
    isolated(|| {
        let mut child = sleeper();
        let before = child.try_wait().expect("it can be waited for");
        drop(child.stdin.take());
        await_end(&child);
        let after = child.try_wait().expect("it can be waited for");
        assert_eq!((before, after.and_then(|status| status.code())), (None, Some(0)));
    });
}

#[test]
fn wait_closes_stdin() {
    isolated(|| assert!(sleeper().wait().expect("it can be waited for").success()));
}

#[test]
fn child_can_be_killed() {
    isolated(|| {
        let mut child = sleeper();
        child.kill().expect("it is ours");
        assert_eq!(child.wait().expect("it can be waited for").signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn child_can_be_signalled() {
    isolated(|| {
        let mut child = sleeper();
        child.send_signal(libc::SIGTERM).expect("it is ours");
        assert_eq!(child.wait().expect("it can be waited for").signal(), Some(libc::SIGTERM));
    });
}

#[test]
fn ended_child_can_be_signalled_and_keeps_its_status() {
    isolated(|| {
        let mut child = probe(&["exit", "3"]).spawn().expect("it can be started");
        await_end(&child);
        child.kill().expect("a zombie takes signals");
        assert_eq!(child.wait().expect("it can be waited for").code(), Some(3));
    });
}

#[test]
fn invalid_signal_is_an_error() {
    isolated(|| {
        let mut child = sleeper();
        let error = child.send_signal(65).expect_err("there is no such signal");
        child.wait().expect("it can be waited for");
        assert_eq!(error.to_string(), format!("cannot signal the child: {}", words(Errno::INVAL)));
    });
}

/// Faults: W1
#[test]
fn no_signal_is_sent_after_wait() {
    isolated(|| {
        let mut child = probe(&["true"]).spawn().expect("it can be started");
        child.wait().expect("it can be waited for");
        let Some(mut stranger) = stranger_with(child.id()) else { return };
        let sent = child.kill();
        let status = stranger.wait().expect("it can be waited for");
        assert!(sent.is_ok() && status.success(), "{sent:?}, {status}");
    });
}

/// Faults: W1
#[test]
fn no_signal_is_sent_after_the_status_was_lost() {
    isolated(|| {
        let mut child = probe(&["true"]).spawn().expect("it can be started");
        take_status(&child);
        let lost = child.wait();
        let Some(mut stranger) = stranger_with(child.id()) else { return };
        let answers = [lost.map(drop), child.kill(), child.try_wait().map(drop), child.wait().map(drop)];
        let status = stranger.wait().expect("it can be waited for");
        let are_lost = answers.iter().all(|answer| matches!(answer, Err(Error::StatusLost { .. })));
        assert!(are_lost && status.success(), "{answers:?}, {status}");
    });
}

/// Faults: W2
#[test]
fn status_taken_by_other_code_is_lost_and_not_zero() {
    isolated(|| {
        let mut child = probe(&["exit", "3"]).spawn().expect("it can be started");
        take_status(&child);
        let text = format!(
            "cannot get the status of child {}: other code reaped it, or SIGCHLD is ignored",
            child.id()
        );
        assert_eq!(child.wait().expect_err("it is lost").to_string(), text);
    });
}

/// Faults: W2
#[test]
fn status_taken_by_other_code_is_lost_to_try_wait() {
    isolated(|| {
        let mut child = probe(&["exit", "3"]).spawn().expect("it can be started");
        take_status(&child);
        assert!(matches!(child.try_wait(), Err(Error::StatusLost { .. })));
    });
}

/// Faults: S3
#[rstest]
#[case::ignored(libc::SIG_IGN, 0)]
#[case::without_zombies(libc::SIG_DFL, libc::SA_NOCLDWAIT)]
fn status_with_sa_nocldwait_is_lost_and_not_zero(#[case] action: usize, #[case] flags: i32) {
    isolated(|| {
        if flags != 0 && is_emulated("does not tell the kernel to leave no zombies") {
            return;
        }
        let _acting = Acting::with_flags(libc::SIGCHLD, action, flags);
        let answer = probe(&["exit", "3"]).status();
        assert!(matches!(answer, Err(Error::StatusLost { .. })), "{answer:?}");
    });
}

/// Faults: S3
#[test]
fn missing_program_is_reported_with_ignored_sigchld() {
    isolated(|| {
        let _acting = Acting::new(libc::SIGCHLD, libc::SIG_IGN);
        assert_eq!(failure(&mut Command::new("/no/such/program")).errno(), Errno::NOENT);
    });
}

/// Faults: S3
#[test]
fn death_before_exec_is_reported_with_ignored_sigchld() {
    isolated(|| {
        let _acting = Acting::new(libc::SIGCHLD, libc::SIG_IGN);
        let mut command = probe(&["true"]);
        // SAFETY: ends the child.
        let exit = || unsafe { libc::_exit(0) };
        // SAFETY: _exit is async-signal-safe.
        unsafe { command.pre_exec(exit) };
        let text = "cannot start the child: it ended before exec, at stage pre-exec (unknown status)";
        assert_eq!(command.spawn().expect_err("it dies").to_string(), text);
    });
}

/// A child that ends with its input.
fn sleeper() -> Child {
    probe(&["sleep-on-stdin"]).stdin(Stdio::piped()).spawn().expect("it can be started")
}

/// Waits for the end of a child, and leaves its status.
fn await_end(child: &Child) {
    let options = libc::WEXITED | libc::WNOWAIT;
    // SAFETY: no result is requested.
    check(unsafe { libc::waitid(libc::P_PID, child.id(), ptr::null_mut(), options) });
}

/// Reaps a child behind the library's back.
fn take_status(child: &Child) -> ExitStatus {
    world::wait_for(child.id().cast_signed())
}

/// Starts another child with the PID of one that is gone. Skips the test if that fails.
fn stranger_with(id: u32) -> Option<Child> {
    if !is_privileged() {
        return None;
    }
    for _ in 0..100 {
        if let Err(error) = set_last_pid(id - 1) {
            skip(&format!("process ids cannot be chosen: {error}"));
            return None;
        }
        let mut child = sleeper();
        if child.id() == id {
            return Some(child);
        }
        child.wait().expect("its input ends");
    }
    skip("other processes took all numbers");
    None
}

fn set_last_pid(id: u32) -> io::Result<()> {
    fs::write("/proc/sys/kernel/ns_last_pid", id.to_string())
}
