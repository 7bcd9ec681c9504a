//! Several descriptors at once, as `args` is for `arg`.

use super::CommandBuilder;
use crate::config::source::FdSource;
use std::os::fd::RawFd;

impl<'fd, M> CommandBuilder<'fd, M> {
    /// Passes several descriptors under chosen numbers. Each pair is one call of [`fd`](Self::fd).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::fs::File;
    ///
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "test -e /dev/fd/7 && test -e /dev/fd/9"]);
    /// command.fds([(7, File::open("/etc/hosts")?), (9, File::open("/etc/passwd")?)]);
    /// assert!(command.status()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fds<I, F>(&mut self, fds: I) -> &mut Self
    where
        I: IntoIterator<Item = (RawFd, F)>,
        F: Into<FdSource<'fd>>,
    {
        for (new_fd, old_fd) in fds {
            self.fd(new_fd, old_fd);
        }
        self
    }

    /// Passes several descriptors under their own numbers. Each is one call of [`keep_fd`](Self::keep_fd).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::fs::File;
    ///
    /// let mut command = Command::new("true");
    /// command.keep_fds([File::open("/etc/hosts")?, File::open("/etc/passwd")?]);
    /// assert!(command.status()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep_fds<I, F>(&mut self, fds: I) -> &mut Self
    where
        I: IntoIterator<Item = F>,
        F: Into<FdSource<'fd>>,
    {
        for fd in fds {
            self.keep_fd(fd);
        }
        self
    }
}
