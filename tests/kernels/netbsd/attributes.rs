//! The attributes of NetBSD: the set of processors, the policies, and what the kernel refuses.

use std::ffi::c_ulong;

use rstest::rstest;

use forkexec_core::{Attribute, Backend, Errno, Plan, Report, Scheduler, Stage};
use forkexec_netbsd::Netbsd;

use crate::child_exec::{attributes_after, plain};
use crate::sim::SimKernel;
use crate::sim::attributes::Attributes;

const USER: u32 = 1000;

/// The attributes of a program that is started with these.
fn after(kernel: SimKernel, attributes: &[Attribute<'_>]) -> Result<Attributes, Report> {
    attributes_after(&Netbsd::new(kernel), &Plan { attributes, ..plain() })
}

#[rstest]
#[case::processors(Attribute::CpuAffinity(&[0b101]), |it: &mut Attributes| it.affinity = 0b101)]
#[case::normal(Attribute::Scheduler(Scheduler::Other), |it: &mut Attributes| it.scheduler = (0, -1))]
#[case::lowest_fifo(Attribute::Scheduler(Scheduler::Fifo(1)), |it: &mut Attributes| it.scheduler = (1, 1))]
#[case::highest_round_robin(Attribute::Scheduler(Scheduler::RoundRobin(63)), |it: &mut Attributes| it.scheduler = (2, 63))]
fn attribute_changes_one_thing(#[case] attribute: Attribute<'static>, #[case] change: fn(&mut Attributes)) {
    let mut expected = Attributes::of_root();
    change(&mut expected);
    assert_eq!(after(SimKernel::new(), &[attribute]), Ok(expected));
}

/// The kernel takes no set that is larger than its own, and has as few as 32 processors on some machines.
#[test]
fn set_of_processors_ends_with_the_highest() {
    let backend = Netbsd::new(SimKernel::new());
    assert_eq!(backend.set_attribute(Attribute::CpuAffinity(&[1 << 7, 0])), Ok(()));
    assert_eq!(backend.sys().calls(), ["processors()", "sched_setaffinity(1)"]);
}

/// The kernel would ignore such a processor, and drop a set that has no other.
#[rstest]
#[case::alone(&[1 << 8])]
#[case::with_others(&[1 << 8 | 1])]
#[case::in_the_upper_half(&[1 << 32 | 1])]
#[case::in_the_second_word(&[1, 1])]
fn missing_processor_is_an_error_before_the_set_changes(#[case] mask: &[c_ulong]) {
    let backend = Netbsd::new(SimKernel::new());
    assert_eq!(backend.set_attribute(Attribute::CpuAffinity(mask)), Err(Errno::INVAL));
    assert_eq!(backend.sys().calls(), ["processors()"]);
}

#[test]
fn processor_above_all_sets_is_an_error_without_a_call() {
    let backend = Netbsd::new(SimKernel::new());
    let mask = [[0; 16].as_slice(), &[1]].concat();
    assert_eq!(backend.set_attribute(Attribute::CpuAffinity(&mask)), Err(Errno::INVAL));
    assert_eq!(backend.sys().calls(), [""; 0]);
}

#[rstest]
#[case::processor(Attribute::CpuAffinity(&[1 << 40]), Stage::CpuAffinity, Errno::INVAL)]
#[case::priority_above_the_highest(Attribute::Scheduler(Scheduler::Fifo(64)), Stage::Scheduler, Errno::INVAL)]
#[case::unknown_policy(Attribute::Scheduler(Scheduler::Idle), Stage::Scheduler, Errno::NOSYS)]
#[case::fixed_addresses(Attribute::FixedAddresses, Stage::FixedAddresses, Errno::NOSYS)]
fn refused_attribute_is_reported(
    #[case] attribute: Attribute<'static>,
    #[case] stage: Stage,
    #[case] errno: Errno,
) {
    assert_eq!(after(SimKernel::new(), &[attribute]), Err(Report { stage, errno, operand: 0 }));
}

#[rstest]
#[case::processors(Attribute::CpuAffinity(&[1]), Some(Stage::CpuAffinity))]
#[case::fifo(Attribute::Scheduler(Scheduler::Fifo(1)), Some(Stage::Scheduler))]
#[case::normal(Attribute::Scheduler(Scheduler::Other), None)]
fn some_attributes_need_privilege(#[case] attribute: Attribute<'static>, #[case] stage: Option<Stage>) {
    let kernel = SimKernel::new().with_process(|process| process.uid = USER);
    let refused = after(kernel, &[attribute]).map(drop).err();
    assert_eq!(refused, stage.map(|stage| Report { stage, errno: Errno::PERM, operand: 0 }));
}

#[test]
fn policies_are_those_of_posix() {
    let backend = Netbsd::new(SimKernel::new());
    let [runtime, deadline, period] = [2, 5, 10].map(std::time::Duration::from_millis);
    let there = [Scheduler::Other, Scheduler::Fifo(1), Scheduler::RoundRobin(1)];
    let missing = [Scheduler::Idle, Scheduler::Batch, Scheduler::Deadline { runtime, deadline, period }];
    assert!(there.iter().all(|&policy| backend.has_scheduler(policy)));
    assert!(missing.iter().all(|&policy| !backend.has_scheduler(policy)));
    assert_eq!(backend.highest_priority(), 63);
}
