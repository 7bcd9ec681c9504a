//! Panics of pre-exec closures.
//!
//! A panic runs the panic hook of the process before `catch_unwind` can catch it. In a forked child the hook,
//! and the unwinding after it, may wait for a lock that another thread of the parent held. Stable Rust cannot
//! turn that off.
//!
//! So the first closure that is added wraps the hook of the process. In a child that runs closures, the
//! wrapper records the panic in memory that the parent shares, and ends the child. In every other process it
//! calls the hook that it wraps.
//!
//! Stable Rust leaves these gaps:
//!
//! - If the program sets a hook later, it replaces the wrapper. A panic then runs that hook, and is caught.
//! - std formats a message with arguments before it calls a hook, which allocates.
//! - std holds a lock while a hook is set. If a child is forked at that moment and its closure panics, the
//!   child waits.

use forkexec_core::Shared;
use std::panic;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::thread;

/// Records whether a closure panicked, in memory that the child shares with its parent.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Panicked(AtomicU32);

// SAFETY: the only field is atomic, and zero is a valid value of it.
unsafe impl Shared for Panicked {}

impl Panicked {
    /// Makes a panic in this process record itself here and end the process. The process is a forked child.
    pub(crate) fn watch(&self) {
        WATCHED.store(ptr::from_ref(self).cast_mut(), Ordering::Release);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }
}

/// The place where a panic of this process is recorded. Null, except in a child that runs closures.
static WATCHED: AtomicPtr<Panicked> = AtomicPtr::new(ptr::null_mut());

/// True if the hook is wrapped, or another thread is wrapping it.
static IS_WRAPPED: AtomicBool = AtomicBool::new(false);

/// Wraps the panic hook of this process, once. A thread that is panicking cannot change the hook; the next
/// call does it then.
pub(crate) fn wrap_hook() {
    if thread::panicking() || IS_WRAPPED.swap(true, Ordering::AcqRel) {
        return;
    }
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |about| {
        end_if_watched();
        hook(about);
    }));
}

fn end_if_watched() {
    // SAFETY: the pointer is null, or `Panicked::watch` stored it in this process. The mapping stays valid
    // while the process runs closures, because the parent, which owns it, unmaps only its own view.
    if let Some(panicked) = unsafe { WATCHED.load(Ordering::Acquire).as_ref() } {
        panicked.0.store(1, Ordering::Release);
        // SAFETY: _exit(2) ends the process without running any of its code.
        unsafe { libc::_exit(EXIT_OF_A_FAILED_CHILD) }
    }
}

/// No code reads it, because the parent reports the panic.
const EXIT_OF_A_FAILED_CHILD: i32 = 255;

#[cfg(test)]
mod tests {
    use super::wrap_hook;
    use std::panic;

    /// Wraps the hook when it is dropped.
    struct WrapsOnDrop;

    impl Drop for WrapsOnDrop {
        fn drop(&mut self) {
            wrap_hook();
        }
    }

    /// A thread that changes the hook while it panics ends the process.
    #[test]
    fn closure_may_be_added_while_a_thread_panics() {
        let work = || {
            let _wraps = WrapsOnDrop;
            panic::resume_unwind(Box::new("as asked"));
        };
        assert!(panic::catch_unwind(work).is_err());
    }
}
