//! Dropped children that still run. Each is reaped after it has ended, so that none stays a zombie for long.
//!
//! By default they wait in a queue, and no thread waits for them: each start, wait and drop looks at the next
//! few entries. So the cost of a call does not grow with the queue, and a full round takes a number of calls
//! that is proportional to it. The lock of the queue is not held during a system call. A start with an empty
//! queue only reads one atomic number.

use crate::error::Error;
use crate::sys::cgroup::ChildCgroup;
use crate::sys::owner::Owner;
use crate::sys::per_process::PerProcess;
use crate::sys::wait::Status;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The remains of a dropped handle.
#[derive(Debug, Default)]
pub(crate) struct Unreaped {
    /// A child to reap when it ends.
    pub(crate) child: Option<Owner>,
    /// A control group to remove when it is empty.
    pub(crate) group: Option<ChildCgroup>,
}

impl Unreaped {
    /// Reaps the child, and removes the group of a child that has ended. Returns `None` if all is done.
    pub(crate) fn try_reap(mut self) -> Option<Self> {
        self.child = self.child.filter(|child| !has_ended(child));
        if self.child.is_none() {
            self.group = self.group.filter(|group| !group.remove());
        }
        (self.child.is_some() || self.group.is_some()).then_some(self)
    }
}

/// Reaps a child that has ended. Returns true if it is reaped, by this or other code.
pub(crate) fn has_ended(child: &Owner) -> bool {
    match child.try_wait(Status::Take) {
        Ok(ending) => ending.is_some(),
        Err(error) => matches!(error, Error::StatusLost { .. }),
    }
}

static QUEUE: PerProcess<Mutex<VecDeque<Unreaped>>> = PerProcess::new(|| Mutex::new(VecDeque::new()));

/// The number of entries. In a forked process it is the parent's until the first look.
static LENGTH: AtomicUsize = AtomicUsize::new(0);

/// The number of entries that one call looks at. A look takes less than a microsecond.
const STEP: usize = 8;

fn queue() -> MutexGuard<'static, VecDeque<Unreaped>> {
    QUEUE.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds what still runs.
pub(crate) fn push(left: Unreaped) {
    let mut queue = queue();
    queue.push_back(left);
    LENGTH.store(queue.len(), Ordering::Relaxed);
}

/// Reaps those of the next few entries that have ended.
pub(crate) fn reap_some() {
    if LENGTH.load(Ordering::Relaxed) != 0 {
        reap_next(STEP);
    }
}

/// Reaps all entries that have ended, and returns true if there were any.
pub(crate) fn reap_all() -> bool {
    let before = LENGTH.load(Ordering::Relaxed);
    let mut rest = before;
    while rest != 0 {
        let step = rest.min(STEP);
        reap_next(step);
        rest -= step;
    }
    LENGTH.load(Ordering::Relaxed) < before
}

/// Takes at most `STEP` entries from the front and puts those that still run at the back. It does not
/// allocate: the queue has had that length before.
fn reap_next(count: usize) {
    let mut taken = [const { None }; STEP];
    {
        let mut queue = queue();
        let count = count.min(queue.len());
        for (place, left) in taken.iter_mut().zip(queue.drain(..count)) {
            *place = Some(left);
        }
        LENGTH.store(queue.len(), Ordering::Relaxed);
    }
    let running = taken.map(|left| left.and_then(Unreaped::try_reap));
    let mut queue = queue();
    queue.extend(running.into_iter().flatten());
    LENGTH.store(queue.len(), Ordering::Relaxed);
}

/// Reaps the dropped children that have ended, and returns how many still run.
///
/// By default, no thread waits for a child that was dropped while it ran ([`OnDrop`](crate::OnDrop)). When it
/// ends, it stays a zombie until this process starts, waits for or drops another child, which looks at a few
/// of them. This function looks at all of them. Call it if a program drops many children and then starts none
/// for a long time, for example on `SIGCHLD`. The result also counts the control groups that are not empty.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, reap_dropped};
/// use std::time::Duration;
///
/// drop(Command::new("sleep").arg("0.1").spawn()?);
/// while reap_dropped() > 0 {
///     std::thread::sleep(Duration::from_millis(10));
/// }
/// # Ok::<(), forkexec::Error>(())
/// ```
pub fn reap_dropped() -> usize {
    reap_all();
    LENGTH.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::{LENGTH, QUEUE, queue};
    use crate::command::Command;
    use crate::config::settings::OnDrop;
    use crate::sys::per_process::is_done_in_a_forked_process;
    use std::sync::atomic::Ordering;

    /// Faults: M13
    #[test]
    fn forked_process_reaps_its_dropped_children() {
        let held = queue();
        // A count of the parent's entries does not mislead the forked process.
        LENGTH.fetch_add(5, Ordering::Relaxed);
        let work = || {
            let mut command = Command::new("sleep");
            drop(command.arg("600").on_drop(OnDrop::Kill).spawn().expect("it starts"));
            while super::reap_dropped() > 0 {
                std::thread::yield_now();
            }
            // SAFETY: the null pointer makes waitid(2) write nothing.
            let left =
                unsafe { libc::waitid(libc::P_ALL, 0, std::ptr::null_mut(), libc::WEXITED | libc::WNOWAIT) };
            assert_eq!(left, -1, "no child is left");
            assert!(QUEUE.get().try_lock().is_ok_and(|queue| queue.is_empty()));
        };
        let is_done = is_done_in_a_forked_process(held, work);
        LENGTH.fetch_sub(5, Ordering::Relaxed);
        assert!(is_done);
    }
}
