//! What a child is beside its program: directory, session, signals, limits and identity.

use super::Command;
use crate::config::settings::{Directory, IgnoredSignals};
use crate::config::source::FdSource;
use forkexec_core::Limit;
use forkexec_core::Resource;
use std::path::Path;

impl<'fd> Command<'fd> {
    /// Sets the working directory to an open one (fchdir(2)). The descriptor itself is not handed over.
    ///
    /// The child enters it with the permissions of the parent, before its user and groups are changed. With
    /// [`chroot`](Self::chroot), it may lie outside of the new root.
    ///
    /// # Errors
    ///
    /// When the command is started: [`Error::Spawn`](crate::Error::Spawn) at
    /// [`Stage::EarlyChdir`](crate::Stage::EarlyChdir).
    pub fn current_dir_fd(&mut self, directory: impl Into<FdSource<'fd>>) -> &mut Self {
        self.settings.directory = Some(Directory::Fd(directory.into()));
        self
    }

    /// Sets the root directory (chroot(2)), which needs privilege. The working directory becomes the new root at once, so
    /// that it does not lie outside. [`current_dir`](Self::current_dir) is seen from there, also if it is relative.
    pub fn chroot(&mut self, root: impl AsRef<Path>) -> &mut Self {
        self.settings.root = Some(root.as_ref().to_owned());
        self
    }

    /// Sets the file mode creation mask (umask(2)), 0 to 0o777.
    pub fn umask(&mut self, mask: u32) -> &mut Self {
        self.settings.umask = Some(mask);
        self
    }

    /// Starts a new session (setsid(2)), without a controlling terminal.
    pub fn setsid(&mut self) -> &mut Self {
        self.settings.session = true;
        self
    }

    /// Joins a process group of the same session (setpgid(2)); 0 is a new one, as
    /// [`std::os::unix::process::CommandExt::process_group`].
    pub fn process_group(&mut self, group: i32) -> &mut Self {
        self.settings.process_group = Some(group);
        self
    }

    /// Makes this terminal the controlling one of the new session, which needs [`setsid`](Self::setsid).
    pub fn controlling_terminal(&mut self, terminal: impl Into<FdSource<'fd>>) -> &mut Self {
        self.settings.terminal = Some(terminal.into());
        self
    }

    /// Makes the child's process group the foreground group of this terminal, which must be the controlling one of the
    /// child's session (tcsetpgrp(3)).
    pub fn foreground(&mut self, terminal: impl Into<FdSource<'fd>>) -> &mut Self {
        self.settings.foreground = Some(terminal.into());
        self
    }

    /// Sets the soft and the hard limit of a resource (setrlimit(2)); `None` is no limit.
    ///
    /// Limits are set after descriptors were put in place and before ids are changed. One that is too small for the
    /// program (`stack` of a few KiB, `as` below its size) lets exec succeed and the program die by `SIGSEGV` or
    /// `SIGKILL` before its first instruction.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Resource};
    ///
    /// let output = Command::new("sh").args(["-c", "ulimit -n"]).rlimit(Resource::NOFILE, Some(64), Some(64)).output()?;
    /// assert_eq!(output.stdout, b"64\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn rlimit(&mut self, resource: Resource, soft: Option<u64>, hard: Option<u64>) -> &mut Self {
        let [soft, hard] = [soft, hard].map(|limit| limit.unwrap_or(u64::MAX));
        self.settings.limits.push(Limit { resource, soft, hard });
        self
    }

    /// Sets the nice value, -20 to 19 (setpriority(2)). Below the parent's it needs privilege.
    pub fn nice(&mut self, nice: i32) -> &mut Self {
        self.settings.nice = Some(nice);
        self
    }

    /// Sets what becomes of the signals that the parent ignores.
    pub fn ignored_signals(&mut self, policy: IgnoredSignals) -> &mut Self {
        self.settings.ignored = policy;
        self
    }

    /// Lets the child ignore this signal.
    pub fn ignore_signal(&mut self, signal: i32) -> &mut Self {
        self.settings.ignore.push(signal);
        self
    }

    /// Sets the signals that are blocked in the child. By default none is: a child that starts with `SIGTERM` blocked
    /// because a thread of its parent had it blocked cannot be stopped.
    pub fn signal_mask(&mut self, blocked: impl IntoIterator<Item = i32>) -> &mut Self {
        self.settings.mask = Some(blocked.into_iter().collect());
        self
    }

    /// Blocks in the child what the starting thread blocks, as std does.
    pub fn inherit_signal_mask(&mut self) -> &mut Self {
        self.settings.mask = None;
        self
    }

    /// Sets the real, effective and saved user id. It comes after the groups and the group id, in whatever order they
    /// are asked for. If the parent is privileged and [`groups`](Self::groups) are not set, the child gives up the
    /// supplementary groups of the parent, as in std. On Linux it takes the ambient capabilities with it (capabilities(7)), which would outlive exec.
    ///
    /// # Errors
    ///
    /// When the command is started by a privileged user without [`gid`](Self::gid):
    /// [`InputError::UserWithoutGroup`](crate::InputError::UserWithoutGroup), unless
    /// [`keep_groups`](Self::keep_groups) says that this is meant.
    pub fn uid(&mut self, uid: u32) -> &mut Self {
        self.settings.uid = Some(uid);
        self
    }

    /// Sets the real, effective and saved group id.
    pub fn gid(&mut self, gid: u32) -> &mut Self {
        self.settings.gid = Some(gid);
        self
    }

    /// Sets the supplementary groups; none of them is an empty list.
    pub fn groups(&mut self, groups: impl IntoIterator<Item = u32>) -> &mut Self {
        self.settings.groups = Some(groups.into_iter().collect());
        self
    }

    /// Lets a child whose user is changed keep the parent's group and supplementary groups where none are set.
    pub fn keep_groups(&mut self) -> &mut Self {
        self.settings.keep_groups = true;
        self
    }

    /// Sets `no_new_privs`: exec can no longer grant privileges to the child or its descendants (`PR_SET_NO_NEW_PRIVS` of
    /// prctl(2), `PROC_NO_NEW_PRIVS_CTL` of procctl(2)).
    ///
    /// # Platforms
    ///
    /// Linux, and FreeBSD from 14. Elsewhere [`Error::Unsupported`](crate::Error::Unsupported).
    pub fn no_new_privs(&mut self) -> &mut Self {
        self.settings.no_new_privs = true;
        self
    }

    /// Starts the child in a control group, version 2 (cgroups(7)): the directory of one in a mounted hierarchy.
    ///
    /// Where the kernel can (Linux 5.7), the child is born there (`CLONE_INTO_CGROUP` of clone(2)): no moment of its life
    /// is on another group's account. Elsewhere it enters the group before anything else that it is asked to do.
    ///
    /// With [`containment`](Self::containment), it may be the one below which a group is made for each child. The directory is opened when the
    /// command is prepared. An error names [`Stage::Cgroup`](crate::Stage::Cgroup).
    ///
    /// # Platforms
    ///
    /// Linux. Elsewhere [`Error::Unsupported`](crate::Error::Unsupported).
    pub fn cgroup(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.settings.cgroup = Some(directory.as_ref().to_owned());
        self
    }

    /// Sends the child this signal when the parent dies (`PR_SET_PDEATHSIG` of prctl(2), `PROC_PDEATHSIG_CTL` of procctl(2)).
    ///
    /// Linux sends it when the *thread* that started the child ends, even if the process lives on. So unless the first thread
    /// of the process starts it, a thread of this library's does, which lives as long as the process: see
    /// [`pdeathsig_thread`](Self::pdeathsig_thread). A child that finds its parent dead already is not started.
    ///
    /// # Platforms
    ///
    /// Linux, FreeBSD and DragonFly. Elsewhere [`Error::Unsupported`](crate::Error::Unsupported).
    pub fn die_with_parent(&mut self, signal: i32) -> &mut Self {
        self.settings.die_with_parent = Some(signal);
        self
    }

    /// Whether a child that is to [die with its parent](Self::die_with_parent) is started by a thread of this library's where
    /// the calling one may end before the process: it is, by default.
    ///
    /// The child has of that thread what belongs to a thread, and not of the calling one: processor affinity, scheduling and
    /// nice value, capabilities, seccomp filters, namespaces, and a working directory that was made the thread's own
    /// (`CLONE_FS` of unshare(2)). That thread was started by the first that needed it, and has what that one had then; it
    /// starts one child at a time. The signal mask is the calling thread's where it is to be
    /// [inherited](Self::inherit_signal_mask). A [`pre_exec`](Self::pre_exec) closure is run by that thread.
    ///
    /// Without it such a child gets its signal when the calling thread ends.
    pub fn pdeathsig_thread(&mut self, enabled: bool) -> &mut Self {
        self.settings.pdeathsig_thread = enabled;
        self
    }
}
