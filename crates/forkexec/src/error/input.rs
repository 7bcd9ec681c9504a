//! Errors in what a command asks for, found before anything starts.

use super::operand::bound;
use forkexec_core::Stage;
use std::ffi::OsString;
use std::fmt;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// A command that asks for something invalid. Nothing was started.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputError {
    /// The name of the program is empty.
    #[error("cannot execute the program: its name is empty")]
    EmptyProgram,
    /// The name of the program contains a NUL byte.
    #[error("cannot execute {program:?}: the name contains a NUL byte at position {position}")]
    NulInProgram {
        /// The name.
        program: OsString,
        /// The position of the byte.
        position: usize,
    },
    /// An argument contains a NUL byte.
    #[error("cannot pass argument {index} ({argument:?}): it contains a NUL byte at position {position}")]
    NulInArgument {
        /// The index of the argument. 0 is the name that the program sees as its own.
        index: usize,
        /// The argument.
        argument: OsString,
        /// The position of the byte.
        position: usize,
    },
    /// The name of an environment variable is empty.
    #[error("cannot set or remove an environment variable: its name is empty")]
    EmptyEnvName,
    /// The name of an environment variable contains `=` after its first byte.
    #[error("cannot set or remove the environment variable {name:?}: its name contains an equals sign")]
    EqualsInEnvName {
        /// The name.
        name: OsString,
    },
    /// The name or value of an environment variable contains a NUL byte.
    #[error("cannot set or remove the environment variable {name:?}: it contains a NUL byte")]
    NulInEnv {
        /// The name.
        name: OsString,
    },
    /// The search path contains a NUL byte.
    #[error("cannot search {list:?} for the program: the list contains a NUL byte")]
    NulInSearchPath {
        /// The list of directories.
        list: OsString,
    },
    /// The path of a directory is empty.
    #[error("cannot enter the {what}: its path is empty")]
    EmptyPath {
        /// The directory that the path is for.
        what: PathRole,
    },
    /// The path of a directory contains a NUL byte.
    #[error("cannot enter the {what} {path:?}: the path contains a NUL byte")]
    NulInPath {
        /// The directory that the path is for.
        what: PathRole,
        /// The path.
        path: PathBuf,
    },
    /// [`Command::exec`](crate::Command::exec) has no parent that could use this setting.
    #[error("cannot replace the calling process with {setting} set: no parent remains to use it")]
    NotWithExec {
        /// The setting.
        setting: &'static str,
    },
    /// The target of a mapping is outside the range of descriptor numbers.
    #[error("cannot map a descriptor to fd {target}: the descriptor limit allows 0 to {highest}")]
    TargetOutOfRange {
        /// The target.
        target: RawFd,
        /// The highest number that the limit allows.
        highest: RawFd,
    },
    /// Two descriptors have the same target.
    #[error("cannot pass fd {target} to the child: it is claimed twice")]
    ClaimedTwice {
        /// The target.
        target: RawFd,
    },
    /// A descriptor of the command is not open.
    #[error("cannot use fd {fd}: it is not open")]
    NotOpen {
        /// The number.
        fd: RawFd,
    },
    /// The id is the number by which the kernel means "leave unchanged".
    #[error("cannot set the {what} id ({id}): to the kernel this number means \"leave unchanged\"")]
    IdOutOfRange {
        /// `user`, `group` or `supplementary group`.
        what: &'static str,
        /// The number.
        id: u32,
    },
    /// The command changes the user but not the group, so the child would keep the privileges of the parent's group.
    #[error(
        "cannot set the user id ({uid}): the child would keep the parent's group; call gid or keep_groups"
    )]
    UserWithoutGroup {
        /// The user id.
        uid: u32,
    },
    /// The number of supplementary groups is above the system's limit.
    #[error("cannot set {count} supplementary groups: the system allows {limit}")]
    TooManyGroups {
        /// The number of groups.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// The number of a process group is negative.
    #[error("cannot join the process group ({group}): the number is negative")]
    NegativeProcessGroup {
        /// The number.
        group: i32,
    },
    /// The command starts a session and joins a process group. The leader of a session cannot leave its own group.
    #[error(
        "cannot join the process group ({group}): the leader of a new session cannot leave its own group"
    )]
    SessionInOtherGroup {
        /// The process group.
        group: i32,
    },
    /// The command asks for [`Containment::Group`](crate::Containment::Group) and joins another process group.
    #[error(
        "cannot join the process group ({group}): the containment needs a process group of the child's own"
    )]
    TreeInOtherGroup {
        /// The process group.
        group: i32,
    },
    /// The command sets a controlling terminal without a new session.
    #[error("cannot set the controlling terminal: only the leader of a new session can; call setsid")]
    TerminalWithoutSession,
    /// The umask has more than nine bits.
    #[error("cannot set the umask ({mask:#o}): the maximum is 0o777")]
    UmaskOutOfRange {
        /// The umask.
        mask: u32,
    },
    /// A soft limit is above its hard limit.
    #[error(
        "cannot set the resource limit ({name}={}:{}): the soft limit is above the hard limit",
        bound(*soft), bound(*hard)
    )]
    SoftAboveHard {
        /// The name of the resource.
        name: String,
        /// The soft limit.
        soft: u64,
        /// The hard limit.
        hard: u64,
    },
    /// The nice value is outside the range -20 to 19.
    #[error("cannot set the nice value ({nice}): the range is -20 to 19")]
    NiceOutOfRange {
        /// The value.
        nice: i32,
    },
    /// There is no user of this name.
    #[error("cannot look up the user {name:?}: it does not exist")]
    NoSuchUser {
        /// The name.
        name: String,
    },
    /// An id is mapped, and there is no new user namespace.
    #[error("cannot map the ids of the user namespace: the child gets no new one; call unshare")]
    MapWithoutUserNamespace,
    /// The offset of a clock is set, and there is no new time namespace.
    #[error("cannot set the clock offsets: the child gets no new time namespace; call unshare")]
    ClockWithoutTimeNamespace,
    /// The command needs fork(2), which cannot create a child in a pid namespace.
    #[error(
        "cannot enter the namespaces (pid): only a start without fork creates a child in a new pid namespace"
    )]
    PidNamespaceNeedsClone,
    /// The child joins a pid namespace, and the thread that starts it ends. Then it would get its parent-death signal.
    #[error(
        "cannot enter the namespaces (fd {fd}): a child with a parent-death signal cannot join a pid namespace"
    )]
    DieWithParentInPidNamespace {
        /// The descriptor.
        fd: RawFd,
    },
    /// A path is unveiled, and there are no promises for the program. exec would drop the list of paths.
    #[error("cannot unveil the path: exec drops the list unless the program has promises; call pledge")]
    UnveilWithoutPledge,
    /// The permissions of an unveiled path have another letter than `r`, `w`, `x` and `c`.
    #[error("cannot unveil the path: the permissions {permissions:?} have another letter than r, w, x and c")]
    BadUnveilPermissions {
        /// The permissions.
        permissions: String,
    },
    /// The promises are no list of words.
    #[error("cannot set the promises ({promises:?}): they are words with spaces between them")]
    BadPromises {
        /// The list.
        promises: String,
    },
    /// The nice value of an autogroup is set, and the child creates no session. It would be that of the parent's session.
    #[error("cannot set the nice value of the autogroup: the child creates no session; call setsid")]
    AutogroupWithoutSession,
    /// The set of processors is empty.
    #[error("cannot set the CPU affinity: the set of processors is empty")]
    NoProcessor,
    /// An attribute of the child is out of range.
    #[error("cannot {} ({value}): the range is {lowest} to {highest}", stage.describe())]
    AttributeOutOfRange {
        /// The stage that sets the attribute.
        stage: Stage,
        /// The value: a processor, a priority, a level, nanoseconds, a score, bits, or a number of instructions.
        value: i64,
        /// The lowest value.
        lowest: i64,
        /// The highest value.
        highest: i64,
    },
    /// The bytes are not whole instructions of a seccomp filter.
    #[error("cannot install the seccomp filter: {length} bytes are not a multiple of 8")]
    FilterLength {
        /// The number of bytes.
        length: usize,
    },
    /// The command has a pre-exec closure, which needs fork(2), and [`SpawnPolicy::NoFork`](crate::SpawnPolicy::NoFork).
    #[error("cannot run the pre-exec closure: it needs fork, and the spawn policy excludes fork")]
    ClosureNeedsFork,
    /// The name of a socket does not fit into a list of names.
    #[error("cannot name the socket {name:?}: a name is printable ASCII without a colon, at most 255 bytes")]
    BadSocketName {
        /// The name.
        name: String,
    },
    /// The interval of the watchdog is shorter than the unit in which it is announced.
    #[error("cannot set the watchdog interval ({interval:?}): the minimum is 1 microsecond")]
    WatchdogTooShort {
        /// The interval.
        interval: Duration,
    },
    /// A command of a pipeline sets the stream that is the pipe to its neighbor.
    #[error("cannot set standard {stream}: the pipeline connects it to the adjacent command")]
    StreamInPipeline {
        /// `input` or `output`.
        stream: &'static str,
    },
    /// The signal does not exist, or its mask or disposition cannot be set.
    #[error("cannot {verb} signal {signal}: it is not a signal that a process can {verb}")]
    BadSignal {
        /// The number.
        signal: i32,
        /// The use of the signal.
        verb: SignalUse,
    },
}

/// The use of a path of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathRole {
    /// The root directory ([`Command::chroot`](crate::Command::chroot)).
    RootDirectory,
    /// The working directory ([`Command::current_dir`](crate::Command::current_dir)).
    WorkingDirectory,
    /// An unveiled path ([`Command::unveil`](crate::Command::unveil)).
    Unveiled,
}

impl fmt::Display for PathRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RootDirectory => "root directory",
            Self::WorkingDirectory => "working directory",
            Self::Unveiled => "unveiled path",
        })
    }
}

/// The use of a signal of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignalUse {
    /// The child blocks it ([`Command::signal_mask`](crate::Command::signal_mask)).
    Blocked,
    /// The child ignores it ([`Command::ignore_signal`](crate::Command::ignore_signal)).
    Ignored,
    /// The kernel sends it when the parent dies ([`Command::die_with_parent`](crate::Command::die_with_parent)).
    Sent,
}

impl fmt::Display for SignalUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocked => "block",
            Self::Ignored => "ignore",
            Self::Sent => "send",
        })
    }
}
