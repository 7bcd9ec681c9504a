//! The first child shows whether memory is shared.
//!
//! Emulators of user programs (QEMU's `linux-user`) and tools such as Valgrind turn `CLONE_VM | CLONE_VFORK` into fork(2):
//! the parent continues at once, and the child's writes stay its own. No test child finds that out, because a start makes
//! one process: in a new pid namespace the first process becomes its init, and its end closes the namespace.
//!
//! So the first child that the caller asks for reports through a [`SharedMemory`], which fork(2) does not copy, and leaves a
//! trace in ordinary memory before anything else. If the parent sees the trace, memory is shared, and later starts use
//! ordinary memory alone. If the child reported something without leaving the trace, it has a copy: the parent waits for it
//! here, and later starts use fork(2).

use super::outcome::End;
use super::{CloneVariant, Failed, LinuxLauncher};
use crate::{CloneSys, Started};
use core::sync::atomic::{AtomicBool, Ordering};
use forkexec_core::{Backend, Errno, Plan, SharedMemory, SharedReport, Stage};

/// Whether a child shared its parent's memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// It did, and the parent was suspended: the slot holds all that the child has to say.
    Shared,
    /// It had a copy. The parent waited until the child executed a program or ended.
    Copied(End),
}

impl<S: CloneSys + Sync> LinuxLauncher<'_, S> {
    /// Starts a child, and passes what it left in its slot to `conclude`.
    pub(super) fn with_child<T>(
        &self,
        way: CloneVariant,
        plan: &Plan<'_>,
        exit_signal: bool,
        conclude: impl FnOnce(&SharedReport, Started, Memory) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        if self.ways.memory_is_shared() {
            let slot = SharedReport::new();
            let started = self.start(way, plan, exit_signal, &slot, None)?;
            return conclude(&slot, started, Memory::Shared);
        }
        let memory = SharedMemory::<_, SharedReport>::new(self.backend.sys());
        let memory = memory.map_err(|errno| Failed::Finally(super::setup(errno)))?;
        let trace = AtomicBool::new(false);
        let started = self.start(way, plan, exit_signal, &memory, Some(&trace))?;
        if trace.load(Ordering::Acquire) {
            self.ways.note_memory(true);
            return conclude(&memory, started, Memory::Shared);
        }
        let end = self.wait_for_a_copy(&memory, &started, exit_signal);
        // A child that died before its first act shows nothing about memory.
        if memory.entered() != Stage::Start {
            self.ways.note_memory(false);
        }
        conclude(&memory, started, Memory::Copied(end))
    }

    /// Waits until a child with a copy of the memory executed a program or ended.
    ///
    /// No pipe is open for that, because an emulator may share the descriptor table all the same. The kernel's flag for
    /// processes that executed a program tells, and wait4(2) with `__WCLONE` or waitid(2).
    fn wait_for_a_copy(&self, slot: &SharedReport, child: &Started, exit_signal: bool) -> End {
        let sys = self.backend.sys();
        let parent = sys.getpid();
        let mut patience = PATIENCE;
        loop {
            let failed = slot.failure().is_some();
            let in_exec = slot.entered() == Stage::Exec && !failed;
            let execed = if in_exec { self.backend.has_execed(child.pid, parent) } else { Some(false) };
            if execed == Some(true) || execed.is_none() && patience == 0 {
                return End::None;
            }
            // The caller waits for a child with an exit signal, so the library only looks at that one.
            let unexecuted = if exit_signal { Err(Errno::CHILD) } else { sys.reap_unexecuted(child.pid) };
            match unexecuted {
                Ok(Some(status)) => return End::With(status),
                Err(Errno::CHILD) if sys.has_ended(child.pid) => {
                    // Without the flag, a child whose exec did not fail counts as started, and its status tells.
                    let is_open = execed.is_none() && slot.failure().is_none();
                    return if is_open { End::None } else { End::Near };
                }
                _ if failed && !exit_signal => return End::Near,
                _ => {}
            }
            patience = patience.saturating_sub(u8::from(execed.is_none()));
            sys.pause(1);
        }
    }
}

/// How many milliseconds a child may take in execve(2) where nothing tells whether it executed a program.
const PATIENCE: u8 = 100;
