//! Waiting by pid on systems that report the resource usage with the status: wait4(2).

use crate::sys::system::RSS_UNIT;
use crate::sys::usage::ResourceUsage;
use crate::sys::waitid::Ending;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// Returns how a child ended, or `None` if it has not ended and `options` has `WNOHANG`.
pub(crate) fn ending_by_number(pid: i32, options: i32) -> io::Result<Option<Ending>> {
    let mut status = 0;
    let mut used = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: wait4(2) writes an int and an `rusage`, for which there is room.
    match unsafe { libc::wait4(pid, &raw mut status, options, used.as_mut_ptr()) } {
        0 => Ok(None),
        -1 => Err(io::Error::last_os_error()),
        _ => {
            // SAFETY: all zeroes are a valid `rusage`, and the kernel overwrites it with a valid one.
            let used = unsafe { used.assume_init() };
            Ok(Some(Ending { status: ExitStatus::from_raw(status), usage: Some(usage(&used)) }))
        }
    }
}

/// Returns the peak of this process's resident set size, in bytes. A child may have been charged with it
/// before exec.
pub(crate) fn inherited_peak() -> u64 {
    let mut used = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage(2) writes an `rusage`, for which there is room.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, used.as_mut_ptr()) };
    // SAFETY: all zeroes are a valid `rusage`, and the kernel overwrites it with a valid one.
    count(unsafe { used.assume_init() }.ru_maxrss).saturating_mul(RSS_UNIT)
}

fn usage(used: &libc::rusage) -> ResourceUsage {
    ResourceUsage {
        user: duration(&used.ru_utime),
        system: duration(&used.ru_stime),
        peak: count(used.ru_maxrss).saturating_mul(RSS_UNIT),
        inherited: 0,
        minor_faults: count(used.ru_minflt),
        major_faults: count(used.ru_majflt),
        voluntary_switches: count(used.ru_nvcsw),
        involuntary_switches: count(used.ru_nivcsw),
    }
}

#[expect(clippy::allow_attributes, reason = "the width of a number differs by system")]
#[allow(clippy::useless_conversion)]
fn count(number: libc::c_long) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[expect(clippy::allow_attributes, reason = "the width of a number differs by system")]
#[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions)]
fn duration(time: &libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
