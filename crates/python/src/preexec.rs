//! A child that runs a `preexec_fn`: a copy of the interpreter, with the interpreter's own hooks around fork(2).

use crate::py::{Object, raise_errno};
use forkexec_core::{Backend, ChildContext, HookError, ParentSys, Pid, Plan, Reporter, Sys, run_forked};
use pyo3_ffi as ffi;

/// What is called in the child.
#[derive(Clone, Copy)]
pub(crate) struct Callable<'a>(pub(crate) Object<'a>);

// SAFETY: the closure of a plan is called in the one thread of a forked child, which has the interpreter's lock.
unsafe impl Sync for Callable<'_> {}

impl Callable<'_> {
    /// Calls it. Whatever it raises, the report is the same.
    pub(crate) fn call(self) -> Result<(), HookError> {
        self.0.call().map(core::mem::forget).map_err(|_| HookError::Panicked)
    }
}

/// Forks. Nothing may fail between the hook before and fork(2) itself.
pub(crate) fn fork<B, R>(backend: &B, plan: &Plan<'_>, reporter: &R) -> crate::py::Result<Pid>
where
    B: Backend<Sys: ParentSys> + ?Sized,
    R: Reporter,
{
    let sys = backend.sys();
    // SAFETY: the thread has the lock, and one of the two other hooks follows.
    unsafe { ffi::PyOS_BeforeFork() };
    // SAFETY: the interpreter made itself ready to be copied; the child's branch does not return.
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

/// Ends the child if it panics: it must not return into the caller's program, which its parent runs already.
struct EndsChild;

impl Drop for EndsChild {
    fn drop(&mut self) {
        // SAFETY: it does not return, and runs no handler of `atexit`.
        unsafe { libc::_exit(255) }
    }
}

/// The child's life. Its handlers and its mask are the interpreter's, as `preexec_fn` may expect: exec makes handlers the
/// default.
fn run<B, R>(backend: &B, plan: &Plan<'_>, reporter: &R) -> !
where
    B: Backend<Sys: ParentSys> + ?Sized,
    R: Reporter,
{
    let sys = backend.sys();
    let mask = sys.block_signals().unwrap_or_default();
    let _ = sys.set_mask(mask);
    let birth =
        ChildContext { parent: 0, mask, shares_table: false, handlers_cleared: true, in_cgroup: false };
    run_forked(backend, plan, &birth, reporter)
}
