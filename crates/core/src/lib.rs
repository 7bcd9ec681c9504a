#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
//! The code that runs in the child, and the types that parent and child share. This crate is an implementation detail of
//! `forkexec`.
//!
//! Between the start of a child and exec, the child must not allocate, and must not take a lock that another thread of the
//! parent may hold. If it shares memory, even its stack belongs to the parent. So this crate is `no_std` without `alloc`. The
//! parent makes all decisions that it can, and passes them as a [`Plan`]: flat, borrowed, with all pointers ready.
//!
//! This crate names no operating system. A backend crate provides:
//!
//! - the system calls ([`Sys`], and [`ParentSys`] for the launcher),
//! - the means to list and close descriptors ([`Backend`], [`FdEnumerator`]),
//! - the start of a child ([`Launcher`]).
//!
//! Simulated kernels implement the same traits, so tests can run each decision of this crate and of a backend on any host.
//!
//! # Rules for the child's code
//!
//! The code reachable from [`child_exec`], [`close_except`] and [`inherit_only`] does not allocate, takes no lock, cannot panic, and calls only
//! methods of [`Sys`] and [`Backend`]. `ci/child-symbols` checks that in the object code.

#[cfg(test)]
extern crate std;

mod arrays;
mod backend;
mod borrowing_child;
mod bulk;
mod child_exec;
mod cloexec;
mod close;
mod dumpable;
mod enumerate;
mod errno;
mod fork;
mod keep;
mod launch;
mod linked;
mod pid_variable;
mod plan;
mod process_entry;
mod records;
mod report;
mod shared;
mod sharing;
mod signals;
mod stack;
mod stage;
mod sys;
mod vfork;

pub use arrays::{CStrArray, ThinCStr};
pub use backend::{Backend, Capabilities, GroupList, Operation};
pub use borrowing_child::BorrowingChild;
pub use bulk::{BulkRefusal, close_gap_by_number};
pub use child_exec::{CHANNEL_REPLACED, ChildContext, HOOK_PANICKED, HOOK_WITHOUT_ERRNO, child_exec};
pub use cloexec::{inherit_only, set_cloexec_except};
pub use close::{
    CloseStrategy, Closed, Closer, LOOP_CEILING, LOOP_FLOOR, close_by, close_except, close_numbers,
    loop_bound,
};
pub use dumpable::{Dumpable, IdChange};
pub use enumerate::{Directory, FdEnumerator, Unlisted, parse_fd};
pub use errno::Errno;
pub use fork::{ForkLauncher, ForkedChild, fork, run_forked};
pub use keep::{BadKeepList, Gap, Gaps, KeepList};
pub use launch::{FallbackReason, LaunchError, Launched, Launcher, SpawnMethod, Timeline, started_a_child};
pub use pid_variable::PidVariable;
pub use plan::{Cgroup, Exec, Hook, HookError, Mask, Move, Plan, ShellFallback, Source, WorkingDirectory};
pub use process_entry::{ProcessEntry, has_execed_by_entry};
pub use records::{RecordLayout, RecordLength};
pub use report::{Report, Reporter, SharedReport};
pub use shared::{Shared, SharedMemory, SharedU64};
pub use sharing::Sharing;
pub use signals::{Disposition, Signal, SignalSet};
pub use stack::{Stack, Stacks};
pub use stage::Stage;
pub use sys::{FileId, Limit, ParentSys, Resource, SharingSys, Sys, Top, VforkSys};
pub use vfork::{OneMethod, VforkLauncher};

/// The number of a file descriptor.
pub type Fd = core::ffi::c_int;

/// A process ID.
pub type Pid = i32;
