//! What a worker is born into: its limits, and its descriptors.

use super::Failure;
use super::cli::Born;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, IntoRawFd as _, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// Sets for this process, and by that for all workers: nothing that this process was born with itself is passed on, the soft limit of
/// descriptors is the hard one, and no memory comes in huge pages, which would make a copy of it cheaper.
pub(super) fn prepare_process() -> Result<(), Failure> {
    // SAFETY: the call takes numbers alone, and closes nothing here.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) } != 0 {
        return Err(format!("close-on-exec: {}", io::Error::last_os_error()).into());
    }
    // SAFETY: the call takes numbers alone.
    if unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) } != 0 {
        return Err(format!("no huge pages: {}", io::Error::last_os_error()).into());
    }
    let mut limit = limit()?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is a whole record.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return Err(format!("descriptor limit: {}", io::Error::last_os_error()).into());
    }
    Ok(())
}

/// The limits of descriptors.
fn limit() -> Result<libc::rlimit, io::Error> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` can be written to.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

/// As many descriptors as may be opened beside what a worker needs itself.
pub(super) fn most_descriptors() -> u32 {
    let hard = limit().map_or(1024, |limit| limit.rlim_max);
    u32::try_from(hard.saturating_sub(500)).unwrap_or(u32::MAX)
}

/// Opens `count` descriptors that a child inherits, each a file of its own; the last two are returned.
pub(super) fn open(count: u32) -> io::Result<[RawFd; 2]> {
    let mut last = [-1, -1];
    for _ in 0..count {
        let fd = File::options().read(true).write(true).open("/dev/null")?.into_raw_fd();
        make_inheritable(fd)?;
        last = [last[1], fd];
    }
    Ok(last)
}

/// Takes close-on-exec off.
fn make_inheritable(fd: RawFd) -> io::Result<()> {
    // SAFETY: the call takes numbers alone.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Opens the descriptors, and becomes the program.
pub(super) fn become_program(born: &Born) -> Result<ExitCode, Failure> {
    let first = File::open("/dev/null")?.as_raw_fd();
    let last = open(born.descriptors)?;
    let expected = first + RawFd::try_from(born.descriptors)? - 1;
    if last[1] != expected {
        return Err(format!(
            "a worker is born with descriptors that it was not given: {last:?}, not {expected}"
        )
        .into());
    }
    let (program, arguments) = born.program.split_first().ok_or("no program")?;
    Err(Command::new(program).args(arguments).exec().into())
}
