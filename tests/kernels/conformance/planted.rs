//! Faults of an invented port, which [`conforms`] has to see.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rstest::rstest;

use forkexec_core::{
    Backend, BulkRefusal, Capabilities, CloseStrategy, Closed, Errno, Fd, FdEnumerator, Gap, Signal,
    Unlisted, close_gap_by_number, loop_bound,
};
use forkexec_linux::LinuxSys;
use forkexec_openbsd::OpenbsdSys;
use forkexec_posix::DevFd;

use super::conforms;
use crate::sim::SimKernel;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The backend answers that the bulk call closed a gap, and does not make it.
    ClosesNothing,
    /// The backend forgets a refusal, and each child makes the call again.
    ForgetsRefusals,
    /// The parent takes any answer of the bulk call for a refusal.
    RemembersEveryAnswer,
    /// The child takes any answer of the bulk call for a refusal, also if an earlier gap was closed.
    RemembersALateAnswer,
    /// The backend believes a list that lacks open descriptors.
    BelievesAnEmptyList,
    /// The loop leaves the highest descriptor open.
    LoopEndsOneTooLow,
    /// The loop ends at the limit, once the bulk call is refused.
    LoopTrustsTheLimitOnceRefused,
    /// The open end of the last gap goes to the kernel as `i32::MAX`.
    OpenEndIsANumber,
    /// The last gap is closed by number up to `i32::MAX`, so that the bulk call is never made.
    OpenEndByNumber,
    /// A signal that sigaction(2) refuses is not reserved.
    SignalNotReserved,
}

/// `SIGKILLTHR` of Haiku.
const UNTOUCHABLE: Signal = 21;

const SOUND: Capabilities = Capabilities {
    system: "Port",
    bulk_closer: Some("closefrom"),
    reserved_signals: &[UNTOUCHABLE],
    ..forkexec_posix::CAPABILITIES
};
const WITHOUT_THE_SIGNAL: Capabilities = Capabilities { reserved_signals: &[], ..SOUND };

/// A system with closefrom(2) and `/dev/fd`.
struct Port {
    sys: SimKernel,
    closefrom: BulkRefusal,
    fault: Fault,
}

/// Lists nothing.
struct EmptyList;

// SAFETY: it makes no call.
unsafe impl FdEnumerator<SimKernel> for EmptyList {
    fn name(&self) -> &'static str {
        "/dev/fd"
    }

    fn visit(&self, _sys: &SimKernel, _from: Fd, _visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted> {
        Ok(())
    }
}

// SAFETY: it is for a simulated kernel, which makes no process.
unsafe impl Backend for Port {
    type Sys = SimKernel;

    fn sys(&self) -> &SimKernel {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        if self.fault == Fault::SignalNotReserved { &WITHOUT_THE_SIGNAL } else { &SOUND }
    }

    fn close_gap(&self, gap: Gap) -> Result<(), Errno> {
        let number = Fd::unsigned_abs;
        let answer = match (self.fault, gap.last()) {
            (Fault::ClosesNothing, _) => Ok(()),
            (Fault::OpenEndIsANumber, last) => {
                LinuxSys::close_range(&self.sys, number(gap.first()), number(last))
            }
            (fault, Fd::MAX) if fault != Fault::OpenEndByNumber => {
                match OpenbsdSys::closefrom(&self.sys, gap.first()) {
                    Err(Errno::BADF) => Ok(()),
                    answer => answer,
                }
            }
            _ => close_gap_by_number(&self.sys, gap, Fd::MAX),
        };
        if self.fault == Fault::RemembersALateAnswer && answer.is_err() {
            self.closefrom.note();
        }
        answer
    }

    fn bulk_refusal(&self) -> Option<&BulkRefusal> {
        Some(&self.closefrom)
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<SimKernel>] {
        if self.fault == Fault::BelievesAnEmptyList { &[&EmptyList] } else { &[&DevFd] }
    }

    fn loop_bound(&self) -> Result<Fd, Errno> {
        match self.fault {
            Fault::LoopEndsOneTooLow => loop_bound(&self.sys).map(|bound| bound - 1),
            Fault::LoopTrustsTheLimitOnceRefused if self.closefrom.is_known() => Ok(64),
            _ => loop_bound(&self.sys),
        }
    }

    fn learn(&self, closed: &Closed) {
        match self.fault {
            Fault::ForgetsRefusals => {}
            Fault::RemembersEveryAnswer if closed.bulk_refused.is_some() => self.closefrom.note(),
            _ => self.closefrom.learn(closed),
        }
    }

    fn first_strategy(&self) -> CloseStrategy {
        self.closefrom.first_strategy()
    }
}

/// Each fault is seen for its own reason: the panic of `conforms` says what the port does not keep to.
#[rstest]
#[case::none(Fault::None, None)]
#[case::closes_nothing(Fault::ClosesNothing, Some("from Bulk"))]
#[case::forgets_refusals(Fault::ForgetsRefusals, Some("a refusal is forgotten"))]
#[case::remembers_every_answer(Fault::RemembersEveryAnswer, Some("is no refusal for good"))]
#[case::remembers_a_late_answer(Fault::RemembersALateAnswer, Some("is not called again"))]
#[case::believes_an_empty_list(Fault::BelievesAnEmptyList, Some("from Enumerate"))]
#[case::loop_ends_one_too_low(Fault::LoopEndsOneTooLow, Some("by: Loop"))]
#[case::loop_trusts_the_limit(Fault::LoopTrustsTheLimitOnceRefused, Some("by: Loop"))]
#[case::open_end_is_a_number(Fault::OpenEndIsANumber, Some("an open end is given as a number"))]
#[case::open_end_by_number(Fault::OpenEndByNumber, Some("closes, and not Some"))]
#[case::signal_not_reserved(Fault::SignalNotReserved, Some("does not come to its program"))]
fn port_conforms_only_without_a_fault(#[case] fault: Fault, #[case] reason: Option<&str>) {
    let port = |sys: SimKernel| Port {
        sys: sys.with_untouchable(&[UNTOUCHABLE]),
        closefrom: BulkRefusal::new(false),
        fault,
    };
    let ended = catch_unwind(AssertUnwindSafe(|| conforms(port)));
    let said = ended.err().map(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default().to_owned()
    });
    match (&said, reason) {
        (Some(said), Some(reason)) => assert!(said.contains(reason), "{fault:?}: {said}"),
        _ => assert_eq!(said.is_some(), reason.is_some(), "{fault:?}: {said:?}"),
    }
}
