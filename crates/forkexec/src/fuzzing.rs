//! What fuzz targets reach that is nobody else's business. It exists under a fuzzer only.

#![expect(missing_docs, reason = "each is documented where it is made")]

use crate::{cause, fd_plan, path_search};
use forkexec_core::{Fd, Move};
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::path::PathBuf;

#[must_use]
pub fn order(mappings: &BTreeMap<Fd, Fd>) -> Vec<Move> {
    fd_plan::order(mappings)
}

#[must_use]
pub fn candidates(program: &OsStr, list: &OsStr) -> Option<Vec<CString>> {
    path_search::candidates(program, list).ok()
}

/// The interpreter and the loader that a file names.
///
/// # Errors
///
/// The system's, if it cannot be read.
pub fn named_by(file: &mut File) -> io::Result<(Option<PathBuf>, Option<PathBuf>)> {
    let head = cause::program::head(file)?;
    Ok((cause::program::interpreter(&head), cause::program::loader(file, &head)))
}
