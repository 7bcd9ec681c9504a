//! exec in the calling process: the plan runs on a thread of this process.
//!
//! clone(2) gives that thread a descriptor table, a working directory, a root and a umask of its own. The kernel keeps ids,
//! groups, capabilities, the nice value, the signal mask and `no_new_privs` per thread. So a plan that fails leaves all of
//! these in the process as they were. If the thread executes a program, the kernel ends the other threads and gives the
//! program the process id (execve(2), "Effect on multithreaded processes").
//!
//! The threads of a process share its session, its process group, its terminal, its limits and its control group. The caller
//! restores or reports these. They also share the signal dispositions, which are restored here.

use super::{LinuxLauncher, setup};
use crate::{CloneSys, KernelAction};
use forkexec_core::{
    Backend, BorrowingChild, ChildContext, Disposition, Errno, LaunchError, Plan, Report, SharedReport,
    Signal, SignalSet, Stack, Stage,
};

/// The size of the stack in bytes. A closure of the caller may run on it, and may need more than a plan.
const STACK: usize = 1 << 20;

impl<S: CloneSys + Sync> LinuxLauncher<'_, S> {
    /// Runs the plan in this process and executes its program. Returns only if that failed.
    pub fn exec_in_place(&self, plan: &Plan<'_>) -> LaunchError {
        match self.run_in_place(plan) {
            Ok(report) => LaunchError::Child(report),
            Err(error) => error,
        }
    }

    fn run_in_place(&self, plan: &Plan<'_>) -> Result<Report, LaunchError> {
        self.permit(plan)?;
        let sys = self.backend.sys();
        let id_change = self.dumpable.id_change(sys, plan)?;
        let stack = Stack::<STACK>::map(sys).map_err(setup)?;
        let shared = SharedReport::new();
        let mask = sys.block_signals();
        let ran = mask.map(|mask| {
            let handlers = Handlers::remove(sys, plan);
            let context = ChildContext {
                parent: sys.getppid(),
                mask,
                shares_table: false,
                lender: None,
                handlers_cleared: true,
                in_cgroup: false,
                in_namespaces: false,
            };
            let plan = Plan { reset: ignored(sys, plan.reset), ..*plan };
            let thread =
                BorrowingChild { backend: self.backend, plan: &plan, context, shared: &shared, trace: None };
            // SAFETY: nothing else uses the stack, and a plan has no depth. The code on it meets the requirements of `Sys`,
            // and all signals are blocked. The call returns when the thread no longer uses `thread`, `plan` and `shared`.
            let ran = unsafe { sys.run_thread(stack.top(), &|| thread.run()) };
            handlers.restore(sys);
            // The set is valid, so setting it cannot fail.
            let _ = sys.set_mask(mask);
            ran
        });
        drop(id_change);
        stack.unmap(sys);
        ran.map_err(setup)?.map_err(|errno| LaunchError::Parent { stage: Stage::Start, errno })?;
        let died = LaunchError::Died { stage: shared.entered(), status: None };
        shared.failure().ok_or(died)
    }
}

/// The ignored signals among these. exec makes handled ones the default, and those of the C library must stay what they are
/// for the other threads.
fn ignored<S: CloneSys>(sys: &S, signals: SignalSet) -> SignalSet {
    signals.iter().filter(|&signal| sys.disposition(signal) == Ok(Disposition::Ignored)).collect()
}

/// The signal actions of this process before the plan.
///
/// The thread unblocks signals before exec. A handler would run on it with another descriptor table than it expects, so
/// handled signals get their default action. A signal that arrives between this and exec acts as on the new program.
/// The first place is that of signal 1.
struct Handlers([Option<KernelAction>; SignalSet::MAX as usize]);

impl Handlers {
    fn remove<S: CloneSys>(sys: &S, plan: &Plan<'_>) -> Self {
        let mut before = Self([None; SignalSet::MAX as usize]);
        for (signal, action) in (1..=sys.highest_signal()).zip(&mut before.0) {
            let disposition = sys.disposition(signal);
            let is_handled = disposition == Ok(Disposition::Handled) && !is_the_c_librarys(sys, signal);
            let is_changed = plan.ignore.contains(signal) || plan.reset.contains(signal);
            if is_handled || disposition.is_ok() && is_changed {
                *action = sys.action(signal).ok();
            }
            if is_handled && action.is_some() {
                let _ = sys.set_disposition(signal, false);
            }
        }
        before
    }

    fn restore<S: CloneSys>(&self, sys: &S) {
        for (signal, action) in (1..).zip(&self.0) {
            if let Some(action) = action {
                // The same action was in force before, so the kernel takes it.
                // SAFETY: the program itself had set this action.
                let _: Result<(), Errno> = unsafe { sys.set_action(signal, action) };
            }
        }
    }
}

/// The C library sends these to single threads, never to the thread of the plan, which it does not know.
fn is_the_c_librarys<S: CloneSys>(sys: &S, signal: Signal) -> bool {
    (32..sys.lowest_realtime_signal()).contains(&signal)
}
