//! A descriptor that is readable when a child has ended, on systems without pidfds: a kqueue(2) of its own.
//! The kernel adds an event when the process ends (`EVFILT_PROC`, `NOTE_EXIT`).
//!
//! No code takes the event from the queue, so poll(2) keeps reporting it as readable. A child of fork(2) does
//! not inherit the queue.

use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// Opens a queue for a child that was not waited for, so that its pid is its own.
pub(crate) fn open(pid: i32) -> io::Result<OwnedFd> {
    let queue = Kqueue::new()?;
    let ident = usize::try_from(pid).map_err(io::Error::other)?;
    let watch = KEvent::new(ident, EventFilter::EVFILT_PROC, EvFlags::EV_ADD, FilterFlag::NOTE_EXIT, 0, 0);
    match queue.kevent(&[watch], &mut [], None) {
        Ok(_) => Ok(queue.into()),
        // The child has already ended, and some kernels do not watch a zombie.
        Err(nix::errno::Errno::ESRCH) => ended(),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens a queue for a child that was just started.
pub(crate) fn at_spawn(pid: i32) -> Option<OwnedFd> {
    open(pid).ok()
}

/// Returns a descriptor that is readable at once: a socket at end of file.
fn ended() -> io::Result<OwnedFd> {
    let (reader, _) = UnixStream::pair()?;
    Ok(reader.into())
}
