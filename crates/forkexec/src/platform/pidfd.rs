//! A descriptor of a child, as Linux gives it: pidfd_open(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr;

/// pidfd_send_signal(2), Linux 5.1.
pub(crate) fn signal(child: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let no_info: *const libc::siginfo_t = ptr::null();
    // SAFETY: the pointer is null, which the kernel takes for no information; the descriptor is borrowed for the call.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, child.as_raw_fd(), signal, no_info, 0) };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// waitid(2) with `P_PIDFD`, Linux 5.4: the status of a child that has ended, `None` if it has not and `options` say not to
/// wait for that.
pub(crate) fn status(child: BorrowedFd<'_>, options: i32) -> io::Result<Option<ExitStatus>> {
    let id = child.as_raw_fd().unsigned_abs();
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: the kernel writes a `siginfo_t`, for which there is room; the descriptor is borrowed for the call.
    if unsafe { libc::waitid(libc::P_PIDFD, id, info.as_mut_ptr(), libc::WEXITED | options) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all zeroes are a `siginfo_t`, and what the kernel fills in is one.
    let info = unsafe { info.assume_init() };
    // SAFETY: of a child that has ended waitid fills this field, and of none it leaves it zero.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    Ok((pid != 0).then(|| ExitStatus::from_raw(encoded(info.si_code, status))))
}

/// As waitpid(2) encodes it.
fn encoded(code: i32, status: i32) -> i32 {
    const DUMPED: i32 = 0x80;
    match code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | DUMPED,
        _ => status,
    }
}
