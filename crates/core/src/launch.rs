//! How a child starts: the contract that every launcher keeps.

use crate::{Closed, Errno, Pid, Plan, Report, Slot, Stage};

/// Starts children by one method.
///
/// # Contract
///
/// A launcher MUST come back with `Ok` only if the child reached exec, and with no child left behind otherwise. It MUST
/// leave the parent's descriptors, signal mask and dispositions as they were, whatever fails. It holds no lock while a
/// child is between its start and exec, and may be called from many threads at once.
pub trait Launcher: Sync {
    /// What it is.
    fn method(&self) -> Method;

    /// Starts a child that runs the plan.
    ///
    /// # Errors
    ///
    /// [`LaunchError`]: nothing runs, and nothing is left to be waited for.
    fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError>;
}

/// How a child is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// fork(2): the parent's memory is marked for copying, which takes time in proportion to it.
    Fork,
}

impl Method {
    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fork => "fork",
        }
    }
}

/// A child that runs its program.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Launched {
    /// Its process id.
    pub pid: Pid,
    /// How it was started.
    pub method: Method,
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
    pub fn of(slot: &Slot) -> Self {
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
#[non_exhaustive]
pub enum LaunchError {
    /// A call of the parent's failed, at [`Stage::Setup`] or [`Stage::Start`].
    Parent {
        /// Which of the two.
        stage: Stage,
        /// What the kernel said.
        errno: Errno,
    },
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
