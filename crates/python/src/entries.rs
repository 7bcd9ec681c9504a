//! The functions that the interpreter calls. Each one only calls [`enter`].

use crate::fork_exec::fork_exec;
use crate::guard::guard;
use crate::low_numbers::{self, descriptors, reserve};
use crate::module;
use crate::py::{Object, Owned, Result};
use core::ptr;
use pyo3_ffi as ffi;

/// Runs the work of an entry and returns its result to C. If the work fails or panics, returns null with an exception set.
fn enter(work: impl FnOnce() -> Result<*mut ffi::PyObject>) -> *mut ffi::PyObject {
    guard(work).unwrap_or(ptr::null_mut())
}

/// An import of `_posixsubprocess` calls this.
#[unsafe(no_mangle)]
#[expect(unreachable_pub, reason = "the loader finds it by name")]
pub extern "C" fn PyInit__posixsubprocess() -> *mut ffi::PyObject {
    enter(|| Ok(module::definition().init()))
}

/// An import of `_low_numbers` calls this.
#[unsafe(no_mangle)]
#[expect(unreachable_pub, reason = "the loader finds it by name")]
pub extern "C" fn PyInit__low_numbers() -> *mut ffi::PyObject {
    enter(|| Ok(low_numbers::definition().init()))
}

/// `_posixsubprocess.fork_exec`
pub(crate) unsafe extern "C" fn call_fork_exec(
    _module: *mut ffi::PyObject,
    tuple: *mut ffi::PyObject,
    keywords: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    enter(|| {
        // SAFETY: the interpreter passes a tuple that lives for the call.
        let tuple = unsafe { Object::argument(tuple) }?;
        // SAFETY: a dictionary that lives for the call, or null.
        let keywords = unsafe { Object::borrow(keywords) };
        module::refuse_keywords(keywords)?;
        fork_exec(tuple).map(Owned::into_ptr)
    })
}

/// `_low_numbers.reserve`
pub(crate) unsafe extern "C" fn call_reserve(
    _module: *mut ffi::PyObject,
    count: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    enter(|| {
        // SAFETY: the interpreter passes an object that lives for the call.
        let count = unsafe { Object::argument(count) }?;
        reserve(count).map(Owned::into_ptr)
    })
}

/// `_low_numbers.descriptors`
pub(crate) unsafe extern "C" fn call_descriptors(
    _module: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    enter(|| descriptors().map(Owned::into_ptr))
}
