//! A child that shares the memory of its parent, which is suspended until the child executes a program or ends.

use crate::{
    Backend, ChildContext, Closed, Errno, Fd, HighFds, Plan, Report, Reporter, SharedReport, Stage,
    child_exec,
};
use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, Ordering};

/// A child that shares the memory of its parent, with all that it needs before exec.
///
/// It is public so that `ci/child-symbols` can check the object code that is reachable from [`run`](Self::run).
#[derive(Clone, Copy)]
pub struct BorrowingChild<'a, B: ?Sized> {
    /// The system.
    pub backend: &'a B,
    /// The plan.
    pub plan: &'a Plan<'a>,
    /// The circumstances in which it was started.
    pub context: ChildContext,
    /// The report, in memory of the parent.
    pub shared: &'a SharedReport,
    /// Set before anything else. The parent sees it only if the child shares its memory.
    pub trace: Option<&'a AtomicBool>,
}

impl<B: Backend + ?Sized> BorrowingChild<'_, B> {
    /// Executes the plan. Returns an exit status if it fails.
    pub fn run(&self) -> c_int {
        if let Some(trace) = self.trace {
            trace.store(true, Ordering::Release);
        }
        let reporter = ReportAlone(self.shared);
        if let Err(report) = child_exec(self.backend, self.plan, &self.context, &reporter) {
            reporter.fail(report);
        }
        EXIT_OF_A_FAILED_CHILD
    }
}

/// The exit status of a child that failed. The parent reads the report instead.
pub(crate) const EXIT_OF_A_FAILED_CHILD: c_int = 255;

/// The channel to a parent that is suspended until the child execs or ends. It reads the memory afterwards.
struct ReportAlone<'a>(&'a SharedReport);

// SAFETY: each method writes to the report by atomic stores, and does nothing else.
unsafe impl Reporter for ReportAlone<'_> {
    fn enter(&self, stage: Stage, at: Option<u64>) -> Result<(), Errno> {
        self.0.enter(stage, at);
        Ok(())
    }

    fn closed(&self, closed: Closed) {
        self.0.closed(closed);
    }

    fn high_fds(&self, high_fds: HighFds) {
        self.0.high_fds(high_fds);
    }

    fn intact(&self) -> Result<(), Errno> {
        Ok(())
    }

    fn fail(&self, report: Report) {
        self.0.fail(report);
    }

    fn channel(&self) -> Option<Fd> {
        None
    }
}
