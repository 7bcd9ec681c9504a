//! The error number of a failed system call.
//!
//! [`Errno`] is a newtype with constants, not an enum, so that a number without a constant is a value, too. The texts belong to
//! the C library. Only the parent looks them up, because `strerror` is not async-signal-safe (signal-safety(7)).

use core::fmt;

/// The `errno` of a failed system call, as in errno(3).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Errno(i32);

macro_rules! errnos {
    ($($name:ident = $value:ident: $meaning:literal,)*) => {
        impl Errno {
            $(#[doc = $meaning] pub const $name: Self = Self(libc::$value);)*

            /// The symbolic name, such as `ENOENT`, if this crate has a constant for the number.
            pub const fn name(self) -> Option<&'static str> {
                $(if self.0 == libc::$value { return Some(stringify!($value)); })*
                None
            }
        }
    };
}

errnos! {
    ACCES = EACCES: "Permission denied.",
    AGAIN = EAGAIN: "Resource temporarily unavailable.",
    BADF = EBADF: "Not an open descriptor.",
    BUSY = EBUSY: "Device or resource busy.",
    CANCELED = ECANCELED: "Operation cancelled.",
    CHILD = ECHILD: "No such child process.",
    EXIST = EEXIST: "File exists.",
    FAULT = EFAULT: "Bad address.",
    INTR = EINTR: "Interrupted by a signal.",
    INVAL = EINVAL: "Invalid argument.",
    IO = EIO: "Input/output error.",
    ISDIR = EISDIR: "Is a directory.",
    LOOP = ELOOP: "Too many symbolic links, or interpreters.",
    MFILE = EMFILE: "No free descriptor below this process's limit.",
    NAMETOOLONG = ENAMETOOLONG: "File name too long.",
    NFILE = ENFILE: "Too many open files in the system.",
    NOENT = ENOENT: "No such file or directory.",
    NOEXEC = ENOEXEC: "Exec format error.",
    NOMEM = ENOMEM: "Out of memory.",
    NOSYS = ENOSYS: "System call not implemented.",
    NOTDIR = ENOTDIR: "Not a directory.",
    NOTTY = ENOTTY: "Not a terminal.",
    OVERFLOW = EOVERFLOW: "Value too large.",
    PERM = EPERM: "Operation not permitted.",
    PIPE = EPIPE: "The pipe has no reader.",
    SRCH = ESRCH: "No such process.",
    TOOBIG = E2BIG: "Argument list too long.",
    TXTBSY = ETXTBSY: "Text file busy: the program is open for writing.",
}

impl Errno {
    /// Wraps a raw `errno` value.
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw)
    }

    /// The number itself.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// Returns whether a call that fails with this errno will fail with it in this process again.
    ///
    /// An old kernel answers `ENOSYS`, or `EINVAL` for an unknown flag. A seccomp filter of a container answers `EPERM` or
    /// `EACCES`. None of them means that the kernel did the work.
    pub const fn is_refusal(self) -> bool {
        matches!(self, Self::NOSYS | Self::PERM | Self::ACCES | Self::INVAL)
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::Errno;
    use rstest::rstest;
    use std::format;

    #[rstest]
    #[case::of_an_old_kernel(Errno::NOSYS, true)]
    #[case::for_a_flag(Errno::INVAL, true)]
    #[case::of_a_filter(Errno::PERM, true)]
    #[case::of_another_filter(Errno::ACCES, true)]
    #[case::of_this_moment(Errno::NOMEM, false)]
    #[case::of_a_signal(Errno::INTR, false)]
    #[case::of_a_limit(Errno::MFILE, false)]
    fn permanent_refusal_is_known_by_its_errno(#[case] errno: Errno, #[case] for_good: bool) {
        assert_eq!(errno.is_refusal(), for_good);
    }

    #[test]
    fn errno_is_printed_by_its_name_or_its_number() {
        assert_eq!(format!("{} {}", Errno::NOENT, Errno::from_raw(9_999)), "ENOENT Errno(9999)");
        assert_eq!(Errno::from_raw(libc::EPERM), Errno::PERM);
        assert_eq!(Errno::from_raw(9_999).raw(), 9_999);
    }
}
