//! One trial: a child tries one means and leaves the outcome in shared memory.
//!
//! The child is a copy of a process that may have threads. It does not allocate or lock, and ends with
//! `_exit(2)`. The parent waits for the child itself, and not for the end of a pipe, which another process
//! may have copied.

use super::{Outcome, Probe, ProbeKind};
use crate::sys::system::LEARNS_OF_TRAPS;
use forkexec_core::{
    Access, Backend, CStrArray, Errno, Exec, FallbackReason, Fd, KeepList, LaunchError, Launcher, Limit,
    ParentSys, Plan, Resource, Shared, SharedMemory, SharedU64, Stage, Sys, Unlisted, Wanted, fork,
};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// The outcome of a trial and its duration.
pub(super) struct Tried {
    outcome: Outcome,
    nanoseconds: u64,
}

impl Tried {
    pub(super) const NOT_CALLED: Self = Self { outcome: Outcome::NotCalled, nanoseconds: 0 };

    /// The trial could not be prepared.
    pub(super) const fn not_run(errno: Errno) -> Self {
        Self { outcome: Outcome::NotRun(errno), nanoseconds: 0 }
    }

    /// The result for the means of this name.
    pub(super) fn of(self, kind: ProbeKind, name: &'static str) -> Probe {
        Probe { kind, name, outcome: self.outcome, took: Duration::from_nanos(self.nanoseconds) }
    }
}

/// Tries `close`, which must close all descriptors from 3 up that are not in its keep list.
pub(super) fn closing<B: Backend<Sys: ParentSys> + ?Sized>(
    backend: &B,
    close: impl Fn(&B, KeepList<'_>) -> Result<(), Outcome>,
) -> Tried {
    let sys = backend.sys();
    let tried = in_a_child(sys, || {
        let (reader, writer) = sys.pipe().map_err(Outcome::NotRun)?;
        let duplicate = |fd| sys.dup_min(fd, 3).map_err(Outcome::NotRun);
        let (kept, witnesses) = (duplicate(writer)?, [duplicate(reader)?, duplicate(reader)?]);
        let start = sys.now();
        close(backend, KeepList::EMPTY.and(kept))?;
        let nanoseconds = sys.now().saturating_sub(start);
        let is_closed = |fd| sys.is_cloexec(fd) == Err(Errno::BADF);
        let is_exact = witnesses.into_iter().all(is_closed) && !is_closed(kept);
        if is_exact { Ok(nanoseconds) } else { Err(Outcome::Leaks) }
    });
    Tried { outcome: or_trapped(tried.outcome), ..tried }
}

impl From<Unlisted> for Outcome {
    fn from(unlisted: Unlisted) -> Self {
        match unlisted {
            Unlisted::Refused(errno) => Self::Refused(errno),
            Unlisted::Untrusted => Self::Untrusted,
        }
    }
}

/// Tries the means with this index to take the descriptor `lent` from this process.
pub(super) fn taking<B: Backend<Sys: ParentSys> + ?Sized>(backend: &B, index: usize, lent: Fd) -> Tried {
    let sys = backend.sys();
    let tried = in_a_child(sys, || {
        let id = sys.file_id(lent).map_err(Outcome::NotRun)?;
        let wanted = Wanted { fd: lent, reopen: Some((Access::Write, id)) };
        let start = sys.now();
        backend.take_by(index, sys.getppid(), &wanted).map_err(Outcome::Refused)?;
        Ok(sys.now().saturating_sub(start))
    });
    Tried { outcome: or_trapped(tried.outcome), ..tried }
}

/// Tries a launcher with a plan that has no program: a child that reports this was started.
pub(super) fn launching<B: Backend<Sys: ParentSys> + ?Sized>(backend: &B, launcher: &dyn Launcher) -> Tried {
    let sys = backend.sys();
    let exec = Exec { candidates: &[], argv: CStrArray::EMPTY, env: Some(CStrArray::EMPTY), shell: None };
    following(sys, launcher, &Plan { close: None, ..Plan::new(exec) }, or_trapped, |_, at| at == Stage::Exec)
}

/// Tries an operation by a plan that has no program. `works` returns true for the error that shows that it works.
pub(super) fn operation<B: Backend<Sys: ParentSys> + ?Sized>(
    backend: &B,
    launcher: &dyn Launcher,
    plan: &Plan<'_>,
    works: impl Fn(Errno, Stage) -> bool,
) -> Tried {
    following(backend.sys(), launcher, plan, |outcome| outcome, works)
}

fn following(
    sys: &impl ParentSys,
    launcher: &dyn Launcher,
    plan: &Plan<'_>,
    of_death: impl Fn(Outcome) -> Outcome,
    works: impl Fn(Errno, Stage) -> bool,
) -> Tried {
    in_a_child(sys, || {
        let start = sys.now();
        match launcher.launch(plan) {
            Err(LaunchError::Child(report)) if works(report.errno, report.stage) => {
                Ok(sys.now().saturating_sub(start))
            }
            Err(LaunchError::Child(report)) => Err(Outcome::Refused(report.errno)),
            Err(
                LaunchError::ForkRequired(FallbackReason::Refused(errno))
                | LaunchError::Parent { errno, .. }
                | LaunchError::StageUnknown(errno),
            ) => Err(Outcome::Refused(errno)),
            Err(LaunchError::ForkRequired(FallbackReason::Sanitizer)) => Err(Outcome::Sanitizer),
            Err(LaunchError::ForkRequired(_)) => Err(Outcome::NotShared),
            Err(LaunchError::Died { status, .. }) => Err(of_death(died(status))),
            // It cannot have executed a program.
            _ => Err(Outcome::Leaks),
        }
    })
}

fn died(status: Option<i32>) -> Outcome {
    Outcome::Died(status.and_then(|status| ExitStatus::from_raw(status).signal()))
}

/// If a filter traps a call that only children make, the launcher loses one child and avoids the call from then on.
fn or_trapped(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Died(Some(libc::SIGSYS)) if LEARNS_OF_TRAPS => Outcome::Trapped,
        outcome => outcome,
    }
}

/// Runs `trial` in a child. The trial returns the duration of its essential part in nanoseconds.
fn in_a_child<S: ParentSys>(sys: &S, trial: impl Fn() -> Result<u64, Outcome>) -> Tried {
    let untried = |errno| Tried { outcome: Outcome::NotRun(errno), nanoseconds: 0 };
    let answer = match SharedMemory::<_, Answer>::new(sys) {
        Ok(answer) => answer,
        Err(errno) => return untried(errno),
    };
    let life = |_| {
        // A killed trial leaves no core dump.
        let _ = sys.set_limit(Limit { resource: Resource::CORE, soft: 0, hard: 0 });
        answer.give(trial());
        0
    };
    // SAFETY: each trial of this module makes calls of `Sys` and runs code that neither allocates nor locks.
    match unsafe { fork(sys, life) } {
        Ok(child) => {
            let status = sys.reap(child);
            answer.tried().unwrap_or(Tried { outcome: died(status), nanoseconds: 0 })
        }
        Err(LaunchError::Parent { errno, .. }) => untried(errno),
        Err(_) => untried(Errno::CHILD),
    }
}

/// The outcome of a trial in shared memory. All zeroes mean that the child has not written it.
#[derive(Default)]
struct Answer {
    tag: AtomicU32,
    number: AtomicI32,
    nanoseconds: SharedU64,
}

// SAFETY: every field is a 32-bit atomic integer or made of two, for which zero is a value.
unsafe impl Shared for Answer {}

impl Answer {
    /// No signal has this number.
    const UNKNOWN: i32 = 0;

    fn give(&self, trial: Result<u64, Outcome>) {
        let (tag, number) = match trial {
            Ok(_) | Err(Outcome::Works) => (1, 0),
            Err(Outcome::Refused(errno)) => (2, errno.raw()),
            Err(Outcome::Untrusted) => (3, 0),
            Err(Outcome::Leaks) => (4, 0),
            Err(Outcome::Died(signal)) => (5, signal.unwrap_or(Self::UNKNOWN)),
            Err(Outcome::NotRun(errno)) => (6, errno.raw()),
            Err(Outcome::NotShared) => (7, 0),
            Err(Outcome::Sanitizer) => (8, 0),
            Err(Outcome::Trapped) => (9, 0),
            Err(Outcome::NotCalled) => (10, 0),
        };
        self.number.store(number, Relaxed);
        self.nanoseconds.store(trial.unwrap_or(0));
        self.tag.store(tag, Relaxed);
    }

    /// Returns `None` if the child ended before it wrote an outcome.
    fn tried(&self) -> Option<Tried> {
        let number = self.number.load(Relaxed);
        let errno = Errno::from_raw(number);
        let outcome = match self.tag.load(Relaxed) {
            1 => Outcome::Works,
            2 => Outcome::Refused(errno),
            3 => Outcome::Untrusted,
            4 => Outcome::Leaks,
            5 => Outcome::Died(Some(number).filter(|&signal| signal != Self::UNKNOWN)),
            6 => Outcome::NotRun(errno),
            7 => Outcome::NotShared,
            8 => Outcome::Sanitizer,
            9 => Outcome::Trapped,
            10 => Outcome::NotCalled,
            _ => return None,
        };
        Some(Tried { outcome, nanoseconds: self.nanoseconds.load() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Errno, KeepList, LEARNS_OF_TRAPS, Outcome, closing, launching};
    use crate::sys::backend;
    use forkexec_core::{
        Backend, Closer, FallbackReason, LaunchError, Launched, Launcher, ParentSys, Plan, Report,
        SpawnMethod, Stage, Sys, close_by, fork,
    };
    use nix::sys::signal::SigSet;
    use rstest::rstest;
    use std::time::{Duration, Instant};

    fn backend() -> &'static impl Backend<Sys: ParentSys> {
        // SAFETY: each trial closes in a child of its own.
        unsafe { backend::backend() }
    }

    const KILLED: Outcome = Outcome::Died(Some(libc::SIGKILL));
    const TRAPPED: Outcome =
        if LEARNS_OF_TRAPS { Outcome::Trapped } else { Outcome::Died(Some(libc::SIGSYS)) };

    #[rstest]
    #[case::works(Ok(7 << 32 | 5), Outcome::Works, 7 << 32 | 5)]
    #[case::refused(Err(Outcome::Refused(Errno::PERM)), Outcome::Refused(Errno::PERM), 0)]
    #[case::untrusted(Err(Outcome::Untrusted), Outcome::Untrusted, 0)]
    #[case::not_shared(Err(Outcome::NotShared), Outcome::NotShared, 0)]
    #[case::sanitizer(Err(Outcome::Sanitizer), Outcome::Sanitizer, 0)]
    #[case::leaks(Err(Outcome::Leaks), Outcome::Leaks, 0)]
    #[case::trapped(Err(Outcome::Trapped), Outcome::Trapped, 0)]
    #[case::not_called(Err(Outcome::NotCalled), Outcome::NotCalled, 0)]
    #[case::killed(Err(Outcome::Died(Some(31))), Outcome::Died(Some(31)), 0)]
    #[case::died(Err(Outcome::Died(None)), Outcome::Died(None), 0)]
    #[case::untried(Err(Outcome::NotRun(Errno::AGAIN)), Outcome::NotRun(Errno::AGAIN), 0)]
    fn parent_reads_the_outcome_that_the_child_wrote(
        #[case] trial: Result<u64, Outcome>,
        #[case] outcome: Outcome,
        #[case] nanoseconds: u64,
    ) {
        let answer = Answer::default();
        assert!(answer.tried().is_none());
        answer.give(trial);
        let tried = answer.tried().expect("an answer was given");
        assert_eq!((tried.outcome, tried.nanoseconds), (outcome, nanoseconds));
    }

    #[rstest]
    #[case::closes_nothing(Ok(()), Outcome::Leaks)]
    #[case::is_refused(Err(Outcome::Refused(Errno::PERM)), Outcome::Refused(Errno::PERM))]
    fn closer_is_judged_by_the_open_descriptors(
        #[case] answer: Result<(), Outcome>,
        #[case] outcome: Outcome,
    ) {
        assert_eq!(closing(backend(), |_, _| answer).outcome, outcome);
    }

    #[test]
    fn closer_that_closes_a_kept_fd_does_not_work() {
        let tried = closing(backend(), |backend, _| {
            close_by(backend, Closer::Loop, 3, KeepList::EMPTY).map_err(Outcome::from)
        });
        assert_eq!(tried.outcome, Outcome::Leaks);
    }

    /// A filter traps a call by the signal `SIGSYS` (seccomp(2)).
    #[rstest]
    #[case::killed(libc::SIGKILL, KILLED)]
    #[case::trapped(libc::SIGSYS, TRAPPED)]
    fn close_that_kills_differs_from_one_that_fails(#[case] signal: i32, #[case] outcome: Outcome) {
        let all = SigSet::all();
        let tried = closing(backend(), |_, _| {
            // A trap comes although the signal is blocked.
            let _ = all.thread_unblock();
            // SAFETY: ends the child of the trial.
            unsafe { libc::raise(signal) };
            Ok(())
        });
        assert_eq!(tried.outcome, outcome);
    }

    /// A launcher that starts nothing.
    struct Answers(fn() -> LaunchError);

    // SAFETY: it starts no child.
    unsafe impl Launcher for Answers {
        fn method(&self) -> SpawnMethod {
            SpawnMethod::Fork
        }

        fn launch(&self, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
            // A trial of a launcher closes no descriptors.
            Err(if plan.close.is_none() { (self.0)() } else { LaunchError::StageUnknown(Errno::BADF) })
        }
    }

    const fn at(stage: Stage) -> LaunchError {
        LaunchError::Child(Report { stage, errno: Errno::NOENT, operand: 0 })
    }

    fn parent() -> LaunchError {
        LaunchError::Parent { stage: Stage::Start, errno: Errno::AGAIN }
    }

    fn only_fork(reason: FallbackReason) -> LaunchError {
        LaunchError::ForkRequired(reason)
    }

    fn died(status: Option<i32>) -> LaunchError {
        LaunchError::Died { stage: Stage::Exec, status }
    }

    #[rstest]
    #[case::finds_no_program(|| at(Stage::Exec), Outcome::Works)]
    #[case::fails_before(|| at(Stage::Close), Outcome::Refused(Errno::NOENT))]
    #[case::fails_somewhere(|| LaunchError::StageUnknown(Errno::PERM), Outcome::Refused(Errno::PERM))]
    #[case::in_the_parent(parent, Outcome::Refused(Errno::AGAIN))]
    #[case::is_refused(|| only_fork(FallbackReason::Refused(Errno::NOSYS)), Outcome::Refused(Errno::NOSYS))]
    #[case::has_a_sanitizer(|| only_fork(FallbackReason::Sanitizer), Outcome::Sanitizer)]
    #[case::has_no_method(|| only_fork(FallbackReason::NoSuchMethod), Outcome::NotShared)]
    #[case::is_killed(|| died(Some(libc::SIGKILL)), KILLED)]
    #[case::dies_somehow(|| died(None), Outcome::Died(None))]
    #[case::is_trapped(|| died(Some(libc::SIGSYS)), TRAPPED)]
    fn launcher_is_judged_by_its_error(#[case] error: fn() -> LaunchError, #[case] outcome: Outcome) {
        assert_eq!(launching(backend(), &Answers(error)).outcome, outcome);
    }

    /// The grandchild has a copy of every descriptor, like the child of another thread between fork and exec.
    ///
    /// Faults: E13
    #[test]
    fn trial_does_not_wait_for_a_process_that_copied_its_fds() {
        const HOLD: Duration = Duration::from_secs(4);
        let start = Instant::now();
        let tried = closing(backend(), |backend, _| {
            let hold = |_| {
                (0..40).for_each(|_| backend.sys().pause(100));
                0
            };
            // SAFETY: the grandchild sleeps and exits.
            let _ = unsafe { fork(backend.sys(), hold) };
            // SAFETY: ends the child.
            unsafe { libc::raise(libc::SIGKILL) };
            Ok(())
        });
        assert_eq!(tried.outcome, KILLED);
        assert!(start.elapsed() < HOLD, "{:?}", start.elapsed());
    }
}
