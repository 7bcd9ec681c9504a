//! The threads of this library.

use nix::sys::signal::SigSet;
use std::io;
use std::thread::{self, JoinHandle};

/// Starts a thread of the library's, on which no handler of the program's runs: it blocks all signals.
pub(crate) fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let mask = SigSet::all().thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK)?;
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    // Setting back a mask that was in force a moment ago cannot fail: the set is valid.
    let _ = mask.thread_set_mask();
    started
}
