//! Notifications of children under a runtime.

use std::env;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use forkexec::tokio::{Child, Command, NotifySocket};
use forkexec::{NotifyOutcome, OnDrop, Stdio, notify};
use rstest::rstest;
use tokio::time::timeout;

use crate::ground::{Threads, in_runtime, probe};

const INSIDE: &str = "FORKEXEC_NOTIFIES";
/// Long enough for any child to start.
const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(100);

fn socket() -> NotifySocket {
    NotifySocket::new(forkexec::NotifySocket::new().expect("Linux has abstract addresses"))
        .expect("the runtime watches it")
}

/// Runs a test of this file again, in a process that sends messages and stays, or ends.
fn sender(socket: &impl AsRef<forkexec::NotifySocket>, messages: &str) -> Child {
    let mut command = Command::new(env::current_exe().expect("it has a name"));
    command.args(["notify::sends_messages", "--exact", "--nocapture"]).env(INSIDE, messages);
    command.stdout(Stdio::null()).on_drop(OnDrop::KillAndWait).notify_socket(socket);
    command.spawn().expect("it starts")
}

/// Not a test by itself: the child of the others.
#[test]
fn sends_messages() {
    let Ok(messages) = env::var(INSIDE) else { return };
    for message in messages.split(' ') {
        match message {
            "stay" => thread::sleep(LONG),
            "flood" => while notify("READY=1").is_ok() {},
            text => assert!(notify(text).expect("the supervisor lives")),
        }
    }
}

#[rstest]
fn message_or_end_of_the_child_comes_first(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let socket = socket();
        let mut child = sender(&socket, "STATUS=loading READY=1 stay");
        let mut seen = Vec::new();
        let outcome = socket.wait_for(&mut child, |message| {
            seen.extend(message.status().map(str::to_owned));
            message.is_ready()
        });
        let outcome = timeout(LONG, outcome).await.expect("it is ready soon").expect("the socket works");
        assert!(matches!(outcome, NotifyOutcome::Notified(message) if message.is_ready()));
        assert_eq!(seen, ["loading"]);
        child.kill().await.expect("it runs");

        let mut child = probe(&["exit", "3"]).notify_socket(&socket).spawn().expect("it starts");
        let outcome = socket.wait_ready(&mut child).await.expect("the socket works");
        assert!(matches!(&outcome, NotifyOutcome::Ended(status) if status.code() == Some(3)), "{outcome:?}");
        assert_eq!(child.wait().await.expect("the status is known").code(), Some(3));
    });
}

#[rstest]
fn message_of_a_child_that_ended_is_received(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let socket = socket();
        let mut child = sender(&socket, "READY=1");
        assert!(child.wait().await.expect("it ends").success());
        let first = socket.wait_ready(&mut child).await.expect("the socket works");
        assert!(matches!(first, NotifyOutcome::Notified(_)), "{first:?}");
        let second = socket.wait_ready(&mut child).await.expect("the socket works");
        assert!(matches!(second, NotifyOutcome::Ended(status) if status.success()), "{second:?}");
    });
}

/// The runtime has waited for the child before, and has not looked at the socket yet.
#[rstest]
fn message_is_received_although_the_end_is_known(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let socket = forkexec::NotifySocket::new().expect("Linux has abstract addresses");
        let mut child = sender(&socket, "STATUS=loading READY=1");
        assert!(child.wait().await.expect("it ends").success());
        let socket = NotifySocket::new(socket).expect("the runtime watches it");
        assert_eq!(socket.as_raw_fd(), socket.get_ref().as_raw_fd());
        let outcome = socket.wait_ready(&mut child).await.expect("the socket works");
        assert!(matches!(&outcome, NotifyOutcome::Notified(message) if message.is_ready()), "{outcome:?}");
    });
}

/// A cancelled wait loses no message and leaves the child, its input and the socket usable.
#[rstest]
fn cancelled_wait_for_a_message_can_be_repeated(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let socket = socket();
        let mut child = probe(&["sleep-on-stdin"])
            .stdin(Stdio::piped())
            .notify_socket(&socket)
            .spawn()
            .expect("it starts");
        for _ in 0..3 {
            timeout(SHORT, socket.wait_ready(&mut child))
                .await
                .expect_err("it sends nothing, and does not end");
        }
        assert!(child.stdin.is_some());
        let mut other = sender(&socket, "READY=1");
        assert!(other.wait().await.expect("it ends").success());
        let message = timeout(LONG, socket.recv()).await.expect("it was sent").expect("the socket works");
        assert!(message.is_ready() && !message.is_from(child.get_ref().id()));
        assert!(child.wait().await.expect("its input ends").success());
    });
}

/// A flood of another sender hides neither the end of the child nor the time limit.
#[rstest]
fn flood_of_a_stranger_stops_no_wait(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let socket = socket();
        let mut stranger = sender(&socket, "flood");
        let message = timeout(LONG, socket.recv()).await.expect("it floods").expect("the socket works");
        assert!(message.is_ready());
        let mut victim = probe(&["pause"]).notify_socket(&socket).spawn().expect("it starts");
        timeout(SHORT, socket.wait_ready(&mut victim)).await.expect_err("the victim sends nothing");
        victim.start_kill().expect("it runs");
        let outcome = timeout(LONG, socket.wait_ready(&mut victim)).await.expect("it has ended");
        assert!(matches!(outcome, Ok(NotifyOutcome::Ended(status)) if !status.success()));
        stranger.kill().await.expect("it runs");
    });
}

#[rstest]
fn missing_keep_alive_ends_the_watch(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let socket = socket();
        let mut silent = sender(&socket, "WATCHDOG=1 stay");
        let outcome = socket.wait_watchdog(&mut silent, LONG / 60).await.expect("the socket works");
        assert!(matches!(outcome, NotifyOutcome::TimedOut), "{outcome:?}");
        silent.kill().await.expect("it runs");

        let mut broken = sender(&socket, "WATCHDOG=1 WATCHDOG=trigger stay");
        let outcome = socket.wait_watchdog(&mut broken, LONG).await.expect("the socket works");
        assert!(matches!(outcome, NotifyOutcome::TimedOut), "{outcome:?}");
        broken.kill().await.expect("it runs");

        let mut ending = sender(&socket, "WATCHDOG=1");
        let outcome = socket.wait_watchdog(&mut ending, LONG).await.expect("the socket works");
        assert!(matches!(outcome, NotifyOutcome::Ended(status) if status.success()));
    });
}
