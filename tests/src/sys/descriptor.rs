//! Descriptors.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use libc::c_int;

use super::{check, check_long};

/// The answer of `fcntl` to a command without an argument.
pub(crate) fn ask(fd: RawFd, command: c_int) -> io::Result<c_int> {
    // SAFETY: the command takes no argument, and a closed descriptor is an error.
    check(unsafe { libc::fcntl(fd, command) })
}

/// Device and inode of an open descriptor.
pub(crate) fn identity(fd: RawFd) -> io::Result<(u64, u64)> {
    let mut about = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `about` has room for the answer.
    check(unsafe { libc::fstat(fd, about.as_mut_ptr()) })?;
    // SAFETY: fstat succeeded, so it has filled it.
    let about = unsafe { about.assume_init() };
    #[expect(clippy::allow_attributes, reason = "a number of 32 bits on some architectures")]
    #[allow(clippy::useless_conversion)]
    Ok((about.st_dev.into(), about.st_ino.into()))
}

/// A duplicate with the lowest free number from `lowest` up, closed by exec.
pub(crate) fn duplicate_above(fd: RawFd, lowest: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the command takes an int.
    let copy = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest) })?;
    // SAFETY: fcntl just made it, so it has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Makes `number` a duplicate of `fd` that survives exec.
///
/// # Safety
///
/// The caller owns the descriptor `number`, or it is closed.
pub(crate) unsafe fn duplicate_to(fd: &impl AsRawFd, number: RawFd) -> io::Result<()> {
    // SAFETY: the caller promises as much.
    check(unsafe { libc::dup2(fd.as_raw_fd(), number) }).map(drop)
}

/// # Safety
///
/// The caller owns the descriptor.
pub(crate) unsafe fn close(fd: RawFd) -> io::Result<()> {
    // SAFETY: the caller promises as much.
    check(unsafe { libc::close(fd) }).map(drop)
}

/// Marks all descriptors from `lowest` up to be closed by exec.
pub(crate) fn close_all_on_exec(lowest: u32) -> io::Result<()> {
    let flags = 1 << 2; // CLOSE_RANGE_CLOEXEC of linux/close_range.h, which the libc crate lacks on Android
    // SAFETY: the call changes flags, and touches no memory.
    check_long(unsafe { libc::syscall(libc::SYS_close_range, lowest, u32::MAX, flags) }).map(drop)
}

/// close_range(2) of the one number that no descriptor has. Under a filter of Android that traps the call, `ENOSYS`.
pub(crate) fn close_nothing() -> io::Result<()> {
    if !crate::android::lets(libc::SYS_close_range) {
        return Err(io::Error::from_raw_os_error(libc::ENOSYS));
    }
    // SAFETY: nothing is open there, and no memory is touched.
    check_long(unsafe { libc::syscall(libc::SYS_close_range, u32::MAX, u32::MAX, 0) }).map(drop)
}

/// Waits until a kernel file has changed since it was last read.
pub(crate) fn await_change(file: &impl AsRawFd) -> io::Result<()> {
    let mut polled = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLPRI, revents: 0 };
    // SAFETY: one entry is read and written.
    check(unsafe { libc::poll(&raw mut polled, 1, -1) }).map(drop)
}

/// Opens `/dev/null` for both directions; it survives exec.
pub(crate) fn open_null() -> io::Result<OwnedFd> {
    // SAFETY: the path is a C string, and no mode is needed without O_CREAT.
    let fd = check(unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) })?;
    // SAFETY: open just made it, so it has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
