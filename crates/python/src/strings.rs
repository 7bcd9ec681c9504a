//! Sequences of `bytes` as arrays of C strings. The bytes are borrowed: what holds them never changes.

use crate::py::{Exception, Object, Owned, Result, raise};
use core::ffi::CStr;
use forkexec_core::ThinCStr;

/// The items of a sequence, each of them bytes without a NUL inside.
pub(crate) struct Strings(Vec<Owned>);

impl Strings {
    /// Takes a sequence of `bytes`.
    pub(crate) fn of_bytes(sequence: Object<'_>) -> Result<Self> {
        let length = sequence.len()?;
        let mut items = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        for index in 0..length {
            let item = sequence.item(index)?;
            item.get().c_str()?;
            items.push(item);
        }
        Ok(Self(items))
    }

    /// Takes a sequence of what may stand for a path.
    pub(crate) fn of_arguments(sequence: Object<'_>) -> Result<Self> {
        let sequence = sequence.fast_sequence(c"argv must be a tuple")?;
        let length = sequence.get().len()?;
        let mut items = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        for index in 0..length {
            if sequence.get().len()? != length {
                return Err(raise(Exception::Runtime, "args changed during iteration"));
            }
            let item = sequence.get().item(index)?;
            items.push(item.get().fs_encoded()?);
        }
        Ok(Self(items))
    }

    /// The strings. Each was seen to be one.
    pub(crate) fn strings(&self) -> Vec<&CStr> {
        self.0.iter().map(|item| item.get().c_str().unwrap_or_default()).collect()
    }

    /// The strings as exec takes them.
    pub(crate) fn array(&self) -> Vec<Option<ThinCStr<'_>>> {
        let strings = self.strings().into_iter().map(|string| Some(ThinCStr::from(string)));
        strings.chain([None]).collect()
    }
}
