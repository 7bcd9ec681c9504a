//! The environment as exec expects it.

use super::c_array::{CStringArray, Strings};
use crate::config::environment::Variables;
use std::os::unix::ffi::OsStrExt;

/// Builds the strings `NAME=value`. Neither part contains a NUL: a set variable was checked, and an inherited
/// one was a C string.
pub(crate) fn envp(variables: Variables) -> CStringArray {
    let length = variables.iter().map(|(name, value)| name.len() + 1 + value.len()).sum();
    let mut strings = Strings::with_capacity(variables.iter().len(), length);
    for (name, value) in variables {
        strings.push(&[name.as_bytes(), b"=", value.as_bytes()]);
    }
    strings.into_array()
}
