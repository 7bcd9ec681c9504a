//! Feeding a child and reading it, all at once, by a runtime.

use super::{Child, ChildStdin, ChildStdout};
use crate::child::communicate::sigpipe;
use crate::error::Error;
use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::process::Output;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// What is said to a child, and what it has said so far.
///
/// [`Child::communicator`] begins one. It owns the child: dropping it drops the child.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, OnDrop, Stdio};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), forkexec::Error> {
/// let mut command = Command::new("sh");
/// command.args(["-c", "cat; exec sleep 60"]).on_drop(OnDrop::KillAndWait);
/// let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn_tokio()?;
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
    feed: Feed<'input>,
    out: Drain,
    err: Drain,
}

impl<'input> Communicator<'input> {
    pub(super) fn new(mut child: Child, input: Cow<'input, [u8]>) -> Self {
        let pipe = child.stdin.take().filter(|_| !input.is_empty());
        let out = Drain::new(child.stdout.take());
        let err = Drain::new(child.stderr.take());
        Self { child, feed: Feed { pipe, is_broken: false, input, written: 0 }, out, err }
    }

    /// Goes on until all is said and the child has ended: its status, and what it wrote.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it may be dropped and called again. What was read meanwhile is in [`stdout`](Self::stdout) and
    /// [`stderr`](Self::stderr), and no input is written twice.
    ///
    /// # Errors
    ///
    /// Those of [`Child::communicate`]: if reading or writing fails, the child is killed. The error is told once: called again,
    /// it goes on without the pipe that failed, and gives what was read.
    pub async fn finish(&mut self) -> Result<Output, Error> {
        if let Err(source) = poll_fn(|context| self.poll_pipes(context)).await {
            // The error at hand is the one to tell.
            let _ = self.child.kill().await;
            return Err(Error::Child { what: "talk to the child", error: source });
        }
        let status = self.child.wait().await?;
        Ok(Output { status, stdout: mem::take(&mut self.out.read), stderr: mem::take(&mut self.err.read) })
    }

    /// How many bytes of the input the child's pipe has taken.
    pub fn written(&self) -> usize {
        self.feed.written
    }

    /// What the child wrote to its standard output and was read so far.
    pub fn stdout(&self) -> &[u8] {
        &self.out.read
    }

    /// What the child wrote to its standard error and was read so far.
    pub fn stderr(&self) -> &[u8] {
        &self.err.read
    }

    /// The child, to be signalled or asked. Its pipes are not in it.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The child with its pipes, as far as they have not ended.
    pub fn into_child(mut self) -> Child {
        self.child.stdin = self.feed.pipe;
        self.child.stdout = self.out.pipe;
        self.child.stderr = self.err.pipe;
        self.child
    }

    /// Goes as far as it can in all directions, each of which wakes the task when it can go on.
    fn poll_pipes(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let steps = [self.feed.poll(context)?, self.out.poll(context)?, self.err.poll(context)?];
        if steps.iter().all(Poll::is_ready) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

/// What is still to be written. The pipe is closed when all was, or nobody reads.
#[derive(Debug)]
struct Feed<'input> {
    pipe: Option<ChildStdin>,
    /// A call failed, which was told.
    is_broken: bool,
    input: Cow<'input, [u8]>,
    written: usize,
}

impl Feed<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(pipe) = self.pipe.as_ref().filter(|_| !self.is_broken) {
            let ready = ready!(pipe.poll_write_ready(context));
            let write = || pipe.try_write(&self.input[self.written..]);
            match ready.and_then(|()| sigpipe::without_signal(write)) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.pipe = None,
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    self.is_broken = true;
                    return Poll::Ready(Err(error));
                }
            }
            if self.written == self.input.len() {
                self.pipe = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// What was read so far. The pipe is closed at its end.
#[derive(Debug)]
struct Drain {
    pipe: Option<ChildStdout>,
    /// A call failed, which was told.
    is_broken: bool,
    read: Vec<u8>,
}

impl Drain {
    fn new(pipe: Option<ChildStdout>) -> Self {
        Self { pipe, is_broken: false, read: Vec::new() }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        const CHUNK: usize = 64 * 1024;
        while let Some(pipe) = self.pipe.as_mut().filter(|_| !self.is_broken) {
            let length = self.read.len();
            self.read.resize(length + CHUNK, 0);
            let mut room = ReadBuf::new(&mut self.read[length..]);
            let polled = Pin::new(pipe).poll_read(context, &mut room);
            let count = room.filled().len();
            self.read.truncate(length + count);
            match ready!(polled) {
                Ok(()) if count == 0 => self.pipe = None,
                Ok(()) => {}
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    self.is_broken = true;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Then the runtime is asked again, which has noted what was met with.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
