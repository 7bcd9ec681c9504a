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

#[cfg(test)]
mod tests {
    use super::{Handle, Owner, SharedHandle, Status};
    use crate::error::Error;
    use crate::sys::change::Change;
    use rstest::rstest;
    use std::process::{Child, Command};
    use std::sync::Arc;

    /// Starts a child that ends at once. Its handle has no descriptor, and is shared.
    fn started() -> (Child, Owner, Arc<SharedHandle>) {
        let child = Command::new("true").spawn().expect("it starts");
        let handle = Handle::new(i32::try_from(child.id()).expect("a pid"), None, false, None);
        let (owner, shared) = Owner::Alone(handle).share();
        (child, owner, shared)
    }

    /// Returns true if a signal is sent, and false if it is not because the child was reaped.
    fn sends(shared: &SharedHandle) -> bool {
        let mut is_sent = false;
        let send = || {
            is_sent = true;
            Ok(())
        };
        shared.gate.signal(shared.handle.pid, send).expect("the status is not lost");
        is_sent
    }

    type Wait = fn(&Owner) -> bool;

    #[rstest]
    #[case::wait(|it: &Owner| it.wait(Status::Take).is_ok())]
    #[case::try_wait(|it: &Owner| matches!(it.try_wait(Status::Take), Ok(Some(_))))]
    #[case::try_change(|it: &Owner| matches!(it.try_change(Status::Take), Ok(Some(Change::Ended(_)))))]
    fn no_signal_follows_a_status_that_was_taken(#[case] wait: Wait) {
        let (_child, owner, shared) = started();
        owner.handle().await_end().expect("it is ours");
        assert!(sends(&shared));
        assert!(wait(&owner));
        assert!(!sends(&shared));
    }

    /// Only a wait by a pidfd leaves a status in place.
    #[rstest]
    #[case::wait(|it: &Owner| it.wait(Status::Leave).is_ok())]
    #[case::try_wait(|it: &Owner| matches!(it.try_wait(Status::Leave), Ok(Some(_))))]
    #[case::try_change(|it: &Owner| matches!(it.try_change(Status::Leave), Ok(Some(Change::Ended(_)))))]
    fn signals_reach_a_child_whose_status_was_left(#[case] wait: Wait) {
        let mut child = Command::new("true").spawn().expect("it starts");
        let mut handle = Handle::new(i32::try_from(child.id()).expect("a pid"), None, false, None);
        handle.open_descriptor();
        let leaves_status = handle.leaves_status();
        let (owner, shared) = Owner::Alone(handle).share();
        owner.handle().await_end().expect("it is ours");
        if leaves_status {
            assert!(wait(&owner));
            assert!(sends(&shared));
        }
        child.wait().expect("its status was left");
    }

    #[test]
    fn shared_handle_that_is_closed_sends_no_signal() {
        let (mut child, _, shared) = started();
        child.wait().expect("it is ours");
        shared.close();
        assert!(!sends(&shared));
    }

    /// The number of a child may be that of another process as soon as other code reaps the child. A pidfd refers to the child.
    #[rstest]
    fn abandoned_child_gets_signals_by_pidfd_only(#[values(false, true)] opens: bool) {
        let mut child = Command::new("true").spawn().expect("it starts");
        let mut handle = Handle::new(i32::try_from(child.id()).expect("a pid"), None, false, None);
        if opens {
            handle.open_descriptor();
        }
        let has_pidfd = handle.pidfd().is_some();
        let (owner, shared) = Owner::Alone(handle).share();
        owner.abandon();
        let sent = shared.gate.signal(shared.handle.pid, || Ok(()));
        assert!(if has_pidfd { sent.is_ok() } else { matches!(sent, Err(Error::StatusLost { .. })) });
        child.wait().expect("nothing else reaps it");
    }
}
