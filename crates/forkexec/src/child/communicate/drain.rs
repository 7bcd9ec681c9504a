//! An output of a child.

use super::lines::Lines;
use super::stream::{Stream, is_temporary};
use std::io;

/// The longest line that is not split into pieces, unless the caller sets another limit.
const LONGEST_LINE: usize = 1 << 20;

/// The output that was read. The pipe is closed at its end.
#[derive(Debug)]
pub(crate) struct Drain<P, T> {
    stream: Stream<P>,
    pub(crate) read: Vec<u8>,
    lines: Option<Lines<T>>,
    /// The callback for each piece that is read.
    chunks: Option<T>,
    pub(crate) longest_line: usize,
    pub(crate) collects_lines: bool,
    /// True if a carriage return ends a line, too.
    pub(crate) carriage_return_ends_line: bool,
    /// The most bytes that a run reads.
    pub(crate) limit: Option<usize>,
    /// The number of bytes that are left of this limit.
    pub(super) room: usize,
    /// The number of unread bytes that the child itself wrote, counted when its exit was noticed.
    pub(super) owed: usize,
}

impl<P, T: FnMut(&[u8]) -> bool> Drain<P, T> {
    pub(super) fn new(pipe: Option<P>) -> Self {
        Self {
            stream: Stream::new(pipe),
            read: Vec::new(),
            lines: None,
            chunks: None,
            carriage_return_ends_line: false,
            longest_line: LONGEST_LINE,
            collects_lines: false,
            limit: None,
            room: usize::MAX,
            owed: 0,
        }
    }

    /// Sets the callback for lines. It gets the text that an earlier one did not get.
    pub(crate) fn tell(&mut self, tell: T) {
        let text = self.lines.take().map(Lines::into_text).unwrap_or_default();
        self.lines = Some(Lines::new(tell, text));
    }

    /// Sets the callback for each piece that is read. Its return value has no effect.
    pub(crate) fn tell_chunks(&mut self, tell: T) {
        self.chunks = Some(tell);
    }

    pub(super) fn begin(&mut self) {
        self.room = self.limit.unwrap_or(usize::MAX);
    }

    pub(super) fn is_open(&self) -> bool {
        self.stream.is_open()
    }

    pub(crate) fn pipe(&mut self) -> Option<&mut P> {
        self.stream.pipe()
    }

    /// Notes the number of bytes that are in the pipe when the child has exited.
    ///
    /// # Errors
    ///
    /// The error of the call, once.
    pub(crate) fn owe(&mut self, unread: io::Result<usize>) -> io::Result<()> {
        self.owed = self.checked(unread)?;
        Ok(())
    }

    /// Notes what a read into `buffer` returned. Returns the number of bytes.
    pub(super) fn note(&mut self, buffer: &[u8], read: io::Result<usize>) -> io::Result<usize> {
        match read {
            Ok(0) => {
                self.stream.close();
                self.owed = 0;
            }
            Ok(count) => {
                self.room = self.room.saturating_sub(count);
                self.owed = self.owed.saturating_sub(count);
                self.collect(&buffer[..count]);
                return Ok(count);
            }
            Err(error) if is_temporary(&error) => {}
            Err(error) => return self.checked(Err(error)),
        }
        Ok(0)
    }

    /// Returns the result of a call on the pipe. After an error the pipe is not used any more.
    pub(crate) fn checked<R>(&mut self, done: io::Result<R>) -> io::Result<R> {
        if done.is_err() {
            self.stream.note_error();
            self.owed = 0;
        }
        done
    }

    fn collect(&mut self, bytes: &[u8]) {
        if let Some(tell) = &mut self.chunks {
            tell(bytes);
        }
        if let Some(lines) = &mut self.lines {
            lines.add(bytes);
        }
        if self.lines.is_none() || self.collects_lines {
            self.read.extend_from_slice(bytes);
        }
    }

    /// Calls back for each complete line, and for a partial last line if the output has ended. Returns true
    /// if a callback asked to stop.
    pub(super) fn tell_lines(&mut self) -> bool {
        if !self.is_open() {
            return self.tell_rest();
        }
        self.lines
            .as_mut()
            .is_some_and(|lines| lines.tell_whole(self.longest_line, self.carriage_return_ends_line))
    }

    /// Calls back for all lines, also for a partial last one.
    pub(super) fn tell_rest(&mut self) -> bool {
        self.lines
            .as_mut()
            .is_some_and(|lines| lines.tell_all(self.longest_line, self.carriage_return_ends_line))
    }

    pub(crate) fn take_pipe(&mut self) -> Option<P> {
        self.stream.take()
    }
}
