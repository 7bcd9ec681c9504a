//! The owner of a child's status, which alone may reap the child.

use super::gate::Gate;
use super::wait::{Handle, Status};
use super::waitid::Ending;
use crate::error::Error;
use crate::sys::change::Change;
use std::sync::Arc;

/// The owner of a child's status. If other threads may send signals to the child, they share its handle.
#[derive(Debug)]
pub(crate) enum Owner {
    Alone(Handle),
    Shared(Arc<SharedHandle>),
}

/// A handle that several threads have.
#[derive(Debug)]
pub(crate) struct SharedHandle {
    handle: Handle,
    gate: Gate,
}

impl Owner {
    pub(crate) fn handle(&self) -> &Handle {
        match self {
            Self::Alone(handle) => handle,
            Self::Shared(shared) => &shared.handle,
        }
    }

    /// Shares the handle. It is shared from now on.
    pub(crate) fn share(self) -> (Self, Arc<SharedHandle>) {
        let shared = match self {
            Self::Alone(handle) => Arc::new(SharedHandle { handle, gate: Gate::new() }),
            Self::Shared(shared) => shared,
        };
        (Self::Shared(Arc::clone(&shared)), shared)
    }

    /// Opens a descriptor that is readable when the child has ended, unless there is one, and returns true if
    /// there is one now. The handle must not be shared for that.
    pub(crate) fn open_descriptor(&mut self) -> bool {
        match self {
            Self::Alone(handle) => handle.open_descriptor(),
            Self::Shared(shared) => shared.handle.fd.is_some(),
        }
    }

    /// Waits for the child to end.
    pub(crate) fn wait(&self, status: Status) -> Result<Ending, Error> {
        match self {
            Self::Shared(shared) if status == Status::Take => loop {
                shared.handle.await_end()?;
                if let Some(ending) = self.try_wait(status)? {
                    return Ok(ending);
                }
            },
            owner => owner.handle().wait(status),
        }
    }

    /// Returns how the child ended, if it has.
    pub(crate) fn try_wait(&self, status: Status) -> Result<Option<Ending>, Error> {
        match self {
            Self::Shared(shared) if status == Status::Take => {
                shared.gate.reap(|| shared.handle.try_wait(status), |_| true)
            }
            owner => owner.handle().try_wait(status),
        }
    }

    /// Returns the last change of the child's state, if there is one.
    pub(crate) fn try_change(&self, status: Status) -> Result<Option<Change>, Error> {
        let change = || self.handle().try_change(status);
        match self {
            Self::Alone(_) => change(),
            Self::Shared(shared) => shared
                .gate
                .reap(change, |change| status == Status::Take && matches!(change, Change::Ended(_))),
        }
    }

    /// Leaves the child to other code. A pid that other code may reap gets no signal.
    pub(crate) fn abandon(self) {
        match self {
            Self::Shared(shared) if shared.handle.pidfd().is_none() => shared.give_up(),
            _ => {}
        }
    }
}

impl SharedHandle {
    /// Sends no more signals, because other code reaps the child, or may.
    pub(crate) fn give_up(&self) {
        self.gate.give_up();
    }

    /// Sends no more signals, because the child was reaped.
    pub(crate) fn close(&self) {
        self.gate.close();
    }

    /// Sends a signal, unless the child was reaped.
    pub(crate) fn signal(&self, signal: i32) -> Result<(), Error> {
        self.gate.signal(self.handle.pid, || self.handle.signal(signal))
    }
}
