//! Peers in C, linked with libraries that pkg-config finds.
use super::Peers;
use crate::bench::toolbox::Toolbox;
pub(super) fn find(_toolbox: &Toolbox, _peers: &mut Peers) {}
