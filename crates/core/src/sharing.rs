//! The knowledge of a process about its children: they share memory, or a reason why they cannot.

use crate::{Errno, FallbackReason, LaunchError};
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// The facts that this process knows. Several threads may record the same fact at once.
#[derive(Debug)]
pub struct Sharing {
    /// True if a child has shared memory.
    memory_is_shared: AtomicBool,
    /// The reason why no child can share memory: -1 if memory is not shared, else the errno of the refusal. 0 if one may.
    fallback_reason: AtomicI32,
    /// The errno of a refusal, which becomes the reason if fork(2) works.
    suspected: AtomicI32,
}

const NO_REASON: i32 = 0;
const NOT_SHARED: i32 = -1;

impl Default for Sharing {
    fn default() -> Self {
        Self::new()
    }
}

impl Sharing {
    /// Nothing is known.
    pub const fn new() -> Self {
        Self {
            memory_is_shared: AtomicBool::new(false),
            fallback_reason: AtomicI32::new(NO_REASON),
            suspected: AtomicI32::new(NO_REASON),
        }
    }

    /// Returns whether a child has shared memory.
    pub fn memory_is_shared(&self) -> bool {
        self.memory_is_shared.load(Ordering::Acquire)
    }

    /// Records whether a child shared memory.
    pub fn note_memory(&self, is_shared: bool) {
        if is_shared {
            self.memory_is_shared.store(true, Ordering::Release);
        } else {
            self.fallback_reason.store(NOT_SHARED, Ordering::Relaxed);
        }
    }

    /// Records that the kernel refused to start a child, and returns the error. The refusal counts as the reason once fork(2) has
    /// started a child.
    pub fn suspect(&self, errno: Errno) -> LaunchError {
        self.suspected.store(errno.raw(), Ordering::Relaxed);
        LaunchError::ForkRequired(FallbackReason::Refused(errno))
    }

    /// Records that fork(2) started a child.
    pub fn note_fork(&self) {
        let suspected = self.suspected.swap(NO_REASON, Ordering::Relaxed);
        if suspected != NO_REASON {
            self.fallback_reason.store(suspected, Ordering::Relaxed);
        }
    }

    /// Returns the reason why no child can share memory.
    pub fn fallback_reason(&self) -> Option<FallbackReason> {
        match self.fallback_reason.load(Ordering::Relaxed) {
            NO_REASON => None,
            NOT_SHARED => Some(FallbackReason::NotShared),
            errno => Some(FallbackReason::Refused(Errno::from_raw(errno))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Errno, FallbackReason, Sharing};

    #[test]
    fn memory_is_shared_once_a_child_showed_it() {
        let known = Sharing::new();
        assert!(!known.memory_is_shared());
        known.note_memory(true);
        assert_eq!((known.memory_is_shared(), known.fallback_reason()), (true, None));
        let known = Sharing::new();
        known.note_memory(false);
        assert_eq!(
            (known.memory_is_shared(), known.fallback_reason()),
            (false, Some(FallbackReason::NotShared))
        );
    }

    #[test]
    fn refusal_becomes_the_reason_only_after_a_fork() {
        for errno in [Errno::from_raw(1), Errno::NOSYS] {
            let known = Sharing::new();
            known.note_fork();
            known.suspect(errno);
            assert_eq!(known.fallback_reason(), None);
            known.note_fork();
            assert_eq!(known.fallback_reason(), Some(FallbackReason::Refused(errno)));
            known.note_fork();
            assert_eq!(known.fallback_reason(), Some(FallbackReason::Refused(errno)));
        }
    }
}
