//! The cause of an error number, which the parent finds after the failure.
//!
//! `ENOENT` alone means that the program, its interpreter or its ELF loader does not exist. The kernel does not say which,
//! but the file does. The file may change in between, so a cause describes the state a moment after the failure. Each cause
//! rests on an observation: a file that the parent cannot examine has no cause.

use super::Operand;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// The cause of a failure ([`SpawnError::cause`](crate::SpawnError::cause)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The program does not exist.
    ProgramMissing {
        /// The list of directories that was searched, if any.
        searched: Option<OsString>,
        /// The directory that a relative path starts at, unless it is the parent's working directory.
        from: Option<Operand>,
    },
    /// The program exists, but the parent cannot read it to see which part is missing: its interpreter or its loader.
    PartMissing,
    /// The script exists, but the interpreter in its first line does not.
    InterpreterMissing(PathBuf),
    /// The program exists, but the dynamic loader that it names does not.
    LoaderMissing(PathBuf),
    /// The script's interpreter is not an executable file.
    InterpreterNotExecutable(PathBuf),
    /// The path is a directory.
    IsDirectory,
    /// The path is neither a regular file nor a directory.
    NotRegular,
    /// The file has no execute permission for any user.
    NotExecutable,
    /// The permission bits of a directory on the path deny search permission to the child's user. An access control list or
    /// a security module may decide otherwise.
    SearchDenied {
        /// The directory.
        directory: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The user of the child.
        user: u32,
    },
    /// The permission bits of a file deny execute permission to the child's user. An access control list or a security
    /// module may decide otherwise.
    ExecuteDenied {
        /// The program, or its interpreter or loader.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The user of the child.
        user: u32,
    },
    /// The file is on a file system that is mounted `noexec`.
    MountedNoexec,
    /// The script's interpreter is neither a program for this machine nor a script.
    ForeignInterpreter(PathBuf),
    /// The file is empty.
    EmptyFile,
    /// The file is neither an ELF program nor a script with a `#!` line.
    NoInterpreterLine,
    /// The `#!` line names no interpreter, or is longer than the kernel reads.
    BadInterpreterLine,
    /// The program is for another machine, word size or byte order.
    ForeignProgram,
    /// The file ends within its ELF header.
    CutOff,
    /// Scripts name each other as interpreters, more deeply than the kernel follows.
    NestedInterpreters,
    /// The open file is a script. exec closes its descriptor, so its interpreter cannot open it.
    ScriptNotKept,
    /// The user has as many processes as `RLIMIT_NPROC` allows.
    ProcessLimit,
    /// One argument is longer than the system allows.
    ArgumentTooLong {
        /// The index of the argument. 0 is the name that the program sees as its own.
        index: usize,
        /// The length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// One environment variable is longer than the system allows.
    VariableTooLong {
        /// The name.
        name: OsString,
        /// The length of name, `=` and value in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The arguments and the environment together are larger than the system allows.
    TooLarge {
        /// The total size in bytes, with the pointers.
        total: usize,
        /// The length of the longest string in bytes.
        longest: usize,
        /// The limit of the total in bytes, if the total is above it.
        limit: Option<usize>,
    },
    /// The terminal is already the controlling terminal of a session.
    TerminalOfSession(i32),
    /// The directory is not a cgroup of version 2.
    NotCgroup,
    /// The cgroup enables controllers for its child groups, so it cannot contain processes.
    CgroupInner {
        /// The controllers, separated by blanks.
        controllers: String,
    },
    /// The cgroup has a type that cannot contain processes.
    CgroupType {
        /// The type: `domain invalid` for a group below a threaded one.
        kind: String,
    },
    /// The pre-exec closure returned an error that has no error number.
    NoErrno,
    /// The pre-exec closure panicked.
    Panicked,
    /// The pre-exec closure closed or replaced the descriptor of the report channel.
    ChannelReplaced,
    /// One call of the kernel does the whole start, and does not tell which stage failed. The error has the stage
    /// [`Start`](crate::Stage::Start), which stands for all of them.
    StageUnknown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProgramMissing { searched, from } => {
                write!(f, "the program does not exist")?;
                searched.as_ref().map_or(Ok(()), |list| write!(f, " in {list:?}"))?;
                from.as_ref().map_or(Ok(()), |from| write!(f, ", relative to {from}"))
            }
            Self::PartMissing => {
                write!(f, "the program exists, but its interpreter or loader may be missing")
            }
            Self::InterpreterMissing(path) => {
                write!(f, "the script's interpreter {path:?} does not exist")?;
                let is_crlf = path.as_os_str().as_encoded_bytes().ends_with(b"\r");
                if is_crlf { write!(f, "; convert the script's line endings to LF") } else { Ok(()) }
            }
            Self::LoaderMissing(path) => write!(f, "the program's loader {path:?} does not exist"),
            Self::InterpreterNotExecutable(path) => {
                write!(f, "the script's interpreter {path:?} is not executable")
            }
            Self::ForeignInterpreter(path) => {
                write!(
                    f,
                    "the script's interpreter {path:?} is neither a program for this machine nor a script"
                )
            }
            Self::IsDirectory => write!(f, "it is a directory"),
            Self::NotRegular => write!(f, "it is not a regular file"),
            Self::NotExecutable => write!(f, "it has no execute permission; set it with chmod +x"),
            Self::SearchDenied { directory, mode, user } => {
                write!(
                    f,
                    "directory {directory:?} (mode {mode:04o}) appears to deny search permission to user {user}"
                )
            }
            Self::ExecuteDenied { file, mode, user } => {
                write!(f, "file {file:?} (mode {mode:04o}) appears to deny execute permission to user {user}")
            }
            Self::MountedNoexec => write!(f, "its file system is mounted noexec"),
            Self::EmptyFile => write!(f, "the file is empty"),
            Self::NoInterpreterLine => {
                write!(
                    f,
                    "it is neither a program nor a script; a script starts with a line such as #!/bin/sh"
                )
            }
            Self::BadInterpreterLine => write!(f, "its #! line names no interpreter or is too long"),
            Self::CutOff => write!(f, "it ends within its ELF header"),
            Self::ForeignProgram => write!(f, "it is a program for another machine"),
            Self::NestedInterpreters => write!(f, "too many scripts name each other as interpreters"),
            Self::ScriptNotKept => write!(
                f,
                "it is a script, and exec closes the descriptor that its interpreter needs; keep it"
            ),
            Self::ProcessLimit => write!(f, "the user has reached the process limit (RLIMIT_NPROC)"),
            Self::ArgumentTooLong { index, length, limit } => {
                write!(f, "argument {index} has {length} bytes, and the limit for one string is {limit}")
            }
            Self::VariableTooLong { name, length, limit } => {
                write!(
                    f,
                    "the environment variable {name:?} has {length} bytes, and the limit for one string is {limit}"
                )
            }
            Self::TooLarge { total, longest, limit } => {
                write!(f, "the arguments and the environment have {total} bytes, ")?;
                match limit {
                    None => write!(f, "and the longest string has {longest}"),
                    Some(limit) => write!(f, "and the limit is {limit}"),
                }
            }
            Self::TerminalOfSession(session) => {
                write!(f, "it is the controlling terminal of session {session}")
            }
            Self::NotCgroup => write!(f, "it is not a cgroup of version 2"),
            Self::CgroupInner { controllers } => {
                write!(
                    f,
                    "it enables {controllers:?} for its child groups and cannot contain processes; use a child group"
                )
            }
            Self::CgroupType { kind } => {
                write!(
                    f,
                    "its type is {kind:?}, below a threaded group; write \"threaded\" to its cgroup.type first"
                )
            }
            Self::NoErrno => write!(f, "its error has no error number"),
            Self::Panicked => write!(f, "it panicked"),
            Self::ChannelReplaced => write!(f, "it closed or replaced the descriptor of the report channel"),
            Self::StageUnknown => {
                write!(f, "a stage of the start failed, and posix_spawn(2) does not tell which")
            }
        }
    }
}
