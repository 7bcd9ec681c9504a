//! Listing the open descriptors of this process: the core trait of the project.
//!
//! A system offers a directory that lists them, or a call, or nothing. What they have in common is that they can lie:
//! a static `/dev/fd` lists 0, 1 and 2 whatever is open; a `/proc` may be masked by plain files; reading may be refused
//! half-way. Believing such a list leaks every descriptor that it does not name, so an enumerator says when it cannot
//! be believed, and the caller falls back.

use crate::records::RecordBuffer;
use crate::{Errno, Fd, RecordLayout, Sys};
use core::ffi::CStr;

/// One way of listing the open descriptors of the calling process.
///
/// # Safety
///
/// `visit` runs in the child and meets the requirements of [`Sys`]: no allocation, no lock, no panic, and only
/// async-signal-safe calls.
///
/// The visitor may close each descriptor that it is called for. `visit` calls it at least once for each descriptor at or
/// above `from` that was open at the beginning and still is. It never passes a descriptor of its own, and closes that
/// before it returns. If it may have missed a descriptor, it returns [`Unlisted`]. It may pass numbers that are not open.
pub unsafe trait FdEnumerator<S: ?Sized>: Sync {
    /// What it reads, for people: `/proc/self/fd`.
    fn name(&self) -> &'static str;

    /// Calls `visitor` for the open descriptors at or above `from`.
    ///
    /// # Errors
    ///
    /// [`Unlisted`] if some may have been missed. Those that were visited, were.
    fn visit(&self, sys: &S, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted>;
}

/// Why an enumeration does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// A system call answered with this errno, at the start or half-way.
    Refused(Errno),
    /// The list cannot be the live one: it lacks the very descriptor it was read from, or is not of the right kind.
    Untrusted,
}

/// A directory whose entries are named by the open descriptors.
#[derive(Clone, Copy, Debug)]
pub struct Directory {
    /// Its path.
    pub path: &'static CStr,
    /// How the system lays out its records.
    pub records: RecordLayout,
}

impl Directory {
    /// Opens the directory and visits the descriptors that it lists, except the one it is read through.
    ///
    /// `read` reads records from an open directory and says how many bytes, 0 at the end. The directory is believed only
    /// if it is `genuine` and lists the descriptor that it is read through.
    ///
    /// # Errors
    ///
    /// [`Unlisted`] if the directory cannot be opened, read to its end, or believed.
    pub fn visit<S: Sys + ?Sized>(
        self,
        sys: &S,
        from: Fd,
        visitor: &mut dyn FnMut(Fd),
        genuine: impl FnOnce(Fd) -> bool,
        mut read: impl FnMut(Fd, &mut [u8]) -> Result<usize, Errno>,
    ) -> Result<(), Unlisted> {
        let directory = sys.open_directory(self.path).map_err(Unlisted::Refused)?;
        if !genuine(directory) {
            let _ = sys.close(directory);
            return Err(Unlisted::Untrusted);
        }
        let mut buffer = RecordBuffer::new();
        let mut lists_itself = false;
        let mut each = |name: &[u8]| match parse_fd(name) {
            Some(fd) if fd == directory => lists_itself = true,
            Some(fd) if fd >= from => visitor(fd),
            _ => {}
        };
        let end = loop {
            match self.next_names(&mut buffer, |space| read(directory, space), &mut each) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(errno) => break Err(Unlisted::Refused(errno)),
            }
        };
        let _ = sys.close(directory);
        end?;
        if lists_itself { Ok(()) } else { Err(Unlisted::Untrusted) }
    }

    /// Calls `each` for the names of one batch, and says whether there may be more.
    fn next_names(
        self,
        buffer: &mut RecordBuffer,
        read: impl FnOnce(&mut [u8]) -> Result<usize, Errno>,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, Errno> {
        let length = read(buffer.space())?;
        self.records.names(buffer.filled(length)?, each)?;
        Ok(length > 0)
    }
}

/// The descriptor that a directory entry names: decimal digits only, no larger than a descriptor can be.
pub fn parse_fd(name: &[u8]) -> Option<Fd> {
    if name.is_empty() {
        return None;
    }
    name.iter().try_fold(0, |number: Fd, &byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit <= 9)?;
        number.checked_mul(10)?.checked_add(Fd::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::{Fd, parse_fd};
    use rstest::rstest;

    #[rstest]
    #[case::zero("0", Some(0))]
    #[case::usual("19999", Some(19_999))]
    #[case::highest("2147483647", Some(Fd::MAX))]
    #[case::one_too_high("2147483648", None)]
    #[case::far_too_high("99999999999999999999", None)]
    #[case::empty("", None)]
    #[case::dot(".", None)]
    #[case::negative("-1", None)]
    #[case::mixed("3x", None)]
    #[case::space(" 3", None)]
    fn only_plain_decimal_numbers_are_descriptors(#[case] name: &str, #[case] fd: Option<Fd>) {
        assert_eq!(parse_fd(name.as_bytes()), fd);
    }
}
