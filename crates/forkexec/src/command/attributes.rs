//! Attributes of the child: directory, session, signals, limits and identity.

use super::CommandBuilder;
use crate::config::limit::LimitChange;
use crate::config::settings::{Directory, IgnoredSignals};
use crate::config::source::FdSource;
use forkexec_core::Resource;
use std::path::Path;

impl<'fd, M> CommandBuilder<'fd, M> {
    /// Sets the working directory to an open directory (fchdir(2)). The child does not inherit the descriptor
    /// itself.
    ///
    /// The child enters the directory with the permissions of the parent, before its user and groups are
    /// changed. With [`chroot`](Self::chroot), the directory may lie outside the new root.
    ///
    /// # Errors
    ///
    /// The start returns [`Error::Spawn`](crate::Error::Spawn) at
    /// [`Stage::EarlyChdir`](crate::Stage::EarlyChdir) if the directory cannot be entered.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::BorrowingCommand;
    /// use std::fs::File;
    ///
    /// let root = File::open("/")?;
    /// let output = BorrowingCommand::new("pwd").current_dir_fd(&root).output()?;
    /// assert_eq!(output.stdout, b"/\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn current_dir_fd(&mut self, directory: impl Into<FdSource<'fd>>) -> &mut Self {
        self.settings.directory = Some(Directory::Fd(directory.into()));
        self
    }

    /// Sets the root directory of the child (chroot(2)), which needs privilege.
    ///
    /// The working directory becomes the new root, so that it does not lie outside it. The child resolves the
    /// path of [`current_dir`](Self::current_dir) in the new root, even if the path is relative. The path of
    /// the program is also resolved there.
    ///
    /// # Errors
    ///
    /// The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Chroot`](crate::Stage::Chroot) if
    /// chroot(2) fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stage};
    ///
    /// match Command::new("true").chroot("/").status() {
    ///     Ok(status) => assert!(status.success()),
    ///     // The process is not privileged.
    ///     Err(error) => assert_eq!(error.as_spawn().map(|failed| failed.stage()), Some(Stage::Chroot)),
    /// }
    /// ```
    ///
    /// The example program `sandbox` of this crate fills such a directory and starts a program in it.
    pub fn chroot(&mut self, root: impl AsRef<Path>) -> &mut Self {
        self.settings.root = Some(root.as_ref().to_owned());
        self
    }

    /// Sets the file mode creation mask of the child (umask(2)), from 0 to 0o777.
    ///
    /// # Errors
    ///
    /// The start returns [`InputError::UmaskOutOfRange`](crate::InputError::UmaskOutOfRange) for any other
    /// value.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let output = Command::new("sh").args(["-c", "umask"]).umask(0o077).output()?;
    /// assert_eq!(output.stdout, b"0077\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn umask(&mut self, mask: u32) -> &mut Self {
        self.settings.umask = Some(mask);
        self
    }

    /// Makes the child the leader of a new session (setsid(2)), without a controlling terminal.
    ///
    /// # Errors
    ///
    /// The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Session`](crate::Stage::Session)
    /// if setsid(2) fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// let mut daemon = Command::new("sleep").arg("60").setsid().stdin(Stdio::null()).spawn()?;
    /// daemon.kill()?;
    /// daemon.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn setsid(&mut self) -> &mut Self {
        self.settings.session = true;
        self
    }

    /// Puts the child into a process group of the same session (setpgid(2)), as
    /// [`std::os::unix::process::CommandExt::process_group`]. 0 makes the child the leader of a new group.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::NegativeProcessGroup`](crate::InputError::NegativeProcessGroup) if
    ///   the number is negative.
    /// - The start returns [`InputError::SessionInOtherGroup`](crate::InputError::SessionInOtherGroup) if the
    ///   child also starts a session and the number is not 0.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at
    ///   [`Stage::ProcessGroup`](crate::Stage::ProcessGroup) if setpgid(2) fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut job = Command::new("sh").args(["-c", "sleep 60 & wait"]).process_group(0).spawn()?;
    /// let report = job.kill_tree()?; // the shell and its `sleep`
    /// assert!(!job.wait()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn process_group(&mut self, group: i32) -> &mut Self {
        self.settings.process_group = Some(group);
        self
    }

    /// Makes this terminal the controlling terminal of the child's new session (`TIOCSCTTY`).
    ///
    /// The child must start a session: with [`setsid`](Self::setsid), or with
    /// [`Containment::Session`](crate::Containment::Session). The child does not inherit the descriptor
    /// itself.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::TerminalWithoutSession`](crate::InputError::TerminalWithoutSession)
    ///   if the child does not start a session.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at
    ///   [`Stage::Terminal`](crate::Stage::Terminal) if the descriptor is not a terminal, or the terminal
    ///   belongs to another session.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{BorrowingCommand, Stage};
    /// use std::fs::File;
    ///
    /// let not_a_terminal = File::open("/dev/null")?;
    /// let error = BorrowingCommand::new("true").setsid().controlling_terminal(&not_a_terminal).spawn().unwrap_err();
    /// assert_eq!(error.as_spawn().map(|error| error.stage()), Some(Stage::Terminal));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn controlling_terminal(&mut self, terminal: impl Into<FdSource<'fd>>) -> &mut Self {
        self.settings.terminal = Some(terminal.into());
        self
    }

    /// Makes the child's process group the foreground group of this terminal (tcsetpgrp(3)).
    ///
    /// The terminal must be the controlling terminal of the child's session. The child does not inherit the
    /// descriptor itself.
    ///
    /// # Errors
    ///
    /// The start returns [`Error::Spawn`](crate::Error::Spawn) at
    /// [`Stage::Foreground`](crate::Stage::Foreground) if tcsetpgrp(3) fails.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use forkexec::Command;
    /// use std::fs::File;
    ///
    /// let terminal = File::open("/dev/tty")?;
    /// let status = Command::new("vi").process_group(0).foreground(&terminal).status()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn foreground(&mut self, terminal: impl Into<FdSource<'fd>>) -> &mut Self {
        self.settings.foreground = Some(terminal.into());
        self
    }

    /// Sets the soft and the hard limit of a resource in the child (setrlimit(2)). `None` is no limit. The
    /// unit is that of the resource: bytes, seconds or a count.
    ///
    /// The child sets its limits after it puts descriptors in place and before it changes its ids. A limit
    /// can be too small for the program: a `stack` of a few KiB, or an `as` below its size. Then exec
    /// succeeds, and the program dies of `SIGSEGV` or `SIGKILL` before its first instruction.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::SoftAboveHard`](crate::InputError::SoftAboveHard) if the soft limit
    ///   is above the hard one.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Limits`](crate::Stage::Limits)
    ///   if setrlimit(2) fails.
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
        self.limit(resource, Some(or_unlimited(soft)), Some(or_unlimited(hard)))
    }

    /// Sets the soft limit of a resource in the child, and keeps the hard limit. `None` is no limit.
    ///
    /// The hard limit is that of an earlier setting, or of this process when the command is prepared.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::SoftAboveHard`](crate::InputError::SoftAboveHard) if the soft limit
    ///   is above the hard one.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Setup`](crate::Stage::Setup) if
    ///   getrlimit(2) fails, and at [`Stage::Limits`](crate::Stage::Limits) if setrlimit(2) fails.
    ///
    /// # Examples
    ///
    /// A core file, up to the hard limit, whatever the soft limit is here:
    ///
    /// ```
    /// use forkexec::{Command, Resource};
    ///
    /// let output = Command::new("sh").args(["-c", "ulimit -Sn"]).rlimit_soft(Resource::NOFILE, Some(64)).output()?;
    /// assert_eq!(output.stdout, b"64\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn rlimit_soft(&mut self, resource: Resource, soft: Option<u64>) -> &mut Self {
        self.limit(resource, Some(or_unlimited(soft)), None)
    }

    /// Sets the hard limit of a resource in the child, and keeps the soft limit. `None` is no limit.
    ///
    /// The soft limit is that of an earlier setting, or of this process when the command is prepared. It must
    /// not be above the new hard limit.
    ///
    /// # Errors
    ///
    /// As for [`rlimit_soft`](Self::rlimit_soft). Raising a hard limit needs privilege.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Resource};
    ///
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "ulimit -Hn"]).rlimit_soft(Resource::NOFILE, Some(64)).rlimit_hard(Resource::NOFILE, Some(65));
    /// assert_eq!(command.output()?.stdout, b"65\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn rlimit_hard(&mut self, resource: Resource, hard: Option<u64>) -> &mut Self {
        self.limit(resource, None, Some(or_unlimited(hard)))
    }

    fn limit(&mut self, resource: Resource, soft: Option<u64>, hard: Option<u64>) -> &mut Self {
        self.settings.limits.push(LimitChange { resource, soft, hard });
        self
    }

    /// Sets the nice value of the child, from -20 to 19 (setpriority(2)). A value below the parent's needs
    /// privilege.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::NiceOutOfRange`](crate::InputError::NiceOutOfRange) for any other
    ///   value.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Nice`](crate::Stage::Nice) if
    ///   setpriority(2) fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let output = Command::new("nice").nice(19).output()?; // without arguments `nice` prints its value
    /// assert_eq!(output.stdout, b"19\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn nice(&mut self, nice: i32) -> &mut Self {
        self.settings.nice = Some(nice);
        self
    }

    /// Sets which of the signals that the parent ignores are reset to their default action in the child.
    ///
    /// # Examples
    ///
    /// See [`IgnoredSignals`].
    pub fn ignored_signals(&mut self, policy: IgnoredSignals) -> &mut Self {
        self.settings.ignored = policy;
        self
    }

    /// Makes the child ignore this signal (sigaction(2)).
    ///
    /// # Errors
    ///
    /// The start returns [`InputError::BadSignal`](crate::InputError::BadSignal) if there is no signal with
    /// this number, or if it is `SIGKILL`, `SIGSTOP` or reserved by the C library.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let status = Command::new("sh").args(["-c", "kill -HUP $$; exit 7"]).ignore_signal(libc::SIGHUP).status()?;
    /// assert_eq!(status.code(), Some(7));
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn ignore_signal(&mut self, signal: i32) -> &mut Self {
        self.settings.ignore.push(signal);
        self
    }

    /// Sets the signals that are blocked in the child (sigprocmask(2)). By default none is blocked.
    ///
    /// std lets the child inherit the mask of the calling thread. If that thread blocks `SIGTERM`, `SIGTERM`
    /// cannot stop the child.
    ///
    /// # Errors
    ///
    /// The start returns [`InputError::BadSignal`](crate::InputError::BadSignal) if there is no signal with
    /// this number, or if it is `SIGKILL`, `SIGSTOP` or reserved by the C library.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let script = "kill -TERM $$; exit 7"; // the signal stays pending
    /// let status = Command::new("sh").args(["-c", script]).signal_mask([libc::SIGTERM]).status()?;
    /// assert_eq!(status.code(), Some(7));
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn signal_mask(&mut self, blocked: impl IntoIterator<Item = i32>) -> &mut Self {
        self.settings.mask = Some(blocked.into_iter().collect());
        self
    }

    /// Blocks in the child the signals that the calling thread blocks, as std does.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// assert!(Command::new("true").inherit_signal_mask().status()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn inherit_signal_mask(&mut self) -> &mut Self {
        self.settings.mask = None;
        self
    }

    /// Runs the child as this user: its user id, its group id and its supplementary groups (getpwnam(3), getgrouplist(3)), as
    /// login(1) does. This needs privilege.
    ///
    /// The parent looks the name up, at each start or once by [`prepare`](Self::prepare), in the files and services of its own root.
    /// [`uid`](Self::uid), [`gid`](Self::gid) and [`groups`](Self::groups) take precedence, in whatever order the methods are called.
    /// With [`keep_groups`](Self::keep_groups), only the user id is looked up. The environment stays as it is.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::NoSuchUser`](crate::InputError::NoSuchUser) if there is no such user.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Setup`](crate::Stage::Setup) if the lookup fails, and at
    ///   the stages of [`uid`](Self::uid), [`gid`](Self::gid) and [`groups`](Self::groups).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stage};
    ///
    /// match Command::new("id").arg("-un").user("nobody").output() {
    ///     Ok(output) => assert_eq!(output.stdout, b"nobody\n"),
    ///     // The process is not privileged. The groups are set first.
    ///     Err(error) => assert_eq!(error.as_spawn().map(|failed| failed.stage()), Some(Stage::Groups)),
    /// }
    /// ```
    pub fn user(&mut self, name: impl Into<String>) -> &mut Self {
        self.settings.user = Some(name.into());
        self
    }

    /// Sets the real, effective and saved user id of the child.
    ///
    /// The child changes its user id after its groups and its group id, in whatever order the methods are
    /// called. If the parent is privileged, [`gid`](Self::gid) is set and [`groups`](Self::groups) is not,
    /// the child drops the parent's supplementary groups, as in std. On Linux the child also drops its
    /// ambient capabilities (capabilities(7)), which would survive exec.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::UserWithoutGroup`](crate::InputError::UserWithoutGroup) if the
    ///   parent is privileged, the id is not 0 and [`gid`](Self::gid) is not set.
    ///   [`keep_groups`](Self::keep_groups) permits it.
    /// - The start returns [`InputError::IdOutOfRange`](crate::InputError::IdOutOfRange) for the value
    ///   `u32::MAX`, which the system calls read as "no change".
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Uid`](crate::Stage::Uid) if the
    ///   change fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stage};
    ///
    /// match Command::new("true").uid(1000).gid(1000).groups([]).status() {
    ///     Ok(status) => assert!(status.success()),
    ///     // The process is not privileged. The groups are set first.
    ///     Err(error) => assert_eq!(error.as_spawn().map(|failed| failed.stage()), Some(Stage::Groups)),
    /// }
    /// ```
    pub fn uid(&mut self, uid: u32) -> &mut Self {
        self.settings.uid = Some(uid);
        self
    }

    /// Sets the real, effective and saved group id of the child.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::IdOutOfRange`](crate::InputError::IdOutOfRange) for the value
    ///   `u32::MAX`.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Gid`](crate::Stage::Gid) if the
    ///   change fails.
    ///
    /// # Examples
    ///
    /// See [`uid`](Self::uid).
    pub fn gid(&mut self, gid: u32) -> &mut Self {
        self.settings.gid = Some(gid);
        self
    }

    /// Sets the supplementary groups of the child (setgroups(2)), which needs privilege. An empty list drops
    /// all of them.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::TooManyGroups`](crate::InputError::TooManyGroups) if the system does
    ///   not take so many.
    /// - The start returns [`InputError::IdOutOfRange`](crate::InputError::IdOutOfRange) for the value
    ///   `u32::MAX`.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Groups`](crate::Stage::Groups)
    ///   if setgroups(2) fails.
    ///
    /// # Examples
    ///
    /// See [`uid`](Self::uid).
    pub fn groups(&mut self, groups: impl IntoIterator<Item = u32>) -> &mut Self {
        self.settings.groups = Some(groups.into_iter().collect());
        self
    }

    /// Lets a child with another [`uid`](Self::uid) keep the parent's group, if [`gid`](Self::gid) is not
    /// set, and the parent's supplementary groups, if [`groups`](Self::groups) is not set.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stage};
    ///
    /// match Command::new("true").uid(1000).keep_groups().status() {
    ///     Ok(status) => assert!(status.success()),
    ///     // The process is not privileged.
    ///     Err(error) => assert_eq!(error.as_spawn().map(|failed| failed.stage()), Some(Stage::Uid)),
    /// }
    /// ```
    pub fn keep_groups(&mut self) -> &mut Self {
        self.settings.keep_groups = true;
        self
    }

    /// Sets `no_new_privs`: exec can no longer grant privileges to the child or its descendants
    /// (`PR_SET_NO_NEW_PRIVS` of prctl(2), `PROC_NO_NEW_PRIVS_CTL` of procctl(2)).
    ///
    /// # Platform-specific behavior
    ///
    /// Linux, and FreeBSD from 14. On other systems the start returns
    /// [`Error::Unsupported`](crate::Error::Unsupported).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Operation};
    ///
    /// if forkexec::supports(Operation::NoNewPrivs) {
    ///     assert!(Command::new("true").no_new_privs().status()?.success());
    /// }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn no_new_privs(&mut self) -> &mut Self {
        self.settings.no_new_privs = true;
        self
    }

    /// Starts the child in a control group of version 2 (cgroups(7)). `directory` is a directory of a mounted
    /// hierarchy.
    ///
    /// On Linux 5.7 and later the kernel creates the child in the group (`CLONE_INTO_CGROUP` of clone(2)), so
    /// that nothing of its life is charged to another group. Elsewhere the child enters the group before any
    /// other setting takes effect.
    ///
    /// With [`containment`](Self::containment), the directory may be the group below which a group is created
    /// for each child. The directory is opened when the command is prepared.
    ///
    /// # Errors
    ///
    /// The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Cgroup`](crate::Stage::Cgroup) if
    /// the group cannot be opened or entered.
    ///
    /// # Platform-specific behavior
    ///
    /// Linux. On other systems the start returns [`Error::Unsupported`](crate::Error::Unsupported).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// match Command::new("true").cgroup("/sys/fs/cgroup/jobs").status() {
    ///     Ok(status) => assert!(status.success()),
    ///     // The control group does not exist, or the system has none.
    ///     Err(error) => println!("{error}"),
    /// }
    /// ```
    pub fn cgroup(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.settings.cgroup = Some(directory.as_ref().to_owned());
        self
    }

    /// Sets the signal that the kernel sends to the child when the parent dies (`PR_SET_PDEATHSIG` of
    /// prctl(2), `PROC_PDEATHSIG_CTL` of procctl(2)).
    ///
    /// Linux sends the signal when the *thread* that started the child ends, even if the process lives on. So
    /// unless the first thread of the process starts the child, a thread of this library starts it, which
    /// lives as long as the process: see [`pdeathsig_thread`](Self::pdeathsig_thread). If the parent is
    /// already dead, the child does not execute the program. With [`autoreap`](Self::autoreap) the kernel may kill the child without
    /// a signal that is tied to a thread.
    ///
    /// # Errors
    ///
    /// The start returns [`InputError::BadSignal`](crate::InputError::BadSignal) if there is no signal with
    /// this number.
    ///
    /// # Platform-specific behavior
    ///
    /// Linux, FreeBSD and DragonFly. On other systems the start returns
    /// [`Error::Unsupported`](crate::Error::Unsupported).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Operation};
    ///
    /// let mut command = Command::new("true");
    /// if forkexec::supports(Operation::DieWithParent) {
    ///     command.die_with_parent(libc::SIGKILL);
    /// }
    /// assert!(command.status()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn die_with_parent(&mut self, signal: i32) -> &mut Self {
        self.settings.die_with_parent = Some(signal);
        self
    }

    /// Chooses whether a thread of this library starts children that [die with their
    /// parent](Self::die_with_parent), if the calling thread may end before the process. The default is
    /// `true`.
    ///
    /// Such a child inherits the per-thread state of that thread, not of the calling thread:
    ///
    /// - processor affinity, scheduling and nice value
    /// - capabilities, seccomp filters and namespaces
    /// - a working directory that is private to the thread (`CLONE_FS` of unshare(2))
    ///
    /// The first thread that needs the library's thread starts it, and passes on its own state of that
    /// moment. The thread starts one child at a time. With [`inherit_signal_mask`](Self::inherit_signal_mask)
    /// the child still gets the mask of the calling thread. A [`pre_exec`](Self::pre_exec) closure runs in a
    /// child of the library's thread.
    ///
    /// With `false`, the calling thread starts the child, and the kernel sends the signal when that thread
    /// ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Operation};
    ///
    /// let mut command = Command::new("true");
    /// if forkexec::supports(Operation::DieWithParent) {
    ///     // The calling thread lives as long as the process, so that it can start the child itself.
    ///     command.die_with_parent(libc::SIGKILL).pdeathsig_thread(false);
    /// }
    /// assert!(command.status()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn pdeathsig_thread(&mut self, enabled: bool) -> &mut Self {
        self.settings.pdeathsig_thread = enabled;
        self
    }
}

/// For the kernel, the highest number means no limit.
fn or_unlimited(limit: Option<u64>) -> u64 {
    limit.unwrap_or(u64::MAX)
}
