//! Input that is refused before anything starts.

use std::ffi::OsString;
use std::fmt;
use std::os::fd::RawFd;
use std::path::PathBuf;
use thiserror::Error;

/// A command that cannot mean anything. It is refused before anything starts.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputError {
    /// The program has no name.
    #[error("the program's name is empty")]
    EmptyProgram,
    /// The program's name holds a NUL byte.
    #[error("the program {program:?} holds a NUL byte at position {position}")]
    NulInProgram {
        /// The name.
        program: OsString,
        /// Where.
        position: usize,
    },
    /// An argument holds a NUL byte.
    #[error("argument {index} ({argument:?}) holds a NUL byte at position {position}")]
    NulInArgument {
        /// Which: 0 is the program's name as the program sees it.
        index: usize,
        /// The argument.
        argument: OsString,
        /// Where.
        position: usize,
    },
    /// A variable has no name.
    #[error("an environment variable has an empty name")]
    EmptyEnvName,
    /// The name of a variable holds `=` after its first byte.
    #[error("the environment variable name {name:?} holds an equals sign")]
    EqualsInEnvName {
        /// The name.
        name: OsString,
    },
    /// A variable's name or value holds a NUL byte.
    #[error("the environment variable {name:?} holds a NUL byte")]
    NulInEnv {
        /// The name.
        name: OsString,
    },
    /// The search path holds a NUL byte.
    #[error("the search path {list:?} holds a NUL byte")]
    NulInSearchPath {
        /// The list.
        list: OsString,
    },
    /// A directory has no name.
    #[error("the {what} has an empty name")]
    EmptyPath {
        /// Which directory.
        what: PathRole,
    },
    /// A directory's name holds a NUL byte.
    #[error("the {what} {path:?} holds a NUL byte")]
    NulInPath {
        /// Which directory.
        what: PathRole,
        /// Its path.
        path: PathBuf,
    },
    /// A target is no number that a descriptor can have.
    #[error("descriptor {target} cannot be a target: the descriptor limit allows 0 to {highest}")]
    TargetOutOfRange {
        /// The target.
        target: RawFd,
        /// The highest number that is allowed.
        highest: RawFd,
    },
    /// Two sources are to have the same number.
    #[error("descriptor {target} is claimed twice")]
    ClaimedTwice {
        /// The number.
        target: RawFd,
    },
    /// A descriptor to be handed over is not open.
    #[error("descriptor {fd} is not open")]
    NotOpen {
        /// Its number.
        fd: RawFd,
    },
    /// An id that means «leave unchanged» to the kernel.
    #[error("{what} {id} means \"leave unchanged\" to the kernel and is no id")]
    IdOutOfRange {
        /// `user`, `group` or `supplementary group`.
        what: &'static str,
        /// The number.
        id: u32,
    },
    /// The user is changed and the group is not, so that the child would keep the privileges of the parent's group.
    #[error("user {uid} would keep the group of the parent: set a group with gid, or call keep_groups")]
    UserWithoutGroup {
        /// The user id.
        uid: u32,
    },
    /// More supplementary groups than the system has room for.
    #[error("{count} supplementary groups are more than the {limit} that the system allows")]
    TooManyGroups {
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A process group is not a number of one.
    #[error("process group {group} is negative")]
    NegativeProcessGroup {
        /// The number.
        group: i32,
    },
    /// A session's leader is in its own process group and can join no other.
    #[error("the leader of a new session cannot join process group {group}")]
    SessionInOtherGroup {
        /// The group.
        group: i32,
    },
    /// A tree is to be held together by a process group of its own, and the child is to join another.
    #[error("a child whose tree is a process group of its own cannot join process group {group}")]
    TreeInOtherGroup {
        /// The group.
        group: i32,
    },
    /// Only the leader of a session can take a controlling terminal.
    #[error("a controlling terminal needs a new session")]
    TerminalWithoutSession,
    /// A file mode creation mask has more than nine bits.
    #[error("umask {mask:#o} is above 0o777")]
    UmaskOutOfRange {
        /// The mask.
        mask: u32,
    },
    /// A soft limit is above its hard limit.
    #[error("the limit {name}: soft {soft} is above hard {hard}")]
    SoftAboveHard {
        /// The resource's name.
        name: String,
        /// The soft limit.
        soft: u64,
        /// The hard limit.
        hard: u64,
    },
    /// A nice value is outside -20 to 19.
    #[error("nice value {nice} is outside -20 to 19")]
    NiceOutOfRange {
        /// The value.
        nice: i32,
    },
    /// A pre-exec closure runs in a copy of the process, and only fork(2) makes one.
    #[error("a pre-exec closure needs fork, and a start without fork is required")]
    ClosureNeedsFork,
    /// A socket's name cannot stand in a list of names.
    #[error("the socket name {name:?} is not printable ASCII without a colon, of 255 bytes at most")]
    BadSocketName {
        /// The name.
        name: String,
    },
    /// A command sets a stream that its neighbour in a pipeline reads or writes.
    #[error(
        "standard {stream} is a pipe to its neighbour in the pipeline, and is something else by the command's own word"
    )]
    StreamInPipeline {
        /// `input` or `output`.
        stream: &'static str,
    },
    /// A number is no signal whose mask or disposition can be set.
    #[error("signal {signal} cannot be {verb}")]
    BadSignal {
        /// The number.
        signal: i32,
        /// What it was to be.
        verb: SignalUse,
    },
}

/// What a path of a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathRole {
    /// [`Command::chroot`](crate::Command::chroot).
    RootDirectory,
    /// [`Command::current_dir`](crate::Command::current_dir).
    WorkingDirectory,
}

impl fmt::Display for PathRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RootDirectory => "root directory",
            Self::WorkingDirectory => "working directory",
        })
    }
}

/// What a command wants of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignalUse {
    /// [`Command::signal_mask`](crate::Command::signal_mask).
    Blocked,
    /// [`Command::ignore_signal`](crate::Command::ignore_signal).
    Ignored,
    /// [`Command::die_with_parent`](crate::Command::die_with_parent).
    Sent,
}

impl fmt::Display for SignalUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocked => "blocked",
            Self::Ignored => "ignored",
            Self::Sent => "sent",
        })
    }
}
