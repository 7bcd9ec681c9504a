//! Memory that a forked child shares with its parent.

use crate::{Errno, ParentSys};
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

/// A type that parent and child can use at the same time in shared memory.
///
/// # Safety
///
/// Memory filled with zeroes is a value of the type. All access to its fields is atomic. Its alignment is at most that of a
/// page, and it has no destructor.
pub unsafe trait Shared: Sync {}

/// A value in a mapping of its own, which each child shares. No operation on descriptors affects it.
pub struct SharedMemory<'s, S: ParentSys, T: Shared> {
    sys: &'s S,
    memory: NonNull<u8>,
    value: PhantomData<T>,
}

impl<'s, S: ParentSys, T: Shared> SharedMemory<'s, S, T> {
    /// Maps memory for a value, which is zeroed at first.
    ///
    /// # Errors
    ///
    /// Returns the errno of mmap(2).
    pub fn new(sys: &'s S) -> Result<Self, Errno> {
        Ok(Self { sys, memory: sys.map_shared(size_of::<T>())?, value: PhantomData })
    }
}

impl<S: ParentSys, T: Shared> Deref for SharedMemory<'_, S, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `map_shared` returned zeroed memory of this size, aligned to a page. `Shared` makes that a value. The memory
        // stays mapped while `self` lives.
        unsafe { self.memory.cast::<T>().as_ref() }
    }
}

impl<S: ParentSys, T: Shared> Drop for SharedMemory<'_, S, T> {
    fn drop(&mut self) {
        // SAFETY: the memory and its length are from `map_shared`, and no borrow of the value outlives `self`.
        unsafe { self.sys.unmap(self.memory, size_of::<T>()) }
    }
}

/// A 64-bit number in two halves, because some targets lack 64-bit atomics.
///
/// A store is not atomic as a whole. Other means, such as the end of the child, must order the reader after the writer.
#[derive(Debug, Default)]
#[repr(C)]
pub struct SharedU64 {
    high: AtomicU32,
    low: AtomicU32,
}

impl SharedU64 {
    /// The number 0.
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a new value")]
    pub const ZERO: Self = Self { high: AtomicU32::new(0), low: AtomicU32::new(0) };

    /// Stores both halves.
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of one number")]
    pub fn store(&self, value: u64) {
        self.high.store((value >> 32) as u32, Ordering::Relaxed);
        self.low.store(value as u32, Ordering::Relaxed);
    }

    /// Loads both halves.
    pub fn load(&self) -> u64 {
        u64::from(self.high.load(Ordering::Relaxed)) << 32 | u64::from(self.low.load(Ordering::Relaxed))
    }
}
