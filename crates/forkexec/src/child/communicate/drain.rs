//! What a child says.

use super::lines::{Lines, Tell};
use super::pipe::{Pipe, is_passing};
use super::{LONGEST_LINE, StopReason};
use nix::poll::{PollFd, PollFlags};
use std::io::{self, Read};
use std::os::fd::AsFd;

/// As much as a pipe holds.
const CHUNK: usize = 64 * 1024;

/// How many bytes a run may still read.
pub(super) struct Room {
    pub(super) both: usize,
    pub(super) out: usize,
    pub(super) err: usize,
}

impl Room {
    /// Of both outputs, and of each.
    pub(super) fn new(limits: [Option<usize>; 3]) -> Self {
        let [both, out, err] = limits.map(|limit| limit.unwrap_or(usize::MAX));
        Self { both, out, err }
    }
}

/// What was read so far. The pipe is closed at its end.
pub(super) struct Drain<'c, R> {
    pipe: Option<Pipe<R>>,
    /// A call failed, which was told: nothing more is read.
    is_broken: bool,
    read: Vec<u8>,
    lines: Option<Lines<'c>>,
    pub(super) longest_line: usize,
    pub(super) collects_lines: bool,
    /// How many bytes the child itself had left in the pipe when its end was seen.
    pub(super) owed: usize,
}

impl<'c, R: Read + AsFd> Drain<'c, R> {
    pub(super) fn new(pipe: Option<R>) -> Self {
        Self {
            pipe: pipe.map(Pipe::new),
            is_broken: false,
            read: Vec::new(),
            lines: None,
            longest_line: LONGEST_LINE,
            collects_lines: false,
            owed: 0,
        }
    }

    /// From now on; what an earlier one was not told is this one's.
    pub(super) fn tell(&mut self, tell: Tell<'c>) {
        let text = self.lines.take().map(Lines::into_text).unwrap_or_default();
        self.lines = Some(Lines::new(tell, text));
    }

    pub(super) fn unblock(&mut self) -> io::Result<()> {
        let unblocked = self.open().map_or(Ok(()), Pipe::unblock);
        self.unless_broken(unblocked)
    }

    pub(super) fn is_done(&self) -> bool {
        self.pipe.is_none() || self.is_broken
    }

    pub(super) fn wanted(&self) -> Option<PollFd<'_>> {
        let pipe = self.pipe.as_ref().filter(|_| !self.is_broken)?;
        Some(PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
    }

    pub(super) fn owe_what_is_there(&mut self) -> io::Result<()> {
        let unread = self.open().map_or(Ok(0), |pipe| pipe.unread());
        self.owed = self.unless_broken(unread)?;
        Ok(())
    }

    /// Reads what is there, and no more than there is room for.
    pub(super) fn step(
        &mut self,
        buffer: &mut Vec<u8>,
        own_room: &mut usize,
        common_room: &mut usize,
    ) -> io::Result<Option<StopReason>> {
        buffer.resize(CHUNK, 0);
        let most = CHUNK.min(*own_room).min(*common_room);
        let Some(pipe) = self.open() else { return Ok(None) };
        let unread = if most == 0 { pipe.unread() } else { Ok(0) };
        // With no room, and nothing there although poll(2) says that there is something, it is the end.
        let read = unread.and_then(|unread| match unread {
            0 => pipe.end.read(&mut buffer[..most.max(1)]).map(Some),
            _ => Ok(None),
        });
        match read {
            Ok(None) => return Ok(Some(StopReason::Limit)),
            Ok(Some(0)) => self.end(),
            Ok(Some(count)) => {
                *own_room = own_room.saturating_sub(count);
                *common_room = common_room.saturating_sub(count);
                self.hear(&buffer[..count]);
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => return self.unless_broken(Err(error)),
        }
        Ok(self.tell_lines().then_some(StopReason::Line))
    }

    fn open(&mut self) -> Option<&mut Pipe<R>> {
        self.pipe.as_mut().filter(|_| !self.is_broken)
    }

    /// An error is told once. The next run goes on without this output.
    fn unless_broken<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        if done.is_err() {
            self.is_broken = true;
            self.owed = 0;
        }
        done
    }

    fn end(&mut self) {
        self.pipe = None;
        self.owed = 0;
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.owed = self.owed.saturating_sub(bytes.len());
        if let Some(lines) = &mut self.lines {
            lines.add(bytes);
        }
        if self.lines.is_none() || self.collects_lines {
            self.read.extend_from_slice(bytes);
        }
    }

    /// Tells the lines that are whole, and at the end the last one. Whether one of them was waited for.
    pub(super) fn tell_lines(&mut self) -> bool {
        if self.is_done() {
            return self.tell_rest();
        }
        self.lines.as_mut().is_some_and(|lines| lines.tell_whole(self.longest_line))
    }

    /// Tells all lines, the last one whether or not it is whole.
    pub(super) fn tell_rest(&mut self) -> bool {
        self.lines.as_mut().is_some_and(|lines| lines.tell_all(self.longest_line))
    }

    /// What was read, which is nobody else's then.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.read)
    }

    pub(super) fn give_back(&mut self) -> Option<R> {
        self.pipe.take().map(Pipe::into_end)
    }
}
