//! The process of a child: what is known of its end, and what becomes of it when nobody holds it any more.

use crate::Error;
use crate::settings::OnDrop;
use crate::wait::Handle;
use std::process::ExitStatus;
use std::time::Duration;

/// A child that runs, or has ended.
#[derive(Debug)]
pub(crate) struct Process {
    handle: Handle,
    ended: Option<Ended>,
    on_drop: OnDrop,
}

/// How a child ended.
#[derive(Clone, Copy, Debug)]
enum Ended {
    With(ExitStatus),
    /// Somebody else took its status.
    Unseen,
}

impl Process {
    pub(crate) fn new(handle: Handle, on_drop: OnDrop) -> Self {
        Self { handle, ended: None, on_drop }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus, Error> {
        match self.ended {
            Some(ended) => self.status_of(ended),
            None => self.note(self.handle.wait()),
        }
    }

    /// Its status if it has ended.
    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        match self.ended {
            Some(ended) => self.status_of(ended).map(Some),
            None => self.handle.try_wait().transpose().map(|waited| self.note(waited)).transpose(),
        }
    }

    /// Its status if it ends within this time.
    pub(crate) fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<ExitStatus>, Error> {
        if let Some(status) = self.try_wait()? {
            return Ok(Some(status));
        }
        if self.handle.ends_within(timeout)? { self.wait().map(Some) } else { Ok(None) }
    }

    /// Sends a signal, unless it was waited for.
    pub(crate) fn signal(&self, signal: i32) -> Result<(), Error> {
        match self.ended {
            Some(ended) => self.status_of(ended).map(drop),
            None => self.handle.signal(signal),
        }
    }

    /// Remembers how it ended: its number may be another process's from now on.
    fn note(&mut self, waited: Result<ExitStatus, Error>) -> Result<ExitStatus, Error> {
        match &waited {
            Ok(status) => self.ended = Some(Ended::With(*status)),
            Err(Error::StatusLost { .. }) => self.ended = Some(Ended::Unseen),
            Err(_) => {}
        }
        waited
    }

    fn status_of(&self, ended: Ended) -> Result<ExitStatus, Error> {
        match ended {
            Ended::With(status) => Ok(status),
            Ended::Unseen => Err(Error::StatusLost { pid: self.handle.pid.unsigned_abs() }),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.on_drop == OnDrop::Leave || self.ended.is_some() {
            return;
        }
        // Nobody is there to hear of an error.
        let killed = self.signal(libc::SIGKILL);
        if self.on_drop == OnDrop::KillAndWait && killed.is_ok() {
            let _ = self.wait();
        }
    }
}
