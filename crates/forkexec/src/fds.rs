//! Layer 4: descriptors. Which number each gets in the child, and what is opened at each start.

pub(crate) mod layout;
pub(crate) mod low_fds;
pub(crate) mod moves;
pub(crate) mod spawn_fds;
