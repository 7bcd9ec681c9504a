//! Finds the cause of a failed exec.

use super::Cause;
use super::permission::Person;
use super::program::{ELF, HEAD, head, interpreter, is_cut_off, is_foreign, loader};
use super::view::View;
use crate::sys::system::is_noexec;
use forkexec_core::Errno;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Returns the cause of an errno other than `ENOENT`, if it can be observed.
pub(crate) fn of_other(view: &View, person: Option<&Person>, path: &Path, errno: Errno) -> Option<Cause> {
    match errno {
        Errno::ACCES => of_denied(view, person, path),
        Errno::NOEXEC => of_unrecognised(view, path),
        Errno::LOOP => of_loop(view, path),
        _ => None,
    }
}

/// The state of a program for which exec returned `ENOENT`.
pub(crate) enum Sight {
    /// It does not exist.
    Missing,
    /// The parent cannot examine the path.
    Unseen,
    /// It exists. The cause is the part that it lacks.
    There(Option<Cause>),
}

/// Handles `ENOENT` of execve(2): the file is missing, or a part that it needs is.
pub(crate) fn of_missing(view: &View, path: &Path) -> Sight {
    match view.find(path) {
        Ok(place) => Sight::There(lacking(view, &place, DEEPEST)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Sight::Missing
        }
        Err(_) => Sight::Unseen,
    }
}

/// The depth of nested script interpreters that no system exceeds.
const DEEPEST: usize = 6;

/// Returns the part that an existing file lacks.
fn lacking(view: &View, place: &Path, depth: usize) -> Option<Cause> {
    let opened = File::open(place).and_then(|mut file| Ok((head(&mut file)?, file)));
    let Ok((head, mut file)) = opened else { return Some(Cause::PartMissing) };
    if let Some(name) = interpreter(&head) {
        if view.is_missing(&name) {
            return Some(Cause::InterpreterMissing(name));
        }
        let next = view.find(&name).ok().filter(|_| depth > 0)?;
        return lacking(view, &next, depth - 1);
    }
    let loader = loader(&mut file, &head)?;
    view.is_missing(&loader).then_some(Cause::LoaderMissing(loader))
}

/// Handles `EACCES`: a directory on the path, the file, or a part that the file needs denies permission.
fn of_denied(view: &View, person: Option<&Person>, path: &Path) -> Option<Cause> {
    let place = match reach(view, person, path) {
        Ok(place) => place?,
        Err(cause) => return Some(cause),
    };
    let metadata = fs::metadata(&place).ok()?;
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
    if is_noexec(&place) {
        return Some(Cause::MountedNoexec);
    }
    if let Some(cause) = person.and_then(|person| person.execute(&place).err()) {
        return Some(cause);
    }
    let mut file = File::open(&place).ok()?;
    let head = head(&mut file).ok()?;
    let script = interpreter(&head);
    let needed = script.clone().or_else(|| loader(&mut file, &head))?;
    let there = match reach(view, person, &needed) {
        Ok(there) => there?,
        Err(cause) => return Some(cause),
    };
    let metadata = fs::metadata(&there).ok()?;
    let runs = metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 && !is_noexec(&there);
    match script {
        Some(interpreter) if !runs => Some(Cause::InterpreterNotExecutable(interpreter)),
        _ => person?.execute(&there).err(),
    }
}

/// Resolves a path, or returns the directory that denies search permission.
fn reach(view: &View, person: Option<&Person>, path: &Path) -> Result<Option<PathBuf>, Cause> {
    match person {
        Some(person) => person.search(view, path),
        None => Ok(view.find(path).ok()),
    }
}

/// Handles `ENOEXEC`: the kernel does not recognise the file, or the interpreter that it names.
fn of_unrecognised(view: &View, path: &Path) -> Option<Cause> {
    let head = read_head(view, path)?;
    if head.is_empty() {
        return Some(Cause::EmptyFile);
    }
    if head.starts_with(ELF) {
        return of_elf(&head);
    }
    let Some(line) = head.strip_prefix(b"#!") else { return Some(Cause::NoInterpreterLine) };
    // The kernel reads only the first bytes. A name that reaches their end may be cut off.
    let is_cut = |name: &Path| head.len() == HEAD && line.ends_with(name.as_os_str().as_bytes());
    let Some(name) = interpreter(&head).filter(|name| !is_cut(name)) else {
        return Some(Cause::BadInterpreterLine);
    };
    let its_head = read_head(view, &name)?;
    let is_program = its_head.starts_with(b"#!") || its_head.starts_with(ELF) && of_elf(&its_head).is_none();
    (!is_program).then_some(Cause::ForeignInterpreter(name))
}

fn of_elf(head: &[u8]) -> Option<Cause> {
    if is_cut_off(head) {
        return Some(Cause::CutOff);
    }
    (is_foreign(head) == Some(true)).then_some(Cause::ForeignProgram)
}

/// Handles `ELOOP`: too many symbolic links, or scripts that name each other as interpreters too deeply.
fn of_loop(view: &View, path: &Path) -> Option<Cause> {
    let mut next = path.to_owned();
    for _ in 0..SHALLOWEST {
        next = interpreter(&read_head(view, &next)?)?;
    }
    // If a circle of links is the cause, the path does not resolve.
    view.find(&next).is_ok().then_some(Cause::NestedInterpreters)
}

/// The shortest chain of scripts for which a kernel returns `ELOOP`.
const SHALLOWEST: usize = 5;

fn read_head(view: &View, path: &Path) -> Option<Vec<u8>> {
    head(&mut File::open(view.find(path).ok()?).ok()?).ok()
}
