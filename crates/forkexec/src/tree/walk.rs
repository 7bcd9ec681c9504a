//! The processes that descend from a child, found in the system's list of processes: the last resort.
//!
//! A number in that list may be another process's a moment later. So nothing is sent to a number: a descriptor is opened, the
//! number is looked at again, and the signal goes by the descriptor if it is the same process still.
//!
//! What is found is stopped, and looked for again, until nothing new is found: what is stopped starts no more processes.
//! Only then is it killed.

use crate::platform::{pidfd, processes};
use crate::wait::is_readable_until;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd;
use std::process;
use std::time::Instant;

/// A process, as the list has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// When it started, in a unit of the system's.
    pub(crate) started: i64,
    /// It is a zombie.
    pub(crate) ended: bool,
}

impl Entry {
    /// Whether both are about one process: a number is given again, but not at the same time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }
}

/// What was found, and what was sent to it.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    found: BTreeMap<i32, Entry>,
    refused: usize,
    /// The last look found nothing new.
    settled: bool,
}

/// How often it is looked again for what started meanwhile. What is found is stopped, so that each time is about what
/// the few that were not seen before have started.
const LOOKS: usize = 100;

impl Walk {
    /// Stops the child and all that can be found to descend from it, until nothing new appears.
    ///
    /// # Errors
    ///
    /// Where processes are not listed, or the child is not among them.
    pub(crate) fn stopping(root: i32) -> io::Result<Self> {
        let mut walk = Self::default();
        for _ in 0..LOOKS {
            if walk.look(root, libc::SIGSTOP)? == 0 {
                walk.settled = true;
                break;
            }
        }
        Ok(walk)
    }

    /// Sends a signal to the child and all that can be found to descend from it now.
    ///
    /// # Errors
    ///
    /// As [`stopping`](Self::stopping).
    pub(crate) fn signalling(root: i32, signal: i32) -> io::Result<Self> {
        let mut walk = Self::default();
        walk.look(root, signal)?;
        Ok(walk)
    }

    /// Sends the signal to those that are new, and says how many there are.
    fn look(&mut self, root: i32, signal: i32) -> io::Result<usize> {
        let listed = processes::all()?;
        if !listed.iter().any(|entry| entry.pid == root) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        let mut new = 0;
        for entry in descendants(&listed, root, &self.found) {
            if self.found.get(&entry.pid).is_some_and(|known| known.is_same(&entry)) {
                continue;
            }
            new += 1;
            self.found.insert(entry.pid, entry);
            self.send(&entry, signal);
        }
        Ok(new)
    }

    /// Sends a signal to all that were found.
    pub(crate) fn signal(&mut self, signal: i32) {
        self.refused = 0;
        for entry in self.found.values().copied().collect::<Vec<_>>() {
            self.send(&entry, signal);
        }
    }

    fn send(&mut self, entry: &Entry, signal: i32) {
        let sent =
            processes::open(entry).and_then(|process| pidfd::signal(process.as_fd(), entry.pid, signal));
        // That it is gone is what is wanted.
        if sent.is_err_and(|error| error.raw_os_error() != Some(libc::ESRCH)) {
            self.refused += 1;
        }
    }

    /// Waits until all that were found have ended, or it is time; whether they have.
    pub(crate) fn have_ended(&self, end: Option<Instant>) -> io::Result<bool> {
        for entry in self.found.values() {
            let Ok(process) = processes::open(entry) else { continue };
            if !is_readable_until(process.as_fd(), end)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many were found.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// How many a signal could not be sent to, last time.
    pub(crate) fn refused(&self) -> usize {
        self.refused
    }

    /// Whether nothing new appeared at the end.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }
}

/// What descends from `root`, itself among it: by its parent, or by a process group or a session that one of them leads. The
/// number of a leader belongs to nobody else as long as its group or session has members, so that these are what it or a
/// descendant started. Of those `known` from before, a zombie may still be a leader.
fn descendants(listed: &[Entry], root: i32, known: &BTreeMap<i32, Entry>) -> Vec<Entry> {
    let is_known = |entry: &&Entry| known.get(&entry.pid).is_some_and(|known| known.is_same(entry));
    let mut family: BTreeSet<i32> = listed.iter().filter(is_known).map(|entry| entry.pid).collect();
    family.insert(root);
    loop {
        let before = family.len();
        for entry in listed {
            if [entry.parent, entry.group, entry.session].iter().any(|elder| family.contains(elder)) {
                family.insert(entry.pid);
            }
        }
        if family.len() == before {
            break;
        }
    }
    // Whatever it joined, this process is not its own child's.
    let own = process::id().cast_signed();
    let is_to_end = |entry: &&Entry| family.contains(&entry.pid) && !entry.ended && entry.pid != own;
    listed.iter().filter(is_to_end).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::{Entry, descendants};
    use rstest::rstest;
    use std::collections::BTreeMap;

    const ROOT: i32 = 100;

    fn entry(pid: i32, parent: i32, group: i32, session: i32) -> Entry {
        Entry { pid, parent, group, session, started: i64::from(pid), ended: false }
    }

    fn found(others: &[Entry], known: &[Entry]) -> Vec<i32> {
        let mut listed = vec![entry(1, 0, 1, 1), entry(50, 1, 50, 50), entry(ROOT, 50, ROOT, 50)];
        listed.extend(others);
        let known: BTreeMap<i32, Entry> = known.iter().map(|entry| (entry.pid, *entry)).collect();
        descendants(&listed, ROOT, &known).into_iter().map(|entry| entry.pid).collect()
    }

    #[rstest]
    #[case::nobody(&[], &[ROOT])]
    #[case::its_children_and_theirs(&[entry(102, 101, 50, 50), entry(101, ROOT, 50, 50)], &[ROOT, 101, 102])]
    #[case::an_orphan_of_its_group(&[entry(101, 1, ROOT, 50)], &[ROOT, 101])]
    #[case::an_orphan_of_a_session_of_its_child(&[entry(101, ROOT, 101, 101), entry(102, 1, 102, 101)], &[ROOT, 101, 102])]
    #[case::not_its_parent_s_others(&[entry(101, 50, 50, 50), entry(102, 1, 50, 50)], &[ROOT])]
    #[case::not_an_orphan_that_left(&[entry(101, 1, 101, 101)], &[ROOT])]
    fn descent_is_by_parent_group_or_session(#[case] others: &[Entry], #[case] expected: &[i32]) {
        let mut found = found(others, &[]);
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_zombie_is_not_to_end_but_still_a_parent() {
        let zombie = Entry { ended: true, ..entry(101, ROOT, 101, 101) };
        assert_eq!(found(&[zombie, entry(102, 1, 102, 101)], &[]), [ROOT, 102]);
    }

    #[test]
    fn who_was_found_before_is_an_elder_unless_its_number_is_another_s_now() {
        let [orphan, grandchild] = [entry(101, 1, 50, 50), entry(102, 101, 50, 50)];
        assert_eq!(found(&[orphan, grandchild], &[orphan]), [ROOT, 101, 102]);
        let stranger = Entry { started: 9, ..orphan };
        assert_eq!(found(&[orphan, grandchild], &[stranger]), [ROOT]);
    }
}
