//! A number that is another process's by now: in a pid namespace of the test's own, where numbers are few.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, ExitStatus};
use std::ptr;
use std::time::Duration;

use forkexec::{Child, Command, Coverage, Error, OnDrop, Stdio, reap_dropped, wait_any};
use forkexec_tests::isolate::skip;
use rstest::rstest;

use crate::few_numbers::with_few_numbers;
use crate::ground::check;

/// Takes the status of a child as other code does that waits for all children.
fn take_status(pid: u32) {
    // SAFETY: the process is the test's own, and was not waited for.
    check(unsafe { libc::kill(pid.cast_signed(), libc::SIGTERM) });
    // SAFETY: nothing is written.
    check(unsafe { libc::waitpid(pid.cast_signed(), ptr::null_mut(), 0) });
}

/// Starts other processes until one has this PID.
fn stranger_with(pid: u32) -> process::Child {
    for _ in 0..40_000 {
        let mut stranger = process::Command::new("sleep").arg("600").spawn().expect("it starts");
        if stranger.id() == pid {
            return stranger;
        }
        stranger.kill().expect("it is ours");
        stranger.wait().expect("it is ours");
    }
    panic!("number {pid} did not come round");
}

fn runs(stranger: &mut process::Child) -> bool {
    stranger.try_wait().expect("it is ours").is_none()
}

/// Nothing else ended it before.
fn end(mut stranger: process::Child) {
    stranger.kill().expect("it is ours");
    assert_eq!(stranger.wait().expect("it is ours").signal(), Some(libc::SIGKILL));
}

/// Faults: W1
#[test]
fn std_kills_another_process_with_a_reused_pid() {
    with_few_numbers(|| {
        #[expect(clippy::zombie_processes, reason = "other code waits for it, which is the point")]
        let mut child = process::Command::new("sleep").arg("600").spawn().expect("it starts");
        take_status(child.id());
        let mut stranger = stranger_with(child.id());
        child.kill().expect("std does not know better");
        assert_eq!(stranger.wait().expect("it is ours").signal(), Some(libc::SIGKILL));
    });
}

/// No operation on the child signals the other process.
///
/// Faults: W1
#[rstest]
#[case::kill(|child: Child| drop(child.kill()))]
#[case::signal(|child: Child| drop(child.send_signal(libc::SIGTERM)))]
#[case::terminate(|mut child: Child| drop(child.terminate_then_kill(Duration::ZERO)))]
#[case::drop(|child: Child| drop(child))]
#[case::kill_tree(|mut child: Child| {
    assert_eq!(child.kill_tree().expect("no process is left").coverage(), Coverage::Nothing);
})]
#[case::terminate_tree(|mut child: Child| drop(child.terminate_tree_then_kill(Duration::ZERO)))]
#[case::communicate(|child: Child| drop(child.communicate(b"nobody reads this")))]
fn no_signal_reaches_another_process_with_a_reused_pid(#[case] end_it: fn(Child)) {
    with_few_numbers(|| {
        let mut command = Command::new("sleep");
        command.arg("600").process_group(0).on_drop(OnDrop::KillAndWait);
        let child = command.spawn().expect("it starts");
        let is_known = child.pidfd().is_some();
        take_status(child.id());
        if !is_known {
            return skip("a child has no descriptor here");
        }
        let mut stranger = stranger_with(child.id());
        end_it(child);
        assert!(runs(&mut stranger));
        end(stranger);
    });
}

/// A signaler of a child that was reaped, without a pidfd: it does not signal the other process either.
///
/// Faults: W1
#[rstest]
#[case::waited_for(|mut child: Child| assert!(!child.wait().expect("it was killed").success()))]
#[case::dropped(|child: Child| {
    drop(child);
    while reap_dropped() > 0 {}
})]
fn signaler_of_a_reaped_child_signals_no_other_process(
    #[case] reap: fn(Child),
    #[values(OnDrop::Leave, OnDrop::KillAndWait)] policy: OnDrop,
    #[values(true, false)] pidfd: bool,
) {
    with_few_numbers(|| {
        let mut command = Command::new("sleep");
        let mut child = command.arg("600").on_drop(policy).create_pidfd(pidfd).spawn().expect("it starts");
        let (signaler, pid) = (child.signaler(), child.id());
        signaler.kill().expect("it is ours");
        reap(child);
        let mut stranger = stranger_with(pid);
        signaler.kill().expect("a signal to a reaped child is no error");
        signaler.clone().send_signal(libc::SIGTERM).expect("a signal to a reaped child is no error");
        assert!(runs(&mut stranger));
        end(stranger);
    });
}

/// Other code may reap an abandoned child at any time, so its pid gets no signal.
///
/// Faults: W1
#[test]
fn signaler_of_an_abandoned_child_signals_no_other_process() {
    with_few_numbers(|| {
        let mut command = Command::new("sleep");
        command.arg("600").on_drop(OnDrop::Abandon).create_pidfd(false);
        let mut child = command.spawn().expect("it starts");
        let (signaler, pid) = (child.signaler(), child.id());
        drop(child);
        assert!(matches!(signaler.kill(), Err(Error::StatusLost { .. })));
        take_status(pid);
        let mut stranger = stranger_with(pid);
        signaler.kill().expect_err("the child may be reaped");
        assert!(runs(&mut stranger));
        end(stranger);
    });
}

/// The child has no pidfd, so that only the library knows that it was waited for.
///
/// Faults: W1
#[rstest]
#[case::signal(|child: &mut Child, _| {
    child.signaler().send_signal(libc::SIGTERM).expect("a signal to a reaped child is no error");
})]
#[case::wait_any(|child: &mut Child, status| {
    assert_eq!(wait_any([child], Some(Duration::ZERO)).expect("it is known"), Some((0, status)));
})]
fn child_that_was_waited_for_has_no_number(#[case] use_it: fn(&mut Child, ExitStatus)) {
    with_few_numbers(|| {
        let mut child = Command::new("sleep").arg("600").create_pidfd(false).spawn().expect("it starts");
        child.kill().expect("it is ours");
        let status = child.wait().expect("it was killed");
        let mut stranger = stranger_with(child.id());
        use_it(&mut child, status);
        assert!(runs(&mut stranger));
        end(stranger);
    });
}

/// Faults: W1
#[test]
fn tree_kill_after_a_lost_status_signals_no_other_process() {
    with_few_numbers(|| {
        let mut child = Command::new("sleep").arg("600").create_pidfd(false).spawn().expect("it starts");
        child.kill_tree().expect("it is ours");
        take_status(child.id());
        child.wait().expect_err("other code took the status");
        let mut stranger = stranger_with(child.id());
        assert_eq!(child.kill_tree().expect("no process is left").coverage(), Coverage::Nothing);
        assert!(runs(&mut stranger));
        end(stranger);
    });
}

/// The kernel knows that the other process is no child.
///
/// Faults: W1
#[rstest]
#[case::kill_tree(|child: &mut Child| drop(child.kill_tree()))]
#[case::terminate_tree(|child: &mut Child| drop(child.terminate_tree_then_kill(Duration::ZERO)))]
fn no_signal_reaches_a_process_that_is_no_child(#[case] end_it: fn(&mut Child)) {
    const SCRIPT: &str =
        "while sleep 600 & [ $! -ne $0 ]; do kill $!; wait $!; done 2>&-; echo; wait $!; exit 3";
    with_few_numbers(|| {
        let mut child = Command::new("sleep").arg("600").create_pidfd(false).spawn().expect("it starts");
        take_status(child.id());
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, &child.id().to_string()]).stdout(Stdio::piped());
        let mut parent = command.process_group(0).spawn().expect("it starts");
        let mut stdout = parent.stdout.take().expect("it is piped");
        stdout.read_exact(&mut [0]).expect("the number came round");
        end_it(&mut child);
        // The shell would end with the other process.
        assert_eq!(parent.wait_timeout(Duration::from_millis(50)).expect("it is ours"), None);
        parent.kill_tree().expect("they are ours");
        parent.wait().expect("it was killed");
        // The other process fell to this one.
        // SAFETY: nothing is written.
        while unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } > 0 {}
    });
}
