//! A plan as attributes and file actions of posix_spawn(2), or the stage that they cannot express.
//!
//! [`Dialect`] has the differences between systems: how a program inherits a descriptor, and how one is closed.

use crate::{Action, Attributes, Feature, SpawnSys};
use forkexec_core::{
    Attribute, CloseStrategy, Errno, FallbackReason, Fd, Mask, Move, Namespaces, Plan, Signal, SignalSet,
    Source, Stage, WorkingDirectory,
};

/// 0, 1 and 2 are put in place, and never closed.
pub const STANDARD: [Fd; 3] = [0, 1, 2];

/// The differences between the file actions of systems.
pub trait Dialect<S: SpawnSys> {
    /// One more than the highest number that an action can name.
    const BOUND: Fd;

    /// The signals that no mask of a program contains.
    const UNBLOCKABLE: &'static [Signal];

    /// Returns whether the system has a flag for this attribute of a plan.
    fn has_flag(_attribute: Attribute<'_>) -> bool {
        false
    }

    /// Makes the program inherit a descriptor, also if it is close-on-exec.
    ///
    /// # Errors
    ///
    /// Returns the reason why another method must start the child.
    fn inherit(actions: &mut Actions<'_, S>, stage: Stage, fd: Fd) -> Result<(), FallbackReason>;

    /// Closes a descriptor for the program. `open` is whether it is open at this step, as far as the parent knows. If `must` is set,
    /// the start fails if it is not.
    ///
    /// # Errors
    ///
    /// Returns the reason why another method must start the child.
    fn close(actions: &mut Actions<'_, S>, fd: Fd, open: bool, must: bool) -> Result<(), FallbackReason>;
}

/// The attributes and file actions of a plan, as they are added.
pub struct Actions<'a, S: SpawnSys> {
    sys: &'a S,
    plan: &'a Plan<'a>,
    spawn: S::Spawn,
}

impl<'a, S: SpawnSys> Actions<'a, S> {
    /// Makes the attributes of a plan, without an action. `can_keep` is false if the plan keeps descriptors in a way that the
    /// actions of the system cannot express.
    ///
    /// # Errors
    ///
    /// Returns the reason why another method must start the child.
    pub fn begin<D: Dialect<S>>(
        sys: &'a S,
        plan: &'a Plan<'a>,
        can_keep: bool,
        close_others: bool,
    ) -> Result<Self, FallbackReason> {
        if plan.hook.is_some() {
            return Err(FallbackReason::Closure);
        }
        if let Some(stage) = inexpressible_stage::<S, D>(sys, plan, can_keep) {
            return Err(FallbackReason::Inexpressible(stage));
        }
        let mask = match plan.mask {
            // The child may get another mask than that of the calling thread, unless it is named.
            Mask::Inherit => sys.signal_mask().map_err(FallbackReason::Refused)?,
            Mask::Set(mask) => mask,
        };
        let mask = D::UNBLOCKABLE.iter().fold(mask, |mask, &signal| mask.without(signal));
        let attributes = Attributes {
            close_others,
            session: plan.session,
            group: plan.process_group,
            default: plan.reset.without(libc::SIGKILL).without(libc::SIGSTOP),
            mask: Some(mask),
            ..Attributes::only_by_flags(plan)
        };
        let spawn = sys.spawn(&attributes).map_err(FallbackReason::Refused)?;
        Ok(Self { sys, plan, spawn })
    }

    /// The calls of the system.
    pub fn sys(&self) -> &'a S {
        self.sys
    }

    /// The plan that is expressed.
    pub fn plan(&self) -> &'a Plan<'a> {
        self.plan
    }

    /// Returns whether a child inherits this descriptor without an action, as far as the parent knows.
    pub fn is_inherited_as_is(&self, fd: Fd) -> bool {
        self.sys.is_cloexec(fd) == Ok(false)
    }

    /// The attributes and file actions.
    pub fn finish(self) -> S::Spawn {
        self.spawn
    }

    /// Adds an action of this stage.
    ///
    /// # Errors
    ///
    /// Returns the reason why another method must start the child: an action cannot hold the number or the path, or the call is
    /// refused.
    pub fn add(&mut self, stage: Stage, action: Action<'_>) -> Result<(), FallbackReason> {
        self.sys.add(&mut self.spawn, action).map_err(|errno| match errno {
            Errno::BADF | Errno::NAMETOOLONG => FallbackReason::Inexpressible(stage),
            errno => FallbackReason::Refused(errno),
        })
    }

    /// Makes the program inherit the descriptors that keep their numbers.
    ///
    /// # Errors
    ///
    /// Returns the reason why another method must start the child.
    pub fn keep<D: Dialect<S>>(&mut self) -> Result<(), FallbackReason> {
        self.plan.inherit.iter().try_for_each(|&fd| D::inherit(self, Stage::KeepFds, fd))
    }

    /// Places the descriptors that get other numbers.
    ///
    /// # Errors
    ///
    /// Returns the reason why another method must start the child.
    pub fn place<D: Dialect<S>>(&mut self) -> Result<(), FallbackReason> {
        let saved = free_numbers(self.plan, D::BOUND).next().unwrap_or(D::BOUND);
        for (index, step) in self.plan.moves.iter().enumerate() {
            self.take_step::<D>(index, *step, saved)?;
        }
        Ok(())
    }

    fn take_step<D: Dialect<S>>(
        &mut self,
        index: usize,
        step: Move,
        saved: Fd,
    ) -> Result<(), FallbackReason> {
        let number = |source: Source| source.number(self.plan.ends);
        match step {
            Move::Copy { from, to } => self.copy::<D>(number(from), to),
            Move::ClearCloexec(fd) => D::inherit(self, Stage::DupFds, fd),
            Move::SaveTemp(from) => self.copy::<D>(number(from), saved),
            Move::RestoreTemp(to) => {
                self.copy::<D>(saved, to)?;
                D::close(self, saved, true, false)
            }
            Move::CloseOpen(fd) => {
                let open = self.is_open_at(index, fd);
                D::close(self, fd, open, true)
            }
            Move::Close(fd) => {
                let open = self.is_open_at(index, fd);
                D::close(self, fd, open, false)
            }
        }
    }

    fn is_open_at(&self, index: usize, fd: Fd) -> bool {
        let open = self.sys.is_cloexec(fd).is_ok();
        is_open_after(self.plan.moves.get(..index).unwrap_or_default(), fd, open)
    }

    /// dup2(2) of a number onto itself may leave close-on-exec set.
    fn copy<D: Dialect<S>>(&mut self, from: Fd, to: Fd) -> Result<(), FallbackReason> {
        if from == to {
            D::inherit(self, Stage::DupFds, to)
        } else {
            self.add(Stage::DupFds, Action::Dup2(from, to))
        }
    }

    /// Enters the working directory.
    ///
    /// # Errors
    ///
    /// Returns the reason why another method must start the child.
    pub fn enter_directory(&mut self) -> Result<(), FallbackReason> {
        match (self.plan.early_directory, self.plan.directory) {
            (None, None) => Ok(()),
            (Some(WorkingDirectory::Fd(fd)), _) => self.add(Stage::EarlyChdir, Action::Fchdir(fd)),
            (Some(WorkingDirectory::Path(path)), _) => self.add(Stage::EarlyChdir, Action::Chdir(path)),
            (None, Some(WorkingDirectory::Fd(fd))) => self.add(Stage::Chdir, Action::Fchdir(fd)),
            (None, Some(WorkingDirectory::Path(path))) => self.add(Stage::Chdir, Action::Chdir(path)),
        }
    }
}

/// Returns the first stage for which the plan requests something that is neither an attribute nor a file action.
fn inexpressible_stage<S: SpawnSys, D: Dialect<S>>(
    sys: &S,
    plan: &Plan<'_>,
    can_keep: bool,
) -> Option<Stage> {
    // A new field of a plan must be considered here.
    let Plan {
        keep: _,
        inherit,
        moves,
        ends: _,
        placed: _,
        // The system duplicates each, which does as well.
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
        // These systems return no such descriptor by any method.
        pidfd: _,
        // Their launchers reap no child.
        autoreap: _,
        timed,
        executable,
        own_pids,
        exec,
    } = *plan;
    // The parent looks at the candidates, from its own directory.
    let is_relative = || exec.candidates.iter().any(|path| !path.to_bytes().starts_with(b"/"));
    let directories = [early_directory, directory];
    let cannot_enter = directories.into_iter().flatten().any(|directory| match directory {
        WorkingDirectory::Path(_) => is_relative() || !sys.has(Feature::Chdir),
        WorkingDirectory::Fd(_) => is_relative() || !sys.has(Feature::Fchdir),
    });
    // Systems differ in whose descriptors they look at: those of the parent, or those of the child after the moves.
    let is_moved = |directory| matches!(directory, WorkingDirectory::Fd(fd) if is_touched(moves, fd));
    let saves = moves.iter().any(|step| matches!(step, Move::SaveTemp(_)));
    [
        // The child records these times.
        (Stage::Start, timed),
        // Descriptors that the plan does not claim would be closed, or inherited although nothing asks for it.
        (Stage::KeepFds, !can_keep || !inherit.iter().all(|&fd| plan.claims(fd))),
        // A number that is free here may not be free in the child. If all others are closed there, that does not matter.
        (Stage::DupFds, saves && (close.is_none() || free_numbers(plan, D::BOUND).next().is_none())),
        (Stage::DupFds, !moves.iter().filter_map(|&step| target(step)).all(|to| plan.claims(to))),
        (Stage::Cgroup, cgroup.is_some()),
        (Stage::Namespaces, namespaces != Namespaces::default()),
        (Stage::Chroot, root.is_some()),
        (Stage::EarlyChdir, early_directory.is_some_and(|early| directory.is_some() || is_moved(early))),
        (Stage::Umask, umask.is_some()),
        (Stage::Signals, ignore != SignalSet::EMPTY),
        (Stage::Session, session && !sys.has(Feature::Session)),
        // The leader of a session can join no group. Some systems have the other order.
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
    .or_else(|| {
        attributes.iter().find(|&&attribute| !D::has_flag(attribute)).map(|attribute| attribute.stage())
    })
}

/// The number that a step gives to a descriptor.
const fn target(step: Move) -> Option<Fd> {
    match step {
        Move::Copy { to, .. } | Move::ClearCloexec(to) | Move::RestoreTemp(to) => Some(to),
        Move::SaveTemp(_) | Move::Close(_) | Move::CloseOpen(_) => None,
    }
}

/// Returns whether `fd` is open after these steps, if it was `open` before.
pub fn is_open_after(moves: &[Move], fd: Fd, open: bool) -> bool {
    moves.iter().fold(open, |open, &step| match step {
        Move::Close(closed) | Move::CloseOpen(closed) if closed == fd => false,
        step => open || target(step) == Some(fd),
    })
}

/// Returns whether a step opens or closes `fd`.
pub fn is_touched(moves: &[Move], fd: Fd) -> bool {
    is_open_after(moves, fd, false) || !is_open_after(moves, fd, true)
}

/// The numbers below a bound that the plan neither claims nor reads.
pub fn free_numbers<'p>(plan: &'p Plan<'p>, bound: Fd) -> impl Iterator<Item = Fd> {
    let source = |step: &Move| step.source().map(|source| source.number(plan.ends));
    let is_source = move |fd| plan.moves.iter().any(|step| source(step) == Some(fd));
    let is_directory =
        move |fd| [plan.early_directory, plan.directory].contains(&Some(WorkingDirectory::Fd(fd)));
    (0..bound).filter(move |&fd| !plan.claims(fd) && !is_source(fd) && !is_directory(fd))
}
