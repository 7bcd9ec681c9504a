//! A module whose functions panic, for a test in the interpreter. It catches panics with the code of the real entries.

#![allow(dead_code, reason = "the module uses a part of each file")]
#![allow(missing_docs, reason = "an extension module, not a library")]

#[path = "../src/guard.rs"]
mod guard;
#[path = "../src/py.rs"]
mod py;

use core::ptr;
use guard::guard;
use py::{Exception, Owned, raise, without_lock};
use pyo3_ffi as ffi;
use std::panic::panic_any;

/// An import of `panics` calls this.
#[unsafe(no_mangle)]
pub extern "C" fn PyInit_panics() -> *mut ffi::PyObject {
    let panics = ffi::PyMethodDef {
        ml_name: c"panics".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: panics },
        ml_flags: ffi::METH_O,
        ml_doc: ptr::null(),
    };
    let definition = ffi::PyModuleDef {
        m_base: ffi::PyModuleDef_HEAD_INIT,
        m_name: c"panics".as_ptr(),
        m_doc: ptr::null(),
        m_size: -1,
        m_methods: Vec::leak(vec![panics, ffi::PyMethodDef::zeroed()]).as_mut_ptr(),
        m_slots: ptr::null_mut(),
        m_traverse: None,
        m_clear: None,
        m_free: None,
    };
    // SAFETY: the definition is complete, and is never freed.
    unsafe { ffi::PyModule_Create2(Box::leak(Box::new(definition)), ffi::PYTHON_API_VERSION) }
}

/// Panics in a way that the number selects.
unsafe extern "C" fn panics(_module: *mut ffi::PyObject, way: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter passes an object that lives for the call.
    let way = unsafe { ffi::PyLong_AsLong(way) };
    guard(|| {
        match way {
            0 => panic!("a text"),
            1 => panic!("a text with the number {way}"),
            2 => panic_any(5),
            3 => without_lock(|| panic!("without the lock")),
            4 => {
                raise(Exception::Value, "before the panic");
                panic!("after an exception")
            }
            5 => drop(Vec::<u64>::with_capacity(usize::MAX)),
            6 => panic!("a NUL\0 inside"),
            7 => guard(|| panic!("inside"))?,
            _ => {}
        }
        Ok(())
    })
    .and_then(|()| Owned::int(i64::from(way == 8)))
    .map_or(ptr::null_mut(), Owned::into_ptr)
}
