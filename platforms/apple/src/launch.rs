//! Children by posix_spawn(2), and forked ones whose exec closes descriptors.
//!
//! posix_spawn(2) is one call of the kernel, which makes a process without memory of the parent, changes its descriptors, and
//! executes the program (`posix_spawn` of `bsd/kern/kern_exec.c`). So no handler of the parent runs in the child. If a step fails, the
//! kernel ends the child itself: there is nothing to reap (`P_LIST_DEADPARENT` there). The copy of the descriptor table includes
//! descriptors that are close-on-exec, so an action can name them (`fdt_fork` of `bsd/kern/kern_descrip.c`).
//!
//! These errnos belong to one stage (`posix_spawn` and `exec_activate_image` of `bsd/kern/kern_exec.c` list them): `EAGAIN` is of
//! too many processes (`fork1` of `bsd/kern/kern_fork.c`), and `E2BIG`, `ENOEXEC` and `ETXTBSY` of the program.

use crate::express::express;
use crate::spawn_exec::SpawnExec;
use crate::{Apple, AppleSys, SpawnSys};
use forkexec_core::{Backend, Closer, ForkLauncher, LaunchError, Launched, Launcher, ParentSys, Plan};
use forkexec_unix::{SpawnBackend, SpawnLauncher, launch_expressed};

/// Starts children by posix_spawn(2), and others by fork(2), with an exec that closes descriptors if that is possible.
pub type AppleLauncher<'b, S> = SpawnLauncher<'b, Apple<S>>;

impl<S: AppleSys + ParentSys + Sync> SpawnBackend for Apple<S> {
    fn launch_spawned(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        launch_spawned(self.sys(), plan)
    }

    fn launch_forked(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        match SpawnExec::prepare(self, plan) {
            Some(backend) => ForkLauncher::new(&backend).launch(plan),
            None => ForkLauncher::new(self).launch(plan),
        }
    }
}

/// Starts a child by posix_spawn(2).
///
/// # Errors
///
/// Returns a [`LaunchError`]. [`LaunchError::ForkRequired`] means that posix_spawn(2) cannot express the plan, or does not exist.
pub fn launch_spawned<S: SpawnSys>(sys: &S, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
    let spawn = express(sys, plan).map_err(LaunchError::ForkRequired)?;
    launch_expressed(sys, plan, &spawn, Closer::Bulk)
}
