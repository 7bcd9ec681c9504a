//! The descriptor table.

use std::collections::BTreeMap;

use forkexec_core::{Errno, Fd, FileId};

/// The kind of a file, as far as calls depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum File {
    Plain,
    Terminal,
    Directory,
    Pidfd,
    Ruleset,
    OomScore,
    Autogroup,
    ClockOffsets,
    Namespace,
    Program,
    Setgroups,
    GroupMap,
    UserMap,
}

impl File {
    /// Returns true for a file below `/proc/self` that a child writes.
    pub(super) fn is_written_on_procfs(self) -> bool {
        matches!(
            self,
            Self::OomScore
                | Self::Autogroup
                | Self::ClockOffsets
                | Self::Setgroups
                | Self::GroupMap
                | Self::UserMap
        )
    }
}

/// An open descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The file, like an inode.
    pub(crate) file: u64,
    pub(crate) kind: File,
    pub(crate) cloexec: bool,
}

impl Entry {
    /// fstat(2).
    pub(crate) fn id(self) -> FileId {
        FileId { device: 1, inode: self.file }
    }
}

/// The open descriptors, and their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    entries: BTreeMap<Fd, Entry>,
    files: u64,
}

impl Table {
    pub(crate) fn with_standard_streams() -> Self {
        let mut table = Self::default();
        (0..3).for_each(|fd| table.open_at(fd, File::Plain, false));
        table
    }

    /// Opens a new file under a number of the test's choice.
    pub(crate) fn open_at(&mut self, fd: Fd, kind: File, cloexec: bool) {
        let entry = self.new_file(kind);
        self.entries.insert(fd, Entry { cloexec, ..entry });
    }

    /// A new file that no descriptor refers to yet.
    pub(super) fn new_file(&mut self, kind: File) -> Entry {
        self.files += 1;
        Entry { file: self.files, kind, cloexec: true }
    }

    /// open(2), pidfd_getfd(2): a descriptor of this file, close-on-exec, with the lowest free number.
    pub(super) fn add(&mut self, entry: Entry, limit: u64) -> Result<Fd, Errno> {
        let fd = self.lowest_free(0, limit)?;
        self.entries.insert(fd, Entry { cloexec: true, ..entry });
        Ok(fd)
    }

    pub(crate) fn fds(&self) -> Vec<Fd> {
        self.entries.keys().copied().collect()
    }

    /// The entries after close-on-exec was set or cleared from a number up, except under these.
    pub(crate) fn with_cloexec_except(&self, first: Fd, keep: &[Fd], cloexec: bool) -> BTreeMap<Fd, Entry> {
        let mut entries = self.entries.clone();
        let others = entries.iter_mut().filter(|(fd, _)| **fd >= first && !keep.contains(fd));
        others.for_each(|(_, entry)| entry.cloexec = cloexec);
        entries
    }

    /// The open descriptors from a number up.
    pub(super) fn fds_from(&self, first: Fd) -> impl Iterator<Item = Fd> {
        self.entries.range(first..).map(|(&fd, _)| fd)
    }

    pub(crate) fn entries(&self) -> &BTreeMap<Fd, Entry> {
        &self.entries
    }

    /// EBADF: not an open descriptor (fcntl(2), close(2), fstat(2), and all others).
    pub(super) fn get(&self, fd: Fd) -> Result<Entry, Errno> {
        self.entries.get(&fd).copied().ok_or(Errno::BADF)
    }

    /// close(2): the number is free at once.
    pub(super) fn close(&mut self, fd: Fd) -> Result<Entry, Errno> {
        self.entries.remove(&fd).ok_or(Errno::BADF)
    }

    /// open(2), pipe(2): the lowest number that is free; EMFILE at the limit (getrlimit(2)).
    pub(super) fn open(&mut self, kind: File, cloexec: bool, limit: u64) -> Result<(Fd, Entry), Errno> {
        let fd = self.lowest_free(0, limit)?;
        self.open_at(fd, kind, cloexec);
        Ok((fd, self.entries[&fd]))
    }

    /// dup3(2): EINVAL for two equal numbers, EBADF for a target out of range, which comes before the source; the copy
    /// has no close-on-exec.
    pub(super) fn dup2(&mut self, from: Fd, to: Fd, limit: u64) -> Result<(), Errno> {
        if from == to {
            return Err(Errno::INVAL);
        }
        if u64::from(to.cast_unsigned()) >= limit {
            return Err(Errno::BADF);
        }
        let entry = self.get(from)?;
        self.entries.insert(to, Entry { cloexec: false, ..entry });
        Ok(())
    }

    /// `F_DUPFD_CLOEXEC` of fcntl(2): EBADF for the source, EINVAL for a lowest number at the limit, EMFILE without a free
    /// one.
    pub(super) fn dup_min(&mut self, fd: Fd, lowest: Fd, limit: u64) -> Result<Fd, Errno> {
        let entry = self.get(fd)?;
        if u64::from(lowest.cast_unsigned()) >= limit {
            return Err(Errno::INVAL);
        }
        let copy = self.lowest_free(lowest, limit)?;
        self.entries.insert(copy, Entry { cloexec: true, ..entry });
        Ok(copy)
    }

    /// `F_SETFD` of fcntl(2).
    pub(super) fn set_cloexec(&mut self, fd: Fd, cloexec: bool) -> Result<(), Errno> {
        self.entries.get_mut(&fd).map(|entry| entry.cloexec = cloexec).ok_or(Errno::BADF)
    }

    /// close_range(2): EINVAL for an empty range; numbers that are not open are passed over.
    pub(crate) fn close_range(&mut self, first: u32, last: u32) -> Result<(), Errno> {
        if first > last {
            return Err(Errno::INVAL);
        }
        self.entries.retain(|&fd, _| !(first..=last).contains(&fd.cast_unsigned()));
        Ok(())
    }

    /// close_range(2), `CLOSE_RANGE_CLOEXEC`: EINVAL for an empty range; sets the flag instead of closing.
    pub(crate) fn mark_range(&mut self, first: u32, last: u32) -> Result<(), Errno> {
        if first > last {
            return Err(Errno::INVAL);
        }
        let in_range = |fd: &Fd| (first..=last).contains(&fd.cast_unsigned());
        self.entries.iter_mut().filter(|(fd, _)| in_range(fd)).for_each(|(_, entry)| entry.cloexec = true);
        Ok(())
    }

    /// execve(2): close-on-exec descriptors are closed.
    pub(super) fn after_exec(&self) -> BTreeMap<Fd, u64> {
        let kept = self.entries.iter().filter(|(_, entry)| !entry.cloexec);
        kept.map(|(&fd, entry)| (fd, entry.file)).collect()
    }

    /// Source: open(2), `F_DUPFD` of fcntl(2).
    fn lowest_free(&self, lowest: Fd, limit: u64) -> Result<Fd, Errno> {
        let free = (lowest..Fd::MAX).find(|fd| !self.entries.contains_key(fd));
        free.filter(|&fd| u64::from(fd.cast_unsigned()) < limit).ok_or(Errno::MFILE)
    }
}
