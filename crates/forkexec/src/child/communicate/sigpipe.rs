//! Writes to a pipe whose readers are gone, in a process that may have the default action for `SIGPIPE`. In a C program that
//! uses this library, a child that exits early would otherwise kill its parent.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use std::io;

/// Runs a write with `SIGPIPE` blocked, and removes the signal that it caused.
pub(crate) fn without_signal<T>(write: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let sigpipe = SigSet::from(Signal::SIGPIPE);
    let was_pending = is_pending();
    let mut before = SigSet::empty();
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&sigpipe), Some(&mut before))?;
    let written = write();
    let broken = written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    // A signal that was pending before this write has another cause. An ignored signal is never pending.
    if broken && !was_pending && is_pending() {
        let _ = sigpipe.wait();
    }
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    written
}

fn is_pending() -> bool {
    let mut pending = std::mem::MaybeUninit::uninit();
    // SAFETY: sigpending fills the set.
    if unsafe { libc::sigpending(pending.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: sigpending succeeded, so the set is filled.
    let pending: libc::sigset_t = unsafe { pending.assume_init() };
    // SAFETY: the set is initialised.
    unsafe { libc::sigismember(&raw const pending, libc::SIGPIPE) == 1 }
}

#[cfg(test)]
mod tests {
    use super::{is_pending, without_signal};
    use crate::sys::fd::pipe;
    use nix::sys::signal::{SigSet, Signal, raise};
    use rstest::rstest;
    use std::io::Write;
    use std::thread;

    /// Some systems keep no ignored signal, even if it is blocked.
    #[rstest]
    fn signal_of_another_cause_stays_pending(#[values(true, false)] is_broken: bool) {
        let test = move || {
            SigSet::from(Signal::SIGPIPE).thread_block().expect("it is this thread's mask");
            raise(Signal::SIGPIPE).expect("it is blocked");
            let was_pending = is_pending();
            let (reader, mut writer) = pipe().expect("a pipe can be made");
            let reader = (!is_broken).then_some(reader);
            let written = without_signal(|| writer.write(b"x"));
            drop(reader);
            (written.is_err(), is_pending() == was_pending)
        };
        assert_eq!(thread::spawn(test).join().expect("it does not panic"), (is_broken, true));
    }
}
