//! Hostile surroundings for one test.
//!
//! All of it changes the process, and some of it for good (limits, mounts):
//! call it in an [`isolated`](crate::isolate::isolated) test only.

mod cgroup;
mod proc;
mod stdio;

use std::fs;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

pub use cgroup::Cgroup;
pub use proc::{false_proc, hiding_proc, masked_proc, without_proc};
pub use stdio::{Reopen, close_stdio};

use crate::{probe, sys};

/// Opens `/dev/null` so many times; the descriptors survive exec.
///
/// # Panics
///
/// If the descriptor limit is too low: see [`set_limit`].
pub fn open_many(count: usize) -> Vec<OwnedFd> {
    (0..count).map(|_| sys::open_null().expect("the descriptor limit allows as many")).collect()
}

/// Duplicates a descriptor to a number; the duplicate survives exec.
///
/// # Panics
///
/// If the number is open already, or not below the descriptor limit.
pub fn place(fd: impl AsFd, number: RawFd) -> OwnedFd {
    assert!(sys::ask(number, libc::F_GETFD).is_err(), "descriptor {number} is open already");
    // SAFETY: nothing is open there.
    unsafe { sys::duplicate_to(&fd.as_fd(), number) }.expect("the number is below the descriptor limit");
    // SAFETY: dup2 just opened it, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Soft and hard limit of a resource (`libc::RLIMIT_*`); no limit is `u64::MAX`.
///
/// # Errors
///
/// The kernel's, for a resource that it does not know.
pub fn limit(resource: impl Into<i64>) -> io::Result<(u64, u64)> {
    sys::limit(resource.into())
}

/// Sets the soft and hard limit of a resource (`libc::RLIMIT_*`), for good.
///
/// # Errors
///
/// The kernel's: a hard limit is raised with privileges only.
pub fn set_limit(resource: impl Into<i64>, soft: u64, hard: u64) -> io::Result<()> {
    sys::set_limit(resource.into(), soft, hard)
}

/// A directory, open to everybody, that holds the probe as `/probe` and nothing else.
///
/// It is removed when dropped.
///
/// # Panics
///
/// If it cannot be made.
pub fn empty_chroot() -> TempDir {
    let root = TempDir::new().expect("a temporary directory can be made");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("the directory is ours");
    probe::copy_to(root.path());
    root
}

/// What the kernel keeps for the calling thread: umask, ids, groups, capabilities, signals, `no_new_privs`, the nice value.
///
/// # Panics
///
/// If procfs is not mounted.
pub fn own_status() -> String {
    const KEPT: [&str; 10] =
        ["Umask", "Uid", "Gid", "Groups", "CapEff", "CapAmb", "NoNewPrivs", "SigBlk", "SigIgn", "SigCgt"];
    let read = |name| fs::read_to_string(format!("/proc/thread-self/{name}")).expect("procfs is mounted");
    let (status, stat) = (read("status"), read("stat"));
    let kept = status.lines().filter(|line| KEPT.iter().any(|name| line.starts_with(name)));
    let nice = stat.rsplit(')').next().and_then(|fields| fields.split_whitespace().nth(16));
    format!("{:?} {nice:?}", kept.collect::<Vec<_>>())
}

/// Whether the kernel has close_range(2), or a filter says that it has not. It is asked to close what is never open.
pub fn has_close_range() -> bool {
    sys::close_nothing().is_ok()
}

/// What runs this program, if it is not the kernel itself.
///
/// qemu-user hides itself from a program that looks at its own process by its usual names, and by no others.
pub fn emulator() -> Option<PathBuf> {
    let said = fs::read_link("/proc/self/exe").ok()?;
    fs::read_link("/proc/thread-self/exe").ok().filter(|true_one| *true_one != said)
}

/// Whether this process has the superuser's effective id.
pub fn is_root() -> bool {
    sys::effective_user() == 0
}
