//! All descriptors but a few: closes them, or changes their close-on-exec flags.

use crate::child::close_method::CloseMethod;
use crate::sys::open_fds;
use forkexec_core::{CloseStrategy, Closer, Errno, KeepList};
use std::io;
use std::os::fd::RawFd;

/// All descriptors of this process from a number up, except some.
///
/// The value is a rule, not a list of open descriptors: a method that is called later applies to what is open then. It
/// is made in advance, because making it allocates and its use does not. So a forked child can use it.
///
/// # Examples
///
/// A daemon that keeps the socket that it inherited as number 3 closes everything else that it inherited:
///
/// ```
/// use forkexec::fds::AllFds;
///
/// let others = AllFds::starting_at(3).except([3]);
/// // SAFETY: the program has just started, and no code has opened or taken a descriptor yet.
/// let method = unsafe { others.close() }?;
/// println!("closed by {method}");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllFds {
    first: RawFd,
    /// Sorted, without duplicates and negative numbers.
    except: Vec<RawFd>,
    strategy: CloseStrategy,
}

impl AllFds {
    /// Creates the rule for all descriptors from `first` up. `starting_at(3)` leaves the standard streams alone.
    ///
    /// # Examples
    ///
    /// See [`AllFds`].
    pub fn starting_at(first: RawFd) -> Self {
        open_fds::prepare();
        Self { first: first.max(0), except: Vec::new(), strategy: CloseStrategy::Bulk }
    }

    /// Excepts descriptors. They may be in any order, and need not be open. Later calls add to earlier ones.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::fds::AllFds;
    ///
    /// assert_eq!(AllFds::starting_at(3).except([9, 7, 9]), AllFds::starting_at(3).except([7]).except([9]));
    /// ```
    #[must_use]
    pub fn except(mut self, fds: impl IntoIterator<Item = RawFd>) -> Self {
        self.except.extend(fds.into_iter().filter(|&fd| fd >= 0));
        self.except.sort_unstable();
        self.except.dedup();
        self
    }

    /// Sets the first step of the chain. It begins with [`CloseStrategy::Bulk`] by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::CloseStrategy;
    /// use forkexec::fds::AllFds;
    ///
    /// // No call that a filter from before Linux 5.9 may not know.
    /// let others = AllFds::starting_at(3).close_strategy(CloseStrategy::Enumerate);
    /// # drop(others);
    /// ```
    #[must_use]
    pub fn close_strategy(mut self, strategy: CloseStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Closes the descriptors, and returns the method that closed them. Async-signal-safe: a forked child may call it.
    ///
    /// If another thread opens descriptors meanwhile, some of those may be closed and some not.
    ///
    /// # Errors
    ///
    /// - Returns `EOVERFLOW` if only closing number by number is possible, and the limit of descriptors is too high to
    ///   do that in bounded time. Some descriptors may be closed.
    ///
    /// # Safety
    ///
    /// Other code of this process owns most of the descriptors: `File`s of other modules, the reactor of a runtime, the
    /// connections of a C library. After this call their numbers may be reused, and that code would then act on
    /// descriptors that it does not own. So the caller must ensure one of these:
    ///
    /// - The process has just started, and no code of it has opened or taken a descriptor.
    /// - The process is a forked child, and until it execs or exits it runs only code that uses none of them.
    /// - The caller owns all of them by other means.
    ///
    /// Descriptors of this library are closed, too: those of [`low_fds`](crate::low_fds), and of children.
    ///
    /// # Examples
    ///
    /// See [`AllFds`].
    pub unsafe fn close(&self) -> io::Result<CloseMethod> {
        // SAFETY: the caller upholds the contract, which is the same.
        told(self.keep_list().and_then(|keep| unsafe { open_fds::close(self.first, keep, self.strategy) }))
    }

    /// Sets close-on-exec on the descriptors, or clears it, and returns the method. No descriptor is closed, and the
    /// flags of the excepted ones do not change. Async-signal-safe: a forked child may call it.
    ///
    /// Setting takes one call for each gap between excepted descriptors on Linux from 5.11 on, and on FreeBSD from 14.0
    /// on. Clearing takes one call for each descriptor on all systems.
    ///
    /// If another thread opens descriptors meanwhile, some of those may be changed and some not.
    ///
    /// # Errors
    ///
    /// Some flags may have changed, in each case.
    ///
    /// - Returns the errno of fcntl(2) if it fails for an open descriptor, as under a filter that refuses it.
    /// - Returns `EOVERFLOW` as [`close`](Self::close).
    ///
    /// # Safety
    ///
    /// Other code of this process owns most of the descriptors, and may rely on their flags: it clears close-on-exec
    /// right before it starts a child that needs the descriptor, or sets it to keep a secret from children. So the
    /// caller must ensure one of these:
    ///
    /// - The process is a forked child, and until it execs or exits it runs only code that relies on none of the flags.
    /// - No other code of this process starts a program or executes one before the flags are as that code left them.
    /// - The caller owns all of the descriptors.
    ///
    /// # Examples
    ///
    /// A child that the program forks itself, and that executes a program:
    ///
    /// ```
    /// use forkexec::fds::AllFds;
    /// use std::fs::File;
    /// use std::os::fd::AsRawFd;
    ///
    /// let passed = File::open("/etc/hosts")?;
    /// let others = AllFds::starting_at(3).except([passed.as_raw_fd()]);
    /// // SAFETY: the child makes only async-signal-safe calls, and exits.
    /// let child = unsafe { libc::fork() };
    /// if child == 0 {
    ///     // SAFETY: this child only exits. A real one would execute a program here.
    ///     let done = unsafe { others.set_cloexec(true) };
    ///     // SAFETY: ends the child without destructors.
    ///     unsafe { libc::_exit(if done.is_ok() { 0 } else { 1 }) };
    /// }
    /// let mut status = 1;
    /// // SAFETY: the child is this program's, and one int is written.
    /// assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    /// assert_eq!(status, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub unsafe fn set_cloexec(&self, cloexec: bool) -> io::Result<CloseMethod> {
        let change = |keep| {
            // SAFETY: the caller upholds the contract, which is the same.
            unsafe { open_fds::set_cloexec(self.first, keep, cloexec, self.strategy) }
        };
        told(self.keep_list().and_then(change))
    }

    fn keep_list(&self) -> Result<KeepList<'_>, Errno> {
        KeepList::new(&self.except).map_err(|_| Errno::INVAL)
    }
}

fn told(done: Result<Closer, Errno>) -> io::Result<CloseMethod> {
    done.map(CloseMethod::of).map_err(|errno| io::Error::from_raw_os_error(errno.raw()))
}
