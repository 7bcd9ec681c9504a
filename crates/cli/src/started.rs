//! The state of this process at its start: which of 0, 1 and 2 were closed, and whether `SIGPIPE` was ignored.
//!
//! Before `main`, Rust's runtime opens `/dev/null` on closed ones and ignores `SIGPIPE`. A constructor runs before that and
//! records the state. ELF systems list constructors in `.init_array`, Apple's systems in `__mod_init_func`.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
static IGNORED_SIGPIPE: AtomicBool = AtomicBool::new(false);

/// Records the state. Runs before `main`, as a constructor that `system` lists.
pub(crate) extern "C" fn record() {
    for (fd, closed) in (0..).zip(&CLOSED) {
        // SAFETY: F_GETFD takes any number and touches no memory.
        closed.store(unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1, Relaxed);
    }
    IGNORED_SIGPIPE.store(ignores(libc::SIGPIPE), Relaxed);
}

/// Returns true if this process ignores `signal` now.
pub(crate) fn ignores(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: no action is set, and the result is written to a valid place.
    if unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so it filled the value.
    unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Returns true if `SIGPIPE` was ignored when this process started.
pub(crate) fn ignored_sigpipe() -> bool {
    IGNORED_SIGPIPE.load(Relaxed)
}

/// Returns true if `fd` is 0, 1 or 2 and was closed when this process started.
pub(crate) fn was_closed(fd: i32) -> bool {
    usize::try_from(fd).ok().and_then(|fd| CLOSED.get(fd)).is_some_and(|closed| closed.load(Relaxed))
}
