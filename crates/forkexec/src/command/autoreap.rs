//! Children that the kernel reaps.

use super::CommandBuilder;

impl<M> CommandBuilder<'_, M> {
    /// Lets the kernel reap the child when it ends, if it can (`CLONE_AUTOREAP` of clone3(2)). The default is `false`.
    ///
    /// Such a child
    ///
    /// - has a status that no other code can take. [`Child::wait`](crate::Child::wait) reads it from the
    ///   [`pidfd`](crate::Child::pidfd) (`PIDFD_GET_INFO` of ioctl_pidfd(2)), also if `SIGCHLD` is ignored, and if
    ///   other code waits for all children;
    /// - never is a zombie. A dropped child needs no thread, and nothing reaps it later;
    /// - with [`die_with_parent(SIGKILL)`](Self::die_with_parent) dies with this process even if the thread that started it
    ///   has ended, and without a thread of this library.
    ///
    /// It costs:
    ///
    /// - [`Child::wait_usage`](crate::Child::wait_usage) returns [`Error::Unsupported`](crate::Error::Unsupported). The
    ///   kernel adds nothing to the usage of this process's children, either (`RUSAGE_CHILDREN` of getrusage(2)).
    /// - This process gets no `SIGCHLD` at its end. A wait for all children waits for it while it runs, but never returns
    ///   its pid.
    /// - The pid may belong to another process as soon as the child has ended. Only [`Child`](crate::Child) accounts for
    ///   that. [`Child::kill_tree`](crate::Child::kill_tree) reaches the descendants by a control group or a process group,
    ///   and does not search for others.
    /// - If a signal kills the child within execve(2), it may count as started. Then the status has that signal.
    ///
    /// [`Child::is_autoreaped`](crate::Child::is_autoreaped) tells whether the kernel reaps the child. It does not, and the
    /// library reaps the child as usual,
    ///
    /// - before Linux 7.1, on other systems, and if a filter refuses the calls;
    /// - if the child is started by fork(2), such as one with a [`pre_exec`](Self::pre_exec) closure;
    /// - if the child [starts suspended](Self::start_suspended), because this process traces it;
    /// - with [`create_pidfd(false)`](Self::create_pidfd), and if no descriptor is free;
    /// - with a [`containment`](Self::containment) by process group or session, which needs the pid.
    ///
    /// # The parent's death
    ///
    /// With `die_with_parent(SIGKILL)` the kernel kills the child when the last copy of its pidfd is closed
    /// (`CLONE_PIDFD_AUTOKILL`). It does so only if the command also sets [`no_new_privs`](Self::no_new_privs), or if this
    /// process has `CAP_SYS_ADMIN` in its user namespace. Otherwise, and for other signals, the child has a parent-death signal, as
    /// without this setting. [`Child::parent_death`](crate::Child::parent_death) tells which. The pidfd decides:
    ///
    /// - The [`Child`](crate::Child) owns it. If the child is dropped while it runs, the library keeps the pidfd.
    /// - A duplicate (dup(2), a message over a socket) keeps the child running beyond this process. So does a process
    ///   that other code forked from this one and that executes no program. A pidfd of pidfd_open(2) does not.
    /// - It is close-on-exec. If this process executes another program, the child is killed.
    /// - With [`OnDrop::Kill`](crate::OnDrop::Kill) the child dies when it is dropped, and also if this process is killed
    ///   before.
    /// - For a child that is [abandoned](crate::OnDrop::Abandon) or that joins an existing pid namespace, the parent-death signal
    ///   remains.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut child = Command::new("sh").args(["-c", "exit 3"]).autoreap(true).spawn()?;
    /// // Another thread that calls waitpid(-1) cannot take this status from Linux 7.1 on.
    /// assert_eq!(child.wait()?.code(), Some(3));
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn autoreap(&mut self, enabled: bool) -> &mut Self {
        self.settings.autoreap = enabled;
        self
    }
}
