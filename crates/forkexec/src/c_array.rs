//! Owned C strings in the arrays that exec takes: `argv`, `envp`, and the paths to try.

use forkexec_core::{CStrArray, ThinCStr};
use std::ffi::{CStr, CString};
use std::mem;

/// C strings and the null-terminated array of pointers to them.
#[derive(Debug)]
pub(crate) struct CStringArray {
    /// Points into `strings`, and ends with `None`.
    pointers: Vec<Option<ThinCStr<'static>>>,
    strings: Vec<CString>,
}

impl CStringArray {
    /// The strings in this order.
    pub(crate) fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|string| Some(thin(string))).chain([None]).collect();
        Self { pointers, strings }
    }

    /// The array for exec.
    pub(crate) fn as_array(&self) -> CStrArray<'_> {
        CStrArray::new(&self.pointers).unwrap_or(CStrArray::EMPTY)
    }

    /// The strings.
    pub(crate) fn strings(&self) -> &[CString] {
        &self.strings
    }
}

/// C strings and references to them, side by side.
#[derive(Debug)]
pub(crate) struct CStrings {
    /// Refers to `strings`.
    refs: Vec<&'static CStr>,
    strings: Vec<CString>,
}

impl CStrings {
    /// The strings in this order.
    pub(crate) fn new(strings: Vec<CString>) -> Self {
        Self { refs: strings.iter().map(pinned).collect(), strings }
    }

    /// The strings as a plan takes them.
    pub(crate) fn as_refs(&self) -> &[&CStr] {
        &self.refs
    }

    /// The strings.
    pub(crate) fn strings(&self) -> &[CString] {
        &self.strings
    }
}

/// Arrays of C strings, side by side.
#[derive(Debug)]
pub(crate) struct CStringArrays {
    /// Points into `_arrays`.
    pointers: Vec<CStrArray<'static>>,
    _arrays: Vec<CStringArray>,
}

impl CStringArrays {
    /// The arrays in this order.
    pub(crate) fn new(arrays: Vec<CStringArray>) -> Self {
        let pinned = |array: &CStringArray| {
            // SAFETY: the pointers are on the heap, where they stay when the `CStringArray` moves into or with these
            // arrays, which never change or drop one while they live. `as_arrays` shortens the lifetime to theirs.
            unsafe { mem::transmute::<CStrArray<'_>, CStrArray<'static>>(array.as_array()) }
        };
        Self { pointers: arrays.iter().map(pinned).collect(), _arrays: arrays }
    }

    /// The arrays as a plan takes them.
    pub(crate) fn as_arrays(&self) -> &[CStrArray<'_>] {
        &self.pointers
    }
}

fn thin(string: &CString) -> ThinCStr<'static> {
    ThinCStr::from(pinned(string))
}

fn pinned(string: &CString) -> &'static CStr {
    // SAFETY: the bytes are on the heap, where they stay when the `CString` moves into or with the array, which never
    // changes or drops a string while it lives. What refers to them is given out with the lifetime of the array.
    unsafe { mem::transmute::<&CStr, &'static CStr>(string.as_c_str()) }
}
