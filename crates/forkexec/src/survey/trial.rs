//! One trial: a throw-away child does one thing, and says through a pipe how it went.
//!
//! The child is a copy of a process that may have threads. It allocates nothing, takes no lock and ends with `_exit(2)`.

use super::{Outcome, Trial, TrialKind};
use crate::Errno;
use forkexec_core::{
    Backend, CStrArray, Exec, Fd, KeepList, LaunchError, Launcher, Limit, Link, Obstacle, ParentSys, Pid,
    Plan, Resource, Stage, Sys, Unlisted, close_except,
};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// How a trial went, and how long it took.
pub(super) struct Tried {
    outcome: Outcome,
    nanoseconds: u64,
}

impl Tried {
    /// The whole trial, once its means has a name.
    pub(super) fn of(self, kind: TrialKind, name: &'static str) -> Trial {
        Trial { kind, name, outcome: self.outcome, took: Duration::from_nanos(self.nanoseconds) }
    }
}

/// Tries `close`, which is to close everything from 3 up that is not in its keep list.
pub(super) fn closing<B: Backend<Sys: ParentSys> + ?Sized>(
    backend: &B,
    close: impl Fn(&B, KeepList<'_>) -> Result<(), Outcome>,
) -> Tried {
    let sys = backend.sys();
    in_a_child(sys, |writer| {
        let witnesses = [plant(sys, writer)?, plant(sys, writer)?];
        let start = sys.now();
        close(backend, KeepList::EMPTY.and(writer))?;
        let nanoseconds = sys.now().saturating_sub(start);
        let is_closed = |fd| sys.is_cloexec(fd) == Err(Errno::BADF);
        if witnesses.into_iter().all(is_closed) { Ok(nanoseconds) } else { Err(Outcome::Leaks) }
    })
}

/// Opens a descriptor that is to be closed by the trial.
fn plant<S: Sys>(sys: &S, fd: Fd) -> Result<Fd, Outcome> {
    sys.dup_from(fd, 3).map_err(Outcome::Untried)
}

/// Closes with the bulk call alone.
pub(super) fn close_at_once<B: Backend + ?Sized>(backend: &B, keep: KeepList<'_>) -> Result<(), Outcome> {
    keep.gaps(3).try_for_each(|gap| backend.close_gap(gap)).map_err(Outcome::Refused)
}

/// Closes what one enumerator lists.
pub(super) fn close_listed<B: Backend + ?Sized>(
    backend: &B,
    keep: KeepList<'_>,
    index: usize,
) -> Result<(), Outcome> {
    let sys = backend.sys();
    let enumerator = backend.enumerators().get(index).ok_or(Outcome::Refused(Errno::NOSYS))?;
    let mut close = |fd: Fd| {
        if !keep.contains(fd) {
            let _ = sys.close(fd);
        }
    };
    enumerator.visit(sys, 3, &mut close).map_err(|unlisted| match unlisted {
        Unlisted::Refused(errno) => Outcome::Refused(errno),
        Unlisted::Untrusted => Outcome::Untrusted,
    })
}

/// Closes every number, as the last link of the chain does.
pub(super) fn close_each<B: Backend + ?Sized>(backend: &B, keep: KeepList<'_>) -> Result<(), Outcome> {
    close_except(backend, 3, keep, Link::Loop).map(drop).map_err(Outcome::Refused)
}

/// Tries a launcher with a plan that has nothing to exec: a child that comes so far as to miss it was started.
pub(super) fn launching<B: Backend<Sys: ParentSys> + ?Sized>(backend: &B, launcher: &dyn Launcher) -> Tried {
    let sys = backend.sys();
    let exec = Exec { candidates: &[], argv: CStrArray::EMPTY, env: Some(CStrArray::EMPTY), shell: None };
    let plan = Plan { close: None, ..Plan::new(exec) };
    in_a_child(sys, |_| {
        let start = sys.now();
        match launcher.launch(&plan) {
            Err(LaunchError::Child(report)) if report.stage == Stage::Exec => {
                Ok(sys.now().saturating_sub(start))
            }
            Err(LaunchError::Child(report)) => Err(Outcome::Refused(report.errno)),
            Err(LaunchError::NotFast(Obstacle::Refused(errno)) | LaunchError::Parent { errno, .. }) => {
                Err(Outcome::Refused(errno))
            }
            Err(LaunchError::NotFast(Obstacle::Sanitizer)) => Err(Outcome::Sanitizer),
            Err(LaunchError::NotFast(_)) => Err(Outcome::NotShared),
            Err(LaunchError::Died { status, .. }) => Err(died(status)),
            // Nothing was there to be executed.
            _ => Err(Outcome::Leaks),
        }
    })
}

fn died(status: Option<i32>) -> Outcome {
    Outcome::Died(status.and_then(|status| ExitStatus::from_raw(status).signal()))
}

/// Runs `trial` in a child. It gets the descriptor through which it is answered, which it must not close, and gives
/// how many nanoseconds the essential part took.
fn in_a_child<S: ParentSys>(sys: &S, trial: impl Fn(Fd) -> Result<u64, Outcome>) -> Tried {
    let untried = |errno| Tried { outcome: Outcome::Untried(errno), nanoseconds: 0 };
    let (reader, writer) = match sys.pipe() {
        Ok(pipe) => pipe,
        Err(errno) => return untried(errno),
    };
    let started = start(sys, || {
        let answer = Answer::of(trial(writer)).to_bytes();
        // The answer is shorter than a pipe's buffer, so that it is written whole or not at all.
        let _ = sys.write(writer, &answer);
    });
    let _ = sys.close(writer);
    let tried = match started {
        Ok(child) => {
            let answer = receive(sys, reader);
            let status = reap(sys, child);
            answer.map_or(Tried { outcome: died(status), nanoseconds: 0 }, Answer::tried)
        }
        Err(errno) => untried(errno),
    };
    let _ = sys.close(reader);
    tried
}

/// Forks with all signals blocked, so that no handler of the caller's runs in the child.
fn start<S: ParentSys>(sys: &S, life: impl Fn()) -> Result<Pid, Errno> {
    let mask = sys.block_signals()?;
    // SAFETY: the child runs `life`, which is made of calls of `Sys` and code that allocates nothing, and exits: each trial is
    // one of this module's.
    let forked = unsafe { sys.fork() };
    if let Ok(None) = forked {
        // A trial that is killed is no crash to be looked into.
        let _ = sys.set_limit(Limit { resource: Resource::CORE, soft: 0, hard: 0 });
        life();
        sys.exit(0);
    }
    // Setting back a mask that was in force a moment ago cannot fail: the set is valid.
    let _ = sys.set_mask(mask);
    forked?.ok_or(Errno::CHILD)
}

/// Reads one answer, unless the child ended without giving it.
fn receive<S: ParentSys>(sys: &S, reader: Fd) -> Option<Answer> {
    let mut bytes = [0; Answer::LENGTH];
    let mut length = 0;
    while length < bytes.len() {
        match sys.read(reader, &mut bytes[length..]) {
            Ok(0) => return None,
            Ok(more) => length += more,
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(Answer::from_bytes(bytes))
}

fn reap<S: ParentSys>(sys: &S, child: Pid) -> Option<i32> {
    loop {
        match sys.wait(child) {
            Ok(status) => return Some(status),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// An outcome on its way through the pipe: what it is, its number, and the time.
#[derive(Clone, Copy)]
struct Answer {
    tag: u8,
    number: i32,
    nanoseconds: u64,
}

impl Answer {
    const LENGTH: usize = 13;
    /// No signal has this number.
    const UNKNOWN: i32 = 0;

    fn of(trial: Result<u64, Outcome>) -> Self {
        let (tag, number) = match trial {
            Ok(_) | Err(Outcome::Works) => (0, 0),
            Err(Outcome::Refused(errno)) => (1, errno.raw()),
            Err(Outcome::Untrusted) => (2, 0),
            Err(Outcome::Leaks) => (3, 0),
            Err(Outcome::Died(signal)) => (4, signal.unwrap_or(Self::UNKNOWN)),
            Err(Outcome::Untried(errno)) => (5, errno.raw()),
            Err(Outcome::NotShared) => (6, 0),
            Err(Outcome::Sanitizer) => (7, 0),
        };
        Self { tag, number, nanoseconds: trial.unwrap_or(0) }
    }

    fn tried(self) -> Tried {
        let errno = Errno::from_raw(self.number);
        let outcome = match self.tag {
            0 => Outcome::Works,
            1 => Outcome::Refused(errno),
            2 => Outcome::Untrusted,
            3 => Outcome::Leaks,
            6 => Outcome::NotShared,
            7 => Outcome::Sanitizer,
            4 => Outcome::Died(Some(self.number).filter(|&signal| signal != Self::UNKNOWN)),
            _ => Outcome::Untried(errno),
        };
        Tried { outcome, nanoseconds: self.nanoseconds }
    }

    fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[0] = self.tag;
        bytes[1..5].copy_from_slice(&self.number.to_ne_bytes());
        bytes[5..].copy_from_slice(&self.nanoseconds.to_ne_bytes());
        bytes
    }

    fn from_bytes([tag, a, b, c, d, time @ ..]: [u8; Self::LENGTH]) -> Self {
        Self { tag, number: i32::from_ne_bytes([a, b, c, d]), nanoseconds: u64::from_ne_bytes(time) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Errno, Outcome, closing};
    use crate::platform::backend;
    use rstest::rstest;

    #[rstest]
    #[case::works(Ok(7), Outcome::Works, 7)]
    #[case::refused(Err(Outcome::Refused(Errno::PERM)), Outcome::Refused(Errno::PERM), 0)]
    #[case::untrusted(Err(Outcome::Untrusted), Outcome::Untrusted, 0)]
    #[case::not_shared(Err(Outcome::NotShared), Outcome::NotShared, 0)]
    #[case::sanitizer(Err(Outcome::Sanitizer), Outcome::Sanitizer, 0)]
    #[case::leaks(Err(Outcome::Leaks), Outcome::Leaks, 0)]
    #[case::killed(Err(Outcome::Died(Some(31))), Outcome::Died(Some(31)), 0)]
    #[case::died(Err(Outcome::Died(None)), Outcome::Died(None), 0)]
    #[case::untried(Err(Outcome::Untried(Errno::AGAIN)), Outcome::Untried(Errno::AGAIN), 0)]
    fn every_outcome_survives_the_pipe(
        #[case] trial: Result<u64, Outcome>,
        #[case] outcome: Outcome,
        #[case] nanoseconds: u64,
    ) {
        let tried = Answer::from_bytes(Answer::of(trial).to_bytes()).tried();
        assert_eq!((tried.outcome, tried.nanoseconds), (outcome, nanoseconds));
    }

    #[rstest]
    #[case::closes_nothing(Ok(()), Outcome::Leaks)]
    #[case::is_refused(Err(Outcome::Refused(Errno::PERM)), Outcome::Refused(Errno::PERM))]
    fn a_closer_is_judged_by_what_it_did(#[case] answer: Result<(), Outcome>, #[case] outcome: Outcome) {
        assert_eq!(closing(backend(), |_, _| answer).outcome, outcome);
    }

    #[test]
    fn a_closer_that_kills_is_told_from_one_that_fails() {
        let tried = closing(backend(), |_, _| {
            // SAFETY: ends the throw-away child.
            unsafe { libc::raise(libc::SIGKILL) };
            Ok(())
        });
        assert_eq!(tried.outcome, Outcome::Died(Some(libc::SIGKILL)));
    }
}
