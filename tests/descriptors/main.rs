//! `forkexec::fds`: the descriptors of this process, and exact starts of std's and tokio's commands.
//!
//! - `list`: the list, and what it says of each descriptor
//! - `all_fds`: closing and marking, random tables against a model
//! - `filters`: every combination of refused and trapped calls
//! - `inherit_only`: commands of std and tokio
//! - `close_fds`: the differences from the crate of that name
//!
//! `child` has the judge: it reads `/proc` of a child that has stopped, so no code under test judges itself.

#![cfg(any(target_os = "linux", target_os = "android"))]

mod all_fds;
mod child;
mod close_fds;
mod filters;
mod inherit_only;
mod list;
