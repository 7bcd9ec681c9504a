//! Writing a child's input and reading its outputs at the same time, by a tokio runtime.

use super::{Child, ChildStdin, ChildStdout};
use crate::child::communicate::conversation::Conversation;
use crate::child::communicate::sigpipe;
use crate::error::Error;
use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::process::Output;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// A conversation with a running child: its input, and its outputs so far.
///
/// [`Child::communicator`] starts one. It owns the child. Dropping it drops the child.
///
/// # Examples
///
/// ```
/// use forkexec::tokio::Command;
/// use forkexec::{OnDrop, Stdio};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), forkexec::Error> {
/// let mut command = Command::new("sh");
/// command.args(["-c", "cat; exec sleep 60"]).on_drop(OnDrop::KillAndWait);
/// let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
///
/// let mut conversation = child.communicator(b"so far".as_slice());
/// assert!(tokio::time::timeout(Duration::from_millis(300), conversation.finish()).await.is_err());
/// assert_eq!(conversation.stdout(), b"so far");
/// conversation.child().start_kill()?;
/// assert!(!conversation.finish().await?.status.success());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Communicator<'input> {
    child: Child,
    talk: Conversation<'input, ChildStdin, ChildStdout, Tell>,
}

/// There are no callbacks for lines.
type Tell = fn(&[u8]) -> bool;

impl<'input> Communicator<'input> {
    pub(super) fn new(mut child: Child, input: Cow<'input, [u8]>) -> Self {
        let outputs = [child.stdout.take(), child.stderr.take()];
        let mut talk = Conversation::new(child.stdin.take(), outputs);
        talk.feed.add(input);
        // It has no limits and no lines, so that it does not stop before it is over.
        talk.begin(Instant::now());
        Self { child, talk }
    }

    /// Writes and reads until the conversation is over and the child has exited. Returns its status and its
    /// output.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the future can be dropped, and the method called again. Output that was
    /// read meanwhile is in [`stdout`](Self::stdout) and [`stderr`](Self::stderr), and no input is written
    /// twice.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Child::communicate`]. If reading or writing fails, the child is killed. The
    /// error is returned once. A later call continues without the pipe that failed, and returns the output
    /// that was read.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub async fn finish(&mut self) -> Result<Output, Error> {
        if let Err(source) = poll_fn(|context| self.poll_pipes(context)).await {
            // The first error is returned.
            let _ = self.child.kill().await;
            return Err(Error::Child { what: "communicate with the child", error: source });
        }
        let status = self.child.wait().await?;
        let [stdout, stderr] = self.talk.outputs.each_mut().map(|output| mem::take(&mut output.read));
        Ok(Output { status, stdout, stderr })
    }

    /// Returns how many bytes of the input were written to the child's pipe.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn written(&self) -> usize {
        self.talk.feed.written
    }

    /// Returns the standard output of the child that was read so far.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn stdout(&self) -> &[u8] {
        &self.talk.outputs[0].read
    }

    /// Returns the standard error of the child that was read so far.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn stderr(&self) -> &[u8] {
        &self.talk.outputs[1].read
    }

    /// Returns the child, for example to signal it. The pipes of the conversation are not in it.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Returns the child with its pipes, without those that have ended.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn into_child(mut self) -> Child {
        self.child.stdin = self.talk.feed.take_pipe();
        let [out, err] = &mut self.talk.outputs;
        self.child.stdout = out.take_pipe();
        self.child.stderr = err.take_pipe();
        self.child
    }

    /// Makes progress in all directions. Each that is not ready wakes the task when it is.
    fn poll_pipes(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let steps = [self.poll_input(context)?, self.poll_output(0, context)?, self.poll_output(1, context)?];
        if steps.iter().all(Poll::is_ready) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((pipe, bytes)) = self.talk.feed.pending() {
            let ready = ready!(pipe.poll_write_ready(context));
            let written = ready.and_then(|()| sigpipe::without_signal(|| pipe.try_write(bytes)));
            self.talk.feed.wrote(written)?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_output(&mut self, index: usize, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((pipe, buffer)) = self.talk.reading(index) {
            let ready = ready!(pipe.poll_read_ready(context));
            let read = ready.and_then(|()| pipe.try_read(buffer));
            self.talk.heard(index, read)?;
        }
        Poll::Ready(Ok(()))
    }
}
