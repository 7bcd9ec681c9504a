//! Sets or clears close-on-exec on every descriptor that is not kept, by the chain that closes them.
//!
//! Nothing is closed, so a channel that must stay open until exec does. The first step is one call for each gap. It exists
//! for setting alone, and only on some systems. The second changes the listed descriptors, and the third every possible
//! number. If a step fails, at once or half-way, the next one does the whole range again.

use crate::close::by_enumerator;
use crate::{Backend, CloseStrategy, Closer, Errno, Fd, Gap, KeepList, Sys};

/// Sets or clears close-on-exec on the descriptors at or above `first` that are not kept, beginning with `strategy`. Returns
/// the means that changed all of them.
///
/// # Errors
///
/// Returns the errno of fcntl(2) if it fails for an open descriptor, or that of [`Backend::loop_bound`]. The flags of some
/// descriptors may have changed.
pub fn set_cloexec_except<B: Backend + ?Sized>(
    backend: &B,
    first: Fd,
    keep: KeepList<'_>,
    cloexec: bool,
    strategy: CloseStrategy,
) -> Result<Closer, Errno> {
    let may_call = cloexec && strategy <= CloseStrategy::Bulk;
    if may_call && keep.gaps(first).try_for_each(|gap| backend.set_gap_cloexec(gap)).is_ok() {
        return Ok(Closer::Bulk);
    }
    if strategy <= CloseStrategy::Enumerate {
        if let Some(by) = change_listed(backend, first, keep, cloexec) {
            return Ok(by);
        }
    }
    let bound = backend.loop_bound()?;
    keep.gaps(first).try_for_each(|gap| change_numbers(backend.sys(), gap, bound, cloexec))?;
    Ok(Closer::Loop)
}

/// Lets a program that this process executes inherit the kept descriptors, and no others at or above `first`: sets
/// close-on-exec on all others, and clears it on the kept ones.
///
/// # Errors
///
/// As [`set_cloexec_except`]. `EBADF` if a kept descriptor is not open. The program must not be executed then.
pub fn inherit_only<B: Backend + ?Sized>(
    backend: &B,
    first: Fd,
    keep: KeepList<'_>,
    strategy: CloseStrategy,
) -> Result<(), Errno> {
    set_cloexec_except(backend, first, keep, true, strategy)?;
    keep.as_slice().iter().try_for_each(|&fd| backend.sys().set_cloexec(fd, false))
}

/// A visit passes every descriptor that stays open, and this closes none. So one pass suffices.
fn change_listed<B: Backend + ?Sized>(
    backend: &B,
    first: Fd,
    keep: KeepList<'_>,
    cloexec: bool,
) -> Option<Closer> {
    by_enumerator(backend, |list| {
        let mut changed_all = true;
        let visited = list.visit(backend.sys(), first, &mut |fd| {
            if !keep.contains(fd) {
                changed_all &= change(backend.sys(), fd, cloexec).is_ok();
            }
        });
        visited.is_ok() && changed_all
    })
}

fn change_numbers<S: Sys + ?Sized>(sys: &S, gap: Gap, bound: Fd, cloexec: bool) -> Result<(), Errno> {
    let end = gap.last().saturating_add(1).min(bound);
    (gap.first()..end).try_for_each(|fd| change(sys, fd, cloexec))
}

/// A number that is not open needs no change.
fn change<S: Sys + ?Sized>(sys: &S, fd: Fd, cloexec: bool) -> Result<(), Errno> {
    match sys.set_cloexec(fd, cloexec) {
        Err(Errno::BADF) => Ok(()),
        changed => changed,
    }
}
