//! What fuzz targets reach that is nobody else's business. It exists under a fuzzer only.

#![expect(missing_docs, reason = "each is documented where it is made")]

use crate::exec::search;
use crate::fds::moves;
use crate::spawn::failure::program;
use forkexec_core::{Fd, Move};
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::path::PathBuf;

#[must_use]
pub fn order(mappings: &BTreeMap<Fd, Fd>) -> Vec<Move> {
    moves::order(mappings)
}

#[must_use]
pub fn candidates(program: &OsStr, list: &OsStr) -> Option<Vec<CString>> {
    search::candidates(program, list).ok()
}

/// The interpreter and the loader that a file names.
///
/// # Errors
///
/// The system's, if it cannot be read.
pub fn named_by(file: &mut File) -> io::Result<(Option<PathBuf>, Option<PathBuf>)> {
    let head = program::head(file)?;
    Ok((program::interpreter(&head), program::loader(file, &head)))
}
