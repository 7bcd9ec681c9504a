//! Waits until a child is ready, asks it questions, and gives up when an answer takes too long.
//!
//! Run it with `cargo run --example conversation`.

use forkexec::{Command, Error, OnDrop, Stdio, StopReason};
use std::time::Duration;

const SERVER: &str = "
    echo starting >&2
    echo ready
    while read question; do
        case $question in
            hang) while :; do sleep 1; done ;;
            *) echo \"you said $question\" ;;
        esac
    done";

fn main() -> Result<(), Error> {
    let mut command = Command::new("sh");
    command.args(["-c", SERVER]).process_group(0).on_drop(OnDrop::KillAndWait);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;

    let mut talk = child.communicator();
    talk.keep_stdin_open(true).timeout(Duration::from_secs(60));
    talk.on_stderr_line(|line| println!("log: {}", String::from_utf8_lossy(line)));

    let answer = talk.until_stdout_line(|line| line == b"ready").run()?;
    assert_eq!(answer.stopped, StopReason::Line);

    talk.until_stdout_line(|line| {
        println!("answer: {}", String::from_utf8_lossy(line));
        true
    });
    talk.input(b"hello\n").run()?;
    talk.input(b"goodbye\n").run()?;

    let silence = talk.input(b"hang\n").timeout(Duration::from_millis(100)).run()?;
    assert_eq!(silence.stopped, StopReason::Timeout);
    talk.partner().kill()?;

    // A process that the child started still holds its pipes. `drain_limit` ends the wait for it.
    let end = talk.drain_limit(Duration::ZERO).timeout(Duration::from_secs(60)).run()?;
    println!("{:?}, {:?}", end.stopped, end.status);
    assert!(end.status.is_some_and(|status| !status.success()));
    Ok(())
}
