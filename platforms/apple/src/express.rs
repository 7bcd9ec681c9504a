//! Expresses a plan as attributes and file actions of posix_spawn(2), or says which stage cannot be expressed.
//!
//! The kernel performs the file actions in order, in the new process (`exec_handle_file_actions` of `bsd/kern/kern_exec.c`). It
//! then executes the program, and sets the process group, the session, the mask and the dispositions (`posix_spawn` there).

use crate::spawn::{Action, Attributes, SpawnSys};
use forkexec_core::{
    CloseStrategy, Errno, FallbackReason, Fd, Mask, Move, Namespaces, Plan, SignalSet, Source, Stage,
    WorkingDirectory,
};

/// Each action takes a kibibyte (`psfaa_openargs` of `bsd/sys/spawn_internal.h`), and the kernel copies all of them for each
/// candidate. With more actions than this, closing from a list is faster.
pub(crate) const MOST_NAMED: usize = 256;

/// One more than the highest number that an action can name: `OPEN_MAX` of `bsd/sys/syslimits.h`. The functions that add an action
/// fail with `EBADF` from there on (`libsyscall/wrappers/spawn/posix_spawn.c`).
const OPEN_MAX: Fd = 10_240;

/// 0, 1 and 2 are put in place, and never closed.
pub(crate) const STANDARD: [Fd; 3] = [0, 1, 2];

/// Makes the attributes and file actions for a plan.
///
/// # Errors
///
/// Returns the reason why another method must start the child.
pub fn express<S: SpawnSys>(sys: &S, plan: &Plan<'_>) -> Result<S::Spawn, FallbackReason> {
    if plan.hook.is_some() {
        return Err(FallbackReason::Closure);
    }
    if let Some(stage) = inexpressible_stage(sys, plan) {
        return Err(FallbackReason::Inexpressible(stage));
    }
    let mask = match plan.mask {
        // The child of a thread that the system made for a queue would get another mask (`uu_sigmask` in `bsd/kern/kern_fork.c`).
        Mask::Inherit => sys.signal_mask().map_err(FallbackReason::Refused)?,
        Mask::Set(mask) => mask,
    };
    let attributes = Attributes {
        replace: false,
        close_others: plan.close.is_some(),
        session: plan.session,
        group: plan.process_group,
        default: plan.reset.without(libc::SIGKILL).without(libc::SIGSTOP),
        mask: Some(mask),
    };
    let spawn = sys.spawn(&attributes).map_err(FallbackReason::Refused)?;
    let mut actions = Actions { sys, plan, spawn };
    actions.keep()?;
    actions.place()?;
    actions.pass_on()?;
    actions.enter_directory()?;
    Ok(actions.spawn)
}

/// Returns the first stage for which the plan requests something that is neither an attribute nor a file action.
fn inexpressible_stage<S: SpawnSys>(sys: &S, plan: &Plan<'_>) -> Option<Stage> {
    // A new field of a plan must be considered here.
    let Plan {
        keep,
        inherit,
        moves,
        ends: _,
        placed: _,
        // The kernel duplicates each, which does as well.
        reopen: _,
        cgroup,
        namespaces,
        root,
        early_directory,
        directory,
        umask,
        reset: _,
        ignore,
        session,
        process_group,
        terminal,
        foreground,
        limits,
        nice,
        groups,
        gid,
        uid,
        attributes,
        no_new_privs,
        die_with_parent,
        mask: _,
        hook: _,
        close,
        // This system returns no such descriptor by any method.
        pidfd: _,
        // Its launcher reaps no child.
        autoreap: _,
        timed,
        executable,
        own_pids,
        exec,
    } = *plan;
    let has_directory = early_directory.is_some() || directory.is_some();
    // Several programs report that a start with a relative path and a directory failed with `ENOENT`, although the program ran
    // (rust-lang/rust#80537, libuv/libuv#3583).
    let is_relative = || exec.candidates.iter().any(|path| !path.to_bytes().starts_with(b"/"));
    let cannot_enter = has_directory && (is_relative() || !sys.has_directory_actions());
    // The kernel looks the directory up among the descriptors of the parent (`file_vnode` of `bsd/kern/kern_descrip.c`).
    let is_moved = |directory| matches!(directory, WorkingDirectory::Fd(fd) if is_touched(moves, fd));
    let saves = moves.iter().any(|step| matches!(step, Move::SaveTemp(_)));
    [
        // The child records these times.
        (Stage::Start, timed),
        // The program would inherit each descriptor that an action names.
        (Stage::KeepFds, keep.as_slice().len() > MOST_NAMED || !inherit.iter().all(|&fd| plan.claims(fd))),
        // A number that is free here may not be free in the child. If all others are closed there, that does not matter.
        (Stage::DupFds, saves && (close.is_none() || free_number(plan).is_none())),
        (Stage::DupFds, !moves.iter().filter_map(|&step| target(step)).all(|to| plan.claims(to))),
        (Stage::Cgroup, cgroup.is_some()),
        (Stage::Namespaces, namespaces != Namespaces::default()),
        (Stage::Chroot, root.is_some()),
        (Stage::EarlyChdir, early_directory.is_some_and(|early| directory.is_some() || is_moved(early))),
        (Stage::Umask, umask.is_some()),
        (Stage::Signals, ignore != SignalSet::EMPTY),
        (Stage::Session, session && !sys.has_directory_actions()),
        // The leader of a session can join no group. The kernel has the other order.
        (Stage::ProcessGroup, session && process_group.is_some()),
        (Stage::Terminal, terminal.is_some()),
        (Stage::Foreground, foreground.is_some()),
        (Stage::Limits, !limits.is_empty()),
        (Stage::Nice, nice.is_some()),
        (Stage::Groups, groups.is_some()),
        (Stage::Gid, gid.is_some()),
        (Stage::Uid, uid.is_some()),
        (Stage::Chdir, cannot_enter || directory.is_some_and(is_moved)),
        (Stage::NoNewPrivs, no_new_privs),
        (Stage::DieWithParent, die_with_parent.is_some()),
        (Stage::Close, close.is_some_and(|strategy| strategy != CloseStrategy::Bulk)),
        // Only the child knows its process ID.
        (Stage::Exec, !own_pids.is_empty() || executable.is_some()),
    ]
    .into_iter()
    .find_map(|(stage, is_requested)| is_requested.then_some(stage))
    .or_else(|| attributes.first().map(|attribute| attribute.stage()))
}

/// The number that a step gives to a descriptor.
const fn target(step: Move) -> Option<Fd> {
    match step {
        Move::Copy { to, .. } | Move::ClearCloexec(to) | Move::RestoreTemp(to) => Some(to),
        Move::SaveTemp(_) | Move::Close(_) | Move::CloseOpen(_) => None,
    }
}

/// Returns whether `fd` is open after these steps, if it was `open` before.
pub(crate) fn is_open_after(moves: &[Move], fd: Fd, open: bool) -> bool {
    moves.iter().fold(open, |open, &step| match step {
        Move::Close(closed) | Move::CloseOpen(closed) if closed == fd => false,
        step => open || target(step) == Some(fd),
    })
}

/// Returns whether a step opens or closes `fd`.
fn is_touched(moves: &[Move], fd: Fd) -> bool {
    is_open_after(moves, fd, false) || !is_open_after(moves, fd, true)
}

/// A number for the saved copy of a ring. The plan neither claims nor reads it.
fn free_number(plan: &Plan<'_>) -> Option<Fd> {
    let source = |step: &Move| step.source().map(|source| source.number(plan.ends));
    let is_source = |fd| plan.moves.iter().any(|step| source(step) == Some(fd));
    let is_directory = |fd| [plan.early_directory, plan.directory].contains(&Some(WorkingDirectory::Fd(fd)));
    (0..OPEN_MAX).find(|&fd| !plan.claims(fd) && !is_source(fd) && !is_directory(fd))
}

/// The file actions of a plan, as they are added.
struct Actions<'a, S: SpawnSys> {
    sys: &'a S,
    plan: &'a Plan<'a>,
    spawn: S::Spawn,
}

impl<S: SpawnSys> Actions<'_, S> {
    fn add(&mut self, stage: Stage, action: Action<'_>) -> Result<(), FallbackReason> {
        self.sys.add(&mut self.spawn, action).map_err(|errno| match errno {
            Errno::BADF | Errno::NAMETOOLONG => FallbackReason::Inexpressible(stage),
            errno => FallbackReason::Refused(errno),
        })
    }

    fn keep(&mut self) -> Result<(), FallbackReason> {
        self.plan.inherit.iter().try_for_each(|&fd| self.add(Stage::KeepFds, Action::Inherit(fd)))
    }

    fn place(&mut self) -> Result<(), FallbackReason> {
        let saved = free_number(self.plan).unwrap_or(OPEN_MAX);
        for (index, step) in self.plan.moves.iter().enumerate() {
            self.take_step(index, *step, saved)?;
        }
        Ok(())
    }

    fn take_step(&mut self, index: usize, step: Move, saved: Fd) -> Result<(), FallbackReason> {
        let number = |source: Source| source.number(self.plan.ends);
        match step {
            Move::Copy { from, to } => self.copy(number(from), to),
            Move::ClearCloexec(fd) => self.add(Stage::DupFds, Action::Inherit(fd)),
            Move::SaveTemp(from) => self.copy(number(from), saved),
            Move::RestoreTemp(to) => {
                // The kernel marks the saved number for inheritance although it is closed. Later tables have no such mark.
                self.copy(saved, to)?;
                self.add(Stage::DupFds, Action::Close(saved))
            }
            Move::CloseOpen(fd) => self.add(Stage::DupFds, Action::Close(fd)),
            Move::Close(fd) => {
                let open = self.sys.is_cloexec(fd).is_ok();
                let earlier = self.plan.moves.get(..index).unwrap_or_default();
                if is_open_after(earlier, fd, open) {
                    self.add(Stage::DupFds, Action::Close(fd))
                } else {
                    Ok(())
                }
            }
        }
    }

    /// dup2(2) of a number onto itself leaves close-on-exec set (`dup2` of `bsd/kern/kern_descrip.c`). The action that inherits
    /// clears it (`PSFA_INHERIT` in `bsd/kern/kern_exec.c`).
    fn copy(&mut self, from: Fd, to: Fd) -> Result<(), FallbackReason> {
        let action = if from == to { Action::Inherit(to) } else { Action::Dup2(from, to) };
        self.add(Stage::DupFds, action)
    }

    /// Names the other descriptors that the program gets, because the kernel closes each descriptor without a name.
    fn pass_on(&mut self) -> Result<(), FallbackReason> {
        let Plan { keep, inherit, moves, close, .. } = *self.plan;
        if close.is_none() {
            return Ok(());
        }
        let kept = STANDARD.into_iter().chain(keep.as_slice().iter().copied());
        for fd in kept.filter(|fd| !inherit.contains(fd)) {
            if !is_touched(moves, fd) && self.sys.is_cloexec(fd) == Ok(false) {
                self.add(Stage::KeepFds, Action::Inherit(fd))?;
            }
        }
        Ok(())
    }

    fn enter_directory(&mut self) -> Result<(), FallbackReason> {
        match (self.plan.early_directory, self.plan.directory) {
            (None, None) => Ok(()),
            (Some(WorkingDirectory::Fd(fd)), _) => self.add(Stage::EarlyChdir, Action::Fchdir(fd)),
            (Some(WorkingDirectory::Path(path)), _) => self.add(Stage::EarlyChdir, Action::Chdir(path)),
            (None, Some(WorkingDirectory::Fd(fd))) => self.add(Stage::Chdir, Action::Fchdir(fd)),
            (None, Some(WorkingDirectory::Path(path))) => self.add(Stage::Chdir, Action::Chdir(path)),
        }
    }
}
