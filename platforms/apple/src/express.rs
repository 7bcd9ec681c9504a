//! Expresses a plan as attributes and file actions of posix_spawn(2), or says which stage cannot be expressed.
//!
//! The kernel performs the file actions in order, in the new process (`exec_handle_file_actions` of `bsd/kern/kern_exec.c`). It
//! then executes the program, and sets the process group, the session, the mask and the dispositions (`posix_spawn` there). It
//! takes the descriptor of a directory from the table of the parent (`file_vnode` of `bsd/kern/kern_descrip.c`).
//!
//! The mask is always named: the child of a thread that the system made for a queue would get another one (`uu_sigmask` in
//! `bsd/kern/kern_fork.c`). Several programs report that a start with a relative path and a directory failed with `ENOENT`, although
//! the program ran (rust-lang/rust#80537, libuv/libuv#3583).

use crate::attributes::is_of_exec;
use crate::{Action, SpawnSys};
use forkexec_core::{Attribute, FallbackReason, Fd, Plan, Signal, Stage};
use forkexec_unix::{Actions, Dialect, STANDARD, is_touched};

/// Each action takes a kibibyte (`psfaa_openargs` of `bsd/sys/spawn_internal.h`), and the kernel copies all of them for each
/// candidate. With more actions than this, closing from a list is faster.
pub(crate) const MOST_NAMED: usize = 256;

/// One more than the highest number that an action can name: `OPEN_MAX` of `bsd/sys/syslimits.h`. The functions that add an action
/// fail with `EBADF` from there on (`libsyscall/wrappers/spawn/posix_spawn.c`).
const OPEN_MAX: Fd = 10_240;

/// The file actions of macOS.
struct Xnu;

impl<S: SpawnSys> Dialect<S> for Xnu {
    const BOUND: Fd = OPEN_MAX;
    const UNBLOCKABLE: &'static [Signal] = &[];

    fn has_flag(attribute: Attribute<'_>) -> bool {
        is_of_exec(attribute)
    }

    /// dup2(2) of a number onto itself leaves close-on-exec set (`dup2` of `bsd/kern/kern_descrip.c`). The action that inherits
    /// clears it (`PSFA_INHERIT` in `bsd/kern/kern_exec.c`).
    fn inherit(actions: &mut Actions<'_, S>, stage: Stage, fd: Fd) -> Result<(), FallbackReason> {
        actions.add(stage, Action::Inherit(fd))
    }

    /// The action fails for a closed descriptor, and the kernel closes each that no action names. It marks a closed number for
    /// inheritance if an action named it before, but later tables have no such mark.
    fn close(actions: &mut Actions<'_, S>, fd: Fd, open: bool, must: bool) -> Result<(), FallbackReason> {
        if open || must { actions.add(Stage::DupFds, Action::Close(fd)) } else { Ok(()) }
    }
}

/// Makes the attributes and file actions for a plan.
///
/// # Errors
///
/// Returns the reason why another method must start the child.
pub fn express<S: SpawnSys>(sys: &S, plan: &Plan<'_>) -> Result<S::Spawn, FallbackReason> {
    let can_keep = plan.keep.as_slice().len() <= MOST_NAMED;
    let mut actions = Actions::begin::<Xnu>(sys, plan, can_keep, plan.close.is_some())?;
    actions.keep::<Xnu>()?;
    actions.place::<Xnu>()?;
    pass_on(&mut actions)?;
    actions.enter_directory()?;
    Ok(actions.finish())
}

/// Names the other descriptors that the program gets, because the kernel closes each descriptor without a name.
fn pass_on<S: SpawnSys>(actions: &mut Actions<'_, S>) -> Result<(), FallbackReason> {
    let Plan { keep, inherit, moves, close, .. } = *actions.plan();
    if close.is_none() {
        return Ok(());
    }
    let kept = STANDARD.into_iter().chain(keep.as_slice().iter().copied());
    for fd in kept.filter(|fd| !inherit.contains(fd)) {
        if !is_touched(moves, fd) && actions.sys().is_cloexec(fd) == Ok(false) {
            actions.add(Stage::KeepFds, Action::Inherit(fd))?;
        }
    }
    Ok(())
}
