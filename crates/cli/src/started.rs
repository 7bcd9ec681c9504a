//! How this process was when it started: which of 0, 1 and 2 were closed, and whether `SIGPIPE` was ignored.
//!
//! Before `main` Rust's runtime opens `/dev/null` on each of them that is closed, and ignores the signal, so that
//! later code cannot ask any more. Constructors run before that: on ELF systems those listed in `.init_array`, on Apple's
//! those in `__mod_init_func`.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
static IGNORED_SIGPIPE: AtomicBool = AtomicBool::new(false);

/// Runs before `main`: `system` lists it among the constructors.
pub(crate) extern "C" fn record() {
    for (fd, closed) in (0..).zip(&CLOSED) {
        // SAFETY: F_GETFD takes any number and touches no memory.
        closed.store(unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1, Relaxed);
    }
    IGNORED_SIGPIPE.store(ignores(libc::SIGPIPE), Relaxed);
}

/// Whether this process ignores `signal` now.
pub(crate) fn ignores(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: nothing is set, and there is room for the answer.
    if unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so it is filled.
    unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Whether `SIGPIPE` was ignored when this process started.
pub(crate) fn ignored_sigpipe() -> bool {
    IGNORED_SIGPIPE.load(Relaxed)
}

/// Whether `fd` is one of 0, 1 and 2 and was closed when this process started.
pub(crate) fn was_closed(fd: i32) -> bool {
    usize::try_from(fd).ok().and_then(|fd| CLOSED.get(fd)).is_some_and(|closed| closed.load(Relaxed))
}
