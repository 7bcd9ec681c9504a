//! Stacks for children that borrow their parent's memory: each with a guard below it, lent for one start, and kept for
//! the next.
//!
//! A plan is flat, so how deep its child's calls go does not depend on it: [`SIZE`] is several times the deepest. What
//! would grow beyond it meets the guard, and the child dies alone.
//!
//! They are kept in a few places that threads take from and give back to without a lock. A place for each thread would
//! have to be found at each thread's end.

use crate::{CloneSys, Top};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use forkexec_core::Errno;

/// Bytes of a stack. What a child does not touch takes no memory.
pub(super) const SIZE: usize = 1 << 16;

/// Bytes of the guard: at least one page, and whole pages, on every architecture.
const GUARD: usize = 1 << 16;

/// How many are kept. More children than that may start at once; their stacks are unmapped afterwards.
const KEPT: usize = 16;

/// A stack that one start has for itself: memory that [`map`](Self::map) made, whose only owner this value is.
pub(super) struct Stack<const LENGTH: usize = SIZE>(NonNull<u8>);

impl<const LENGTH: usize> Stack<LENGTH> {
    pub(super) fn map<S: CloneSys>(sys: &S) -> Result<Self, Errno> {
        let stack = Self(sys.map_private(GUARD + LENGTH)?);
        // SAFETY: the lower part of memory that was mapped just now, so that nothing refers to it; `GUARD` is whole pages.
        let guarded = unsafe { sys.mprotect_none(stack.0, GUARD) };
        match guarded {
            Ok(()) => Ok(stack),
            Err(errno) => {
                stack.unmap(sys);
                Err(errno)
            }
        }
    }

    pub(super) fn unmap<S: CloneSys>(self, sys: &S) {
        // SAFETY: `map` mapped it with this length. Whoever has the `Stack` has it alone, and gives it up here: the child that
        // ran on it has a program or has ended, or `CloneSys::start` would not have come back.
        unsafe { sys.unmap(self.0, GUARD + LENGTH) }
    }

    /// Where it begins.
    pub(super) fn top(&self) -> Top {
        // SAFETY: `map` mapped so many bytes: this is one past their end.
        unsafe { self.0.byte_add(GUARD + LENGTH) }.cast()
    }
}

/// The stacks that wait for a start. A place holds null or what was a [`Stack`]'s, which it then owns: who takes it out by an
/// atomic exchange has it alone.
#[derive(Debug)]
pub(super) struct Stacks([AtomicPtr<u8>; KEPT]);

impl Stacks {
    pub(super) const fn new() -> Self {
        Self([const { AtomicPtr::new(ptr::null_mut()) }; KEPT])
    }

    /// A stack that nobody else has.
    pub(super) fn take<S: CloneSys>(&self, sys: &S) -> Result<Stack, Errno> {
        let take = |place: &AtomicPtr<u8>| NonNull::new(place.swap(ptr::null_mut(), Ordering::Acquire));
        self.0.iter().find_map(take).map_or_else(|| Stack::map(sys), |memory| Ok(Stack(memory)))
    }

    /// Keeps it, or unmaps it where enough are kept.
    pub(super) fn give<S: CloneSys>(&self, sys: &S, stack: Stack) {
        let memory = stack.0.as_ptr();
        let keep = |place: &AtomicPtr<u8>| {
            place.compare_exchange(ptr::null_mut(), memory, Ordering::Release, Ordering::Relaxed).is_ok()
        };
        if !self.0.iter().any(keep) {
            stack.unmap(sys);
        }
    }
}
