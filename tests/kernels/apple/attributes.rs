//! The attributes of macOS: the background, and throttled disk access.

use rstest::rstest;

use forkexec_apple::{Apple, ClosingExec};
use forkexec_core::{Attribute, Backend, CloseStrategy, Errno, IoPriority, Plan, Report, Scheduler, Stage};

use crate::child_exec::{attributes_after, plain};
use crate::sim::SimKernel;
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
    let closing = ClosingExec::prepare(&apple, &plan).expect("nothing is refused");
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
#[case::fixed_addresses(Attribute::FixedAddresses)]
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
