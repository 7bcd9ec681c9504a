//! The internals that fuzz targets call. The module exists only in builds for a fuzzer.

#![expect(missing_docs, reason = "each is documented where it is made")]

use crate::child_fds::moves;
use crate::exec::search;
use crate::spawn::failure::program;
use forkexec_core::{Fd, Move, Source};
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::path::PathBuf;

#[must_use]
pub fn order(mappings: &BTreeMap<Fd, Fd>) -> Vec<Move> {
    let sources = mappings.iter().map(|(&to, &from)| (to, Source::Fd(from)));
    moves::order(&sources.collect(), &[])
}

#[must_use]
pub fn candidates(program: &OsStr, list: &OsStr) -> Option<Vec<CString>> {
    search::candidates(program, list).ok()
}

/// Returns the interpreter and the loader that a file names.
///
/// # Errors
///
/// Returns the system's error if the file cannot be read.
pub fn named_by(file: &mut File) -> io::Result<(Option<PathBuf>, Option<PathBuf>)> {
    let head = program::head(file)?;
    Ok((program::interpreter(&head), program::loader(file, &head)))
}
