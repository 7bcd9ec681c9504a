//! The end of a child, as a future.

use super::by_thread::Waiter;
use super::register::register;
use crate::config::settings::OnDrop;
use crate::error::Error;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::process::ExitStatus;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A child, and what reports its end.
#[derive(Debug)]
pub(super) struct Watch {
    /// Dropped before the child, which owns the descriptor.
    by: By,
    child: crate::Child,
}

#[derive(Debug)]
enum By {
    /// A runtime watches the child's descriptor.
    Descriptor(AsyncFd<RawFd>),
    /// A thread waits for the child. It is started by the first wait.
    Thread(Option<Waiter>),
}

impl By {
    /// Registers a child with the runtime of this thread.
    ///
    /// # Safety
    ///
    /// The child must outlive the returned value.
    unsafe fn of(child: &crate::Child) -> io::Result<Self> {
        let Some(handle) = child.exit_fd() else { return Ok(Self::Thread(None)) };
        // SAFETY: the child owns the descriptor and keeps it open, and the caller promises that it outlives
        // this value.
        let watched = unsafe { register(handle.as_raw_fd(), Interest::READABLE) };
        match watched {
            Ok(watched) => Ok(Self::Descriptor(watched)),
            // Linux 5.2 has pidfds, but epoll(7) cannot watch them.
            Err((_, error)) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Self::Thread(None)),
            Err((_, error)) => Err(error),
        }
    }
}

impl Watch {
    /// Watches a child. If it cannot be watched, it is dropped.
    pub(super) fn new(mut child: crate::Child) -> io::Result<Self> {
        child.open_spared();
        // SAFETY: `Watch` owns both, drops the child last, and never moves it out.
        let by = unsafe { By::of(&child) }?;
        Ok(Self { by, child })
    }

    pub(super) fn child(&self) -> &crate::Child {
        &self.child
    }

    pub(super) fn child_mut(&mut self) -> &mut crate::Child {
        &mut self.child
    }

    pub(super) fn replace_on_drop(&mut self, policy: OnDrop) -> OnDrop {
        self.child.replace_on_drop(policy)
    }

    /// Waits for the child to end. The future is cancel safe.
    ///
    /// A status that is already known needs no runtime. If the runtime that watches the child was shut down,
    /// the current one takes over.
    pub(super) async fn wait(&mut self) -> Result<ExitStatus, Error> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        if self.ends().await.is_err() {
            // SAFETY: as in `new`.
            self.by = unsafe { By::of(&self.child) }.map_err(unwaited)?;
            self.ends().await.map_err(unwaited)?;
        }
        self.child.wait() // which takes no time
    }

    /// Returns when the child has ended.
    async fn ends(&mut self) -> io::Result<()> {
        let watched = match &mut self.by {
            By::Descriptor(watched) => watched,
            By::Thread(waiter) => {
                let thread = match waiter {
                    Some(thread) => thread,
                    None => waiter.insert(Waiter::start(self.child.pid())?),
                };
                let ended = thread.ended().await;
                *waiter = None;
                return ended;
            }
        };
        loop {
            let mut ready = watched.readable_mut().await?;
            match self.child.try_wait() {
                Ok(None) => ready.clear_ready(),
                // The caller asks again, and gets the error then.
                Ok(Some(_)) | Err(_) => return Ok(()),
            }
        }
    }
}

fn unwaited(source: io::Error) -> Error {
    Error::Child { what: "wait for the child", error: source }
}
