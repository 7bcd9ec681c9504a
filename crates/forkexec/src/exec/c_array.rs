//! Owned C strings in the arrays that exec expects: `argv`, `envp`, and the paths to try.

use forkexec_core::{CStrArray, ThinCStr};
use std::ffi::{CStr, CString};
use std::{mem, ptr};

/// C strings in one allocation, and the null-terminated array of pointers to them.
#[derive(Debug)]
pub(crate) struct CStringArray {
    /// Points into `_bytes`, and ends with `None`.
    pointers: Vec<Option<ThinCStr<'static>>>,
    _bytes: Vec<u8>,
}

impl CStringArray {
    /// Returns the array for exec.
    pub(crate) fn as_array(&self) -> CStrArray<'_> {
        CStrArray::new(&self.pointers).unwrap_or(CStrArray::EMPTY)
    }

    /// Iterates over the strings.
    pub(crate) fn strings(&self) -> impl Iterator<Item = &CStr> {
        self.pointers.iter().flatten().map(|string| string.as_c_str())
    }
}

/// Builds the strings of an array, one after the other.
pub(crate) struct Strings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Strings {
    /// Reserves memory for `count` strings of `bytes` bytes in total.
    pub(crate) fn with_capacity(count: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes + count), ends: Vec::with_capacity(count) }
    }

    /// Adds the concatenation of these parts. The string ends at its first NUL byte.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(0);
        self.ends.push(self.bytes.len());
    }

    /// Returns the array of the strings that were added.
    pub(crate) fn into_array(self) -> CStringArray {
        let mut pointers = Vec::with_capacity(self.ends.len() + 1);
        let mut start = 0;
        for end in self.ends {
            pointers.push(ThinCStr::of_bytes(pinned(&self.bytes[start..end])));
            start = end;
        }
        pointers.push(None);
        CStringArray { pointers, _bytes: self.bytes }
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
    /// Creates the references, in this order.
    pub(crate) fn new(strings: Vec<CString>) -> Self {
        Self { refs: strings.iter().map(|string| pinned(string.as_c_str())).collect(), strings }
    }

    /// Returns the strings as a plan expects them.
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
    /// Creates the pointers, in this order.
    pub(crate) fn new(arrays: Vec<CStringArray>) -> Self {
        let pinned = |array: &CStringArray| {
            // SAFETY: the pointers are on the heap, and stay there when the `CStringArray` moves into
            // `arrays` or with them. `arrays` owns it, and neither changes nor drops it while it lives. The
            // method `as_arrays` shortens the lifetime to that of `self`.
            unsafe { mem::transmute::<CStrArray<'_>, CStrArray<'static>>(array.as_array()) }
        };
        Self { pointers: arrays.iter().map(pinned).collect(), _arrays: arrays }
    }

    /// Returns the arrays as a plan expects them.
    pub(crate) fn as_arrays(&self) -> &[CStrArray<'_>] {
        &self.pointers
    }
}

fn pinned<T: ?Sized>(string: &T) -> &'static T {
    // SAFETY: the bytes are on the heap, where they stay when their owner moves into the array or with it.
    // The array neither changes nor drops a string while it lives, and shortens the lifetime to its own when
    // it returns a reference.
    unsafe { &*ptr::from_ref(string) }
}
