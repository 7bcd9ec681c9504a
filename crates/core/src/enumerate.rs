//! Lists the open descriptors of this process.
//!
//! A system has a directory that lists them, or a call, or neither. All of these can be wrong: a static `/dev/fd` lists 0, 1
//! and 2, whatever is open; plain files may hide `/proc`; a read may fail half-way. A child that trusts such a list leaks
//! every descriptor that the list lacks. So an enumerator returns an error if its list cannot be trusted, and the child falls
//! back to the loop.

use crate::records::RecordBuffer;
use crate::{Errno, Fd, RecordLayout, Sys};
use core::ffi::CStr;

/// A list of the open descriptors of the calling process.
///
/// # Safety
///
/// `visit` runs in the child and meets the requirements of [`Sys`]: no allocation, no lock, no panic, and only
/// async-signal-safe calls.
///
/// The visitor may close each descriptor that it is called for. `visit` calls it at least once for each descriptor from
/// `from` up that is open during the whole visit. It never passes a descriptor of its own, and closes that before it
/// returns. If it may have missed a descriptor, it returns [`Unlisted`]. It may pass numbers that are not open.
pub unsafe trait FdEnumerator<S: ?Sized>: Sync {
    /// The name of the list, for people: `/proc/self/fd`.
    fn name(&self) -> &'static str;

    /// Calls `visitor` for the open descriptors at or above `from`.
    ///
    /// # Errors
    ///
    /// Returns [`Unlisted`] if it may have missed some. Visits that were made count.
    fn visit(&self, sys: &S, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted>;
}

/// The reason why a list cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// A system call failed with this errno, at the start or half-way.
    Refused(Errno),
    /// The list is not that of the open descriptors: it lacks the descriptor that it was read from, or is of another kind.
    Untrusted,
}

/// A directory whose entries have the numbers of the open descriptors as names.
#[derive(Clone, Copy, Debug)]
pub struct Directory {
    /// The path.
    pub path: &'static CStr,
    /// The layout of the directory records.
    pub records: RecordLayout,
}

impl Directory {
    /// Opens the directory and visits the descriptors that it lists, except the one that it is read through.
    ///
    /// `read` reads records from an open directory and returns how many bytes, 0 at the end. The list counts only if the
    /// directory is `genuine` and lists the descriptor that it is read through.
    ///
    /// # Errors
    ///
    /// Returns [`Unlisted`] if the directory cannot be opened, read to its end, or trusted.
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

    /// Calls `each` for the names of one batch, and returns whether there may be more.
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

/// Returns the descriptor that a directory entry names: decimal digits only, and at most `Fd::MAX`.
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
