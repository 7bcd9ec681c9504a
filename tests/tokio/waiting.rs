//! Exit statuses, by the pidfd and by a thread that waits.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use forkexec::tokio::{Child, Command};
use forkexec::{Error, Stdio};
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::process::state;
use forkexec_tests::world;
use rstest::rstest;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::ground::{Threads, has_no_children, in_runtime, probe};

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(20);

/// A child that ends with its input.
fn sleeper(pidfd: bool) -> Child {
    let mut command = probe(&["sleep-on-stdin"]);
    let child = command.stdin(Stdio::piped()).create_pidfd(pidfd).spawn().expect("it starts");
    assert!(pidfd || child.exit_fd().is_none());
    child
}

#[rstest]
fn wait_closes_stdin_and_returns_the_status_repeatedly(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
) {
    in_runtime(threads, async move {
        let mut child = sleeper(pidfd);
        assert_eq!(child.try_wait().expect("it can be waited for"), None);
        assert_eq!(child.id(), Some(child.get_ref().id()));
        let number = |fd: Option<BorrowedFd<'_>>| fd.map(|fd| fd.as_raw_fd());
        assert_eq!(number(child.pidfd()), number(child.get_ref().pidfd()));
        child.stdin.as_mut().expect("it is piped").write_all(b"hello").await.expect("it is read");
        for _ in 0..3 {
            assert!(child.wait().await.expect("it ends").success());
            assert_eq!(child.id(), None, "its number may be another's");
        }
        assert_eq!(child.try_wait().expect("it has ended").and_then(|status| status.code()), Some(0));
    });
}

#[rstest]
fn cancelled_wait_can_be_resumed(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
) {
    in_runtime(threads, async move {
        let mut child = sleeper(pidfd);
        let stdin = child.stdin.take();
        for _ in 0..3 {
            assert!(timeout(SHORT, child.wait()).await.is_err());
        }
        drop(stdin);
        let status = timeout(LONG, child.wait()).await.expect("it has ended").expect("it can be waited for");
        assert!(status.success());
    });
}

#[rstest]
fn suspended_child_is_continued(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        if !forkexec::supports(forkexec::Operation::StartSuspended) {
            return skip("no child can be started suspended");
        }
        let mut child = Command::new("true").start_suspended(true).spawn().expect("it starts");
        assert!(timeout(SHORT, child.wait()).await.is_err(), "it is stopped");
        child.resume().expect("it is ours");
        assert!(child.wait().await.expect("it ends").success());
    });
}

/// Faults: W20
#[rstest]
fn another_task_kills_a_child_that_is_waited_for(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
) {
    in_runtime(threads, async move {
        let mut child = sleeper(pidfd);
        let (signaler, _stdin) = (child.signaler(), child.stdin.take());
        let killer = tokio::spawn(async move {
            tokio::time::sleep(SHORT).await;
            signaler.kill()
        });
        let status = timeout(LONG, child.wait()).await.expect("it was killed").expect("it is ours");
        assert_eq!(status.signal(), Some(libc::SIGKILL));
        killer.await.expect("it does not panic").expect("it is ours");
    });
}

/// A thread for each child would cost more than a descriptor.
#[rstest]
fn child_is_watched_by_its_descriptor_if_few_are_left(
    #[values(Threads::One, Threads::Many)] threads: Threads,
) {
    in_runtime(threads, async move {
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("it is known");
        world::set_limit(libc::RLIMIT_NOFILE, 256, hard).expect("it is lower");
        let _many = world::open_many(200);
        let has_descriptor = probe(&["true"]).spawn().expect("it starts").exit_fd().is_some();
        let blocking = |pidfd: Option<bool>| {
            let mut command = forkexec_tests::probe::command(&["true"]);
            if let Some(pidfd) = pidfd {
                command.create_pidfd(pidfd);
            }
            let mut child = command.spawn().expect("it starts");
            child.wait().expect("it ends");
            child.exit_fd().is_some()
        };
        // On a system without such descriptors, a thread waits for each child anyway.
        assert_eq!((has_descriptor, blocking(None)), (blocking(Some(true)), false));
        let mut child = probe(&["exit", "3"]).spawn().expect("it starts");
        assert_eq!(child.wait().await.expect("it ends").code(), Some(3));
    });
}

#[rstest]
fn child_is_signalled_and_killed(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
) {
    in_runtime(threads, async move {
        let mut child = sleeper(pidfd);
        let _stdin = child.stdin.take();
        child.send_signal(libc::SIGUSR1).expect("it is ours");
        assert_eq!(child.wait().await.expect("it ends").signal(), Some(libc::SIGUSR1));
        assert_eq!(child.kill().await.expect("it has ended").signal(), Some(libc::SIGUSR1));

        let mut child = sleeper(pidfd);
        assert_eq!(child.kill().await.expect("it ends").signal(), Some(libc::SIGKILL));
    });
}

#[rstest]
#[case::one_that_listens(&["-c", "exec sleep 600"], libc::SIGTERM)]
#[case::one_that_does_not(&["-c", "trap '' TERM; echo ready; while :; do sleep 600; done"], libc::SIGKILL)]
fn child_is_terminated_then_killed(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
    #[case] script: &'static [&'static str],
    #[case] signal: i32,
) {
    in_runtime(threads, async move {
        let mut command = Command::new("sh");
        command.args(script).stdout(Stdio::piped()).create_pidfd(pidfd);
        let mut child = command.spawn().expect("it starts");
        if signal == libc::SIGKILL {
            child.stdout.as_ref().expect("it is piped").readable().await.expect("it is ready");
        }
        let grace = if signal == libc::SIGKILL { SHORT } else { LONG };
        let status = child.terminate_then_kill(grace).await.expect("it ends");
        assert_eq!(status.signal(), Some(signal));
    });
}

#[rstest]
fn status_taken_by_other_code_is_lost_and_wait_returns(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
    #[values(true, false)] waits_already: bool,
) {
    in_runtime(threads, async move {
        let mut child = sleeper(pidfd);
        let stdin = child.stdin.take();
        if waits_already {
            assert!(timeout(SHORT, child.wait()).await.is_err());
        }
        drop(stdin);
        take_status(child.get_ref().id());
        for _ in 0..2 {
            let answer = timeout(LONG, child.wait()).await.expect("it has ended");
            assert!(matches!(answer, Err(Error::StatusLost { .. })), "{answer:?}");
        }
    });
}

/// A runtime waits for its blocking tasks when it is shut down: the thread is none. Nor does it hold the runtime.
#[rstest]
fn runtime_can_shut_down_while_a_thread_waits(#[values(Threads::One, Threads::Many)] threads: Threads) {
    isolated(move || {
        let before = Snapshot::take();
        let runtime = threads.runtime();
        let (stdin, mut child) = runtime.block_on(async {
            let mut child = sleeper(false);
            let stdin = child.stdin.take().and_then(|stdin| stdin.into_blocking_fd().ok());
            assert!(timeout(SHORT, child.wait()).await.is_err());
            (stdin, child)
        });
        drop(runtime);
        let open = before.differences(&Snapshot::take());
        assert_eq!(open.len(), 2, "the pipe's end and the child, and nothing of the runtime's: {open:?}");
        assert_eq!(child.try_wait().expect("it runs on"), None);
        drop(stdin);
        let status = threads.runtime().block_on(child.wait()).expect("no runtime is needed for that");
        assert!(status.success() && has_no_children());
    });
}

/// Faults: W16
#[rstest]
fn known_status_is_returned_in_another_runtime(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
    #[values(true, false)] was_awaited: bool,
) {
    isolated(move || {
        let first = threads.runtime();
        let mut child = first.block_on(async {
            let mut child = sleeper(pidfd);
            drop(child.stdin.take());
            if was_awaited {
                child.wait().await.expect("it ends");
            }
            child
        });
        drop(first);
        threads.runtime().block_on(async {
            for _ in 0..2 {
                let status = timeout(LONG, child.wait()).await.expect("it has ended");
                assert!(status.expect("it is ours").success() && has_no_children());
            }
        });
    });
}

/// Faults: W16
#[rstest]
fn running_child_can_be_awaited_in_another_runtime(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
    #[values(true, false)] first_ends_meanwhile: bool,
) {
    isolated(move || {
        let first = threads.runtime();
        let (stdin, mut child) = first.block_on(async {
            let mut child = sleeper(pidfd);
            let stdin = child.stdin.take().and_then(|stdin| stdin.into_blocking_fd().ok());
            assert!(timeout(SHORT, child.wait()).await.is_err());
            (stdin, child)
        });
        let first = first_ends_meanwhile.then_some(first);
        let end_both = move || {
            thread::sleep(SHORT);
            drop(first);
            thread::sleep(SHORT);
            drop(stdin);
        };
        let second = threads.runtime();
        let status = thread::scope(|scope| {
            scope.spawn(end_both);
            second.block_on(async { timeout(LONG, child.wait()).await.expect("it ends") })
        });
        assert!(status.expect("it is ours").success() && has_no_children());
    });
}

/// Faults: W15
#[rstest]
fn stopped_child_notices_sigterm(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
) {
    in_runtime(threads, async move {
        let mut command = Command::new("sh");
        let script = "trap 'exit 7' TERM; kill -STOP $$; while :; do sleep 0.01; done";
        let mut child = command.args(["-c", script]).create_pidfd(pidfd).spawn().expect("it starts");
        while state(child.get_ref().id()).expect("it is not waited for") != 'T' {
            tokio::time::sleep(SHORT).await;
        }
        let ended = timeout(LONG, child.terminate_then_kill(2 * LONG)).await;
        assert_eq!(ended.expect("it notices").expect("it is ours").code(), Some(7));
    });
}

/// Reaps a child behind the library's back.
fn take_status(id: u32) -> ExitStatus {
    world::wait_for(id.cast_signed())
}
