//! What is behind an errno of exec: found out in the parent, after the failure.
//!
//! `ENOENT` alone is a program that is missing, an interpreter that is missing, or an ELF loader that is. The kernel
//! does not say which; looking at the file does. Somebody may have changed the file meanwhile, so a cause is what was
//! so a moment later.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use forkexec_core::Errno;
use nix::sys::statvfs::statvfs;

/// What is behind a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// There is no such program. With the directories, if it was searched.
    ProgramMissing {
        /// The list that was searched.
        searched: Option<OsString>,
    },
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
    /// It is a program of another kind of machine, or one that the kernel does not take.
    ForeignProgram,
    /// Scripts name each other as their interpreters, more deeply than the kernel follows.
    NestedInterpreters,
    /// The user may not have another process (`RLIMIT_NPROC`).
    ProcessLimit,
    /// The arguments and the environment are too large: their size, and that of the longest one.
    TooLarge {
        /// Bytes in all, with the pointers.
        total: usize,
        /// Bytes of the longest string.
        longest: usize,
    },
    /// The pre-exec closure panicked.
    Panicked,
    /// The pre-exec closure closed or replaced the descriptor that leads to the parent.
    ChannelReplaced,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProgramMissing { searched: None } => f.write_str("there is no such program"),
            Self::ProgramMissing { searched: Some(list) } => {
                write!(f, "there is no such program in {list:?}")
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
            Self::MountedNoexec => f.write_str("its filesystem is mounted noexec"),
            Self::EmptyFile => f.write_str("the file is empty"),
            Self::NoInterpreterLine => f.write_str("it is neither a program nor a script with a \"#!\" line"),
            Self::BadInterpreterLine => f.write_str("its \"#!\" line names no interpreter, or is too long"),
            Self::ForeignProgram => f.write_str("it is not a program for this machine"),
            Self::NestedInterpreters => f.write_str("scripts are nested too deeply as interpreters"),
            Self::ProcessLimit => f.write_str("the process limit of the user is reached"),
            Self::TooLarge { total, longest } => {
                write!(f, "arguments and environment have {total} bytes, the longest string {longest}")
            }
            Self::Panicked => f.write_str("it panicked"),
            Self::ChannelReplaced => f.write_str("it closed or replaced the descriptor of the report"),
        }
    }
}

/// Where the child saw its paths from.
pub(crate) struct View<'a> {
    pub(crate) root: Option<&'a Path>,
    pub(crate) directory: Option<&'a Path>,
}

impl View<'_> {
    /// Where the parent finds what the child knew as `path`.
    fn locate(&self, path: &Path) -> PathBuf {
        let seen = self.directory.map_or_else(|| path.to_owned(), |directory| directory.join(path));
        match self.root {
            Some(root) => root.join(seen.strip_prefix("/").unwrap_or(&seen)),
            None => seen,
        }
    }
}

/// What is behind `errno` of an exec of `path`, as far as looking tells.
pub(crate) fn of_exec(view: &View<'_>, path: &Path, errno: Errno) -> Option<Cause> {
    let path = &view.locate(path);
    match errno {
        Errno::NOENT => of_missing(view, path),
        Errno::ACCES => of_denied(view, path),
        Errno::NOEXEC => of_unrecognised(path),
        Errno::LOOP => fs::metadata(path).is_ok().then_some(Cause::NestedInterpreters),
        Errno::AGAIN => Some(Cause::ProcessLimit),
        _ => None,
    }
}

fn of_missing(view: &View<'_>, path: &Path) -> Option<Cause> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Some(Cause::ProgramMissing { searched: None });
        }
        Err(_) => return None,
        Ok(_) => {}
    }
    let mut file = File::open(path).ok()?;
    let head = head(&mut file).ok()?;
    if let Some(interpreter) = interpreter(&head) {
        return (!view.locate(&interpreter).exists()).then_some(Cause::InterpreterMissing(interpreter));
    }
    let loader = loader(&mut file, &head)?;
    (!view.locate(&loader).exists()).then_some(Cause::LoaderMissing(loader))
}

fn of_denied(view: &View<'_>, path: &Path) -> Option<Cause> {
    let metadata = fs::metadata(path).ok()?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Some(Cause::IsDirectory);
    }
    if kind.is_fifo() || kind.is_char_device() || kind.is_block_device() || kind.is_socket() {
        return Some(Cause::NotRegular);
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Some(Cause::NotExecutable);
    }
    if is_noexec(path) {
        return Some(Cause::MountedNoexec);
    }
    let head = head(&mut File::open(path).ok()?).ok()?;
    let interpreter = interpreter(&head)?;
    let there = view.locate(&interpreter);
    let metadata = fs::metadata(&there).ok()?;
    let runs = metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 && !is_noexec(&there);
    (!runs).then_some(Cause::InterpreterNotExecutable(interpreter))
}

fn of_unrecognised(path: &Path) -> Option<Cause> {
    let head = head(&mut File::open(path).ok()?).ok()?;
    if head.is_empty() {
        return Some(Cause::EmptyFile);
    }
    if head.starts_with(ELF) {
        return Some(Cause::ForeignProgram);
    }
    let Some(line) = head.strip_prefix(b"#!") else { return Some(Cause::NoInterpreterLine) };
    // A name that reaches the end of what the kernel reads may be cut off there.
    let is_cut = |name: &Path| head.len() == HEAD && line.ends_with(name.as_os_str().as_bytes());
    let name = interpreter(&head).filter(|name| !is_cut(name));
    Some(name.map_or(Cause::BadInterpreterLine, Cause::ForeignInterpreter))
}

fn is_noexec(path: &Path) -> bool {
    statvfs(path).is_ok_and(|at| at.flags().bits() & ST_NOEXEC != 0)
}

/// `ST_NOEXEC` of statvfs(3), where the system has it. nix names it on Linux alone, with this value.
const ST_NOEXEC: libc::c_ulong = 8;

const ELF: &[u8] = b"\x7fELF";

/// How much of a file the kernel looks at for an interpreter line (`BINPRM_BUF_SIZE`).
const HEAD: usize = 256;

pub(crate) fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// The interpreter that a script's first line names: up to white space, so a carriage return is part of it, and that
/// is why a script with Windows line ends finds no interpreter.
pub(crate) fn interpreter(head: &[u8]) -> Option<PathBuf> {
    let line = head.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    words.next().map(|word| PathBuf::from(OsString::from_vec(word.to_vec())))
}

/// The dynamic loader that an ELF program of this machine's byte order asks for: its `PT_INTERP` (elf(5)).
pub(crate) fn loader(file: &mut File, head: &[u8]) -> Option<PathBuf> {
    if !head.starts_with(ELF) {
        return None;
    }
    let layout = if *head.get(4)? == 2 { &ELF64 } else { &ELF32 };
    let table = layout.word(head, layout.table_at)?;
    let count = half(head, layout.count_at)?;
    let size = half(head, layout.size_at)?;
    for index in 0..u64::from(count) {
        let at = table.checked_add(index.checked_mul(u64::from(size))?)?;
        let entry = read_at(file, at, u64::from(size).min(64))?;
        if entry.first_chunk().map(|kind| u32::from_ne_bytes(*kind)) == Some(PT_INTERP) {
            let offset = layout.word(&entry, layout.offset_at)?;
            let length = layout.word(&entry, layout.length_at)?.min(4096);
            let name = read_at(file, offset, length)?;
            let name = name.split(|&byte| byte == 0).next()?;
            return Some(PathBuf::from(OsStr::from_bytes(name)));
        }
    }
    None
}

const PT_INTERP: u32 = 3;

/// Where elf(5) has what, for one word size.
struct ElfLayout {
    wide: bool,
    table_at: usize,
    size_at: usize,
    count_at: usize,
    offset_at: usize,
    length_at: usize,
}

const ELF64: ElfLayout =
    ElfLayout { wide: true, table_at: 32, size_at: 54, count_at: 56, offset_at: 8, length_at: 32 };
const ELF32: ElfLayout =
    ElfLayout { wide: false, table_at: 28, size_at: 42, count_at: 44, offset_at: 4, length_at: 16 };

impl ElfLayout {
    fn word(&self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = bytes.get(at..)?;
        if self.wide {
            return bytes.first_chunk().map(|word| u64::from_ne_bytes(*word));
        }
        bytes.first_chunk().map(|word| u64::from(u32::from_ne_bytes(*word)))
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|half| u16::from_ne_bytes(*half))
}

fn read_at(file: &mut File, at: u64, length: u64) -> Option<Vec<u8>> {
    file.seek(SeekFrom::Start(at)).ok()?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{head, interpreter, loader};
    use rstest::rstest;
    use std::fs::File;
    use std::path::PathBuf;

    #[rstest]
    #[case::plain("#!/bin/sh\n", Some("/bin/sh"))]
    #[case::argument("#! /usr/bin/env -S sh\n", Some("/usr/bin/env"))]
    #[case::windows_line_end("#!/bin/sh\r\n", Some("/bin/sh\r"))]
    #[case::no_line_end("#!/bin/sh", Some("/bin/sh"))]
    #[case::nothing_named("#!\n", None)]
    #[case::no_script("\x7fELF", None)]
    #[case::empty("", None)]
    fn the_interpreter_is_the_first_word_of_the_first_line(#[case] head: &str, #[case] path: Option<&str>) {
        assert_eq!(interpreter(head.as_bytes()), path.map(PathBuf::from));
    }

    #[test]
    fn the_loader_of_this_test_exists_if_it_has_one() {
        let mut file = File::open(std::env::current_exe().unwrap()).unwrap();
        let head = head(&mut file).unwrap();
        assert!(loader(&mut file, &head).is_none_or(|loader| loader.exists()));
    }
}
