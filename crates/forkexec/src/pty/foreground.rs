//! The foreground process group of a terminal, for a while.

use crate::error::Error;
use crate::sys::terminal;
use forkexec_core::Pid;
use std::os::fd::AsFd;

/// A guard that gives the foreground of a terminal back when it is dropped.
///
/// It keeps the foreground process group of the moment when it was created. A child that is then started with
/// [`Command::foreground`](crate::Command::foreground) takes the place of that group. When the guard is
/// dropped, the group gets its place back, if the foreground has a process group with children of this
/// process, one whose processes have all ended, or the one of [`set`](Self::set). If another group has the
/// foreground, the shell of the session has put it there, and it stays.
///
/// # Examples
///
/// ```
/// use forkexec::{BorrowingCommand, Foreground};
/// use std::fs::File;
///
/// // A process may have no terminal.
/// if let Ok(terminal) = File::options().read(true).write(true).open("/dev/tty") {
///     let saved = Foreground::save(&terminal)?;
///     let status = BorrowingCommand::new("true").process_group(0).foreground(&terminal).status();
///     drop(saved); // also if the start failed
///     assert!(status?.success());
/// }
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "the guard gives the foreground back when it is dropped"]
pub struct Foreground<T: AsFd> {
    terminal: T,
    before: Pid,
    /// The group of the last `set`.
    set: Option<Pid>,
}

impl<T: AsFd> Foreground<T> {
    /// Keeps the foreground process group of the controlling terminal of this process.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Terminal`] if the descriptor is not the controlling terminal (`ENOTTY`).
    pub fn save(terminal: T) -> Result<Self, Error> {
        let before = terminal::foreground(terminal.as_fd())
            .map_err(|error| Error::Terminal { what: "get the foreground process group", error })?;
        Ok(Self { terminal, before, set: None })
    }

    /// Makes a process group of this session the foreground group now, as tcsetpgrp(3), also from the background.
    ///
    /// The drop takes the foreground back from this group even if none of its processes is a child of this
    /// process: a job may leave a process of its own behind. A shell sets the group of each job that it waits
    /// for.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Terminal`] if the session has no such group (`EPERM`), or the terminal is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Foreground};
    /// use std::fs::File;
    ///
    /// if let Ok(terminal) = File::options().read(true).write(true).open("/dev/tty") {
    ///     let mut saved = Foreground::save(&terminal)?;
    ///     let mut job = Command::new("true").process_group(0).spawn()?;
    ///     saved.set(job.id() as i32)?;
    ///     job.wait()?;
    /// }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn set(&mut self, group: i32) -> Result<(), Error> {
        terminal::set_foreground(self.terminal.as_fd(), group)
            .map_err(|error| Error::Terminal { what: "set the foreground process group", error })?;
        self.set = Some(group);
        Ok(())
    }
}

impl<T: AsFd> Drop for Foreground<T> {
    fn drop(&mut self) {
        terminal::restore_foreground(self.terminal.as_fd(), self.before, self.set);
    }
}
