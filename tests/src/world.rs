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
use std::process::ExitStatus;

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

/// Opens `/dev/null` under these numbers; the descriptors survive exec.
pub fn open_at(numbers: &[RawFd]) -> Vec<OwnedFd> {
    let null = fs::File::open("/dev/null").expect("every system has it");
    numbers.iter().map(|&number| place(&null, number)).collect()
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

/// Makes a Landlock ruleset that restricts nothing but the making of block devices.
///
/// # Errors
///
/// The kernel's, if it has no Landlock.
pub fn ruleset() -> io::Result<OwnedFd> {
    sys::ruleset()
}

/// Returns a processor that may run this thread.
///
/// # Panics
///
/// If there is no procfs.
pub fn processor() -> usize {
    let status = fs::read_to_string("/proc/thread-self/status").expect("there is procfs");
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:\t"));
    let first = list.and_then(|list| list.split(['-', ',']).next()?.parse().ok());
    first.expect("there is a processor")
}

/// Makes a directory, open to all users, that holds the probe as `/probe` and nothing else.
///
/// It is removed on drop.
pub fn empty_chroot() -> TempDir {
    let root = TempDir::new().expect("a temporary directory can be made");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("the directory is ours");
    probe::copy_to(root.path());
    root
}

/// Returns the state of the calling thread in the kernel, as text: umask, ids, groups, capabilities, signals, `no_new_privs`,
/// the nice value.
pub fn own_status() -> String {
    const KEPT: [&str; 10] =
        ["Umask", "Uid", "Gid", "Groups", "CapEff", "CapAmb", "NoNewPrivs", "SigBlk", "SigIgn", "SigCgt"];
    let read = |name| fs::read_to_string(format!("/proc/thread-self/{name}")).expect("procfs is mounted");
    let (status, stat) = (read("status"), read("stat"));
    let kept = status.lines().filter(|line| KEPT.iter().any(|name| line.starts_with(name)));
    let nice = stat.rsplit(')').next().and_then(|fields| fields.split_whitespace().nth(16));
    format!("{:?} {nice:?}", kept.collect::<Vec<_>>())
}

/// Returns true if the kernel has close_range(2) and no filter hides it. The call closes numbers that are never open.
pub fn has_close_range() -> bool {
    sys::close_nothing().is_ok()
}

/// Returns the emulator that runs this program, if any.
///
/// qemu-user hides itself only under the usual names of the own process.
pub fn emulator() -> Option<PathBuf> {
    let said = fs::read_link("/proc/self/exe").ok()?;
    fs::read_link("/proc/thread-self/exe").ok().filter(|true_one| *true_one != said)
}

/// Waits for a child of this process, or for any if `child` is -1, and returns its status.
pub fn wait_for(child: i32) -> ExitStatus {
    sys::wait_for(child).expect("it is a child of this process")
}

/// Returns true if the effective user of this process is the superuser.
pub fn is_root() -> bool {
    sys::effective_user() == 0
}
