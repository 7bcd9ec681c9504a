//! Drawings.

use crate::bench::Failure;
use crate::bench::measure::Results;
use crate::bench::peer::Peers;
use std::path::Path;

pub(super) fn draw(_results: &Results, _peers: &Peers, _directory: &Path) -> Result<(), Failure> {
    Ok(())
}
