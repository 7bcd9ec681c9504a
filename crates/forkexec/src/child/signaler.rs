//! Signals to a child that another thread waits for.

use crate::child::Child;
use crate::error::Error;
use crate::sys::owner::SharedHandle;
use std::sync::Arc;

/// Sends signals to a child, or to all children of a pipeline, while another thread waits for them.
///
/// A signal never goes to another process, also if the child is reaped at the same moment and its pid is
/// reused: it goes to the [`pidfd`](Child::pidfd), and without one, a lock keeps the signal and the reaping
/// apart. No thread holds that lock while it waits.
///
/// The clones are for the same children. A signaler does not keep the child running, and it works as long as
/// the child runs, also after the [`Child`] was dropped. A forked process cannot use it.
///
/// # Examples
///
/// ```
/// use forkexec::Command;
/// use std::os::unix::process::ExitStatusExt;
/// use std::thread;
///
/// let mut child = Command::new("sleep").arg("60").spawn()?;
/// let signaler = child.signaler();
/// let killer = thread::spawn(move || signaler.kill());
/// assert_eq!(child.wait()?.signal(), Some(9));
/// killer.join().expect("it does not panic")?;
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Signaler(Arc<[Arc<SharedHandle>]>);

impl Signaler {
    pub(crate) fn new<'a>(children: impl Iterator<Item = &'a mut Child>) -> Self {
        Self(children.map(|child| child.process.share()).collect())
    }

    /// Sends a signal. If the child was waited for, nothing is sent.
    ///
    /// # Errors
    ///
    /// - Returns [`Error::Child`] if the signal is not permitted, or if there is no signal with this number.
    /// - Returns [`Error::StatusLost`] if waiting for the child returned it, or if the child was abandoned
    ///   ([`OnDrop::Abandon`](crate::OnDrop::Abandon)) and has no pidfd.
    ///
    /// If there are several children, the error is that of the first for which the call fails. All others
    /// have got the signal then.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// let signaler = child.signaler();
    /// signaler.send_signal(libc::SIGTERM)?;
    /// assert!(!child.wait()?.success());
    /// signaler.send_signal(libc::SIGTERM)?; // no effect
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn send_signal(&self, signal: i32) -> Result<(), Error> {
        let sent: Vec<_> = self.0.iter().map(|child| child.signal(signal)).collect();
        sent.into_iter().collect()
    }

    /// Sends `SIGKILL`, as [`send_signal`](Self::send_signal).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`send_signal`](Self::send_signal).
    ///
    /// # Examples
    ///
    /// See [`Signaler`].
    pub fn kill(&self) -> Result<(), Error> {
        self.send_signal(libc::SIGKILL)
    }
}

impl Child {
    /// Returns a handle by which other threads can send signals to the child while this one waits.
    ///
    /// # Examples
    ///
    /// See [`Signaler`].
    pub fn signaler(&mut self) -> Signaler {
        Signaler::new(std::iter::once(self))
    }
}
