//! Conversations and pipelines.

use crate::child::command;
use forkexec::{Command, Error, Pipeline, Stdio, StopReason};
use std::time::Duration;

/// Both limits are reached, and the rest is neither lost nor read twice.
pub(crate) fn communication_resumes_after_a_limit() {
    let mut command = command("spew");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the child starts");
    let mut talk = child.communicator();
    talk.stdout_limit(50_000).stderr_limit(40_000);
    let (mut out, mut err, mut runs) = (0, 0, 0);
    loop {
        let heard = talk.run().expect("the two talk");
        assert!(heard.stdout.len() <= 50_000 && heard.stderr.len() <= 40_000, "a limit was passed");
        (out, err, runs) = (out + heard.stdout.len(), err + heard.stderr.len(), runs + 1);
        match heard.stopped {
            StopReason::Limit => {}
            stopped => break assert_eq!(stopped, StopReason::Ended),
        }
    }
    assert!(runs > 2);
    assert_eq!((out, err), (1 << 17, 1 << 17));
}

pub(crate) fn communication_resumes_after_a_timeout() {
    let mut command = command("echo");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("the child starts");
    let mut talk = child.communicator();
    let heard = talk.keep_stdin_open(true).timeout(Duration::from_millis(20)).run().expect("the two talk");
    assert_eq!((heard.stopped, heard.status), (StopReason::Timeout, None));
    let heard = talk.input(b"late").keep_stdin_open(false).timeout(None).run().expect("the two talk");
    assert_eq!((heard.stopped, heard.stdout.as_slice()), (StopReason::Ended, b"late".as_slice()));
    assert!(heard.status.is_some_and(|status| status.success()));
}

/// The parent waits for the child's exit and for its pipes at once.
pub(crate) fn drain_limit_costs_no_time_if_the_pipe_is_closed() {
    let mut command = command("spew");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the child starts");
    let heard = child.communicator().drain_limit(Duration::from_mins(9)).run().expect("the two talk");
    assert_eq!((heard.stopped, heard.stdout.len()), (StopReason::Ended, 1 << 17));
}

pub(crate) fn pipeline_passes_on_its_input() {
    let input = vec![b'x'; 1 << 20];
    let pipeline = Pipeline::new(command("echo")).pipe(command("echo")).pipe(command("echo"));
    let children = pipeline.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("they start");
    let output = children.communicate(&input).expect("the two talk");
    assert!(output.stdout == input, "{} bytes came back", output.stdout.len());
    assert_eq!(output.status.failures().count(), 0, "{:?}", output.status);
}

/// The harness sees whether a child or a descriptor is left.
pub(crate) fn failed_pipeline_leaves_nothing() {
    let pipeline = Pipeline::new(command("echo")).pipe(command("echo")).pipe(Command::new("/no/such"));
    let error = pipeline.stdin(Stdio::piped()).spawn().expect_err("one is missing");
    assert!(matches!(error, Error::InPipeline { index: 2, .. }), "{error:?}");
}
