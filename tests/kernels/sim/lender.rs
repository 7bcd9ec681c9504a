//! The suspended parent, from which a child takes descriptors.

use std::ffi::CStr;

use forkexec_core::{Access, Errno, Fd, FileId, Pid};

use super::table::Entry;
use super::{File, State, Table};

/// The parent, and a thread of it that shares its table.
pub(crate) const PARENT: Pid = 100;
pub(crate) const THREAD: Pid = 150;

/// The tree below `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Procfs {
    /// The kernel's, for the pid namespace of the parent.
    Live,
    /// Nothing is mounted, or it hides the parent.
    Absent,
    /// Each path leads to another file: a forged tree, or procfs of another pid namespace.
    Forged,
    /// Each path leads to another file once it is opened.
    ForgedAtOpen,
}

/// The files below `/proc/self` that a child writes.
fn own_file(path: &CStr) -> Option<File> {
    Some(match path.to_bytes() {
        b"/proc/self/oom_score_adj" => File::OomScore,
        b"/proc/self/autogroup" => File::Autogroup,
        b"/proc/self/timens_offsets" => File::ClockOffsets,
        b"/proc/self/setgroups" => File::Setgroups,
        b"/proc/self/gid_map" => File::GroupMap,
        b"/proc/self/uid_map" => File::UserMap,
        _ => return None,
    })
}

impl State {
    fn parents_table(&self) -> &Table {
        self.parents.as_ref().unwrap_or(&self.table)
    }

    /// proc_pid_fd(5): a descriptor of the process or thread. ENOENT if it is not open, or if there is no such process.
    fn lent(&self, path: &CStr) -> Result<Entry, Errno> {
        let path = path.to_str().map_err(|_| Errno::NOENT)?;
        let numbers = path.strip_prefix("/proc/").and_then(|path| path.split_once("/fd/"));
        let (process, fd) = numbers.ok_or(Errno::NOENT)?;
        let fd: Fd = fd.parse().map_err(|_| Errno::NOENT)?;
        match process.parse::<Pid>() {
            Ok(PARENT | THREAD) => self.parents_table().get(fd).map_err(|_| Errno::NOENT),
            _ => Err(Errno::NOENT),
        }
    }

    /// stat(2): follows the link.
    pub(super) fn path_id(&mut self, path: &CStr) -> Result<FileId, Errno> {
        match self.procfs {
            Procfs::Live | Procfs::ForgedAtOpen => self.lent(path).map(Entry::id),
            Procfs::Absent => Err(Errno::NOENT),
            Procfs::Forged => Ok(self.table.new_file(File::Plain).id()),
        }
    }

    /// open(2), proc_pid_fd(5): opens the file anew.
    pub(super) fn open_file(&mut self, path: &CStr, access: Access) -> Result<Fd, Errno> {
        let entry = match self.procfs {
            Procfs::Live => match own_file(path) {
                Some(kind) => self.table.new_file(kind),
                None => self.lent(path)?,
            },
            Procfs::Absent => return Err(Errno::NOENT),
            Procfs::Forged | Procfs::ForgedAtOpen => self.table.new_file(File::Plain),
        };
        let limit = self.limit();
        let fd = self.table.add(entry, limit)?;
        self.reopened.push((entry.file, access));
        Ok(fd)
    }

    /// pidfd_open(2): ESRCH without such a process; EINVAL for a thread without `PIDFD_THREAD`.
    pub(super) fn open_pidfd_of(&mut self, thread: Pid, leads: bool) -> Result<Fd, Errno> {
        let limit = self.limit();
        match (thread, leads) {
            (PARENT, true) | (THREAD, false) => Ok(self.table.open(File::Pidfd, true, limit)?.0),
            (THREAD, true) => Err(Errno::INVAL),
            _ => Err(Errno::SRCH),
        }
    }

    /// pidfd_getfd(2): EBADF if one of the descriptors is not open, or the first is no pidfd.
    pub(super) fn pidfd_getfd(&mut self, pidfd: Fd, fd: Fd) -> Result<Fd, Errno> {
        if self.table.get(pidfd)?.kind != File::Pidfd {
            return Err(Errno::BADF);
        }
        let (entry, limit) = (self.parents_table().get(fd)?, self.limit());
        self.table.add(entry, limit)
    }
}
