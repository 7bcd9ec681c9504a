//! Definitions of modules, and that of `_posixsubprocess`.

use crate::entries::call_fork_exec;
use crate::py::{Exception, Object, Result, raise};
use crate::version::Version;
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_void};
use core::ptr;
use pyo3_ffi as ffi;
use std::ffi::CString;
use std::sync::OnceLock;

/// Returns the definition of `_posixsubprocess`. Its initialization has two phases, so each subinterpreter gets its own
/// module.
pub(crate) fn definition() -> &'static Definition {
    static DEFINITION: OnceLock<Definition> = OnceLock::new();
    DEFINITION.get_or_init(|| {
        let fork_exec = ffi::PyMethodDef {
            ml_name: c"fork_exec".as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunctionWithKeywords: call_fork_exec },
            ml_flags: ffi::METH_VARARGS | ffi::METH_KEYWORDS,
            ml_doc: doc(Version::running()).as_ptr(),
        };
        Definition::new(c"_posixsubprocess", c"A POSIX helper for the subprocess module.", [fork_exec])
    })
}

/// The definition of a module. The interpreter writes to it, and holds its lock.
pub(crate) struct Definition(Box<UnsafeCell<ffi::PyModuleDef>>);

// SAFETY: only the interpreter writes to it, as to any module's definition.
unsafe impl Sync for Definition {}
// SAFETY: as above.
unsafe impl Send for Definition {}

impl Definition {
    /// Makes a module without state. It lives until the process ends.
    pub(crate) fn new<const N: usize>(
        name: &'static CStr,
        doc: &'static CStr,
        methods: [ffi::PyMethodDef; N],
    ) -> Self {
        let methods: Vec<_> = methods.into_iter().chain([ffi::PyMethodDef::zeroed()]).collect();
        Self(Box::new(UnsafeCell::new(ffi::PyModuleDef {
            m_base: ffi::PyModuleDef_HEAD_INIT,
            m_name: name.as_ptr(),
            m_doc: doc.as_ptr(),
            m_size: 0,
            m_methods: Vec::leak(methods).as_mut_ptr(),
            m_slots: Vec::leak(slots(Version::running())).as_mut_ptr(),
            m_traverse: None,
            m_clear: None,
            m_free: None,
        })))
    }

    /// Returns the result of an import.
    pub(crate) fn init(&'static self) -> *mut ffi::PyObject {
        // SAFETY: the definition is static and complete.
        unsafe { ffi::PyModuleDef_Init(self.0.get()) }
    }
}

/// Returns the slots that the version knows. Each version refuses unknown ones.
fn slots(version: Version) -> Vec<ffi::PyModuleDef_Slot> {
    /// `moduleobject.h` of 3.12: the slot, with the value for a lock in each interpreter.
    const MULTIPLE_INTERPRETERS: (i32, usize) = (3, 2);
    /// `moduleobject.h` of 3.13: the slot, with the value for a module that needs no lock.
    const GIL: (i32, usize) = (4, 1);
    let known = [(12, MULTIPLE_INTERPRETERS), (13, GIL)];
    let known = known.into_iter().filter(|(since, _)| version.0 >= *since).map(|(_, slot)| slot);
    known
        .chain([(0, 0)])
        .map(|(slot, value)| ffi::PyModuleDef_Slot {
            slot,
            value: ptr::without_provenance_mut::<c_void>(value),
        })
        .collect()
}

/// Returns the text that `help` shows. From 3.12 on, it has a signature that `inspect` reads.
fn doc(version: Version) -> &'static CStr {
    let text = "Start a program in a child process and return its pid.

Errors in the child are written to errpipe_write in the form that subprocess reads.";
    let last = if version.has_allow_vfork() { "allow_vfork, /" } else { "/" };
    let signature = format!(
        "fork_exec($module, args, executable_list, close_fds, pass_fds, cwd,
          env, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite,
          errpipe_read, errpipe_write, restore_signals, call_setsid,
          pgid_to_set, gid, extra_groups, uid, child_umask, preexec_fn,
          {last})\n--\n\n"
    );
    let signature = if version.has_clinic() { signature.as_str() } else { "" };
    let doc = CString::new(format!("{signature}{text}")).unwrap_or_default();
    Box::leak(doc.into_boxed_c_str())
}

/// Refuses keywords. The method accepts them only so that the message is that of the running version.
pub(crate) fn refuse_keywords(keywords: Option<Object<'_>>) -> Result<()> {
    if keywords.map_or(Ok(false), Object::is_true)? {
        let name = if Version::running().has_clinic() { "_posixsubprocess.fork_exec" } else { "fork_exec" };
        return Err(raise(Exception::Type, &format!("{name}() takes no keyword arguments")));
    }
    Ok(())
}
