//! The state that a program finds.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};

use forkexec_core::{CStrArray, Fd};

use super::process::Process;

/// A successful exec: the program and the process that it runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Executed {
    pub(crate) path: CString,
    pub(crate) argv: Vec<CString>,
    /// `None` if it is the process's own.
    pub(crate) env: Option<Vec<CString>>,
    /// The file under each open descriptor.
    pub(crate) files: BTreeMap<Fd, u64>,
    pub(crate) process: Process,
}

impl Executed {
    pub(crate) fn fds(&self) -> Vec<Fd> {
        self.files.keys().copied().collect()
    }
}

/// The strings of an array.
pub(crate) fn strings(array: CStrArray<'_>) -> Vec<CString> {
    let places = (0..).map(|index| array.as_ptr().wrapping_add(index));
    // SAFETY: the array ends with a null pointer, which ends the walk.
    let pointers = places.map(|place| unsafe { *place });
    pointers.take_while(|it| !it.is_null()).map(string).collect()
}

fn string(pointer: *const c_char) -> CString {
    // SAFETY: an element of a `CStrArray`, which is a C string.
    unsafe { CStr::from_ptr(pointer) }.to_owned()
}
