//! Conversion of sequences of `bytes` to arrays of C strings. The bytes are borrowed from plain `bytes` objects, which never
//! change.

use crate::memory::{NoMemory, gather, room};
use crate::py::{Exception, Object, Owned, Result, raise};
use core::ffi::CStr;
use forkexec_core::ThinCStr;

/// The items of a sequence. Each is a `bytes` object without a NUL inside.
pub(crate) struct Strings(Vec<Owned>);

impl Strings {
    /// Converts a sequence of `bytes`.
    pub(crate) fn of_bytes(sequence: Object<'_>) -> Result<Self> {
        let length = sequence.len()?;
        // The sequence can report a wrong length. A missing item raises an exception.
        let mut items = room(usize::try_from(length).unwrap_or(0)).map_err(NoMemory::raise)?;
        for index in 0..length {
            let item = sequence.item(index)?;
            item.get().c_str()?;
            items.push(item.plain_bytes()?);
        }
        Ok(Self(items))
    }

    /// Converts a sequence of strings, bytes and paths.
    pub(crate) fn of_arguments(sequence: Object<'_>) -> Result<Self> {
        let sequence = sequence.fast_sequence(c"argv must be a tuple")?;
        let length = sequence.get().len()?;
        let encoded = Owned::tuple(length)?;
        for index in 0..length {
            if sequence.get().len()? != length {
                return Err(raise(Exception::Runtime, "args changed during iteration"));
            }
            let item = sequence.get().item(index)?;
            encoded.set_item(index, item.get().fs_encoded()?)?;
        }
        Self::of_bytes(encoded.get())
    }

    /// Returns the strings, which were checked before.
    pub(crate) fn strings(&self) -> Result<Vec<&CStr>> {
        gather(self.0.len(), self.iter()).map_err(NoMemory::raise)
    }

    /// Returns the strings in the form that exec takes.
    pub(crate) fn array(&self) -> Result<Vec<Option<ThinCStr<'_>>>> {
        let strings = self.iter().map(|string| Some(ThinCStr::from(string)));
        gather(self.0.len() + 1, strings.chain([None])).map_err(NoMemory::raise)
    }

    fn iter(&self) -> impl Iterator<Item = &CStr> {
        self.0.iter().map(|item| item.get().c_str().unwrap_or_default())
    }
}
