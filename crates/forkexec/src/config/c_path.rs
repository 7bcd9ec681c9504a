//! A path as a C string.

use crate::error::{InputError, PathRole};
use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

pub(crate) fn c_path(what: PathRole, path: &Path) -> Result<CString, InputError> {
    if path.as_os_str().is_empty() {
        return Err(InputError::EmptyPath { what });
    }
    CString::new(path.as_os_str().as_bytes()).map_err(|error| InputError::NulInPath {
        what,
        path: PathBuf::from(OsString::from_vec(error.into_vec())),
    })
}
