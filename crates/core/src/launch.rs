//! The contract of a launcher, which starts children.

use crate::{Autoreap, Closed, Errno, Fd, Pid, Plan, Report, SharedReport, Stage};

/// Starts children by one method.
///
/// # Safety
///
/// Unsafe code relies on an implementation:
///
/// - It returns `Ok` only if the child reached exec. Then [`Launched::pid`] is that child, not yet reaped unless
///   [`Launched::autoreap`] is set, and [`Launched::pidfd`] is an open descriptor that the caller owns.
/// - Otherwise it has reaped the child.
/// - It does not change the descriptors, the signal mask and the dispositions of the parent, also if it fails.
/// - It holds no lock while a child is between its start and exec, and many threads may call it at once.
pub unsafe trait Launcher: Sync {
    /// The method by which it starts children, as far as it knows.
    fn method(&self) -> SpawnMethod;

    /// Starts a child that runs the plan.
    ///
    /// # Errors
    ///
    /// Returns a [`LaunchError`]. Then no program runs, and there is no child to reap.
    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError>;

    /// Starts a child that runs the plan, by a method that does not copy the memory of the parent. If an emulator copies the
    /// memory of the first child all the same, the start succeeds with [`SpawnMethod::Fork`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`launch`](Self::launch), and [`LaunchError::ForkRequired`].
    fn launch_fast(&self, _plan: &Plan<'_>) -> Result<Launched, LaunchError> {
        Err(LaunchError::ForkRequired(FallbackReason::NoSuchMethod))
    }

    /// The reason why this launcher does not use its best method, as far as it knows.
    fn fallback_reason(&self) -> Option<FallbackReason> {
        None
    }
}

/// A method to start a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpawnMethod {
    /// The child shares the memory of the parent, and its descriptor table until it has a table of its own. The cost does not
    /// depend on what the parent has open or mapped.
    Shared,
    /// The child shares the memory of the parent, as after vfork(2). The kernel copies the descriptor table, which takes time
    /// in proportion to its size.
    Vfork,
    /// posix_spawn(2), as one call of the system. No memory of the parent is copied. The kernel copies the descriptor table,
    /// which takes time in proportion to its size.
    PosixSpawn,
    /// fork(2). The kernel marks the memory of the parent for copying, which takes time in proportion to its size.
    Fork,
}

impl SpawnMethod {
    /// The name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Vfork => "vfork",
            Self::PosixSpawn => "posix_spawn",
            Self::Fork => "fork",
        }
    }
}

/// The way in which a child got those descriptors that have a number from 64 up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HighFds {
    /// It needed none, so its table has no such numbers.
    NotNeeded,
    /// It took each from its suspended parent. Its table has no other high numbers.
    Taken,
    /// The kernel copied the table of the parent, as every method but [`SpawnMethod::Shared`] does. That takes time in
    /// proportion to the highest number.
    #[default]
    Copied,
}

/// The reason why a launcher uses no method but fork(2).
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
    /// The plan has a limit that the system also applies to the memory which the child would share: that of the stack, on BSD.
    MemoryLimit,
    /// Another thread is changing an attribute of the memory that the child would share, and does not finish soon.
    Busy,
    /// The kernel or a seccomp filter refuses the call that starts the child.
    Refused(Errno),
    /// posix_spawn(2) cannot do what the plan requests for this stage.
    Inexpressible(Stage),
}

/// A child that runs its program.
#[derive(Debug)]
#[must_use]
pub struct Launched {
    /// The process ID.
    pub pid: Pid,
    /// A descriptor of the child, close-on-exec, if the system returns one with the child. The caller owns it.
    pub pidfd: Option<Fd>,
    /// Set if the kernel reaps the child, as the plan asked. Then the child may be reaped already, and it has a `pidfd`.
    pub autoreap: Option<Autoreap>,
    /// The method that started it.
    pub method: SpawnMethod,
    /// The result of closing the other descriptors.
    pub closed: Closed,
    /// The way in which the child got its descriptors with high numbers.
    pub high_fds: HighFds,
    /// The time of each stage, if the plan is timed.
    pub timeline: Option<Timeline>,
}

/// The time at which each stage of a child began, in nanoseconds of a monotonic clock.
///
/// A time of 0 means that the stage did not begin.
#[derive(Clone, Copy, Debug)]
pub struct Timeline([u64; Stage::COUNT]);

impl Timeline {
    /// Reads the times of a report.
    pub fn of(shared: &SharedReport) -> Self {
        let mut times = [0; Stage::COUNT];
        for (time, stage) in times.iter_mut().skip(Stage::ORDER[0] as usize).zip(Stage::ORDER) {
            *time = shared.time(stage).unwrap_or(0);
        }
        Self(times)
    }

    /// Returns the time at which `stage` began.
    pub fn began(&self, stage: Stage) -> Option<u64> {
        self.0.get(stage as usize).copied().filter(|&at| at != 0)
    }

    /// Adds the time of a stage of the parent.
    #[must_use]
    pub fn with(mut self, stage: Stage, at: u64) -> Self {
        if let Some(time) = self.0.get_mut(stage as usize) {
            *time = at;
        }
        self
    }
}

/// The reason why no program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchError {
    /// A call in the parent failed, at [`Stage::Setup`] or [`Stage::Start`].
    Parent {
        /// The stage.
        stage: Stage,
        /// The errno of the call.
        errno: Errno,
    },
    /// The child cannot share the memory of the parent.
    ForkRequired(FallbackReason),
    /// The child failed at a stage, and was reaped.
    Child(Report),
    /// The one call that does the whole start failed with this errno, and does not tell which stage failed.
    StageUnknown(Errno),
    /// The child ended before exec without a report, and was reaped.
    Died {
        /// The stage that the child had begun.
        stage: Stage,
        /// The status as waitpid(2) encodes it. `None` if other code reaped the child.
        status: Option<i32>,
    },
}

/// Returns whether there was a child, even if it failed.
pub fn started_a_child<T>(started: &Result<T, LaunchError>) -> bool {
    matches!(started, Ok(_) | Err(LaunchError::Child(_) | LaunchError::Died { .. }))
}

#[cfg(test)]
mod tests {
    use super::{SharedReport, SpawnMethod, Stage, Timeline};

    #[test]
    fn spawn_methods_print_their_common_names() {
        let methods = [SpawnMethod::Shared, SpawnMethod::Vfork, SpawnMethod::PosixSpawn, SpawnMethod::Fork];
        assert_eq!(methods.map(SpawnMethod::name), ["shared", "vfork", "posix_spawn", "fork"]);
    }

    #[test]
    fn timeline_has_exactly_the_noted_times() {
        let shared = SharedReport::new();
        shared.enter(Stage::ORDER[0], Some(5));
        shared.enter(Stage::Exec, Some(1 << 40));
        shared.enter(Stage::Close, None);
        let timeline = Timeline::of(&shared).with(Stage::Start, 3);
        let began = [Stage::Setup, Stage::Start, Stage::ORDER[0], Stage::Close, Stage::Exec];
        assert_eq!(began.map(|stage| timeline.began(stage)), [None, Some(3), Some(5), None, Some(1 << 40)]);
    }
}
