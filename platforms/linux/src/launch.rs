//! The launcher of Linux: a child that borrows its parent's memory and descriptor table until it execs.
//!
//! `CLONE_VM | CLONE_VFORK` copies no memory and suspends the thread that starts the child until the child has executed
//! a program or ended. `CLONE_FILES` copies no descriptor either: the child's first act is `CLOSE_RANGE_UNSHARE`, which
//! gives it a table of its own without what lies above the highest number that it needs. So a start costs the same
//! whatever the parent has open or mapped.
//!
//! What makes it safe:
//! - the child runs on a stack of its own ([`stack`]), calls nothing of the C library that knows of threads, and comes to
//!   nothing of the parent's but its [`SharedReport`];
//! - all signals are blocked while it starts, and it is born without the parent's handlers or sets them to the default
//!   before it unblocks any;
//! - if memory is not really shared, the first child shows it ([`first`]), and later children are forked;
//! - if a sanitizer is part of the program, it would be misled, and all children are forked.
//!
//! What it cannot do: before Linux 5.16 a signal that dumps core ends every process that shares the memory, so that a child
//! which a filter kills before exec takes its parent along, as after any vfork(2).
//!
//! A kernel or a filter may refuse any of the calls. Each refusal leads to the next way ([`ways`]), with the same result,
//! and is remembered.

mod clone_variant;
mod dumpable;
mod first;
mod in_place;
mod outcome;
mod spawn_unreaped;
mod stack;
#[cfg(test)]
mod tests;
mod trapped;

use crate::{AndroidCall, Call, CloneSys, Linux, Start, Started, Top};
use clone_variant::{CloneVariant, Features, KnownRefusals};
use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, Ordering};
use dumpable::Dumpable;
use first::Memory;
use forkexec_core::{
    Backend, ChildContext, CloseStrategy, Closed, Errno, Exec, FallbackReason, Fd, ForkLauncher, LaunchError,
    Launched, Launcher, Pid, Plan, Report, Reporter, SharedReport, SpawnMethod, Stage, Timeline, child_exec,
};
use outcome::{Outcome, outcome};
use stack::Stacks;

/// Starts children that share memory with their parent, and others by fork(2).
#[derive(Debug)]
pub struct LinuxLauncher<'b, S> {
    backend: &'b Linux<S>,
    fork: ForkLauncher<'b, Linux<S>>,
    ways: KnownRefusals,
    stacks: Stacks,
    dumpable: Dumpable,
}

impl<'b, S: CloneSys + Sync> LinuxLauncher<'b, S> {
    /// A launcher over this backend.
    pub const fn new(backend: &'b Linux<S>) -> Self {
        Self {
            backend,
            fork: ForkLauncher::new(backend),
            ways: KnownRefusals::new(),
            stacks: Stacks::new(),
            dumpable: Dumpable::new(),
        }
    }

    /// Whether the next child is expected to share the descriptor table: what has a high number costs time then.
    pub fn shares_table(&self) -> bool {
        self.method() == SpawnMethod::Shared
    }
}

// SAFETY: `Ok` follows from `outcome`, which says that the child executed a program and was not reaped, or from
// `ForkLauncher`. `outcome` reaps a child that failed, and `start` sets back the mask. The descriptor is `CloneSys`'s.
unsafe impl<S: CloneSys + Sync> Launcher for LinuxLauncher<'_, S> {
    fn method(&self) -> SpawnMethod {
        match self.fallback_reason() {
            Some(_) => SpawnMethod::Fork,
            None if self.ways.best().shares_table && self.backend.unshares_range() => SpawnMethod::Shared,
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
        self.start_untrapped(plan, || self.by_the_best_method(plan, &|way| self.attempt(way, plan)))
    }

    fn fallback_reason(&self) -> Option<FallbackReason> {
        if self.backend.sys().is_sanitized() {
            Some(FallbackReason::Sanitizer)
        } else {
            self.ways.fallback_reason()
        }
    }
}

/// One method of the launcher's, which leads to no other: a survey asks whether it works. If no child has shown yet whether
/// memory is shared, [`launch`](Launcher::launch) starts one more child, which executes nothing.
#[derive(Debug)]
pub struct OneMethod<'b, S> {
    launcher: &'b LinuxLauncher<'b, S>,
    method: SpawnMethod,
}

impl<'b, S: CloneSys + Sync> OneMethod<'b, S> {
    /// This method of this launcher.
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
                self.launcher.by(method, plan, &|way| self.launcher.attempt(way, plan))
            }
        }
    }
}

/// Why an attempt did not lead to a program.
enum Failed {
    /// The child was not started, for this reason. Another way may start it.
    Start(Errno),
    /// No other call would change it.
    Finally(LaunchError),
}

/// Starts one child in one way, and says what became of it.
type Attempt<'a, T> = dyn Fn(CloneVariant) -> Result<T, Failed> + 'a;

impl<S: CloneSys + Sync> LinuxLauncher<'_, S> {
    /// Where the whole table is to be copied anyway, or `close_range` is not to be called, a shared table is no gain.
    fn gains_by_sharing(&self, plan: &Plan<'_>) -> bool {
        plan.close == Some(CloseStrategy::Bulk) && self.backend.unshares_range()
    }

    /// Starts a child that executes nothing, unless an earlier child showed whether memory is shared.
    fn learn_about_memory(&self, plan: &Plan<'_>) {
        if self.fallback_reason().is_none() && !self.ways.memory_is_shared() {
            let exec = Exec { candidates: &[], ..plan.exec };
            let plan = Plan { pidfd: false, ..Plan::new(exec) };
            let _ = self.by(SpawnMethod::Vfork, &plan, &|way| self.attempt(way, &plan));
        }
    }

    /// fork(2) gives no descriptor of the child. Its number is its own until it is waited for, so one is opened at once.
    fn launch_forked(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        self.permit(plan)?;
        let launched = self.start_untrapped(plan, || self.fork.launch(plan));
        if started_a_child(&launched) {
            self.ways.note_fork();
        }
        launched.map(|launched| Launched { pidfd: self.open_pidfd(plan, launched.pid), ..launched })
    }

    fn open_pidfd(&self, plan: &Plan<'_>, child: Pid) -> Option<Fd> {
        let opens = plan.pidfd && self.backend.allows(AndroidCall::PidfdOpen);
        opens.then(|| self.backend.sys().open_pidfd(child).ok()).flatten()
    }

    /// Starts a child that shares memory and, where that is of use, the descriptor table. A refusal is noted only if the
    /// next method started a child.
    fn by_the_best_method<T>(&self, plan: &Plan<'_>, attempt: &Attempt<'_, T>) -> Result<T, LaunchError> {
        let mut refused = Features::default();
        if self.ways.best().shares_table && self.gains_by_sharing(plan) {
            match self.by(SpawnMethod::Shared, plan, attempt) {
                // Before memory is known to be shared, the ways without a shared table are among those that were refused.
                Err(LaunchError::ForkRequired(FallbackReason::Refused(errno)))
                    if !self.ways.memory_is_shared() =>
                {
                    return Err(self.suspected(errno));
                }
                Err(LaunchError::ForkRequired(FallbackReason::Refused(_))) => refused.insert(Features::TABLE),
                started => return started,
            }
        }
        let started = self.by(SpawnMethod::Vfork, plan, attempt);
        if started_a_child(&started) {
            self.ways.refuse(refused);
        }
        started.map_err(|error| match error {
            LaunchError::ForkRequired(FallbackReason::Refused(errno)) => self.suspected(errno),
            error => error,
        })
    }

    fn suspected(&self, errno: Errno) -> LaunchError {
        self.ways.suspect(errno);
        LaunchError::ForkRequired(FallbackReason::Refused(errno))
    }

    /// Starts a child that shares memory, by one call after the other.
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
        let mut way = self.first(method, plan);
        let mut refused = Features::default();
        let started = loop {
            match attempt(way) {
                Ok(started) => break Ok(started),
                Err(Failed::Finally(error)) => break Err(error),
                Err(Failed::Start(errno)) => way = self.next(way, errno, &mut refused)?,
            }
        };
        // The kernel refused these, and not something that both ways have in common: the other way started a child.
        if started_a_child(&started) || matches!(started, Err(LaunchError::ForkRequired(_))) {
            self.ways.refuse(refused);
        }
        started
    }

    /// The best way that was not refused, and that the release allows.
    fn best(&self) -> CloneVariant {
        let best = self.ways.best();
        let call = if self.backend.allows(AndroidCall::Clone3) { best.call } else { Call::Clone };
        CloneVariant { call, ..best }
    }

    /// The best known way, as far as this plan has a use for it. Only clone3(2) puts a child into a group, and only clone3(2)
    /// shares the table before memory is known to be shared ([`CloneVariant::next`]).
    fn first(&self, method: SpawnMethod, plan: &Plan<'_>) -> CloneVariant {
        let best = self.best();
        let is_clone3 = best.call == Call::Clone3;
        let into_cgroup = best.into_cgroup && plan.cgroup.is_some() && is_clone3;
        let shares_table = method == SpawnMethod::Shared && (is_clone3 || self.ways.memory_is_shared());
        CloneVariant { shares_table, into_cgroup, pidfd: best.pidfd && plan.pidfd, ..best }
    }

    /// The way to try after the kernel answered this one with `errno`. What it refused is added to `refused`.
    fn next(
        &self,
        way: CloneVariant,
        errno: Errno,
        refused: &mut Features,
    ) -> Result<CloneVariant, LaunchError> {
        // If something is wrong with the group, a child that enters it by itself reports that.
        if way.into_cgroup {
            if matches!(errno, Errno::TOOBIG | Errno::INVAL) {
                refused.insert(Features::CGROUP);
            }
            return Ok(way.without_cgroup());
        }
        let no_number_is_free = matches!(errno, Errno::MFILE | Errno::NFILE);
        if no_number_is_free && way.pidfd {
            return Ok(way.without_pidfd());
        }
        if !errno.is_refusal() {
            return Err(LaunchError::Parent { stage: Stage::Start, errno });
        }
        let next = way.next(self.ways.memory_is_shared());
        refused.insert(if way.call == Call::Clone3 { Features::CLONE3 } else { Features::PIDFD });
        next.ok_or(LaunchError::ForkRequired(FallbackReason::Refused(errno)))
    }

    fn attempt(&self, way: CloneVariant, plan: &Plan<'_>) -> Result<Launched, Failed> {
        let began = plan.timed.then(|| self.backend.sys().now());
        self.with_child(way, plan, false, |slot, started, memory| {
            match outcome(self.backend, slot, &started, memory) {
                Outcome::Runs(closed) => {
                    let method = match memory {
                        Memory::Copied(_) => SpawnMethod::Fork,
                        Memory::Shared if way.shares_table => SpawnMethod::Shared,
                        Memory::Shared => SpawnMethod::Vfork,
                    };
                    let timeline = began.map(|began| Timeline::of(slot).with(Stage::Start, began));
                    let Started { pid, pidfd } = started;
                    let is_copy = memory != Memory::Shared;
                    let pidfd = pidfd.or_else(|| is_copy.then(|| self.open_pidfd(plan, pid)).flatten());
                    Ok(Launched { pid, pidfd, method, closed, timeline })
                }
                Outcome::Failed(report) => Err(Failed::Finally(failed(report))),
                Outcome::Died { stage, status } => Err(Failed::Finally(LaunchError::Died { stage, status })),
            }
        })
    }

    /// Starts the child with all signals blocked, so that no handler of the parent's runs in it.
    fn start(
        &self,
        way: CloneVariant,
        plan: &Plan<'_>,
        exit_signal: bool,
        slot: &SharedReport,
        trace: Option<&AtomicBool>,
    ) -> Result<Started, Failed> {
        let sys = self.backend.sys();
        let changes_ids = plan.uid.is_some() || plan.gid.is_some();
        let on_its_way = if changes_ids {
            let busy = LaunchError::ForkRequired(FallbackReason::Busy);
            Some(self.dumpable.child(sys).ok_or(Failed::Finally(busy))?)
        } else {
            None
        };
        let mask = sys.block_signals().map_err(|errno| Failed::Finally(setup(errno)))?;
        let birth = ChildContext {
            parent: if plan.die_with_parent.is_some() { sys.getpid() } else { 0 },
            mask,
            shares_table: way.shares_table,
            handlers_cleared: way.clears_handlers(),
            in_cgroup: way.into_cgroup,
        };
        let CloneVariant { call, pidfd, shares_table, into_cgroup } = way;
        let child = BorrowingChild { backend: self.backend, plan, birth, slot, trace };
        let cgroup = plan.cgroup.filter(|_| into_cgroup).map(|cgroup| cgroup.directory);
        let start = Start { call, pidfd, shares_table, exit_signal, cgroup };
        let started = self.with_stack(|top| {
            // SAFETY: `Stacks` lends the stack to this start alone, and a plan has no depth, so that `child_exec` takes a
            // part of it whatever the plan (a test measures it). What runs on it keeps to the contract of `Sys`: its object
            // code calls nothing but what is listed. All signals were blocked above. The parent comes back only when the
            // child is done with `child`, plan and slot.
            unsafe { sys.start(start, top, &|| child.run()) }
        });
        drop(on_its_way);
        // Setting back a mask that was in force a moment ago cannot fail: the set is valid.
        let _ = sys.set_mask(mask);
        started.map_err(|errno| Failed::Finally(setup(errno)))?.map_err(Failed::Start)
    }

    /// Lends a stack for the time of a start.
    fn with_stack<T>(&self, start: impl FnOnce(Top) -> T) -> Result<T, Errno> {
        let sys = self.backend.sys();
        let stack = self.stacks.take(sys)?;
        let result = start(stack.top());
        self.stacks.give(sys, stack);
        Ok(result)
    }
}

/// Whether there was a child, even if it failed.
fn started_a_child<T>(started: &Result<T, LaunchError>) -> bool {
    matches!(started, Ok(_) | Err(LaunchError::Child(_) | LaunchError::Died { .. }))
}

/// A child that cannot make the table its own has touched nothing: that is a refusal of the method.
fn failed(report: Report) -> LaunchError {
    match report {
        Report { stage: Stage::UnshareFiles, errno, .. } if errno.is_refusal() => {
            LaunchError::ForkRequired(FallbackReason::Refused(errno))
        }
        report => LaunchError::Child(report),
    }
}

fn setup(errno: Errno) -> LaunchError {
    LaunchError::Parent { stage: Stage::Setup, errno }
}

/// A child that borrows its parent's memory: all that it needs for its life before exec.
///
/// It is public so that a machine can look at the object code that is reachable from [`run`](Self::run).
#[derive(Clone, Copy)]
pub struct BorrowingChild<'a, B: ?Sized> {
    /// The system.
    pub backend: &'a B,
    /// What to do.
    pub plan: &'a Plan<'a>,
    /// What it knows of its birth.
    pub birth: ChildContext,
    /// Memory of the parent's.
    pub slot: &'a SharedReport,
    /// Set first of all, in memory that only a child with its parent's memory can set for the parent.
    pub trace: Option<&'a AtomicBool>,
}

impl<B: Backend + ?Sized> BorrowingChild<'_, B> {
    /// Runs the plan. Comes back with an exit status if there is no program that runs instead.
    pub fn run(&self) -> c_int {
        if let Some(trace) = self.trace {
            trace.store(true, Ordering::Release);
        }
        if let Err(report) = child_exec(self.backend, self.plan, &self.birth, &ReportAlone(self.slot)) {
            self.slot.fail(report);
        }
        EXIT_OF_A_FAILED_CHILD
    }
}

/// Nobody reads it: the report says what happened.
const EXIT_OF_A_FAILED_CHILD: c_int = 255;

/// The way to a parent that is suspended until the child execs or ends, and sees all that it writes.
struct ReportAlone<'a>(&'a SharedReport);

// SAFETY: each method writes to the slot by atomic stores, and does nothing else.
unsafe impl Reporter for ReportAlone<'_> {
    fn enter(&self, stage: Stage, at: Option<u64>) -> Result<(), Errno> {
        self.0.enter(stage, at);
        Ok(())
    }

    fn closed(&self, closed: Closed) {
        self.0.closed(closed);
    }

    fn intact(&self) -> Result<(), Errno> {
        Ok(())
    }

    fn fail(&self, report: Report) {
        self.0.fail(report);
    }

    fn channel(&self) -> Option<Fd> {
        None
    }
}
