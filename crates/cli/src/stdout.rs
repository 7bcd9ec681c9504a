//! The two ways out: whole answers on standard output, notes on standard error.

use std::io::{self, BufWriter, ErrorKind, Write};

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
    let _ = writeln!(anstream::stderr(), "forkexec: {text}");
}
