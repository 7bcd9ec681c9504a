//! Whole plans over five backends: each call of a child failing with each errno, alone and in pairs.
//!
//! Either the child ends with the stage, the errno and the operand of that call, or an alternative works and the
//! program has exactly the planned descriptors and ids. The sweep of the real kernel is in the suite `faults`.

use rstest::rstest;

use forkexec_core::{
    Attribute, Backend, ChildContext, CloseStrategy, Errno, Fd, Namespaces, Operation, Plan, Report,
    Resource, SpawnMethod, Stage, child_exec,
};

use crate::draw::{Draw, seed};
use crate::sim::rich::{self, BIRTH, CHANNEL};
use crate::sim::{Call, Executed, Recorder, SimKernel};

const ERRNOS: [Errno; 16] = [
    Errno::ACCES,
    Errno::AGAIN,
    Errno::BADF,
    Errno::BUSY,
    Errno::EXIST,
    Errno::FAULT,
    Errno::INTR,
    Errno::INVAL,
    Errno::IO,
    Errno::MFILE,
    Errno::NOENT,
    Errno::NOEXEC,
    Errno::NOMEM,
    Errno::NOSYS,
    Errno::PERM,
    Errno::TXTBSY,
];

/// A kernel and a plan.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    kernel: fn() -> SimKernel,
    plan: fn() -> Plan<'static>,
    shares_table: bool,
}

const SCENARIOS: [Scenario; 6] = [
    Scenario { name: "session", kernel: rich::kernel, plan: rich::session_plan, shares_table: false },
    Scenario { name: "group", kernel: rich::group_kernel, plan: rich::group_plan, shares_table: false },
    Scenario {
        name: "attributes",
        kernel: rich::attributes_kernel,
        plan: rich::attributes_plan,
        shares_table: false,
    },
    Scenario { name: "container", kernel: contained, plan: rich::session_plan, shares_table: false },
    Scenario { name: "listing", kernel: rich::kernel, plan: listing_plan, shares_table: false },
    Scenario { name: "shared table", kernel: rich::kernel, plan: plan_without_a_closure, shares_table: true },
];

/// Refuses every bulk call.
fn contained() -> SimKernel {
    let bulk = ["close_range", "close_from", "closefrom", "closem"];
    bulk.into_iter().fold(rich::kernel(), |kernel, call| kernel.refusing(call, Errno::PERM))
}

fn listing_plan() -> Plan<'static> {
    Plan { close: Some(CloseStrategy::Enumerate), ..rich::session_plan() }
}

fn plan_without_a_closure() -> Plan<'static> {
    Plan { hook: None, ..rich::session_plan() }
}

type Ended = (Result<Executed, Report>, Vec<Call>);

impl Scenario {
    fn run<B: Backend<Sys = SimKernel>>(
        &self,
        backend: impl Fn(SimKernel) -> B,
        failing: &[(usize, Errno)],
    ) -> Ended {
        let kernel = (self.kernel)();
        let kernel = failing.iter().fold(kernel, |kernel, (index, errno)| kernel.failing_at(*index, *errno));
        let backend = backend(kernel);
        backend.before_launch();
        let has = backend.capabilities();
        let plan = (self.plan)();
        let attributes: Vec<_> =
            plan.attributes.iter().copied().filter(|attribute| is_there(&backend, *attribute)).collect();
        let plan = Plan {
            attributes: &attributes,
            namespaces: if has.has(Operation::Namespaces) { plan.namespaces } else { Namespaces::default() },
            no_new_privs: plan.no_new_privs && has.has(Operation::NoNewPrivs),
            die_with_parent: plan.die_with_parent.filter(|_| has.has(Operation::DieWithParent)),
            ..plan
        };
        let recorder = Recorder::new(backend.sys()).with_channel(CHANNEL);
        let birth = ChildContext { shares_table: self.shares_table, ..BIRTH };
        let result = child_exec(&backend, &plan, &birth, &recorder);
        (result, backend.sys().log())
    }
}

fn is_there<B: Backend + ?Sized>(backend: &B, attribute: Attribute<'_>) -> bool {
    let has_value = match attribute {
        Attribute::Scheduler(policy) => backend.has_scheduler(policy),
        Attribute::IoPriority(priority) => backend.has_io_priority(priority),
        // These are attributes of its exec, which `apple::attributes` tests.
        Attribute::FixedAddresses | Attribute::Suspended => backend.capabilities().system != "macOS",
        _ => true,
    };
    has_value && backend.capabilities().has(attribute.operation())
}

/// Returns the report with which a child must end if this call fails, unless it has an alternative.
fn must_end_with(call: &Call, errno: Errno) -> Option<Report> {
    let stage = call.stage.expect("every call belongs to a stage");
    let goes_on = match (stage, call.name) {
        // A suspended child makes the calls of its exec before, and their failure counts there.
        (Stage::Umask | Stage::Close | Stage::Exec, _)
        | (_, "parent" | "process" | "close_range_unshare")
        | (Stage::Suspend, "pause" | "execve") => true,
        // Each asks whether a filter pretends, and expects an error.
        (Stage::Landlock, "restrict_self") if call.numbers[0] == Some(-1) => true,
        (Stage::Seccomp, "set_seccomp_filter") if call.numbers[0] == Some(0) => true,
        (Stage::Capabilities, "is_ambient") if call.numbers[0] > Some(63) => {
            return (errno != Errno::INVAL).then_some(Report { stage, errno: Errno::PERM, operand: 0 });
        }
        (Stage::BoundingSet, "is_in_bounding_set") => {
            let number = call.numbers[0].expect("it is about one");
            // The kernel ends here, or it has another one.
            match errno {
                Errno::INVAL if number >= 40 => true,
                _ if number > 63 => return Some(Report { stage, errno: Errno::PERM, operand: 0 }),
                Errno::INVAL if number > 33 => {
                    return Some(Report { stage, errno: Errno::PERM, operand: 0 });
                }
                _ => false,
            }
        }
        (Stage::Limits, name) => name != "set_limit",
        (Stage::DupFds, "close") if call.numbers[0] == Some(2) => errno == Errno::BADF,
        (Stage::DupFds, "dup2") => matches!(errno, Errno::INTR | Errno::BUSY),
        (Stage::Signals, "disposition") => {
            let signal = call.numbers[0].expect("it is about one");
            errno == Errno::INVAL
                && (signal > 31 || [libc::SIGKILL, libc::SIGSTOP].map(i64::from).contains(&signal))
        }
        _ => false,
    };
    (!goes_on).then(|| Report { stage, errno, operand: operand(stage, call) })
}

/// The subject of a call: a descriptor, a signal, or an index.
fn operand(stage: Stage, call: &Call) -> i32 {
    let number = || call.numbers[0].and_then(|number| Fd::try_from(number).ok()).unwrap_or(0);
    match (stage, &*call.to_string()) {
        (Stage::DupFds, "dup2(3, 11)") => 11, // the saved copy has no number that anybody knows
        (Stage::Unveil, text) => i32::from(text.starts_with("unveil(/missing")),
        (Stage::Namespaces, text) => i32::from(text.starts_with("unshare")),
        (Stage::Limits, text) => i32::from(!text.ends_with(&format!("({})", Resource::NOFILE.0))),
        (Stage::KeepFds | Stage::DupFds | Stage::Signals, _) | (_, "fchdir(14)") => number(),
        _ => 0,
    }
}

/// Checks the result of a failing call near the end: the next strategy, the next candidate, or an error that names it.
fn is_told(call: &Call, errno: Errno, report: &Report) -> bool {
    let of_exec = matches!(call.stage, Some(Stage::Close | Stage::Exec));
    of_exec && matches!(report.stage, Stage::Close | Stage::Exec) && report.errno == errno
}

/// The scenarios for a backend: no child has its parent's table where no launcher makes one.
fn scenarios<B: Backend<Sys = SimKernel>>(backend: impl Fn(SimKernel) -> B) -> Vec<Scenario> {
    let shares = backend(SimKernel::new()).capabilities().launchers.contains(&SpawnMethod::Shared);
    SCENARIOS.into_iter().filter(|scenario| shares || !scenario.shares_table).collect()
}

/// With a loop, each run takes milliseconds, so only the closing is swept. All calls of the loop are the same, so only
/// the first ones fail.
fn is_swept(call: &Call, loops: bool) -> bool {
    call.stage.is_some() && (!loops || call.stage == Some(Stage::Close) && call.numbers[0] < Some(9))
}

/// More calls than a child makes that does not loop.
const LOOP: usize = 5_000;

/// Makes each call fail with each errno. Returns the number of runs.
fn sweep<B: Backend<Sys = SimKernel>>(backend: impl Fn(SimKernel) -> B) -> usize {
    let mut triples = 0;
    for scenario in scenarios(&backend) {
        let (clean, calls) = scenario.run(&backend, &[]);
        assert!(clean.is_ok_and(|executed| rich::is_as_asked(&executed)), "{}", scenario.name);
        let loops = calls.len() > LOOP;
        for (index, call) in calls.iter().enumerate().filter(|(_, call)| is_swept(call, loops)) {
            // The second request to be traced asks whether a filter pretends, and expects an error.
            let is_check = call.name == "trace_me" && calls[..index].iter().any(|it| it.name == call.name);
            for errno in ERRNOS {
                let (result, _) = scenario.run(&backend, &[(index, errno)]);
                let context = || format!("{}: {call} {errno}: {result:?}", scenario.name);
                match (must_end_with(call, errno).filter(|_| !is_check), &result) {
                    (Some(report), result) => assert_eq!(result, &Err(report), "{}", context()),
                    (None, Ok(executed)) => assert!(rich::is_as_asked(executed), "{}", context()),
                    (None, Err(report)) => assert!(is_told(call, errno, report), "{}", context()),
                }
                triples += 1;
            }
        }
    }
    triples
}

/// Runs whole plans without failures, and once for each call of each stage. Closing has its own errnos, and is left
/// out.
///
/// The kernel refuses the signals that the backend names as reserved.
pub(crate) fn runs_whole_plans<B: Backend<Sys = SimKernel>>(backend: impl Fn(SimKernel) -> B) {
    let reserved = backend(SimKernel::new()).capabilities().reserved_signals;
    let backend = |kernel: SimKernel| backend(kernel.with_untouchable(reserved));
    for scenario in scenarios(backend) {
        let (clean, calls) = scenario.run(backend, &[]);
        assert!(
            clean.as_ref().is_ok_and(rich::is_as_asked),
            "{}: a whole plan does not come to its program: {clean:?}",
            scenario.name
        );
        let mut failed = Vec::new();
        for (index, call) in calls.iter().enumerate() {
            let is_new = !failed.contains(&(call.stage, call.name));
            if call.stage.is_none_or(|stage| stage == Stage::Close) || !is_new {
                continue;
            }
            failed.push((call.stage, call.name));
            let (result, _) = scenario.run(backend, &[(index, Errno::IO)]);
            match must_end_with(call, Errno::IO) {
                Some(report) => assert_eq!(result, Err(report), "{}: {call}", scenario.name),
                None => assert!(
                    result.as_ref().map_or_else(|report| is_told(call, Errno::IO, report), rich::is_as_asked),
                    "{}: {call}: {result:?}",
                    scenario.name
                ),
            }
        }
    }
}

/// Two calls, drawn, of plans that close without a loop.
fn sweep_pairs<B: Backend<Sys = SimKernel>>(backend: impl Fn(SimKernel) -> B, rounds: usize) {
    const BEYOND: usize = 20;
    let count = |scenario: Scenario| (scenario, scenario.run(&backend, &[]).1.len());
    let scenarios = scenarios(&backend).into_iter().map(count).filter(|(_, calls)| *calls < LOOP);
    let (scenarios, mut draw, mut programs) = (scenarios.collect::<Vec<_>>(), Draw::of(seed()), 0);
    for round in 0..rounds {
        let (scenario, calls) = scenarios[round % scenarios.len()];
        let mut fault = || (draw.below(calls + BEYOND), ERRNOS[draw.below(ERRNOS.len())]);
        let faults = [fault(), fault()];
        let (result, made) = scenario.run(&backend, &faults);
        match &result {
            Ok(executed) => {
                assert!(rich::is_as_asked(executed), "{}: {faults:?}: {result:?}", scenario.name);
                programs += 1;
            }
            Err(report) => {
                let explains = |(index, errno): &(usize, Errno)| {
                    let is_verifying = matches!(report.stage, Stage::Capabilities | Stage::BoundingSet);
                    let is_renamed = *errno == Errno::INVAL && report.errno == Errno::MFILE
                        || is_verifying && report.errno == Errno::PERM;
                    made.get(*index).is_some_and(|call| call.stage <= Some(report.stage))
                        && (*errno == report.errno || is_renamed)
                };
                assert!(faults.iter().any(explains), "{}: {faults:?}: {result:?}", scenario.name);
            }
        }
    }
    println!("{programs} of {rounds} ran a program, with FORKEXEC_SEED={}", seed());
    assert!(programs > 0);
}

/// The least number of triples of a call, an errno and a plan for each backend. The suite `faults` has 20,000 more.
const AT_LEAST: usize = 3_000;

macro_rules! swept {
    ($($name:ident: $backend:path;)*) => {
        /// Faults: E15
        #[rstest]
        $(#[case::$name(stringify!($name), || sweep($backend))])*
        fn any_failing_call_over_any_backend_leaves_nothing_open(
            #[case] name: &str,
            #[case] sweep: fn() -> usize,
        ) {
            let triples = sweep();
            println!("{name}: {triples} triples of a call, an errno and a plan");
            assert!(triples >= AT_LEAST, "{triples}");
        }

        /// Faults: E15
        #[rstest]
        $(#[case::$name(|rounds| sweep_pairs($backend, rounds))])*
        fn any_two_failing_calls_over_any_backend_leave_nothing_open(#[case] sweep: fn(usize)) {
            sweep(1_000);
        }
    };
}

// Failures of closing on FreeBSD and OpenBSD are in `freebsd` and `openbsd`. After such a failure these backends query
// each number, which takes too long for all calls with all errnos.
swept! {
    apple: forkexec_apple::Apple::new;
    linux: forkexec_linux::Linux::new;
    netbsd: forkexec_netbsd::Netbsd::new;
    posix: forkexec_posix::Posix::new;
    solaris: forkexec_solaris::Solaris::new;
}

/// The last resort is a loop up to the limit. If that is unknown, too, a number above the usual ones must not stay
/// open: it is closed, or nothing runs.
///
/// Faults: F6
#[test]
fn no_high_fd_stays_open_if_the_limit_is_unknown() {
    let kernel = || {
        let kernel = SimKernel::new().with_limit(100_000).with_open(&[90_000]).without_listings();
        let kernel = kernel.refusing("close_range", Errno::PERM);
        kernel.refusing("descriptor_limit", Errno::PERM)
    };
    let backend = forkexec_linux::Linux::new(kernel());
    let plan = Plan::new(rich::exec());
    let result = child_exec(&backend, &plan, &BIRTH, &Recorder::new(backend.sys()));
    assert!(result.as_ref().is_err() || result.as_ref().is_ok_and(|it| it.fds() == [0, 1, 2]), "{result:?}");
}
