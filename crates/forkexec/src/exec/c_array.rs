//! Owned C strings in the arrays that exec takes: `argv`, `envp`, and the paths to try.

use forkexec_core::{CStrArray, ThinCStr};
use std::ffi::{CStr, CString};
use std::{iter, mem};

/// C strings, all in one piece of memory, and the null-terminated array of pointers to them.
#[derive(Debug)]
pub(crate) struct CStringArray {
    /// Points into `_bytes`, and ends with `None`.
    pointers: Vec<Option<ThinCStr<'static>>>,
    _bytes: Vec<u8>,
}

impl CStringArray {
    /// The array for exec.
    pub(crate) fn as_array(&self) -> CStrArray<'_> {
        CStrArray::new(&self.pointers).unwrap_or(CStrArray::EMPTY)
    }

    /// The strings.
    pub(crate) fn strings(&self) -> impl Iterator<Item = &CStr> {
        self.pointers.iter().flatten().map(|string| string.as_c_str())
    }
}

/// The strings of an array, one after the other.
pub(crate) struct Strings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Strings {
    /// Room for so many strings with so many bytes in all.
    pub(crate) fn with_capacity(count: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes + count), ends: Vec::with_capacity(count) }
    }

    /// Adds a string made of these parts. If there is a NUL byte in it, it ends there.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(0);
        self.ends.push(self.bytes.len());
    }

    /// The array of what was added.
    pub(crate) fn into_array(self) -> CStringArray {
        let starts = iter::once(&0).chain(&self.ends);
        let string = |(&start, &end): (&usize, &usize)| {
            let string = CStr::from_bytes_until_nul(&self.bytes[start..end]).ok()?;
            Some(ThinCStr::from(pinned(string)))
        };
        let pointers = starts.zip(&self.ends).map(string).chain([None]).collect();
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
    /// The strings in this order.
    pub(crate) fn new(strings: Vec<CString>) -> Self {
        Self { refs: strings.iter().map(|string| pinned(string)).collect(), strings }
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

fn pinned(string: &CStr) -> &'static CStr {
    // SAFETY: the bytes are on the heap, where they stay when their owner moves into or with the array, which never
    // changes or drops a string while it lives. What refers to them is given out with the lifetime of the array.
    unsafe { mem::transmute::<&CStr, &'static CStr>(string) }
}
