//! Signal settings of this process that are restored on drop.

use std::mem;
use std::ops::RangeInclusive;
use std::ptr;

use crate::ground::check;

/// Lets this thread block a signal, and no other, until it is dropped.
pub(crate) struct Blocked(libc::sigset_t);

impl Blocked {
    pub(crate) fn new(signal: i32) -> Self {
        // SAFETY: all zeroes are an empty set.
        let (mut set, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { mem::zeroed() };
        // SAFETY: the set is initialised.
        check(unsafe { libc::sigaddset(&raw mut set, signal) });
        // SAFETY: both sets outlive the call.
        check(unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, &raw mut before) });
        Self(before)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set outlives the call.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

/// Gives a signal an action until it is dropped. The old action is read from the kernel, because the C library would
/// add a flag.
pub(crate) struct Acting(i32, [usize; 8]);

impl Acting {
    /// An action after which interrupted calls go on.
    pub(crate) fn new(signal: i32, action: usize) -> Self {
        Self::with_flags(signal, action, libc::SA_RESTART)
    }

    /// A handler that does nothing but interrupt.
    pub(crate) fn interrupting(signal: i32) -> Self {
        Self::with_flags(signal, nothing as *const () as usize, 0)
    }

    /// Sets default actions for signals that the test runner may ignore, as shells do for background jobs.
    pub(crate) fn by_default() -> Vec<Self> {
        let mut before = [0; 8];
        let is_ignored = |signal: &i32| {
            exchange(*signal, ptr::null(), &raw mut before);
            before[0] == libc::SIG_IGN
        };
        let ignored: Vec<_> = (1..=64).filter(|signal| !KEPT.contains(signal)).filter(is_ignored).collect();
        ignored.into_iter().map(|signal| Self::new(signal, libc::SIG_DFL)).collect()
    }

    pub(crate) fn with_flags(signal: i32, action: usize, flags: i32) -> Self {
        let mut before = [0; 8];
        exchange(signal, ptr::null(), &raw mut before);
        // SAFETY: all zeroes are an action.
        let mut new: libc::sigaction = unsafe { mem::zeroed() };
        new.sa_sigaction = action;
        new.sa_flags = flags;
        // SAFETY: the action outlives the call; the handler is async-signal-safe.
        check(unsafe { libc::sigaction(signal, &raw const new, ptr::null_mut()) });
        Self(signal, before)
    }
}

/// Ignoring the signal in between discards one that another thread has still to take.
impl Drop for Acting {
    fn drop(&mut self) {
        // SAFETY: ignoring runs no handler.
        unsafe { libc::signal(self.0, libc::SIG_IGN) };
        exchange(self.0, &raw const self.1, ptr::null_mut());
    }
}

/// Signals that C libraries reserve.
pub(crate) const KEPT: RangeInclusive<i32> = 32..=34;

extern "C" fn nothing(_: i32) {}

fn exchange(signal: i32, new: *const [usize; 8], old: *mut [usize; 8]) {
    // SAFETY: the kernel's structure is shorter than eight words, and both outlive the call.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, 8_usize) };
}
