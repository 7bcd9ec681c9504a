//! The threads of this library.

use nix::sys::signal::SigSet;
use std::io;
use std::panic::resume_unwind;
use std::thread::{self, JoinHandle};

/// Starts a thread of this library. It blocks all signals, so that no handler of the program runs on it.
pub(crate) fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let mask = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK)?;
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    // Restoring a mask that was just in force cannot fail, because the set is valid.
    let _ = mask.thread_set_mask();
    started
}

/// Runs `work` on a new thread of this library, and waits for its end.
pub(crate) fn on_new_thread<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    let mask = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK)?;
    thread::scope(|scope| {
        let started = thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, work);
        // As above.
        let _ = mask.thread_set_mask();
        Ok(started?.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}
