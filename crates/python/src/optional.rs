//! Functions of CPython that are newer than the stable ABI of 3.8, or not part of it. They are looked up by name in the
//! running interpreter.

use crate::py::{Object, Raised, Result};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::transmute_copy;
use std::sync::OnceLock;

/// A function without arguments that returns an int.
type Question = unsafe extern "C" fn() -> c_int;
/// A function without arguments that returns an opaque pointer.
type Getter = unsafe extern "C" fn() -> *mut pyo3_ffi::PyInterpreterState;

/// The function that calls the audit hooks.
type Audit = unsafe extern "C" fn(*const c_char, *const c_char, ...) -> c_int;

fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends with a NUL.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

fn question(cell: &OnceLock<Option<Question>>, names: &[&CStr]) -> Option<c_int> {
    let function = *cell.get_or_init(|| {
        let found = names.iter().find_map(|name| find(name))?;
        // SAFETY: the function with this name has this type.
        Some(unsafe { transmute_copy::<*mut c_void, Question>(&found) })
    });
    // SAFETY: the function takes no arguments, and the thread holds the interpreter's lock.
    function.map(|function| unsafe { function() })
}

/// Disables the garbage collector (3.10). Returns true if it was enabled.
pub(crate) fn gc_disable() -> Option<bool> {
    static DISABLE: OnceLock<Option<Question>> = OnceLock::new();
    question(&DISABLE, &[c"PyGC_Disable"]).map(|was_on| was_on != 0)
}

/// Enables the garbage collector (3.10).
pub(crate) fn gc_enable() {
    static ENABLE: OnceLock<Option<Question>> = OnceLock::new();
    question(&ENABLE, &[c"PyGC_Enable"]);
}

/// Returns true if the interpreter is shutting down. The function is public since 3.13.
pub(crate) fn is_finalizing() -> bool {
    static FINALIZING: OnceLock<Option<Question>> = OnceLock::new();
    question(&FINALIZING, &[c"Py_IsFinalizing", c"_Py_IsFinalizing"]).is_some_and(|is| is != 0)
}

/// Returns `PythonFinalizationError` (3.13).
pub(crate) fn finalization_error() -> Option<*mut pyo3_ffi::PyObject> {
    let place = find(c"PyExc_PythonFinalizationError")?.cast::<*mut pyo3_ffi::PyObject>();
    // SAFETY: the variable with this name has this type, and was set before any module was imported.
    Some(unsafe { place.read() })
}

/// Returns true in the main interpreter. The function is public since 3.9.
pub(crate) fn is_main_interpreter() -> bool {
    static GET: OnceLock<Option<Getter>> = OnceLock::new();
    let get = *GET.get_or_init(|| {
        let names = [c"PyInterpreterState_Get", c"_PyInterpreterState_Get"];
        let found = names.into_iter().find_map(find)?;
        // SAFETY: the function with this name has this type.
        Some(unsafe { transmute_copy::<*mut c_void, Getter>(&found) })
    });
    let Some(get) = get else { return true };
    // SAFETY: the function takes no arguments, and the thread has an interpreter.
    let interpreter = unsafe { get() };
    // SAFETY: this is the running interpreter.
    (unsafe { pyo3_ffi::PyInterpreterState_GetID(interpreter) }) == 0
}

/// Calls the audit hooks for an event with three arguments. A hook can raise. The function is in the stable ABI since 3.13.
pub(crate) fn audit(event: &CStr, [first, second, third]: [Object<'_>; 3]) -> Result<()> {
    static AUDIT: OnceLock<Option<Audit>> = OnceLock::new();
    let audit = *AUDIT.get_or_init(|| {
        let found = find(c"PySys_Audit")?;
        // SAFETY: the function with this name has this type.
        Some(unsafe { transmute_copy::<*mut c_void, Audit>(&found) })
    });
    let Some(audit) = audit else { return Ok(()) };
    let (event, format) = (event.as_ptr(), c"OOO".as_ptr());
    // SAFETY: the format names three objects, which are alive. Both texts end with a NUL.
    match unsafe { audit(event, format, first.as_ptr(), second.as_ptr(), third.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Raised),
    }
}
