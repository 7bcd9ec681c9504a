//! A thread that takes the status of children which nobody holds any more, so that none stays a zombie.
//!
//! It is there only as long as there are such children, and so are the two descriptors by which it is told of more. It
//! waits for descriptors, as poll(2) does: no handler for `SIGCHLD`, no child of other code is touched. A child without a
//! descriptor has a thread of its own that waits for it.

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

/// What somebody left.
#[derive(Debug)]
pub(crate) enum Unreaped {
    /// A child whose status is to be taken when it ends.
    Child(Handle),
    /// A control group that is to be removed when nobody is in it any more.
    Group(ChildCgroup),
}

/// What the thread is told of more by.
struct Queue {
    bell: Option<PipeWriter>,
    waiting: Vec<Unreaped>,
}

static QUEUE: PerProcess<Mutex<Queue>> =
    PerProcess::new(|| Mutex::new(Queue { bell: None, waiting: Vec::new() }));

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes what is left over: at once if it has ended, else when it does.
pub(crate) fn enqueue(left: Unreaped) {
    let Some(left) = left.try_reap() else { return };
    let mut queue = queue();
    queue.waiting.push(left);
    let is_first = queue.waiting.len() == 1;
    match &mut queue.bell {
        // The thread takes all that wait at once. The pipe cannot be full, as it is rung for the first of them alone.
        Some(bell) if is_first => drop(bell.write(&[0])),
        Some(_) => {}
        None => open(&mut queue),
    }
}

/// Starts the thread, which begins with what waits.
fn open(queue: &mut Queue) {
    let Ok((hears, bell)) = io::pipe() else {
        // No descriptor is to be had.
        return queue.waiting.drain(..).for_each(Unreaped::wait_on_own_thread);
    };
    // Where no thread can be had, what waits is tried again with the next.
    if start_thread("forkexec-reaper", move || run(hears)).is_ok() {
        queue.bell = Some(bell);
    }
}

/// Takes what waits, or closes the queue if there is nothing to be done.
fn take_waiting(is_idle: bool) -> Option<Vec<Unreaped>> {
    let mut queue = queue();
    if is_idle && queue.waiting.is_empty() {
        queue.bell = None;
        return None;
    }
    Some(std::mem::take(&mut queue.waiting))
}

fn run(mut hears: PipeReader) {
    let mut watched: Vec<Watched> = Vec::new();
    while let Some(new) = take_waiting(watched.is_empty()) {
        watched.extend(new.into_iter().filter_map(Watched::new));
        if watched.is_empty() {
            continue;
        }
        let Ok(ready) = wait_for_any(&hears, &watched) else {
            // A descriptor limit below their number: then one after the other.
            watched.swap_remove(0).wait();
            continue;
        };
        if ready[0] {
            let _ = hears.read(&mut [0; 64]);
        }
        let mut ready = ready.into_iter().skip(1);
        watched = watched
            .into_iter()
            .filter_map(|it| if ready.next() == Some(true) { it.try_reap() } else { Some(it) })
            .collect();
    }
}

/// Which of them is ready: the bell, and each that is watched.
fn wait_for_any(hears: &PipeReader, watched: &[Watched]) -> io::Result<Vec<bool>> {
    let own = std::iter::once(PollFd::new(hears.as_fd(), PollFlags::POLLIN));
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
    /// What is left of it if it has ended: nothing.
    fn try_reap(self) -> Option<Self> {
        let is_done = match &self {
            Self::Child(child) => has_ended(child),
            Self::Group(leaf) => leaf.remove(),
        };
        (!is_done).then_some(self)
    }

    /// Leaves it to a thread of its own. A group is left where it is.
    fn wait_on_own_thread(self) {
        if let Self::Child(child) = self {
            wait_on_own_thread(child);
        }
    }
}

/// Takes the status of a child that has ended, unless other code did.
fn has_ended(child: &Handle) -> bool {
    match child.try_wait(Status::Take) {
        Ok(ending) => ending.is_some(),
        Err(error) => matches!(error, Error::StatusLost { .. }),
    }
}

/// Something that tells by a descriptor.
enum Watched {
    Child(Handle),
    Group(ChildCgroup, File),
}

impl Watched {
    /// `None` for what is done, and for what a thread of its own waits for.
    fn new(left: Unreaped) -> Option<Self> {
        match left.try_reap()? {
            Unreaped::Child(mut child) => {
                if child.open_descriptor() {
                    return Some(Self::Child(child));
                }
                wait_on_own_thread(child);
                None
            }
            Unreaped::Group(leaf) => {
                let events = leaf.events().ok()?;
                Self::Group(leaf, events).try_reap()
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

    /// Does what is due, and gives back what is still to be waited for.
    fn try_reap(mut self) -> Option<Self> {
        match &mut self {
            Self::Child(child) if has_ended(child) => return None,
            // It has ended, and its status is not to be had: a debugger has it first. To ask again would be all that the
            // thread does.
            Self::Child(_) => {}
            Self::Group(leaf, events) => {
                let is_empty = has_line(events, "populated 0");
                let is_gone = is_empty.is_err() || is_empty.is_ok_and(|is_empty| is_empty && leaf.remove());
                return (!is_gone).then_some(self);
            }
        }
        if let Self::Child(child) = self {
            wait_on_own_thread(child);
        }
        None
    }

    /// Waits for it alone.
    fn wait(self) {
        match self {
            Self::Child(child) => drop(child.wait(Status::Take)),
            Self::Group(leaf, _) => {
                let _ = leaf.is_empty_by(None);
                leaf.remove();
            }
        }
    }
}

/// Where no thread can be had either, the child stays a zombie.
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
            // SAFETY: nothing is written. It waits until no child is left.
            while unsafe { libc::waitid(libc::P_ALL, 0, std::ptr::null_mut(), libc::WEXITED | libc::WNOWAIT) }
                == 0
            {
                std::thread::yield_now();
            }
        };
        assert!(is_done_in_a_forked_process(queue(), work));
    }
}
