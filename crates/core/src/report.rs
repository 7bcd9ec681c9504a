//! The report of a child to its parent: how far it came, and what failed.

use crate::{Closed, Closer, Errno, Fd, HighFds, Shared, SharedU64, Stage};
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// The failure of a child before exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The stage that failed.
    pub stage: Stage,
    /// The errno of the call.
    pub errno: Errno,
    /// The operand: the number of a descriptor, or an index into the limits, the namespaces to join or the candidates of the plan. 0 if the stage has no
    /// operand, or the plan only one.
    pub operand: i32,
}

/// The channel from the child to its parent.
///
/// # Safety
///
/// Its methods run in the child and meet the requirements of [`Sys`](crate::Sys): no allocation, no lock, no panic, and
/// only async-signal-safe calls.
pub unsafe trait Reporter {
    /// Reports that the child is about to begin `stage`, with the time in nanoseconds if the plan is timed.
    ///
    /// # Errors
    ///
    /// Returns the errno if the report failed. Then the child must not continue.
    fn enter(&self, stage: Stage, at: Option<u64>) -> Result<(), Errno>;

    /// Reports how the other descriptors were closed.
    fn closed(&self, closed: Closed);

    /// Reports how the child gets its descriptors with high numbers. A child with a copy of the table does not.
    fn high_fds(&self, _high_fds: HighFds) {}

    /// Checks that the channel is still the same, after a pre-exec closure ran.
    ///
    /// # Errors
    ///
    /// Returns an errno if it is not.
    fn intact(&self) -> Result<(), Errno>;

    /// Reports a failure. The child exits next.
    fn fail(&self, report: Report);

    /// The descriptor that must stay open until exec, if there is one.
    fn channel(&self) -> Option<Fd>;
}

/// A report in memory that parent and child share.
///
/// All-zero memory is an empty report. The fields are 32-bit atomics, which every target has. A system call of the launcher
/// makes sure that the parent reads after the child has written.
#[derive(Debug)]
#[repr(C)]
pub struct SharedReport {
    failed: AtomicU32,
    stage: AtomicU32,
    errno: AtomicI32,
    operand: AtomicI32,
    entered: AtomicU32,
    closer: AtomicU32,
    bulk_refused: AtomicI32,
    high_fds: AtomicU32,
    times: [SharedU64; Stage::COUNT],
}

// SAFETY: every field is a 32-bit atomic integer, for which zero is a value.
unsafe impl Shared for SharedReport {}

impl Default for SharedReport {
    fn default() -> Self {
        Self::new()
    }
}

impl SharedReport {
    /// Creates an empty report.
    pub fn new() -> Self {
        Self {
            failed: AtomicU32::default(),
            stage: AtomicU32::default(),
            errno: AtomicI32::default(),
            operand: AtomicI32::default(),
            entered: AtomicU32::default(),
            closer: AtomicU32::default(),
            bulk_refused: AtomicI32::default(),
            high_fds: AtomicU32::default(),
            times: [const { SharedU64::ZERO }; Stage::COUNT],
        }
    }

    /// Records that the child begins `stage`.
    pub fn enter(&self, stage: Stage, at: Option<u64>) {
        if let (Some(at), Some(time)) = (at, self.times.get(stage as usize)) {
            time.store(at);
        }
        self.entered.store(u32::from(stage as u8), Ordering::Release);
    }

    /// Records how descriptors were closed.
    pub fn closed(&self, closed: Closed) {
        self.bulk_refused.store(closed.bulk_refused.map_or(0, Errno::raw), Ordering::Relaxed);
        self.closer.store(encode(closed.by), Ordering::Release);
    }

    /// Records how the child gets its descriptors with high numbers.
    pub fn high_fds(&self, high_fds: HighFds) {
        let code = match high_fds {
            HighFds::Copied => 0,
            HighFds::NotNeeded => 1,
            HighFds::Taken => 2,
        };
        self.high_fds.store(code, Ordering::Relaxed);
    }

    /// The way in which the child got its descriptors with high numbers.
    pub fn how_high_fds(&self) -> HighFds {
        match self.high_fds.load(Ordering::Relaxed) {
            1 => HighFds::NotNeeded,
            2 => HighFds::Taken,
            _ => HighFds::Copied,
        }
    }

    /// Records a failure.
    pub fn fail(&self, report: Report) {
        self.stage.store(u32::from(report.stage as u8), Ordering::Relaxed);
        self.errno.store(report.errno.raw(), Ordering::Relaxed);
        self.operand.store(report.operand, Ordering::Relaxed);
        self.failed.store(1, Ordering::Release);
    }

    /// The failure, if there was one.
    pub fn failure(&self) -> Option<Report> {
        if self.failed.load(Ordering::Acquire) == 0 {
            return None;
        }
        Some(Report {
            stage: stage(self.stage.load(Ordering::Relaxed)),
            errno: Errno::from_raw(self.errno.load(Ordering::Relaxed)),
            operand: self.operand.load(Ordering::Relaxed),
        })
    }

    /// The stage that the child began last, [`Stage::Start`] if none.
    pub fn entered(&self) -> Stage {
        stage(self.entered.load(Ordering::Acquire))
    }

    /// The result of closing.
    pub fn how_closed(&self) -> Closed {
        let refused = self.bulk_refused.load(Ordering::Relaxed);
        Closed {
            by: decode(self.closer.load(Ordering::Acquire)),
            bulk_refused: (refused != 0).then(|| Errno::from_raw(refused)),
        }
    }

    /// The time at which the child began `stage`, in a timed plan.
    pub fn time(&self, stage: Stage) -> Option<u64> {
        self.times.get(stage as usize).map(SharedU64::load).filter(|&at| at != 0)
    }
}

fn stage(raw: u32) -> Stage {
    let stage = u8::try_from(raw).ok().and_then(Stage::from_u8).unwrap_or(Stage::Start);
    if stage == Stage::Setup { Stage::Start } else { stage }
}

const ENUMERATORS: u32 = 0x100;

fn encode(closer: Closer) -> u32 {
    match closer {
        Closer::Nothing => 0,
        Closer::Bulk => 1,
        Closer::Loop => 2,
        Closer::Enumerator(index) => ENUMERATORS | u32::from(index),
    }
}

fn decode(raw: u32) -> Closer {
    match raw {
        1 => Closer::Bulk,
        2 => Closer::Loop,
        _ => match u8::try_from(raw ^ ENUMERATORS) {
            Ok(index) => Closer::Enumerator(index),
            Err(_) => Closer::Nothing,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Closed, Closer, Errno, HighFds, Report, SharedReport, Stage};
    use rstest::rstest;

    #[test]
    fn zeroed_memory_is_an_empty_report() {
        let shared = SharedReport::new();
        assert_eq!(shared.failure(), None);
        assert_eq!(shared.entered(), Stage::Start);
        assert_eq!(shared.how_closed(), Closed::default());
        assert_eq!(shared.time(Stage::Exec), None);
    }

    #[test]
    fn parent_reads_the_report_that_the_child_wrote() {
        let shared = SharedReport::new();
        let report = Report { stage: Stage::DupFds, errno: Errno::BADF, operand: -7 };
        shared.enter(Stage::DupFds, Some(u64::MAX - 5));
        shared.fail(report);
        assert_eq!(shared.failure(), Some(report));
        assert_eq!(shared.entered(), Stage::DupFds);
        assert_eq!(shared.time(Stage::DupFds), Some(u64::MAX - 5));
    }

    #[rstest]
    fn how_high_fds_were_got_survives_encoding(
        #[values(HighFds::NotNeeded, HighFds::Taken, HighFds::Copied)] high_fds: HighFds,
    ) {
        let shared = SharedReport::new();
        assert_eq!(shared.how_high_fds(), HighFds::Copied);
        shared.high_fds(high_fds);
        assert_eq!(shared.how_high_fds(), high_fds);
    }

    #[rstest]
    #[case::both_halves(0x1234_5678_9abc_def0)]
    #[case::upper_half(7 << 32)]
    #[case::lower_half(7)]
    fn time_written_in_halves_is_read_whole(#[case] at: u64) {
        let shared = SharedReport::new();
        shared.enter(Stage::Close, Some(at));
        assert_eq!(shared.time(Stage::Close), Some(at));
    }

    #[rstest]
    fn every_closer_survives_encoding(
        #[values(
            Closer::Nothing,
            Closer::Bulk,
            Closer::Loop,
            Closer::Enumerator(0),
            Closer::Enumerator(255)
        )]
        by: Closer,
        #[values(None, Some(Errno::PERM))] bulk_refused: Option<Errno>,
    ) {
        let shared = SharedReport::new();
        shared.closed(Closed { by, bulk_refused });
        assert_eq!(shared.how_closed(), Closed { by, bulk_refused });
    }
}
