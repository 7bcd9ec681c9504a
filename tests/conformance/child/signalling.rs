//! Signals of other threads while one thread waits for the child.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use forkexec::{Child, Command, Error, Pipeline, Signaler, Stdio, reap_dropped};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use rstest::rstest;

use crate::ground::check;
use crate::start::probe;

const LONG: Duration = Duration::from_mins(1);

fn sleeping(pidfd: bool) -> Child {
    Command::new("sleep").arg("600").create_pidfd(pidfd).spawn().expect("it starts")
}

/// Signals from another thread, after this one has probably begun to wait.
fn killed_soon(signaler: Signaler) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        signaler.kill().expect("it is ours");
    })
}

const KILLED: Option<i32> = Some(libc::SIGKILL);

/// Faults: W20
#[rstest]
#[case::wait(|child: &mut Child| child.wait().expect("it is ours"))]
#[case::wait_usage(|child: &mut Child| {
    child.wait_usage().map_or_else(|_| child.wait().expect("it is ours"), |(status, _)| status)
})]
#[case::wait_timeout(|child: &mut Child| child.wait_timeout(LONG).expect("it is ours").expect("it was killed"))]
#[case::wait_change(|child: &mut Child| {
    assert!(matches!(child.wait_change(), Ok(forkexec::ChildChange::Exited(_))));
    child.wait().expect("it is ours")
})]
#[case::wait_any(|child: &mut Child| forkexec::wait_any([child], None).expect("it is ours").expect("it was killed").1)]
#[case::communicate(|child: &mut Child| {
    child.communicator().run().expect("it is ours").status.expect("it was killed")
})]
fn another_thread_kills_a_child_that_is_waited_for(
    #[case] wait: fn(&mut Child) -> ExitStatus,
    #[values(true, false)] pidfd: bool,
) {
    isolated(|| {
        let mut child = sleeping(pidfd);
        let killer = killed_soon(child.signaler());
        assert_eq!(wait(&mut child).signal(), KILLED);
        killer.join().expect("it does not panic");
        assert_eq!(child.wait().expect("the status is known").signal(), KILLED);
    });
}

#[test]
fn another_thread_kills_a_pipeline_that_is_waited_for() {
    isolated(|| {
        let sleep = || {
            let mut command = Command::new("sleep");
            command.arg("600");
            command
        };
        let mut children = Pipeline::new(sleep()).pipe(sleep()).spawn().expect("they start");
        let killer = killed_soon(children.signaler());
        let status = children.wait().expect("they are ours");
        assert!(status.as_slice().iter().all(|status| status.signal() == KILLED));
        killer.join().expect("it does not panic");
    });
}

/// If pidfd_send_signal(2) is refused, signals go to the pid, and the lock keeps them apart from the wait.
#[test]
fn another_thread_kills_a_child_without_pidfd_send_signal() {
    isolated(|| {
        if !Deny::new().errno(libc::SYS_pidfd_send_signal, libc::ENOSYS).installed() {
            return;
        }
        let mut child = sleeping(true);
        let signaler = child.signaler();
        let killer = killed_soon(signaler.clone());
        assert_eq!(child.wait().expect("it is ours").signal(), KILLED);
        killer.join().expect("it does not panic");
        signaler.kill().expect("a signal to a reaped child is no error");
    });
}

#[rstest]
fn signaler_reaches_a_dropped_child(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let mut child = probe(&["sleep-on-stdin"]);
        let mut child = child
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .create_pidfd(pidfd)
            .spawn()
            .expect("it starts");
        let (signaler, stdin, stdout) = (child.signaler(), child.stdin.take(), child.stdout.take());
        drop(child);
        signaler.kill().expect("it is ours");
        assert_eq!(stdout.expect("it is piped").read_to_end(&mut Vec::new()).expect("it can be read"), 0);
        while reap_dropped() > 0 {
            thread::yield_now();
        }
        signaler.kill().expect("a signal to a reaped child is no error");
        drop(stdin);
    });
}

#[rstest]
fn signaler_made_after_the_wait_sends_nothing(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let mut child = sleeping(pidfd);
        child.kill().expect("it is ours");
        child.wait().expect("it was killed");
        child.signaler().kill().expect("a signal to a reaped child is no error");
    });
}

#[rstest]
fn signaler_reports_a_lost_status(#[values(true, false)] is_made_before: bool) {
    isolated(|| {
        let mut child = sleeping(false);
        let before = is_made_before.then(|| child.signaler());
        child.kill().expect("it is ours");
        // SAFETY: the process is the test's own, and nothing is written.
        check(unsafe { libc::waitpid(child.id().cast_signed(), std::ptr::null_mut(), 0) });
        child.wait().expect_err("other code took the status");
        let signaler = before.unwrap_or_else(|| child.signaler());
        assert!(matches!(signaler.kill(), Err(Error::StatusLost { .. })));
    });
}

#[test]
fn signaler_refuses_a_number_that_is_no_signal() {
    isolated(|| {
        let mut child = sleeping(true);
        let signaler = child.signaler();
        assert!(matches!(signaler.send_signal(12_345), Err(Error::Child { .. })));
        signaler.kill().expect("it is ours");
        child.wait().expect("it was killed");
    });
}

/// A group's leader stays a zombie after the wait, so that its pid is not reused, and a signal to it has no effect.
#[test]
fn signaler_of_a_kept_zombie_sends_nothing_after_its_drop() {
    isolated(|| {
        let mut command = Command::new("sleep");
        let mut child =
            command.arg("600").containment(forkexec::Containment::Group).spawn().expect("it starts");
        let signaler = child.signaler();
        signaler.kill().expect("it is ours");
        assert_eq!(child.wait().expect("it was killed").signal(), KILLED);
        signaler.kill().expect("a zombie takes it");
        drop(child);
        signaler.kill().expect("a signal to a reaped child is no error");
    });
}

/// Several threads wait for one child, and none of them takes the status.
#[rstest]
fn several_threads_see_the_end_of_one_child(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let mut child = sleeping(pidfd);
        assert!(!child.ends_within(Duration::from_millis(1)).expect("it can be waited for"));
        thread::scope(|scope| {
            let waits = [(); 4].map(|()| scope.spawn(|| child.ends_within(LONG)));
            thread::sleep(Duration::from_millis(20));
            child.kill().expect("it is ours");
            for wait in waits {
                assert!(wait.join().expect("it does not panic").expect("it can be waited for"));
            }
        });
        assert_eq!(child.wait().expect("it was killed").signal(), KILLED);
        assert!(child.ends_within(Duration::ZERO).expect("the status is known"));
    });
}
