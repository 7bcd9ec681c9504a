//! Filters of system calls, and rulesets.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use libc::{c_int, c_long, c_ulong};

use super::{check, check_long};

/// Lets the filter judge every thread's system calls from now on.
pub(crate) fn filter_calls(program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_TSYNC);
    // SAFETY: the kernel reads `len` instructions, and writes none.
    match unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) } {
        0 => Ok(()),
        thread if thread > 0 => Err(io::Error::other(format!("thread {thread} has filters of its own"))),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Calls the kernel with a number that it does not know, and returns its error.
pub(crate) fn unknown_call(number: u16) -> io::Error {
    // SAFETY: the kernel has no such call.
    unsafe { libc::syscall(c_long::from(number)) };
    io::Error::last_os_error()
}

/// Gives up, for good, gaining privileges by exec.
pub(crate) fn set_no_new_privs() -> io::Result<()> {
    let (yes, none): (c_ulong, c_ulong) = (1, 0);
    // SAFETY: the operation takes no address.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, none, none, none) }).map(drop)
}

/// A Landlock ruleset that forbids to make block devices.
pub(crate) fn ruleset() -> io::Result<OwnedFd> {
    const MAKE_BLOCK: u64 = 1 << 11;
    let handled = MAKE_BLOCK;
    let size = size_of_val(&handled);
    // SAFETY: the kernel reads 8 bytes.
    let fd =
        check_long(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size, 0) })?;
    #[expect(clippy::allow_attributes, reason = "the width of the answer differs by architecture")]
    #[allow(clippy::useless_conversion)]
    let fd = c_int::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the descriptor is new and has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
