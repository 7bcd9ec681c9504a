//! Feeding a child and reading it, all at once: a child that writes before it has read, or reads after it has
//! written more than a pipe holds, must not make both wait for ever.
//!
//! The parent's ends of the pipes are open file descriptions of their own, so that making them non-blocking is nobody
//! else's concern.

mod sigpipe;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

/// The parent's ends.
pub(crate) type Streams = (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>);

/// Writes `input` and closes the pipe; reads the others to their end.
pub(crate) fn exchange((stdin, stdout, stderr): Streams, input: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut feed = Feed { pipe: stdin.filter(|_| !input.is_empty()), rest: input };
    let mut out = Drain { pipe: stdout, read: Vec::new() };
    let mut err = Drain { pipe: stderr, read: Vec::new() };
    feed.pipe.as_ref().map_or(Ok(()), unblock)?;
    out.pipe.as_ref().map_or(Ok(()), unblock)?;
    err.pipe.as_ref().map_or(Ok(()), unblock)?;
    while let Some(ready) = wait_for_any(&feed, &out, &err)? {
        if ready.feed {
            feed.step()?;
        }
        if ready.out {
            out.step()?;
        }
        if ready.err {
            err.step()?;
        }
    }
    Ok((out.read, err.read))
}

fn unblock(pipe: &impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(pipe.as_fd(), FcntlArg::F_GETFL)?);
    fcntl(pipe.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

struct Ready {
    feed: bool,
    out: bool,
    err: bool,
}

/// Waits until something can be done, `None` if there is nothing left to do.
fn wait_for_any(
    feed: &Feed<'_>,
    out: &Drain<ChildStdout>,
    err: &Drain<ChildStderr>,
) -> io::Result<Option<Ready>> {
    let wants = [
        feed.pipe.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLOUT)),
        out.pipe.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLIN)),
        err.pipe.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLIN)),
    ];
    let mut polled: Vec<PollFd<'_>> =
        wants.iter().flatten().map(|(fd, events)| PollFd::new(*fd, *events)).collect();
    if polled.is_empty() {
        return Ok(None);
    }
    while let Err(errno) = poll(&mut polled, PollTimeout::NONE) {
        if errno != Errno::EINTR {
            return Err(errno.into());
        }
    }
    let mut answers = polled.iter().map(|polled| polled.any() != Some(false));
    let mut ready = wants.iter().map(|want| want.is_some() && answers.next() == Some(true));
    let mut next = || ready.next() == Some(true);
    Ok(Some(Ready { feed: next(), out: next(), err: next() }))
}

/// What is still to be written. The pipe is closed when all was, or nobody reads.
struct Feed<'a> {
    pipe: Option<ChildStdin>,
    rest: &'a [u8],
}

impl Feed<'_> {
    fn step(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        match sigpipe::without_signal(|| pipe.write(self.rest)) {
            Ok(written) => self.rest = &self.rest[written..],
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.rest = &[],
            Err(error) => return Err(error),
        }
        if self.rest.is_empty() {
            self.pipe = None;
        }
        Ok(())
    }
}

/// What was read so far. The pipe is closed at its end.
struct Drain<R> {
    pipe: Option<R>,
    read: Vec<u8>,
}

impl<R: Read> Drain<R> {
    fn step(&mut self) -> io::Result<()> {
        const CHUNK: usize = 64 * 1024;
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let length = self.read.len();
        self.read.resize(length + CHUNK, 0);
        let read = pipe.read(&mut self.read[length..]);
        self.read.truncate(length + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => self.pipe = None,
            Ok(_) => {}
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
