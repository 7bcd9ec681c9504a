//! The launcher of Linux: a child that shares the memory and the descriptor table of its parent until it execs.
//!
//! `CLONE_VM | CLONE_VFORK` copies no memory, and suspends the thread that starts the child until the child has executed a
//! program or ended. `CLONE_FILES` copies no descriptor either. The first call of the child is `CLOSE_RANGE_UNSHARE`, which
//! creates a table of its own without the descriptors above the highest number that it needs. It does not need high numbers: it
//! takes those descriptors from its suspended parent ([`take`](crate::take)). So the cost of a start does not depend on what the
//! parent has open or mapped.
//!
//! These rules make it safe:
//!
//! - The child runs on a stack of its own ([`Stacks`]), calls no function of the C library that uses threads, and writes to no
//!   memory of the parent but its [`SharedReport`].
//! - All signals are blocked while it starts. It resets the handlers of the parent, or starts without them, before it unblocks
//!   any signal.
//! - If memory turns out not to be shared, the first child shows that ([`first`]), and later children are forked.
//! - If a sanitizer is part of the program, all children are forked.
//!
//! Limitation: before Linux 5.16, a signal that dumps core kills every process that shares the memory. So if a filter kills the
//! child before exec, the parent dies, too, as after any vfork(2).
//!
//! A kernel or a filter may refuse any of the calls. After a refusal the launcher falls back to the next variant
//! ([`clone_variant`]), with the same result, and remembers the refusal.

mod clone_variant;
mod first;
mod in_place;
mod outcome;
mod spawn_unreaped;
mod suspend;
#[cfg(test)]
mod tests;
mod trapped;

use crate::autoreap::reads_status;
use crate::{AndroidCall, Call, CloneSys, Linux, Start, Started};
use clone_variant::{CloneVariant, Features, KnownRefusals};
use core::sync::atomic::AtomicBool;
use first::Memory;
use forkexec_core::{
    Autoreap, Backend, BorrowingChild, ChildContext, CloseStrategy, Dumpable, Errno, Exec, FallbackReason,
    Fd, ForkLauncher, LaunchError, Launched, Launcher, Pid, Plan, Report, SharedReport, Sharing, SpawnMethod,
    Stacks, Stage, Timeline, started_a_child,
};
use outcome::{Outcome, outcome};

/// Starts children that share memory with their parent, and others by fork(2).
#[derive(Debug)]
pub struct LinuxLauncher<'b, S> {
    backend: &'b Linux<S>,
    fork: ForkLauncher<'b, Linux<S>>,
    known: KnownRefusals,
    sharing: Sharing,
    stacks: Stacks,
    dumpable: Dumpable,
}

impl<'b, S: CloneSys + Sync> LinuxLauncher<'b, S> {
    /// A launcher over this backend.
    pub const fn new(backend: &'b Linux<S>) -> Self {
        Self {
            backend,
            fork: ForkLauncher::new(backend),
            known: KnownRefusals::new(),
            sharing: Sharing::new(),
            stacks: Stacks::new(),
            dumpable: Dumpable::new(),
        }
    }

    /// Returns whether the next child is expected to share the descriptor table. Then high descriptor numbers cost time.
    pub fn shares_table(&self) -> bool {
        self.method() == SpawnMethod::Shared
    }
}

// SAFETY: `Ok` follows from `outcome`, if the child executed a program and was not reaped, or from `ForkLauncher`. `outcome`
// reaps a child that failed, and `start` restores the mask. The descriptor is from `CloneSys`.
unsafe impl<S: CloneSys + Sync> Launcher for LinuxLauncher<'_, S> {
    fn method(&self) -> SpawnMethod {
        match self.fallback_reason() {
            Some(_) => SpawnMethod::Fork,
            None if self.known.best().shares_table && self.backend.unshares_range() => SpawnMethod::Shared,
            None => SpawnMethod::Vfork,
        }
    }

    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        match self.launch_fast(plan) {
            Err(LaunchError::ForkRequired(_)) => self.launch_forked(plan),
            launched => launched,
        }
    }

    fn launch_fast(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        self.permit(plan)?;
        self.start_untrapped(plan, || self.by_the_best_method(plan, &|variant| self.attempt(variant, plan)))
    }

    fn fallback_reason(&self) -> Option<FallbackReason> {
        if self.backend.sys().is_sanitized() {
            Some(FallbackReason::Sanitizer)
        } else {
            self.sharing.fallback_reason()
        }
    }
}

/// One method of the launcher without a fallback, for a probe of that method. If no child has shown yet whether memory is
/// shared, [`launch`](Launcher::launch) starts one more child, which executes nothing.
#[derive(Debug)]
pub struct OneMethod<'b, S> {
    launcher: &'b LinuxLauncher<'b, S>,
    method: SpawnMethod,
}

impl<'b, S: CloneSys + Sync> OneMethod<'b, S> {
    /// Creates a launcher that uses this method of this launcher.
    pub const fn new(launcher: &'b LinuxLauncher<'b, S>, method: SpawnMethod) -> Self {
        Self { launcher, method }
    }
}

// SAFETY: it starts children as `LinuxLauncher` does.
unsafe impl<S: CloneSys + Sync> Launcher for OneMethod<'_, S> {
    fn method(&self) -> SpawnMethod {
        self.method
    }

    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        match self.method {
            SpawnMethod::Fork => self.launcher.launch_forked(plan),
            method => {
                self.launcher.learn_about_memory(plan);
                self.launcher.by(method, plan, &|variant| self.launcher.attempt(variant, plan))
            }
        }
    }
}

/// The reason why an attempt did not run a program.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
enum Failed {
    /// The child was not started, for this reason. Another variant may start it.
    Start(Errno),
    /// The child could not take a descriptor from the parent. A child that copies the table does not need to.
    Take,
    /// No other variant would help.
    Finally(LaunchError),
}

/// Starts one child by one variant, and returns its result.
type Attempt<'a, T> = dyn Fn(CloneVariant) -> Result<T, Failed> + 'a;

impl<S: CloneSys + Sync> LinuxLauncher<'_, S> {
    /// A shared table is no gain if the whole table must be copied anyway, or if close_range(2) must not be called.
    fn gains_by_sharing(&self, plan: &Plan<'_>) -> bool {
        plan.close == Some(CloseStrategy::Bulk) && self.backend.unshares_range()
    }

    /// Starts a child that executes nothing, unless an earlier child showed whether memory is shared.
    fn learn_about_memory(&self, plan: &Plan<'_>) {
        if self.fallback_reason().is_none() && !self.sharing.memory_is_shared() {
            let exec = Exec { candidates: &[], ..plan.exec };
            let plan = Plan { pidfd: false, ..Plan::new(exec) };
            let _ = self.by(SpawnMethod::Vfork, &plan, &|variant| self.attempt(variant, &plan));
        }
    }

    /// fork(2) returns no descriptor of the child. The launcher opens one at once, while the child is not yet reaped.
    fn launch_forked(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        require_kill(plan, false, Errno::NOSYS)?;
        self.permit(plan)?;
        let launched = self.start_untrapped(plan, || self.fork.launch(plan));
        if started_a_child(&launched) {
            self.sharing.note_fork();
        }
        let launched = launched?;
        if plan.is_suspended() {
            self.leave_stopped(plan, launched.pid)?;
        }
        Ok(Launched { pidfd: self.open_pidfd(plan, launched.pid), ..launched })
    }

    fn open_pidfd(&self, plan: &Plan<'_>, child: Pid) -> Option<Fd> {
        let opens = plan.pidfd && self.backend.allows(AndroidCall::PidfdOpen);
        opens.then(|| self.backend.sys().open_pidfd(child).ok()).flatten()
    }

    /// Starts a child that shares memory and, if that is useful, the descriptor table. Records a refusal only if the next method
    /// started a child.
    fn by_the_best_method<T>(&self, plan: &Plan<'_>, attempt: &Attempt<'_, T>) -> Result<T, LaunchError> {
        let mut refused = Features::default();
        if self.known.best().shares_table && self.gains_by_sharing(plan) {
            match self.by(SpawnMethod::Shared, plan, attempt) {
                // Before memory is known to be shared, the refused variants include those without a shared table.
                Err(LaunchError::ForkRequired(FallbackReason::Refused(errno)))
                    if !self.sharing.memory_is_shared() =>
                {
                    return Err(self.sharing.suspect(errno));
                }
                Err(LaunchError::ForkRequired(FallbackReason::Refused(_))) => refused.insert(Features::TABLE),
                started => return started,
            }
        }
        let started = self.by(SpawnMethod::Vfork, plan, attempt);
        if started_a_child(&started) {
            self.known.refuse(refused);
        }
        started.map_err(|error| match error {
            LaunchError::ForkRequired(FallbackReason::Refused(errno)) => self.sharing.suspect(errno),
            error => error,
        })
    }

    /// Starts a child that shares memory, by one variant after another.
    fn by<T>(
        &self,
        method: SpawnMethod,
        plan: &Plan<'_>,
        attempt: &Attempt<'_, T>,
    ) -> Result<T, LaunchError> {
        if plan.hook.is_some() {
            return Err(LaunchError::ForkRequired(FallbackReason::Closure));
        }
        if let Some(reason) = self.fallback_reason() {
            return Err(LaunchError::ForkRequired(reason));
        }
        let mut variant = self.first(method, plan);
        let mut refused = Features::default();
        let mut last = Errno::NOSYS;
        let started = loop {
            require_kill(plan, variant.autoreap, last)?;
            match attempt(variant) {
                Ok(started) => break Ok(started),
                Err(Failed::Finally(error)) => break Err(error),
                Err(Failed::Take) => variant = variant.without_taking(),
                Err(Failed::Start(errno)) => {
                    variant = self.next(variant, errno, plan, &mut refused)?;
                    last = errno;
                }
            }
        };
        // The other variant started a child, so the kernel refused these features and no common one.
        if started_a_child(&started) || matches!(started, Err(LaunchError::ForkRequired(_))) {
            self.known.refuse(refused);
        }
        started
    }

    /// The best variant that is not refused and that the release allows.
    fn best(&self) -> CloneVariant {
        let best = self.known.best();
        let call = if self.backend.allows(AndroidCall::Clone3) { best.call } else { Call::Clone };
        CloneVariant { call, ..best }
    }

    /// The best variant that is of use for this plan. Only clone3(2) creates a child in a control group, and only clone3(2)
    /// shares the table before memory is known to be shared ([`CloneVariant::next`]).
    fn first(&self, method: SpawnMethod, plan: &Plan<'_>) -> CloneVariant {
        let best = self.best();
        let is_clone3 = best.call == Call::Clone3;
        let into_cgroup = best.into_cgroup && plan.cgroup.is_some() && is_clone3;
        let shares_table = method == SpawnMethod::Shared && (is_clone3 || self.sharing.memory_is_shared());
        let pidfd = best.pidfd && plan.pidfd;
        // This process traces a child that starts suspended, and waits for it.
        let is_asked = plan.autoreap.is_some() && !plan.is_suspended();
        let may_autoreap = best.autoreap && is_asked && is_clone3 && pidfd;
        let autoreap = may_autoreap && reads_status(self.backend.sys());
        CloneVariant { pidfd, shares_table, into_cgroup, autoreap, ..best }
    }

    /// The variant to try after this one failed with `errno`. Adds the refused feature to `refused`.
    fn next(
        &self,
        variant: CloneVariant,
        errno: Errno,
        plan: &Plan<'_>,
        refused: &mut Features,
    ) -> Result<CloneVariant, LaunchError> {
        let namespaces = plan.namespaces.new.of_start();
        // An older kernel does not know the flags. Without no-new-privs the kill needs a capability.
        if variant.autoreap && errno == Errno::INVAL {
            refused.insert(Features::AUTOREAP);
            return Ok(variant.without_autoreap());
        }
        if variant.autoreap && errno == Errno::PERM && plan.autoreap == Some(Autoreap::ReapAndKill) {
            return Ok(variant.without_autoreap());
        }
        // If the cause is the group, a child that enters it by itself reports that.
        if variant.into_cgroup {
            if matches!(errno, Errno::TOOBIG | Errno::INVAL) {
                refused.insert(Features::CGROUP);
            }
            return Ok(variant.without_cgroup());
        }
        let no_number_is_free = matches!(errno, Errno::MFILE | Errno::NFILE);
        if no_number_is_free && variant.pidfd {
            return Ok(variant.without_pidfd());
        }
        if !errno.is_refusal() {
            let is_limit = matches!(errno.raw(), libc::ENOSPC | libc::EUSERS) && !namespaces.is_empty();
            let stage = if is_limit { Stage::Namespaces } else { Stage::Start };
            return Err(LaunchError::Parent { stage, errno });
        }
        let next = variant.next(self.sharing.memory_is_shared());
        refused.insert(if variant.call == Call::Clone3 { Features::CLONE3 } else { Features::PIDFD });
        let refusal = if namespaces.is_empty() {
            LaunchError::ForkRequired(FallbackReason::Refused(errno))
        } else {
            // No call creates these namespaces, and fork(2) creates none.
            LaunchError::Parent { stage: Stage::Namespaces, errno }
        };
        next.ok_or(refusal)
    }

    fn attempt(&self, variant: CloneVariant, plan: &Plan<'_>) -> Result<Launched, Failed> {
        let began = plan.timed.then(|| self.backend.sys().now());
        self.with_child(variant, plan, false, |shared, started, memory| {
            let (is_suspended, is_autoreaped) = (plan.is_suspended(), variant.autoreap);
            match outcome(self.backend, shared, &started, memory, is_suspended, is_autoreaped) {
                Outcome::Runs(closed) => {
                    if plan.is_suspended() {
                        self.leave_started_stopped(plan, &started)?;
                    }
                    let method = match memory {
                        Memory::Copied(_) => SpawnMethod::Fork,
                        Memory::Shared if variant.shares_table => SpawnMethod::Shared,
                        Memory::Shared => SpawnMethod::Vfork,
                    };
                    let timeline = began.map(|began| Timeline::of(shared).with(Stage::Start, began));
                    let Started { pid, pidfd } = started;
                    let is_copy = memory != Memory::Shared;
                    let pidfd = pidfd.or_else(|| is_copy.then(|| self.open_pidfd(plan, pid)).flatten());
                    let autoreap = plan.autoreap.filter(|_| variant.autoreap);
                    let high_fds = shared.how_high_fds();
                    Ok(Launched { pid, pidfd, autoreap, method, closed, high_fds, timeline })
                }
                Outcome::Failed(report) => Err(failed(report)),
                Outcome::Died { stage, status } => Err(Failed::Finally(LaunchError::Died { stage, status })),
            }
        })
    }

    /// Starts the child with all signals blocked, so that no handler of the parent runs in it.
    fn start(
        &self,
        variant: CloneVariant,
        plan: &Plan<'_>,
        exit_signal: bool,
        shared: &SharedReport,
        trace: Option<&AtomicBool>,
    ) -> Result<Started, Failed> {
        let sys = self.backend.sys();
        let autoreap = plan.autoreap.filter(|_| variant.autoreap);
        let is_killed = autoreap == Some(Autoreap::ReapAndKill);
        let plan = &Plan { die_with_parent: plan.die_with_parent.filter(|_| !is_killed), ..*plan };
        let takes_fds = variant.takes_fds && variant.shares_table && plan.needs_high_fds();
        // A child that changes its IDs makes the memory, and so this process, unreadable for a while.
        let lender = (takes_fds && !self.dumpable.is_changing(sys)).then(|| sys.gettid());
        let id_change = self.dumpable.id_change(sys, plan).map_err(Failed::Finally)?;
        let mask = sys.block_signals().map_err(|errno| Failed::Finally(setup(errno)))?;
        let context = ChildContext {
            parent: if plan.die_with_parent.is_some() { sys.getpid() } else { 0 },
            mask,
            shares_table: variant.shares_table,
            lender,
            handlers_cleared: variant.clears_handlers(),
            in_cgroup: variant.into_cgroup,
            in_namespaces: true,
        };
        let CloneVariant { call, pidfd, shares_table, into_cgroup, .. } = variant;
        let child = BorrowingChild { backend: self.backend, plan, context, shared, trace };
        let cgroup = plan.cgroup.filter(|_| into_cgroup).map(|cgroup| cgroup.directory);
        let (namespaces, no_new_privs) =
            (plan.namespaces.new.of_start(), autoreap.is_some() && plan.no_new_privs);
        let start =
            Start { call, pidfd, shares_table, exit_signal, cgroup, namespaces, autoreap, no_new_privs };
        let started = self.stacks.lend(sys, |top| {
            // SAFETY: `Stacks` gives the stack to this start alone. The depth of the calls does not depend on the plan, and
            // a test measures that `child_exec` takes a part of the stack. The code on it meets the requirements of `Sys`:
            // its object code calls only listed functions. All signals were blocked above. The parent continues only when
            // the child no longer uses `child`, the plan and the report.
            unsafe { sys.start(start, top, &|| child.run()) }
        });
        drop(id_change);
        // This cannot fail: the mask was in effect before, so the set is valid.
        let _ = sys.set_mask(mask);
        started.map_err(|errno| Failed::Finally(setup(errno)))?.map_err(Failed::Start)
    }
}

/// Fails if the plan asks for a child that the kernel kills, and the kernel cannot reap it. A child without that would outlive
/// its parent.
fn require_kill(plan: &Plan<'_>, can_autoreap: bool, errno: Errno) -> Result<(), LaunchError> {
    if plan.autoreap == Some(Autoreap::ReapAndKill) && !can_autoreap {
        return Err(LaunchError::Parent { stage: Stage::DieWithParent, errno });
    }
    Ok(())
}

/// If a child could not replace the shared table, or take a descriptor, it has changed nothing. So this counts as a refusal of
/// the method.
fn failed(report: Report) -> Failed {
    match report {
        Report { stage: Stage::TakeFds, .. } => Failed::Take,
        Report { stage: Stage::UnshareFiles, errno, .. } if errno.is_refusal() => {
            Failed::Finally(LaunchError::ForkRequired(FallbackReason::Refused(errno)))
        }
        report => Failed::Finally(LaunchError::Child(report)),
    }
}

fn setup(errno: Errno) -> LaunchError {
    LaunchError::Parent { stage: Stage::Setup, errno }
}
