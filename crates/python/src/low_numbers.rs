//! The module `low_numbers`: reserved descriptor numbers below 64, for starting children in constant time.
//!
//! It is a separate module, because `_posixsubprocess` has exactly the names of the interpreter's module.

use crate::entries::{call_descriptors, call_reserve};
use crate::module::Definition;
use crate::py::{Exception, Object, Owned, Result, raise, raise_errno};
use pyo3_ffi as ffi;
use std::sync::OnceLock;

/// Returns the definition of the module.
pub(crate) fn definition() -> &'static Definition {
    static DEFINITION: OnceLock<Definition> = OnceLock::new();
    DEFINITION.get_or_init(|| {
        let reserve = ffi::PyMethodDef {
            ml_name: c"reserve".as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: call_reserve },
            ml_flags: ffi::METH_O,
            ml_doc:
                c"Reserve count numbers (0 to 16; 0: none, also later), and return how many are reserved."
                    .as_ptr(),
        };
        let descriptors = ffi::PyMethodDef {
            ml_name: c"descriptors".as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: call_descriptors },
            ml_flags: ffi::METH_NOARGS,
            ml_doc: c"Return the descriptors that are open for the reservation.".as_ptr(),
        };
        Definition::new(
            c"_low_numbers",
            c"Reserved low descriptor numbers for starting children.",
            [reserve, descriptors],
        )
    })
}

pub(crate) fn reserve(count: Object<'_>) -> Result<Owned> {
    let refused = || raise(Exception::Value, "low_numbers must be a number from 0 to 16");
    let count = count.index()?.get().long()?.map_err(|_| refused())?;
    let count = usize::try_from(count).ok().filter(|&count| count <= MOST).ok_or_else(refused)?;
    let reserved = forkexec::reserve_low_fds(count);
    let reserved = reserved.map_err(|error| raise_errno(error.raw_os_error().unwrap_or_default()))?;
    Owned::int(i64::try_from(reserved).unwrap_or_default())
}

/// The highest number that `forkexec::reserve_low_fds` accepts.
pub(crate) const MOST: usize = 16;

pub(crate) fn descriptors() -> Result<Owned> {
    Owned::ints(&forkexec::low_fds())
}
