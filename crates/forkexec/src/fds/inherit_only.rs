//! Exact starts of other libraries' commands.

use crate::config::source::FdSource;
use crate::sys::open_fds;
use forkexec_core::{Errno, KeepList};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;

/// The descriptors that a child inherits besides 0, 1 and 2: see [`InheritOnly`].
///
/// # Examples
///
/// See [`InheritOnly`].
#[derive(Debug, Default)]
pub struct KeptFds(Vec<FdSource<'static>>);

impl KeptFds {
    /// Creates an empty list: the child inherits 0, 1 and 2 only.
    ///
    /// # Examples
    ///
    /// See [`InheritOnly`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a descriptor. The child gets it under the same number, without close-on-exec.
    ///
    /// The list owns it, so its number cannot be closed and reused before a start. To keep using the descriptor, pass an
    /// `Arc<OwnedFd>` or a duplicate (`try_clone`). In this process nothing changes, not even its close-on-exec flag.
    ///
    /// # Examples
    ///
    /// See [`InheritOnly`].
    #[must_use]
    pub fn keep(mut self, fd: impl Into<FdSource<'static>>) -> Self {
        self.0.push(fd.into());
        self
    }
}

/// Makes the start of a command of std exact, or of tokio (feature `tokio-process`): its children inherit 0, 1, 2 and the
/// descriptors that the caller names, and no others.
///
/// This is for programs that cannot move to [`Command`](crate::Command) yet. `Command` starts faster, reports errors in
/// more detail, and can pass a descriptor under another number.
///
/// # Mechanism
///
/// The method registers a closure with the command ([`pre_exec`](CommandExt::pre_exec)). In the child, the closure sets
/// close-on-exec on every descriptor from 3 up that is not kept, and clears it on the kept ones. It closes nothing, so the
/// pipe through which std reports a failed exec works as always. The closure is async-signal-safe, as such a closure must
/// be: it does not allocate, lock or panic.
///
/// - *Cost*: with any closure, std starts the child by fork(2) instead of `posix_spawn`. That takes longer the more
///   memory the parent has.
/// - *Order*: closures run in the order in which they are registered. A descriptor that a later closure opens is not
///   covered. Call this method last.
/// - *Errors*: if a flag cannot be changed, `spawn` returns the errno, and no program runs. If a descriptor with number
///   0, 1 or 2 is kept, it returns `EINVAL`, because std has put a stream there.
/// - *Numbers*: a kept descriptor keeps its number. A mapping could hit the number of std's own pipe, which no closure
///   can know, and would then hide a failed exec. [`Command::fd`](crate::Command::fd) has no such pipe.
/// - *`exec`*: [`CommandExt::exec`] runs closures in this process itself. If it failed, the flags of descriptors that
///   belong to other code would have changed. So the closure refuses that with `ENOTSUP`. Use
///   [`Command::exec`](crate::Command::exec).
///
/// # Examples
///
/// ```
/// use forkexec::fds::{InheritOnly, KeptFds};
/// use std::fs::File;
/// use std::os::fd::AsRawFd;
/// use std::process::Command;
///
/// let passed = File::open("/etc/hosts")?;
/// let mut command = Command::new("test");
/// command.args(["-e", &format!("/dev/fd/{}", passed.as_raw_fd())]);
/// command.inherit_only(KeptFds::new().keep(passed));
/// assert!(command.status()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait InheritOnly {
    /// Lets the children of this command inherit 0, 1, 2 and `fds`, and no other descriptors.
    ///
    /// A second call adds a second closure. Its list replaces the first one, because it runs later.
    ///
    /// # Examples
    ///
    /// See [`InheritOnly`].
    fn inherit_only(&mut self, fds: KeptFds) -> &mut Self;
}

impl InheritOnly for std::process::Command {
    fn inherit_only(&mut self, fds: KeptFds) -> &mut Self {
        // SAFETY: the closure makes only system calls: `KeptInChild::apply`.
        unsafe { self.pre_exec(closure(fds)) }
    }
}

#[cfg(feature = "tokio-process")]
impl InheritOnly for ::tokio::process::Command {
    fn inherit_only(&mut self, fds: KeptFds) -> &mut Self {
        // SAFETY: as for the command of std.
        unsafe { self.pre_exec(closure(fds)) }
    }
}

/// The data of the closure: the descriptors, and their numbers in order.
struct KeptInChild {
    _open: Vec<FdSource<'static>>,
    numbers: Vec<RawFd>,
    /// The process that registered the closure, where it must not run.
    parent: i32,
}

fn closure(KeptFds(open): KeptFds) -> impl FnMut() -> io::Result<()> + Send + Sync + 'static {
    open_fds::prepare();
    let mut numbers: Vec<RawFd> = open.iter().map(AsRawFd::as_raw_fd).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let kept = KeptInChild { _open: open, numbers, parent: open_fds::getpid() };
    move || kept.apply().map_err(|errno| io::Error::from_raw_os_error(errno.raw()))
}

impl KeptInChild {
    fn apply(&self) -> Result<(), Errno> {
        if open_fds::getpid() == self.parent {
            return Err(Errno::from_raw(libc::ENOTSUP));
        }
        let keep = KeepList::new(&self.numbers).map_err(|_| Errno::INVAL)?;
        if self.numbers.first().is_some_and(|&fd| fd < FIRST) {
            return Err(Errno::INVAL);
        }
        // SAFETY: std and tokio run a closure in the child, which executes the program next. The closure owns those in `keep`.
        unsafe { open_fds::keep_at_exec(FIRST, keep) }
    }
}

/// The first descriptor that is no standard stream.
const FIRST: RawFd = 3;
