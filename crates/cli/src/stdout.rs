//! Output: results on standard output, notes on standard error.

use std::io::{self, BufWriter, ErrorKind, Write};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use crate::exit::Failure;
use crate::started;

/// Lets `print` write to standard output, and removes colours that are not wanted.
///
/// Succeeds if the reader closes its end early (`forkexec fds | head -1`).
///
/// # Errors
///
/// Fails if standard output was closed at the start, or if a write fails.
pub(crate) fn write(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    if started::was_closed(1) {
        let closed = io::Error::from_raw_os_error(libc::EBADF);
        return Err(Failure::refused("cannot write to standard output").because(closed));
    }
    let mut out = BufWriter::new(anstream::stdout().lock());
    match print(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::refused("cannot write to standard output").because(error))
        }
        _ => Ok(()),
    }
}

/// Writes `text` to standard error. Errors are ignored.
pub(crate) fn note(text: &str) {
    from_background(|| drop(writeln!(anstream::stderr(), "forkexec: {text}")));
}

/// Writes to a terminal even if another process group is in the foreground.
///
/// With `stty tostop`, each write from the background would run the `SIGTTOU` handler and be retried without end. If the
/// signal is blocked, the write succeeds.
pub(crate) fn from_background(write: impl FnOnce()) {
    let before = SigSet::from(Signal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK);
    write();
    if let Ok(before) = before {
        // The mask was in force a moment ago, so it is valid.
        let _ = before.thread_set_mask();
    }
}
