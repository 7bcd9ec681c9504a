//! The attributes of macOS: the background, throttled disk access, and those that only exec sets.

use rstest::rstest;

use forkexec_apple::{Apple, SpawnExec, launch_spawned};
use forkexec_core::{
    Attribute, Backend, CloseStrategy, Errno, FallbackReason, IoPriority, LaunchError, Plan, Report,
    Scheduler, Stage,
};

use crate::child_exec::{attributes_after, plain};
use crate::sim::SimKernel;
use crate::sim::apple::P_DISABLE_ASLR;
use crate::sim::attributes::Attributes;

const BACKGROUND: [Attribute<'_>; 2] =
    [Attribute::Scheduler(Scheduler::Idle), Attribute::IoPriority(IoPriority::Idle)];

#[rstest]
#[case::normal(Attribute::Scheduler(Scheduler::Other), |it: &mut Attributes| it.scheduler = (0, 0))]
#[case::background(BACKGROUND[0], |it: &mut Attributes| it.scheduler = (0x1000, 0))]
#[case::throttled_disk(BACKGROUND[1], |it: &mut Attributes| it.io_priority = 3)]
fn attribute_changes_one_thing(#[case] attribute: Attribute<'static>, #[case] change: fn(&mut Attributes)) {
    let mut expected = Attributes::of_root();
    change(&mut expected);
    let plan = Plan { attributes: &[attribute], ..plain() };
    assert_eq!(attributes_after(&Apple::new(SimKernel::new()), &plan), Ok(expected));
}

/// The exec that closes is a backend of its own.
#[test]
fn attributes_are_set_before_the_exec_that_closes() {
    let plan = Plan { attributes: &BACKGROUND, close: Some(CloseStrategy::Bulk), ..plain() };
    let apple = Apple::new(SimKernel::new());
    let closing = SpawnExec::prepare(&apple, &plan).expect("nothing is refused");
    let expected = Attributes { scheduler: (0x1000, 0), io_priority: 3, ..Attributes::of_root() };
    assert_eq!(attributes_after(&closing, &plan), Ok(expected));
    assert_eq!(apple.sys().calls_of("exec_spawn").len(), 1);
}

#[rstest]
#[case::set_background("set_background", Stage::Scheduler)]
#[case::set_io_policy("set_io_policy", Stage::IoPriority)]
fn refused_call_is_reported(#[case] call: &str, #[case] stage: Stage) {
    let plan = Plan { attributes: &BACKGROUND, ..plain() };
    let apple = Apple::new(SimKernel::new().refusing(call, Errno::PERM));
    assert_eq!(attributes_after(&apple, &plan), Err(Report { stage, errno: Errno::PERM, operand: 0 }));
}

#[rstest]
#[case::real_time(Attribute::Scheduler(Scheduler::Fifo(1)))]
#[case::batch(Attribute::Scheduler(Scheduler::Batch))]
#[case::level(Attribute::IoPriority(IoPriority::BestEffort(4)))]
#[case::oom_score(Attribute::OomScore(1))]
fn other_attribute_is_missing(#[case] attribute: Attribute<'static>) {
    let apple = Apple::new(SimKernel::new());
    let has = match attribute {
        Attribute::Scheduler(policy) => apple.has_scheduler(policy),
        Attribute::IoPriority(priority) => apple.has_io_priority(priority),
        attribute => apple.has(attribute.operation()),
    };
    assert_eq!((apple.set_attribute(attribute), has), (Err(Errno::NOSYS), false));
    assert_eq!(apple.sys().calls(), [""; 0]);
}

#[test]
fn background_and_idle_are_there() {
    let apple = Apple::new(SimKernel::new());
    assert!(apple.has_scheduler(Scheduler::Idle) && apple.has_scheduler(Scheduler::Other));
    assert!(apple.has_io_priority(IoPriority::Idle));
}

const OF_EXEC: [Attribute<'_>; 2] = [Attribute::FixedAddresses, Attribute::Suspended];

/// The attributes of a program that asked for both.
fn asked_of_exec() -> Attributes {
    Attributes { personality: P_DISABLE_ASLR, is_stopped: true, ..Attributes::of_root() }
}

fn forked(kernel: SimKernel, plan: &Plan<'_>) -> (Result<Attributes, Report>, Vec<String>) {
    let apple = Apple::new(kernel);
    let exec = SpawnExec::prepare(&apple, plan).expect("only exec sets them");
    let after = attributes_after(&exec, plan);
    let execs = apple.sys().log().into_iter().filter(|call| matches!(call.name, "execve" | "exec_spawn"));
    (after, execs.map(|call| call.to_string()).collect())
}

/// The stop is asked for right before exec, which core tries once without a program.
#[rstest]
#[case::closing(Some(CloseStrategy::Bulk), SimKernel::apple())]
#[case::closing_from_a_list(Some(CloseStrategy::Enumerate), SimKernel::apple())]
#[case::closing_nothing(None, SimKernel::apple())]
#[case::list_as_the_exec_may_not_close(Some(CloseStrategy::Bulk), SimKernel::apple().refusing_some("exec_spawn", 1..2, Errno::INVAL))]
fn attributes_of_exec_are_set_by_each_exec(#[case] close: Option<CloseStrategy>, #[case] kernel: SimKernel) {
    let (after, execs) = forked(kernel, &Plan { attributes: &OF_EXEC, close, ..plain() });
    assert_eq!(after, Ok(asked_of_exec()));
    assert!(execs.iter().all(|call| call.starts_with("exec_spawn")), "{execs:?}");
}

#[test]
fn each_attribute_of_exec_is_set_alone() {
    let after = |attribute| forked(SimKernel::apple(), &Plan { attributes: &[attribute], ..plain() }).0;
    let fixed = Attributes { personality: P_DISABLE_ASLR, ..Attributes::of_root() };
    let stopped = Attributes { is_stopped: true, ..Attributes::of_root() };
    assert_eq!(OF_EXEC.map(after), [Ok(fixed), Ok(stopped)]);
}

/// The parent could not make the attributes of posix_spawn(2). The program never runs without them.
#[rstest]
#[case::fixed_addresses(OF_EXEC[0], Stage::FixedAddresses)]
#[case::suspended(OF_EXEC[1], Stage::Suspend)]
fn attributes_that_cannot_be_made_are_reported(#[case] attribute: Attribute<'static>, #[case] stage: Stage) {
    for close in [Some(CloseStrategy::Bulk), None] {
        let kernel = SimKernel::apple().refusing("spawn", Errno::NOMEM);
        let (after, execs) = forked(kernel, &Plan { attributes: &[attribute], close, ..plain() });
        assert_eq!(after, Err(Report { stage, errno: Errno::NOMEM, operand: 0 }));
        assert!(!execs.iter().any(|call| call.contains("prog")), "{execs:?}");
    }
}

#[test]
fn refused_exec_with_attributes_is_not_replaced_by_one_without() {
    let kernel = SimKernel::apple().refusing("exec_spawn", Errno::PERM);
    let (after, execs) = forked(kernel, &Plan { attributes: &OF_EXEC[..1], ..plain() });
    assert_eq!(after, Err(Report { stage: Stage::Exec, errno: Errno::PERM, operand: 0 }));
    assert!(execs.iter().all(|call| call.starts_with("exec_spawn")), "{execs:?}");
}

#[test]
fn attributes_of_exec_need_no_fork() {
    let kernel = SimKernel::apple();
    let launched = launch_spawned(&kernel, &Plan { attributes: &OF_EXEC, ..plain() });
    assert!(launched.is_ok(), "{launched:?}");
    let children: Vec<_> = kernel.spawned().into_iter().map(|child| child.process.attributes).collect();
    assert_eq!(children, [asked_of_exec()]);
}

#[test]
fn other_attributes_need_fork() {
    let plan = Plan { attributes: &[OF_EXEC[0], BACKGROUND[0]], ..plain() };
    let launched = launch_spawned(&SimKernel::apple(), &plan);
    let reason = FallbackReason::Inexpressible(Stage::Scheduler);
    assert!(matches!(launched, Err(LaunchError::ForkRequired(it)) if it == reason), "{launched:?}");
}
