//! The end of a child, as something to await.

use super::by_thread::Waiter;
use crate::{Error, OnDrop};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::process::ExitStatus;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A child, and who tells of its end.
#[derive(Debug)]
pub(super) enum Watch {
    /// The runtime, by the child's descriptor.
    Descriptor(AsyncFd<HasDescriptor>),
    /// A thread that waits for it, as soon as somebody asked for that.
    Thread { child: crate::Child, waiter: Option<Waiter> },
}

/// A child that has a descriptor.
#[derive(Debug)]
pub(super) struct HasDescriptor(crate::Child);

impl AsRawFd for HasDescriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_handle().expect("it is made of a child with a descriptor").as_raw_fd()
    }
}

impl Watch {
    /// Has a child watched. One that cannot be is dropped.
    pub(super) fn new(child: crate::Child) -> io::Result<Self> {
        if child.as_handle().is_none() {
            return Ok(Self::Thread { child, waiter: None });
        }
        // SAFETY: the descriptor is the child's for as long as that lives, and the answer owns the child.
        let watched = unsafe { AsyncFd::register_with_interest(HasDescriptor(child), Interest::READABLE) };
        match watched.map_err(tokio::io::unix::AsyncFdRegisterError::into_parts) {
            Ok(watched) => Ok(Self::Descriptor(watched)),
            // Linux 5.2 has such descriptors, and no way to wait for one.
            Err((HasDescriptor(child), error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(Self::Thread { child, waiter: None })
            }
            Err((_, error)) => Err(error),
        }
    }

    pub(super) fn child(&self) -> &crate::Child {
        match self {
            Self::Descriptor(watched) => &watched.get_ref().0,
            Self::Thread { child, .. } => child,
        }
    }

    pub(super) fn child_mut(&mut self) -> &mut crate::Child {
        match self {
            Self::Descriptor(watched) => &mut watched.get_mut().0,
            Self::Thread { child, .. } => child,
        }
    }

    pub(super) fn replace_on_drop(&mut self, policy: OnDrop) -> OnDrop {
        self.child_mut().replace_on_drop(policy)
    }

    /// Waits until it has ended. Who stops waiting has lost nothing.
    pub(super) async fn wait(&mut self) -> Result<ExitStatus, Error> {
        match self {
            Self::Descriptor(watched) => loop {
                let mut ready = watched.readable_mut().await.map_err(unwaited)?;
                if let Some(status) = ready.get_inner_mut().0.try_wait()? {
                    return Ok(status);
                }
                ready.clear_ready();
            },
            Self::Thread { child, waiter } => {
                if let Some(status) = child.try_wait()? {
                    return Ok(status);
                }
                let thread = match waiter {
                    Some(thread) => thread,
                    None => waiter.insert(Waiter::start(child.id()).map_err(unwaited)?),
                };
                let ended = thread.ended().await;
                *waiter = None;
                ended.map_err(unwaited)?;
                child.wait() // which takes no time
            }
        }
    }
}

fn unwaited(source: io::Error) -> Error {
    Error::Child { what: "wait for the child", error: source }
}
