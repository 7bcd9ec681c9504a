//! Panics of pre-exec closures.
//!
//! A panic runs the panic hook of the process before anything can catch it. In a forked child the hook may wait for a lock
//! that another thread of the parent held, and so may the unwinding after it. std has a switch for that, which is not
//! stable. So the hook of the process is wrapped once, when the first closure is added: in a child that runs closures the
//! wrapper notes the panic where the parent sees it, and ends the child. Everywhere else it calls the hook that it wraps.
//!
//! Stable Rust leaves this open:
//!
//! - A hook that the program sets later replaces the wrapper. The panic then runs that hook, and is caught.
//! - std formats a message with arguments before it calls a hook, which allocates.
//! - std holds a lock while a hook is set. A child that was forked in that moment waits if its closure panics.

use forkexec_core::Shared;
use std::panic;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::thread;

/// Whether a closure panicked, in memory that the child shares with its parent.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Panicked(AtomicU32);

// SAFETY: its one field is atomic, and zero is a value of it.
unsafe impl Shared for Panicked {}

impl Panicked {
    /// From here on, a panic in this process ends it and is noted here. The process is a forked child.
    pub(crate) fn watch(&self) {
        WATCHED.store(ptr::from_ref(self).cast_mut(), Ordering::Release);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }
}

/// Where a panic of this process is noted: null, but in a child that runs closures.
static WATCHED: AtomicPtr<Panicked> = AtomicPtr::new(ptr::null_mut());

/// Whether the hook is wrapped, or another thread is at it.
static IS_WRAPPED: AtomicBool = AtomicBool::new(false);

/// Wraps the panic hook of this process, unless that was done. A thread that panics may not change the hook; then the next
/// call does it.
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
    // SAFETY: the pointer is null, or `watch` stored it in this process: the memory is mapped as long as the process runs
    // closures, since only its parent unmaps its own view.
    if let Some(panicked) = unsafe { WATCHED.load(Ordering::Acquire).as_ref() } {
        panicked.0.store(1, Ordering::Release);
        // SAFETY: ends the process without running any more of its code.
        unsafe { libc::_exit(EXIT_OF_A_FAILED_CHILD) }
    }
}

/// No caller reads it: the parent reports the panic.
const EXIT_OF_A_FAILED_CHILD: i32 = 255;
