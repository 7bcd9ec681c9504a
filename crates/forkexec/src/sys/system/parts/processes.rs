//! The process list of Linux.

use crate::sys::limit;
use crate::sys::poll::is_readable_until;
use crate::sys::process_list::{Calls, Entry};
use crate::sys::system::{BACKEND, pidfd};
use forkexec_core::{Backend, Errno, Resource};
use forkexec_linux::Stat;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process;
use std::time::Instant;

/// The real kernel.
pub(crate) struct Kernel;

/// A process with a descriptor of it.
#[derive(Debug)]
pub(crate) struct Opened {
    pid: i32,
    fd: OwnedFd,
}

impl Calls for Kernel {
    type Process = Opened;

    /// Lists all processes that this process can see.
    ///
    /// # Errors
    ///
    /// Returns `Unsupported` if `/proc` belongs to another pid namespace, in which the numbers refer to other
    /// processes.
    fn all(&self) -> io::Result<Vec<Entry>> {
        let own = fs::read_link("/proc/self")?;
        if own.to_str().and_then(|name| name.parse().ok()) != Some(process::id()) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut all = Vec::new();
        for listed in fs::read_dir("/proc")? {
            let pid = listed?.file_name().to_str().and_then(|name| name.parse().ok());
            all.extend(pid.map(one).transpose()?.flatten());
        }
        Ok(all)
    }

    fn open(&self, entry: &Entry) -> io::Result<Opened> {
        let fd = pidfd::open(entry.pid)?;
        match one(entry.pid)? {
            Some(now) if now.is_same(entry) => Ok(Opened { pid: entry.pid, fd }),
            _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        }
    }

    fn signal(&self, process: &Opened, signal: i32) -> io::Result<()> {
        pidfd::signal(process.fd.as_fd(), process.pid, signal)
    }

    fn has_ended(&self, process: &Opened, end: Option<Instant>) -> io::Result<bool> {
        is_readable_until(process.fd.as_fd(), end)
    }
}

/// Reads one process. Returns `None` if it has ended or is hidden (`hidepid` of proc(5)).
///
/// Any other failure is an error: a process that was left out for lack of a descriptor would count as ended.
fn one(pid: i32) -> io::Result<Option<Entry>> {
    match Stat::read(BACKEND.sys(), pid) {
        Ok(stat) => Ok(entry(&stat)),
        Err(Errno::NOENT | Errno::SRCH | Errno::ACCES | Errno::PERM) => Ok(None),
        Err(errno) => Err(io::Error::from_raw_os_error(errno.raw())),
    }
}

/// Uses the field numbers of proc_pid_stat(5).
fn entry(stat: &Stat) -> Option<Entry> {
    let id = |field| i32::try_from(stat.field(field)?).ok();
    Some(Entry {
        pid: stat.pid()?,
        parent: id(4)?,
        group: id(5)?,
        session: id(6)?,
        started: stat.field(22)?,
        // The first thread may have ended before others.
        ended: matches!(stat.state()?, 'Z' | 'X') && stat.field(20)? <= 1,
    })
}

/// The limit of processes per user.
#[expect(clippy::allow_attributes, reason = "the constant's type differs by C library")]
#[allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)]
pub(crate) const LIMIT: Option<Resource> = Some(Resource(libc::RLIMIT_NPROC as i32));

/// Returns true if a user has as many threads as this soft limit allows, or that of this process. Returns
/// `None` if that cannot be determined.
pub(crate) fn is_at_limit(user: u32, set: Option<u64>) -> Option<bool> {
    let limit = set.or_else(|| Some(limit::of_process(LIMIT?).ok()?.soft))?;
    let threads: u64 = Kernel.all().ok()?.iter().filter_map(|entry| threads_of(user, entry.pid)).sum();
    Some(threads >= limit)
}

/// Returns the number of threads of a process, if this is its real user: proc_pid_status(5).
fn threads_of(user: u32, pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    let is_theirs = field("Uid:")?.parse() == Ok(user);
    is_theirs.then_some(field("Threads:")?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::{Calls, Kernel, one};
    use nix::unistd::getpid;

    #[test]
    fn list_of_processes_has_this_one() {
        let pid = getpid().as_raw();
        let own = one(pid).expect("it can be read").expect("it runs");
        assert!(Kernel.all().expect("they are listed").iter().any(|entry| entry.is_same(&own)));
    }

    #[test]
    fn number_without_a_process_is_no_error() {
        assert_eq!(one(i32::MAX).expect("it can be asked"), None);
    }
}
