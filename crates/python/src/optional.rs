//! Functions of CPython that are younger than the stable ABI of 3.8, or not part of it: looked up by name in the running
//! interpreter.

use crate::py::{Object, Raised, Result};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::transmute_copy;
use std::sync::OnceLock;

/// A function without arguments that returns an int.
type Question = unsafe extern "C" fn() -> c_int;
/// One that returns a pointer to what is not looked into.
type Getter = unsafe extern "C" fn() -> *mut pyo3_ffi::PyInterpreterState;

/// The one that tells the audit hooks.
type Audit = unsafe extern "C" fn(*const c_char, *const c_char, ...) -> c_int;

fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name ends with a NUL.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

fn question(cell: &OnceLock<Option<Question>>, names: &[&CStr]) -> Option<c_int> {
    let function = *cell.get_or_init(|| {
        let found = names.iter().find_map(|name| find(name))?;
        // SAFETY: a function of this type has the name.
        Some(unsafe { transmute_copy::<*mut c_void, Question>(&found) })
    });
    // SAFETY: it takes nothing, and the thread has the interpreter's lock.
    function.map(|function| unsafe { function() })
}

/// Switches the garbage collector off and says whether it was on (3.10).
pub(crate) fn gc_disable() -> Option<bool> {
    static DISABLE: OnceLock<Option<Question>> = OnceLock::new();
    question(&DISABLE, &[c"PyGC_Disable"]).map(|was_on| was_on != 0)
}

/// Switches the garbage collector on (3.10).
pub(crate) fn gc_enable() {
    static ENABLE: OnceLock<Option<Question>> = OnceLock::new();
    question(&ENABLE, &[c"PyGC_Enable"]);
}

/// Whether the interpreter is at its end: public since 3.13.
pub(crate) fn is_finalizing() -> bool {
    static FINALIZING: OnceLock<Option<Question>> = OnceLock::new();
    question(&FINALIZING, &[c"Py_IsFinalizing", c"_Py_IsFinalizing"]).is_some_and(|is| is != 0)
}

/// `PythonFinalizationError` (3.13).
pub(crate) fn finalization_error() -> Option<*mut pyo3_ffi::PyObject> {
    let place = find(c"PyExc_PythonFinalizationError")?.cast::<*mut pyo3_ffi::PyObject>();
    // SAFETY: a variable of this type has the name, and was set before any module was imported.
    Some(unsafe { place.read() })
}

/// Whether this is the main interpreter: public since 3.9.
pub(crate) fn is_main_interpreter() -> bool {
    static GET: OnceLock<Option<Getter>> = OnceLock::new();
    let get = *GET.get_or_init(|| {
        let names = [c"PyInterpreterState_Get", c"_PyInterpreterState_Get"];
        let found = names.into_iter().find_map(find)?;
        // SAFETY: a function of this type has the name.
        Some(unsafe { transmute_copy::<*mut c_void, Getter>(&found) })
    });
    let Some(get) = get else { return true };
    // SAFETY: it takes nothing, and the thread has an interpreter.
    let interpreter = unsafe { get() };
    // SAFETY: the interpreter that runs.
    (unsafe { pyo3_ffi::PyInterpreterState_GetID(interpreter) }) == 0
}

/// Tells the audit hooks of an event with three arguments. One of them may raise (in the stable ABI since 3.13).
pub(crate) fn audit(event: &CStr, [first, second, third]: [Object<'_>; 3]) -> Result<()> {
    static AUDIT: OnceLock<Option<Audit>> = OnceLock::new();
    let audit = *AUDIT.get_or_init(|| {
        let found = find(c"PySys_Audit")?;
        // SAFETY: a function of this type has the name.
        Some(unsafe { transmute_copy::<*mut c_void, Audit>(&found) })
    });
    let Some(audit) = audit else { return Ok(()) };
    let (event, format) = (event.as_ptr(), c"OOO".as_ptr());
    // SAFETY: the format names three objects, which live; both texts end with a NUL.
    match unsafe { audit(event, format, first.as_ptr(), second.as_ptr(), third.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Raised),
    }
}
