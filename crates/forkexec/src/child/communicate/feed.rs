//! What a child is told.

use super::pipe::{Pipe, is_passing};
use super::sigpipe;
use crate::sys::system;
use nix::poll::{PollFd, PollFlags};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ChildStdin;

/// What is still to be written. The pipe is closed when all was, or nobody reads.
pub(super) struct Feed<'c> {
    pipe: Option<Pipe<ChildStdin>>,
    /// A call failed, which was told: nothing more is written.
    is_broken: bool,
    rest: VecDeque<Cow<'c, [u8]>>,
    /// How much of the first was written.
    begun: usize,
    pub(super) keep_open: bool,
    pub(super) written: usize,
    pub(super) left_unread: Option<usize>,
}

impl<'c> Feed<'c> {
    pub(super) fn new(pipe: Option<ChildStdin>) -> Self {
        Self {
            pipe: pipe.map(Pipe::new),
            is_broken: false,
            rest: VecDeque::new(),
            begun: 0,
            keep_open: false,
            written: 0,
            left_unread: None,
        }
    }

    pub(super) fn add(&mut self, input: Cow<'c, [u8]>) {
        if !input.is_empty() && self.pipe.is_some() && !self.is_broken {
            self.rest.push_back(input);
        }
    }

    pub(super) fn unblock(&mut self) -> io::Result<()> {
        // There is nothing to write for one that is closed at once.
        if self.rest.is_empty() {
            return Ok(());
        }
        let unblocked = self.pipe.as_mut().map_or(Ok(()), Pipe::unblock);
        self.unless_broken(unblocked)
    }

    pub(super) fn is_done(&self) -> bool {
        self.pipe.is_none() || self.is_broken || self.keep_open && self.rest.is_empty()
    }

    pub(super) fn close_if_done(&mut self) {
        if self.rest.is_empty() && !self.keep_open && !self.is_broken {
            self.pipe = None;
        }
    }

    pub(super) fn wanted(&self) -> Option<PollFd<'_>> {
        let pipe = self.pipe.as_ref().filter(|_| !self.rest.is_empty())?;
        Some(PollFd::new(pipe.as_fd(), PollFlags::POLLOUT))
    }

    /// Writes as much as the pipe takes.
    pub(super) fn step(&mut self) -> io::Result<()> {
        let (Some(pipe), Some(first)) = (&mut self.pipe, self.rest.front()) else { return Ok(()) };
        match sigpipe::without_signal(|| pipe.end.write(&first[self.begun..])) {
            Ok(written) => self.note(written),
            Err(error) if is_passing(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.end(),
            Err(error) => return self.unless_broken(Err(error)),
        }
        Ok(())
    }

    /// An error is told once. The next run goes on without what is not written yet.
    fn unless_broken<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        if done.is_err() {
            self.is_broken = true;
            self.rest.clear();
            self.begun = 0;
        }
        done
    }

    fn note(&mut self, written: usize) {
        self.written += written;
        self.begun += written;
        if self.rest.front().is_some_and(|first| first.len() == self.begun) {
            self.rest.pop_front();
            self.begun = 0;
        }
    }

    /// Nobody reads any more.
    fn end(&mut self) {
        let pipe = self.pipe.as_ref().filter(|_| system::WRITER_SEES_UNREAD);
        self.left_unread = pipe.and_then(|pipe| pipe.unread().ok());
        self.pipe = None;
        self.rest.clear();
    }

    pub(super) fn give_back(&mut self) -> Option<ChildStdin> {
        self.pipe.take().map(Pipe::into_end)
    }
}
