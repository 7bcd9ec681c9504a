//! The choice of sources that are relocated to low numbers.

use super::Draft;
use super::{FIRST_SOURCE, NO_ENDS, ROOM, ROOM_FOR_SOURCES};
use crate::child_fds::low_fds::{self, HIGH};
use crate::sys::{fd, system};
use forkexec_core::{Fd, Source};
use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;

/// Sources with high numbers, and what remains when they are relocated.
#[derive(Default)]
pub(crate) struct Relocation {
    /// The highest sources in descending order, as many as a start has room for. A start takes them from its
    /// `ends`.
    pub(super) sources: Vec<Fd>,
    /// The highest number that the child needs in any case. Relocating a lower source gains nothing.
    pub(crate) floor: Fd,
    /// The highest kept descriptor among the sources. If it is above the soft limit at a start, it cannot be
    /// placed under its number again, and nothing is relocated.
    pub(crate) highest_kept: Option<Fd>,
}

impl Relocation {
    /// Chooses among all descriptors that the child reads: sources of mappings, kept descriptors and `setup_fds`.
    pub(super) fn choose(draft: &Draft<'_>, setup_fds: &[Fd]) -> Self {
        let kept = draft.descriptors.kept.iter().copied();
        let setup_fds = setup_fds.iter().copied();
        let mapped = draft.mappings.values().filter_map(|from| match *from {
            Source::Fd(fd) => Some(fd),
            Source::SpawnFd(_) => None,
        });
        let needed: BTreeSet<Fd> = mapped.chain(kept).chain(setup_fds).collect();
        // A pipe that a start opens may get a high number, too.
        let is_lent = |&fd: &Fd| !system::may_take(Some(fd) == draft.null);
        if needed.iter().any(is_lent) || !draft.mappings.is_empty() && !system::may_take(true) {
            low_fds::reserve_first();
        }
        let is_kept = |fd: &Fd| draft.descriptors.kept.binary_search(fd).is_ok();
        let limit = LazyCell::new(fd::highest_target);
        let has_room = |fd: &Fd| !is_kept(fd) || *fd <= *limit;
        // A low duplicate is closed after the start, which would drop the record locks that this process
        // holds on the file.
        // SAFETY: the command or the draft owns or borrows each source, and both outlive this function.
        let source = |fd: Fd| unsafe { BorrowedFd::borrow_raw(fd) };
        let can_relocate = |fd: &Fd| *fd >= HIGH && has_room(fd) && system::is_never_locked(source(*fd));
        let sources: Vec<Fd> =
            needed.iter().rev().copied().filter(can_relocate).take(ROOM_FOR_SOURCES).collect();
        let left = needed.iter().rev().find(|fd| !sources.contains(fd));
        Self {
            floor: left.copied().unwrap_or(0).max(HIGH - 1),
            highest_kept: sources.iter().copied().find(is_kept),
            sources,
        }
    }

    /// Returns the numbers in `ends` of sources that a start does not relocate. A pipe has none before a start.
    pub(super) fn ends(&self) -> [Fd; ROOM] {
        let mut ends = NO_ENDS;
        ends[FIRST_SOURCE..].iter_mut().zip(&self.sources).for_each(|(end, &source)| *end = source);
        ends
    }

    /// Returns the index of a source in `ends`.
    pub(super) fn place(&self, fd: Fd) -> Option<u8> {
        let index = self.sources.iter().position(|&source| source == fd)?;
        u8::try_from(index + FIRST_SOURCE).ok()
    }
}
