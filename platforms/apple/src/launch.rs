//! fork(2), and an exec that closes: posix_spawn(2) in the child's own place.
//!
//! `POSIX_SPAWN_SETEXEC` makes it an execve(2) with additions, `POSIX_SPAWN_CLOEXEC_DEFAULT` closes everything but what an
//! action names, and `posix_spawn_file_actions_addinherit_np` names something without doing anything to it. So the child
//! goes through all its stages, and only its last call is another one.
//!
//! The kernel makes a second process with a copy of the table, without what is close-on-exec (`fdt_fork` of
//! `bsd/kern/kern_descrip.c`), applies the actions to that (`exec_handle_file_actions` of `bsd/kern/kern_exec.c`), and puts
//! it in the place of the caller only when the program is loaded. A failure leaves the caller's table as it was. An action
//! on what is not in the copy is `EBADF`. Hence the two rules here: the parent writes down what will be open, and the child
//! compares before it relies on that.

use crate::{Apple, AppleSys};
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};
use forkexec_core::{
    Backend, CStrArray, Capabilities, CloseStrategy, Closed, Errno, Fd, FdEnumerator, ForkLauncher, Gap,
    KeepList, LaunchError, Launched, Launcher, Move, ParentSys, Plan, SpawnMethod, Sys,
};

/// Starts children by fork(2), with an exec that closes where it can be had.
#[derive(Clone, Copy, Debug)]
pub struct AppleLauncher<'b, S> {
    backend: &'b Apple<S>,
}

impl<'b, S> AppleLauncher<'b, S> {
    /// A launcher over this backend.
    pub const fn new(backend: &'b Apple<S>) -> Self {
        Self { backend }
    }
}

// SAFETY: it is `ForkLauncher`, with another backend for the child.
unsafe impl<S: AppleSys + ParentSys + Sync> Launcher for AppleLauncher<'_, S> {
    fn method(&self) -> SpawnMethod {
        SpawnMethod::Fork
    }

    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        match ClosingExec::prepare(self.backend, plan) {
            Some(backend) => ForkLauncher::new(&backend).launch(plan),
            None => ForkLauncher::new(self.backend).launch(plan),
        }
    }
}

/// The backend of one launch, whose exec closes what is not kept.
///
/// [`close_gap`](Backend::close_gap) only promises; [`execve`](Backend::execve) keeps the promise, or
/// [`owes_closing`](Backend::owes_closing) says that it did not.
pub struct ClosingExec<'l, S: AppleSys> {
    backend: &'l Apple<S>,
    keep: KeepList<'l>,
    /// Which of 0, 1 and 2 the program is to find open.
    standard: [bool; 3],
    spawn: S::Spawn,
    promised: AtomicBool,
}

impl<'l, S: AppleSys + Sync> ClosingExec<'l, S> {
    /// Writes down, in the parent, what the plan's program is to find open. `None` if it is to be closed in another way:
    /// because the plan says so, because it was refused before, or because a number is too high to be named
    /// (`EBADF` from `OPEN_MAX` on, `libsyscall/wrappers/spawn/posix_spawn.c`).
    pub fn prepare(backend: &'l Apple<S>, plan: &Plan<'l>) -> Option<Self> {
        let kept = plan.keep.as_slice();
        if plan.close != Some(CloseStrategy::Bulk) || !backend.may_spawn() || kept.len() > MOST_NAMED {
            return None;
        }
        let sys = backend.sys();
        let standard = STANDARD.map(|fd| will_be_open(sys, plan, fd));
        let mut spawn = sys.spawn().ok()?;
        let open = STANDARD.into_iter().zip(standard).filter_map(|(fd, open)| open.then_some(fd));
        for fd in open.chain(kept.iter().copied()) {
            sys.inherit(&mut spawn, fd).ok()?;
        }
        Some(Self { backend, keep: plan.keep, standard, spawn, promised: AtomicBool::new(false) })
    }

    /// Whether the child has open what was written down, and so that it survives an exec. A closure may have changed it.
    fn is_as_prepared(&self) -> bool {
        let survives = |fd| self.backend.sys().is_cloexec(fd) == Ok(false);
        let standard = STANDARD.into_iter().zip(self.standard).all(|(fd, open)| survives(fd) == open);
        standard && self.keep.as_slice().iter().all(|&fd| survives(fd))
    }
}

const STANDARD: [Fd; 3] = [0, 1, 2];

/// An action takes a kibibyte, whatever it does (`psfaa_openargs` of `bsd/sys/spawn_internal.h`), and the kernel copies
/// them all for each candidate. With many, closing from a list is less work.
const MOST_NAMED: usize = 256;

/// Whether the program is to find this one of 0, 1 and 2 open: what the last stage that touches it leaves, else what the
/// parent has.
fn will_be_open<S: Sys>(sys: &S, plan: &Plan<'_>, fd: Fd) -> bool {
    let untouched = match sys.is_cloexec(fd) {
        Ok(cloexec) => !cloexec || plan.inherit.contains(&fd),
        Err(_) => false,
    };
    plan.moves.iter().fold(untouched, |open, step| match *step {
        Move::Copy { to, .. } | Move::ClearCloexec(to) | Move::RestoreTemp(to) if to == fd => true,
        Move::Close(closed) | Move::CloseOpen(closed) if closed == fd => false,
        _ => open,
    })
}

// SAFETY: each method decides by its own data and calls `S` alone, which meets the requirements of `Sys`.
unsafe impl<S: AppleSys + Sync> Backend for ClosingExec<'_, S> {
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

    /// Promises that exec will close. `EBADF` says that it would not keep what it should.
    fn close_gap(&self, _gap: Gap) -> Result<(), Errno> {
        if !self.promised.load(Ordering::Relaxed) {
            if !self.is_as_prepared() {
                return Err(Errno::BADF);
            }
            self.promised.store(true, Ordering::Relaxed);
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
        if self.promised.load(Ordering::Relaxed) {
            self.sys().exec_spawn(&self.spawn, path, argv, env)
        } else {
            self.sys().execve(path, argv, env)
        }
    }

    /// A program that is missing is missing, and the next one is tried in the same way. Of everything else only
    /// execve(2) itself says whether the program is to blame or the additions.
    fn owes_closing(&self, errno: Errno) -> bool {
        let is_missing = matches!(errno, Errno::NOENT | Errno::NOTDIR);
        !is_missing && self.promised.swap(false, Ordering::Relaxed)
    }

    fn learn(&self, closed: &Closed) {
        self.backend.learn(closed);
    }

    fn first_link(&self) -> CloseStrategy {
        CloseStrategy::Bulk
    }
}
