//! What a command was told, as it was told: data without checks. `prepare` makes a plan of it.

mod debug;

use crate::config::containment::Containment;
use crate::config::environment::Environment;
use crate::config::search_path::SearchPath;
use crate::config::source::FdSource;
use crate::config::stdio::Stdio;
use forkexec_core::CloseStrategy;
use forkexec_core::{Fd, HookError, Limit};
use std::ffi::OsString;
use std::path::PathBuf;

/// A closure of the user's.
pub(crate) type PreExec<'fd> = Box<dyn Fn() -> Result<(), HookError> + Send + Sync + 'fd>;

#[expect(clippy::struct_excessive_bools, reason = "each is one option that was given or not")]
pub(crate) struct Settings<'fd> {
    pub(crate) program: OsString,
    /// The arguments, the zeroth among them.
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Environment,
    pub(crate) search: SearchPath,
    pub(crate) enoexec_fallback: EnoexecFallback,
    pub(crate) streams: [Option<Stdio>; 3],
    pub(crate) keep: Vec<FdSource<'fd>>,
    pub(crate) mappings: Vec<(FdSource<'fd>, Fd)>,
    /// The names of the sockets that are announced, in the order of their numbers. Each is a mapping, too.
    pub(crate) sockets: Vec<String>,
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
    pub(crate) limits: Vec<Limit>,
    pub(crate) nice: Option<i32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) keep_groups: bool,
    pub(crate) no_new_privs: bool,
    pub(crate) die_with_parent: Option<i32>,
    pub(crate) pdeathsig_thread: bool,
    pub(crate) hooks: Vec<PreExec<'fd>>,
    pub(crate) pidfd: bool,
    pub(crate) on_drop: OnDrop,
    pub(crate) containment: Option<Containment>,
    pub(crate) timed: bool,
    pub(crate) spawn_policy: SpawnPolicy,
}

impl<'fd> Settings<'fd> {
    /// Whether the child will need nothing of the parent's table but what the command names, and may get it by the call
    /// that leaves out the rest.
    pub(crate) fn needs_only_what_it_names(&self) -> bool {
        self.close == Some(CloseStrategy::Bulk)
            && self.hooks.is_empty()
            && self.spawn_policy != SpawnPolicy::Fork
    }

    /// The working directory, if it was given by descriptor.
    pub(crate) fn directory_fd(&self) -> Option<&FdSource<'fd>> {
        match &self.directory {
            Some(Directory::Fd(fd)) => Some(fd),
            _ => None,
        }
    }

    /// Whether the child leads a session, for its own sake or its tree's.
    pub(crate) fn starts_session(&self) -> bool {
        self.session || self.containment == Some(Containment::Session)
    }

    /// The process group that the child joins; 0 is a new one. The leader of a session leads a group already, and may not
    /// ask for one.
    pub(crate) fn joins_group(&self) -> Option<i32> {
        let of_tree = matches!(self.containment, Some(Containment::Auto | Containment::Group)).then_some(0);
        self.process_group.or(of_tree).filter(|_| !self.starts_session())
    }

    pub(crate) fn new(program: OsString) -> Self {
        Self {
            args: vec![program.clone()],
            program,
            env: Environment::default(),
            search: SearchPath::default(),
            enoexec_fallback: EnoexecFallback::default(),
            streams: [None, None, None],
            keep: Vec::new(),
            mappings: Vec::new(),
            sockets: Vec::new(),
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
            limits: Vec::new(),
            nice: None,
            uid: None,
            gid: None,
            groups: None,
            keep_groups: false,
            no_new_privs: false,
            die_with_parent: None,
            pdeathsig_thread: true,
            hooks: Vec::new(),
            pidfd: true,
            on_drop: OnDrop::default(),
            containment: None,
            timed: false,
            spawn_policy: SpawnPolicy::default(),
        }
    }
}

/// A working directory as it was given.
#[derive(Debug)]
pub(crate) enum Directory<'fd> {
    Path(PathBuf),
    Fd(FdSource<'fd>),
}

/// What becomes of signals that the parent ignores. A child inherits that: it is how `nohup` works, and how a child of a
/// Rust or Python program would never get `SIGPIPE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoredSignals {
    /// `SIGPIPE` and `SIGXFSZ`, which language runtimes ignore for their own sake, and `SIGCHLD`, without which a
    /// child cannot wait for its own children, get their default action. Others stay ignored.
    #[default]
    Restore,
    /// All get their default action.
    RestoreAll,
    /// All stay ignored.
    Keep,
}

/// What becomes of an executable file that the kernel does not recognise, such as a script without a `#!` line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnoexecFallback {
    /// An error with `ENOEXEC`.
    #[default]
    Refuse,
    /// `/bin/sh` runs it, as it would from execvp(3).
    Shell,
}

/// What becomes of a child whose handle is dropped before it was waited for
/// ([`Command::on_drop`](crate::Command::on_drop)).
///
/// Where [`Command::containment`](crate::Command::containment) said what holds together all that descends from the child, it is about all
/// of them, also if the child itself was waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnDrop {
    /// It runs on. When it ends no zombie stays: a thread of this library takes its status.
    ///
    /// The thread lives only as long as there are such children, holds the [handle](crate::Child::exit_fd) of each and a pipe,
    /// and blocks all signals. A child that has ended already when it is dropped needs no thread.
    #[default]
    Leave,
    /// It is killed, and not waited for: as with [`Leave`](Self::Leave), a thread takes its status.
    Kill,
    /// It is killed and waited for, which takes as long as its death does: nothing is left of it.
    KillAndWait,
    /// It runs on, and nobody takes its status, as with std: it stays a zombie until its parent ends or other code waits for it,
    /// and keeps its number so long.
    Abandon,
}

/// By which means a child may be started ([`Command::spawn_policy`](crate::Command::spawn_policy)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpawnPolicy {
    /// The fastest one that can be had: fork(2) where nothing else is there, a pre-exec closure needs it, or the kernel
    /// refuses the others. [`Child::method`](crate::Child::method) tells which it was.
    #[default]
    Auto,
    /// One that does not copy the parent's memory map, or an error: never fork(2), which takes the longer the more memory
    /// the parent has. An emulator may copy the memory of the first child without saying so; its
    /// [`method`](crate::Child::method) is then [`SpawnMethod::Fork`](crate::SpawnMethod::Fork), and later starts fail.
    NoFork,
    /// fork(2).
    Fork,
}
