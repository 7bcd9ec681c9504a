//! The descriptors that this process was started with.
//!
//! The numbers come from a directory that lists them, or from asking for every number. Nothing
//! here keeps a descriptor open, so what is open when the listing is over was there before it.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::fstat;

use super::Listing;
use super::row::Row;
use super::sockets;
use crate::started;

/// Where systems list the descriptors of the process that asks, the one with targets first.
const LISTS: [&str; 2] = ["/proc/self/fd", "/dev/fd"];

/// Probing goes up at least to this number, because a lowered limit closes nothing above it.
const PROBED_AT_LEAST: i32 = 65_536;

/// Lists what is open, by the best means that is there.
pub(super) fn list() -> Listing {
    let Some((dir, numbers)) = LISTS.iter().find_map(|dir| Some((*dir, listed(Path::new(dir))?))) else {
        let end = highest_possible();
        let note = format!("/proc/self/fd is not there: probed 0 to {}, targets are unknown", end - 1);
        return Listing { rows: rows(0..end, None), note: Some(note) };
    };
    let mut rows = rows(numbers, Some(Path::new(dir)));
    sockets::name(&mut rows, Path::new("/proc/self/net"));
    let note =
        (dir != LISTS[0]).then(|| format!("/proc/self/fd is not there: asked {dir}, targets are unknown"));
    Listing { rows, note }
}

/// The numbers that `dir` lists, in order, if it tells the truth.
///
/// A `/dev/fd` that is only a directory with 0, 1 and 2 in it (FreeBSD without fdescfs) shows
/// itself by not listing a descriptor that was opened just before.
fn listed(dir: &Path) -> Option<Vec<i32>> {
    let witness = File::open("/").ok()?;
    let names = fs::read_dir(dir).ok()?.map(|entry| Some(entry.ok()?.file_name()));
    let names = names.collect::<Option<Vec<_>>>()?;
    let mut numbers: Vec<i32> = names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers.contains(&witness.as_raw_fd()).then_some(numbers)
}

/// One more than the highest number that a descriptor can have: the hard limit.
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

/// The row of `fd`, if it is open.
fn row(fd: i32, links: Option<&Path>) -> Option<Row> {
    // SAFETY: F_GETFD takes any number and touches no memory.
    let descriptor_flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    if descriptor_flags == -1 {
        return None;
    }
    // SAFETY: it is open, as just seen, and the only thread there is closes nothing here.
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
    fn a_directory_that_lists_no_descriptors_is_not_believed() {
        assert_eq!(listed(Path::new("/")), None);
        assert_eq!(listed(Path::new("/nowhere")), None);
    }

    #[test]
    fn probing_finds_what_is_open_without_any_directory() {
        let file = File::open("/").expect("/ can be opened");
        let row = row(file.as_raw_fd(), None).expect("it is open");
        assert_eq!((row.mode, row.cloexec, row.kind, row.target), (Mode::Read, Some(true), Kind::Dir, None));
    }
}
