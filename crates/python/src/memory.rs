//! Memory in amounts that a caller chooses. If there is not enough, the call raises `MemoryError`: an allocation that Rust
//! cannot refuse aborts the process.

use crate::py::{self, Raised};

/// The allocator refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoMemory;

impl NoMemory {
    /// Raises `MemoryError`.
    pub(crate) fn raise(_: Self) -> Raised {
        py::raise_no_memory()
    }
}

/// An empty vector with room for exactly this many items.
pub(crate) fn room<T>(count: usize) -> Result<Vec<T>, NoMemory> {
    let mut items = Vec::new();
    items.try_reserve_exact(count).map_err(|_| NoMemory)?;
    Ok(items)
}

/// The items in a vector. There are at most `most`.
pub(crate) fn gather<T>(most: usize, items: impl Iterator<Item = T>) -> Result<Vec<T>, NoMemory> {
    let mut gathered = room(most)?;
    gathered.extend(items.take(most));
    Ok(gathered)
}
