//! Writing a child's input and reading its outputs at the same time. Otherwise both deadlock if the child
//! writes more than a pipe holds before it reads, or reads after it has written more than that.
//!
//! `conversation` is a state machine that makes no system call, with these parts:
//! - `feed`: the input, `drain`: an output, `lines`: its lines
//! - `stream`: a pipe until it ends or fails, `deadline`: a point in time
//!
//! This module drives it by poll(2):
//! - `pipe`: the parent's ends, `sigpipe`: writes without `SIGPIPE`, `exit_watch`: the exits of children
//! - `peer`: the partners of a conversation, `output`: its result

pub(crate) mod conversation;
pub(crate) mod deadline;
mod drain;
pub(crate) mod exit_watch;
mod feed;
mod lines;
mod output;
mod peer;
mod pipe;
pub(crate) mod sigpipe;
mod stream;

use crate::child::Child;
use crate::error::Error;
use crate::sys::poll::poll_timeout;
use crate::sys::system;
use conversation::Conversation;
use exit_watch::ExitWatch;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
pub use output::{CommunicateOutput, StopReason};
pub use peer::Communicate;
pub(crate) use peer::{Places, Talking};
use pipe::Pipe;
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::OwnedFd;
use std::process::Output;
use std::time::{Duration, Instant};

impl Child {
    /// Closes standard input, reads standard output and standard error at the same time, if they are pipes,
    /// and waits for the child.
    ///
    /// The call returns when both pipes have ended, so it also waits for a descendant that holds one of them.
    /// [`communicator`](Self::communicator) can set a [`drain_limit`](Communicator::drain_limit) for that.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`communicate`](Self::communicate).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// let child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    /// assert_eq!(child.wait_with_output()?.stdout, b"hello\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn wait_with_output(self) -> Result<Output, Error> {
        self.communicate(&[])
    }

    /// Writes `input` to the child's standard input and closes it, reads standard output and standard error
    /// at the same time, and waits for the child. The call does not deadlock, however large input and output
    /// are.
    ///
    /// If the child exits without reading all of its input, that is not an error.
    ///
    /// # Errors
    ///
    /// - Returns the errors of [`wait`](Self::wait).
    /// - Returns [`Error::Child`] if reading or writing fails. The child is then killed and reaped.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// let mut command = Command::new("tr");
    /// let child = command.args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// assert_eq!(child.communicate(b"loud")?.stdout, b"LOUD");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn communicate(mut self, input: &[u8]) -> Result<Output, Error> {
        let talked = self.communicator().input(input).run();
        match talked {
            Ok(exchange) => {
                let status = exchange.status.map_or_else(|| self.wait(), Ok)?;
                Ok(Output { status, stdout: exchange.stdout, stderr: exchange.stderr })
            }
            Err(error) => {
                // The first error is returned.
                let _ = self.kill().and_then(|()| self.wait());
                Err(error)
            }
        }
    }

    /// Starts a conversation with the child: a [`Communicator`], with optional limits of time and size, and
    /// optional callbacks for lines.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio, StopReason};
    /// use std::time::Duration;
    ///
    /// let mut child = Command::new("sh").args(["-c", "echo early; exec sleep 60"]).stdout(Stdio::piped()).spawn()?;
    /// let mut talk = child.communicator();
    /// let heard = talk.timeout(Duration::from_millis(200)).run()?;
    /// assert_eq!((heard.stdout.as_slice(), heard.stopped), (b"early\n".as_slice(), StopReason::Timeout));
    ///
    /// // The child still runs, and its later output can be read:
    /// talk.partner().kill()?;
    /// let heard = talk.timeout(None).run()?;
    /// assert_eq!(heard.stopped, StopReason::Ended);
    /// assert!(heard.status.is_some_and(|status| !status.success()));
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn communicator(&mut self) -> Communicator<'_> {
        Communicator::new(self)
    }
}

/// A conversation with a running child: its input, its outputs, and limits of time and size.
///
/// [`Child::communicator`] starts one with a child, [`Children::communicator`](crate::Children::communicator)
/// with the children of a pipeline. It takes the parent's ends of the pipes out of the child. When it is
/// dropped, the child gets back those that have not ended.
///
/// [`run`](Self::run) writes and reads until one of these holds, and [`CommunicateOutput::stopped`] says
/// which:
/// - The conversation is over: all input was written or refused, both outputs have ended, and the child has
///   exited.
/// - A limit was reached. `run` may be called again, with other limits if needed, and continues where it
///   stopped.
///
/// No amount of input or output causes a deadlock. A child that does not read its input is no error. The
/// `SIGPIPE` that such a write causes is removed, whatever the process does about that signal. There is no
/// polling at intervals: poll(2) waits for the pipes and for the exit of the child.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Stdio, StopReason};
/// use std::time::Duration;
///
/// let mut child = Command::new("sh")
///     .args(["-c", "echo ready; exec cat"])
///     .stdin(Stdio::piped())
///     .stdout(Stdio::piped())
///     .spawn()?;
/// let mut lines = Vec::new();
/// let mut talk = child.communicator();
/// talk.keep_stdin_open(true).timeout(Duration::from_secs(60));
///
/// // Until a line for which this returns true:
/// let answer = talk.until_stdout_line(|line| line == b"ready").run()?;
/// assert_eq!(answer.stopped, StopReason::Line);
///
/// // Until the end:
/// talk.on_stdout_line(|line| lines.push(line.to_vec()));
/// let answer = talk.input(b"to be\nor not").keep_stdin_open(false).run()?;
/// assert_eq!(answer.stopped, StopReason::Ended);
/// assert!(answer.status.is_some_and(|status| status.success()));
/// drop(talk);
/// assert_eq!(lines, [b"to be".as_slice(), b"or not"]);
/// # Ok::<(), forkexec::Error>(())
/// ```
#[must_use = "nothing is written or read before `run`"]
pub struct Communicator<'c, P: Communicate = Child> {
    partner: &'c mut P,
    talk: Conversation<'c, Pipe, Pipe, Tell<'c>>,
    exits: ExitWatch,
    left_unread: Option<usize>,
}

/// A callback for lines. It returns true if the run stops there.
type Tell<'c> = Box<dyn FnMut(&[u8]) -> bool + 'c>;

/// Makes a callback that never stops the run.
fn never_stop<'c>(mut tell: impl FnMut(&[u8]) + 'c) -> impl FnMut(&[u8]) -> bool + 'c {
    move |bytes| {
        tell(bytes);
        false
    }
}

const STDOUT: usize = 0;
const STDERR: usize = 1;

impl<'c, P: Communicate> Communicator<'c, P> {
    pub(crate) fn new(partner: &'c mut P) -> Self {
        let (stdin, stdout, stderr) = partner.streams();
        let outputs = [stdout.take().map(Pipe::new), stderr.take().map(Pipe::new)];
        let talk = Conversation::new(stdin.take().map(Pipe::new), outputs);
        Self { partner, talk, exits: ExitWatch::default(), left_unread: None }
    }

    /// Adds bytes to the input. [`run`](Self::run) closes standard input after the last of them, and at once
    /// if there are none.
    ///
    /// If standard input is not a pipe, or is already closed, the bytes are dropped.
    /// [`CommunicateOutput::written`] does not count them.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn input(&mut self, input: impl Into<Cow<'c, [u8]>>) -> &mut Self {
        self.talk.feed.add(input.into());
        self
    }

    /// Sets whether standard input stays open after all input was written, so that more can follow in the
    /// next [`run`](Self::run). The default is `false`. A child that reads to the end of its input does not
    /// exit before it is closed.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn keep_stdin_open(&mut self, keep: bool) -> &mut Self {
        self.talk.feed.keep_open = keep;
        self
    }

    /// Sets how long a [`run`](Self::run) may take, including the wait for the child's exit. The default is
    /// no limit.
    ///
    /// With a timeout of zero the run reads and writes what is possible without waiting. The monotonic clock
    /// measures the time, and the run never stops early.
    ///
    /// # Examples
    ///
    /// See [`Child::communicator`].
    pub fn timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.talk.timeout = timeout.into();
        self
    }

    /// Sets how long the outputs are read after the child has exited, if another process still holds them,
    /// such as a daemon that the child started. The default is until they end.
    ///
    /// Everything that the child itself wrote is always read, even with a limit of zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Containment, Stdio, StopReason};
    /// use std::time::Duration;
    ///
    /// // The background process keeps standard output open for a minute.
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "sleep 60 & echo started"]).stdout(Stdio::piped()).containment(Containment::Group);
    /// let mut child = command.spawn()?;
    /// let output = child.communicator().drain_limit(Duration::ZERO).run()?;
    /// assert_eq!((&output.stdout[..], output.stopped), (&b"started\n"[..], StopReason::DrainLimit));
    /// child.kill_tree()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn drain_limit(&mut self, limit: impl Into<Option<Duration>>) -> &mut Self {
        self.talk.drain_limit = limit.into();
        self
    }

    /// Sets how many bytes a [`run`](Self::run) reads of both outputs together. If there are more, the run
    /// stops and leaves them in the pipe. The default is no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio, StopReason};
    ///
    /// let mut child = Command::new("yes").stdout(Stdio::piped()).spawn()?;
    /// let output = child.communicator().limit(1_000).run()?;
    /// assert_eq!((output.stdout.len(), output.stopped), (1_000, StopReason::Limit));
    /// child.kill()?;
    /// child.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn limit(&mut self, bytes: impl Into<Option<usize>>) -> &mut Self {
        self.talk.limit = bytes.into();
        self
    }

    /// Sets how many bytes a [`run`](Self::run) reads of standard output, as [`limit`](Self::limit) does for
    /// both outputs.
    ///
    /// # Examples
    ///
    /// See [`limit`](Self::limit).
    pub fn stdout_limit(&mut self, bytes: impl Into<Option<usize>>) -> &mut Self {
        self.talk.outputs[STDOUT].limit = bytes.into();
        self
    }

    /// Sets how many bytes a [`run`](Self::run) reads of standard error, as [`limit`](Self::limit) does for
    /// both outputs.
    ///
    /// # Examples
    ///
    /// See [`limit`](Self::limit).
    pub fn stderr_limit(&mut self, bytes: impl Into<Option<usize>>) -> &mut Self {
        self.talk.outputs[STDERR].limit = bytes.into();
        self
    }

    /// Calls `tell` with each line of standard output as soon as it is complete, without its newline. The
    /// last line may lack the newline. The lines are not collected as well, unless
    /// [`collect_lines`](Self::collect_lines) is set.
    ///
    /// A line above the [`line_limit`](Self::line_limit) comes in pieces. A partial line waits for the next
    /// [`run`](Self::run). If the child has exited and the [`drain_limit`](Self::drain_limit) has elapsed, it
    /// counts as a line.
    ///
    /// If `tell` panics, [`run`](Self::run) panics, and the child is not affected.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn on_stdout_line(&mut self, tell: impl FnMut(&[u8]) + 'c) -> &mut Self {
        self.until_stdout_line(never_stop(tell))
    }

    /// Calls `tell` with each line of standard error, as [`on_stdout_line`](Self::on_stdout_line) does for
    /// standard output.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn on_stderr_line(&mut self, tell: impl FnMut(&[u8]) + 'c) -> &mut Self {
        self.until_stderr_line(never_stop(tell))
    }

    /// Calls `tell` with each piece of standard output as soon as it is read, for example to copy it to a terminal or a
    /// log, as tee(1) does. A piece has at most 64 KiB, and can end anywhere in a line or a character.
    ///
    /// The output is collected as well, or passed on as lines.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    /// use std::io::Write;
    ///
    /// let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    /// let mut log = Vec::new();
    /// let output = child.communicator().on_stdout(|piece| log.extend_from_slice(piece)).run()?;
    /// assert_eq!((output.stdout, log), (b"hello\n".to_vec(), b"hello\n".to_vec()));
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn on_stdout(&mut self, tell: impl FnMut(&[u8]) + 'c) -> &mut Self {
        self.talk.outputs[STDOUT].tell_chunks(Box::new(never_stop(tell)));
        self
    }

    /// Calls `tell` with each piece of standard error, as [`on_stdout`](Self::on_stdout) does for standard output.
    ///
    /// # Examples
    ///
    /// See [`on_stdout`](Self::on_stdout).
    pub fn on_stderr(&mut self, tell: impl FnMut(&[u8]) + 'c) -> &mut Self {
        self.talk.outputs[STDERR].tell_chunks(Box::new(never_stop(tell)));
        self
    }

    /// Chooses whether a carriage return ends a line, as in the output of a program that draws its progress over and over.
    /// A carriage return with a newline after it is one end. The default is `false`: then it is part of the line.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// let mut child = Command::new("printf").arg("1%%\\r2%%\\rdone\\r\\n").stdout(Stdio::piped()).spawn()?;
    /// let mut lines = Vec::new();
    /// let mut talk = child.communicator();
    /// talk.carriage_return_ends_line(true).on_stdout_line(|line| lines.push(line.to_vec())).run()?;
    /// drop(talk);
    /// assert_eq!(lines, [&b"1%"[..], b"2%", b"done"]);
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn carriage_return_ends_line(&mut self, ends: bool) -> &mut Self {
        self.talk.outputs.iter_mut().for_each(|output| output.carriage_return_ends_line = ends);
        self
    }

    /// Calls `tell` with each line of standard output, as [`on_stdout_line`](Self::on_stdout_line). The
    /// [`run`](Self::run) stops after a line for which `tell` returns `true`. The next run continues with the
    /// line after it.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn until_stdout_line(&mut self, tell: impl FnMut(&[u8]) -> bool + 'c) -> &mut Self {
        self.talk.outputs[STDOUT].tell(Box::new(tell));
        self
    }

    /// Calls `tell` with each line of standard error, as [`until_stdout_line`](Self::until_stdout_line) does
    /// for standard output.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn until_stderr_line(&mut self, tell: impl FnMut(&[u8]) -> bool + 'c) -> &mut Self {
        self.talk.outputs[STDERR].tell(Box::new(tell));
        self
    }

    /// Sets how many bytes of a line are kept until its newline comes: at least one, and 1 MiB by default. A
    /// longer line comes in pieces of this length.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// let mut child = Command::new("echo").arg("abcdef").stdout(Stdio::piped()).spawn()?;
    /// let mut pieces = Vec::new();
    /// child.communicator().line_limit(4).on_stdout_line(|line| pieces.push(line.to_vec())).run()?;
    /// assert_eq!(pieces, [&b"abcd"[..], b"ef"]);
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn line_limit(&mut self, bytes: usize) -> &mut Self {
        self.talk.outputs.iter_mut().for_each(|output| output.longest_line = bytes.max(1));
        self
    }

    /// Sets whether an output with a line callback is collected as well. The default is `false`.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    /// let mut count = 0;
    /// let output = child.communicator().collect_lines(true).on_stdout_line(|_| count += 1).run()?;
    /// assert_eq!(output.stdout, b"hello\n");
    /// assert_eq!(count, 1);
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn collect_lines(&mut self, collect: bool) -> &mut Self {
        self.talk.outputs.iter_mut().for_each(|output| output.collects_lines = collect);
        self
    }

    /// Returns the child, or the children of a pipeline, for example to kill them after a timeout. The pipes
    /// of the conversation are not in them.
    ///
    /// # Examples
    ///
    /// See [`Child::communicator`].
    pub fn partner(&mut self) -> &mut P {
        self.partner
    }

    /// Writes and reads until the conversation is over or a limit is reached.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Child`] if a call fails. The child is not affected, and no output is lost: the next
    /// run returns it, and reads on. An error of a stream is returned once. The stream is not used any more,
    /// and the child gets it back when the conversation is dropped.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn run(&mut self) -> Result<CommunicateOutput<P::Status>, Error> {
        let stopped = match self.exchange().map_err(failed)? {
            Some(stopped) => stopped,
            None => self.await_exit()?,
        };
        let status = known(self.partner.try_wait())?;
        let [stdout, stderr] = self.talk.outputs.each_mut().map(|output| mem::take(&mut output.read));
        let (written, left_unread) = (self.talk.feed.written, self.left_unread);
        Ok(CommunicateOutput { stdout, stderr, written, left_unread, status, stopped })
    }

    /// Writes and reads. Returns `None` if all input is written and both outputs have ended.
    fn exchange(&mut self) -> io::Result<Option<StopReason>> {
        let begun = Instant::now();
        self.unblock()?;
        if let Some(stopped) = self.talk.begin(begun) {
            return Ok(Some(stopped));
        }
        if self.talk.awaits_exit() {
            self.exits.watch(self.partner.children())?;
        }
        while !self.talk.is_over() {
            if self.talk.awaits_exit() && self.exits.are_all_seen() {
                self.note_exit()?;
            }
            let ready = self.wait_until_ready()?;
            let stopped = self.step(ready)?;
            if let Some(stopped) = stopped.or_else(|| self.talk.stop_reason(Instant::now())) {
                return Ok(Some(stopped));
            }
        }
        Ok(None)
    }

    fn unblock(&mut self) -> io::Result<()> {
        let Conversation { feed, outputs, .. } = &mut self.talk;
        // Without input, standard input is closed and not written to.
        if let Some((pipe, _)) = feed.pending() {
            let unblocked = pipe.unblock();
            feed.checked(unblocked)?;
        }
        for output in outputs {
            if let Some(pipe) = output.pipe() {
                let unblocked = pipe.unblock();
                output.checked(unblocked)?;
            }
        }
        Ok(())
    }

    fn note_exit(&mut self) -> io::Result<()> {
        self.talk.note_exit(Instant::now());
        for output in &mut self.talk.outputs {
            if let Some(pipe) = output.pipe() {
                let unread = pipe.unread();
                output.owe(unread)?;
            }
        }
        Ok(())
    }

    /// Waits until a pipe is ready, the deadline has passed or a child has exited. Notes the exits, and
    /// returns which of standard input, output and error are ready.
    fn wait_until_ready(&mut self) -> io::Result<[bool; 3]> {
        let deadline = self.talk.next_deadline();
        let Conversation { feed, outputs: [out, err], .. } = &mut self.talk;
        let wants = [
            feed.pending().map(|(pipe, _)| pipe.poll(PollFlags::POLLOUT)),
            out.pipe().map(|pipe| pipe.poll(PollFlags::POLLIN)),
            err.pipe().map(|pipe| pipe.poll(PollFlags::POLLIN)),
        ];
        let asked = wants.each_ref().map(Option::is_some);
        let mut polled: Vec<PollFd<'_>> = wants.into_iter().flatten().collect();
        let pipes = polled.len();
        let exits = self.exits.wanted(&*self.partner.children());
        polled.extend(exits.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        while let Err(errno) = poll(&mut polled, poll_timeout(deadline.rest(Instant::now()))) {
            if errno != Errno::EINTR {
                return Err(errno.into());
            }
        }
        let is_ready = |polled: &PollFd<'_>| polled.any() != Some(false);
        let exited: Vec<bool> = polled[pipes..].iter().map(is_ready).collect();
        let mut answers = polled[..pipes].iter().map(is_ready);
        let ready = asked.map(|asked| asked && answers.next() == Some(true));
        self.exits.note(&exited);
        Ok(ready)
    }

    /// Writes and reads what is possible without waiting.
    fn step(&mut self, [stdin, stdout, stderr]: [bool; 3]) -> io::Result<Option<StopReason>> {
        if stdin {
            self.write()?;
        }
        let mut stopped = None;
        for (index, ready) in [(STDOUT, stdout), (STDERR, stderr)] {
            if ready && stopped.is_none() {
                stopped = self.read(index)?;
            }
        }
        Ok(stopped)
    }

    fn write(&mut self) -> io::Result<()> {
        let Some((pipe, bytes)) = self.talk.feed.pending() else { return Ok(()) };
        let written = sigpipe::without_signal(|| pipe.end.write(bytes));
        let refused = self.talk.feed.wrote(written)?.filter(|_| system::WRITER_SEES_UNREAD);
        self.left_unread = self.left_unread.or(refused.and_then(|pipe| pipe.unread().ok()));
        Ok(())
    }

    fn read(&mut self, index: usize) -> io::Result<Option<StopReason>> {
        let is_full = self.talk.is_full(index);
        let Some((pipe, buffer)) = self.talk.reading(index) else { return Ok(None) };
        // poll(2) says that there is something to read. If nothing is unread, that is the end.
        let unread = if is_full { pipe.unread() } else { Ok(0) };
        let read = match unread {
            Ok(0) => pipe.end.read(buffer),
            Ok(_) => return Ok(Some(StopReason::Limit)),
            Err(error) => Err(error),
        };
        self.talk.heard(index, read)
    }

    /// Waits for the child, after all input was written and both outputs have ended.
    fn await_exit(&mut self) -> Result<StopReason, Error> {
        match self.partner.wait_within(self.talk.deadline.rest(Instant::now())) {
            Ok(None) => Ok(StopReason::Timeout),
            Ok(Some(_)) | Err(Error::StatusLost { .. }) => Ok(StopReason::Ended),
            Err(error) => Err(error),
        }
    }
}

fn failed(source: io::Error) -> Error {
    Error::Child { what: "communicate with the child", error: source }
}

/// If other code took the status, `Child::wait` returns that error.
fn known<S>(status: Result<Option<S>, Error>) -> Result<Option<S>, Error> {
    match status {
        Err(Error::StatusLost { .. }) => Ok(None),
        status => status,
    }
}

/// The child gets back the pipes that have not ended.
impl<P: Communicate> Drop for Communicator<'_, P> {
    fn drop(&mut self) {
        let (stdin, stdout, stderr) = self.partner.streams();
        let Conversation { feed, outputs: [out, err], .. } = &mut self.talk;
        give_back(stdin, feed.take_pipe());
        give_back(stdout, out.take_pipe());
        give_back(stderr, err.take_pipe());
    }
}

/// Another pipe that the caller has put there meanwhile stays.
fn give_back<T: From<OwnedFd>>(place: &mut Option<T>, pipe: Option<Pipe>) {
    if place.is_none() {
        *place = pipe.map(Pipe::into_end);
    }
}

impl<P: Communicate> fmt::Debug for Communicator<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conversation { feed, outputs: [out, err], timeout, drain_limit, limit, .. } = &self.talk;
        f.debug_struct("Communicator")
            .field("written", &feed.written)
            .field("timeout", timeout)
            .field("drain_limit", drain_limit)
            .field("limits", &[*limit, out.limit, err.limit])
            .finish_non_exhaustive()
    }
}
