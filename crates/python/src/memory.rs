//! Allocations whose size depends on the caller. If memory runs out, they raise `MemoryError`. Rust's usual allocations would
//! abort the process.

use crate::py::{self, Raised};

/// An allocation failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoMemory;

impl NoMemory {
    /// Raises `MemoryError`.
    pub(crate) fn raise(_: Self) -> Raised {
        py::raise_no_memory()
    }
}

/// Returns an empty vector with room for exactly this many items.
pub(crate) fn room<T>(count: usize) -> Result<Vec<T>, NoMemory> {
    let mut items = Vec::new();
    items.try_reserve_exact(count).map_err(|_| NoMemory)?;
    Ok(items)
}

/// Collects at most `most` items in a vector.
pub(crate) fn gather<T>(most: usize, items: impl Iterator<Item = T>) -> Result<Vec<T>, NoMemory> {
    let mut gathered = room(most)?;
    gathered.extend(items.take(most));
    Ok(gathered)
}
