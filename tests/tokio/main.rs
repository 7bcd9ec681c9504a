//! Children under tokio runtimes, of one thread and of many.
//!
//! - `cancelled`: futures that are dropped at each of their awaits, and runtimes that are shut down
//! - `names`: the names of `tokio::process`
//! - `notify`: messages of children
//! - `starting`: children that cannot be started, or cannot be watched
//! - `talking`: input and output
//! - `terminals`: pseudo-terminals
//! - `waiting`: exit statuses, and signals
//!
//! `ground` has the helpers: a runtime and a process for each test.

#![cfg(any(target_os = "linux", target_os = "android"))]

mod cancelled;
mod names;
mod notify;
mod starting;
mod talking;
mod terminals;
mod waiting;

mod ground;
