//! An exec in a forked child by posix_spawn(2), in place of execve(2).
//!
//! `POSIX_SPAWN_SETEXEC` makes posix_spawn(2) replace the calling process, like execve(2). `POSIX_SPAWN_CLOEXEC_DEFAULT` closes
//! each descriptor that no file action names, and `posix_spawn_file_actions_addinherit_np` names a descriptor without a change
//! to it. `_POSIX_SPAWN_DISABLE_ASLR` and `POSIX_SPAWN_START_SUSPENDED` set attributes that no other call sets (`posix_spawn` and
//! `exec_mach_imgact` of `bsd/kern/kern_exec.c`, for a replaced process, too). So the child performs all its stages, and only its last call
//! differs.
//!
//! The kernel makes a second process with a copy of the table, without close-on-exec descriptors (`fdt_fork` of
//! `bsd/kern/kern_descrip.c`). It applies the actions to that copy (`exec_handle_file_actions` of `bsd/kern/kern_exec.c`). Only
//! after the program is loaded does the second process replace the caller. A failure does not change the table of the caller.
//! An action on a descriptor that is not in the copy fails with `EBADF`. So the parent records which descriptors will be open,
//! and the child checks that before it relies on it.

use crate::attributes::is_of_exec;
use crate::express::MOST_NAMED;
use crate::{Action, Apple, AppleSys, Attributes};
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};
use forkexec_core::{
    Attribute, Backend, CStrArray, Capabilities, CloseStrategy, Closed, Errno, Fd, FdEnumerator, Gap,
    KeepList, Pid, Plan, Sys, is_missing,
};
use forkexec_unix::{STANDARD, is_open_after};

/// The backend of one launch, whose exec closes the descriptors that are not kept, or sets attributes, or both.
///
/// [`close_gap`](Backend::close_gap) only defers closing to [`execve`](Backend::execve). If that fails,
/// [`owes_closing`](Backend::owes_closing) returns that the descriptors are still open.
pub struct SpawnExec<'l, S: AppleSys> {
    backend: &'l Apple<S>,
    closing: Option<Closing<'l, S::Spawn>>,
    /// The exec of a plan with attributes that only exec sets, if it does not close.
    setting: Option<Result<S::Spawn, Errno>>,
    deferred: AtomicBool,
}

impl<'l, S: AppleSys + Sync> SpawnExec<'l, S> {
    /// Prepares the exec in the parent. Returns `None` for a plan that needs only execve(2).
    pub fn prepare(backend: &'l Apple<S>, plan: &Plan<'l>) -> Option<Self> {
        let attributes = Attributes { replace: true, ..Attributes::only_by_flags(plan) };
        let setting =
            plan.attributes.iter().any(|&it| is_of_exec(it)).then(|| backend.sys().spawn(&attributes));
        let closing = Closing::prepare(backend, plan, attributes);
        if setting.is_none() && closing.is_none() {
            return None;
        }
        Some(Self { backend, closing, setting, deferred: AtomicBool::new(false) })
    }

    /// The exec of this moment. `None` is execve(2).
    fn spawn(&self) -> Option<&S::Spawn> {
        let closing = self.closing.as_ref().filter(|_| self.deferred.load(Ordering::Relaxed));
        closing.map(|closing| &closing.spawn).or_else(|| self.setting.as_ref()?.as_ref().ok())
    }
}

/// An exec that closes, and what it relies on.
struct Closing<'l, P> {
    keep: KeepList<'l>,
    /// For 0, 1 and 2: true if the program is to get it.
    standard: [bool; 3],
    spawn: P,
}

impl<'l, P> Closing<'l, P> {
    /// Records which descriptors the program is to get. Returns `None` if exec is not to close the others. The plan may request
    /// another strategy, the exec may be refused, or a number may be too high for an action (`EBADF` from `OPEN_MAX` on,
    /// `libsyscall/wrappers/spawn/posix_spawn.c`).
    fn prepare<S: AppleSys<Spawn = P> + Sync>(
        backend: &Apple<S>,
        plan: &Plan<'l>,
        attributes: Attributes,
    ) -> Option<Self> {
        let kept = plan.keep.as_slice();
        if plan.close != Some(CloseStrategy::Bulk) || !backend.may_spawn() || kept.len() > MOST_NAMED {
            return None;
        }
        let sys = backend.sys();
        let standard = STANDARD.map(|fd| will_be_open(sys, plan, fd));
        let mut spawn = sys.spawn(&Attributes { close_others: true, ..attributes }).ok()?;
        let open = STANDARD.into_iter().zip(standard).filter_map(|(fd, open)| open.then_some(fd));
        for fd in open.chain(kept.iter().copied()) {
            sys.add(&mut spawn, Action::Inherit(fd)).ok()?;
        }
        Some(Self { keep: plan.keep, standard, spawn })
    }

    /// Returns whether the recorded descriptors are open and not close-on-exec in the child. A closure may have changed that.
    fn is_as_prepared<S: Sys>(&self, sys: &S) -> bool {
        let survives = |fd| sys.is_cloexec(fd) == Ok(false);
        let standard = STANDARD.into_iter().zip(self.standard).all(|(fd, open)| survives(fd) == open);
        standard && self.keep.as_slice().iter().all(|&fd| survives(fd))
    }
}

/// Returns whether this one of 0, 1 and 2 will be open in the program. The last stage that changes it decides, else the
/// parent.
fn will_be_open<S: Sys>(sys: &S, plan: &Plan<'_>, fd: Fd) -> bool {
    let untouched = match sys.is_cloexec(fd) {
        Ok(cloexec) => !cloexec || plan.inherit.contains(&fd),
        Err(_) => false,
    };
    is_open_after(plan.moves, fd, untouched)
}

// SAFETY: each method uses only its own data and calls of `S`, which meets the requirements of `Sys`.
unsafe impl<S: AppleSys + Sync> Backend for SpawnExec<'_, S> {
    type Sys = S;

    fn sys(&self) -> &S {
        self.backend.sys()
    }

    fn capabilities(&self) -> &'static Capabilities {
        self.backend.capabilities()
    }

    fn before_launch(&self) {
        self.backend.before_launch();
    }

    /// Leaves to exec what only exec can set.
    fn set_attribute(&self, attribute: Attribute<'_>) -> Result<(), Errno> {
        match &self.setting {
            Some(setting) if is_of_exec(attribute) => setting.as_ref().map(drop).map_err(|&errno| errno),
            _ => self.backend.set_attribute(attribute),
        }
    }

    /// Defers closing to exec. Fails with `EBADF` if exec would not keep each recorded descriptor.
    fn close_gap(&self, gap: Gap) -> Result<(), Errno> {
        let Some(closing) = &self.closing else { return self.backend.close_gap(gap) };
        if !self.deferred.load(Ordering::Relaxed) {
            if !closing.is_as_prepared(self.sys()) {
                return Err(Errno::BADF);
            }
            self.deferred.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        self.backend.enumerators()
    }

    fn loop_bound(&self) -> Result<Fd, Errno> {
        self.backend.loop_bound()
    }

    fn execve(
        &self,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<S::Executed, Errno> {
        match self.spawn() {
            Some(spawn) => self.sys().exec_spawn(spawn, path, argv, env),
            None => self.sys().execve(path, argv, env),
        }
    }

    /// If the program is missing, the next candidate is tried in the same way. After any other error, only an exec that does not close
    /// can tell whether the cause is the program or the closing.
    fn owes_closing(&self, errno: Errno) -> bool {
        !is_missing(errno) && self.deferred.swap(false, Ordering::Relaxed)
    }

    fn has_execed(&self, child: Pid, parent: Pid) -> Option<bool> {
        self.backend.has_execed(child, parent)
    }

    fn learn(&self, closed: &Closed) {
        self.backend.learn(closed);
    }

    fn first_strategy(&self) -> CloseStrategy {
        if self.closing.is_some() { CloseStrategy::Bulk } else { self.backend.first_strategy() }
    }
}
