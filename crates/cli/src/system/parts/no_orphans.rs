//! Systems on which only init adopts orphans.

use std::io;

/// Makes this process adopt the orphans among its descendants.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
