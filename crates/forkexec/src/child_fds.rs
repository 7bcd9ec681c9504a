//! Layer 4: descriptors. Assigns the numbers that descriptors get in the child, and opens what each start
//! needs.

pub(crate) mod layout;
pub(crate) mod low_fds;
pub(crate) mod moves;
pub(crate) mod spawn_fds;
