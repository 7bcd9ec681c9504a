//! Stacks for children that share the memory of their parent. Each has a guard below it, belongs to one start at a time, and is
//! reused.
//!
//! A plan is flat, so the depth of the child's calls does not depend on it. [`SIZE`] is several times that depth. An overflow
//! hits the guard, and only the child dies.
//!
//! A small pool holds the free stacks. Threads take and return them without a lock, and each begins its search at another place,
//! so that two threads rarely write to the same cache line. A stack for each thread would have to be freed when its thread ends.

use crate::{Errno, SharingSys, Top};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

/// The size of a stack in bytes. Pages that no child touches take no memory.
pub(crate) const SIZE: usize = 1 << 16;

/// The size of the guard in bytes: whole pages, and at least one, on every architecture.
const GUARD: usize = 1 << 16;

/// The size of the pool. If more children start at once, the additional stacks are unmapped afterwards.
const KEPT: usize = 16;

/// A stack that belongs to one start. It owns memory from [`map`](Self::map).
pub struct Stack<const LENGTH: usize = SIZE>(NonNull<u8>);

impl<const LENGTH: usize> Stack<LENGTH> {
    /// Maps a stack and its guard.
    ///
    /// # Errors
    ///
    /// Returns the errno of mmap(2) or mprotect(2).
    pub fn map<S: SharingSys>(sys: &S) -> Result<Self, Errno> {
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

    /// Unmaps the stack.
    pub fn unmap<S: SharingSys>(self, sys: &S) {
        // SAFETY: `map` mapped it with this length. The `Stack` is its only owner, and is consumed here. The child that ran on
        // it has executed a program or ended, because the call that started it has returned.
        unsafe { sys.unmap(self.0, GUARD + LENGTH) }
    }

    /// The address where the stack begins.
    pub fn top(&self) -> Top {
        // SAFETY: `map` mapped that many bytes, so this is one past their end.
        unsafe { self.0.byte_add(GUARD + LENGTH) }.cast()
    }
}

/// The pool of free stacks.
#[derive(Debug)]
pub struct Stacks([Place; KEPT]);

/// A place of the pool, in a cache line of its own. It is null, or owns the memory of a [`Stack`]. A thread takes it by an atomic
/// exchange, and is then the only owner.
#[derive(Debug)]
#[repr(align(64))]
struct Place(AtomicPtr<u8>);

impl Place {
    /// Takes the stack. Writes to the memory only if there is one.
    fn take(&self) -> Option<Stack> {
        let memory = NonNull::new(self.0.load(Ordering::Relaxed))?;
        self.0
            .compare_exchange(memory.as_ptr(), ptr::null_mut(), Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            .then_some(Stack(memory))
    }

    /// Returns whether it keeps this memory of a stack now.
    fn keep(&self, memory: *mut u8) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
            && self.0.compare_exchange(ptr::null_mut(), memory, Ordering::Release, Ordering::Relaxed).is_ok()
    }
}

impl Default for Stacks {
    fn default() -> Self {
        Self::new()
    }
}

impl Stacks {
    /// An empty pool.
    pub const fn new() -> Self {
        Self([const { Place(AtomicPtr::new(ptr::null_mut())) }; KEPT])
    }

    /// Provides a stack for the time of a call.
    ///
    /// # Errors
    ///
    /// Returns the errno of mmap(2) or mprotect(2). Then the call is not made.
    pub fn lend<S: SharingSys, T>(&self, sys: &S, call: impl FnOnce(Top) -> T) -> Result<T, Errno> {
        let stack = self.take(sys)?;
        let result = call(stack.top());
        self.give(sys, stack);
        Ok(result)
    }

    /// Takes a free stack, or maps a new one.
    fn take<S: SharingSys>(&self, sys: &S) -> Result<Stack, Errno> {
        self.places().find_map(Place::take).map_or_else(|| Stack::map(sys), Ok)
    }

    /// Returns a stack to the pool, or unmaps it if the pool is full.
    fn give<S: SharingSys>(&self, sys: &S, stack: Stack) {
        let memory = stack.0.as_ptr();
        if !self.places().any(|place| place.keep(memory)) {
            stack.unmap(sys);
        }
    }

    /// All places, from one on that differs between threads: their own stacks have different addresses.
    fn places(&self) -> impl Iterator<Item = &Place> {
        let here = 0_u8;
        let page = (&raw const here).addr() as u64 / 4096;
        // The upper bits of the product depend on all bits of the page (Knuth, The Art of Computer Programming, 6.4).
        let first = usize::try_from(page.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60).unwrap_or_default();
        self.0.iter().cycle().skip(first).take(KEPT)
    }
}
