//! Stacks for children that share the memory of their parent. Each has a guard below it, belongs to one start at a time, and is
//! reused.
//!
//! A plan is flat, so the depth of the child's calls does not depend on it. [`SIZE`] is several times that depth. An overflow
//! hits the guard, and only the child dies.
//!
//! A small pool holds the free stacks. Threads take and return them without a lock. A stack for each thread would have to be
//! freed when its thread ends.

use crate::{CloneSys, Top};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use forkexec_core::Errno;

/// The size of a stack in bytes. Pages that no child touches take no memory.
pub(super) const SIZE: usize = 1 << 16;

/// The size of the guard in bytes: whole pages, and at least one, on every architecture.
const GUARD: usize = 1 << 16;

/// The size of the pool. If more children start at once, the additional stacks are unmapped afterwards.
const KEPT: usize = 16;

/// A stack that belongs to one start. It owns memory from [`map`](Self::map).
pub(super) struct Stack<const LENGTH: usize = SIZE>(NonNull<u8>);

impl<const LENGTH: usize> Stack<LENGTH> {
    pub(super) fn map<S: CloneSys>(sys: &S) -> Result<Self, Errno> {
        let stack = Self(sys.map_private(GUARD + LENGTH)?);
        // SAFETY: this is the lower part of a new mapping, to which nothing refers. `GUARD` is whole pages.
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
        // SAFETY: `map` mapped it with this length. The `Stack` is its only owner, and is consumed here. The child that ran on
        // it has executed a program or ended, because `CloneSys::start` has returned.
        unsafe { sys.unmap(self.0, GUARD + LENGTH) }
    }

    /// The address where the stack begins.
    pub(super) fn top(&self) -> Top {
        // SAFETY: `map` mapped that many bytes, so this is one past their end.
        unsafe { self.0.byte_add(GUARD + LENGTH) }.cast()
    }
}

/// The pool of free stacks. An entry is null, or owns the memory of a [`Stack`]. A thread takes it by an atomic exchange, and is
/// then the only owner.
#[derive(Debug)]
pub(super) struct Stacks([AtomicPtr<u8>; KEPT]);

impl Stacks {
    pub(super) const fn new() -> Self {
        Self([const { AtomicPtr::new(ptr::null_mut()) }; KEPT])
    }

    /// Takes a free stack, or maps a new one.
    pub(super) fn take<S: CloneSys>(&self, sys: &S) -> Result<Stack, Errno> {
        let take = |place: &AtomicPtr<u8>| NonNull::new(place.swap(ptr::null_mut(), Ordering::Acquire));
        self.0.iter().find_map(take).map_or_else(|| Stack::map(sys), |memory| Ok(Stack(memory)))
    }

    /// Returns a stack to the pool, or unmaps it if the pool is full.
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
