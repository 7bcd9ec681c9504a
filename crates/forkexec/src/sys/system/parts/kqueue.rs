//! A descriptor that is readable when a child has ended, where there is no descriptor of the child itself: a queue of events
//! (kqueue(2)) of its own, to which the kernel adds one when the process ends (`EVFILT_PROC`, `NOTE_EXIT`).
//!
//! Nobody takes the event from the queue, so that poll(2) goes on to say that it is readable. A queue is not inherited by
//! fork(2).

use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};
use std::io;
use std::os::fd::OwnedFd;

/// One for a child that was not waited for: its number is its own.
pub(crate) fn open(pid: i32) -> io::Result<OwnedFd> {
    let queue = Kqueue::new()?;
    let ident = usize::try_from(pid).map_err(io::Error::other)?;
    let watch = KEvent::new(ident, EventFilter::EVFILT_PROC, EvFlags::EV_ADD, FilterFlag::NOTE_EXIT, 0, 0);
    match queue.kevent(&[watch], &mut [], None) {
        Ok(_) => Ok(queue.into()),
        // It has ended already, and some kernels watch no zombie.
        Err(nix::errno::Errno::ESRCH) => ended(),
        Err(errno) => Err(errno.into()),
    }
}

/// From the birth of a child, if there is a descriptor for it.
pub(crate) fn from_birth(pid: i32) -> Option<OwnedFd> {
    open(pid).ok()
}

/// What is readable from the beginning: a pipe that has ended.
fn ended() -> io::Result<OwnedFd> {
    let (reader, _) = io::pipe()?;
    Ok(reader.into())
}
