//! The launcher: posix_spawn(2) from the parent for the plans that it can express, and fork(2) for all others.
//!
//! One call of the system starts the child, changes its descriptors and executes the program. So no code of this library runs in
//! the child. If a step fails, there is no child to reap, and the call returns an errno.
//!
//! If the errno does not tell the failed stage, the child is forked, and reports the stage. Nothing ran before that.

use crate::SpawnSys;
use crate::spawn::locate::{is_missing_call, is_of_no_program, locate};
use core::ffi::CStr;
use core::sync::atomic::{AtomicI32, Ordering};
use forkexec_core::{
    Backend, CStrArray, Closed, Closer, Errno, Exec, FallbackReason, ForkLauncher, HighFds, LaunchError,
    Launched, Launcher, NotExecuted, ParentSys, Pid, Plan, SpawnMethod, Uncancelled, execute_first,
    is_missing, retry_busy,
};

/// A backend that starts children by posix_spawn(2).
pub trait SpawnBackend: Backend<Sys: SpawnSys + ParentSys + Sync> {
    /// Starts a child by posix_spawn(2).
    ///
    /// # Errors
    ///
    /// Returns a [`LaunchError`]. [`LaunchError::ForkRequired`] means that posix_spawn(2) cannot express the plan, or does not
    /// exist.
    fn launch_spawned(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError>;

    /// Starts a child by fork(2).
    ///
    /// # Errors
    ///
    /// Returns a [`LaunchError`].
    fn launch_forked(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        ForkLauncher::new(self).launch(plan)
    }
}

/// Starts children by posix_spawn(2), and others by fork(2).
#[derive(Debug)]
pub struct SpawnLauncher<'b, B: ?Sized> {
    backend: &'b B,
    /// The errno with which posix_spawn(2) is refused for good, or [`NO_ERRNO`].
    refused: AtomicI32,
}

const NO_ERRNO: i32 = 0;

impl<'b, B: ?Sized> SpawnLauncher<'b, B> {
    /// A launcher over this backend.
    pub const fn new(backend: &'b B) -> Self {
        Self { backend, refused: AtomicI32::new(NO_ERRNO) }
    }
}

// SAFETY: `Ok` follows from `SpawnSys::spawn_child`, or from `ForkLauncher`.
unsafe impl<B: SpawnBackend + ?Sized> Launcher for SpawnLauncher<'_, B> {
    fn method(&self) -> SpawnMethod {
        if self.fallback_reason().is_some() { SpawnMethod::Fork } else { SpawnMethod::PosixSpawn }
    }

    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        let failed = match self.launch_fast(plan) {
            Err(LaunchError::ForkRequired(reason)) => errno_of(reason),
            Err(LaunchError::StageUnknown(errno)) => Some(errno),
            launched => return launched,
        };
        let launched = self.backend.launch_forked(plan);
        if let Some(errno) = failed.filter(|&errno| launched.is_ok() && is_for_good(errno)) {
            self.refused.store(errno.raw(), Ordering::Relaxed);
        }
        launched
    }

    fn launch_fast(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        if let Some(reason) = self.fallback_reason() {
            return Err(LaunchError::ForkRequired(reason));
        }
        let _uncancelled = Uncancelled::new(self.backend.sys());
        self.backend.launch_spawned(plan)
    }

    fn fallback_reason(&self) -> Option<FallbackReason> {
        match self.refused.load(Ordering::Relaxed) {
            NO_ERRNO => None,
            errno => Some(FallbackReason::Refused(Errno::from_raw(errno))),
        }
    }
}

fn errno_of(reason: FallbackReason) -> Option<Errno> {
    match reason {
        FallbackReason::Refused(errno) => Some(errno),
        _ => None,
    }
}

/// Returns whether a refusal is one of every start. A sandbox answers `EPERM`. Other errnos concern one launch, such as `EINVAL` for
/// more actions than the descriptor limit.
pub fn is_for_good(errno: Errno) -> bool {
    errno == Errno::PERM || is_missing_call(errno)
}

/// One method of the launcher without a fallback, for a probe of that method.
#[derive(Debug)]
pub struct OneMethod<'b, B: ?Sized> {
    launcher: &'b SpawnLauncher<'b, B>,
    method: SpawnMethod,
}

impl<'b, B: ?Sized> OneMethod<'b, B> {
    /// Creates a launcher that uses this method of this launcher.
    pub const fn new(launcher: &'b SpawnLauncher<'b, B>, method: SpawnMethod) -> Self {
        Self { launcher, method }
    }
}

// SAFETY: it starts children as `SpawnLauncher` does.
unsafe impl<B: SpawnBackend + ?Sized> Launcher for OneMethod<'_, B> {
    fn method(&self) -> SpawnMethod {
        self.method
    }

    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        if self.method == SpawnMethod::Fork {
            return self.launcher.backend.launch_forked(plan);
        }
        self.launcher.launch_fast(plan)
    }
}

/// Starts a child by posix_spawn(2), with the attributes and file actions of the plan. `by` closes the other descriptors.
///
/// # Errors
///
/// Returns a [`LaunchError`].
pub fn launch_expressed<S: SpawnSys>(
    sys: &S,
    plan: &Plan<'_>,
    spawn: &S::Spawn,
    by: Closer,
) -> Result<Launched, LaunchError> {
    let pid = spawn_first(sys, plan, spawn).map_err(|failed| locate(sys, plan, failed))?;
    let by = if plan.close.is_some() { by } else { Closer::Nothing };
    Ok(Launched {
        pid,
        pidfd: None,
        autoreap: None,
        method: SpawnMethod::PosixSpawn,
        closed: Closed { by, bulk_refused: None },
        high_fds: HighFds::Copied,
        timeline: None,
    })
}

/// Starts a child with the first candidate that runs.
fn spawn_first<S: SpawnSys>(sys: &S, plan: &Plan<'_>, spawn: &S::Spawn) -> Result<Pid, NotExecuted> {
    let exec = with_candidate(plan.exec);
    let is_search = exec.candidates.len() > 1;
    let started = execute_first(&exec, |path, argv| {
        let missing =
            if is_search { sys.may_execute(path).err().filter(|&errno| is_missing(errno)) } else { None };
        match missing.map_or_else(|| spawn_one(sys, spawn, path, argv, exec.env), Err) {
            Err(errno) if is_of_no_program(errno) => Err(NotExecuted { errno, index: 0 }),
            started => Ok(started),
        }
    });
    started?
}

/// A plan without a candidate executes nothing. A path that leads to nothing does so after all other steps.
fn with_candidate(exec: Exec<'_>) -> Exec<'_> {
    if exec.candidates.is_empty() { Exec { candidates: &[c""], ..exec } } else { exec }
}

fn spawn_one<S: SpawnSys>(
    sys: &S,
    spawn: &S::Spawn,
    path: &CStr,
    argv: CStrArray<'_>,
    env: Option<CStrArray<'_>>,
) -> Result<Pid, Errno> {
    let start = || sys.spawn_child(spawn, path, argv, env);
    match start() {
        Err(Errno::TXTBSY) => retry_busy(sys, start),
        started => started,
    }
}
