//! Feeding a child and reading it, all at once: a child that writes before it has read, or reads after it has
//! written more than a pipe holds, must not make both wait for ever.
//!
//! - `feed`: what is said, `drain`: what is heard, `lines`: and told line by line
//! - `ends`: the ends of those who are talked to, as something that poll(2) waits for
//! - `deadline`: how long, `exchange`: what came of it
//! - `pipe`: the parent's ends, `sigpipe`: and nobody at the other
//! - `partner`: whom one can talk to

mod deadline;
mod drain;
mod exit_watch;
mod feed;
mod lines;
mod output;
mod peer;
mod pipe;
pub(crate) mod sigpipe;

use crate::child::Child;
use crate::error::Error;
use deadline::Deadline;
use drain::{Drain, Room};
use exit_watch::ExitWatch;
use feed::Feed;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
pub use output::{CommunicateOutput, StopReason};
pub use peer::Communicate;
pub(crate) use peer::{Places, Talking};
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::process::{ChildStderr, ChildStdout, Output};
use std::time::Duration;

/// How long a line may be before it comes in pieces.
const LONGEST_LINE: usize = 1 << 20;

impl Child {
    /// Closes standard input, reads what the child writes to the pipes of standard output and error, both at once, and
    /// waits for it.
    ///
    /// It returns when both pipes have ended: a descendant that holds one of them is waited for, too, unless
    /// [`communicator`](Self::communicator) sets a [`drain_limit`](Communicator::drain_limit).
    ///
    /// # Errors
    ///
    /// Those of [`communicate`](Self::communicate).
    pub fn wait_with_output(self) -> Result<Output, Error> {
        self.communicate(&[])
    }

    /// Writes `input` to the child's standard input and closes it, reads standard output and error, all at once, and waits
    /// for the child. No amount of input or output makes the two wait for each other.
    ///
    /// A child that ends without reading all of its input is no error.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait), and [`Error::Child`] if reading or writing fails: then the child is killed, since
    /// nobody holds it any more.
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
                // The error at hand is the one to tell.
                let _ = self.kill().and_then(|()| self.wait());
                Err(error)
            }
        }
    }

    /// Begins to talk to the child, with limits of time and size, line by line if that is wanted.
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
    /// // What it still has to say is not lost, and neither is the child:
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

/// A conversation with a child that runs: what it is told on standard input, and what it says on standard output and error,
/// with limits of time and size.
///
/// [`Child::communicator`] begins one with a child, [`Children::communicator`](crate::Children::communicator) with those of a pipeline. It has the
/// parent's ends of their pipes until it is dropped. Then those that have not ended are the child's again.
///
/// [`run`](Self::run) talks until one of these things is so, and [`CommunicateOutput::stopped`] says which:
/// - it is over: all input was written, or refused; both outputs have ended; the child has ended;
/// - a limit was reached. Then `run` may be called again, with other limits if that is wanted, and goes on where it stopped.
///
/// No amount of input or output makes the two wait for each other. A child that does not read its input is no error, and
/// the `SIGPIPE` that it causes is swallowed, whatever the process does about that signal. Nothing is asked again and again:
/// poll(2) waits for the pipes and for the end of the child.
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
/// // Until a line comes for which this is true:
/// let answer = talk.until_stdout_line(|line| line == b"ready").run()?;
/// assert_eq!(answer.stopped, StopReason::Line);
///
/// // All the rest:
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
    feed: Feed<'c>,
    out: Drain<'c, ChildStdout>,
    err: Drain<'c, ChildStderr>,
    ends: ExitWatch,
    timeout: Option<Duration>,
    drain_limit: Option<Duration>,
    /// Of both outputs, and of each.
    limits: [Option<usize>; 3],
    buffer: Vec<u8>,
}

impl<'c, P: Communicate> Communicator<'c, P> {
    pub(crate) fn new(partner: &'c mut P) -> Self {
        let (stdin, stdout, stderr) = partner.streams();
        Self {
            feed: Feed::new(stdin.take()),
            out: Drain::new(stdout.take()),
            err: Drain::new(stderr.take()),
            partner,
            ends: ExitWatch::default(),
            timeout: None,
            drain_limit: None,
            limits: [None; 3],
            buffer: Vec::new(),
        }
    }

    /// Adds to what is written to standard input, which is closed after it. Without any it is closed at once.
    ///
    /// Where standard input is no pipe, or is closed already, it goes nowhere: [`CommunicateOutput::written`] does not count it.
    pub fn input(&mut self, input: impl Into<Cow<'c, [u8]>>) -> &mut Self {
        self.feed.add(input.into());
        self
    }

    /// Whether standard input stays open when all input was written, so that more can be said after the next
    /// [`run`](Self::run). A child that reads to the end of its input does not end before it is closed.
    pub fn keep_stdin_open(&mut self, keep: bool) -> &mut Self {
        self.feed.keep_open = keep;
        self
    }

    /// How long a [`run`](Self::run) may take, the wait for the child's end included; without a word, for ever. A time of zero
    /// takes what is there. It is measured by the monotonic clock, and never falls short.
    pub fn timeout(&mut self, timeout: impl Into<Option<Duration>>) -> &mut Self {
        self.timeout = timeout.into();
        self
    }

    /// How long the outputs are read when the child has ended and somebody else still holds them: a daemon that it left
    /// behind, for one. Without a word, to their end.
    ///
    /// What the child itself had written is always read, even with a limit of zero.
    pub fn drain_limit(&mut self, limit: impl Into<Option<Duration>>) -> &mut Self {
        self.drain_limit = limit.into();
        self
    }

    /// How many bytes a [`run`](Self::run) reads of both outputs taken together. It stops when there are more, and leaves them
    /// where they are.
    pub fn limit(&mut self, bytes: impl Into<Option<usize>>) -> &mut Self {
        self.limits[0] = bytes.into();
        self
    }

    /// How many bytes a [`run`](Self::run) reads of standard output, as [`limit`](Self::limit).
    pub fn stdout_limit(&mut self, bytes: impl Into<Option<usize>>) -> &mut Self {
        self.limits[1] = bytes.into();
        self
    }

    /// How many bytes a [`run`](Self::run) reads of standard error, as [`limit`](Self::limit).
    pub fn stderr_limit(&mut self, bytes: impl Into<Option<usize>>) -> &mut Self {
        self.limits[2] = bytes.into();
        self
    }

    /// Calls this with every line of standard output as soon as it is whole, without its newline; the last one may lack it.
    /// The lines are not collected, too, unless [`collect_lines`](Self::collect_lines) asks for that.
    ///
    /// A line above the [`line_limit`](Self::line_limit) comes in pieces. What was read of a line that is not whole yet waits
    /// for the next [`run`](Self::run); when the child has ended and the [`drain_limit`](Self::drain_limit) is over, it counts
    /// as a line.
    ///
    /// If it panics, the panic comes out of [`run`](Self::run), and the child is as it was.
    pub fn on_stdout_line(&mut self, mut tell: impl FnMut(&[u8]) + 'c) -> &mut Self {
        self.until_stdout_line(move |line| {
            tell(line);
            false
        })
    }

    /// As [`on_stdout_line`](Self::on_stdout_line), of standard error.
    pub fn on_stderr_line(&mut self, mut tell: impl FnMut(&[u8]) + 'c) -> &mut Self {
        self.until_stderr_line(move |line| {
            tell(line);
            false
        })
    }

    /// As [`on_stdout_line`](Self::on_stdout_line), and the [`run`](Self::run) stops after a line for which this answers `true`.
    /// The lines after it are for the next run.
    pub fn until_stdout_line(&mut self, tell: impl FnMut(&[u8]) -> bool + 'c) -> &mut Self {
        self.out.tell(Box::new(tell));
        self
    }

    /// As [`until_stdout_line`](Self::until_stdout_line), of standard error.
    pub fn until_stderr_line(&mut self, tell: impl FnMut(&[u8]) -> bool + 'c) -> &mut Self {
        self.err.tell(Box::new(tell));
        self
    }

    /// How many bytes of a line are kept until its end comes; 1 MiB without a word, and at least one. A longer line comes in
    /// pieces of this length.
    pub fn line_limit(&mut self, bytes: usize) -> &mut Self {
        self.out.longest_line = bytes.max(1);
        self.err.longest_line = bytes.max(1);
        self
    }

    /// Whether an output that is told line by line is collected, too.
    pub fn collect_lines(&mut self, collect: bool) -> &mut Self {
        self.out.collects_lines = collect;
        self.err.collects_lines = collect;
        self
    }

    /// The child, or the children: to end them after a timeout, for one. Their ends of the conversation are not in them
    /// meanwhile.
    pub fn partner(&mut self) -> &mut P {
        self.partner
    }

    /// Talks until it is over or a limit is reached.
    ///
    /// # Errors
    ///
    /// [`Error::Child`] if a call fails. The child is left as it is, and nothing that was read is lost: the next run returns it,
    /// and reads on. Of a stream that failed the error is told once. It is neither read nor written any more, and is the
    /// child's again when the conversation is dropped.
    pub fn run(&mut self) -> Result<CommunicateOutput<P::Status>, Error> {
        let clock = Deadline::after(self.timeout);
        let stopped = match self.exchange(clock).map_err(failed)? {
            Some(stopped) => stopped,
            None => self.part(clock)?,
        };
        let status = known(self.partner.try_wait())?;
        Ok(CommunicateOutput {
            stdout: self.out.take(),
            stderr: self.err.take(),
            written: self.feed.written,
            left_unread: self.feed.left_unread,
            status,
            stopped,
        })
    }

    /// Feeds and reads. `None` when nothing is left to be said or heard.
    fn exchange(&mut self, clock: Deadline) -> io::Result<Option<StopReason>> {
        self.feed.unblock()?;
        self.out.unblock()?;
        self.err.unblock()?;
        // Lines that came with the one that stopped the last run.
        if self.out.tell_lines() || self.err.tell_lines() {
            return Ok(Some(StopReason::Line));
        }
        if self.drain_limit.is_some() {
            self.ends.watch(self.partner.children())?;
        }
        let mut room = Room::new(self.limits);
        let mut drain: Option<Deadline> = None;
        loop {
            self.feed.close_if_done();
            if self.feed.is_done() && self.out.is_done() && self.err.is_done() {
                return Ok(None);
            }
            if drain.is_none() && self.drain_limit.is_some() && self.ends.are_all_seen() {
                drain = Some(Deadline::after(self.drain_limit));
                self.out.owe_what_is_there()?;
                self.err.owe_what_is_there()?;
            }
            let ready = self.wait_for_any(drain.map_or(clock, |drain| drain.earlier(clock)))?;
            if let Some(stopped) = self.step(&ready, &mut room)? {
                return Ok(Some(stopped));
            }
            if self.out.is_done() && self.err.is_done() && self.feed.is_done() {
                continue;
            }
            if clock.has_passed() {
                return Ok(Some(StopReason::Timeout));
            }
            let nothing_owed = self.out.owed + self.err.owed == 0;
            if nothing_owed && drain.is_some_and(Deadline::has_passed) {
                return Ok(Some(self.give_up_the_rest()));
            }
        }
    }

    /// Reads, and writes, what can be without waiting.
    fn step(&mut self, ready: &Ready, room: &mut Room) -> io::Result<Option<StopReason>> {
        let buffer = &mut self.buffer;
        if ready.feed {
            self.feed.step()?;
        }
        if ready.out
            && let Some(stopped) = self.out.step(buffer, &mut room.out, &mut room.both)?
        {
            return Ok(Some(stopped));
        }
        if ready.err {
            return self.err.step(buffer, &mut room.err, &mut room.both);
        }
        Ok(None)
    }

    /// Waits until something can be done, or it is time. Notes who has ended.
    fn wait_for_any(&mut self, until: Deadline) -> io::Result<Ready> {
        let wants = [self.feed.wanted(), self.out.wanted(), self.err.wanted()];
        let asked = wants.each_ref().map(Option::is_some);
        let mut polled: Vec<PollFd<'_>> = wants.into_iter().flatten().collect();
        let pipes = polled.len();
        let children = &*self.partner.children();
        let watched = self.ends.wanted(children).map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        polled.extend(watched);
        while let Err(errno) = poll(&mut polled, until.for_poll()) {
            if errno != Errno::EINTR {
                return Err(errno.into());
            }
        }
        let is_ready = |polled: &PollFd<'_>| polled.any() != Some(false);
        let ended: Vec<bool> = polled[pipes..].iter().map(is_ready).collect();
        let mut answers = polled[..pipes].iter().map(is_ready);
        let [feed, out, err] = asked.map(|asked| asked && answers.next() == Some(true));
        self.ends.note(&ended);
        Ok(Ready { feed, out, err })
    }

    /// Whoever holds the outputs now is not the child.
    fn give_up_the_rest(&mut self) -> StopReason {
        let stops = self.out.tell_rest() | self.err.tell_rest();
        if stops { StopReason::Line } else { StopReason::DrainLimit }
    }

    /// All was said and heard: what is left is the child's end.
    fn part(&mut self, clock: Deadline) -> Result<StopReason, Error> {
        match self.partner.wait_within(clock.rest()) {
            Ok(None) => Ok(StopReason::Timeout),
            Ok(Some(_)) | Err(Error::StatusLost { .. }) => Ok(StopReason::Ended),
            Err(error) => Err(error),
        }
    }
}

/// What can be done without waiting.
struct Ready {
    feed: bool,
    out: bool,
    err: bool,
}

fn failed(source: io::Error) -> Error {
    Error::Child { what: "talk to the child", error: source }
}

/// That somebody else took the status is told by who waits for the child.
fn known<S>(status: Result<Option<S>, Error>) -> Result<Option<S>, Error> {
    match status {
        Err(Error::StatusLost { .. }) => Ok(None),
        status => status,
    }
}

/// What has not ended is the child's again, as it was.
impl<P: Communicate> Drop for Communicator<'_, P> {
    fn drop(&mut self) {
        let (stdin, stdout, stderr) = self.partner.streams();
        give_back(stdin, self.feed.give_back());
        give_back(stdout, self.out.give_back());
        give_back(stderr, self.err.give_back());
    }
}

/// Unless something else was put there meanwhile.
fn give_back<T>(place: &mut Option<T>, end: Option<T>) {
    if place.is_none() {
        *place = end;
    }
}

impl<P: Communicate> fmt::Debug for Communicator<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Communicator")
            .field("written", &self.feed.written)
            .field("timeout", &self.timeout)
            .field("drain_limit", &self.drain_limit)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
