//! Calls on the pidfd of a child that the kernel reaps. Each restores the errno of the thread.

use super::call::{done, int};
use crate::PidfdEvent;
use core::ffi::{c_int, c_long};
use core::mem::MaybeUninit;
use core::ptr;
use forkexec_core::{Errno, Fd};

/// `struct pidfd_info` of linux/pidfd.h, in its first version.
#[repr(C)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// `PIDFD_INFO_EXIT`: the status of a process that the kernel has released.
const EXIT: u64 = 1 << 3;
/// `PIDFD_GET_INFO`, which is `_IOWR(0xFF, 11, struct pidfd_info)`, as on all architectures with clone3(2) in this backend.
const GET_INFO: u32 = 0xC040_FF0B;
const _: () = assert!(size_of::<PidfdInfo>() == (GET_INFO as usize >> 16) & 0x3fff);

/// `P_PIDFD` of waitid(2).
const P_PIDFD: c_int = 3;

fn keeping_errno<T>(call: impl FnOnce() -> T) -> T {
    let before = ::errno::errno();
    let result = call();
    ::errno::set_errno(before);
    result
}

pub(super) fn exit_status(pidfd: Fd) -> Result<Option<c_int>, Errno> {
    let mut info = PidfdInfo { mask: EXIT, cgroup: 0, ids: [0; 11], exit_code: 0 };
    keeping_errno(|| {
        // SAFETY: the size in the request is that of the structure, which the kernel fills.
        done(unsafe { syscall!(libc::SYS_ioctl, pidfd, GET_INFO, &raw mut info) })
    })?;
    Ok((info.mask & EXIT != 0).then_some(info.exit_code))
}

pub(super) fn poll(pidfd: Fd, event: PidfdEvent, milliseconds: Option<u8>) -> Result<bool, Errno> {
    // poll(2) always reports `POLLHUP`, and a pidfd that is released also has `POLLIN`.
    let events = if event == PidfdEvent::Ended { libc::POLLIN } else { 0 };
    let mut asked = libc::pollfd { fd: pidfd, events, revents: 0 };
    let mut time = milliseconds.map(|milliseconds| [0, c_long::from(milliseconds) * 1_000_000]);
    let time = time.as_mut().map_or(ptr::null_mut(), |time| time.as_mut_ptr());
    let mask: *const u8 = ptr::null();
    let ready = keeping_errno(|| {
        // SAFETY: one structure and perhaps a time are passed, which are borrowed for the call. No mask is passed.
        int(unsafe { syscall!(libc::SYS_ppoll, &raw mut asked, 1_i32, time, mask, 0_i32) })
    });
    ready.map(|ready| ready > 0)
}

pub(super) fn reap(pidfd: Fd) -> Result<Option<c_int>, Errno> {
    let info = waitid(pidfd, libc::__WALL)?;
    // SAFETY: waitid(2) fills this field for a child that has ended, and leaves it zero otherwise.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    Ok((pid != 0).then(|| encoded(info.si_code, status)))
}

pub(super) fn find_unexecuted(pidfd: Fd) -> Result<(), Errno> {
    waitid(pidfd, libc::__WCLONE | libc::WNOWAIT).map(drop)
}

fn waitid(pidfd: Fd, options: c_int) -> Result<libc::siginfo_t, Errno> {
    let mut about = MaybeUninit::<libc::siginfo_t>::zeroed();
    let (options, usage) = (libc::WEXITED | libc::WNOHANG | options, ptr::null_mut::<u8>());
    keeping_errno(|| {
        // SAFETY: the kernel fills the structure, and the pointer for the usage is null.
        done(unsafe { syscall!(libc::SYS_waitid, P_PIDFD, pidfd, about.as_mut_ptr(), options, usage) })
    })?;
    // SAFETY: an all-zero `siginfo_t` is valid, too.
    Ok(unsafe { about.assume_init() })
}

/// Encodes the end of a process as waitpid(2) does. The stop of a traced process is no end.
fn encoded(code: c_int, status: c_int) -> c_int {
    const DUMPED: c_int = 0x80;
    match code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | DUMPED,
        _ => status,
    }
}
