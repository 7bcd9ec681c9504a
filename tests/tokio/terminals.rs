//! Pseudo-terminals under a runtime.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use forkexec::tokio::{Command, Pty};
use forkexec::{Error, OnDrop, WindowSize};
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::{isolated, skip};
use rstest::rstest;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use crate::ground::{Threads, in_runtime};

/// Opens a pseudo-terminal. Skips the test if there is none.
fn open() -> Option<Pty> {
    match forkexec::Pty::open(WindowSize::new(30, 100)) {
        Ok(pty) => Some(Pty::new(pty).expect("the runtime watches it")),
        Err(error) => {
            skip(&error.to_string());
            None
        }
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).on_drop(OnDrop::KillAndWait);
    command
}

#[rstest]
fn program_on_a_pty_is_read_to_its_end(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let Some(mut pty) = open() else { return };
        let mut child = shell("stty size; sleep 0.1; tty").pty(&pty).spawn().expect("it starts");
        let mut text = String::new();
        pty.read_to_string(&mut text).await.expect("the end is no error");
        let path = pty.get_ref().path().expect("it has one").display();
        assert_eq!(text, format!("30 100\r\n{path}\r\n"));
        assert!(child.wait().await.expect("it ends").success());
        assert_eq!(pty.read(&mut [0; 10]).await.expect("the end stays"), 0);
    });
}

#[rstest]
fn pty_is_written_by_its_owner(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let Some(mut pty) = open() else { return };
        assert_eq!(pty.as_raw_fd(), pty.get_ref().as_raw_fd());
        let mut child = shell("read line; echo got $line").pty(&pty).spawn().expect("it starts");
        pty.write_all(b"this\n").await.expect("the program reads");
        // Both do nothing.
        pty.flush().await.expect("it is open");
        pty.shutdown().await.expect("it is open");
        let mut text = String::new();
        pty.read_to_string(&mut text).await.expect("the end is no error");
        assert_eq!(text, "this\r\ngot this\r\n");
        assert!(child.wait().await.expect("it ends").success());
    });
}

/// More than the terminal holds, in both directions at once.
#[rstest]
fn pty_is_read_and_written_by_reference(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let Some(pty) = open() else { return };
        let mut child =
            shell("stty raw -echo; echo ready; exec head -c 1000000").pty(&pty).spawn().expect("it starts");
        let pty = Arc::new(pty);
        let mut reader = BufReader::new(&*pty);
        let mut line = String::new();
        reader.read_line(&mut line).await.expect("it is text");
        assert_eq!(line, "ready\n");
        let input: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
        let (writer, written) = (Arc::clone(&pty), input.clone());
        let writing = tokio::spawn(async move { (&mut &*writer).write_all(&written).await });
        let mut output = Vec::new();
        reader.read_to_end(&mut output).await.expect("the end is no error");
        writing.await.expect("it does not panic").expect("the program reads");
        assert!(output == input, "{} bytes", output.len());
        assert!(child.wait().await.expect("it ends").success());
    });
}

#[rstest]
fn cancelled_read_of_a_pty_loses_nothing(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let Some(pty) = open() else { return };
        let mut child = shell("read line; echo got $line").pty(&pty).spawn().expect("it starts");
        let mut bytes = [0; 100];
        let late = timeout(Duration::from_millis(50), (&mut &pty).read(&mut bytes)).await;
        assert!(late.is_err(), "there is no output");
        (&mut &pty).write_all(b"this\n").await.expect("the program reads");
        let mut text = String::new();
        (&mut &pty).read_to_string(&mut text).await.expect("the end is no error");
        assert_eq!(text, "this\r\ngot this\r\n");
        assert!(child.wait().await.expect("it ends").success());
    });
}

#[rstest]
fn resize_reaches_a_program_under_a_runtime(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let Some(pty) = open() else { return };
        let script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done";
        let mut child = shell(script).pty(&pty).spawn().expect("it starts");
        let mut lines = BufReader::new(&pty).lines();
        assert_eq!(lines.next_line().await.expect("it is text").as_deref(), Some("ready"));
        pty.get_ref().resize(WindowSize::new(50, 132)).expect("it takes it");
        assert_eq!(lines.next_line().await.expect("it is text").as_deref(), Some("50 132"));
        child.wait().await.expect("it ends");
    });
}

#[test]
fn pty_outside_of_a_runtime_is_an_error() {
    isolated(|| {
        let before = Snapshot::take();
        let Ok(pty) = forkexec::Pty::open(WindowSize::default()) else { return skip("there is no pty") };
        let error = Pty::new(pty).expect_err("there is no runtime");
        assert!(matches!(error, Error::Child { .. }), "{error}");
        assert!(before.differences(&Snapshot::take()).is_empty());
    });
}
