//! An owned array of C strings: `argv` and `envp`.

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
        let pointers = strings.iter().map(|string| Some(pinned(string))).chain([None]).collect();
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

fn pinned(string: &CString) -> ThinCStr<'static> {
    // SAFETY: the bytes are on the heap, where they stay when the `CString` moves into or with the array, which never
    // changes or drops a string while it lives. `as_array` shortens the lifetime to that of the array.
    ThinCStr::from(unsafe { mem::transmute::<&CStr, &'static CStr>(string.as_c_str()) })
}
