//! Children that share this process's descriptor table at first, as on Linux.

use forkexec_core::{Errno, Fd};
use std::io;
use std::mem::MaybeUninit;

/// Whether a child does that, so that it matters how high the descriptors are that it needs: nothing was refused so far.
pub(crate) fn shares_table() -> bool {
    super::LAUNCHER.shares_table()
}

/// dup3(2): duplicates `from` onto the open descriptor `to`, close-on-exec and in one step. It is asked again where it is
/// interrupted, or another thread's open is half-way on that number.
pub(crate) fn replace(from: Fd, to: Fd) -> Result<(), Errno> {
    loop {
        // SAFETY: no memory is passed.
        if unsafe { libc::dup3(from, to, libc::O_CLOEXEC) } >= 0 {
            return Ok(());
        }
        let errno = io::Error::last_os_error().raw_os_error().map_or(Errno::IO, Errno::from_raw);
        if !matches!(errno, Errno::INTR | Errno::BUSY) {
            return Err(errno);
        }
    }
}

/// Whether the file is of a kind on which nobody holds a record lock (`F_SETLK` of fcntl(2)): a process loses all its locks
/// of a file when it closes any descriptor of it, a duplicate, too.
///
/// That is so for pipes, sockets, what has no name and no kind (an eventfd, an epoll), the devices of memory (`/dev/null`)
/// and terminals that are no serial line.
pub(crate) fn is_never_locked(fd: Fd) -> bool {
    let mut about = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `about` has room for the answer.
    if unsafe { libc::fstat(fd, about.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: fstat succeeded, so it has filled it.
    let about = unsafe { about.assume_init() };
    match about.st_mode & libc::S_IFMT {
        0 | libc::S_IFIFO | libc::S_IFSOCK => true,
        // Memory, `/dev/tty` and `/dev/ptmx`, and pseudo-terminals: `Documentation/admin-guide/devices.txt` of Linux.
        libc::S_IFCHR => matches!(libc::major(about.st_rdev), 1 | 5 | 136..=143),
        _ => false,
    }
}
