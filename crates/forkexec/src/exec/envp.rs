//! The environment as exec takes it.

use super::c_array::{CStringArray, Strings};
use crate::config::environment::Variables;
use std::os::unix::ffi::OsStrExt;

/// `NAME=value`, as exec wants it. Neither half holds a NUL: one of ours was checked, and one of the parent's is a C string
/// already.
pub(crate) fn envp(variables: &Variables) -> CStringArray {
    let length = variables.iter().map(|(name, value)| name.len() + 1 + value.len()).sum();
    let mut strings = Strings::with_capacity(variables.iter().count(), length);
    for (name, value) in variables.iter() {
        strings.push(&[name.as_bytes(), b"=", value.as_bytes()]);
    }
    strings.into_array()
}
