#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
//! The part of forkexec that runs in the child, and the words that parent and child share.
//!
//! Between the start of a child and exec there is no allocator, no lock that anybody could release, and under shared
//! memory not even a stack of one's own making. So this crate is `no_std` without `alloc`, and everything that can be
//! decided earlier is decided in the parent and arrives as a [`Plan`]: flat, borrowed, all pointers ready.
//!
//! It knows no operating system. A backend crate brings
//! - the system calls ([`Sys`], and [`ParentSys`] for the launcher's side),
//! - the ways in which that system lists and closes descriptors ([`Backend`], [`FdEnumerator`]),
//! - how a child starts ([`Launcher`]).
//!
//! Simulated kernels implement the same traits, so that every decision made here and in a backend runs as a test on
//! any host.
//!
//! # What the child's code keeps to
//!
//! Everything reachable from [`child_exec`] and [`close_except`] allocates nothing, takes no lock, cannot panic, and
//! calls nothing but the methods of [`Sys`] and [`Backend`]. `ci/child-symbols` proves it from the built object.

#[cfg(test)]
extern crate std;

mod arrays;
mod backend;
mod bulk;
mod child_exec;
mod close;
mod enumerate;
mod errno;
mod fork;
mod keep;
mod launch;
mod pid_variable;
mod plan;
mod records;
mod report;
mod shared;
mod signals;
mod stage;
mod sys;

pub use arrays::{CStrArray, ThinCStr};
pub use backend::{Backend, Capabilities, GroupList, Operation};
pub use bulk::{BulkRefusal, close_gap_by_number};
pub use child_exec::{CHANNEL_REPLACED, ChildContext, HOOK_PANICKED, HOOK_WITHOUT_ERRNO, child_exec};
pub use close::{
    CloseStrategy, Closed, Closer, LOOP_CEILING, LOOP_FLOOR, close_by, close_except, close_numbers,
    loop_bound,
};
pub use enumerate::{Directory, FdEnumerator, Unlisted, parse_fd};
pub use errno::Errno;
pub use fork::{ForkLauncher, ForkedChild, fork, run_forked};
pub use keep::{BadKeepList, Gap, Gaps, KeepList};
pub use launch::{FallbackReason, LaunchError, Launched, Launcher, SpawnMethod, Timeline};
pub use pid_variable::PidVariable;
pub use plan::{Cgroup, Exec, Hook, HookError, Mask, Move, Plan, ShellFallback, Source, WorkingDirectory};
pub use records::{RecordLayout, RecordLength};
pub use report::{Report, Reporter, SharedReport};
pub use shared::{Shared, SharedMemory, SharedU64};
pub use signals::{Disposition, Signal, SignalSet};
pub use stage::Stage;
pub use sys::{FileId, Limit, ParentSys, Resource, Sys};

/// A descriptor's number.
pub type Fd = core::ffi::c_int;

/// A process id.
pub type Pid = i32;
