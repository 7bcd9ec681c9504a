//! The arguments of `fork_exec`, in the order and with the conversions of the running version.

use crate::memory::{NoMemory, room};
use crate::py::{Exception, Object, Owned, Raised, Result, is_raised, raise};
use crate::version::Version;
use core::ffi::{c_int, c_long};
use core::ptr;
use forkexec_core::Fd;
use pyo3_ffi as ffi;

/// The arguments of `fork_exec`.
#[expect(clippy::struct_excessive_bools, reason = "each is a separate argument")]
pub(crate) struct Arguments<'a> {
    pub(crate) args: Object<'a>,
    pub(crate) executables: Object<'a>,
    pub(crate) close_fds: bool,
    pub(crate) fds_to_keep: Object<'a>,
    pub(crate) cwd: Object<'a>,
    pub(crate) env: Object<'a>,
    pub(crate) pipes: Pipes,
    pub(crate) restore_signals: bool,
    pub(crate) setsid: bool,
    /// A value below 0 means none.
    pub(crate) process_group: c_int,
    pub(crate) ids: Option<Ids<'a>>,
    pub(crate) preexec_fn: Option<Object<'a>>,
    pub(crate) allow_vfork: bool,
}

/// The ends of the pipes. -1 means none.
#[derive(Clone, Copy)]
pub(crate) struct Pipes {
    pub(crate) p2cread: Fd,
    pub(crate) p2cwrite: Fd,
    pub(crate) c2pread: Fd,
    pub(crate) c2pwrite: Fd,
    pub(crate) errread: Fd,
    pub(crate) errwrite: Fd,
    pub(crate) errpipe_read: Fd,
    pub(crate) errpipe_write: Fd,
}

/// The arguments that 3.9 added.
#[derive(Clone, Copy)]
pub(crate) struct Ids<'a> {
    pub(crate) gid: Object<'a>,
    pub(crate) groups: Object<'a>,
    pub(crate) uid: Object<'a>,
    /// A value below 0 means none.
    pub(crate) umask: c_int,
}

impl<'a> Arguments<'a> {
    /// Parses the tuple of a call.
    pub(crate) fn parse(tuple: Object<'a>, version: Version) -> Result<Self> {
        check_count(tuple.tuple_len()?, version)?;
        let mut next = Cursor { tuple, index: 0, version };
        Ok(Self {
            args: next.object()?,
            executables: next.object()?,
            close_fds: next.flag()?,
            fds_to_keep: next.tuple()?,
            cwd: next.object()?,
            env: next.object()?,
            pipes: next.pipes()?,
            restore_signals: next.switch()?,
            setsid: next.switch()?,
            process_group: if version.has_process_group() { next.pid()? } else { -1 },
            ids: if version.has_ids() { Some(next.ids()?) } else { None },
            preexec_fn: next.object()?.some(),
            allow_vfork: if version.has_allow_vfork() { next.flag()? } else { true },
        })
    }
}

fn check_count(given: isize, version: Version) -> Result<()> {
    let expected = version.arguments();
    if given == expected {
        return Ok(());
    }
    let text = if version.has_clinic() {
        format!("fork_exec expected {expected} arguments, got {given}")
    } else {
        format!("fork_exec() takes exactly {expected} arguments ({given} given)")
    };
    Err(raise(Exception::Type, &text))
}

struct Cursor<'a> {
    tuple: Object<'a>,
    index: isize,
    version: Version,
}

impl<'a> Cursor<'a> {
    fn object(&mut self) -> Result<Object<'a>> {
        let item = self.tuple.tuple_item(self.index)?;
        self.index += 1;
        Ok(item)
    }

    fn flag(&mut self) -> Result<bool> {
        self.object()?.is_true()
    }

    /// Parses a flag that was an int before the Argument Clinic.
    fn switch(&mut self) -> Result<bool> {
        if self.version.has_clinic() { self.flag() } else { Ok(self.int()? != 0) }
    }

    fn int(&mut self) -> Result<c_int> {
        let object = self.object()?;
        if self.version.has_clinic() { clinic_int(object) } else { parsed_int(object) }
    }

    fn pid(&mut self) -> Result<c_int> {
        if !self.version.truncates_pid() {
            return self.int();
        }
        let mut value: c_long = 0;
        // SAFETY: the unit writes a long.
        unsafe { self.object()?.parse(c"l", &mut value) }?;
        #[expect(clippy::allow_attributes, reason = "a long has 32 bits on some architectures")]
        #[allow(clippy::cast_possible_truncation, reason = "this version of CPython truncates, too")]
        let pid = value as c_int;
        Ok(pid)
    }

    fn tuple(&mut self) -> Result<Object<'a>> {
        let object = self.object()?;
        if object.is_tuple() { Ok(object) } else { Err(refuse_list(self.tuple)) }
    }

    fn pipes(&mut self) -> Result<Pipes> {
        Ok(Pipes {
            p2cread: self.int()?,
            p2cwrite: self.int()?,
            c2pread: self.int()?,
            c2pwrite: self.int()?,
            errread: self.int()?,
            errwrite: self.int()?,
            errpipe_read: self.int()?,
            errpipe_write: self.int()?,
        })
    }

    fn ids(&mut self) -> Result<Ids<'a>> {
        Ok(Ids { gid: self.object()?, groups: self.object()?, uid: self.object()?, umask: self.int()? })
    }
}

/// Converts an int with the interpreter's own parser.
fn parsed_int(object: Object<'_>) -> Result<c_int> {
    let mut value: c_int = 0;
    // SAFETY: the unit writes an int.
    unsafe { object.parse(c"i", &mut value) }?;
    Ok(value)
}

fn clinic_int(object: Object<'_>) -> Result<c_int> {
    let value = long(object)?.and_then(|value| c_int::try_from(value).ok());
    value.ok_or_else(|| raise(Exception::Overflow, "Python int too large to convert to C int"))
}

/// Converts to a C long. Returns `None` if it does not fit.
fn long(object: Object<'_>) -> Result<Option<c_long>> {
    object.long().map(core::result::Result::ok)
}

/// Raises the exception for a keep list, the fourth argument, that is no tuple. The interpreter's own parser makes the
/// message.
fn refuse_list(tuple: Object<'_>) -> Raised {
    // SAFETY: the tuple is alive, and has four items.
    let given = unsafe { ffi::PyTuple_GetSlice(tuple.as_ptr(), 0, 4) };
    // SAFETY: a new reference, or null.
    let Ok(given) = (unsafe { Owned::new(given) }) else { return Raised };
    let (given, format) = (given.get().as_ptr(), c"OOOO!:fork_exec".as_ptr());
    let mut objects = [ptr::null_mut::<ffi::PyObject>(); 4];
    let [args, executables, close_fds, keep] = objects.each_mut().map(ptr::from_mut);
    let tuples = &raw mut ffi::PyTuple_Type;
    // SAFETY: each unit writes one borrowed pointer. The last one checks the type first.
    unsafe {
        ffi::PyArg_ParseTuple(given, format, args, executables, close_fds, tuples, keep);
    }
    Raised
}

/// Converts a keep list to descriptors.
pub(crate) fn fds_to_keep(tuple: Object<'_>) -> Result<Vec<Fd>> {
    let bad = || raise(Exception::Value, "bad value(s) in fds_to_keep");
    let length = tuple.tuple_len()?;
    let mut fds = room(usize::try_from(length).unwrap_or(0)).map_err(NoMemory::raise)?;
    let mut previous = -1;
    for index in 0..length {
        let item = tuple.tuple_item(index)?;
        let fd = if item.is_int() { long(item).ok().flatten() } else { None };
        let fd = fd.and_then(|fd| Fd::try_from(fd).ok()).filter(|&fd| fd > previous).ok_or_else(bad)?;
        previous = fd;
        fds.push(fd);
    }
    debug_assert!(!is_raised());
    Ok(fds)
}
