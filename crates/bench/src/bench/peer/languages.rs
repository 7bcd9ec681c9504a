//! Peers in other languages.
use super::Peers;
use crate::bench::toolbox::Toolbox;
pub(super) fn find(_toolbox: &Toolbox, _peers: &mut Peers) {}
