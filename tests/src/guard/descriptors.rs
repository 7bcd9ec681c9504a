//! The descriptor table of this process.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::path::Path;

use crate::sys;

/// The attributes of a descriptor that must not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    closed_by_exec: bool,
    status: i32,
    dev: u64,
    ino: u64,
}

/// All descriptors except the low numbers that the library reserves. The library lists only those that it recognises
/// and that no spawn uses at this moment, so no leak of a spawn is hidden here.
pub(super) fn all() -> BTreeMap<RawFd, Descriptor> {
    let numbers = listed().unwrap_or_else(|_| (0..=highest()).collect());
    let slots = forkexec::low_fds();
    // The handle that listed is closed by now, and drops out here.
    let others = numbers.into_iter().filter(|fd| !slots.contains(fd));
    others.filter_map(|fd| Some((fd, descriptor(fd)?))).collect()
}

fn descriptor(fd: RawFd) -> Option<Descriptor> {
    let flags = sys::ask(fd, libc::F_GETFD).ok()?;
    let status = sys::ask(fd, libc::F_GETFL).unwrap_or(-1);
    let (dev, ino) = sys::identity(fd).unwrap_or_default();
    Some(Descriptor { closed_by_exec: flags & libc::FD_CLOEXEC != 0, status, dev, ino })
}

/// Returns the kernel's list, if it is real: a test may have replaced or removed `/proc`.
fn listed() -> io::Result<Vec<RawFd>> {
    let list = Path::new("/proc/self/fd");
    if !sys::is_proc(list)? {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let names = fs::read_dir(list)?.map(|entry| entry.map(|entry| entry.file_name()));
    names
        .map(|name| {
            name?.to_str().and_then(|name| name.parse().ok()).ok_or(io::ErrorKind::InvalidData.into())
        })
        .collect()
}

/// A descriptor may lie above a limit that was lowered later.
fn highest() -> RawFd {
    let hard = sys::limit(libc::RLIMIT_NOFILE.into()).map_or(0, |(_, hard)| hard);
    RawFd::try_from(hard.max(65_536)).unwrap_or(RawFd::MAX)
}
