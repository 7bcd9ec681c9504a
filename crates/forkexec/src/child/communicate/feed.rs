//! The input of a child.

use super::stream::{Stream, is_temporary};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;

/// The input that is not written yet. The pipe is closed when all is written, or if the child does not read any more.
#[derive(Debug)]
pub(crate) struct Feed<'c, P> {
    stream: Stream<P>,
    /// Empty if the stream is not open.
    rest: VecDeque<Cow<'c, [u8]>>,
    /// The number of bytes of the first piece that are written.
    begun: usize,
    pub(crate) keep_open: bool,
    pub(crate) written: usize,
}

impl<'c, P> Feed<'c, P> {
    pub(super) fn new(pipe: Option<P>) -> Self {
        let stream = Stream::new(pipe);
        Self { stream, rest: VecDeque::new(), begun: 0, keep_open: false, written: 0 }
    }

    pub(crate) fn add(&mut self, input: Cow<'c, [u8]>) {
        if !input.is_empty() && self.stream.is_open() {
            self.rest.push_back(input);
        }
    }

    pub(super) fn close_if_done(&mut self) {
        if self.is_done() && !self.keep_open {
            self.stream.close();
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// The pipe and the bytes to write next.
    pub(crate) fn pending(&mut self) -> Option<(&mut P, &[u8])> {
        Some((self.stream.pipe()?, self.rest.front()?.get(self.begun..)?))
    }

    /// Notes what a write returned. Returns the pipe if nothing reads from it any more.
    ///
    /// # Errors
    ///
    /// The error of the write, once: the input that is left is forgotten.
    pub(crate) fn wrote(&mut self, written: io::Result<usize>) -> io::Result<Option<P>> {
        match written {
            Ok(count) => self.note(count),
            Err(error) if is_temporary(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.forget();
                return Ok(self.stream.take());
            }
            Err(error) => self.checked(Err(error))?,
        }
        Ok(None)
    }

    /// Returns the result of a call on the pipe. After an error the pipe is not used any more.
    pub(crate) fn checked<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        if done.is_err() {
            self.stream.note_error();
            self.forget();
        }
        done
    }

    fn note(&mut self, count: usize) {
        self.written += count;
        self.begun += count;
        if self.rest.front().is_some_and(|first| first.len() == self.begun) {
            self.rest.pop_front();
            self.begun = 0;
        }
        self.close_if_done();
    }

    fn forget(&mut self) {
        self.rest.clear();
        self.begun = 0;
    }

    pub(crate) fn take_pipe(&mut self) -> Option<P> {
        self.stream.take()
    }
}
