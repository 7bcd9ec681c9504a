//! What is behind an errno: found out in the parent, after the failure.
//!
//! `ENOENT` alone is a program that is missing, an interpreter that is missing, or an ELF loader that is. The kernel
//! does not say which; looking at the file does. The file may have changed meanwhile, so a cause is what was so a moment
//! later. Each cause rests on something that was observed: what could not be looked at has no cause.

use super::Operand;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// What is behind a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// There is no such program. With the directories, if it was searched.
    ProgramMissing {
        /// The list that was searched.
        searched: Option<OsString>,
        /// From where a relative path was seen, unless it was the parent's working directory.
        from: Option<Operand>,
    },
    /// The program is there, and cannot be read to tell which part is missing: its interpreter or its loader.
    PartMissing,
    /// The script is there, but not the interpreter that its first line names.
    InterpreterMissing(PathBuf),
    /// The program is there, but not the dynamic loader that it asks for.
    LoaderMissing(PathBuf),
    /// The interpreter that the script names may not be run.
    InterpreterNotExecutable(PathBuf),
    /// It is a directory.
    IsDirectory,
    /// It is neither a regular file nor a directory.
    NotRegular,
    /// It has no permission to be executed.
    NotExecutable,
    /// A directory on the way to a path denies search permission to a user, by its permission bits. An access control list
    /// may say otherwise.
    SearchDenied {
        /// The directory.
        directory: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The user of the child.
        user: u32,
    },
    /// A file denies execute permission to a user, by its permission bits. An access control list may say otherwise.
    ExecuteDenied {
        /// The program, or its interpreter or loader.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The user of the child.
        user: u32,
    },
    /// It lies on a filesystem that is mounted `noexec`.
    MountedNoexec,
    /// The interpreter that the script names is no program of this machine's, nor a script.
    ForeignInterpreter(PathBuf),
    /// It is empty.
    EmptyFile,
    /// It is neither a program nor a script: it has no `#!` line.
    NoInterpreterLine,
    /// Its `#!` line names no interpreter, or is longer than the kernel reads.
    BadInterpreterLine,
    /// It is a program of another kind of machine than this one.
    ForeignProgram,
    /// It ends before the end of its ELF header.
    CutOff,
    /// Scripts name each other as their interpreters, more deeply than the kernel follows.
    NestedInterpreters,
    /// The user may not have another process (`RLIMIT_NPROC`).
    ProcessLimit,
    /// One argument is longer than the system takes.
    ArgumentTooLong {
        /// Which: 0 is the program's name as the program sees it.
        index: usize,
        /// Its bytes.
        length: usize,
        /// How many there may be.
        limit: usize,
    },
    /// One environment variable is longer than the system takes.
    VariableTooLong {
        /// Its name.
        name: OsString,
        /// The bytes of name and value, with the `=`.
        length: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The arguments and the environment are too large together: their size, and that of the longest one.
    TooLarge {
        /// Bytes in all, with the pointers.
        total: usize,
        /// Bytes of the longest string.
        longest: usize,
        /// How many there may be in all, if they are above that.
        limit: Option<usize>,
    },
    /// The terminal is the controlling terminal of this session.
    TerminalOfSession(i32),
    /// The directory is no control group of version 2.
    NotCgroup,
    /// The control group distributes these controllers to groups below it, so that it can hold no processes itself.
    CgroupInner {
        /// The controllers, separated by blanks.
        controllers: String,
    },
    /// The control group has a type that takes no process.
    CgroupType {
        /// The type: `domain invalid` for a group below a threaded one.
        kind: String,
    },
    /// The pre-exec closure returned an error that has no errno.
    NoErrno,
    /// The pre-exec closure panicked.
    Panicked,
    /// The pre-exec closure closed or replaced the descriptor that leads to the parent.
    ChannelReplaced,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProgramMissing { searched, from } => {
                f.write_str("there is no such program")?;
                searched.as_ref().map_or(Ok(()), |list| write!(f, " in {list:?}"))?;
                match from {
                    None => Ok(()),
                    Some(Operand::Fd(fd)) => write!(f, ", seen from descriptor {fd}"),
                    Some(directory) => write!(f, ", seen from {directory}"),
                }
            }
            Self::PartMissing => {
                f.write_str("the program is there; its interpreter or loader may be missing")
            }
            Self::InterpreterMissing(path) => write!(f, "the script's interpreter {path:?} is missing"),
            Self::LoaderMissing(path) => write!(f, "the program's loader {path:?} is missing"),
            Self::InterpreterNotExecutable(path) => {
                write!(f, "the script's interpreter {path:?} may not be executed")
            }
            Self::ForeignInterpreter(path) => {
                write!(f, "the script's interpreter {path:?} is not a program for this machine")
            }
            Self::IsDirectory => f.write_str("it is a directory"),
            Self::NotRegular => f.write_str("it is not a regular file"),
            Self::NotExecutable => f.write_str("it has no execute permission"),
            Self::SearchDenied { directory, mode, user } => {
                write!(
                    f,
                    "directory {directory:?} (mode {mode:04o}) appears to deny search permission to user {user}"
                )
            }
            Self::ExecuteDenied { file, mode, user } => {
                write!(f, "file {file:?} (mode {mode:04o}) appears to deny execute permission to user {user}")
            }
            Self::MountedNoexec => f.write_str("its filesystem is mounted noexec"),
            Self::EmptyFile => f.write_str("the file is empty"),
            Self::NoInterpreterLine => f.write_str("it is neither a program nor a script with a \"#!\" line"),
            Self::BadInterpreterLine => f.write_str("its \"#!\" line names no interpreter, or is too long"),
            Self::CutOff => f.write_str("it ends before the end of its ELF header"),
            Self::ForeignProgram => f.write_str("it is not a program for this machine"),
            Self::NestedInterpreters => f.write_str("scripts are nested too deeply as interpreters"),
            Self::ProcessLimit => f.write_str("the process limit of the user is reached"),
            Self::ArgumentTooLong { index, length, limit } => {
                write!(f, "argument {index} has {length} bytes, and the limit for one string is {limit}")
            }
            Self::VariableTooLong { name, length, limit } => {
                write!(
                    f,
                    "the environment variable {name:?} has {length} bytes, and the limit for one string is {limit}"
                )
            }
            Self::TooLarge { total, longest, limit: None } => {
                write!(f, "arguments and environment have {total} bytes, the longest string {longest}")
            }
            Self::TooLarge { total, limit: Some(limit), .. } => {
                write!(f, "arguments and environment have {total} bytes, and the limit is {limit}")
            }
            Self::TerminalOfSession(session) => {
                write!(f, "it is the controlling terminal of session {session}")
            }
            Self::NotCgroup => f.write_str("it is no control group of version 2"),
            Self::CgroupInner { controllers } => {
                write!(
                    f,
                    "it distributes {controllers:?} to groups below it, so that it can hold no processes itself"
                )
            }
            Self::CgroupType { kind } => {
                write!(f, "its type is {kind:?}, because it lies below a threaded group")
            }
            Self::NoErrno => f.write_str("its error has no errno"),
            Self::Panicked => f.write_str("it panicked"),
            Self::ChannelReplaced => f.write_str("it closed or replaced the descriptor of the report"),
        }
    }
}
