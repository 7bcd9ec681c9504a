//! The limits and descriptors with which a worker starts.

use super::Failure;
use super::cli::WithDescriptors;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, IntoRawFd as _, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// Sets up this process, and so all workers.
///
/// Inherited descriptors become close-on-exec. The soft limit of descriptors is raised to the hard limit. Huge pages are
/// disabled, because they would make copies of memory cheaper.
pub(super) fn prepare_process() -> Result<(), Failure> {
    // SAFETY: the call takes only numbers, and closes no descriptor in this process.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) } != 0 {
        return Err(format!("close-on-exec: {}", io::Error::last_os_error()).into());
    }
    // SAFETY: the call takes only numbers.
    if unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) } != 0 {
        return Err(format!("no huge pages: {}", io::Error::last_os_error()).into());
    }
    let mut limit = limit()?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is a valid `rlimit`.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return Err(format!("descriptor limit: {}", io::Error::last_os_error()).into());
    }
    Ok(())
}

/// Returns the descriptor limits.
fn limit() -> Result<libc::rlimit, io::Error> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes an `rlimit`.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns the number of descriptors that can be opened in addition to those of a worker itself.
pub(super) fn most_descriptors() -> u32 {
    let hard = limit().map_or(1024, |limit| limit.rlim_max);
    u32::try_from(hard.saturating_sub(500)).unwrap_or(u32::MAX)
}

/// Opens `count` inheritable descriptors, each of a separate open file. Returns the last two.
pub(super) fn open(count: u32) -> io::Result<[RawFd; 2]> {
    let mut last = [-1, -1];
    for _ in 0..count {
        let fd = File::options().read(true).write(true).open("/dev/null")?.into_raw_fd();
        make_inheritable(fd)?;
        last = [last[1], fd];
    }
    Ok(last)
}

/// Clears close-on-exec.
fn make_inheritable(fd: RawFd) -> io::Result<()> {
    // SAFETY: the call takes only numbers.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Opens the descriptors, and executes the program.
pub(super) fn become_program(options: &WithDescriptors) -> Result<ExitCode, Failure> {
    let first = File::open("/dev/null")?.as_raw_fd();
    let last = open(options.descriptors)?;
    let expected = first + RawFd::try_from(options.descriptors)? - 1;
    if last[1] != expected {
        return Err(format!(
            "the worker has unexpected descriptors: the last one is {}, not {expected}",
            last[1]
        )
        .into());
    }
    let (program, arguments) = options.program.split_first().ok_or("no program")?;
    Err(Command::new(program).args(arguments).exec().into())
}
