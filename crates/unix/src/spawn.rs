//! Children by posix_spawn(2) from the parent.
//!
//! - `spawn`: the interface to the call, with attributes and file actions as data
//! - `actions`: a plan as attributes and file actions, or the stage that cannot be expressed
//! - `launch`: the launcher, and its fallback to fork(2)
//! - `locate`: the stage of a failed call
//! - `calls`: the bindings, with a macro for the backends that have the call

mod actions;
mod calls;
mod launch;
mod locate;

pub use actions::{Actions, Dialect, STANDARD, free_numbers, is_open_after, is_touched};
pub use calls::SpawnSystem;
pub use launch::{OneMethod, SpawnBackend, SpawnLauncher, is_for_good, launch_expressed};

use core::ffi::CStr;
use forkexec_core::{Attribute, CStrArray, Errno, Fd, Pid, Plan, SignalSet, Sys};

/// The attributes of posix_spawn(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the call")]
pub struct Attributes {
    /// The program replaces the calling process, as by execve(2): `POSIX_SPAWN_SETEXEC` of macOS.
    pub replace: bool,
    /// Closes each descriptor that no file action names: `POSIX_SPAWN_CLOEXEC_DEFAULT` of macOS.
    pub close_others: bool,
    /// Starts a session: `POSIX_SPAWN_SETSID`.
    pub session: bool,
    /// The process group to join; 0 is a new one: `POSIX_SPAWN_SETPGROUP`.
    pub group: Option<Pid>,
    /// The signals that get their default action: `POSIX_SPAWN_SETSIGDEF`.
    pub default: SignalSet,
    /// The signal mask: `POSIX_SPAWN_SETSIGMASK`.
    pub mask: Option<SignalSet>,
    /// Disables address space randomization: `_POSIX_SPAWN_DISABLE_ASLR` of macOS.
    pub fixed_addresses: bool,
    /// Stops the program before its first instruction: `POSIX_SPAWN_START_SUSPENDED` of macOS.
    pub suspended: bool,
}

impl Attributes {
    /// No attribute is set.
    pub const NONE: Self = Self {
        replace: false,
        close_others: false,
        session: false,
        group: None,
        default: SignalSet::EMPTY,
        mask: None,
        fixed_addresses: false,
        suspended: false,
    };

    /// The attributes of a plan that only these flags set.
    pub fn only_by_flags(plan: &Plan<'_>) -> Self {
        Self {
            fixed_addresses: plan.attributes.contains(&Attribute::FixedAddresses),
            suspended: plan.is_suspended(),
            ..Self::NONE
        }
    }
}

/// A file action of posix_spawn(2). The system performs the actions in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Makes the program inherit a descriptor: posix_spawn_file_actions_addinherit_np(3) of macOS.
    Inherit(Fd),
    /// Duplicates a descriptor onto another number: posix_spawn_file_actions_adddup2(3).
    Dup2(Fd, Fd),
    /// Closes a descriptor: posix_spawn_file_actions_addclose(3).
    Close(Fd),
    /// Closes each descriptor from a number up: posix_spawn_file_actions_addclosefrom_np(3C) of Solaris and illumos.
    CloseFrom(Fd),
    /// Enters a directory: posix_spawn_file_actions_addchdir_np(3).
    Chdir(&'a CStr),
    /// Enters an open directory: posix_spawn_file_actions_addfchdir_np(3).
    Fchdir(Fd),
}

/// A part of posix_spawn(2) that not every release has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// [`Attributes::session`].
    Session,
    /// [`Action::Chdir`].
    Chdir,
    /// [`Action::Fchdir`].
    Fchdir,
}

/// The calls around posix_spawn(2).
///
/// # Safety
///
/// The methods run in the parent and may allocate. [`spawn_child`](Self::spawn_child) returns `Ok` only if there is a child, and no
/// code has reaped it. The child executes the program, unless a signal ends it before, on a system that does not tell. `Err` means
/// that no program runs.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait SpawnSys: Sys {
    /// The attributes and file actions of posix_spawn(2).
    type Spawn: Sync;

    /// Returns whether the running release has this part.
    fn has(&self, feature: Feature) -> bool;
    /// posix_spawnattr_init(3), its functions for each attribute, and posix_spawn_file_actions_init(3).
    fn spawn(&self, attributes: &Attributes) -> Result<Self::Spawn, Errno>;
    /// The function that [`Action`] names. `ENOSYS` if the system has none.
    fn add(&self, spawn: &mut Self::Spawn, action: Action<'_>) -> Result<(), Errno>;
    /// posix_spawn(2) without [`Attributes::replace`]. Without `env` it passes the environment of the process. Returns the
    /// process ID of the child.
    fn spawn_child(
        &self,
        spawn: &Self::Spawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Pid, Errno>;
    /// pthread_sigmask(3), as a query.
    fn signal_mask(&self) -> Result<SignalSet, Errno>;
    /// faccessat(2) with `X_OK` and `AT_EACCESS`: permission to execute a file or to search a directory.
    fn may_execute(&self, path: &CStr) -> Result<(), Errno>;
}
