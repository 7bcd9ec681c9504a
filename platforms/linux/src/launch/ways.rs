//! The ways of starting a child that shares memory, best first, and what is known of them in this process.

use crate::Call;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use forkexec_core::{Errno, Obstacle};

/// One way of starting a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// The system call.
    pub(super) call: Call,
    /// Whether a descriptor of the child is asked for (`CLONE_PIDFD`, Linux 5.2; before, it is ignored).
    pub(super) pidfd: bool,
    /// Whether the child shares the descriptor table.
    pub(super) shares_table: bool,
    /// Whether it may be born in a control group.
    pub(super) into_cgroup: bool,
}

impl Way {
    /// clone3(2) takes `CLONE_CLEAR_SIGHAND` since Linux 5.5, and is refused with it before.
    pub(super) fn clears_handlers(self) -> bool {
        self.call == Call::Clone3
    }

    /// What to try after this way was refused, if there is any.
    pub(super) fn next(self) -> Option<Self> {
        match self {
            Self { call: Call::Clone3, .. } => Some(Self { call: Call::Clone, ..self }),
            Self { pidfd: true, .. } => Some(self.without_pidfd()),
            _ => None,
        }
    }

    pub(super) fn without_pidfd(self) -> Self {
        Self { pidfd: false, ..self }
    }

    pub(super) fn without_cgroup(self) -> Self {
        Self { into_cgroup: false, ..self }
    }
}

/// What is known. Several threads may find out the same at once; each finds the same.
#[derive(Debug)]
pub(super) struct Ways {
    probed: AtomicBool,
    /// Why there is no way at all: 0 for none, -1 where memory is not shared, else the errno of the refusal.
    obstacle: AtomicI32,
    /// What was refused: a sum of the constants below.
    refused: AtomicU8,
}

const NO_OBSTACLE: i32 = 0;
const NOT_SHARED: i32 = -1;

const CLONE3: u8 = 1;
const PIDFD: u8 = 2;
const TABLE: u8 = 4;
const CGROUP: u8 = 8;

impl Ways {
    pub(super) const fn new() -> Self {
        Self {
            probed: AtomicBool::new(false),
            obstacle: AtomicI32::new(NO_OBSTACLE),
            refused: AtomicU8::new(0),
        }
    }

    pub(super) fn probed(&self) -> bool {
        self.probed.load(Ordering::Acquire)
    }

    /// Notes whether memory can be shared.
    pub(super) fn learn(&self, found: Result<(), Obstacle>) {
        let obstacle = match found {
            Ok(()) => NO_OBSTACLE,
            Err(Obstacle::Refused(errno)) => errno.raw(),
            Err(_) => NOT_SHARED,
        };
        self.obstacle.store(obstacle, Ordering::Relaxed);
        self.probed.store(true, Ordering::Release);
    }

    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        match self.obstacle.load(Ordering::Relaxed) {
            NO_OBSTACLE => None,
            NOT_SHARED => Some(Obstacle::NotShared),
            errno => Some(Obstacle::Refused(Errno::from_raw(errno))),
        }
    }

    /// The best way that was not refused.
    pub(super) fn best(&self) -> Way {
        let refused = self.refused.load(Ordering::Relaxed);
        let offered = |what| refused & what == 0;
        let call = if offered(CLONE3) { Call::Clone3 } else { Call::Clone };
        Way { call, pidfd: offered(PIDFD), shares_table: offered(TABLE), into_cgroup: offered(CGROUP) }
    }

    /// Notes what of this way was refused. That no number was free for a pidfd says nothing of the next start.
    pub(super) fn refuse(&self, way: Way) {
        let refused = if way.call == Call::Clone3 { CLONE3 } else { PIDFD };
        self.refused.fetch_or(refused, Ordering::Relaxed);
    }

    /// Notes that no child is born in a control group.
    pub(super) fn cgroup_is_refused(&self) {
        self.refused.fetch_or(CGROUP, Ordering::Relaxed);
    }

    /// Notes that no child can make a shared table its own.
    pub(super) fn table_is_refused(&self) {
        self.refused.fetch_or(TABLE, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Errno, Obstacle, Way, Ways};
    use rstest::rstest;

    const BEST: Way = Way { call: Call::Clone3, pidfd: true, shares_table: true, into_cgroup: true };
    const CLONE: Way = Way { call: Call::Clone, ..BEST };

    #[rstest]
    #[case::nothing(|_: &Ways| {}, BEST)]
    #[case::clone3(|ways: &Ways| ways.refuse(BEST), CLONE)]
    #[case::a_pidfd(|ways: &Ways| ways.refuse(CLONE), Way { pidfd: false, ..BEST })]
    #[case::both(
        |ways: &Ways| { ways.refuse(BEST); ways.refuse(CLONE); ways.refuse(BEST) }, Way { pidfd: false, ..CLONE })]
    #[case::a_table(|ways: &Ways| ways.table_is_refused(), Way { shares_table: false, ..BEST })]
    #[case::a_cgroup(|ways: &Ways| ways.cgroup_is_refused(), Way { into_cgroup: false, ..BEST })]
    fn the_best_way_lacks_what_was_refused_and_nothing_else(#[case] happens: fn(&Ways), #[case] best: Way) {
        let ways = Ways::new();
        happens(&ways);
        assert_eq!((ways.best(), ways.obstacle()), (best, None));
    }

    #[rstest]
    #[case::nothing(Ok(()), None)]
    #[case::memory_that_is_not_shared(Err(Obstacle::NotShared), Some(Obstacle::NotShared))]
    #[case::a_refusal_by_one(
        Err(Obstacle::Refused(Errno::from_raw(1))),
        Some(Obstacle::Refused(Errno::from_raw(1)))
    )]
    #[case::another_refusal(Err(Obstacle::Refused(Errno::NOSYS)), Some(Obstacle::Refused(Errno::NOSYS)))]
    fn what_was_found_is_told_as_it_was(
        #[case] found: Result<(), Obstacle>,
        #[case] obstacle: Option<Obstacle>,
    ) {
        let ways = Ways::new();
        assert!(!ways.probed());
        ways.learn(found);
        assert!(ways.probed());
        assert_eq!(ways.obstacle(), obstacle);
    }

    #[test]
    fn a_refused_way_leads_to_the_older_call_and_then_to_one_without_a_pidfd() {
        let older = BEST.next();
        assert_eq!((BEST.clears_handlers(), older), (true, Some(CLONE)));
        let oldest = older.and_then(Way::next);
        assert_eq!((CLONE.clears_handlers(), oldest), (false, Some(Way { pidfd: false, ..CLONE })));
        assert_eq!(oldest.and_then(Way::next), None);
        assert_eq!(BEST.without_pidfd(), Way { pidfd: false, ..BEST });
        assert_eq!(BEST.without_cgroup(), Way { into_cgroup: false, ..BEST });
    }
}
