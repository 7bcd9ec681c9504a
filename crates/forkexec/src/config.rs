//! Layer 2: the settings of a command, as plain data. Nothing in this layer is checked against the system.

pub(crate) mod attributes;
pub(crate) mod c_path;
pub(crate) mod capability;
pub(crate) mod containment;
pub(crate) mod environment;
pub(crate) mod limit;
pub(crate) mod namespaces;
mod owners;
pub(crate) mod pty;
pub(crate) mod search_path;
pub(crate) mod seccomp;
pub(crate) mod settings;
pub(crate) mod source;
pub(crate) mod stdio;
pub(crate) mod supervision;
