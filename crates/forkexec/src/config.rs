//! Layer 2: what a command was told, as plain data. Nothing here is checked against the system.

pub(crate) mod containment;
pub(crate) mod environment;
pub(crate) mod search_path;
pub(crate) mod settings;
pub(crate) mod source;
pub(crate) mod stdio;
