//! Arrays of C strings. The terminating null that exec needs is part of the type.

use crate::PidVariable;
use core::ffi::{CStr, c_char};
use core::marker::PhantomData;
use core::ptr::NonNull;

/// A borrowed C string as one thin pointer, like a `char *` in an `argv`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct ThinCStr<'a>(NonNull<c_char>, PhantomData<&'a CStr>);

// SAFETY: it is made of a shared borrow of a `CStr`, of bytes or of a `PidVariable`, which are `Sync`.
unsafe impl Send for ThinCStr<'_> {}
// SAFETY: as above; no method writes through it.
unsafe impl Sync for ThinCStr<'_> {}

impl<'a> From<&'a CStr> for ThinCStr<'a> {
    fn from(string: &'a CStr) -> Self {
        Self(NonNull::from(string).cast(), PhantomData)
    }
}

impl<'a> ThinCStr<'a> {
    /// Borrows the bytes as a string that ends at their first NUL. Returns `None` if they do not end with a NUL.
    pub fn of_bytes(bytes: &'a [u8]) -> Option<Self> {
        matches!(bytes, [.., 0]).then(|| Self(NonNull::from(bytes).cast(), PhantomData))
    }

    /// Borrows the variable for exec.
    ///
    /// # Safety
    ///
    /// No code calls [`as_c_str`](Self::as_c_str) while a child may write the variable, because the bytes of a `CStr` do not
    /// change.
    pub unsafe fn of_pid(variable: &'a PidVariable) -> Self {
        Self(NonNull::from(variable.first()).cast(), PhantomData)
    }

    /// The string. Finds its length.
    pub fn as_c_str(self) -> &'a CStr {
        // SAFETY: `From` and `of_bytes` made it of bytes with a NUL, which are borrowed for `'a`. The caller of `of_pid` promises
        // that no child writes the variable meanwhile, and nothing overwrites the NUL of such a variable.
        unsafe { CStr::from_ptr(self.0.as_ptr()) }
    }
}

/// An array of C strings that ends with a null pointer, as execve(2) takes `argv` and `envp`.
#[derive(Clone, Copy, Debug)]
pub struct CStrArray<'a>(&'a [Option<ThinCStr<'a>>]);

impl<'a> CStrArray<'a> {
    /// An array with only the terminating null.
    pub const EMPTY: CStrArray<'static> = CStrArray(&[None]);

    /// Wraps the array. Returns `None` if its last element is not the terminating `None`, or is missing.
    pub fn new(pointers: &'a [Option<ThinCStr<'a>>]) -> Option<Self> {
        matches!(pointers.last(), Some(None)).then_some(Self(pointers))
    }

    /// The pointer for execve(2). The array has a null before its end.
    pub const fn as_ptr(self) -> *const *const c_char {
        // `Option<ThinCStr>` is `Option<NonNull<c_char>>`, which has the layout of a nullable pointer.
        self.0.as_ptr().cast()
    }
}

#[cfg(test)]
mod tests {
    use super::{CStrArray, ThinCStr};

    #[test]
    fn bytes_are_a_string_up_to_their_first_nul() {
        let string = |bytes| ThinCStr::of_bytes(bytes).map(ThinCStr::as_c_str);
        assert_eq!(string(b"one\0"), Some(c"one"));
        assert_eq!(string(b"a\0b\0"), Some(c"a"));
        assert_eq!(string(b"\0"), Some(c""));
        assert_eq!(string(b"one"), None);
        assert_eq!(string(b""), None);
    }

    #[test]
    fn array_without_its_terminating_null_is_refused() {
        let one = Some(ThinCStr::from(c"one"));
        assert!(CStrArray::new(&[]).is_none());
        assert!(CStrArray::new(&[one]).is_none());
        assert!(CStrArray::new(&[None, one]).is_none());
        assert!(CStrArray::new(&[one, None]).is_some());
    }
}
