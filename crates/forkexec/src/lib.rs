//! Start child processes that inherit exactly the descriptors you pass, and nothing else.
//!
//! A child process inherits every descriptor that is not close-on-exec: sockets, lock files, ends of other
//! children's pipes. With this crate, a child inherits 0, 1, 2 and the descriptors that the command names. A
//! failed exec is never reported as success, whatever descriptors are mapped. The error names the stage, the
//! operand, the errno and the cause.
//!
//! If you know [`std::process`], you know this API: [`Command`], [`Stdio`], [`Child`]. `Output`, `ExitStatus`
//! and the pipe types are std's own.
//!
//! ```
//! use forkexec::Command;
//! use std::fs::File;
//! use std::os::fd::AsRawFd;
//!
//! let secret = File::open("/etc/passwd")?; // not passed, so the child does not have it
//! let config = File::open("/etc/hosts")?;
//!
//! let mut command = Command::new("sh");
//! command.args(["-c", "test -e /dev/fd/7 && ! test -e /dev/fd/$0"]);
//! command.arg(secret.as_raw_fd().to_string());
//! command.fd(7, config);
//! assert!(command.status()?.success());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Overview
//!
//! | Task | Item |
//! |---|---|
//! | Start a program | [`Command`], which lists its differences from `std::process` |
//! | Start the same program many times | [`Command::prepare`] and [`Prepared`] |
//! | Move a program over from `std::process` or `tokio::process` by its imports | [`process`], `tokio::process` |
//! | Pass descriptors under chosen numbers | [`Command::fd`], [`Command::keep_fd`] |
//! | Set session, process group, terminal, ids, limits, umask, signals, root or directory | the methods of [`Command`]; none of them needs a closure |
//! | Choose processors, scheduling and I/O priority, timer slack, OOM score | [`Command::cpu_affinity`] and the methods after it |
//! | Start a child in namespaces of its own, or in existing ones | [`Command::unshare`], [`Command::setns`] |
//! | Give a service one capability of root, confine a program by Landlock and seccomp | [`Command::ambient_capabilities`], [`Command::landlock`], [`Command::seccomp`] |
//! | Run a program on a new pseudo-terminal, resize it | [`Pty`], [`Command::pty`], [`WindowSize`] |
//! | Set a terminal to raw mode, or change its foreground, for a while | [`RawMode`], [`Foreground`] |
//! | Wait with a time limit, signal, kill | [`Child`] |
//! | Wait for any or all of several children | [`wait_any`], [`wait_all`] |
//! | Signal a child while another thread waits for it | [`Child::signaler`] |
//! | See that a child was stopped or continued | [`Child::wait_change`] |
//! | Keep the status of a child from other code that waits for children | [`Command::autoreap`] |
//! | Drop a child that still runs | [`Command::on_drop`], [`Command::reaper_thread`], [`reap_dropped`] |
//! | Write input and read output without a deadlock, with limits of time and size | [`Child::communicator`] |
//! | Merge standard error into standard output | [`Command::stderr_to_stdout`], [`Pipeline::stderr_to_stdout`](BorrowingPipeline::stderr_to_stdout) |
//! | Pass output on as it arrives, by chunk or line | [`Communicator::on_stdout`], [`Communicator::on_stdout_line`] |
//! | Run `a \| b \| c` | [`Pipeline`] |
//! | Kill a child together with its descendants | [`Command::containment`], [`Child::kill_tree`] |
//! | Pass sockets by socket activation, or receive them | [`Command::listen_fd`], [`listen_fds`] |
//! | Wait until a service is ready, and notice that it hangs | [`NotifySocket`], [`Command::notify_socket`], [`Command::watchdog`] |
//! | Announce that this service is ready and works | [`notify()`], [`watchdog_enabled`] |
//! | Pass make's jobserver on | [`Jobserver`], [`Command::keep_jobserver`] |
//! | Distinguish a missing program, a missing interpreter and a missing directory | [`SpawnError`], [`Cause`] |
//! | List, close or mark the descriptors of this process; make the start of std's or tokio's `Command` exact | [`fds`] |
//! | Find out what this kernel or container permits | [`probe`](fn@probe), [`supports`], [`capabilities`] |
//!
//! # Event loops
//!
//! [`Child::exit_fd`] returns a descriptor that any event loop can watch. With the feature `tokio`,
//! `forkexec::tokio::Command` has the methods of `tokio::process::Command`.
//!
//! # Features
//!
//! | Feature | Effect |
//! |---|---|
//! | `tokio` | the module `tokio`, with a `Command` whose children a runtime waits for; any tokio from 1.37 |
//! | `tokio-process` | [`fds::InheritOnly`] for `tokio::process::Command`; tokio then opens two descriptors for signals in every runtime |
//! | `os_pipe` | `Stdio` and [`FdSource`] from the pipe ends of the crate `os_pipe` |
//! | `raw` | the module `raw`, for programs that build their own plans; its functions are unsafe and its API is unstable |
//!
//! # Limits
//!
//! This crate does not run a shell, does not install a handler for `SIGCHLD`, does not support Windows, and
//! does not protect from what a closure passed to [`Command::pre_exec`] does.

// Layers, each in its folder: error, sys, config, exec, child_fds, prepare, spawn, child. The other modules are the
// facade. ARCHITECTURE.md has a table of what each layer may import, and `ci/import-graph` checks it.
mod child;
mod child_fds;
mod config;
mod error;
mod exec;
mod prepare;
mod spawn;
mod sys;

mod announced;
mod command;
pub mod fds;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod listen_fds;
mod mode;
mod pipeline;
mod prepared;
mod probe;
pub mod process;
mod pty;
#[cfg(feature = "raw")]
pub mod raw;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use announced::jobserver::Jobserver;
pub use announced::notification::Notification;
pub use announced::notify::notify;
pub use announced::notify_socket::{NotifyOutcome, NotifySocket};
pub use announced::watchdog::watchdog_enabled;
pub use child::Child;
pub use child::autoreap::ParentDeath;
pub use child::close_method::CloseMethod;
pub use child::communicate::{Communicate, CommunicateOutput, Communicator, StopReason};
pub use child::dropped::reap_dropped;
pub use child::many::{wait_all, wait_any};
pub use child::signaler::Signaler;
pub use child::tree::{Coverage, KillReport};
pub use child_fds::low_fds::{low_fds, reserve_low_fds};
pub use command::{BorrowingCommand, Command, CommandArgs, CommandBuilder, CommandEnvs};
pub use config::capability::{Capability, CapabilitySet, UnknownCapability};
pub use config::containment::Containment;
pub use config::search_path::SearchPath;
pub use config::seccomp::SeccompFilter;
pub use config::settings::{EnoexecFallback, IgnoredSignals, OnDrop, SpawnPolicy};
pub use config::source::FdSource;
pub use config::stdio::Stdio;
pub use error::{
    ActivationError, Cause, Error, ExecError, InputError, Operand, PathRole, SignalUse, SpawnError,
};
pub use forkexec_core::{
    Capabilities, CloseStrategy, Errno, FallbackReason, GroupList, HighFds, IoPriority, MemoryPolicy,
    Namespace, Operation, Resource, Scheduler, SpawnMethod, Stage,
};
pub use listen_fds::{ListenFd, listen_fds};
pub use mode::Blocking;
pub use pipeline::{BorrowingPipeline, Children, Pipeline, PipelineCommand, PipelineOutput, PipelineStatus};
pub use prepared::Prepared;
pub use probe::{Outcome, Probe, ProbeKind, ProbeReport, capabilities, probe, supports};
pub use pty::Pty;
pub use pty::foreground::Foreground;
pub use pty::raw_mode::RawMode;
pub use pty::window_size::WindowSize;
pub use sys::android::Android;
pub use sys::change::ChildChange;
pub use sys::exit_fd::ExitFd;
pub use sys::usage::ResourceUsage;

/// The code of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
