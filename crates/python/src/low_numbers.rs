//! The module `low_numbers`: descriptor numbers below 64 that are reserved for starting children in constant time.
//!
//! A module of its own, because `_posixsubprocess` has the names that the interpreter's has, and no other.

use crate::module::Definition;
use crate::py::{Exception, Object, Owned, Result, raise, raise_errno};
use core::ptr;
use pyo3_ffi as ffi;
use std::sync::OnceLock;

/// The entry that an import calls.
#[unsafe(no_mangle)]
#[expect(unreachable_pub, reason = "the loader finds it by name")]
pub extern "C" fn PyInit__low_numbers() -> *mut ffi::PyObject {
    static DEFINITION: OnceLock<Definition> = OnceLock::new();
    let definition = DEFINITION.get_or_init(|| {
        let reserve = ffi::PyMethodDef {
            ml_name: c"reserve".as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: reserve },
            ml_flags: ffi::METH_O,
            ml_doc: c"Reserve so many numbers, 16 at most (0: none, never), and return how many are."
                .as_ptr(),
        };
        let descriptors = ffi::PyMethodDef {
            ml_name: c"descriptors".as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: descriptors },
            ml_flags: ffi::METH_NOARGS,
            ml_doc: c"The descriptors that are open for it.".as_ptr(),
        };
        Definition::new(
            c"_low_numbers",
            c"Low descriptor numbers for starting children.",
            [reserve, descriptors],
        )
    });
    definition.init()
}

unsafe extern "C" fn reserve(_module: *mut ffi::PyObject, count: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter passes an object that lives for the call.
    let Some(count) = (unsafe { Object::borrow(count) }) else { return ptr::null_mut() };
    reserve_numbers(count).map_or(ptr::null_mut(), Owned::into_ptr)
}

fn reserve_numbers(count: Object<'_>) -> Result<Owned> {
    let refused = || raise(Exception::Value, "low_numbers is a number from 0 to 16");
    let count = count.index()?.get().long()?.map_err(|_| refused())?;
    let count = usize::try_from(count).ok().filter(|&count| count <= MOST).ok_or_else(refused)?;
    let reserved = forkexec::reserve_low_slots(count);
    let reserved = reserved.map_err(|error| raise_errno(error.raw_os_error().unwrap_or_default()))?;
    Owned::int(i64::try_from(reserved).unwrap_or_default())
}

/// As many as `forkexec::reserve_low_slots` takes.
const MOST: usize = 16;

unsafe extern "C" fn descriptors(_module: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    Owned::ints(&forkexec::low_slots()).map_or(ptr::null_mut(), Owned::into_ptr)
}
