//! Closes every descriptor that is not kept, by a chain of steps, each of which the kernel may refuse.
//!
//! The first step is the bulk call over the gaps, the second closes the listed descriptors, and the third closes every number
//! up to the highest possible one. If a step fails, at once or half-way, the next one does the whole range again; closing a
//! closed number is harmless. The child never leaves a descriptor open without an error.

use crate::{Backend, Errno, Fd, FdEnumerator, Gap, KeepList, Sys, Unlisted};

/// A step of the closing chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseStrategy {
    /// One call for each gap between kept descriptors.
    Bulk,
    /// A close for each descriptor that the system lists.
    Enumerate,
    /// A close for every possible number.
    Loop,
}

/// The means by which the descriptors were closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closer {
    /// None: the plan closes nothing.
    #[default]
    Nothing,
    /// The bulk call of the system.
    Bulk,
    /// The enumerator with this index in [`Backend::enumerators`].
    Enumerator(u8),
    /// The loop over every number.
    Loop,
}

/// The result of closing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// The means that closed everything.
    pub by: Closer,
    /// The errno of the bulk call, if the child made it and it failed.
    pub bulk_refused: Option<Errno>,
}

/// The loop closes at least so many numbers, because a limit that was lowered below open descriptors does not close them.
pub const LOOP_FLOOR: Fd = 1 << 16;

/// The loop closes at most so many numbers. 2^30, a usual hard limit in containers, would take some 100 seconds.
pub const LOOP_CEILING: Fd = 1 << 20;

/// Closes the descriptors at or above `first` that are not kept, beginning with `strategy`.
///
/// # Errors
///
/// Returns the errno of [`Backend::loop_bound`] if not even the loop can close all.
pub fn close_except<B: Backend + ?Sized>(
    backend: &B,
    first: Fd,
    keep: KeepList<'_>,
    strategy: CloseStrategy,
) -> Result<Closed, Errno> {
    close_except_knowing(backend, first, keep, strategy, Known::default())
}

/// The facts that a child knows when it begins to close.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known {
    /// From this number on, only kept descriptors are open.
    pub(crate) emptied: Option<Fd>,
    /// The least bound of the loop: that before the plan lowered the limit.
    pub(crate) loop_bound: Option<Result<Fd, Errno>>,
}

/// Does the same as [`close_except`], with some facts known.
pub(crate) fn close_except_knowing<B: Backend + ?Sized>(
    backend: &B,
    first: Fd,
    keep: KeepList<'_>,
    strategy: CloseStrategy,
    known: Known,
) -> Result<Closed, Errno> {
    let mut bulk_refused = None;
    if strategy <= CloseStrategy::Bulk {
        match close_gaps(backend, first, keep, known.emptied) {
            Ok(()) => return Ok(Closed { by: Closer::Bulk, bulk_refused }),
            Err(errno) => bulk_refused = Some(errno),
        }
    }
    if strategy <= CloseStrategy::Enumerate {
        if let Some(by) = close_listed(backend, first, keep) {
            return Ok(Closed { by, bulk_refused });
        }
    }
    close_each(backend, first, keep, known.loop_bound.unwrap_or(Ok(0))?)?;
    Ok(Closed { by: Closer::Loop, bulk_refused })
}

/// Closes the descriptors at or above `first` that are not kept, by one means, without a fallback.
///
/// # Errors
///
/// Returns [`Unlisted`] if a descriptor may still be open.
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

/// The part of a gap in which a descriptor may be open. A call for 19,000 numbers takes 120 µs even if none is open.
fn below(gap: Gap, emptied: Option<Fd>) -> Option<Gap> {
    match emptied {
        Some(from) => Gap::new(gap.first(), gap.last().min(from.saturating_sub(1))),
        None => Some(gap),
    }
}

fn close_listed<B: Backend + ?Sized>(backend: &B, first: Fd, keep: KeepList<'_>) -> Option<Closer> {
    by_enumerator(backend, |list| close_until_none_is_listed(backend.sys(), list, first, keep).is_ok())
}

/// Tries the lists of a system in their order. Returns the first for which `walk` returns true.
pub(crate) fn by_enumerator<B: Backend + ?Sized>(
    backend: &B,
    walk: impl Fn(&dyn FdEnumerator<B::Sys>) -> bool,
) -> Option<Closer> {
    let mut index = 0_u8;
    for enumerator in backend.enumerators() {
        if walk(*enumerator) {
            return Some(Closer::Enumerator(index));
        }
        index = index.saturating_add(1);
    }
    None
}

/// If the entries after a closed descriptor move up in the list, a pass skips some. At worst it skips every other one, so each
/// pass leaves at most half. A pass that closes nothing has skipped nothing.
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

/// Twice the passes that halving all possible numbers takes. A list that is still not empty then cannot be trusted.
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

/// Ignores errors: a number that is not open is closed, and after `EINTR` or `EIO` Linux and the BSDs have removed the
/// descriptor, too (close(2), NOTES).
fn close_quietly<S: Sys + ?Sized>(sys: &S, fd: Fd) {
    let _ = sys.close(fd);
}

/// One more than the highest number that an open descriptor may have, for a system without a better answer.
///
/// It is the hard limit, else `_SC_OPEN_MAX`, and never below [`LOOP_FLOOR`]. If both are unknown or infinite, it is
/// [`LOOP_CEILING`], which is the highest limit that Linux allows by default.
///
/// # Errors
///
/// Returns `EOVERFLOW` above [`LOOP_CEILING`].
pub fn loop_bound<S: Sys>(sys: &S) -> Result<Fd, Errno> {
    let hard = sys.descriptor_limit().ok().filter(|&limit| limit != u64::MAX);
    let Some(bound) = hard.or_else(|| sys.open_max()) else { return Ok(LOOP_CEILING) };
    match Fd::try_from(bound) {
        Ok(bound) if bound <= LOOP_CEILING => Ok(bound.max(LOOP_FLOOR)),
        _ => Err(Errno::OVERFLOW),
    }
}
