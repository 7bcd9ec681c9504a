//! The open descriptors of this process: lists them, closes them, and changes their close-on-exec flags, with the
//! backend's chain.

use super::system::BACKEND;
use forkexec_core::{
    Backend, CloseStrategy, Closed, Closer, Errno, Fd, KeepList, Sys, close_except, inherit_only,
    set_cloexec_except,
};

/// Lets the backend find out what a function that must be async-signal-safe may not.
pub(crate) fn prepare() {
    BACKEND.before_launch();
}

/// Returns the step of the chain that begins: `chosen`, unless an earlier refusal rules it out.
fn first_strategy(chosen: CloseStrategy) -> CloseStrategy {
    chosen.max(BACKEND.first_strategy())
}

/// Returns the numbers of the open descriptors, in order. If no list can be trusted, each number is tried. A list may have
/// numbers that are not open.
pub(crate) fn list() -> Result<Vec<Fd>, Errno> {
    for enumerator in BACKEND.enumerators() {
        let mut fds = Vec::new();
        if enumerator.visit(BACKEND.sys(), 0, &mut |fd| fds.push(fd)).is_ok() {
            fds.sort_unstable();
            fds.dedup();
            return Ok(fds);
        }
    }
    let mut fds = Vec::new();
    for fd in 0..BACKEND.loop_bound()? {
        if is_open(fd)? {
            fds.push(fd);
        }
    }
    Ok(fds)
}

/// If fcntl(2) is refused, fstat(2) tells.
fn is_open(fd: Fd) -> Result<bool, Errno> {
    let sys = BACKEND.sys();
    match sys.is_cloexec(fd).map(drop).or_else(|_| sys.file_id(fd).map(drop)) {
        Ok(()) => Ok(true),
        Err(Errno::BADF) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Closes the descriptors from `first` up that are not in `keep`. Async-signal-safe.
///
/// # Safety
///
/// The caller owns each descriptor that is closed, or knows that no code of this process uses it any more.
pub(crate) unsafe fn close(first: Fd, keep: KeepList<'_>, strategy: CloseStrategy) -> Result<Closer, Errno> {
    let closed: Closed = close_except(&BACKEND, first, keep, first_strategy(strategy))?;
    BACKEND.learn(&closed);
    Ok(closed.by)
}

/// Sets or clears close-on-exec on the descriptors from `first` up that are not in `keep`. Async-signal-safe.
///
/// # Safety
///
/// The caller owns each descriptor whose flag changes, or knows that no code of this process relies on the flag.
pub(crate) unsafe fn set_cloexec(
    first: Fd,
    keep: KeepList<'_>,
    cloexec: bool,
    strategy: CloseStrategy,
) -> Result<Closer, Errno> {
    set_cloexec_except(&BACKEND, first, keep, cloexec, first_strategy(strategy))
}

/// Sets close-on-exec on the descriptors from `first` up that are not in `keep`, and clears it on those that are.
/// Async-signal-safe.
///
/// # Safety
///
/// The process is a forked child that only executes a program, and its parent keeps those in `keep` open.
pub(crate) unsafe fn keep_at_exec(first: Fd, keep: KeepList<'_>) -> Result<(), Errno> {
    inherit_only(&BACKEND, first, keep, BACKEND.first_strategy())
}

/// Returns the process id. Async-signal-safe.
pub(crate) fn getpid() -> forkexec_core::Pid {
    BACKEND.sys().getpid()
}

#[cfg(test)]
mod tests {
    use super::is_open;
    use crate::sys::fd::highest_target;
    use std::fs::File;
    use std::os::fd::AsRawFd;

    #[test]
    fn only_an_open_number_is_open() {
        let null = File::open("/dev/null").expect("it is there");
        assert_eq!(is_open(null.as_raw_fd()), Ok(true));
        assert_eq!(is_open(highest_target() + 1), Ok(false), "no descriptor has this number");
    }
}
