//! The records that a raw directory read returns.
//!
//! A record has a length, and a name that ends with a NUL. Their positions differ by system, and are data here. A record
//! that does not fit into the buffer is an error, never the end of the list.

use crate::Errno;

/// The positions of the fields of a directory record, in bytes from its start.
#[derive(Clone, Copy, Debug)]
pub struct RecordLayout {
    /// The length of the record.
    pub length: RecordLength,
    /// The name.
    pub name_at: usize,
}

/// The encoding of the length of a record.
#[derive(Clone, Copy, Debug)]
pub enum RecordLength {
    /// In a field of 16 bits, in the machine's byte order.
    At(usize),
    /// The field holds the length of the name without its NUL. The record extends to the next multiple of 8.
    OfNameAt(usize),
}

impl RecordLayout {
    /// Calls `each` for the name in every record.
    ///
    /// # Errors
    ///
    /// Returns `EIO` if a record does not fit into the bytes that were read.
    pub fn names(self, mut records: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), Errno> {
        while !records.is_empty() {
            let (name, length) = self.first(records).ok_or(Errno::IO)?;
            each(name);
            records = records.get(length..).ok_or(Errno::IO)?;
        }
        Ok(())
    }

    /// The name in the first record, and the length of the record.
    fn first(self, records: &[u8]) -> Option<(&[u8], usize)> {
        let length = match self.length {
            RecordLength::At(at) => half(records, at)?,
            RecordLength::OfNameAt(at) => {
                self.name_at.checked_add(half(records, at)?)?.checked_add(1)?.checked_next_multiple_of(8)?
            }
        };
        let name = records.get(..length)?.get(self.name_at..)?;
        let end = name.iter().position(|&byte| byte == 0)?;
        Some((name.get(..end)?, length))
    }
}

fn half(record: &[u8], at: usize) -> Option<usize> {
    let field = record.get(at..)?.first_chunk()?;
    Some(usize::from(u16::from_ne_bytes(*field)))
}

/// Memory for records, aligned as kernels want it.
#[derive(Clone, Debug)]
#[repr(C, align(8))]
pub(crate) struct RecordBuffer([u8; Self::LENGTH]);

impl RecordBuffer {
    /// Room for some 170 records of Linux, and small enough for the stack of any child.
    pub(crate) const LENGTH: usize = 4096;

    /// An empty buffer.
    pub(crate) const fn new() -> Self {
        Self([0; Self::LENGTH])
    }

    /// The whole buffer, for a read.
    pub(crate) const fn space(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// The first `length` bytes of it.
    ///
    /// # Errors
    ///
    /// Returns `EIO` if the kernel claims to have read more than the buffer holds.
    pub(crate) fn filled(&self, length: usize) -> Result<&[u8], Errno> {
        self.0.get(..length).ok_or(Errno::IO)
    }
}

#[cfg(test)]
mod tests {
    use super::{Errno, RecordBuffer, RecordLayout, RecordLength};
    use rstest::rstest;
    use std::string::String;
    use std::vec::Vec;

    const LINUX: RecordLayout = RecordLayout { length: RecordLength::At(16), name_at: 19 };
    const DRAGONFLY: RecordLayout = RecordLayout { length: RecordLength::OfNameAt(8), name_at: 16 };

    /// A record as Linux writes it, with a length of its own choice.
    fn record(length: u16, name: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        record.extend_from_slice(&[0xff; 16]);
        record.extend_from_slice(&length.to_ne_bytes());
        record.push(10);
        record.extend_from_slice(name);
        record
    }

    fn listed(records: &[u8]) -> Result<Vec<String>, Errno> {
        let mut seen = Vec::new();
        LINUX.names(records, &mut |name| seen.push(String::from_utf8_lossy(name).into_owned()))?;
        Ok(seen)
    }

    #[test]
    fn names_are_read_from_record_to_record() {
        let records = [record(24, b"3\0\0\0\0"), record(32, b"19999\0\0\0\0\0\0\0\0")].concat();
        assert_eq!(listed(&records).unwrap(), ["3", "19999"]);
        assert_eq!(listed(&[]).unwrap(), [""; 0]);
    }

    #[rstest]
    #[case::length_zero(record(0, b"3\0\0\0\0"))]
    #[case::length_within_the_header(record(18, b"3\0\0\0\0"))]
    #[case::length_beyond_the_buffer(record(25, b"3\0\0\0\0"))]
    #[case::name_without_an_end(record(24, b"33333"))]
    #[case::cut_in_the_header(record(24, b"3\0\0\0\0")[..17].to_vec())]
    #[case::cut_after_one(record(24, b"3\0\0\0\0").repeat(2)[..40].to_vec())]
    #[case::length_exactly_the_header(record(19, b""))]
    fn record_that_does_not_fit_is_an_error_and_not_the_end(#[case] records: Vec<u8>) {
        assert_eq!(listed(&records), Err(Errno::IO));
    }

    #[test]
    fn record_can_hold_only_the_length_of_its_name() {
        let record = |name: &[u8]| {
            let mut record =
                [[0xff; 8].as_slice(), &u16::try_from(name.len()).unwrap().to_ne_bytes(), &[0xff; 6], name]
                    .concat();
            record.resize((record.len() + 1).next_multiple_of(8), 0);
            record
        };
        let records = [record(b"3"), record(b"1234567"), record(b"12345678"), record(b"4")].concat();
        let mut seen = Vec::new();
        let done =
            DRAGONFLY.names(&records, &mut |name| seen.push(String::from_utf8_lossy(name).into_owned()));
        assert_eq!(done, Ok(()));
        assert_eq!(seen, ["3", "1234567", "12345678", "4"]);
    }

    #[test]
    fn length_beyond_the_buffer_is_not_believed() {
        assert!(RecordBuffer::new().filled(RecordBuffer::LENGTH).is_ok());
        assert_eq!(RecordBuffer::new().filled(RecordBuffer::LENGTH + 1), Err(Errno::IO));
    }
}
