//! The threads of this library.

use nix::sys::signal::SigSet;
use std::io;
use std::thread::{self, JoinHandle};

/// Starts a thread of this library. It blocks all signals, so that no handler of the program runs on it.
pub(crate) fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let mask = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK)?;
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    // Restoring a mask that was just in force cannot fail, because the set is valid.
    let _ = mask.thread_set_mask();
    started
}
