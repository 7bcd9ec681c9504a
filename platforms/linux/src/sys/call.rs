//! One raw system call: its arguments as registers, and its result as a `Result`.

use core::ffi::{c_int, c_long, c_void};
use forkexec_core::Errno;

pub(super) fn errno() -> Errno {
    Errno::from_raw(errno::errno().0)
}

/// An argument of a system call, as a whole register. A variadic function leaves the upper half of a shorter one undefined, and
/// some calls read all of it. A pointer stays a pointer, so that it keeps its provenance.
pub(super) trait Word {
    type Register;

    fn word(self) -> Self::Register;
}

macro_rules! words {
    ($($type:ty),*) => {$(
        impl Word for $type {
            type Register = c_long;

            #[expect(clippy::allow_attributes, reason = "which of the casts is lossy differs by architecture")]
            #[allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation, clippy::cast_lossless)]
            fn word(self) -> c_long {
                self as c_long
            }
        }
    )*};
}

words!(i32, u32, u64, usize);

impl<T> Word for *const T {
    type Register = *const c_void;

    fn word(self) -> *const c_void {
        self.cast()
    }
}

impl<T> Word for *mut T {
    type Register = *mut c_void;

    fn word(self) -> *mut c_void {
        self.cast()
    }
}

macro_rules! syscall {
    ($number:expr $(, $argument:expr)*) => { libc::syscall($number $(, $crate::sys::call::Word::word($argument))*) };
}

pub(super) fn check(result: c_long) -> Result<c_long, Errno> {
    if result == -1 { Err(errno()) } else { Ok(result) }
}

pub(super) fn done(result: c_long) -> Result<(), Errno> {
    check(result).map(drop)
}

#[expect(clippy::allow_attributes, reason = "a long has 32 bits on some architectures")]
#[allow(
    clippy::cast_possible_truncation,
    reason = "descriptors, ids and flags: the kernel answers with an int"
)]
pub(super) fn int(result: c_long) -> Result<c_int, Errno> {
    check(result).map(|value| value as c_int)
}

#[expect(clippy::allow_attributes, reason = "a long has 32 bits on some architectures")]
#[allow(clippy::cast_possible_truncation, reason = "a length of memory, so it fits")]
pub(super) fn length(result: c_long) -> Result<usize, Errno> {
    check(result).map(|length| length.unsigned_abs() as usize)
}
