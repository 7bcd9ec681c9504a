//! The attributes of FreeBSD and DragonFly: the calls of each, and what a release lacks.

use std::ffi::c_ulong;

use rstest::rstest;

use forkexec_core::{Attribute, Backend, Errno, Operation, Plan, Report, Scheduler, Stage, child_exec};
use forkexec_freebsd::Freebsd;

use super::{FREEBSD_12_1, FREEBSD_13_0, FREEBSD_14_3};
use crate::child_exec::{attributes_after, plain};
use crate::sim::attributes::Attributes;
use crate::sim::rich::{BIRTH, JAIL};
use crate::sim::{Recorder, SimKernel};

const USER: u32 = 1000;
const OTHER_JAIL: i32 = JAIL + 1;

fn freebsd() -> SimKernel {
    SimKernel::freebsd(FREEBSD_14_3)
}

/// The attributes of a program that is started with these.
fn after(kernel: SimKernel, attributes: &[Attribute<'_>], plan: &Plan<'_>) -> Result<Attributes, Report> {
    attributes_after(&Freebsd::new(kernel), &Plan { attributes, ..*plan })
}

#[rstest]
#[case::processors(Attribute::CpuAffinity(&[0b101]), |it: &mut Attributes| it.affinity = 0b101)]
#[case::normal(Attribute::Scheduler(Scheduler::Other), |it: &mut Attributes| it.scheduler = (3, 0))]
#[case::idle(Attribute::Scheduler(Scheduler::Idle), |it: &mut Attributes| it.scheduler = (4, 31))]
#[case::lowest_fifo(Attribute::Scheduler(Scheduler::Fifo(1)), |it: &mut Attributes| it.scheduler = (10, 30))]
#[case::highest_round_robin(Attribute::Scheduler(Scheduler::RoundRobin(31)), |it: &mut Attributes| it.scheduler = (2, 0))]
#[case::fixed_addresses(Attribute::FixedAddresses, |it: &mut Attributes| it.personality = 2)]
#[case::jail(Attribute::Jail(JAIL), |it: &mut Attributes| it.jail = Some(JAIL))]
fn attribute_changes_one_thing(#[case] attribute: Attribute<'static>, #[case] change: fn(&mut Attributes)) {
    let mut expected = Attributes::of_root();
    change(&mut expected);
    assert_eq!(after(freebsd(), &[attribute], &plain()), Ok(expected));
}

#[rstest]
#[case::normal(Scheduler::Other, (1, 0))]
#[case::idle(Scheduler::Idle, (2, 31))]
#[case::round_robin(Scheduler::RoundRobin(1), (0, 30))]
fn policy_of_dragonfly_has_its_number(#[case] scheduler: Scheduler, #[case] expected: (i32, i32)) {
    let attributes = after(SimKernel::dragonfly(), &[Attribute::Scheduler(scheduler)], &plain());
    assert_eq!(attributes.map(|attributes| attributes.scheduler), Ok(expected));
}

/// The kernel takes sets of its own size. So a set of few processors has the size that all releases know.
#[rstest]
#[case::few(&[1], 4, Ok(()))]
#[case::last_of_the_small_set(&[1, 0, 0, 1], 4, Err(Errno::INVAL))]
#[case::first_of_the_large_set(&[1, 0, 0, 0, 1], 16, Err(Errno::INVAL))]
#[case::missing(&[1 << 9], 4, Err(Errno::INVAL))]
fn set_of_processors_has_a_size_of_the_kernel(
    #[case] mask: &[c_ulong],
    #[case] words: usize,
    #[case] expected: Result<(), Errno>,
    #[values(FREEBSD_12_1, FREEBSD_14_3)] release: i32,
) {
    let backend = Freebsd::new(SimKernel::freebsd(release));
    assert_eq!(backend.set_attribute(Attribute::CpuAffinity(mask)), expected);
    assert_eq!(backend.sys().calls(), [format!("cpuset_setaffinity({words})")]);
}

#[test]
fn processor_above_all_sets_is_an_error_without_a_call() {
    let backend = Freebsd::new(freebsd());
    let mask = [[0; 16].as_slice(), &[1]].concat();
    assert_eq!(backend.set_attribute(Attribute::CpuAffinity(&mask)), Err(Errno::INVAL));
    assert_eq!(backend.sys().calls(), [""; 0]);
}

#[rstest]
#[case::no_such_jail(Attribute::Jail(OTHER_JAIL), Stage::Jail, Errno::INVAL)]
#[case::processor(Attribute::CpuAffinity(&[1 << 40]), Stage::CpuAffinity, Errno::INVAL)]
#[case::priority_above_the_highest(Attribute::Scheduler(Scheduler::Fifo(32)), Stage::Scheduler, Errno::NOSYS)]
#[case::unknown_policy(Attribute::Scheduler(Scheduler::Batch), Stage::Scheduler, Errno::NOSYS)]
#[case::attribute_of_linux(Attribute::SessionKeyring, Stage::SessionKeyring, Errno::NOSYS)]
fn refused_attribute_is_reported(
    #[case] attribute: Attribute<'static>,
    #[case] stage: Stage,
    #[case] errno: Errno,
) {
    let report = Report { stage, errno, operand: 0 };
    assert_eq!(after(freebsd(), &[attribute], &plain()), Err(report));
}

#[rstest]
#[case::jail(Attribute::Jail(JAIL), Some(Stage::Jail))]
#[case::idle(Attribute::Scheduler(Scheduler::Idle), Some(Stage::Scheduler))]
#[case::normal(Attribute::Scheduler(Scheduler::Other), None)]
#[case::processors(Attribute::CpuAffinity(&[1]), None)]
fn some_attributes_need_privilege(#[case] attribute: Attribute<'static>, #[case] stage: Option<Stage>) {
    let kernel = freebsd().with_process(|process| process.uid = USER);
    let refused = after(kernel, &[attribute], &plain()).map(drop).err();
    let report = stage.map(|stage| Report { stage, errno: Errno::PERM, operand: 0 });
    assert_eq!(refused, report);
}

/// The parent has the privilege, and the directories of the plan are those of the jail.
#[test]
fn jail_is_entered_before_the_root_and_the_ids_change() {
    let plan = Plan { root: Some(c"/"), uid: Some(USER), ..plain() };
    let attributes = [Attribute::CpuAffinity(&[1]), Attribute::Jail(JAIL)];
    let backend = Freebsd::new(freebsd());
    let recorder = Recorder::new(backend.sys());
    child_exec(&backend, &Plan { attributes: &attributes, ..plan }, &BIRTH, &recorder)
        .expect("root may do that");
    let calls: Vec<_> = backend.sys().log().iter().map(|call| call.name).collect();
    let places = ["jail_attach", "chroot", "cpuset_setaffinity", "set_uid"]
        .map(|name| calls.iter().position(|&it| it == name));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{calls:?}");
}

/// The parent asks once.
#[rstest]
#[case::freebsd_12_1(SimKernel::freebsd(FREEBSD_12_1), false, 1)]
#[case::freebsd_13_0(SimKernel::freebsd(FREEBSD_13_0), true, 1)]
#[case::dragonfly(SimKernel::dragonfly(), false, 0)]
fn fixed_addresses_depend_on_the_release(#[case] kernel: SimKernel, #[case] has: bool, #[case] asked: usize) {
    let backend = Freebsd::new(kernel);
    assert_eq!([0; 3].map(|_| backend.has(Operation::FixedAddresses)), [has; 3]);
    assert_eq!(backend.sys().calls(), vec!["aslr()"; asked]);
    assert!(backend.has(Operation::Jail) && backend.has(Operation::Scheduler));
}

/// The kernel of DragonFly ignores processors that do not exist. So the child reads the set back.
#[rstest]
#[case::some(&[0b101], Ok(()), 2)]
#[case::one_is_missing(&[1 << 9 | 1], Err(Errno::INVAL), 2)]
#[case::all_are_missing(&[1 << 9], Err(Errno::INVAL), 1)]
#[case::one_is_above_the_set(&[1, 0, 0, 0, 1], Err(Errno::INVAL), 0)]
fn set_of_dragonfly_is_read_back(
    #[case] mask: &[c_ulong],
    #[case] expected: Result<(), Errno>,
    #[case] calls: usize,
) {
    let backend = Freebsd::new(SimKernel::dragonfly());
    assert_eq!(backend.set_attribute(Attribute::CpuAffinity(mask)), expected);
    assert_eq!(backend.sys().calls(), ["cpuset_setaffinity(4)", "getaffinity()"][..calls]);
}

#[rstest]
#[case::freebsd_12_1(SimKernel::freebsd(FREEBSD_12_1))]
#[case::freebsd_14_3(freebsd())]
#[case::freebsd_with_many_processors(freebsd().refusing_some("getaffinity", 0..1, Errno::from_raw(34)))]
#[case::dragonfly(SimKernel::dragonfly())]
fn processors_of_the_parent_are_found(#[case] kernel: SimKernel) {
    let backend = Freebsd::new(kernel);
    let mut mask = [0; 128];
    assert_eq!(backend.processors(&mut mask), Ok(()));
    assert_eq!((mask[0], mask[1..].iter().max()), (0xff, Some(&0)));
}

/// A release that the parent could not ask may still lack it.
#[test]
fn unknown_command_of_procctl_is_a_missing_call() {
    let report = Report { stage: Stage::FixedAddresses, errno: Errno::NOSYS, operand: 0 };
    let kernel = SimKernel::freebsd(FREEBSD_12_1);
    assert_eq!(after(kernel, &[Attribute::FixedAddresses], &plain()), Err(report));
}

#[rstest]
#[case::freebsd(freebsd(), [true, true, true, true, false, false])]
#[case::dragonfly(SimKernel::dragonfly(), [true, true, true, false, false, false])]
fn policies_are_those_of_the_system(#[case] kernel: SimKernel, #[case] expected: [bool; 6]) {
    let backend = Freebsd::new(kernel);
    let [runtime, deadline, period] = [2, 5, 10].map(std::time::Duration::from_millis);
    let policies = [
        Scheduler::Other,
        Scheduler::Idle,
        Scheduler::RoundRobin(1),
        Scheduler::Fifo(1),
        Scheduler::Batch,
        Scheduler::Deadline { runtime, deadline, period },
    ];
    assert_eq!(policies.map(|policy| backend.has_scheduler(policy)), expected);
    assert_eq!(backend.highest_priority(), 31);
}
