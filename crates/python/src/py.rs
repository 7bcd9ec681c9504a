//! The few objects and calls of CPython's API that are needed, each as one safe function.
//!
//! Whoever has an [`Object`] was called by the interpreter, so the thread has the interpreter's lock for as long as the
//! object is borrowed: that is what every call here stands on. The one that gives the lock up is [`without_lock`].

use core::ffi::{CStr, c_char, c_int, c_long};
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use pyo3_ffi as ffi;
use std::ffi::CString;

/// An exception is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raised;

pub(crate) type Result<T> = core::result::Result<T, Raised>;

/// A borrowed object.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a>(NonNull<ffi::PyObject>, PhantomData<&'a ffi::PyObject>);

/// An owned reference.
pub(crate) struct Owned(NonNull<ffi::PyObject>);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the reference is this one's own.
        unsafe { ffi::Py_DecRef(self.0.as_ptr()) }
    }
}

impl Owned {
    /// Takes over a new reference, or the exception in its place.
    ///
    /// # Safety
    ///
    /// The pointer is a new reference, or null with an exception set.
    pub(crate) unsafe fn new(pointer: *mut ffi::PyObject) -> Result<Self> {
        NonNull::new(pointer).map(Self).ok_or(Raised)
    }

    pub(crate) fn get(&self) -> Object<'_> {
        Object(self.0, PhantomData)
    }

    /// Gives the reference away.
    pub(crate) fn into_ptr(self) -> *mut ffi::PyObject {
        let pointer = self.0.as_ptr();
        core::mem::forget(self);
        pointer
    }

    /// A list of ints.
    pub(crate) fn ints(values: &[c_int]) -> Result<Self> {
        // SAFETY: an empty list.
        let list = unsafe { ffi::PyList_New(0) };
        // SAFETY: a new reference, or null.
        let list = unsafe { Self::new(list) }?;
        for &value in values {
            let value = Self::int(value.into())?;
            // SAFETY: both live.
            if unsafe { ffi::PyList_Append(list.0.as_ptr(), value.0.as_ptr()) } != 0 {
                return Err(Raised);
            }
        }
        Ok(list)
    }

    /// A tuple of so many items, none of which is set yet.
    pub(crate) fn tuple(length: isize) -> Result<Self> {
        // SAFETY: any length may be asked for.
        let tuple = unsafe { ffi::PyTuple_New(length) };
        // SAFETY: a new reference, or null.
        unsafe { Self::new(tuple) }
    }

    /// Sets an item of a tuple that nothing else refers to yet.
    pub(crate) fn set_item(&self, index: isize, item: Self) -> Result<()> {
        // SAFETY: the tuple lives, and the reference to the item is given away.
        match unsafe { ffi::PyTuple_SetItem(self.0.as_ptr(), index, item.into_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised),
        }
    }

    /// The same `bytes`, or a copy of those that are of a subclass, which may have a finalizer.
    pub(crate) fn plain_bytes(self) -> Result<Self> {
        // SAFETY: it lives.
        if unsafe { ffi::PyBytes_CheckExact(self.0.as_ptr()) } != 0 {
            return Ok(self);
        }
        let text = self.get().c_str()?;
        // SAFETY: as many bytes as the object has.
        let copy = unsafe { ffi::PyBytes_FromStringAndSize(text.as_ptr(), text.count_bytes().cast_signed()) };
        // SAFETY: a new reference, or null.
        unsafe { Self::new(copy) }
    }

    pub(crate) fn int(value: i64) -> Result<Self> {
        // SAFETY: an integer of C.
        let object = unsafe { ffi::PyLong_FromLongLong(value) };
        // SAFETY: a new reference, or null.
        unsafe { Self::new(object) }
    }
}

impl<'a> Object<'a> {
    /// # Safety
    ///
    /// The pointer is null, or an object that lives for `'a`.
    pub(crate) unsafe fn borrow(pointer: *mut ffi::PyObject) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self(pointer, PhantomData))
    }

    /// An argument that the interpreter passes.
    ///
    /// # Safety
    ///
    /// As for [`Object::borrow`].
    pub(crate) unsafe fn argument(pointer: *mut ffi::PyObject) -> Result<Self> {
        // SAFETY: the caller's promise.
        unsafe { Self::borrow(pointer) }.ok_or_else(|| raise(Exception::System, "an argument is null"))
    }

    pub(crate) fn as_ptr(self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    pub(crate) fn is_none(self) -> bool {
        // SAFETY: a pointer is compared.
        (unsafe { ffi::Py_IsNone(self.as_ptr()) }) != 0
    }

    /// Itself, unless it is `None`.
    pub(crate) fn some(self) -> Option<Self> {
        (!self.is_none()).then_some(self)
    }

    pub(crate) fn is_list(self) -> bool {
        // SAFETY: it lives.
        (unsafe { ffi::PyList_Check(self.as_ptr()) }) != 0
    }

    pub(crate) fn is_tuple(self) -> bool {
        // SAFETY: it lives.
        (unsafe { ffi::PyTuple_Check(self.as_ptr()) }) != 0
    }

    pub(crate) fn is_int(self) -> bool {
        // SAFETY: it lives.
        (unsafe { ffi::PyLong_Check(self.as_ptr()) }) != 0
    }

    pub(crate) fn is_true(self) -> Result<bool> {
        // SAFETY: it lives.
        match unsafe { ffi::PyObject_IsTrue(self.as_ptr()) } {
            -1 => Err(Raised),
            truth => Ok(truth != 0),
        }
    }

    /// `len` of a sequence.
    pub(crate) fn len(self) -> Result<isize> {
        // SAFETY: it lives.
        match unsafe { ffi::PySequence_Size(self.as_ptr()) } {
            -1 => Err(Raised),
            length => Ok(length),
        }
    }

    pub(crate) fn item(self, index: isize) -> Result<Owned> {
        // SAFETY: it lives; any index may be asked for.
        let item = unsafe { ffi::PySequence_GetItem(self.as_ptr(), index) };
        // SAFETY: a new reference, or null.
        unsafe { Owned::new(item) }
    }

    /// How many items a tuple has. A subclass cannot say otherwise.
    pub(crate) fn tuple_len(self) -> Result<isize> {
        // SAFETY: it lives. Of what is no tuple there is an exception.
        match unsafe { ffi::PyTuple_Size(self.as_ptr()) } {
            -1 => Err(Raised),
            length => Ok(length),
        }
    }

    /// An item of a tuple. A subclass cannot give another.
    pub(crate) fn tuple_item(self, index: isize) -> Result<Object<'a>> {
        // SAFETY: it lives; there is an exception for an index beyond its end.
        let item = unsafe { ffi::PyTuple_GetItem(self.as_ptr(), index) };
        // SAFETY: the tuple, which never changes, holds the item.
        unsafe { Object::borrow(item) }.ok_or(Raised)
    }

    /// A list or tuple with the same items: itself, if it is one.
    pub(crate) fn fast_sequence(self, complaint: &CStr) -> Result<Owned> {
        // SAFETY: it lives, and the text ends with a NUL.
        let sequence = unsafe { ffi::PySequence_Fast(self.as_ptr(), complaint.as_ptr()) };
        // SAFETY: a new reference, or null.
        unsafe { Owned::new(sequence) }
    }

    /// The bytes of a `bytes` without a NUL inside.
    pub(crate) fn c_str(self) -> Result<&'a CStr> {
        let mut bytes: *mut c_char = ptr::null_mut();
        // SAFETY: it lives; where no length is asked for, bytes with a NUL inside are refused.
        let failed = unsafe { ffi::PyBytes_AsStringAndSize(self.as_ptr(), &raw mut bytes, ptr::null_mut()) };
        if failed != 0 {
            return Err(Raised);
        }
        // SAFETY: the bytes of the object, which never change and end with a NUL.
        Ok(unsafe { CStr::from_ptr(bytes) })
    }

    /// The `bytes` of a path, a string or bytes, in the file system's encoding.
    pub(crate) fn fs_encoded(self) -> Result<Owned> {
        let mut encoded: *mut ffi::PyObject = ptr::null_mut();
        // SAFETY: it lives, and a reference is written.
        let done = unsafe { ffi::PyUnicode_FSConverter(self.as_ptr(), (&raw mut encoded).cast()) };
        if done == 0 {
            return Err(Raised);
        }
        // SAFETY: a new reference.
        unsafe { Owned::new(encoded) }
    }

    /// An `int` as C's long, and on which side it overflows.
    pub(crate) fn long(self) -> Result<core::result::Result<c_long, Overflow>> {
        let mut overflow: c_int = 0;
        // SAFETY: it lives.
        let value = unsafe { ffi::PyLong_AsLongAndOverflow(self.as_ptr(), &raw mut overflow) };
        match overflow {
            0 if value == -1 && is_raised() => Err(Raised),
            0 => Ok(Ok(value)),
            1.. => Ok(Err(Overflow::Above)),
            _ => Ok(Err(Overflow::Below)),
        }
    }

    /// An `int` of what is one or stands for one.
    pub(crate) fn index(self) -> Result<Owned> {
        // SAFETY: it lives.
        let index = unsafe { ffi::PyNumber_Index(self.as_ptr()) };
        // SAFETY: a new reference, or null.
        unsafe { Owned::new(index) }
    }

    /// What a format of one unit makes of it.
    ///
    /// # Safety
    ///
    /// `value` is what the format writes.
    pub(crate) unsafe fn parse<T>(self, format: &CStr, value: &mut T) -> Result<()> {
        // SAFETY: it lives, and the caller's promise.
        let done = unsafe { ffi::PyArg_Parse(self.as_ptr(), format.as_ptr(), ptr::from_mut(value)) };
        if done == 0 { Err(Raised) } else { Ok(()) }
    }

    pub(crate) fn attribute(self, name: &CStr) -> Result<Owned> {
        // SAFETY: it lives, and the name ends with a NUL.
        let value = unsafe { ffi::PyObject_GetAttrString(self.as_ptr(), name.as_ptr()) };
        // SAFETY: a new reference, or null.
        unsafe { Owned::new(value) }
    }

    pub(crate) fn call(self) -> Result<Owned> {
        // SAFETY: it lives; no arguments.
        let result = unsafe { ffi::PyObject_CallObject(self.as_ptr(), ptr::null_mut()) };
        // SAFETY: a new reference, or null.
        unsafe { Owned::new(result) }
    }

    /// Whether `item` is in it.
    pub(crate) fn contains(self, item: &CStr) -> Result<bool> {
        let item = text(item)?;
        // SAFETY: both live.
        match unsafe { ffi::PySequence_Contains(self.as_ptr(), item.get().as_ptr()) } {
            -1 => Err(Raised),
            found => Ok(found != 0),
        }
    }

    /// The name of its type, after the last dot, in UTF-8 and followed by a NUL. No metaclass is asked.
    fn type_name(self) -> Result<Owned> {
        let types = (&raw mut ffi::PyType_Type).cast();
        // SAFETY: a static of the interpreter's.
        let types = unsafe { Self::argument(types) }?;
        let attributes = types.attribute(c"__dict__")?;
        // SAFETY: it lives, and the name ends with a NUL.
        let name = unsafe { ffi::PyMapping_GetItemString(attributes.0.as_ptr(), c"__name__".as_ptr()) };
        // SAFETY: a new reference, or null.
        let name = unsafe { Owned::new(name) }?;
        // SAFETY: it lives, and so does its type.
        let kind = unsafe { ffi::PyObject_Type(self.as_ptr()) };
        // SAFETY: a new reference.
        let kind = unsafe { Owned::new(kind) }?;
        let (get, format) = (c"__get__".as_ptr(), c"O".as_ptr());
        // SAFETY: both live; the format names one object.
        let name = unsafe { ffi::PyObject_CallMethod(name.0.as_ptr(), get, format, kind.0.as_ptr()) };
        // SAFETY: a new reference, or null.
        let name = unsafe { Owned::new(name) }?;
        // SAFETY: it lives.
        let name = unsafe { ffi::PyUnicode_AsUTF8String(name.0.as_ptr()) };
        // SAFETY: a new reference, or null.
        unsafe { Owned::new(name) }
    }
}

/// On which side of C's numbers a number lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    Below,
    Above,
}

/// The exceptions that are raised here.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Exception {
    Overflow,
    Runtime,
    System,
    Type,
    Value,
}

/// Raises an exception.
pub(crate) fn raise(exception: Exception, text: &str) -> Raised {
    let kind = match exception {
        // SAFETY: a static of the interpreter's.
        Exception::Overflow => unsafe { ffi::PyExc_OverflowError },
        // SAFETY: as above.
        Exception::Runtime => unsafe { ffi::PyExc_RuntimeError },
        // SAFETY: as above.
        Exception::System => unsafe { ffi::PyExc_SystemError },
        // SAFETY: as above.
        Exception::Type => unsafe { ffi::PyExc_TypeError },
        // SAFETY: as above.
        Exception::Value => unsafe { ffi::PyExc_ValueError },
    };
    raise_type(kind, text)
}

/// Raises an exception of this type.
pub(crate) fn raise_type(kind: *mut ffi::PyObject, text: &str) -> Raised {
    let text = CString::new(text).unwrap_or_default();
    // SAFETY: the type lives, and the text ends with a NUL.
    unsafe { ffi::PyErr_SetString(kind, text.as_ptr()) };
    Raised
}

/// Raises the `TypeError` for an id that is no integer, in the interpreter's words.
pub(crate) fn raise_not_integer(what: &CStr, object: Object<'_>) -> Raised {
    let name = match object.type_name() {
        Ok(name) => name,
        Err(raised) => return raised,
    };
    let name = name.get().c_str().unwrap_or(c"object");
    let after_dot = name.to_bytes_with_nul().rsplit(|&byte| byte == b'.').next().unwrap_or(b"\0");
    // SAFETY: a static of the interpreter's.
    let kind = unsafe { ffi::PyExc_TypeError };
    let format = c"%s should be integer, not %.200s".as_ptr();
    // SAFETY: the format names two texts, and both end with a NUL.
    unsafe {
        ffi::PyErr_Format(kind, format, what.as_ptr(), after_dot.as_ptr().cast::<c_char>());
    }
    Raised
}

/// Raises `MemoryError`.
pub(crate) fn raise_no_memory() -> Raised {
    // SAFETY: nothing is passed.
    unsafe {
        ffi::PyErr_NoMemory();
    }
    Raised
}

/// Raises the `OSError` of an errno.
pub(crate) fn raise_errno(errno: i32) -> Raised {
    ::errno::set_errno(::errno::Errno(errno));
    // SAFETY: a static of the interpreter's.
    let kind = unsafe { ffi::PyExc_OSError };
    // SAFETY: the type lives.
    unsafe { ffi::PyErr_SetFromErrno(kind) };
    Raised
}

pub(crate) fn is_raised() -> bool {
    // SAFETY: a question.
    !unsafe { ffi::PyErr_Occurred() }.is_null()
}

pub(crate) fn clear() {
    // SAFETY: nothing is passed.
    unsafe { ffi::PyErr_Clear() }
}

/// Does something while no exception is set, and sets the one that was.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    let (mut kind, mut value, mut trace) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: three references are written, or null.
    unsafe {
        ffi::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut trace);
    }
    let result = work();
    if !kind.is_null() {
        // SAFETY: the three references that were fetched.
        unsafe {
            ffi::PyErr_Restore(kind, value, trace);
        }
    }
    result
}

fn text(text: &CStr) -> Result<Owned> {
    // SAFETY: the text ends with a NUL.
    let text = unsafe { ffi::PyUnicode_FromString(text.as_ptr()) };
    // SAFETY: a new reference, or null.
    unsafe { Owned::new(text) }
}

/// Imports a module.
pub(crate) fn import(name: &CStr) -> Result<Owned> {
    // SAFETY: the name ends with a NUL.
    let module = unsafe { ffi::PyImport_ImportModule(name.as_ptr()) };
    // SAFETY: a new reference, or null.
    unsafe { Owned::new(module) }
}

/// A module that was imported, if it was. No exception is set afterwards.
pub(crate) fn imported(name: &CStr) -> Option<Owned> {
    let name = text(name).ok()?;
    // SAFETY: it lives.
    let module = unsafe { ffi::PyImport_GetModule(name.get().as_ptr()) };
    // SAFETY: a new reference, or null.
    let module = unsafe { Owned::new(module) };
    module.inspect_err(|_| clear()).ok()
}

/// Does something while other threads may have the interpreter's lock. It touches no object.
pub(crate) fn without_lock<T>(work: impl FnOnce() -> T) -> T {
    /// Takes the lock back, also if the work panics.
    struct Released(*mut ffi::PyThreadState);

    impl Drop for Released {
        fn drop(&mut self) {
            // SAFETY: the state that was saved when the lock was released.
            unsafe { ffi::PyEval_RestoreThread(self.0) }
        }
    }

    // SAFETY: this thread has the lock.
    let _released = Released(unsafe { ffi::PyEval_SaveThread() });
    work()
}
