//! The backend and the launcher of this system, and the questions that the parent asks them.

use super::system::{BACKEND, LAUNCHER, forking};
use forkexec_core::{
    Backend, Capabilities, Errno, Fd, FileId, IoPriority, LaunchError, Launched, Launcher, Operation,
    ParentSys, Plan, Resource, Scheduler, Signal, SignalSet, Sys,
};
use std::os::fd::{FromRawFd, OwnedFd};

/// Returns the backend of this system, with its real system calls.
///
/// # Safety
///
/// The caller upholds the contract of [`Kernel::new`] for each use of the value.
pub(crate) unsafe fn backend() -> &'static impl Backend<Sys: ParentSys> {
    &BACKEND
}

/// Returns true if a descriptor is close-on-exec. The call changes nothing, so any number may be passed.
pub(crate) fn is_cloexec(fd: Fd) -> Result<bool, Errno> {
    BACKEND.sys().is_cloexec(fd)
}

/// Opens a pipe: the reading end and the writing end, both close-on-exec.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = BACKEND.sys().pipe()?;
    // SAFETY: the call just opened the descriptor, and nothing else owns it.
    let own = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
    Ok((own(reader), own(writer)))
}

/// Returns the identity of the file that a descriptor refers to. The call changes nothing, so any number may
/// be passed.
pub(crate) fn file_id(fd: Fd) -> Result<FileId, Errno> {
    BACKEND.sys().file_id(fd)
}

/// Returns true if there is a signal with this number. If the backend does not know the highest one, the
/// system answers.
pub(crate) fn is_signal(signal: Signal) -> bool {
    let sys = BACKEND.sys();
    (1..=sys.highest_signal()).contains(&signal) && sys.disposition(signal) != Err(Errno::INVAL)
}

/// Returns the capabilities of the backend.
pub(crate) fn capabilities() -> &'static Capabilities {
    BACKEND.capabilities()
}

/// Returns true if the running release has the operation.
pub(crate) fn has(operation: Operation) -> bool {
    BACKEND.has(operation)
}

/// Returns true if the system has the scheduling policy.
pub(crate) fn has_scheduler(scheduler: Scheduler) -> bool {
    BACKEND.has_scheduler(scheduler)
}

/// Returns the highest priority of a scheduling policy.
pub(crate) fn highest_priority() -> u8 {
    BACKEND.highest_priority()
}

/// Returns true if the system has the I/O priority.
pub(crate) fn has_io_priority(priority: IoPriority) -> bool {
    BACKEND.has_io_priority(priority)
}

/// Returns the most processors that a set may have.
pub(crate) fn most_processors() -> usize {
    BACKEND.most_processors()
}

/// Returns the name of the call that closes many descriptors on the running release.
pub(crate) fn bulk_closer() -> Option<&'static str> {
    BACKEND.bulk_closer()
}

/// Returns the signals that the calling thread blocks.
pub(crate) fn blocked_signals() -> Result<SignalSet, Errno> {
    let sys = BACKEND.sys();
    let mask = sys.block_signals()?;
    sys.set_mask(mask)?;
    Ok(mask)
}

/// Returns the common name of a resource.
pub(crate) fn resource_name(resource: Resource) -> String {
    let known = capabilities().resources.iter().find(|(_, known)| *known == resource);
    known.map_or_else(|| format!("number {}", resource.0), |(name, _)| (*name).to_owned())
}

/// Starts a child by the fastest method.
///
/// # Safety
///
/// The caller owns or borrows each descriptor that the plan names until this returns.
pub(crate) unsafe fn launch(plan: &Plan<'_>) -> Result<Launched, LaunchError> {
    LAUNCHER.launch(plan)
}

/// Starts a child by a method that does not copy the parent's memory.
///
/// # Safety
///
/// As [`launch`].
pub(crate) unsafe fn launch_fast(plan: &Plan<'_>) -> Result<Launched, LaunchError> {
    LAUNCHER.launch_fast(plan)
}

/// Starts a child by fork(2).
///
/// # Safety
///
/// As [`launch`].
pub(crate) unsafe fn launch_forked(plan: &Plan<'_>) -> Result<Launched, LaunchError> {
    forking().launch(plan)
}

#[cfg(test)]
mod tests {
    use super::{BACKEND, has, highest_priority, most_processors};
    use forkexec_core::{Backend, Operation};
    use rstest::rstest;

    /// No system has all of them.
    #[rstest]
    fn operation_is_there_if_the_backend_has_it(
        #[values(Operation::Cgroup, Operation::Jail, Operation::Pledge)] operation: Operation,
    ) {
        assert_eq!(has(operation), BACKEND.has(operation));
    }

    #[test]
    fn bounds_of_attributes_are_those_of_the_backend() {
        assert!(highest_priority() > 1, "a policy has several priorities");
        assert_eq!(highest_priority(), BACKEND.highest_priority());
        assert_eq!(most_processors(), BACKEND.most_processors());
    }
}
