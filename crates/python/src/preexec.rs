//! The child that runs a `preexec_fn`: a fork of the interpreter, with the interpreter's own hooks around fork(2).

use crate::py::{Object, raise_errno};
use forkexec_core::{Backend, ChildContext, HookError, ParentSys, Pid, Plan, Reporter, Sys, run_forked};
use pyo3_ffi as ffi;

/// The function that the child calls.
#[derive(Clone, Copy)]
pub(crate) struct Callable<'a>(pub(crate) Object<'a>);

// SAFETY: the closure of a plan runs in the only thread of a forked child, which holds the interpreter's lock.
unsafe impl Sync for Callable<'_> {}

impl Callable<'_> {
    /// Calls the function. The report is the same for all exceptions.
    pub(crate) fn call(self) -> Result<(), HookError> {
        self.0.call().map(core::mem::forget).map_err(|_| HookError::Panicked)
    }
}

/// Forks and runs the plan in the child. No call may fail between the first hook and fork(2).
pub(crate) fn fork<B, R>(backend: &B, plan: &Plan<'_>, reporter: &R) -> crate::py::Result<Pid>
where
    B: Backend<Sys: ParentSys> + ?Sized,
    R: Reporter,
{
    let sys = backend.sys();
    // SAFETY: the thread holds the lock, and one of the two other hooks follows.
    unsafe { ffi::PyOS_BeforeFork() };
    // SAFETY: the hook prepared the interpreter for the fork, and the child's branch does not return.
    let forked = match unsafe { sys.fork() } {
        Ok(None) => {
            let _ended = EndsChild;
            // SAFETY: this is the child.
            unsafe { ffi::PyOS_AfterFork_Child() };
            run(backend, plan, reporter)
        }
        forked => forked,
    };
    // SAFETY: this is the parent, or there is no child.
    unsafe { ffi::PyOS_AfterFork_Parent() };
    match forked {
        Ok(pid) => Ok(pid.unwrap_or_default()),
        Err(errno) => Err(raise_errno(errno.raw())),
    }
}

/// Ends the child if it panics. Otherwise it would return into the caller's program, which the parent runs.
struct EndsChild;

impl Drop for EndsChild {
    fn drop(&mut self) {
        // SAFETY: `_exit` does not return, and runs no handlers of `atexit`.
        unsafe { libc::_exit(255) }
    }
}

/// Runs the plan in the child. The handlers and the signal mask stay those of the interpreter, as a `preexec_fn` can expect.
/// exec resets the handlers.
fn run<B, R>(backend: &B, plan: &Plan<'_>, reporter: &R) -> !
where
    B: Backend<Sys: ParentSys> + ?Sized,
    R: Reporter,
{
    let sys = backend.sys();
    let mask = sys.block_signals().unwrap_or_default();
    let _ = sys.set_mask(mask);
    let context = ChildContext { handlers_cleared: true, ..ChildContext::forked(0, mask) };
    run_forked(backend, plan, &context, reporter)
}
