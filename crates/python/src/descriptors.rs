//! Which descriptor the child finds where, and which it closes.

use crate::arguments::Pipes;
use crate::low_numbers::MOST;
use crate::memory::{NoMemory, gather};
use forkexec::raw::{self, Lent};
use forkexec_core::{Backend, Fd, KeepList, Move, Sys};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::BorrowedFd;

/// The part of a plan that speaks of descriptors.
pub(crate) struct Descriptors {
    /// What is open in the program from 3 up, as it was asked for.
    pub(crate) keep: Vec<Fd>,
    pub(crate) inherit: Vec<Fd>,
    pub(crate) parent_ends: Vec<Fd>,
    pub(crate) moves: Vec<Move>,
    pub(crate) placed: Vec<Fd>,
    /// What is lent until the child has started.
    lent: Vec<Lent>,
}

/// Below this number a table is copied faster than anything is lent.
const WORTH_LENDING: Fd = 512;

/// As many as can be lent, and the three streams, whose sources may be kept as well.
const MOST_READ: usize = MOST + 3;

impl Descriptors {
    /// As the child of a fork does it: step by step, the parent's ends one by one.
    pub(crate) fn for_fork(pipes: Pipes, keep: &[Fd]) -> Result<Self, NoMemory> {
        let sources = sources(pipes);
        let inherited = keep.iter().copied().filter(|&fd| fd != pipes.errpipe_write);
        Ok(Self {
            inherit: gather(keep.len(), inherited)?,
            parent_ends: parent_ends(pipes),
            moves: moves(&sources),
            placed: Vec::new(),
            lent: Vec::new(),
            keep: gather(keep.len(), keep.iter().copied())?,
        })
    }

    /// For a child that closes everything else and reports in memory. It does not need the parent's ends, and not the error
    /// pipe: they are closed with all the rest. So the table need not be copied up to them, nor up to what has a high number
    /// and is lent a low one.
    pub(crate) fn for_sharing(pipes: Pipes, keep: &[Fd]) -> Result<Self, NoMemory> {
        let mut this = Self::for_fork(pipes, keep)?;
        let sources = sources(pipes);
        if !this.ends_are_mere_ends(&sources) {
            return Ok(this);
        }
        this.parent_ends.clear();
        if ends_at_exec(pipes.errpipe_write) {
            this.keep.retain(|&fd| fd != pipes.errpipe_write);
        }
        this.lend(sources);
        Ok(this)
    }

    /// Whether each of the parent's ends is open, has no other part to play, and is named once: then closing it with the rest
    /// is no different.
    fn ends_are_mere_ends(&self, sources: &BTreeMap<Fd, Fd>) -> bool {
        let sys = sys();
        let distinct: BTreeSet<Fd> = self.parent_ends.iter().copied().collect();
        let plays_a_part =
            |fd: &Fd| self.keep.binary_search(fd).is_ok() || sources.values().any(|from| from == fd);
        distinct.len() == self.parent_ends.len()
            && distinct.iter().all(|fd| *fd > 2 && !plays_a_part(fd) && sys.is_cloexec(*fd).is_ok())
    }

    /// Gives what has a high number a low one for the time of the start. What is kept gets its own number back in the child.
    fn lend(&mut self, mut sources: BTreeMap<Fd, Fd>) {
        let high = || sources.values().chain(&self.inherit).copied().filter(|&fd| fd >= raw::HIGH);
        let highest = high().max().unwrap_or(0);
        let has_room = self.inherit.last().is_none_or(|&kept| kept <= raw::highest_target());
        if highest < WORTH_LENDING || !has_room || high().count() > MOST_READ {
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

    /// The keep list. It was found to be sorted.
    pub(crate) fn keep(&self) -> KeepList<'_> {
        KeepList::new(&self.keep).unwrap_or(KeepList::EMPTY)
    }
}

/// The streams one after the other, as the interpreter's module places them: a report may go to one of them. If one would
/// be lost, the steps are solved.
fn moves(sources: &BTreeMap<Fd, Fd>) -> Vec<Move> {
    let loses_one = sources.get(&1) == Some(&0) || matches!(sources.get(&2), Some(0 | 1));
    if loses_one {
        return raw::moves(sources);
    }
    let step = |(&to, &from)| if to == from { Move::ClearCloexec(to) } else { Move::copy(from, to) };
    sources.iter().map(step).collect()
}

/// What 0, 1 and 2 are made of, by target.
fn sources(pipes: Pipes) -> BTreeMap<Fd, Fd> {
    let streams = [(0, pipes.p2cread), (1, pipes.c2pwrite), (2, pipes.errwrite)];
    streams.into_iter().filter(|(_, from)| *from != -1).collect()
}

fn parent_ends(pipes: Pipes) -> Vec<Fd> {
    let streams = [pipes.p2cwrite, pipes.c2pread, pipes.errread];
    streams.into_iter().filter(|&fd| fd != -1).chain([pipes.errpipe_read]).collect()
}

/// The system calls, to ask about descriptors.
fn sys() -> &'static impl Sys {
    // SAFETY: this file asks whether descriptors are close-on-exec, and changes none.
    unsafe { raw::backend() }.sys()
}

fn ends_at_exec(fd: Fd) -> bool {
    sys().is_cloexec(fd) == Ok(true)
}
