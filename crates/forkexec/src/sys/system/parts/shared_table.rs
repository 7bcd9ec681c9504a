//! Systems on which a child shares this process's descriptor table at first: Linux.

use forkexec_core::{Errno, Fd};
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

/// Returns true if children share the table, so that their cost depends on how high the descriptors are that
/// they need. It is false if the kernel refused it before.
pub(crate) fn shares_table() -> bool {
    crate::sys::system::LAUNCHER.shares_table()
}

/// Returns true if a child may be able to take a high descriptor from this process, as far as is known. Then no
/// low number is needed for it. `reopens` tells whether the child may open the file anew.
pub(crate) fn may_take(reopens: bool) -> bool {
    crate::sys::system::BACKEND.may_take(reopens)
}

/// Duplicates `from` onto the open descriptor `to`, close-on-exec and in one step: dup3(2). Retries if the
/// call is interrupted, or if an open of another thread is half-way on that number.
pub(crate) unsafe fn replace(from: BorrowedFd<'_>, to: Fd) -> Result<(), Errno> {
    loop {
        // SAFETY: `from` is borrowed, and the caller owns `to`. The libc crate lacks the function on Android.
        if unsafe { libc::syscall(libc::SYS_dup3, from.as_raw_fd(), to, libc::O_CLOEXEC) } >= 0 {
            return Ok(());
        }
        let errno = io::Error::last_os_error().raw_os_error().map_or(Errno::IO, Errno::from_raw);
        if !matches!(errno, Errno::INTR | Errno::BUSY) {
            return Err(errno);
        }
    }
}

/// Returns true if no record lock (`F_SETLK` of fcntl(2)) can be held on the file. A process loses all its
/// locks on a file when it closes any descriptor of it, even a duplicate.
///
/// This holds for pipes, sockets, files without a name and a kind (eventfd, epoll), memory devices
/// (`/dev/null`), and terminals other than serial lines.
pub(crate) fn is_never_locked(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: the descriptor is borrowed, and `ManuallyDrop` keeps the `File` from closing it.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd.as_raw_fd()) });
    let Ok(about) = file.metadata() else { return false };
    let kind = about.file_type();
    if kind.is_char_device() {
        // Memory, `/dev/tty` and `/dev/ptmx`, and pseudo-terminals: `Documentation/admin-guide/devices.txt` of Linux.
        return matches!(major(about.rdev()), 1 | 5 | 136..=143);
    }
    kind.is_fifo() || kind.is_socket() || about.mode() & KIND == 0
}

/// The bits of a mode that tell the kind (`S_IFMT`).
const KIND: u32 = 0o170_000;

/// The major number of a device, as `major` of the C libraries.
const fn major(device: u64) -> u64 {
    (device >> 8) & 0xfff | (device >> 32) & !0xfff
}

#[cfg(test)]
mod tests {
    use super::is_never_locked;
    use std::fs::File;
    use std::os::fd::{AsFd, FromRawFd, OwnedFd};
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn lockable_files_are_told_from_others() {
        let (pipe, _) = nix::unistd::pipe().unwrap();
        let socket = UnixDatagram::unbound().unwrap();
        let [null, directory] = ["/dev/null", "/"].map(|path| File::open(path).unwrap());
        let file = tempfile::tempfile().unwrap();
        // SAFETY: eventfd(2) takes two numbers and opens a descriptor.
        let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        // SAFETY: it was just opened, and nothing else owns it.
        let event = unsafe { OwnedFd::from_raw_fd(event) };
        let never = [pipe.as_fd(), socket.as_fd(), null.as_fd(), event.as_fd()];
        assert_eq!(never.map(is_never_locked), [true; 4]);
        assert_eq!([file.as_fd(), directory.as_fd()].map(is_never_locked), [false; 2]);
    }
}
