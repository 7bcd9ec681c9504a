//! Expresses a plan as attributes and file actions of posix_spawn(3C), or says which stage cannot be expressed.
//!
//! The child sets its mask, its dispositions, its session and its process group, performs the file actions in order, and executes
//! the program. That is so in libc (`posix_spawn` of `libc/port/threads/spawn.c` at 3a656e4) and in the kernel, which does it from
//! ac2250c on (`spawn_main` of `uts/common/os/spawn.c`). On Solaris it is a system call, spawn(2), from 11.4 on (the wrapper of
//! Valgrind, `coregrind/m_syswrap/syswrap-solaris.c`).
//!
//! No attribute closes what is not named. So the actions close each gap between kept descriptors by number, and everything above the
//! last of them by posix_spawn_file_actions_addclosefrom_np(3C). All of it happens in the table of the child: no other thread can open
//! a descriptor there.

use crate::close::WIDEST_GAP;
use crate::{Action, SIGAIOCANCEL, SIGCANCEL, SolarisSys, enumerate};
use forkexec_core::{FallbackReason, Fd, Plan, Signal, Stage};
use forkexec_unix::{Actions, Dialect, free_numbers};

/// The file actions of illumos and Solaris.
struct Sun;

impl<S: SolarisSys> Dialect<S> for Sun {
    /// The functions that add an action refuse negative numbers alone (`libc/port/threads/spawn.c`).
    const BOUND: Fd = Fd::MAX;

    /// The child sets the mask without the function that removes them (`perform_flag_actions` of `libc/port/threads/spawn.c`).
    const UNBLOCKABLE: &'static [Signal] = &[SIGAIOCANCEL, SIGCANCEL];

    /// A descriptor without close-on-exec needs no action. Otherwise two copies clear the flag, by way of a number that is closed
    /// afterwards. A copy onto the same number changes nothing (`F_DUP2FD` of `uts/common/syscall/fcntl.c`).
    fn inherit(actions: &mut Actions<'_, S>, stage: Stage, fd: Fd) -> Result<(), FallbackReason> {
        if actions.is_inherited_as_is(fd) {
            return Ok(());
        }
        let spare = actions.plan().close.and_then(|_| free_numbers(actions.plan(), Fd::MAX).nth(1));
        let spare = spare.ok_or(FallbackReason::Inexpressible(stage))?;
        actions.add(stage, Action::Dup2(fd, spare))?;
        actions.add(stage, Action::Dup2(spare, fd))
    }

    /// The action does not fail for a closed descriptor (`perform_file_actions` of `libc/port/threads/spawn.c` at 3a656e4). It is
    /// always added, because another thread of the parent may open that number before the child has its table.
    fn close(actions: &mut Actions<'_, S>, fd: Fd, open: bool, must: bool) -> Result<(), FallbackReason> {
        if must && !open {
            return Err(FallbackReason::Inexpressible(Stage::DupFds));
        }
        actions.add(Stage::DupFds, Action::Close(fd))
    }
}

/// Makes the attributes and file actions for a plan.
///
/// # Errors
///
/// Returns the reason why another method must start the child.
pub fn express<S: SolarisSys>(sys: &S, plan: &Plan<'_>) -> Result<S::Spawn, FallbackReason> {
    let mut actions = Actions::begin::<Sun>(sys, plan, has_narrow_gaps(plan), false)?;
    actions.keep::<Sun>()?;
    actions.place::<Sun>()?;
    actions.enter_directory()?;
    close_others(&mut actions)?;
    Ok(actions.finish())
}

/// The number of actions is at most in proportion to that of kept descriptors.
fn has_narrow_gaps(plan: &Plan<'_>) -> bool {
    let is_narrow = |gap: forkexec_core::Gap| gap.last().saturating_sub(gap.first()) < WIDEST_GAP;
    plan.close.is_none() || plan.keep.gaps(FIRST).all(|gap| gap.last() == Fd::MAX || is_narrow(gap))
}

/// 0, 1 and 2 are put in place, and never closed.
const FIRST: Fd = 3;

/// Closes all descriptors from 3 up that the plan does not keep, after everything that reads one.
///
/// The C library of illumos closes what `/proc/self/fd` lists, and neither checks that this is on procfs nor reports an error while
/// it reads (`spawn_closefrom` of `libc/port/threads/spawn.c` at 3a656e4). So the parent checks the directory, which the child finds
/// under the same path with the same credentials.
fn close_others<S: SolarisSys>(actions: &mut Actions<'_, S>) -> Result<(), FallbackReason> {
    let Plan { keep, close, .. } = *actions.plan();
    if close.is_none() {
        return Ok(());
    }
    if !enumerate::is_trusted(actions.sys()) {
        return Err(FallbackReason::Inexpressible(Stage::Close));
    }
    for gap in keep.gaps(FIRST) {
        if gap.last() == Fd::MAX {
            actions.add(Stage::Close, Action::CloseFrom(gap.first()))?;
        } else {
            (gap.first()..=gap.last()).try_for_each(|fd| actions.add(Stage::Close, Action::Close(fd)))?;
        }
    }
    Ok(())
}
