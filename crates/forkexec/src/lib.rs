//! Start child processes that get exactly what they were handed, and nothing else.
//!
//! A child inherits every open descriptor that nobody closes: sockets, lock files, the ends of other children's pipes. What
//! the standard library, or another, does about that depends on the system, and some of it leaks, stalls or lies.
//! Here a child gets 0, 1, 2 and what it is given by name:
//!
//! ```
//! use forkexec::Command;
//! use std::fs::File;
//! use std::os::fd::AsRawFd;
//!
//! let secret = File::open("/etc/passwd")?; // close-on-exec or not: not given, so not there
//! let config = File::open("/etc/hosts")?;
//!
//! let mut command = Command::new("sh");
//! command.args(["-c", "test -e /dev/fd/7 && ! test -e /dev/fd/$0"]);
//! command.arg(secret.as_raw_fd().to_string());
//! command.map_fd(&config, 7);
//! assert!(command.status()?.success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Who knows [`std::process`] knows this crate: [`Command`], [`Stdio`], [`Child`]; `Output`, `ExitStatus` and the pipes are
//! std's own. What it adds:
//!
//! - descriptors under chosen numbers ([`Command::map_fd`], [`Command::keep_fd`]), in any arrangement;
//! - session, process group, controlling terminal, ids, limits, umask, signals, root and working directory, as data that
//!   runs in the child without a closure;
//! - errors that name the stage, the operand, the errno and what is behind it ([`SpawnError`]): a missing program, a
//!   missing interpreter and a missing directory are three different things;
//! - a failed exec is never reported as success, whatever descriptors are mapped.
//!
//! # Event loops
//!
//! [`Child::pidfd`] is a descriptor that any event loop can watch. With the feature `tokio`, `Command::spawn_tokio` starts a
//! child in the manner of `tokio::process`.
//!
//! # What it does not do
//!
//! It does not run a shell, it does not catch `SIGCHLD`, and it does not protect from what a closure given to
//! [`Command::pre_exec`] does.

// Layers, each in its folder: error, sys, config, exec, fds, prepare, spawn, child. The other modules are the facade.
// ARCHITECTURE.md has the table of what each may import, and `ci/import-graph` checks it.
mod child;
mod config;
mod error;
mod exec;
mod fds;
mod prepare;
mod spawn;
mod sys;

mod command;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod listen_fds;
mod pipeline;
mod prepared;
mod probe;
#[cfg(feature = "raw")]
pub mod raw;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use child::Child;
pub use child::close_method::CloseMethod;
pub use child::communicate::{Communicate, CommunicateOutput, Communicator, StopReason};
pub use child::tree::{Coverage, KillReport};
pub use command::Command;
pub use config::containment::Containment;
pub use config::search_path::SearchPath;
pub use config::settings::{EnoexecFallback, IgnoredSignals, OnDrop, SpawnPolicy};
pub use config::source::FdSource;
pub use config::stdio::Stdio;
pub use error::{ActivationError, Cause, Error, InputError, Operand, PathRole, SignalUse, SpawnError};
pub use fds::low_fds::{low_fds, reserve_low_fds};
pub use forkexec_core::{
    Capabilities, CloseStrategy, Errno, FallbackReason, GroupList, Operation, Resource, SpawnMethod, Stage,
};
pub use listen_fds::{ListenFd, listen_fds};
pub use pipeline::{Children, Pipeline, PipelineCommand, PipelineOutput, PipelineStatus};
pub use prepare::prepared::Prepared;
pub use probe::{Outcome, Probe, ProbeKind, ProbeReport, capabilities, probe, supports};
pub use sys::android::Android;
pub use sys::exit_fd::ExitFd;
pub use sys::usage::ResourceUsage;
