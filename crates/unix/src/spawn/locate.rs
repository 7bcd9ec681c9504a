//! The stage of a failed posix_spawn(2), which returns an errno alone.
//!
//! Some errnos belong to one stage. For others the parent looks at the descriptors and the directory that the plan names.

use crate::SpawnSys;
use crate::spawn::is_open_after;
use forkexec_core::{
    Errno, FallbackReason, Fd, LaunchError, NotExecuted, Plan, Report, Stage, Sys, WorkingDirectory,
};

/// Returns whether no other candidate needs to be tried: the cause is not the program.
pub(super) fn is_of_no_program(errno: Errno) -> bool {
    matches!(errno, Errno::AGAIN | Errno::BADF) || is_missing_call(errno)
}

/// Returns whether the kernel has no such call, or does not support the attributes.
pub(super) fn is_missing_call(errno: Errno) -> bool {
    errno == Errno::NOSYS || errno.raw() == libc::ENOTSUP
}

/// Returns the error of a start that failed. The index is that of the candidate.
pub(super) fn locate<S: SpawnSys>(sys: &S, plan: &Plan<'_>, failed: NotExecuted) -> LaunchError {
    let NotExecuted { errno, index } = failed;
    let at = |stage, operand| LaunchError::Child(Report { stage, errno, operand });
    match errno {
        // Too many processes.
        Errno::AGAIN => LaunchError::Parent { stage: Stage::Start, errno },
        Errno::BADF => match closed_descriptor(sys, plan) {
            Some((stage, fd)) => at(stage, fd),
            None => LaunchError::StageUnknown(errno),
        },
        Errno::TOOBIG | Errno::NOEXEC | Errno::TXTBSY => at(Stage::Exec, index),
        Errno::NOENT | Errno::NOTDIR | Errno::ACCES | Errno::LOOP | Errno::NAMETOOLONG => {
            match failed_path(sys, plan, errno) {
                Some(Stage::Exec) => at(Stage::Exec, index),
                Some(stage) => at(stage, 0),
                None => LaunchError::StageUnknown(errno),
            }
        }
        errno if is_missing_call(errno) => LaunchError::ForkRequired(FallbackReason::Refused(errno)),
        errno => LaunchError::StageUnknown(errno),
    }
}

/// Returns the first descriptor that the plan needs and that is closed, with its stage.
fn closed_descriptor<S: Sys>(sys: &S, plan: &Plan<'_>) -> Option<(Stage, Fd)> {
    let is_closed = |fd| sys.is_cloexec(fd) == Err(Errno::BADF);
    let kept = plan.inherit.iter().map(|&fd| (Stage::KeepFds, fd));
    let read = plan.moves.iter().enumerate().filter_map(|(index, step)| {
        let fd = step.source()?.number(plan.ends);
        let earlier = plan.moves.get(..index)?;
        (!is_open_after(earlier, fd, false)).then_some((Stage::DupFds, fd))
    });
    let directory = [(Stage::EarlyChdir, plan.early_directory), (Stage::Chdir, plan.directory)];
    let directory = directory.into_iter().filter_map(|(stage, directory)| match directory? {
        WorkingDirectory::Fd(fd) => Some((stage, fd)),
        WorkingDirectory::Path(_) => None,
    });
    kept.chain(read).chain(directory).find(|&(_, fd)| is_closed(fd))
}

/// Returns the stage whose path leads to this errno: that of the directory or that of the program. `None` if that is not known.
fn failed_path<S: SpawnSys>(sys: &S, plan: &Plan<'_>, errno: Errno) -> Option<Stage> {
    let (stage, path) = match (plan.early_directory, plan.directory) {
        (None, None) => return Some(Stage::Exec),
        (None, Some(WorkingDirectory::Path(path))) => (Stage::Chdir, path),
        (Some(WorkingDirectory::Path(path)), None) => (Stage::EarlyChdir, path),
        // Only fchdir(2) would tell whether the directory may be searched.
        _ => return None,
    };
    let opened = sys.open_directory(path).and_then(|directory| sys.close(directory));
    match (sys.may_execute(path), opened) {
        (Ok(()), Ok(())) => Some(Stage::Exec),
        (Err(same), _) | (_, Err(same)) if same == errno => Some(stage),
        _ => None,
    }
}
