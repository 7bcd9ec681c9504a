//! Sequences of `bytes` as arrays of C strings. The bytes are borrowed from plain `bytes`, which never change.

use crate::memory::{NoMemory, gather, room};
use crate::py::{Exception, Object, Owned, Result, raise};
use core::ffi::CStr;
use forkexec_core::ThinCStr;

/// The items of a sequence, each of them bytes without a NUL inside.
pub(crate) struct Strings(Vec<Owned>);

impl Strings {
    /// Takes a sequence of `bytes`.
    pub(crate) fn of_bytes(sequence: Object<'_>) -> Result<Self> {
        let length = sequence.len()?;
        // The length is what the sequence claims. An item that it does not have raises an exception.
        let mut items = room(usize::try_from(length).unwrap_or(0)).map_err(NoMemory::raise)?;
        for index in 0..length {
            let item = sequence.item(index)?;
            item.get().c_str()?;
            items.push(item.plain_bytes()?);
        }
        Ok(Self(items))
    }

    /// Takes a sequence of what may stand for a path.
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

    /// The strings. Each was seen to be one.
    pub(crate) fn strings(&self) -> Result<Vec<&CStr>> {
        gather(self.0.len(), self.iter()).map_err(NoMemory::raise)
    }

    /// The strings as exec takes them.
    pub(crate) fn array(&self) -> Result<Vec<Option<ThinCStr<'_>>>> {
        let strings = self.iter().map(|string| Some(ThinCStr::from(string)));
        gather(self.0.len() + 1, strings.chain([None])).map_err(NoMemory::raise)
    }

    fn iter(&self) -> impl Iterator<Item = &CStr> {
        self.0.iter().map(|item| item.get().c_str().unwrap_or_default())
    }
}
