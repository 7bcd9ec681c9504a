//! Closing every descriptor that is not kept: a chain of ways, each of which may be refused.
//!
//! Bulk call over the gaps, else the open descriptors as listed, else every number up to the highest possible one. A link
//! that fails, at once or half-way, is no reason to stop: the next one does the whole range again, and closing what is
//! closed already is harmless. Nothing here is ever silently left open.

use crate::{Backend, Errno, Fd, FdEnumerator, Gap, KeepList, Sys, Unlisted};

/// A link of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseStrategy {
    /// One call for each gap between kept descriptors.
    Bulk,
    /// The open descriptors, as the system lists them.
    Enumerate,
    /// Every possible number.
    Loop,
}

/// What closed the descriptors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closer {
    /// Nothing was to be closed.
    #[default]
    Nothing,
    /// The system's bulk call.
    Bulk,
    /// The enumerator with this index in [`Backend::enumerators`].
    Enumerator(u8),
    /// The loop over every number.
    Loop,
}

/// How closing went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// The link that closed everything.
    pub by: Closer,
    /// What the bulk call answered, if it was asked and refused.
    pub bulk_refused: Option<Errno>,
}

/// The loop goes at least this far: a limit that was lowered below open descriptors has not closed them.
pub const LOOP_FLOOR: Fd = 1 << 16;

/// The loop goes no farther than this: 2^30 numbers, a usual hard limit in containers, take some 100 seconds.
pub const LOOP_CEILING: Fd = 1 << 20;

/// Closes the descriptors at or above `first` that are not kept, beginning with `link`.
///
/// # Errors
///
/// The errno for which not even the loop can promise to close all: see [`Backend::loop_bound`].
pub fn close_except<B: Backend + ?Sized>(
    backend: &B,
    first: Fd,
    keep: KeepList<'_>,
    link: CloseStrategy,
) -> Result<Closed, Errno> {
    close_except_knowing(backend, first, keep, link, Known::default())
}

/// What a child knows already when it begins to close.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known {
    /// From here on only kept descriptors are open.
    pub(crate) emptied: Option<Fd>,
    /// How far the loop goes at least: the bound as it was before the plan lowered the limit.
    pub(crate) loop_bound: Option<Result<Fd, Errno>>,
}

/// The same as [`close_except`], with what is known already.
pub(crate) fn close_except_knowing<B: Backend + ?Sized>(
    backend: &B,
    first: Fd,
    keep: KeepList<'_>,
    link: CloseStrategy,
    known: Known,
) -> Result<Closed, Errno> {
    let mut bulk_refused = None;
    if link <= CloseStrategy::Bulk {
        match close_gaps(backend, first, keep, known.emptied) {
            Ok(()) => return Ok(Closed { by: Closer::Bulk, bulk_refused }),
            Err(errno) => bulk_refused = Some(errno),
        }
    }
    if link <= CloseStrategy::Enumerate
        && let Some(by) = close_listed(backend, first, keep)
    {
        return Ok(Closed { by, bulk_refused });
    }
    close_each(backend, first, keep, known.loop_bound.unwrap_or(Ok(0))?)?;
    Ok(Closed { by: Closer::Loop, bulk_refused })
}

/// Closes the descriptors at or above `first` that are not kept, by one means and no other.
///
/// # Errors
///
/// [`Unlisted`] if a descriptor may still be open.
pub fn close_by<B: Backend + ?Sized>(
    backend: &B,
    by: Closer,
    first: Fd,
    keep: KeepList<'_>,
) -> Result<(), Unlisted> {
    match by {
        Closer::Nothing => Ok(()),
        Closer::Bulk => close_gaps(backend, first, keep, None).map_err(Unlisted::Refused),
        Closer::Enumerator(index) => {
            let enumerator = backend.enumerators().get(usize::from(index));
            let enumerator = enumerator.ok_or(Unlisted::Refused(Errno::NOSYS))?;
            close_until_none_is_listed(backend.sys(), *enumerator, first, keep)
        }
        Closer::Loop => close_each(backend, first, keep, 0).map_err(Unlisted::Refused),
    }
}

fn close_gaps<B: Backend + ?Sized>(
    backend: &B,
    first: Fd,
    keep: KeepList<'_>,
    emptied: Option<Fd>,
) -> Result<(), Errno> {
    keep.gaps(first).filter_map(|gap| below(gap, emptied)).try_for_each(|gap| backend.close_gap(gap))
}

/// The part of a gap in which something may be open. A call for 19,000 numbers of which none is takes 120 µs.
fn below(gap: Gap, emptied: Option<Fd>) -> Option<Gap> {
    match emptied {
        Some(from) => Gap::new(gap.first(), gap.last().min(from.saturating_sub(1))),
        None => Some(gap),
    }
}

fn close_listed<B: Backend + ?Sized>(backend: &B, first: Fd, keep: KeepList<'_>) -> Option<Closer> {
    let mut index = 0_u8;
    for enumerator in backend.enumerators() {
        if close_until_none_is_listed(backend.sys(), *enumerator, first, keep).is_ok() {
            return Some(Closer::Enumerator(index));
        }
        index = index.saturating_add(1);
    }
    None
}

/// Where what is behind a closed descriptor moves up in the list, a pass skips some: every other one at worst, so that each
/// pass leaves at most half. One that has nothing to close has skipped nothing.
fn close_until_none_is_listed<S: Sys>(
    sys: &S,
    enumerator: &dyn FdEnumerator<S>,
    first: Fd,
    keep: KeepList<'_>,
) -> Result<(), Unlisted> {
    for _ in 0..MOST_PASSES {
        let mut closed_any = false;
        enumerator.visit(sys, first, &mut |fd| {
            if !keep.contains(fd) {
                closed_any |= sys.close(fd).is_ok();
            }
        })?;
        if !closed_any {
            return Ok(());
        }
    }
    Err(Unlisted::Untrusted)
}

/// Twice the passes that halving all possible numbers takes. A list that never ends is no list.
const MOST_PASSES: u32 = 2 * Fd::BITS;

fn close_each<B: Backend + ?Sized>(
    backend: &B,
    first: Fd,
    keep: KeepList<'_>,
    at_least: Fd,
) -> Result<(), Errno> {
    let bound = backend.loop_bound()?.max(at_least);
    for gap in keep.gaps(first) {
        close_numbers(backend.sys(), gap, bound);
    }
    Ok(())
}

/// Closes the numbers of a gap that are below `bound`, one by one.
pub fn close_numbers<S: Sys + ?Sized>(sys: &S, gap: Gap, bound: Fd) {
    let end = gap.last().saturating_add(1).min(bound);
    for fd in gap.first()..end {
        close_quietly(sys, fd);
    }
}

/// A number that is not open is closed already, and what Linux and the BSDs answer with `EINTR` or `EIO` has left the
/// table, too (close(2), NOTES).
fn close_quietly<S: Sys + ?Sized>(sys: &S, fd: Fd) {
    let _ = sys.close(fd);
}

/// One more than the highest number that an open descriptor may have, for a system without a better answer: the hard
/// limit, else `_SC_OPEN_MAX`, and never below [`LOOP_FLOOR`]; where neither can be asked, or there is none,
/// [`LOOP_CEILING`], which is as high as Linux lets a limit be unless it is told otherwise.
///
/// # Errors
///
/// `EOVERFLOW` above [`LOOP_CEILING`].
pub fn loop_bound<S: Sys>(sys: &S) -> Result<Fd, Errno> {
    let hard = sys.descriptor_limit().ok().filter(|&limit| limit != u64::MAX);
    let Some(bound) = hard.or_else(|| sys.open_max()) else { return Ok(LOOP_CEILING) };
    match Fd::try_from(bound) {
        Ok(bound) if bound <= LOOP_CEILING => Ok(bound.max(LOOP_FLOOR)),
        _ => Err(Errno::OVERFLOW),
    }
}
