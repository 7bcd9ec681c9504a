//! The common parts of all systems but Linux.

#[path = "no_extras.rs"]
mod extras;
#[path = "own_table.rs"]
mod table;

#[path = "no_pidfd.rs"]
pub(crate) mod pidfd;
#[path = "no_processes.rs"]
pub(crate) mod processes;
#[path = "any_thread.rs"]
pub(crate) mod thread;

pub(crate) use extras::*;
pub(crate) use table::{is_never_locked, may_take, replace, shares_table};
