//! A driver's pipe, until it ends or a call on it fails.

use std::io;

/// One direction of a conversation. It does nothing with the pipe but drop it.
#[derive(Debug)]
pub(super) struct Stream<P> {
    pipe: Option<P>,
    /// A call failed, and its error was returned. The pipe is not used any more.
    is_broken: bool,
}

impl<P> Stream<P> {
    pub(super) fn new(pipe: Option<P>) -> Self {
        Self { pipe, is_broken: false }
    }

    pub(super) fn is_open(&self) -> bool {
        self.pipe.is_some() && !self.is_broken
    }

    pub(super) fn pipe(&mut self) -> Option<&mut P> {
        self.pipe.as_mut().filter(|_| !self.is_broken)
    }

    pub(super) fn close(&mut self) {
        if !self.is_broken {
            self.pipe = None;
        }
    }

    /// Takes the pipe out, also a broken one.
    pub(super) fn take(&mut self) -> Option<P> {
        self.pipe.take()
    }

    pub(super) fn note_error(&mut self) {
        self.is_broken = true;
    }
}

/// Returns true if the same call can succeed later.
pub(super) fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
