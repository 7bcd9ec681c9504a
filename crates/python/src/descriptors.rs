//! The descriptors that the child gets, their numbers, and those that it closes.

use crate::arguments::Pipes;
use crate::low_numbers::MOST;
use crate::memory::{NoMemory, gather};
use forkexec::raw::{self, Lent};
use forkexec_core::{Backend, Fd, KeepList, Move, Sys};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::BorrowedFd;

/// The part of a plan that is about descriptors.
pub(crate) struct Descriptors {
    /// The descriptors from 3 up that are open in the program.
    pub(crate) keep: Vec<Fd>,
    pub(crate) inherit: Vec<Fd>,
    pub(crate) moves: Vec<Move>,
    pub(crate) placed: Vec<Fd>,
    /// Low numbers that are in use until the child has started.
    lent: Vec<Lent>,
}

/// Up to this number, copying the table is faster than moving descriptors to low numbers.
const WORTH_MOVING: Fd = 512;

/// The highest number of descriptors that are moved: all low numbers, and the three streams, whose sources can be kept, too.
const MOST_READ: usize = MOST + 3;

impl Descriptors {
    /// Makes the descriptors of a forked child: it places the streams step by step, and closes the parent's ends one by one.
    pub(crate) fn for_fork(pipes: Pipes, keep: &[Fd]) -> Result<Self, NoMemory> {
        let sources = sources(pipes);
        let inherited = keep.iter().copied().filter(|&fd| fd != pipes.errpipe_write);
        Ok(Self {
            inherit: gather(keep.len(), inherited)?,
            moves: parent_ends(pipes).map(Move::CloseOpen).chain(moves(&sources)).collect(),
            placed: Vec::new(),
            lent: Vec::new(),
            keep: gather(keep.len(), keep.iter().copied())?,
        })
    }

    /// Makes the descriptors of a child that closes all others and reports in memory. The parent's ends and the error pipe
    /// are closed with all others, so the table is not copied up to them. It is not copied up to high descriptors either,
    /// which are moved to low numbers.
    pub(crate) fn for_sharing(pipes: Pipes, keep: &[Fd]) -> Result<Self, NoMemory> {
        let mut this = Self::for_fork(pipes, keep)?;
        let sources = sources(pipes);
        if !this.have_no_other_use(parent_ends(pipes), &sources) {
            return Ok(this);
        }
        this.moves = moves(&sources);
        if ends_at_exec(pipes.errpipe_write) {
            this.keep.retain(|&fd| fd != pipes.errpipe_write);
        }
        this.move_to_low_numbers(sources);
        Ok(this)
    }

    /// Returns true if each of the parent's ends is open, is passed once, and has no other use in the child. Then the child
    /// can close it with all others.
    fn have_no_other_use(&self, mut ends: impl Iterator<Item = Fd>, sources: &BTreeMap<Fd, Fd>) -> bool {
        let sys = sys();
        let mut distinct = BTreeSet::new();
        let is_used =
            |fd: &Fd| self.keep.binary_search(fd).is_ok() || sources.values().any(|from| from == fd);
        ends.all(|fd| distinct.insert(fd) && fd > 2 && !is_used(&fd) && sys.is_cloexec(fd).is_ok())
    }

    /// Moves high descriptors to low numbers until the child has started. In the child, kept descriptors get their own
    /// numbers back.
    fn move_to_low_numbers(&mut self, mut sources: BTreeMap<Fd, Fd>) {
        let high = || sources.values().chain(&self.inherit).copied().filter(|&fd| fd >= raw::HIGH);
        let highest = high().max().unwrap_or(0);
        let has_room = self.inherit.last().is_none_or(|&kept| kept <= raw::highest_target());
        if highest < WORTH_MOVING || !has_room || high().count() > MOST_READ {
            return;
        }
        let high: BTreeSet<Fd> = high().collect();
        let high: Vec<Fd> = high.into_iter().collect();
        // SAFETY: the caller of `fork_exec` passes descriptors of its own by number, and does not close them during the call.
        let borrowed: Vec<_> = high.iter().map(|&fd| unsafe { BorrowedFd::borrow_raw(fd) }).collect();
        let Some(lent) = raw::lend(&borrowed, |low| self.keep.binary_search(&low).is_err()) else { return };
        let low: BTreeMap<Fd, Fd> = high.iter().copied().zip(lent.iter().map(Lent::number)).collect();
        for from in sources.values_mut() {
            *from = low.get(from).copied().unwrap_or(*from);
        }
        for fd in &self.inherit {
            if let Some(low) = low.get(fd) {
                sources.insert(*fd, *low);
            }
        }
        self.inherit.retain(|fd| !low.contains_key(fd));
        self.placed = sources.keys().copied().filter(|&to| to > 2).collect();
        self.moves = raw::moves(&sources);
        self.lent = lent;
    }

    /// Returns the keep list, which was checked to be sorted.
    pub(crate) fn keep(&self) -> KeepList<'_> {
        KeepList::new(&self.keep).unwrap_or(KeepList::EMPTY)
    }
}

/// Returns the moves of the streams in their order, as in the interpreter's module: the error report can go to one of them.
/// If that would lose a source, the moves are ordered so that none is lost.
fn moves(sources: &BTreeMap<Fd, Fd>) -> Vec<Move> {
    let loses_one = sources.get(&1) == Some(&0) || matches!(sources.get(&2), Some(0 | 1));
    if loses_one {
        return raw::moves(sources);
    }
    let step = |(&to, &from)| if to == from { Move::ClearCloexec(to) } else { Move::copy(from, to) };
    sources.iter().map(step).collect()
}

/// Returns the sources of 0, 1 and 2, by target.
fn sources(pipes: Pipes) -> BTreeMap<Fd, Fd> {
    let streams = [(0, pipes.p2cread), (1, pipes.c2pwrite), (2, pipes.errwrite)];
    streams.into_iter().filter(|(_, from)| *from != -1).collect()
}

fn parent_ends(pipes: Pipes) -> impl Iterator<Item = Fd> {
    let streams = [pipes.p2cwrite, pipes.c2pread, pipes.errread];
    streams.into_iter().filter(|&fd| fd != -1).chain([pipes.errpipe_read])
}

/// Returns the system calls, to read the flags of descriptors.
fn sys() -> &'static impl Sys {
    // SAFETY: this file only reads close-on-exec flags, and changes no descriptor.
    unsafe { raw::backend() }.sys()
}

fn ends_at_exec(fd: Fd) -> bool {
    sys().is_cloexec(fd) == Ok(true)
}
