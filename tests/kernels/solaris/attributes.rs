//! The attributes of Solaris and illumos: one processor, the scheduling classes, and what the kernel refuses.

use std::ffi::c_ulong;

use rstest::rstest;

use forkexec_core::{Attribute, Backend, Errno, Operation, Plan, Report, Scheduler, Stage, child_exec};
use forkexec_solaris::{ILLUMOS, SOLARIS, Solaris};

use crate::child_exec::{attributes_after, plain};
use crate::sim::attributes::Attributes;
use crate::sim::rich::BIRTH;
use crate::sim::{Recorder, SimKernel};

const USER: u32 = 1000;

/// The attributes of a program that is started with these.
fn after(kernel: SimKernel, attributes: &[Attribute<'_>]) -> Result<Attributes, Report> {
    attributes_after(&Solaris::new(kernel), &Plan { attributes, ..plain() })
}

#[rstest]
#[case::first_processor(Attribute::CpuAffinity(&[1]), |it: &mut Attributes| it.affinity = 1)]
#[case::last_processor(Attribute::CpuAffinity(&[1 << 7, 0]), |it: &mut Attributes| it.affinity = 1 << 7)]
#[case::normal(Attribute::Scheduler(Scheduler::Other), |it: &mut Attributes| it.scheduler = (1, 0))]
#[case::lowest_fifo(Attribute::Scheduler(Scheduler::Fifo(1)), |it: &mut Attributes| it.scheduler = (2, 12))]
#[case::highest_round_robin(Attribute::Scheduler(Scheduler::RoundRobin(59)), |it: &mut Attributes| it.scheduler = (2, 593))]
#[case::fixed_addresses(Attribute::FixedAddresses, |it: &mut Attributes| it.personality = 3)]
fn attribute_changes_one_thing(#[case] attribute: Attribute<'static>, #[case] change: fn(&mut Attributes)) {
    let mut expected = Attributes::of_root();
    change(&mut expected);
    assert_eq!(after(SimKernel::new(), &[attribute]), Ok(expected));
}

#[rstest]
#[case::of_the_second_word(&[0, 1 << 3], c_ulong::BITS + 3)]
#[case::of_the_first_word(&[1 << 9], 9)]
fn processor_has_the_number_of_its_bit(#[case] mask: &[c_ulong], #[case] number: u32) {
    let backend = Solaris::new(SimKernel::new());
    assert_eq!(backend.set_attribute(Attribute::CpuAffinity(mask)), Err(Errno::INVAL));
    assert_eq!(backend.sys().calls(), [format!("processor_bind({number})")]);
}

/// The parent refuses such a set before a child starts.
#[rstest]
#[case::of_one_word(&[0b11])]
#[case::of_two_words(&[1, 1])]
#[case::none(&[0])]
fn other_number_of_processors_is_an_error_without_a_call(#[case] mask: &[c_ulong]) {
    let backend = Solaris::new(SimKernel::new());
    assert_eq!(backend.set_attribute(Attribute::CpuAffinity(mask)), Err(Errno::NOSYS));
    assert_eq!((backend.sys().calls(), backend.most_processors()), (vec![], 1));
}

#[rstest]
#[case::processor(Attribute::CpuAffinity(&[1 << 40]), Stage::CpuAffinity, Errno::INVAL)]
#[case::priority_above_the_highest(Attribute::Scheduler(Scheduler::Fifo(60)), Stage::Scheduler, Errno::INVAL)]
#[case::unknown_policy(Attribute::Scheduler(Scheduler::Idle), Stage::Scheduler, Errno::NOSYS)]
#[case::attribute_of_linux(Attribute::SessionKeyring, Stage::SessionKeyring, Errno::NOSYS)]
fn refused_attribute_is_reported(
    #[case] attribute: Attribute<'static>,
    #[case] stage: Stage,
    #[case] errno: Errno,
) {
    assert_eq!(after(SimKernel::new(), &[attribute]), Err(Report { stage, errno, operand: 0 }));
}

#[rstest]
#[case::real_time(Scheduler::RoundRobin(1), Some(Errno::PERM))]
#[case::normal(Scheduler::Other, None)]
fn only_the_real_time_class_needs_privilege(#[case] policy: Scheduler, #[case] refused: Option<Errno>) {
    let backend = Solaris::new(SimKernel::new().with_process(|process| process.uid = USER));
    assert_eq!(backend.set_attribute(Attribute::Scheduler(policy)).err(), refused);
}

/// setpriority(3C) fails in the real-time class.
#[test]
fn nice_value_is_set_before_the_class() {
    let plan = Plan { nice: Some(1), attributes: &[Attribute::Scheduler(Scheduler::Fifo(1))], ..plain() };
    let backend = Solaris::new(SimKernel::new());
    let recorder = Recorder::new(backend.sys());
    child_exec(&backend, &plan, &BIRTH, &recorder).expect("root may do that");
    let calls: Vec<_> = backend.sys().log().iter().map(|call| call.name).collect();
    let places = ["set_nice", "set_class"].map(|name| calls.iter().position(|&it| it == name));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{calls:?}");
}

#[test]
fn policies_and_operations_are_those_of_the_system() {
    let backend = Solaris::new(SimKernel::new());
    let [runtime, deadline, period] = [2, 5, 10].map(std::time::Duration::from_millis);
    let there = [Scheduler::Other, Scheduler::Fifo(1), Scheduler::RoundRobin(1)];
    let missing = [Scheduler::Idle, Scheduler::Batch, Scheduler::Deadline { runtime, deadline, period }];
    assert!(there.iter().all(|&policy| backend.has_scheduler(policy)));
    assert!(missing.iter().all(|&policy| !backend.has_scheduler(policy)));
    assert_eq!(backend.highest_priority(), 59);
    assert_eq!([SOLARIS, ILLUMOS].map(|has| has.has(Operation::FixedAddresses)), [false, true]);
}
