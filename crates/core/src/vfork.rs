//! The launcher by vfork(2): a child that shares the memory of its parent until it execs.
//!
//! vfork(2) copies no memory, and suspends the thread that starts the child until the child has executed a program or ended. So
//! the cost of a start does not depend on what the parent has mapped. The child has a descriptor table and signal actions of its
//! own. These rules make it safe:
//!
//! - The child runs on a stack of its own ([`Stacks`]), calls no function of the C library that uses threads, and writes to no
//!   memory of the parent but its report.
//! - All signals are blocked while it starts. It resets the handlers of the parent before it unblocks any signal.
//! - The first child shows whether memory is shared, because an emulator may turn vfork(2) into fork(2). It reports as a forked
//!   child does ([`ForkLauncher`]), which is right in both cases, and sets a flag in ordinary memory. If the parent does not see
//!   the flag, later children are forked.
//! - If a sanitizer is part of the program, all children are forked. So is a child with a pre-exec closure, and on some systems
//!   one with a limit of its stack.
//!
//! If the kernel refuses vfork(2), the launcher falls back to fork(2), and remembers the refusal once fork(2) has started a child.

use crate::fork::Uncancelled;
use crate::launch::started_a_child;
use crate::{
    Backend, BorrowingChild, ChildContext, Dumpable, Exec, FallbackReason, ForkLauncher, HighFds,
    LaunchError, Launched, Launcher, Limit, ParentSys, Pid, Plan, SharedReport, Sharing, SharingSys,
    SpawnMethod, Stacks, Stage, Sys, Timeline, VforkSys,
};
use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, Ordering};

/// Starts children by vfork(2), and others by fork(2).
#[derive(Debug)]
pub struct VforkLauncher<'b, B: ?Sized> {
    backend: &'b B,
    fork: ForkLauncher<'b, B>,
    sharing: Sharing,
    stacks: Stacks,
    dumpable: Dumpable,
}

impl<'b, B: Backend<Sys: VforkSys> + ?Sized> VforkLauncher<'b, B> {
    /// Creates a launcher over this backend.
    pub const fn new(backend: &'b B) -> Self {
        Self {
            backend,
            fork: ForkLauncher::new(backend),
            sharing: Sharing::new(),
            stacks: Stacks::new(),
            dumpable: Dumpable::new(),
        }
    }
}

// SAFETY: `Ok` follows from `conclude`, if the child executed a program and was not reaped, or from `ForkLauncher`. `conclude`
// reaps a child that failed, and `start` restores the mask.
unsafe impl<B: Backend<Sys: VforkSys + Sync> + ?Sized> Launcher for VforkLauncher<'_, B> {
    fn method(&self) -> SpawnMethod {
        if self.fallback_reason().is_some() { SpawnMethod::Fork } else { SpawnMethod::Vfork }
    }

    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        match self.launch_fast(plan) {
            Err(LaunchError::ForkRequired(_)) => self.launch_forked(plan),
            launched => launched,
        }
    }

    fn launch_fast(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        if let Some(reason) = self.fallback_reason_of(plan).or_else(|| self.fallback_reason()) {
            return Err(LaunchError::ForkRequired(reason));
        }
        self.backend.before_launch();
        if self.sharing.memory_is_shared() { self.launch_shared(plan) } else { self.launch_first(plan) }
    }

    fn fallback_reason(&self) -> Option<FallbackReason> {
        let sys = self.backend.sys();
        if !sys.has_vfork() {
            return Some(FallbackReason::NoSuchMethod);
        }
        if sys.is_sanitized() {
            return Some(FallbackReason::Sanitizer);
        }
        self.sharing.fallback_reason()
    }
}

/// One method of the launcher without a fallback, for a probe of that method. If no child has shown yet whether memory is
/// shared, [`launch`](Launcher::launch) starts one more child, which executes nothing.
#[derive(Debug)]
pub struct OneMethod<'b, B: ?Sized> {
    launcher: &'b VforkLauncher<'b, B>,
    method: SpawnMethod,
}

impl<'b, B: ?Sized> OneMethod<'b, B> {
    /// Creates a launcher that uses this method of this launcher.
    pub const fn new(launcher: &'b VforkLauncher<'b, B>, method: SpawnMethod) -> Self {
        Self { launcher, method }
    }
}

// SAFETY: it starts children as `VforkLauncher` does.
unsafe impl<B: Backend<Sys: VforkSys + Sync> + ?Sized> Launcher for OneMethod<'_, B> {
    fn method(&self) -> SpawnMethod {
        self.method
    }

    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        if self.method == SpawnMethod::Fork {
            return self.launcher.launch_forked(plan);
        }
        self.launcher.learn_about_memory(plan);
        self.launcher.launch_fast(plan)
    }
}

impl<B: Backend<Sys: VforkSys + Sync> + ?Sized> VforkLauncher<'_, B> {
    /// Returns why the child of this plan needs memory of its own.
    fn fallback_reason_of(&self, plan: &Plan<'_>) -> Option<FallbackReason> {
        if plan.hook.is_some() {
            return Some(FallbackReason::Closure);
        }
        let changes_memory = |limit: &Limit| self.backend.sys().limit_changes_memory(limit.resource);
        plan.limits.iter().any(changes_memory).then_some(FallbackReason::MemoryLimit)
    }

    /// Starts a child that executes nothing, unless an earlier child showed whether memory is shared.
    fn learn_about_memory(&self, plan: &Plan<'_>) {
        if self.fallback_reason().is_none() && !self.sharing.memory_is_shared() {
            let exec = Exec { candidates: &[], ..plan.exec };
            let _ = self.launch_fast(&Plan::new(exec));
        }
    }

    /// Starts a child by fork(2).
    fn launch_forked(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        let launched = self.fork.launch(plan);
        if started_a_child(&launched) {
            self.sharing.note_fork();
        }
        launched
    }

    /// Starts a child that may have a copy of the memory, and finds out.
    fn launch_first(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        let flag = AtomicBool::new(false);
        let is_shared = || flag.load(Ordering::Acquire);
        let launched = self.fork.launch_by(plan, is_shared, |parent, child| {
            self.start(plan, parent, &|context| {
                flag.store(true, Ordering::Release);
                child(context)
            })
        });
        let is_shared = is_shared();
        // A child that died before its first stage shows nothing about memory.
        let came_so_far = match launched {
            Ok(_) | Err(LaunchError::Child(_)) => true,
            Err(LaunchError::Died { stage, .. }) => stage != Stage::Start,
            Err(_) => false,
        };
        if is_shared || came_so_far {
            self.sharing.note_memory(is_shared);
        }
        let method = if is_shared { SpawnMethod::Vfork } else { SpawnMethod::Fork };
        launched.map(|launched| Launched { method, ..launched })
    }

    /// Starts a child that shares memory.
    fn launch_shared(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        let sys = self.backend.sys();
        let _uncancelled = Uncancelled::new(sys);
        let shared = SharedReport::new();
        let began = plan.timed.then(|| sys.now());
        let parent = sys.getpid();
        let pid = self.start(plan, parent, &|context| {
            BorrowingChild { backend: self.backend, plan, context, shared: &shared, trace: None }.run()
        })?;
        self.conclude(parent, pid, &shared)?;
        let closed = shared.how_closed();
        self.backend.learn(&closed);
        let timeline = began.map(|began| Timeline::of(&shared).with(Stage::Start, began));
        Ok(Launched {
            pid,
            pidfd: None,
            autoreap: None,
            method: SpawnMethod::Vfork,
            closed,
            high_fds: HighFds::Copied,
            timeline,
        })
    }

    /// Reaps a child that did not execute a program, and returns its failure.
    fn conclude(&self, parent: Pid, child: Pid, shared: &SharedReport) -> Result<(), LaunchError> {
        let failure = shared.failure();
        let stage = shared.entered();
        let began_exec = failure.is_none() && stage == Stage::Exec;
        if began_exec && self.backend.has_execed(child, parent) != Some(false) {
            return Ok(());
        }
        let status = self.backend.sys().reap(child);
        Err(failure.map_or(LaunchError::Died { stage, status }, LaunchError::Child))
    }

    /// Starts a child with all signals blocked, so that no handler of the parent runs in it.
    fn start(
        &self,
        plan: &Plan<'_>,
        parent: Pid,
        child: &dyn Fn(ChildContext) -> c_int,
    ) -> Result<Pid, LaunchError> {
        let sys = self.backend.sys();
        let setup = |errno| LaunchError::Parent { stage: Stage::Setup, errno };
        let id_change = self.dumpable.id_change(sys, plan)?;
        let mask = sys.block_signals().map_err(setup)?;
        let context = ChildContext::forked(parent, mask);
        let started = self.stacks.lend(sys, |top| {
            // SAFETY: `Stacks` gives the stack to this start alone. The depth of the calls does not depend on the plan, and a test
            // measures that `child_exec` takes a part of the stack. The code on it meets the requirements of `Sys`: its object
            // code calls only listed functions. All signals were blocked above. The parent continues only when the child no longer
            // uses `child`, the plan and the report, or if the child has copies of them.
            unsafe { sys.vfork(top, &|| child(context)) }
        });
        drop(id_change);
        // This cannot fail: the mask was in effect before, so the set is valid.
        let _ = sys.set_mask(mask);
        started.map_err(setup)?.map_err(|errno| {
            if !errno.is_refusal() {
                return LaunchError::Parent { stage: Stage::Start, errno };
            }
            self.sharing.suspect(errno)
        })
    }
}
