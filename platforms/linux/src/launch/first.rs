//! The first child shows whether memory is shared.
//!
//! Emulators of user programs (`linux-user` of QEMU) and tools such as Valgrind turn `CLONE_VM | CLONE_VFORK` into fork(2). The
//! parent continues at once, and does not see the writes of the child. A test child could detect that, but a start must make
//! only one process: in a new pid namespace the first process becomes the init, and its end closes the namespace.
//!
//! So the first requested child reports through a [`SharedMemory`], which fork(2) does not copy. Before anything else it sets a
//! flag in ordinary memory. If the parent sees the flag, memory is shared, and later starts use ordinary memory alone. If the
//! child reported something and the flag is not set, the child has a copy. Then the parent waits for it here, and later
//! starts use fork(2).

use super::outcome::End;
use super::{CloneVariant, Failed, LinuxLauncher};
use crate::{CloneSys, Started};
use core::sync::atomic::{AtomicBool, Ordering};
use forkexec_core::{Backend, Errno, Plan, SharedMemory, SharedReport, Stage};

/// The memory of a child.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// It is that of the parent, which was suspended. The report is complete.
    Shared,
    /// It is a copy. The parent waited until the child executed a program or ended.
    Copied(End),
}

impl<S: CloneSys + Sync> LinuxLauncher<'_, S> {
    /// Starts a child, and passes its report to `conclude`.
    pub(super) fn with_child<T>(
        &self,
        variant: CloneVariant,
        plan: &Plan<'_>,
        exit_signal: bool,
        conclude: impl FnOnce(&SharedReport, Started, Memory) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        if self.sharing.memory_is_shared() {
            let shared = SharedReport::new();
            let started = self.start(variant, plan, exit_signal, &shared, None)?;
            return conclude(&shared, started, Memory::Shared);
        }
        let memory = SharedMemory::<_, SharedReport>::new(self.backend.sys());
        let memory = memory.map_err(|errno| Failed::Finally(super::setup(errno)))?;
        let trace = AtomicBool::new(false);
        let started = self.start(variant, plan, exit_signal, &memory, Some(&trace))?;
        if trace.load(Ordering::Acquire) {
            self.sharing.note_memory(true);
            return conclude(&memory, started, Memory::Shared);
        }
        let end = self.wait_for_a_copy(&memory, &started, exit_signal);
        // If the child died before its first stage, it shows nothing about memory.
        if memory.entered() != Stage::Start {
            self.sharing.note_memory(false);
        }
        conclude(&memory, started, Memory::Copied(end))
    }

    /// Waits until a child with a copy of the memory executed a program or ended.
    ///
    /// A pipe cannot tell, because an emulator may share the descriptor table all the same. The parent checks the kernel flag
    /// for processes that executed a program, and calls wait4(2) with `__WCLONE` or waitid(2).
    fn wait_for_a_copy(&self, shared: &SharedReport, child: &Started, exit_signal: bool) -> End {
        let sys = self.backend.sys();
        let parent = sys.getpid();
        let mut retries = RETRIES;
        let has_execed = || {
            let in_exec = shared.entered() == Stage::Exec && shared.failure().is_none();
            if in_exec { self.backend.has_execed(child.pid, parent) } else { Some(false) }
        };
        loop {
            let failed = shared.failure().is_some();
            let execed = has_execed();
            if execed == Some(true) || execed.is_none() && retries == 0 {
                return End::None;
            }
            // The caller reaps a child with an exit signal, so the library must not.
            let unexecuted = if exit_signal { Err(Errno::CHILD) } else { sys.reap_unexecuted(child.pid) };
            match unexecuted {
                // A traced child, which has stopped at its exec.
                Ok(Some(status)) if libc::WIFSTOPPED(status) => return End::None,
                Ok(Some(status)) => return End::With(status),
                // The child may have executed a program since the question. Without the flag, one whose exec did not fail counts as
                // started. The caller reads its status.
                Err(Errno::CHILD) if sys.has_ended(child.pid) => {
                    return if has_execed() == Some(false) { End::Near } else { End::None };
                }
                _ if failed && !exit_signal => return End::Near,
                _ => {}
            }
            retries = retries.saturating_sub(u8::from(execed.is_none()));
            sys.pause(1);
        }
    }
}

/// The number of milliseconds to wait for execve(2) if nothing tells whether the child executed a program.
const RETRIES: u8 = 100;
