//! The two ways out: whole answers on standard output, notes on standard error.

use std::io::{self, BufWriter, ErrorKind, Write};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use crate::exit::Failure;
use crate::started;

/// Lets `print` write to standard output, without colours where they are not wanted.
///
/// A reader that left early (`forkexec fds | head -1`) has what it wanted: that is success.
///
/// # Errors
///
/// Standard output was closed, or does not take what is written.
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

/// Says `text` on standard error, if anybody can hear it.
pub(crate) fn note(text: &str) {
    from_background(|| drop(writeln!(anstream::stderr(), "forkexec: {text}")));
}

/// Writes to a terminal even if another process group is in its foreground.
///
/// Where the terminal is set to stop that (`stty tostop`), a handler of `SIGTTOU` would run at each try, and the write would be
/// tried again for ever. If the signal is blocked, the terminal takes what is written.
pub(crate) fn from_background(write: impl FnOnce()) {
    let before = SigSet::from(Signal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK);
    write();
    if let Ok(before) = before {
        // A mask that was in force a moment ago is valid.
        let _ = before.thread_set_mask();
    }
}
