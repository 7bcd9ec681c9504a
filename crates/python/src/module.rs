//! Modules as the interpreter imports them: `_posixsubprocess`, and what it is made of.

use crate::entries::call_fork_exec;
use crate::py::{Exception, Object, Result, raise};
use crate::version::Version;
use core::cell::UnsafeCell;
use core::ffi::{CStr, c_void};
use core::ptr;
use pyo3_ffi as ffi;
use std::ffi::CString;
use std::sync::OnceLock;

/// The module `_posixsubprocess`, defined in two phases, so that each interpreter gets a module of its own.
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

/// What the interpreter writes to under its lock.
pub(crate) struct Definition(Box<UnsafeCell<ffi::PyModuleDef>>);

// SAFETY: only the interpreter writes to it, as to any module's definition.
unsafe impl Sync for Definition {}
// SAFETY: as above.
unsafe impl Send for Definition {}

impl Definition {
    /// A module without a state of its own. It is there for as long as the process is.
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

    /// What an import gets.
    pub(crate) fn init(&'static self) -> *mut ffi::PyObject {
        // SAFETY: the definition is a static's, and complete.
        unsafe { ffi::PyModuleDef_Init(self.0.get()) }
    }
}

/// Each version refuses a slot that it does not know.
fn slots(version: Version) -> Vec<ffi::PyModuleDef_Slot> {
    /// `moduleobject.h` of 3.12: the slot, and a lock for each interpreter.
    const MULTIPLE_INTERPRETERS: (i32, usize) = (3, 2);
    /// `moduleobject.h` of 3.13: the slot, and no need of the lock.
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

/// What `help` shows. The versions from 3.12 on have a signature that `inspect` reads.
fn doc(version: Version) -> &'static CStr {
    let text = "Start a program in a child process and return its pid.

What fails in the child is written to errpipe_write in the form that subprocess reads.";
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

/// Keywords are taken only to be refused in the words of the version, which the flags of a method do not choose.
pub(crate) fn refuse_keywords(keywords: Option<Object<'_>>) -> Result<()> {
    if keywords.map_or(Ok(false), Object::is_true)? {
        let name = if Version::running().has_clinic() { "_posixsubprocess.fork_exec" } else { "fork_exec" };
        return Err(raise(Exception::Type, &format!("{name}() takes no keyword arguments")));
    }
    Ok(())
}
