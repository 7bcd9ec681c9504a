//! Descriptors that a child takes from its suspended parent.
//!
//! A child that shares the descriptor table gets its own without the numbers above the highest that it needs. If one of them
//! is high, it would copy many that it does not need. So it notes the high ones, gets a table without them, and then takes
//! each from its parent, which still has all open and is suspended ([`Backend::take`](crate::Backend::take)).

use crate::{Access, Errno, Fd, FileId, Pid};
use core::cell::Cell;

/// The first high number. The kernel copies a descriptor table 64 numbers at a time, so taking a lower one saves nothing.
pub const FIRST_HIGH: Fd = 64;

/// A child copies the table if it needs more high descriptors than this.
const MOST: usize = 16;

/// The means by which a child can take a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// It duplicates the descriptor.
    Duplicate,
    /// It opens the file anew, with this access, after it has compared the identity of the file.
    Reopen(Access),
}

/// A descriptor to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its number in the parent.
    pub fd: Fd,
    /// The access with which the child may open the file anew, and the identity of the file, which the child read while it shared
    /// the table. `None` if the child needs the same open file description.
    pub reopen: Option<(Access, FileId)>,
}

/// The suspended thread from which a child takes descriptors.
#[derive(Debug)]
pub struct Lender {
    /// The thread.
    pub thread: Pid,
    handle: Cell<Option<Fd>>,
}

impl Lender {
    /// A thread to which no descriptor refers yet.
    pub const fn new(thread: Pid) -> Self {
        Self { thread, handle: Cell::new(None) }
    }

    /// Returns the descriptor by which the backend refers to the thread. Opens it once for all that the child takes.
    ///
    /// # Errors
    ///
    /// Returns the error of `open`.
    pub fn handle_or_open(&self, open: impl FnOnce() -> Result<Fd, Errno>) -> Result<Fd, Errno> {
        if let Some(handle) = self.handle.get() {
            return Ok(handle);
        }
        open().inspect(|&handle| self.handle.set(Some(handle)))
    }

    /// Removes the descriptor, if there is one from this number on, for the caller to close.
    pub fn remove_handle(&self, from: Fd) -> Option<Fd> {
        let handle = self.handle.get().filter(|&handle| handle >= from)?;
        self.handle.set(None);
        Some(handle)
    }
}

/// The high descriptors of one child, and their numbers there.
pub(crate) struct Taken([Cell<Option<(Wanted, Fd)>>; MOST]);

impl Taken {
    pub(crate) const fn new() -> Self {
        Self([const { Cell::new(None) }; MOST])
    }

    /// Returns the number in the child's table of a descriptor that the plan names.
    pub(crate) fn number(&self, fd: Fd) -> Fd {
        self.entries().find(|(wanted, _)| wanted.fd == fd).map_or(fd, |(_, number)| number)
    }

    pub(crate) fn contains(&self, fd: Fd) -> bool {
        self.entries().any(|(wanted, _)| wanted.fd == fd)
    }

    /// Notes one more. Returns `None` if there is no room.
    pub(crate) fn note(&self, wanted: Wanted) -> Option<()> {
        let free = self.0.iter().find(|entry| entry.get().is_none())?;
        free.set(Some((wanted, wanted.fd)));
        Some(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries().next().is_none()
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.0.iter().for_each(|entry| entry.set(None));
    }

    /// Takes each by `take`, which returns its number in the child.
    pub(crate) fn take_each<E>(&self, mut take: impl FnMut(&Wanted) -> Result<Fd, E>) -> Result<(), E> {
        for entry in &self.0 {
            let Some((wanted, _)) = entry.get() else { break };
            entry.set(Some((wanted, take(&wanted)?)));
        }
        Ok(())
    }

    fn entries(&self) -> impl Iterator<Item = (Wanted, Fd)> {
        self.0.iter().map_while(Cell::get)
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Taken, Wanted};
    use crate::Fd;

    fn wanted(fd: Fd) -> Wanted {
        Wanted { fd, reopen: None }
    }

    #[test]
    fn taken_descriptor_has_its_new_number() {
        let taken = Taken::new();
        assert_eq!((taken.note(wanted(900)), taken.note(wanted(80))), (Some(()), Some(())));
        let mut next = 3..;
        let took = taken.take_each(|_| next.next().ok_or(()));
        assert_eq!((took, [900, 80, 5].map(|fd| taken.number(fd))), (Ok(()), [3, 4, 5]));
        assert!(taken.contains(80) && !taken.contains(3));
        taken.clear();
        assert_eq!(([900, 80].map(|fd| taken.number(fd)), taken.contains(80)), ([900, 80], false));
    }

    #[test]
    fn first_failure_ends_the_taking() {
        let taken = Taken::new();
        for fd in [900, 80] {
            assert_eq!(taken.note(wanted(fd)), Some(()));
        }
        let mut asked = 0;
        let took = taken.take_each(|_| {
            asked += 1;
            Err(asked)
        });
        assert_eq!((took, taken.number(900)), (Err(1), 900));
    }

    #[test]
    fn room_for_high_descriptors_is_bounded() {
        let taken = Taken::new();
        let noted = (100..200).take_while(|&fd| taken.note(wanted(fd)).is_some()).count();
        assert_eq!(noted, MOST);
    }
}
