//! Faults of an invented port, which [`conforms`] has to see.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rstest::rstest;

use forkexec_core::{
    Backend, BulkRefusal, Capabilities, CloseStrategy, Closed, Errno, Fd, FdEnumerator, Gap, Signal,
    Unlisted, close_gap_by_number, loop_bound,
};
use forkexec_openbsd::OpenbsdSys;
use forkexec_posix::DevFd;

use super::conforms;
use crate::sim::SimKernel;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The bulk call is taken for done, and not made.
    ClosesNothing,
    /// A refusal costs each child one call.
    ForgetsRefusals,
    /// An answer that belongs to one launch is a refusal for good.
    RemembersEveryAnswer,
    /// A list that lacks open descriptors is believed.
    BelievesAnEmptyList,
    /// The loop leaves the highest descriptor open.
    LoopEndsOneTooLow,
    /// The loop forgets what is above a limit, once the bulk call is refused.
    LoopTrustsTheLimitOnceRefused,
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
        match gap.last() {
            _ if self.fault == Fault::ClosesNothing => Ok(()),
            Fd::MAX => match OpenbsdSys::closefrom(&self.sys, gap.first()) {
                Err(Errno::BADF) => Ok(()),
                answer => answer,
            },
            _ => close_gap_by_number(&self.sys, gap, Fd::MAX),
        }
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

#[rstest]
#[case::none(Fault::None, true)]
#[case::closes_nothing(Fault::ClosesNothing, false)]
#[case::forgets_refusals(Fault::ForgetsRefusals, false)]
#[case::remembers_every_answer(Fault::RemembersEveryAnswer, false)]
#[case::believes_an_empty_list(Fault::BelievesAnEmptyList, false)]
#[case::loop_ends_one_too_low(Fault::LoopEndsOneTooLow, false)]
#[case::loop_trusts_the_limit(Fault::LoopTrustsTheLimitOnceRefused, false)]
#[case::signal_not_reserved(Fault::SignalNotReserved, false)]
fn a_port_conforms_only_without_a_fault(#[case] fault: Fault, #[case] conforming: bool) {
    let port = |sys: SimKernel| Port {
        sys: sys.with_untouchable(&[UNTOUCHABLE]),
        closefrom: BulkRefusal::new(false),
        fault,
    };
    let ended = catch_unwind(AssertUnwindSafe(|| conforms(port)));
    assert_eq!(ended.is_ok(), conforming, "{fault:?}");
}
