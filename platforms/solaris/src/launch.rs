//! Children by posix_spawn(3C), and forked ones.
//!
//! - *No code of this library runs in the child.* libc starts the child by vfork(2), and calls none of its functions by way of the
//!   dynamic linker (`libc/port/threads/spawn.c` at 3a656e4). The kernel does it all from ac2250c on, and on Solaris 11.4.
//! - *No handler of the parent runs in the child*, although libc sets the mask before it resets the dispositions: the kernel resets
//!   all handlers of a new child of vfork(2) (`sigdefault` in `cfork` of `uts/common/os/fork.c`).
//! - *A failed start leaves nothing.* The errno is in the memory that the child shares, and the child ends by `_exit(_EVAPORATE)`:
//!   there is no zombie and no `SIGCHLD` (`proc_exit` of `uts/common/os/exit.c` at ac2250c, also for the system call).
//! - *Death before exec is not told.* If a signal kills the child in execve(2), the call returns success (`posix_spawn` of `spawn.c` at
//!   3a656e4, and `spawn_complete` in `proc_exit`), and the status shows the signal. If it kills a child of vfork(2) before
//!   the child has set its dispositions, the result is a number that libc never set, and the zombie stays. Only a signal that
//!   another process sends to this child alone does that.
//! - *The whole parent waits.* Up to the exec of a child of vfork(2) all threads of its parent are stopped (`holdlwps` in `cfork`, which
//!   the comment of `uts/common/os/spawn.c` at ac2250c names as the reason for the system call).
//! - *A program without a known format runs in no shell.* Only posix_spawnp(3C) tries one.
//!
//! `E2BIG`, `ENOEXEC` and `ETXTBSY` are errnos of execve(2) alone. `EAGAIN` may be of vfork(2) or of execve(2) (exec(2) of Solaris and
//! illumos), so only fork(2) tells.

use crate::express::express;
use crate::{CAPABILITIES, Solaris, SolarisSys};
use forkexec_core::{Backend, Closer, Errno, LaunchError, Launched, ParentSys, Plan};
use forkexec_unix::{SpawnBackend, SpawnLauncher, launch_expressed};

/// Starts children by posix_spawn(3C), and others by fork(2).
pub type SolarisLauncher<'b, S> = SpawnLauncher<'b, Solaris<S>>;

impl<S: SolarisSys + ParentSys + Sync> SpawnBackend for Solaris<S> {
    fn launch_spawned(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        launch_spawned(self.sys(), plan)
    }
}

/// Starts a child by posix_spawn(3C).
///
/// # Errors
///
/// Returns a [`LaunchError`]. [`LaunchError::ForkRequired`] means that posix_spawn(3C) cannot express the plan.
pub fn launch_spawned<S: SolarisSys>(sys: &S, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
    let spawn = express(sys, plan).map_err(LaunchError::ForkRequired)?;
    match launch_expressed(sys, plan, &spawn, CLOSER) {
        Err(LaunchError::Parent { errno: Errno::AGAIN, .. }) => Err(LaunchError::StageUnknown(Errno::AGAIN)),
        launched => launched,
    }
}

/// Closes the other descriptors of such a child: libc of illumos reads the list, and the kernel of Solaris closes.
const CLOSER: Closer = if CAPABILITIES.bulk_closer.is_some() { Closer::Bulk } else { Closer::Enumerator(0) };
