//! Layer 1: the system. Small functions around system calls, and what the running system offers.
//!
//! - `system`: selects the module of this system, and is the only place that names a system
//! - `backend`: questions of the parent to the backend
//! - `fd`, `exit_fd`, `open_fds`, `poll`: descriptors
//! - `limit`: resource limits
//! - `pty`, `terminal`: pseudo-terminals, and attributes of terminals
//! - `datagram`: messages with descriptors and credentials
//! - `waitid`, `wait`, `change`, `usage`: the end of a child, and its stops
//! - `owner`, `gate`: the one that reaps a child, and threads that signal it meanwhile
//! - `end_thread`: waiting for children without a descriptor
//! - `process_list`, `orphans`, `cgroup`, `tree_means`: descendants
//! - `per_process`, `worker`: state and threads of this library
//! - `users`: the users and groups that this system knows
//! - `android`: the release of Android

pub(crate) mod android;
pub(crate) mod backend;
pub(crate) mod cgroup;
pub(crate) mod change;
pub(crate) mod datagram;
pub(crate) mod end_thread;
pub(crate) mod exit_fd;
pub(crate) mod fd;
mod gate;
pub(crate) mod limit;
pub(crate) mod open_fds;
pub(crate) mod orphans;
pub(crate) mod owner;
pub(crate) mod per_process;
pub(crate) mod poll;
pub(crate) mod process_list;
pub(crate) mod pty;
pub(crate) mod system;
pub(crate) mod terminal;
pub(crate) mod tree_means;
pub(crate) mod usage;
pub(crate) mod users;
pub(crate) mod wait;
pub(crate) mod waitid;
pub(crate) mod worker;
