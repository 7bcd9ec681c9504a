//! The descriptors that this process was started with.
//!
//! The numbers come from a directory that lists them, or from probing each number. This module keeps no descriptor open, so
//! all descriptors that are still open after the listing were open before it.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::fstat;

use super::Listing;
use super::row::Row;
use super::sockets;
use crate::started;

/// Directories that list the descriptors of the calling process. The first one has targets.
const LISTS: [&str; 2] = ["/proc/self/fd", "/dev/fd"];

/// Probing goes up at least to this number, because lowering the limit does not close higher descriptors.
const PROBED_AT_LEAST: i32 = 65_536;

/// Lists the open descriptors, by the best method that the system has.
pub(super) fn list() -> Listing {
    let Some((dir, numbers)) = LISTS.iter().find_map(|dir| Some((*dir, listed(Path::new(dir))?))) else {
        let end = highest_possible();
        let note = format!("/proc/self/fd is missing: probed 0 to {}, targets are unknown", end - 1);
        return Listing { rows: rows(0..end, None), note: Some(note) };
    };
    let mut rows = rows(numbers, Some(Path::new(dir)));
    sockets::name(&mut rows, Path::new("/proc/self/net"));
    let note =
        (dir != LISTS[0]).then(|| format!("/proc/self/fd is missing: used {dir}, targets are unknown"));
    Listing { rows, note }
}

/// Returns the numbers that `dir` lists, in order. Returns `None` if it does not list the open descriptors.
///
/// The test is a descriptor that was opened just before. For example, `/dev/fd` on FreeBSD without fdescfs is a directory
/// that has only 0, 1 and 2.
fn listed(dir: &Path) -> Option<Vec<i32>> {
    let witness = File::open("/").ok()?;
    let names = fs::read_dir(dir).ok()?.map(|entry| Some(entry.ok()?.file_name()));
    let names = names.collect::<Option<Vec<_>>>()?;
    let mut numbers: Vec<i32> = names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.contains(&witness.as_raw_fd()).then_some(numbers)
}

/// Returns the hard limit, which is above the highest possible descriptor.
fn highest_possible() -> i32 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for one `rlimit`.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let hard = if got == 0 { i32::try_from(limit.rlim_max).unwrap_or(i32::MAX) } else { 0 };
    hard.max(PROBED_AT_LEAST)
}

fn rows(numbers: impl IntoIterator<Item = i32>, links: Option<&Path>) -> Vec<Row> {
    numbers.into_iter().filter(|&fd| !started::was_closed(fd)).filter_map(|fd| row(fd, links)).collect()
}

/// Returns the row of `fd`, or `None` if it is not open.
fn row(fd: i32, links: Option<&Path>) -> Option<Row> {
    // SAFETY: F_GETFD takes any number and touches no memory.
    let descriptor_flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    if descriptor_flags == -1 {
        return None;
    }
    // SAFETY: the descriptor is open, and the only thread of this process does not close it here.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    let cloexec = descriptor_flags & libc::FD_CLOEXEC != 0;
    let flags = fcntl(borrowed, FcntlArg::F_GETFL).ok().map(OFlag::from_bits_retain);
    let link = links.and_then(|dir| fs::read_link(dir.join(fd.to_string())).ok());
    let target = link.map(|link| link.to_string_lossy().into_owned());
    Some(Row::new(fd, Some(cloexec), flags, target, fstat(borrowed).ok().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::super::row::{Kind, Mode};
    use super::*;

    #[test]
    fn directory_without_the_open_descriptors_is_rejected() {
        assert_eq!(listed(Path::new("/")), None);
        assert_eq!(listed(Path::new("/nowhere")), None);
    }

    #[test]
    fn probing_finds_open_descriptors_without_a_directory() {
        let file = File::open("/").expect("/ can be opened");
        let row = row(file.as_raw_fd(), None).expect("it is open");
        assert_eq!((row.mode, row.cloexec, row.kind, row.target), (Mode::Read, Some(true), Kind::Dir, None));
    }
}
