//! Every call of a child with all settings, failing with every errno, one at a time.
//!
//! Either the child ends with the stage, the errno and the operand of that call, or the failure has an alternative (the
//! next strategy, the next candidate, another try). Then the program has exactly the planned descriptors and ids.

use rstest::rstest;

use forkexec_core::{Backend, ChildContext, CloseStrategy, Errno, Fd, Plan, Report, Stage, child_exec};
use forkexec_linux::Linux;

use crate::failing::{Failing, Fault, Side};
use crate::sim::rich::{self, BIRTH, CHANNEL};
use crate::sim::{Call, Executed, Recorder, SimKernel};

const ERRNOS: [Errno; 11] = [
    Errno::INTR,
    Errno::PERM,
    Errno::IO,
    Errno::NOMEM,
    Errno::BADF,
    Errno::BUSY,
    Errno::INVAL,
    Errno::NOSYS,
    Errno::NOENT,
    Errno::NOEXEC,
    Errno::MFILE,
];

/// A child that shares its parent's table at first.
const SHARED: ChildContext = ChildContext { shares_table: true, ..BIRTH };

struct Scenario {
    kernel: fn() -> SimKernel,
    plan: Plan<'static>,
    birth: ChildContext,
}

impl Scenario {
    fn run(&self, fault: Fault) -> (Linux<Failing<SimKernel>>, Result<Executed, Report>) {
        let backend = Linux::new(Failing::child((self.kernel)(), fault));
        let result = {
            let kernel = backend.sys().inner();
            let recorder = Recorder::new(kernel).with_channel(CHANNEL);
            child_exec(&backend, &self.plan, &self.birth, &recorder)
        };
        (backend, result)
    }

    /// The calls of a child without a fault.
    fn calls(&self) -> Vec<Call> {
        let (backend, result) = self.run(Fault::nth(usize::MAX, Errno::IO));
        assert!(result.is_ok_and(|executed| rich::is_as_asked(&executed)), "the plan works without a fault");
        backend.sys().inner().log()
    }
}

impl Fault {
    fn nth(index: usize, errno: Errno) -> Self {
        Self { side: Side::Child, name: None, index, errno }
    }
}

fn session() -> Scenario {
    Scenario { kernel: rich::kernel, plan: rich::session_plan(), birth: BIRTH }
}

fn group() -> Scenario {
    Scenario { kernel: rich::group_kernel, plan: rich::group_plan(), birth: BIRTH }
}

fn contained() -> Scenario {
    Scenario { kernel: || rich::kernel().refusing("close_range", Errno::PERM), ..session() }
}

fn shared() -> Scenario {
    Scenario { plan: Plan { hook: None, ..rich::session_plan() }, birth: SHARED, ..session() }
}

fn shared_with_a_closure() -> Scenario {
    Scenario { birth: SHARED, ..session() }
}

/// Returns the report of a child that ends because this call fails; `None` if it goes on.
fn ending(call: &Call, errno: Errno) -> Option<Report> {
    let stage = call.stage.expect("every call belongs to a stage");
    let goes_on = match (stage, call.name) {
        (Stage::Umask | Stage::Close, _) | (_, "parent" | "close_range_unshare" | "descriptor_limit") => true,
        (Stage::DupFds, "close") if call.numbers[0] == Some(2) => errno == Errno::BADF,
        (Stage::DupFds, "dup2") => matches!(errno, Errno::INTR | Errno::BUSY),
        (Stage::Signals, "disposition") => errno == Errno::INVAL && is_untouchable(call.numbers[0]),
        (Stage::Exec, _) => call.to_string() == "execve(/missing/prog)",
        _ => false,
    };
    (!goes_on).then(|| Report { stage, errno, operand: operand(stage, call) })
}

/// No call touches these, or the C library keeps some of them.
fn is_untouchable(signal: Option<i64>) -> bool {
    signal
        .is_some_and(|signal| signal > 31 || [libc::SIGKILL, libc::SIGSTOP].map(i64::from).contains(&signal))
}

/// The subject of a call: a descriptor, a signal, or an index.
fn operand(stage: Stage, call: &Call) -> i32 {
    let number = || call.numbers[0].and_then(|number| Fd::try_from(number).ok()).unwrap_or(0);
    match (stage, &*call.to_string()) {
        (Stage::DupFds, "dup2(3, 11)") => 11, // the saved copy has no number that anybody knows
        (Stage::Limits, "set_limit(4)") | (Stage::Exec, "execve(/bin/prog)") => 1,
        (Stage::KeepFds | Stage::DupFds | Stage::Signals, _) | (_, "fchdir(14)") => number(),
        _ => 0,
    }
}

/// Faults: E15
#[rstest]
#[case::of_a_session(session())]
#[case::of_a_process_group(group())]
#[case::in_a_container(contained())]
#[case::in_the_parents_table(shared())]
#[case::in_the_parents_table_with_a_closure(shared_with_a_closure())]
fn any_failing_call_is_reported_or_handled_and_leaks_nothing(#[case] scenario: Scenario) {
    let calls = scenario.calls();
    let parents = (scenario.kernel)().table();
    for (index, call) in calls.iter().enumerate() {
        for errno in ERRNOS {
            let (backend, result) = scenario.run(Fault::nth(index, errno));
            let sys = backend.sys();
            assert_eq!(sys.failed(), Some(call.name), "the calls are the same up to the one that fails");
            match ending(call, errno) {
                Some(report) => assert_eq!(result, Err(report), "{call} {errno}"),
                None => assert!(result.as_ref().is_ok_and(rich::is_as_asked), "{call} {errno}: {result:?}"),
            }
            if scenario.birth.shares_table {
                assert_eq!(sys.inner().parents_table(), parents, "{call} {errno}");
            }
        }
    }
    println!("{} calls, {} pairs", calls.len(), calls.len() * ERRNOS.len());
}

/// The loop makes a call for each of 65,536 numbers; those of open descriptors and the first ones are enough.
#[rstest]
#[case::without_a_list(|| rich::kernel().refusing("close_range", Errno::PERM).without_listings())]
#[case::with_a_list_that_breaks_off(
    || rich::kernel().refusing("close_range", Errno::PERM).refusing_some("getdents64", 1..9, Errno::IO))]
fn any_failing_call_of_the_last_resort_is_handled(#[case] kernel: fn() -> SimKernel) {
    let scenario = Scenario { kernel, ..session() };
    let is_told =
        |call: &Call| call.name != "close" || call.numbers[0] <= Some(6) || call.numbers[0] == Some(300);
    let calls = scenario.calls().into_iter().enumerate();
    let calls: Vec<_> = calls.filter(|(_, call)| call.stage == Some(Stage::Close) && is_told(call)).collect();
    for (index, call) in &calls {
        for errno in [Errno::INTR, Errno::PERM, Errno::IO, Errno::BADF, Errno::NOSYS] {
            let (_, result) = scenario.run(Fault::nth(*index, errno));
            assert!(result.as_ref().is_ok_and(rich::is_as_asked), "{call} {errno}: {result:?}");
        }
    }
    println!("{} calls, {} pairs", calls.len(), calls.len() * 5);
}

#[test]
fn skipped_close_strategies_cannot_fail_the_child() {
    for link in [CloseStrategy::Enumerate, CloseStrategy::Loop] {
        let scenario = Scenario { plan: Plan { close: Some(link), ..rich::session_plan() }, ..session() };
        let bulk = scenario.calls().iter().filter(|call| call.name == "close_range").count();
        assert_eq!(bulk, 0, "{link:?}");
    }
}
