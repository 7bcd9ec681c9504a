//! The settings of a command, as the caller made them, without checks. `prepare` checks them and makes a
//! plan.

mod debug;

use crate::config::attributes::Attributes;
use crate::config::containment::Containment;
use crate::config::environment::Environment;
use crate::config::limit::LimitChange;
use crate::config::namespaces::Namespaces;
use crate::config::pty::PtyEnds;
use crate::config::search_path::SearchPath;
use crate::config::source::FdSource;
use crate::config::stdio::Stdio;
use crate::config::supervision::Supervision;
use forkexec_core::CloseStrategy;
use forkexec_core::{Fd, HookError};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

/// A closure of the user.
pub(crate) type PreExec<'fd> = Arc<dyn Fn() -> Result<(), HookError> + Send + Sync + 'fd>;

#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one option that was given or not")]
pub(crate) struct Settings<'fd> {
    pub(crate) program: OsString,
    /// The open file of the program, which takes the place of a search.
    pub(crate) executable: Option<FdSource<'fd>>,
    /// The arguments, including the zeroth.
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Environment,
    pub(crate) search: SearchPath,
    pub(crate) enoexec_fallback: EnoexecFallback,
    pub(crate) streams: [Option<Stdio>; 3],
    pub(crate) keep: Vec<FdSource<'fd>>,
    pub(crate) mappings: Vec<(FdSource<'fd>, Fd)>,
    /// The names of the sockets of `listen_fd`, in the order of their numbers. Each socket is also in
    /// `mappings`.
    pub(crate) sockets: Vec<String>,
    pub(crate) supervision: Supervision,
    pub(crate) clear_nonblocking: bool,
    pub(crate) close: Option<CloseStrategy>,
    pub(crate) directory: Option<Directory<'fd>>,
    pub(crate) root: Option<PathBuf>,
    pub(crate) cgroup: Option<PathBuf>,
    pub(crate) umask: Option<u32>,
    pub(crate) ignored: IgnoredSignals,
    pub(crate) ignore: Vec<i32>,
    pub(crate) mask: Option<Vec<i32>>,
    pub(crate) session: bool,
    pub(crate) process_group: Option<i32>,
    pub(crate) terminal: Option<FdSource<'fd>>,
    pub(crate) foreground: Option<FdSource<'fd>>,
    /// The pseudo-terminal of the child. It belongs to its handle alone: the terminal hangs up if that is
    /// dropped.
    pub(crate) pty: Option<Weak<PtyEnds>>,
    pub(crate) limits: Vec<LimitChange>,
    pub(crate) nice: Option<i32>,
    /// The name of a user, whose ids are looked up.
    pub(crate) user: Option<String>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) keep_groups: bool,
    pub(crate) attributes: Attributes<'fd>,
    pub(crate) namespaces: Namespaces<'fd>,
    pub(crate) no_new_privs: bool,
    pub(crate) die_with_parent: Option<i32>,
    pub(crate) pdeathsig_thread: bool,
    pub(crate) autoreap: bool,
    pub(crate) hooks: Vec<PreExec<'fd>>,
    /// `None`: unless descriptors are scarce.
    pub(crate) pidfd: Option<bool>,
    pub(crate) on_drop: OnDrop,
    pub(crate) reaper_thread: bool,
    pub(crate) containment: Option<Containment>,
    pub(crate) timed: bool,
    pub(crate) spawn_policy: SpawnPolicy,
}

impl<'fd> Settings<'fd> {
    /// Returns true if the child needs only the descriptors that the command names, so that the call which
    /// unshares the table may leave out the rest.
    pub(crate) fn needs_only_named_fds(&self) -> bool {
        self.close == Some(CloseStrategy::Bulk)
            && self.hooks.is_empty()
            && self.spawn_policy != SpawnPolicy::Fork
    }

    /// The working directory, if it was set by descriptor.
    pub(crate) fn directory_fd(&self) -> Option<&FdSource<'fd>> {
        match &self.directory {
            Some(Directory::Fd(fd)) => Some(fd),
            _ => None,
        }
    }

    /// Returns true if a path leads the child to the same file as the parent, unless it changes its root by chroot(2).
    pub(crate) fn child_has_the_same_files(&self) -> bool {
        self.attributes.jail.is_none() && self.namespaces.has_the_same_files()
    }

    /// Returns true if the child leads a session, whether `setsid`, its pseudo-terminal or its containment
    /// asks for it.
    pub(crate) fn starts_session(&self) -> bool {
        self.session || self.pty.is_some() || self.containment == Some(Containment::Session)
    }

    /// The process group that the child joins; 0 is a new one. The leader of a session already leads a group,
    /// and setpgid(2) fails for it, so it joins none.
    pub(crate) fn joins_group(&self) -> Option<i32> {
        let of_tree = matches!(self.containment, Some(Containment::Auto | Containment::Group)).then_some(0);
        self.process_group.or(of_tree).filter(|_| !self.starts_session())
    }

    pub(crate) fn new(program: OsString) -> Self {
        Self {
            executable: None,
            args: vec![program.clone()],
            program,
            env: Environment::default(),
            search: SearchPath::default(),
            enoexec_fallback: EnoexecFallback::default(),
            streams: [None, None, None],
            keep: Vec::new(),
            mappings: Vec::new(),
            sockets: Vec::new(),
            supervision: Supervision::default(),
            clear_nonblocking: false,
            close: Some(CloseStrategy::Bulk),
            directory: None,
            root: None,
            cgroup: None,
            umask: None,
            ignored: IgnoredSignals::default(),
            ignore: Vec::new(),
            mask: Some(Vec::new()),
            session: false,
            process_group: None,
            terminal: None,
            foreground: None,
            pty: None,
            limits: Vec::new(),
            nice: None,
            user: None,
            uid: None,
            gid: None,
            groups: None,
            keep_groups: false,
            attributes: Attributes::default(),
            namespaces: Namespaces::default(),
            no_new_privs: false,
            die_with_parent: None,
            pdeathsig_thread: true,
            autoreap: false,
            hooks: Vec::new(),
            pidfd: None,
            on_drop: OnDrop::default(),
            reaper_thread: false,
            containment: None,
            timed: false,
            spawn_policy: SpawnPolicy::default(),
        }
    }
}

/// A working directory, as the caller set it.
#[derive(Clone, Debug)]
pub(crate) enum Directory<'fd> {
    Path(PathBuf),
    Fd(FdSource<'fd>),
}

/// The ignored signals that are reset to their default action in the child
/// ([`Command::ignored_signals`](crate::Command::ignored_signals)).
///
/// A child inherits the signals that its parent ignores (signal(7)). `nohup` relies on it. Rust and Python
/// programs ignore `SIGPIPE`, so that without a reset their children would never get it.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, IgnoredSignals};
/// use std::os::unix::process::ExitStatusExt;
///
/// let mut command = Command::new("sh");
/// command.args(["-c", "kill -PIPE $$; exit 7"]);
/// assert_eq!(command.status()?.signal(), Some(libc::SIGPIPE));
/// assert_eq!(command.ignored_signals(IgnoredSignals::Keep).status()?.code(), Some(7));
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoredSignals {
    /// Resets `SIGPIPE` and `SIGXFSZ`, which language runtimes ignore for their own use, and `SIGCHLD`: if it
    /// is ignored, the child cannot wait for its own children. Other signals stay ignored.
    #[default]
    Restore,
    /// Resets all signals.
    RestoreAll,
    /// Resets none.
    Keep,
}

/// The action of exec for an executable file that the kernel does not recognize, such as a script without a
/// `#!` line ([`Command::enoexec_fallback`](crate::Command::enoexec_fallback)).
///
/// # Examples
///
/// ```
/// use forkexec::{Command, EnoexecFallback};
/// use std::fs::{self, Permissions};
/// use std::os::unix::fs::PermissionsExt;
///
/// let script = std::env::temp_dir().join(format!("forkexec-doc-{}", std::process::id()));
/// fs::write(&script, "exit 3\n")?;
/// fs::set_permissions(&script, Permissions::from_mode(0o755))?;
///
/// let refused = Command::new(&script).status();
/// let status = Command::new(&script).enoexec_fallback(EnoexecFallback::Shell).status();
/// fs::remove_file(&script)?;
/// assert!(refused.is_err());
/// assert_eq!(status?.code(), Some(3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnoexecFallback {
    /// The start fails with `ENOEXEC`.
    #[default]
    Refuse,
    /// `/bin/sh` runs the file, as with execvp(3).
    Shell,
}

/// The policy for a child whose handle is dropped before it was waited for
/// ([`Command::on_drop`](crate::Command::on_drop)).
///
/// If the command sets a [`containment`](crate::Command::containment), the policy applies to the child and
/// all its descendants, even if the child itself was waited for.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, OnDrop};
///
/// let child = Command::new("sleep").arg("600").on_drop(OnDrop::KillAndWait).spawn()?;
/// drop(child); // the child is dead and reaped
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnDrop {
    /// The child continues to run. After it has ended, the library reaps it when this process starts, waits
    /// for or drops another child, or calls [`reap_dropped`](crate::reap_dropped).
    ///
    /// No thread is started for that, and no handler is installed. Until the next of these calls, a child
    /// that has ended stays a zombie, and its control group stays in place. Each call looks at a few of the
    /// dropped children, so that it takes no longer if there are many. The library keeps the
    /// [`exit_fd`](crate::Child::exit_fd) of each. With
    /// [`reaper_thread(true)`](crate::Command::reaper_thread), a thread reaps the child as soon as it ends.
    #[default]
    Leave,
    /// The child is killed with `SIGKILL`. The drop does not wait: the child is reaped as with
    /// [`Leave`](Self::Leave).
    Kill,
    /// The child is killed with `SIGKILL` and waited for. The drop blocks until the child is dead, and
    /// nothing is left of it.
    KillAndWait,
    /// The child continues to run and is never reaped by this library, as with std. When it ends it stays a
    /// zombie, and keeps its pid, until the parent exits or other code waits for it.
    Abandon,
}

/// The policy for the system call that starts a child
/// ([`Command::spawn_policy`](crate::Command::spawn_policy)).
///
/// # Examples
///
/// See [`Command::spawn_policy`](crate::Command::spawn_policy).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpawnPolicy {
    /// The fastest method that works. It is fork(2) if the system has nothing else, if the command has a
    /// pre-exec closure or a setting that the other methods lack, or if the kernel refuses them.
    /// [`Child::method`](crate::Child::method) returns the method that was used.
    #[default]
    Auto,
    /// A method that does not copy the parent's memory map, or an error. It is never fork(2), whose cost
    /// grows with the memory of the parent.
    ///
    /// An emulator may silently copy the memory for the first child. The [`method`](crate::Child::method) of
    /// that child is [`SpawnMethod::Fork`](crate::SpawnMethod::Fork), and later starts return an error.
    NoFork,
    /// Always fork(2).
    Fork,
}

#[cfg(test)]
mod tests {
    use crate::command::Command;

    /// So the parent neither checks paths nor explains failures by them.
    #[test]
    fn path_of_a_jailed_child_may_be_another_file() {
        let mut command = Command::new("true");
        assert!(command.settings().child_has_the_same_files());
        command.jail(1);
        assert!(!command.settings().child_has_the_same_files());
    }
}
