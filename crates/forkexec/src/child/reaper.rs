//! A thread that reaps the dropped children of commands that asked for it
//! ([`Command::reaper_thread`](crate::Command::reaper_thread)).
//!
//! The thread and the two descriptors of its pipe exist only as long as there are such children. The thread
//! waits on descriptors with poll(2). It installs no handler for `SIGCHLD` and touches no child of other
//! code. A child without a descriptor gets a thread of its own.

use crate::child::dropped::{self, Unreaped, has_ended};
use crate::sys::cgroup::{ChildCgroup, has_line};
use crate::sys::fd::pipe;
use crate::sys::owner::Owner;
use crate::sys::per_process::PerProcess;
use crate::sys::wait::Status;
use crate::sys::worker::start_thread;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The child or the control group of a dropped handle.
enum Waiting {
    Child(Owner),
    Group(ChildCgroup),
}

/// The queue of the thread, and the pipe that wakes it.
struct Queue {
    wake_writer: Option<File>,
    waiting: Vec<Waiting>,
}

static QUEUE: PerProcess<Mutex<Queue>> =
    PerProcess::new(|| Mutex::new(Queue { wake_writer: None, waiting: Vec::new() }));

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reaps a child that still runs, or removes a group, when it has ended.
pub(crate) fn enqueue(left: Unreaped) {
    add(&mut queue(), left);
}

fn add(queue: &mut Queue, left: Unreaped) {
    let is_first = queue.waiting.is_empty();
    queue.waiting.extend(left.child.map(Waiting::Child));
    queue.waiting.extend(left.group.map(Waiting::Group));
    match &mut queue.wake_writer {
        // The thread takes all waiting entries at once. The pipe cannot fill up, because only the first entry
        // writes to it.
        Some(wake_writer) if is_first => drop(wake_writer.write(&[0])),
        Some(_) => {}
        None => open(queue),
    }
}

/// Starts the thread, which begins with the waiting entries.
fn open(queue: &mut Queue) {
    let Ok((wake_reader, wake_writer)) = pipe() else {
        // No descriptor is free.
        return queue.waiting.drain(..).for_each(wait_elsewhere);
    };
    match start_thread("forkexec-reaper", move || run(wake_reader)) {
        Ok(_) => queue.wake_writer = Some(wake_writer),
        Err(_) => queue.waiting.drain(..).for_each(push_back),
    }
}

/// Takes the waiting entries, or closes the queue if there is nothing to do.
fn take_waiting(is_idle: bool) -> Option<Vec<Waiting>> {
    let mut queue = queue();
    if is_idle && queue.waiting.is_empty() {
        queue.wake_writer = None;
        return None;
    }
    Some(std::mem::take(&mut queue.waiting))
}

fn run(mut wake_reader: File) {
    let mut watched: Vec<Watched> = Vec::new();
    while let Some(new) = take_waiting(watched.is_empty()) {
        watched.extend(new.into_iter().filter_map(Watched::new));
        if watched.is_empty() {
            continue;
        }
        let Ok(ready) = wait_for_any(&wake_reader, &watched) else {
            // The descriptor limit is below their number: wait for one after the other.
            watched.swap_remove(0).wait();
            continue;
        };
        if ready[0] {
            let _ = wake_reader.read(&mut [0; 64]);
        }
        let mut ready = ready.into_iter().skip(1);
        watched = watched
            .into_iter()
            .filter_map(|it| if ready.next() == Some(true) { it.try_reap() } else { Some(it) })
            .collect();
    }
}

/// Waits until at least one descriptor is ready: the pipe (first), or that of a watched entry.
fn wait_for_any(wake_reader: &File, watched: &[Watched]) -> io::Result<Vec<bool>> {
    let own = std::iter::once(PollFd::new(wake_reader.as_fd(), PollFlags::POLLIN));
    let mut polled: Vec<PollFd<'_>> =
        own.chain(watched.iter().map(|it| PollFd::new(it.fd(), it.event()))).collect();
    while let Err(errno) = poll(&mut polled, PollTimeout::NONE) {
        if errno != nix::errno::Errno::EINTR {
            return Err(errno.into());
        }
    }
    Ok(polled.iter().map(|polled| polled.any() != Some(false)).collect())
}

/// An entry with a descriptor to poll.
enum Watched {
    Child(Owner),
    Group(ChildCgroup, File),
}

impl Watched {
    /// Returns `None` if the entry is done, or if it is waited for elsewhere.
    fn new(left: Waiting) -> Option<Self> {
        match left {
            Waiting::Child(child) if has_ended(&child) => None,
            Waiting::Child(mut child) => {
                if child.open_descriptor() {
                    return Some(Self::Child(child));
                }
                wait_on_own_thread(child);
                None
            }
            Waiting::Group(cgroup) => {
                let events = cgroup.events().ok()?;
                Self::Group(cgroup, events).try_reap()
            }
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Child(child) => child.handle().fd.as_ref().expect("it was opened").as_fd(),
            Self::Group(_, events) => events.as_fd(),
        }
    }

    fn event(&self) -> PollFlags {
        match self {
            Self::Child(_) => PollFlags::POLLIN,
            Self::Group(..) => PollFlags::POLLPRI,
        }
    }

    /// Handles an entry that is ready, and returns it if it must be watched further.
    fn try_reap(mut self) -> Option<Self> {
        match &mut self {
            Self::Child(child) if has_ended(child) => return None,
            // The child has ended, but its status is not available yet, because a debugger gets it first.
            // Polling again would spin.
            Self::Child(_) => {}
            Self::Group(cgroup, events) => {
                // poll(2) reports changes since this read.
                let is_gone = has_line(events, "populated 0").is_err() || cgroup.remove();
                return (!is_gone).then_some(self);
            }
        }
        if let Self::Child(child) = self {
            wait_on_own_thread(child);
        }
        None
    }

    /// Waits for this entry only.
    fn wait(self) {
        match self {
            Self::Child(child) => drop(child.wait(Status::Take)),
            Self::Group(cgroup, _) => {
                let _ = cgroup.await_empty();
                cgroup.remove();
            }
        }
    }
}

/// Waits for an entry without a descriptor for this thread: a child on a thread of its own.
fn wait_elsewhere(left: Waiting) {
    match left {
        Waiting::Child(child) => wait_on_own_thread(child),
        Waiting::Group(_) => push_back(left),
    }
}

/// Waits for a child on a new thread. If no thread can be started, the child goes to the queue without one.
fn wait_on_own_thread(child: Owner) {
    let shared = Arc::new(Mutex::new(Some(child)));
    let own = Arc::clone(&shared);
    let take = |shared: &Mutex<Option<Owner>>| shared.lock().unwrap_or_else(PoisonError::into_inner).take();
    let started = start_thread("forkexec-wait", move || {
        if let Some(child) = take(&own) {
            drop(child.wait(Status::Take));
        }
    });
    if let Some(child) = started.err().and_then(|_| take(&shared)) {
        push_back(Waiting::Child(child));
    }
}

/// Leaves an entry to the queue that needs no thread.
fn push_back(left: Waiting) {
    dropped::push(match left {
        Waiting::Child(child) => Unreaped { child: Some(child), group: None },
        Waiting::Group(group) => Unreaped { child: None, group: Some(group) },
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pipe would be full at some time, and no child could be dropped then.
    #[test]
    fn only_the_first_waiting_entry_wakes_the_thread() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let (mut wake_reader, wake_writer) = pipe().expect("a number is free");
        let mut queue = Queue { wake_writer: Some(wake_writer), waiting: Vec::new() };
        for _ in 0..3 {
            let group = Some(ChildCgroup::simulated(directory.path().join("gone")));
            add(&mut queue, Unreaped { child: None, group });
        }
        assert_eq!(queue.waiting.len(), 3);
        drop(queue);
        let mut written = Vec::new();
        wake_reader.read_to_end(&mut written).expect("it can be read");
        assert_eq!(written, [0]);
    }
}
