//! The pidfds of Linux: pidfd_open(2).

use crate::sys::poll::is_readable_until;
use crate::sys::system::BACKEND;
use crate::sys::usage::ResourceUsage;
use crate::sys::waitid::{Ending, is_child};
use forkexec_core::{Backend, Errno};
use forkexec_linux::{AndroidCall, CloneSys, autoreaped_end};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr;
use std::time::{Duration, Instant};

/// True if a status can be read without taking it (`WNOWAIT`).
pub(crate) const LEAVES_STATUS: bool = true;

/// pidfd_open(2), Linux 5.3. The descriptor is close-on-exec. Fails with `ENOSYS` on a release of Android
/// that may trap the call.
pub(crate) fn open(pid: i32) -> io::Result<OwnedFd> {
    permit(AndroidCall::PidfdOpen)?;
    let opened = BACKEND.sys().open_pidfd(pid);
    let number = opened.map_err(|errno| io::Error::from_raw_os_error(errno.raw()))?;
    // SAFETY: the kernel just opened the descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The launcher already created a pidfd, or could not.
pub(crate) fn at_spawn(_pid: i32) -> Option<OwnedFd> {
    None
}

/// pidfd_send_signal(2), Linux 5.1, to the process with the pid `pid`. If the call is refused, or Android may
/// trap it, the signal goes to the pid: while the pidfd is not readable, the process still has it.
pub(crate) fn signal(process: BorrowedFd<'_>, pid: i32, signal: i32) -> io::Result<()> {
    match permit(AndroidCall::PidfdSendSignal).and_then(|()| send(process, signal)) {
        Err(error) if is_refusal(&error) => {
            match is_readable_until(process, Some(Instant::now())) {
                Ok(true) => return Err(io::Error::from_raw_os_error(libc::ESRCH)),
                Err(error) if !is_child(pid) => return Err(error),
                Ok(false) | Err(_) => {}
            }
            // SAFETY: the process has not ended, or is a child whose status was not taken, so the pid is its
            // own.
            if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        }
        sent => sent,
    }
}

fn is_refusal(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|errno| Errno::from_raw(errno).is_refusal())
}

/// Fails with `ENOSYS`, as an old kernel does, if the release of Android may trap the call.
fn permit(call: AndroidCall) -> io::Result<()> {
    if BACKEND.allows(call) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ENOSYS)) }
}

/// pidfd_send_signal(2) alone.
pub(crate) fn send(child: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    send_with(child, signal, 0)
}

/// pidfd_send_signal(2), Linux 6.9, to the process group that the child leads or led. The descriptor keeps its number
/// from another group.
pub(crate) fn signal_group(leader: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    const PIDFD_SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;
    send_with(leader, signal, PIDFD_SIGNAL_PROCESS_GROUP)
}

fn send_with(child: BorrowedFd<'_>, signal: i32, flags: libc::c_uint) -> io::Result<()> {
    let no_info: *const libc::siginfo_t = ptr::null();
    // SAFETY: the kernel reads a null pointer as "no information". The descriptor is borrowed for the call.
    let sent =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, child.as_raw_fd(), signal, no_info, flags) };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Returns the end of a child that the kernel reaps. `ECHILD` if the kernel has no status of it.
pub(crate) fn autoreaped_ending(child: BorrowedFd<'_>, blocks: bool) -> io::Result<Option<Ending>> {
    let end = autoreaped_end(BACKEND.sys(), child.as_raw_fd(), blocks);
    let status = end.map_err(|errno| {
        let errno = if errno == Errno::SRCH { Errno::CHILD } else { errno };
        io::Error::from_raw_os_error(errno.raw())
    })?;
    Ok(status.map(|status| Ending { status: ExitStatus::from_raw(status), usage: None }))
}

/// waitid(2) with `P_PIDFD`, Linux 5.4. Returns `None` if the child has not ended and `options` has
/// `WNOHANG`.
pub(crate) fn ending(child: BorrowedFd<'_>, options: i32) -> io::Result<Option<Ending>> {
    waitid(libc::P_PIDFD, child.as_raw_fd(), libc::WEXITED | options)
}

/// waitid(2) by pid.
pub(crate) fn ending_by_number(pid: i32, options: i32) -> io::Result<Option<Ending>> {
    waitid(libc::P_PID, pid, libc::WEXITED | options)
}

/// waitid(2) by pid for the changes that `options` names. The end of the child stays in place.
pub(crate) fn change(pid: i32, options: i32) -> io::Result<Option<Ending>> {
    waitid(libc::P_PID, pid, options)
}

/// Makes the system call directly, because the C libraries hide its fifth argument.
fn waitid(kind: libc::idtype_t, id: i32, options: i32) -> io::Result<Option<Ending>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let mut used = Used::UNTOUCHED;
    // SAFETY: the kernel writes a `siginfo_t` and a `struct rusage`, for which there is room. A descriptor is
    // borrowed for the call.
    let waited =
        unsafe { libc::syscall(libc::SYS_waitid, kind, id, info.as_mut_ptr(), options, &raw mut used) };
    if waited != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all zeroes are a valid `siginfo_t`, and the kernel overwrites it with a valid one.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid(2) fills this field for a child that has ended, and leaves it zero otherwise.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    let status = ExitStatus::from_raw(encoded(info.si_code, status));
    Ok((pid != 0).then(|| Ending { status, usage: used.usage() }))
}

/// Encodes a status as waitpid(2) does.
fn encoded(code: i32, status: i32) -> i32 {
    const DUMPED: i32 = 0x80;
    const STOPPED: i32 = 0x7f;
    const CONTINUED: i32 = 0xffff;
    match code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | DUMPED,
        libc::CLD_STOPPED | libc::CLD_TRAPPED => ((status & 0xff) << 8) | STOPPED,
        libc::CLD_CONTINUED => CONTINUED,
        _ => status,
    }
}

/// The kernel's `struct rusage`. Some C libraries define another.
#[repr(C)]
struct Used([libc::c_long; 18]);

impl Used {
    /// A value that the kernel never writes, because no time is negative.
    const UNTOUCHED: Self = Self([-1; 18]);

    /// Returns the usage if the kernel wrote it. An emulator may not.
    fn usage(&self) -> Option<ResourceUsage> {
        let Self(fields) = self;
        let field = |index: usize| u64::try_from(fields[index]).ok();
        let time = |index: usize| {
            Some(Duration::from_secs(field(index)?) + Duration::from_micros(field(index + 1)?))
        };
        Some(ResourceUsage {
            user: time(0)?,
            system: time(2)?,
            peak: field(4)?.saturating_mul(1024),
            inherited: 0,
            minor_faults: field(8)?,
            major_faults: field(9)?,
            voluntary_switches: field(16)?,
            involuntary_switches: field(17)?,
        })
    }
}

/// Returns the peak of this process's resident set size, in bytes. A child that it started had at most that
/// before exec.
pub(crate) fn inherited_peak() -> u64 {
    let mut used = Used::UNTOUCHED;
    // SAFETY: the kernel writes a `struct rusage`, for which there is room.
    unsafe { libc::syscall(libc::SYS_getrusage, libc::RUSAGE_SELF, &raw mut used) };
    u64::try_from(used.0[4]).map_or(u64::MAX, |kib| kib.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::{Used, encoded};
    use crate::sys::usage::ResourceUsage;
    use rstest::rstest;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::time::Duration;

    /// The fields, in the order of getrusage(2), counted from 1.
    #[test]
    fn each_field_of_the_usage_has_its_place() {
        let used = Used([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
        let expected = ResourceUsage {
            user: Duration::new(1, 2_000),
            system: Duration::new(3, 4_000),
            peak: 5 * 1024,
            inherited: 0,
            minor_faults: 9,
            major_faults: 10,
            voluntary_switches: 17,
            involuntary_switches: 18,
        };
        assert_eq!(used.usage(), Some(expected));
        assert_eq!(Used::UNTOUCHED.usage(), None);
    }

    #[rstest]
    #[case::exited(libc::CLD_EXITED, 3, (Some(3), None, false))]
    #[case::killed(libc::CLD_KILLED, libc::SIGKILL, (None, Some(libc::SIGKILL), false))]
    #[case::dumped(libc::CLD_DUMPED, libc::SIGABRT, (None, Some(libc::SIGABRT), true))]
    fn status_is_encoded_as_waitpid_does(
        #[case] code: i32,
        #[case] raw: i32,
        #[case] expected: (Option<i32>, Option<i32>, bool),
    ) {
        let status = ExitStatus::from_raw(encoded(code, raw));
        assert_eq!((status.code(), status.signal(), status.core_dumped()), expected);
    }

    #[rstest]
    #[case::stopped(libc::CLD_STOPPED, libc::SIGTSTP, Some(libc::SIGTSTP), false)]
    #[case::trapped(libc::CLD_TRAPPED, (4 << 8) | libc::SIGTRAP, Some(libc::SIGTRAP), false)]
    #[case::continued(libc::CLD_CONTINUED, libc::SIGCONT, None, true)]
    fn change_is_encoded_as_waitpid_does(
        #[case] code: i32,
        #[case] raw: i32,
        #[case] stopped: Option<i32>,
        #[case] continued: bool,
    ) {
        let status = ExitStatus::from_raw(encoded(code, raw));
        assert_eq!((status.stopped_signal(), status.continued()), (stopped, continued));
        assert_eq!((status.code(), status.signal()), (None, None));
    }
}
