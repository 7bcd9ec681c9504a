//! A thread that reaps dropped children, so that none stays a zombie.
//!
//! The thread and the two descriptors of its pipe exist only as long as there are such children. The thread
//! waits on descriptors with poll(2). It installs no handler for `SIGCHLD` and touches no child of other
//! code. A child without a descriptor gets a thread of its own.

use crate::error::Error;
use crate::sys::cgroup::{ChildCgroup, has_line};
use crate::sys::per_process::PerProcess;
use crate::sys::wait::{Handle, Status};
use crate::sys::worker::start_thread;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The remains of a dropped handle.
#[derive(Debug)]
pub(crate) enum Unreaped {
    /// A child to reap when it ends.
    Child(Handle),
    /// A control group to remove when it is empty.
    Group(ChildCgroup),
}

/// The queue of the thread, and the pipe that wakes it.
struct Queue {
    wake_writer: Option<PipeWriter>,
    waiting: Vec<Unreaped>,
}

static QUEUE: PerProcess<Mutex<Queue>> =
    PerProcess::new(|| Mutex::new(Queue { wake_writer: None, waiting: Vec::new() }));

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reaps a child or removes a group: at once if it has ended, or else when it does.
pub(crate) fn enqueue(left: Unreaped) {
    let Some(left) = left.try_reap() else { return };
    let mut queue = queue();
    queue.waiting.push(left);
    let is_first = queue.waiting.len() == 1;
    match &mut queue.wake_writer {
        // The thread takes all waiting entries at once. The pipe cannot fill up, because only the first entry
        // writes to it.
        Some(wake_writer) if is_first => drop(wake_writer.write(&[0])),
        Some(_) => {}
        None => open(&mut queue),
    }
}

/// Starts the thread, which begins with the waiting entries.
fn open(queue: &mut Queue) {
    let Ok((wake_reader, wake_writer)) = io::pipe() else {
        // No descriptor is free.
        return queue.waiting.drain(..).for_each(Unreaped::wait_on_own_thread);
    };
    // If no thread can be started, the entries stay in the queue until the next attempt.
    if start_thread("forkexec-reaper", move || run(wake_reader)).is_ok() {
        queue.wake_writer = Some(wake_writer);
    }
}

/// Takes the waiting entries, or closes the queue if there is nothing to do.
fn take_waiting(is_idle: bool) -> Option<Vec<Unreaped>> {
    let mut queue = queue();
    if is_idle && queue.waiting.is_empty() {
        queue.wake_writer = None;
        return None;
    }
    Some(std::mem::take(&mut queue.waiting))
}

fn run(mut wake_reader: PipeReader) {
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
fn wait_for_any(wake_reader: &PipeReader, watched: &[Watched]) -> io::Result<Vec<bool>> {
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

impl Unreaped {
    /// Reaps the child or removes the group. Returns `None` if that is done.
    fn try_reap(self) -> Option<Self> {
        let is_done = match &self {
            Self::Child(child) => has_ended(child),
            Self::Group(cgroup) => cgroup.remove(),
        };
        (!is_done).then_some(self)
    }

    /// Moves a child to a thread of its own. A group stays where it is.
    fn wait_on_own_thread(self) {
        if let Self::Child(child) = self {
            wait_on_own_thread(child);
        }
    }
}

/// Reaps a child that has ended. Returns true if it is reaped, by this or other code.
fn has_ended(child: &Handle) -> bool {
    match child.try_wait(Status::Take) {
        Ok(ending) => ending.is_some(),
        Err(error) => matches!(error, Error::StatusLost { .. }),
    }
}

/// An entry with a descriptor to poll.
enum Watched {
    Child(Handle),
    Group(ChildCgroup, File),
}

impl Watched {
    /// Returns `None` if the entry is done, or if a thread of its own waits for it.
    fn new(left: Unreaped) -> Option<Self> {
        match left.try_reap()? {
            Unreaped::Child(mut child) => {
                if child.open_descriptor() {
                    return Some(Self::Child(child));
                }
                wait_on_own_thread(child);
                None
            }
            Unreaped::Group(cgroup) => {
                let events = cgroup.events().ok()?;
                Self::Group(cgroup, events).try_reap()
            }
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Child(child) => child.fd.as_ref().expect("it was opened").as_fd(),
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
                let is_empty = has_line(events, "populated 0");
                let is_gone = is_empty.is_err() || is_empty.is_ok_and(|is_empty| is_empty && cgroup.remove());
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
                let _ = cgroup.is_empty_by(None);
                cgroup.remove();
            }
        }
    }
}

/// Waits for a child on a new thread. If no thread can be started, the child stays a zombie.
fn wait_on_own_thread(child: Handle) {
    let _ = start_thread("forkexec-wait", move || drop(child.wait(Status::Take)));
}

#[cfg(test)]
mod tests {
    use super::queue;
    use crate::command::Command;
    use crate::config::settings::OnDrop;
    use crate::sys::per_process::is_done_in_a_forked_process;

    /// Faults: M13
    #[test]
    fn forked_process_reaps_its_dropped_children() {
        let work = || {
            let mut command = Command::new("sleep");
            drop(command.arg("600").on_drop(OnDrop::Kill).spawn().expect("it starts"));
            // SAFETY: the null pointer makes waitid(2) write nothing. The loop ends when no child is left.
            while unsafe { libc::waitid(libc::P_ALL, 0, std::ptr::null_mut(), libc::WEXITED | libc::WNOWAIT) }
                == 0
            {
                std::thread::yield_now();
            }
        };
        assert!(is_done_in_a_forked_process(queue(), work));
    }
}
