//! How a child starts: the contract that every launcher keeps.

use crate::{Closed, Errno, Fd, Pid, Plan, Report, SharedReport, Stage};

/// Starts children by one method.
///
/// # Safety
///
/// Unsafe code relies on an implementation:
///
/// - It returns `Ok` only if the child reached exec. Then [`Launched::pid`] is that child, not yet reaped, and
///   [`Launched::pidfd`] is an open descriptor that the caller owns.
/// - Otherwise it has reaped the child.
/// - It leaves the parent's descriptors, signal mask and dispositions as they were, also if it fails.
/// - It holds no lock while a child is between its start and exec, and many threads may call it at once.
pub unsafe trait Launcher: Sync {
    /// How it starts children, as far as it knows by now.
    fn method(&self) -> SpawnMethod;

    /// Starts a child that runs the plan.
    ///
    /// # Errors
    ///
    /// [`LaunchError`]: nothing runs, and nothing is left to be waited for.
    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError>;

    /// Starts a child that runs the plan, but not by a method that copies the parent's memory. If an emulator copies the memory
    /// of the first child all the same, that child counts as started, by [`SpawnMethod::Fork`].
    ///
    /// # Errors
    ///
    /// As [`launch`](Self::launch), and [`LaunchError::ForkRequired`].
    fn launch_fast(&self, _plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        Err(LaunchError::ForkRequired(FallbackReason::NoSuchMethod))
    }

    /// What keeps this launcher from its best method, as far as it knows by now.
    fn fallback_reason(&self) -> Option<FallbackReason> {
        None
    }
}

/// How a child is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpawnMethod {
    /// It borrows the parent's memory and its descriptor table until it has a table of its own: nothing is copied that
    /// it does not need, whatever the parent has open or mapped.
    Shared,
    /// It borrows the parent's memory, as after vfork(2). The descriptor table is copied, which takes time in proportion
    /// to it.
    Vfork,
    /// fork(2): the parent's memory is marked for copying, which takes time in proportion to it.
    Fork,
}

impl SpawnMethod {
    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Vfork => "vfork",
            Self::Fork => "fork",
        }
    }
}

/// The reason why a launcher uses no method that shares the parent's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FallbackReason {
    /// The backend has no such method.
    NoSuchMethod,
    /// The plan has a pre-exec closure, which may change the memory that it finds.
    Closure,
    /// The child does not share the parent's memory: an emulator or an instrumentation tool copies it.
    NotShared,
    /// The program contains a sanitizer. It tracks the thread that starts a child, and would take the child's actions for
    /// actions of that thread.
    Sanitizer,
    /// Another thread is changing an attribute of the memory that the child would share, and does not finish soon.
    Busy,
    /// The kernel or a seccomp filter refuses the call that starts the child.
    Refused(Errno),
}

/// A child that runs its program.
#[derive(Debug)]
#[must_use]
pub struct Launched {
    /// Its process id.
    pub pid: Pid,
    /// A descriptor that refers to it, close-on-exec, where the system gives one with the child. It is the caller's to
    /// close.
    pub pidfd: Option<Fd>,
    /// How it was started.
    pub method: SpawnMethod,
    /// How the other descriptors were closed.
    pub closed: Closed,
    /// When each stage began, if the plan was timed.
    pub timeline: Option<Timeline>,
}

/// When each stage of a child began, in nanoseconds of a monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Timeline([Option<u64>; Stage::COUNT]);

impl Timeline {
    /// Reads the times of a slot.
    pub fn of(slot: &SharedReport) -> Self {
        let mut times = [None; Stage::COUNT];
        for (time, stage) in times.iter_mut().skip(Stage::ORDER[0] as usize).zip(Stage::ORDER) {
            *time = slot.time(stage);
        }
        Self(times)
    }

    /// When `stage` began.
    pub fn began(&self, stage: Stage) -> Option<u64> {
        self.0.get(stage as usize).copied().flatten()
    }

    /// Notes when a stage of the parent's own began.
    #[must_use]
    pub fn with(mut self, stage: Stage, at: u64) -> Self {
        if let Some(time) = self.0.get_mut(stage as usize) {
            *time = Some(at);
        }
        self
    }
}

/// Why no program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchError {
    /// A call of the parent's failed, at [`Stage::Setup`] or [`Stage::Start`].
    Parent {
        /// Which of the two.
        stage: Stage,
        /// What the kernel said.
        errno: Errno,
    },
    /// No method was to be had that does not copy the parent's memory.
    ForkRequired(FallbackReason),
    /// The child reported a failure, and was reaped.
    Child(Report),
    /// The child ended before exec without a report, and was reaped.
    Died {
        /// The stage that it had begun.
        stage: Stage,
        /// How it ended, as waitpid(2) encodes it; `None` if somebody else reaped it.
        status: Option<i32>,
    },
}

#[cfg(test)]
mod tests {
    use super::{SharedReport, SpawnMethod, Stage, Timeline};

    #[test]
    fn spawn_methods_print_their_common_names() {
        let names = [SpawnMethod::Shared, SpawnMethod::Vfork, SpawnMethod::Fork].map(SpawnMethod::name);
        assert_eq!(names, ["shared", "vfork", "fork"]);
    }

    #[test]
    fn timeline_has_exactly_the_noted_times() {
        let slot = SharedReport::new();
        slot.enter(Stage::ORDER[0], Some(5));
        slot.enter(Stage::Exec, Some(1 << 40));
        slot.enter(Stage::Close, None);
        let timeline = Timeline::of(&slot).with(Stage::Start, 3);
        let began = [Stage::Setup, Stage::Start, Stage::ORDER[0], Stage::Close, Stage::Exec];
        assert_eq!(began.map(|stage| timeline.began(stage)), [None, Some(3), Some(5), None, Some(1 << 40)]);
    }
}
