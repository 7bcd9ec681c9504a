//! Limits, ids, and other processes.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr;

use libc::c_int;

use super::{check, check_long};

/// Soft and hard limit of a `RLIMIT_*` number.
pub(crate) fn limit(resource: i64) -> io::Result<(u64, u64)> {
    let mut limit = [0; 2];
    exchange_limit(resource, None, Some(&mut limit))?;
    Ok(limit.into())
}

pub(crate) fn set_limit(resource: i64, soft: u64, hard: u64) -> io::Result<()> {
    exchange_limit(resource, Some(&[soft, hard]), None)
}

/// By system call: C libraries disagree on the types.
fn exchange_limit(resource: i64, new: Option<&[u64; 2]>, old: Option<&mut [u64; 2]>) -> io::Result<()> {
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let old = old.map_or(ptr::null_mut(), ptr::from_mut);
    // An argument is a register wide: on 32 bits an i64 would be two.
    let resource = c_int::try_from(resource).map_err(io::Error::other)?;
    // SAFETY: each is null or points to two 64-bit numbers, as the kernel has them.
    check_long(unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, new, old) }).map(drop)
}

/// The file mode creation mask, which can only be read by setting it.
pub(crate) fn umask() -> libc::mode_t {
    // SAFETY: umask touches no memory.
    let mask = unsafe { libc::umask(0o077) };
    // SAFETY: as above.
    unsafe { libc::umask(mask) };
    mask
}

pub(crate) fn effective_user() -> libc::uid_t {
    // SAFETY: geteuid touches no memory.
    unsafe { libc::geteuid() }
}

/// Returns the PID of an ended child that was not reaped; 0 if all children run.
pub(crate) fn ended_child() -> io::Result<libc::pid_t> {
    let mut about = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: `about` has room for the answer.
    check(unsafe { libc::waitid(libc::P_ALL, 0, about.as_mut_ptr(), options) })?;
    // SAFETY: all zeroes are a valid siginfo_t, and waitid only fills it further.
    let about = unsafe { about.assume_init() };
    // SAFETY: an answer of waitid, or the zeroes, has this field.
    Ok(unsafe { about.si_pid() })
}

/// Waits until the child has ended, without reaping it.
pub(crate) fn await_end(child: u32) -> io::Result<()> {
    let mut about = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOWAIT;
    // SAFETY: `about` has room for the answer.
    check(unsafe { libc::waitid(libc::P_PID, child, about.as_mut_ptr(), options) }).map(drop)
}

/// Waits for a child, and returns its status.
pub(crate) fn wait_for(child: libc::pid_t) -> io::Result<ExitStatus> {
    let mut status = 0;
    // SAFETY: one int is written.
    check(unsafe { libc::waitpid(child, &raw mut status, 0) })?;
    Ok(ExitStatus::from_raw(status))
}

/// Kills every process of the group.
pub(crate) fn kill_group(group: libc::pid_t) -> io::Result<()> {
    // SAFETY: kill touches no memory.
    check(unsafe { libc::kill(-group, libc::SIGKILL) }).map(drop)
}
