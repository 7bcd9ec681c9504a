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
