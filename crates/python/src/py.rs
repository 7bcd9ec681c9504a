//! The objects and calls of CPython's API that this library needs, as safe functions.
//!
//! Code that has an [`Object`] was called by the interpreter, so the thread holds the interpreter's lock as long as the
//! object is borrowed. All calls here depend on that. Only [`without_lock`] releases the lock.

use core::ffi::{CStr, c_char, c_int, c_long};
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use pyo3_ffi as ffi;
use std::ffi::CString;

/// The error of a call that has set an exception.
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
        // SAFETY: this value owns the reference.
        unsafe { ffi::Py_DecRef(self.0.as_ptr()) }
    }
}

impl Owned {
    /// Takes ownership of a new reference. Null means that an exception is set.
    ///
    /// # Safety
    ///
    /// The pointer must be a new reference, or null with an exception set.
    pub(crate) unsafe fn new(pointer: *mut ffi::PyObject) -> Result<Self> {
        NonNull::new(pointer).map(Self).ok_or(Raised)
    }

    pub(crate) fn get(&self) -> Object<'_> {
        Object(self.0, PhantomData)
    }

    /// Returns the reference, and gives up ownership.
    pub(crate) fn into_ptr(self) -> *mut ffi::PyObject {
        let pointer = self.0.as_ptr();
        core::mem::forget(self);
        pointer
    }

    /// Makes a list of ints.
    pub(crate) fn ints(values: &[c_int]) -> Result<Self> {
        // SAFETY: a list can have length 0.
        let list = unsafe { ffi::PyList_New(0) };
        // SAFETY: the call returns a new reference, or null.
        let list = unsafe { Self::new(list) }?;
        for &value in values {
            let value = Self::int(value.into())?;
            // SAFETY: both objects are alive.
            if unsafe { ffi::PyList_Append(list.0.as_ptr(), value.0.as_ptr()) } != 0 {
                return Err(Raised);
            }
        }
        Ok(list)
    }

    /// Makes a tuple with unset items.
    pub(crate) fn tuple(length: isize) -> Result<Self> {
        // SAFETY: the call checks the length.
        let tuple = unsafe { ffi::PyTuple_New(length) };
        // SAFETY: the call returns a new reference, or null.
        unsafe { Self::new(tuple) }
    }

    /// Sets an item of a new tuple, to which there is no other reference.
    pub(crate) fn set_item(&self, index: isize, item: Self) -> Result<()> {
        // SAFETY: the tuple is alive, and the call takes the reference to the item.
        match unsafe { ffi::PyTuple_SetItem(self.0.as_ptr(), index, item.into_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised),
        }
    }

    /// Returns the same `bytes`, or a copy if it is of a subclass, which can have a finalizer.
    pub(crate) fn plain_bytes(self) -> Result<Self> {
        // SAFETY: the object is alive.
        if unsafe { ffi::PyBytes_CheckExact(self.0.as_ptr()) } != 0 {
            return Ok(self);
        }
        let text = self.get().c_str()?;
        #[expect(clippy::cast_possible_wrap, reason = "no object is larger than isize::MAX")]
        let length = text.count_bytes() as isize;
        // SAFETY: the length is that of the object's bytes.
        let copy = unsafe { ffi::PyBytes_FromStringAndSize(text.as_ptr(), length) };
        // SAFETY: the call returns a new reference, or null.
        unsafe { Self::new(copy) }
    }

    pub(crate) fn int(value: i64) -> Result<Self> {
        // SAFETY: the call takes any integer.
        let object = unsafe { ffi::PyLong_FromLongLong(value) };
        // SAFETY: the call returns a new reference, or null.
        unsafe { Self::new(object) }
    }
}

impl<'a> Object<'a> {
    /// # Safety
    ///
    /// The pointer must be null, or an object that lives for `'a`.
    pub(crate) unsafe fn borrow(pointer: *mut ffi::PyObject) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self(pointer, PhantomData))
    }

    /// Borrows an argument that the interpreter passes.
    ///
    /// # Safety
    ///
    /// The requirements of [`Object::borrow`].
    pub(crate) unsafe fn argument(pointer: *mut ffi::PyObject) -> Result<Self> {
        // SAFETY: the caller guarantees the requirements of `borrow`.
        unsafe { Self::borrow(pointer) }.ok_or_else(|| raise(Exception::System, "an argument is null"))
    }

    pub(crate) fn as_ptr(self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    pub(crate) fn is_none(self) -> bool {
        // SAFETY: the call only compares pointers.
        (unsafe { ffi::Py_IsNone(self.as_ptr()) }) != 0
    }

    /// Returns the object, or `None` if it is Python's `None`.
    pub(crate) fn some(self) -> Option<Self> {
        (!self.is_none()).then_some(self)
    }

    pub(crate) fn is_list(self) -> bool {
        // SAFETY: the object is alive.
        (unsafe { ffi::PyList_Check(self.as_ptr()) }) != 0
    }

    pub(crate) fn is_tuple(self) -> bool {
        // SAFETY: the object is alive.
        (unsafe { ffi::PyTuple_Check(self.as_ptr()) }) != 0
    }

    pub(crate) fn is_int(self) -> bool {
        // SAFETY: the object is alive.
        (unsafe { ffi::PyLong_Check(self.as_ptr()) }) != 0
    }

    pub(crate) fn is_true(self) -> Result<bool> {
        // SAFETY: the object is alive.
        match unsafe { ffi::PyObject_IsTrue(self.as_ptr()) } {
            -1 => Err(Raised),
            truth => Ok(truth != 0),
        }
    }

    /// Returns the `len` of a sequence.
    pub(crate) fn len(self) -> Result<isize> {
        // SAFETY: the object is alive.
        match unsafe { ffi::PySequence_Size(self.as_ptr()) } {
            -1 => Err(Raised),
            length => Ok(length),
        }
    }

    pub(crate) fn item(self, index: isize) -> Result<Owned> {
        // SAFETY: the object is alive, and the call checks the index.
        let item = unsafe { ffi::PySequence_GetItem(self.as_ptr(), index) };
        // SAFETY: the call returns a new reference, or null.
        unsafe { Owned::new(item) }
    }

    /// Returns the number of items of a tuple. A subclass cannot change it.
    pub(crate) fn tuple_len(self) -> Result<isize> {
        // SAFETY: the object is alive. The call sets an exception for another type.
        match unsafe { ffi::PyTuple_Size(self.as_ptr()) } {
            -1 => Err(Raised),
            length => Ok(length),
        }
    }

    /// Returns an item of a tuple. A subclass cannot replace it.
    pub(crate) fn tuple_item(self, index: isize) -> Result<Object<'a>> {
        // SAFETY: the object is alive. The call sets an exception for an index beyond the end.
        let item = unsafe { ffi::PyTuple_GetItem(self.as_ptr(), index) };
        // SAFETY: the tuple never changes, and keeps the item alive.
        unsafe { Object::borrow(item) }.ok_or(Raised)
    }

    /// Returns a list or tuple with the same items: the object itself, if it is one.
    pub(crate) fn fast_sequence(self, complaint: &CStr) -> Result<Owned> {
        // SAFETY: the object is alive, and the text ends with a NUL.
        let sequence = unsafe { ffi::PySequence_Fast(self.as_ptr(), complaint.as_ptr()) };
        // SAFETY: the call returns a new reference, or null.
        unsafe { Owned::new(sequence) }
    }

    /// Returns the bytes of a `bytes` object. Fails if it contains a NUL.
    pub(crate) fn c_str(self) -> Result<&'a CStr> {
        let mut bytes: *mut c_char = ptr::null_mut();
        // SAFETY: the object is alive. Without a pointer for the length, the call refuses bytes with a NUL inside.
        let failed = unsafe { ffi::PyBytes_AsStringAndSize(self.as_ptr(), &raw mut bytes, ptr::null_mut()) };
        if failed != 0 {
            return Err(Raised);
        }
        // SAFETY: the bytes of the object never change, and end with a NUL.
        Ok(unsafe { CStr::from_ptr(bytes) })
    }

    /// Converts a path, a string or bytes to `bytes` in the file system's encoding.
    pub(crate) fn fs_encoded(self) -> Result<Owned> {
        let mut encoded: *mut ffi::PyObject = ptr::null_mut();
        // SAFETY: the object is alive, and the call writes one reference.
        let done = unsafe { ffi::PyUnicode_FSConverter(self.as_ptr(), (&raw mut encoded).cast()) };
        if done == 0 {
            return Err(Raised);
        }
        // SAFETY: the converter succeeded, so this is a new reference.
        unsafe { Owned::new(encoded) }
    }

    /// Converts an `int` to a C long, or returns the side on which it overflows.
    pub(crate) fn long(self) -> Result<core::result::Result<c_long, Overflow>> {
        let mut overflow: c_int = 0;
        // SAFETY: the object is alive.
        let value = unsafe { ffi::PyLong_AsLongAndOverflow(self.as_ptr(), &raw mut overflow) };
        match overflow {
            0 if value == -1 && is_raised() => Err(Raised),
            0 => Ok(Ok(value)),
            1.. => Ok(Err(Overflow::Above)),
            _ => Ok(Err(Overflow::Below)),
        }
    }

    /// Converts to an `int` by `__index__`.
    pub(crate) fn index(self) -> Result<Owned> {
        // SAFETY: the object is alive.
        let index = unsafe { ffi::PyNumber_Index(self.as_ptr()) };
        // SAFETY: the call returns a new reference, or null.
        unsafe { Owned::new(index) }
    }

    /// Parses the object by a format of one unit.
    ///
    /// # Safety
    ///
    /// `value` must have the type that the format writes.
    pub(crate) unsafe fn parse<T>(self, format: &CStr, value: &mut T) -> Result<()> {
        // SAFETY: the object is alive, and the caller guarantees the type of `value`.
        let done = unsafe { ffi::PyArg_Parse(self.as_ptr(), format.as_ptr(), ptr::from_mut(value)) };
        if done == 0 { Err(Raised) } else { Ok(()) }
    }

    pub(crate) fn attribute(self, name: &CStr) -> Result<Owned> {
        // SAFETY: the object is alive, and the name ends with a NUL.
        let value = unsafe { ffi::PyObject_GetAttrString(self.as_ptr(), name.as_ptr()) };
        // SAFETY: the call returns a new reference, or null.
        unsafe { Owned::new(value) }
    }

    pub(crate) fn call(self) -> Result<Owned> {
        // SAFETY: the object is alive. Null means no arguments.
        let result = unsafe { ffi::PyObject_CallObject(self.as_ptr(), ptr::null_mut()) };
        // SAFETY: the call returns a new reference, or null.
        unsafe { Owned::new(result) }
    }

    /// Returns true if the sequence contains the text `item`.
    pub(crate) fn contains(self, item: &CStr) -> Result<bool> {
        let item = text(item)?;
        // SAFETY: both objects are alive.
        match unsafe { ffi::PySequence_Contains(self.as_ptr(), item.get().as_ptr()) } {
            -1 => Err(Raised),
            found => Ok(found != 0),
        }
    }

    /// Returns the name of the object's type in UTF-8, without calling a metaclass.
    fn type_name(self) -> Result<Owned> {
        let types = (&raw mut ffi::PyType_Type).cast();
        // SAFETY: the type is a static of the interpreter.
        let types = unsafe { Self::argument(types) }?;
        let attributes = types.attribute(c"__dict__")?;
        // SAFETY: the object is alive, and the name ends with a NUL.
        let name = unsafe { ffi::PyMapping_GetItemString(attributes.0.as_ptr(), c"__name__".as_ptr()) };
        // SAFETY: the call returns a new reference, or null.
        let name = unsafe { Owned::new(name) }?;
        // SAFETY: the object and its type are alive.
        let kind = unsafe { ffi::PyObject_Type(self.as_ptr()) };
        // SAFETY: the call returns a new reference.
        let kind = unsafe { Owned::new(kind) }?;
        let (get, format) = (c"__get__".as_ptr(), c"O".as_ptr());
        // SAFETY: both objects are alive, and the format names one object.
        let name = unsafe { ffi::PyObject_CallMethod(name.0.as_ptr(), get, format, kind.0.as_ptr()) };
        // SAFETY: the call returns a new reference, or null.
        let name = unsafe { Owned::new(name) }?;
        // SAFETY: the object is alive.
        let name = unsafe { ffi::PyUnicode_AsUTF8String(name.0.as_ptr()) };
        // SAFETY: the call returns a new reference, or null.
        unsafe { Owned::new(name) }
    }
}

/// The side on which a number overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    Below,
    Above,
}

/// The types of exceptions that this library raises.
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
        // SAFETY: the type is a static of the interpreter.
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
    // SAFETY: the type is alive, and the text ends with a NUL.
    unsafe { ffi::PyErr_SetString(kind, text.as_ptr()) };
    Raised
}

/// Raises the `TypeError` for an id that is no integer, with the interpreter's message.
pub(crate) fn raise_not_integer(what: &CStr, object: Object<'_>) -> Raised {
    let name = match object.type_name() {
        Ok(name) => name,
        Err(raised) => return raised,
    };
    let name = name.get().c_str().unwrap_or(c"object");
    let after_dot = name.to_bytes_with_nul().rsplit(|&byte| byte == b'.').next().unwrap_or(b"\0");
    // SAFETY: the type is a static of the interpreter.
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
    // SAFETY: the call takes no arguments.
    unsafe {
        ffi::PyErr_NoMemory();
    }
    Raised
}

/// Raises the `OSError` of an errno.
pub(crate) fn raise_errno(errno: i32) -> Raised {
    ::errno::set_errno(::errno::Errno(errno));
    // SAFETY: the type is a static of the interpreter.
    let kind = unsafe { ffi::PyExc_OSError };
    // SAFETY: the type is alive.
    unsafe { ffi::PyErr_SetFromErrno(kind) };
    Raised
}

pub(crate) fn is_raised() -> bool {
    // SAFETY: the call takes no arguments.
    !unsafe { ffi::PyErr_Occurred() }.is_null()
}

pub(crate) fn clear() {
    // SAFETY: the call takes no arguments.
    unsafe { ffi::PyErr_Clear() }
}

/// Runs the work without a set exception, and restores the exception afterwards.
#[allow(deprecated, reason = "the functions that replace them are newer than the stable ABI of 3.8")]
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    let (mut kind, mut value, mut trace) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: the call writes three references, or null.
    unsafe {
        ffi::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut trace);
    }
    let result = work();
    if !kind.is_null() {
        // SAFETY: these are the three references that `PyErr_Fetch` returned.
        unsafe {
            ffi::PyErr_Restore(kind, value, trace);
        }
    }
    result
}

fn text(text: &CStr) -> Result<Owned> {
    // SAFETY: the text ends with a NUL.
    let text = unsafe { ffi::PyUnicode_FromString(text.as_ptr()) };
    // SAFETY: the call returns a new reference, or null.
    unsafe { Owned::new(text) }
}

/// Imports a module.
pub(crate) fn import(name: &CStr) -> Result<Owned> {
    // SAFETY: the name ends with a NUL.
    let module = unsafe { ffi::PyImport_ImportModule(name.as_ptr()) };
    // SAFETY: the call returns a new reference, or null.
    unsafe { Owned::new(module) }
}

/// Returns a module if it is imported already. Sets no exception.
pub(crate) fn imported(name: &CStr) -> Option<Owned> {
    let name = text(name).ok()?;
    // SAFETY: the object is alive.
    let module = unsafe { ffi::PyImport_GetModule(name.get().as_ptr()) };
    // SAFETY: the call returns a new reference, or null.
    let module = unsafe { Owned::new(module) };
    module.inspect_err(|_| clear()).ok()
}

/// Runs the work without the interpreter's lock. The work must not use objects.
pub(crate) fn without_lock<T>(work: impl FnOnce() -> T) -> T {
    /// Acquires the lock again, also if the work panics.
    struct Released(*mut ffi::PyThreadState);

    impl Drop for Released {
        fn drop(&mut self) {
            // SAFETY: this is the state that was saved when the lock was released.
            unsafe { ffi::PyEval_RestoreThread(self.0) }
        }
    }

    // SAFETY: this thread holds the lock.
    let _released = Released(unsafe { ffi::PyEval_SaveThread() });
    work()
}
