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

// The items below are for Unix alone, so that other systems report no other error.
#[cfg(not(unix))]
compile_error!("forkexec is for Unix; on Windows, use `std::process::Command`");

#[cfg(test)]
extern crate std;

#[cfg(unix)]
mod arrays;
#[cfg(unix)]
mod attribute;
#[cfg(unix)]
mod backend;
#[cfg(unix)]
mod borrowing_child;
#[cfg(unix)]
mod bulk;
#[cfg(unix)]
mod candidates;
#[cfg(unix)]
mod child_exec;
#[cfg(unix)]
mod cloexec;
#[cfg(unix)]
mod close;
#[cfg(unix)]
mod dumpable;
#[cfg(unix)]
mod enumerate;
#[cfg(unix)]
mod errno;
#[cfg(unix)]
mod fork;
#[cfg(unix)]
mod keep;
#[cfg(unix)]
mod launch;
#[cfg(unix)]
mod linked;
#[cfg(unix)]
mod namespaces;
#[cfg(unix)]
mod pid_variable;
#[cfg(unix)]
mod plan;
#[cfg(unix)]
mod process_entry;
#[cfg(unix)]
mod records;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod shared;
#[cfg(unix)]
mod sharing;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod stack;
#[cfg(unix)]
mod stage;
#[cfg(unix)]
mod sys;
#[cfg(unix)]
mod take;
#[cfg(unix)]
mod vfork;

#[cfg(unix)]
pub use arrays::{CStrArray, ThinCStr};
#[cfg(unix)]
pub use attribute::{
    Attribute, BpfInstruction, CapabilitySets, IoPriority, MemoryPolicy, Scheduler, SeccompFilter, Unveil,
};
#[cfg(unix)]
pub use backend::{Backend, Capabilities, GroupList, Operation};
#[cfg(unix)]
pub use borrowing_child::BorrowingChild;
#[cfg(unix)]
pub use bulk::{BulkRefusal, close_gap_by_number};
#[cfg(unix)]
pub use candidates::{NotExecuted, execute_first, is_missing, retry_busy};
#[cfg(unix)]
pub use child_exec::{CHANNEL_REPLACED, ChildContext, HOOK_PANICKED, HOOK_WITHOUT_ERRNO, child_exec};
#[cfg(unix)]
pub use cloexec::{inherit_only, set_cloexec_except};
#[cfg(unix)]
pub use close::{
    CloseStrategy, Closed, Closer, LOOP_CEILING, LOOP_FLOOR, close_by, close_except, close_numbers,
    loop_bound,
};
#[cfg(unix)]
pub use dumpable::{Dumpable, IdChange};
#[cfg(unix)]
pub use enumerate::{Directory, FdEnumerator, Unlisted, parse_fd};
#[cfg(unix)]
pub use errno::Errno;
#[cfg(unix)]
pub use fork::{ForkLauncher, ForkedChild, Uncancelled, fork, run_forked};
#[cfg(unix)]
pub use keep::{BadKeepList, Gap, Gaps, KeepList};
#[cfg(unix)]
pub use launch::{
    FallbackReason, HighFds, LaunchError, Launched, Launcher, SpawnMethod, Timeline, started_a_child,
};
#[cfg(unix)]
pub use namespaces::{IdMaps, Namespace, NamespaceSet, Namespaces};
#[cfg(unix)]
pub use pid_variable::PidVariable;
#[cfg(unix)]
pub use plan::{
    Access, Autoreap, Cgroup, Exec, Hook, HookError, Mask, Move, Plan, Reopen, ShellFallback, Source,
    WorkingDirectory,
};
#[cfg(unix)]
pub use process_entry::{ProcessEntry, has_execed_by_entry};
#[cfg(unix)]
pub use records::{RecordLayout, RecordLength};
#[cfg(unix)]
pub use report::{Report, Reporter, SharedReport};
#[cfg(unix)]
pub use shared::{Shared, SharedMemory, SharedU64};
#[cfg(unix)]
pub use sharing::Sharing;
#[cfg(unix)]
pub use signals::{Disposition, Signal, SignalSet};
#[cfg(unix)]
pub use stack::{Stack, Stacks};
#[cfg(unix)]
pub use stage::Stage;
#[cfg(unix)]
pub use sys::{FileId, Limit, ParentSys, Resource, SharingSys, Sys, Top, VforkSys};
#[cfg(unix)]
pub use take::{FIRST_HIGH, Lender, Taking, Wanted};
#[cfg(unix)]
pub use vfork::{OneMethod, VforkLauncher};

/// The number of a file descriptor.
pub type Fd = core::ffi::c_int;

/// A process ID.
pub type Pid = i32;
