//! The attributes that only Linux has: the calls of each, what is verified, and what a refusal does.

use forkexec_core::{
    Attribute, Backend, CapabilitySets, ChildContext, Errno, Fd, IoPriority, Namespace, NamespaceSet,
    Namespaces, Operation, Plan, Report, Scheduler, SeccompFilter, Stage, child_exec,
};
use forkexec_core::{BpfInstruction, KeepList, MemoryPolicy};
use forkexec_linux::{CapabilityMasks, Deadline, Linux};
use rstest::rstest;
use std::time::Duration;

use crate::child_exec::{plain, run};
use crate::sim::attributes::{ALL, Attributes};
use crate::sim::rich::BIRTH;
use crate::sim::{File, Recorder, SimKernel};

const ALLOW: BpfInstruction = BpfInstruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 };
const FILTER: SeccompFilter<'_> = SeccompFilter { program: &[ALLOW], flags: 0 };
const DEADLINE: Scheduler = Scheduler::Deadline {
    runtime: Duration::from_millis(2),
    deadline: Duration::from_millis(5),
    period: Duration::from_millis(10),
};
const CHOWN: u64 = 1;
const KILL: u64 = 1 << 5;
const USER: u32 = 1000;
/// A ruleset of the parent.
const RULESET: Fd = 20;

fn sets(inheritable: u64, ambient: u64, nothing_else: bool) -> CapabilitySets {
    CapabilitySets { inheritable, ambient, nothing_else }
}

fn kernel() -> SimKernel {
    SimKernel::new().with_files(&[RULESET], File::Ruleset, true)
}

fn after(attributes: &[Attribute<'_>], plan: &Plan<'_>) -> Result<Attributes, Report> {
    let plan = Plan { attributes, ..*plan };
    run(kernel(), &plan).result.map(|executed| executed.process.attributes)
}

#[rstest]
#[case::processors(Attribute::CpuAffinity(&[0b101]), |it: &mut Attributes| it.affinity = 0b101)]
#[case::policy(Attribute::Scheduler(Scheduler::Other), |it: &mut Attributes| it.scheduler = (0, 0))]
#[case::batch(Attribute::Scheduler(Scheduler::Batch), |it: &mut Attributes| it.scheduler = (3, 0))]
#[case::idle(Attribute::Scheduler(Scheduler::Idle), |it: &mut Attributes| it.scheduler = (5, 0))]
#[case::fifo(Attribute::Scheduler(Scheduler::Fifo(10)), |it: &mut Attributes| it.scheduler = (1, 10))]
#[case::round_robin(Attribute::Scheduler(Scheduler::RoundRobin(99)), |it: &mut Attributes| it.scheduler = (2, 99))]
#[case::deadline(
    Attribute::Scheduler(DEADLINE),
    |it: &mut Attributes| it.deadline = Some(Deadline { runtime: 2_000_000, deadline: 5_000_000, period: 10_000_000 })
)]
#[case::autogroup(Attribute::AutogroupNice(19), |it: &mut Attributes| it.autogroup_nice = 19)]
#[case::memory_preferred(Attribute::MemoryPolicy(MemoryPolicy::Preferred, &[2]), |it: &mut Attributes| it.memory_policy = (1, 2))]
#[case::memory_bound(Attribute::MemoryPolicy(MemoryPolicy::Bind, &[3]), |it: &mut Attributes| it.memory_policy = (2, 3))]
#[case::memory_interleaved(
    Attribute::MemoryPolicy(MemoryPolicy::Interleave, &[3]), |it: &mut Attributes| it.memory_policy = (3, 3)
)]
#[case::memory_local(Attribute::MemoryPolicy(MemoryPolicy::Local, &[]), |it: &mut Attributes| it.memory_policy = (4, 0))]
#[case::io_realtime(Attribute::IoPriority(IoPriority::RealTime(3)), |it: &mut Attributes| it.io_priority = 0x2003)]
#[case::io_best_effort(Attribute::IoPriority(IoPriority::BestEffort(7)), |it: &mut Attributes| it.io_priority = 0x4007)]
#[case::io_idle(Attribute::IoPriority(IoPriority::Idle), |it: &mut Attributes| it.io_priority = 0x6000)]
#[case::timer_slack(Attribute::TimerSlack(7), |it: &mut Attributes| it.timer_slack = 7)]
#[case::oom_score(Attribute::OomScore(-17), |it: &mut Attributes| it.oom_score = -17)]
#[case::fixed_addresses(Attribute::FixedAddresses, |it: &mut Attributes| it.personality = 0x0004_0000)]
#[case::bounding_set(Attribute::BoundingSet(KILL), |it: &mut Attributes| it.bounding = KILL)]
#[case::securebits(Attribute::SecureBits(3), |it: &mut Attributes| it.securebits = 3)]
#[case::inheritable(Attribute::Capabilities(sets(CHOWN, 0, false)), |it: &mut Attributes| it.masks.inheritable = CHOWN)]
#[case::ambient(
    Attribute::Capabilities(sets(CHOWN | KILL, KILL, false)),
    |it: &mut Attributes| (it.masks.inheritable, it.ambient) = (CHOWN | KILL, KILL)
)]
#[case::nothing_else(
    Attribute::Capabilities(sets(CHOWN | KILL, KILL, true)),
    |it: &mut Attributes| {
        it.masks = CapabilityMasks { effective: KILL, permitted: CHOWN | KILL, inheritable: CHOWN | KILL };
        it.ambient = KILL;
    }
)]
#[case::keyring(Attribute::SessionKeyring, |it: &mut Attributes| it.keyrings_left = 1)]
#[case::landlock(Attribute::Landlock(RULESET), |it: &mut Attributes| it.rulesets = 1)]
#[case::seccomp(Attribute::Seccomp(FILTER), |it: &mut Attributes| it.filters = vec![1])]
#[case::suspended(Attribute::Suspended, |it: &mut Attributes| it.is_traced = true)]
fn attribute_changes_one_thing(#[case] attribute: Attribute<'static>, #[case] change: fn(&mut Attributes)) {
    let mut expected = Attributes::of_root();
    change(&mut expected);
    assert_eq!(after(&[attribute], &plain()), Ok(expected));
}

const CLOCK: Attribute<'_> = Attribute::ClockOffsets(b"monotonic -1 0\n");

/// A launcher that created the child with its other namespaces leaves this one to the child.
#[rstest]
#[case::of_the_start(true, NamespaceSet::EMPTY)]
#[case::of_the_child(false, NamespaceSet::EMPTY.with(Namespace::Uts))]
fn child_creates_its_time_namespace(#[case] in_namespaces: bool, #[case] besides: NamespaceSet) {
    let new = NamespaceSet::EMPTY.with(Namespace::Uts).with(Namespace::Time);
    let clock = [Attribute::ClockOffsets(b"monotonic 60 0\n")];
    let plan =
        Plan { attributes: &clock, namespaces: Namespaces { new, ..Namespaces::default() }, ..plain() };
    let backend = Linux::new(kernel());
    let recorder = Recorder::new(backend.sys());
    let context = ChildContext { in_namespaces, ..BIRTH };
    let executed = child_exec(&backend, &plan, &context, &recorder).expect("root may do that");
    let attributes = executed.process.attributes;
    assert_eq!(attributes.unshared, besides.with(Namespace::Time));
    assert_eq!(attributes.clock_offsets, "monotonic 60 0\n");
}

#[rstest]
#[case::without_a_new_namespace(NamespaceSet::EMPTY, 0, Errno::ACCES)]
#[case::below_zero(NamespaceSet::EMPTY.with(Namespace::Time), 0, Errno::from_raw(libc::ERANGE))]
fn clock_that_cannot_be_set_is_reported(
    #[case] new: NamespaceSet,
    #[case] operand: i32,
    #[case] errno: Errno,
) {
    let namespaces = Namespaces { new, ..Namespaces::default() };
    let attributes = match errno {
        Errno::ACCES => [Attribute::ClockOffsets(b"boottime 1 0\n")],
        _ => [CLOCK],
    };
    let plan = Plan { namespaces, attributes: &attributes, ..plain() };
    let report = Report { stage: Stage::ClockOffsets, errno, operand };
    assert_eq!(run(kernel(), &plan).result.map(drop), Err(report));
}

/// Before Linux 6.2, exec left the process where it was.
#[rstest]
#[case::first("6.2.0", true)]
#[case::later("7.0.0-rc3", true)]
#[case::old("6.1.140-1-amd64", false)]
#[case::older("5.19.17", false)]
#[case::unreadable("generic", false)]
fn time_namespace_depends_on_the_release(#[case] release: &'static str, #[case] has: bool) {
    let backend = Linux::new(kernel().with(|state| state.kernel_release = release));
    assert_eq!(backend.has(Operation::TimeNamespace), has);
    assert!(backend.has(Operation::Namespaces));
}

#[test]
fn unknown_release_creates_no_time_namespace() {
    let backend = Linux::new(kernel().refusing("kernel_release", Errno::PERM));
    assert!(!backend.has(Operation::TimeNamespace));
}

/// Each stage sets its attributes, in whatever order the plan lists them.
#[test]
fn stages_order_the_attributes() {
    let attributes = [
        Attribute::Seccomp(FILTER),
        Attribute::Landlock(RULESET),
        Attribute::Capabilities(sets(CHOWN, CHOWN, true)),
        Attribute::KeepCapabilities,
        Attribute::BoundingSet(CHOWN),
        Attribute::CpuAffinity(&[1]),
    ];
    let plan = Plan { attributes: &attributes, uid: Some(USER), no_new_privs: true, ..plain() };
    let ran = run(kernel(), &plan);
    let calls: Vec<_> = ran.backend.sys().log().iter().map(|call| call.name).collect();
    let place = |name: &str| calls.iter().position(|&call| call == name);
    let wanted = [
        "set_affinity",
        "drop_from_bounding_set",
        "keep_capabilities",
        "set_uid",
        "capset",
        "set_no_new_privs",
    ];
    let wanted: Vec<_> =
        wanted.into_iter().chain(["close_range", "restrict_self", "set_seccomp_filter", "execve"]).collect();
    assert!(wanted.iter().all(|name| place(name).is_some()), "{calls:?}");
    assert!(wanted.iter().map(|name| place(name)).is_sorted(), "{calls:?}");
}

/// A filter may trap each call of the exec. So the child makes them before a trap would stop it.
#[test]
fn suspended_child_makes_the_calls_of_its_exec_before() {
    let plan = Plan { attributes: &[Attribute::Suspended], ..plain() };
    let ran = run(kernel(), &plan);
    let log = ran.backend.sys().log();
    let calls: Vec<_> = log.iter().map(ToString::to_string).collect();
    let wanted = ["pause(0)", "execve()", "set_mask()", "trace_me()", "trace_me()", "execve(/bin/prog)"];
    assert!(calls.ends_with(&wanted.map(str::to_owned)), "{calls:?}");
    let before = ran.result.expect("nothing is refused").process;
    assert!(before.attributes.is_traced);
}

#[test]
fn suspended_child_tries_its_open_file_before() {
    let plan = Plan { attributes: &[Attribute::Suspended], executable: Some(RULESET), ..plain() };
    let ran = run(kernel(), &plan);
    let calls: Vec<_> = ran.backend.sys().log().iter().map(ToString::to_string).collect();
    let place = |name: &str| calls.iter().position(|call| call == name);
    let wanted = ["set_cloexec(20, 1)", "execveat(-1)", "trace_me()"];
    assert!(wanted.iter().all(|name| place(name).is_some()), "{calls:?}");
    assert!(wanted.iter().map(|name| place(name)).is_sorted(), "{calls:?}");
}

#[test]
fn other_user_keeps_its_ambient_capabilities_alone() {
    let kept = [Attribute::KeepCapabilities, Attribute::Capabilities(sets(KILL, KILL, true))];
    let attributes = after(&kept, &Plan { uid: Some(USER), ..plain() }).expect("root may do that");
    let masks = CapabilityMasks { effective: KILL, permitted: KILL, inheritable: KILL };
    assert_eq!((attributes.masks, attributes.ambient), (masks, KILL));
}

/// The program gets the ruleset only if the plan keeps it.
#[rstest]
#[case::closed(&[], false)]
#[case::kept(&[RULESET], true)]
fn ruleset_stays_open_only_if_it_is_kept(#[case] keep: &'static [Fd], #[case] is_open: bool) {
    let keep = KeepList::new(keep).expect("the list is sorted");
    let plan = Plan { attributes: &[Attribute::Landlock(RULESET)], keep, ..plain() };
    let executed =
        run(kernel().with_files(&[RULESET], File::Ruleset, false), &plan).result.expect("nothing is refused");
    assert_eq!(executed.fds().contains(&RULESET), is_open);
}

#[rstest]
#[case::no_such_processor(Attribute::CpuAffinity(&[1 << 9]), Stage::CpuAffinity)]
#[case::one_processor_too_many(Attribute::CpuAffinity(&[1 << 9 | 1]), Stage::CpuAffinity)]
#[case::processor_of_the_second_word(Attribute::CpuAffinity(&[1, 1]), Stage::CpuAffinity)]
#[case::one_node_too_many(Attribute::MemoryPolicy(MemoryPolicy::Bind, &[0b111]), Stage::MemoryPolicy)]
#[case::node_of_the_second_word(Attribute::MemoryPolicy(MemoryPolicy::Bind, &[1, 1]), Stage::MemoryPolicy)]
#[case::no_such_node(Attribute::MemoryPolicy(MemoryPolicy::Bind, &[0b100]), Stage::MemoryPolicy)]
fn processor_that_does_not_exist_is_an_error(#[case] attribute: Attribute<'static>, #[case] stage: Stage) {
    assert_eq!(after(&[attribute], &plain()), Err(Report { stage, errno: Errno::INVAL, operand: 0 }));
}

/// Faults: S14
#[rstest]
#[case::bounding_set("drop_from_bounding_set", Attribute::BoundingSet(KILL))]
#[case::reading_the_bounding_set("is_in_bounding_set", Attribute::BoundingSet(KILL))]
#[case::securebits("set_securebits", Attribute::SecureBits(3))]
#[case::capabilities("capset", Attribute::Capabilities(sets(KILL, KILL, true)))]
#[case::ambient("raise_ambient", Attribute::Capabilities(sets(KILL, KILL, false)))]
#[case::ruleset("restrict_self", Attribute::Landlock(RULESET))]
#[case::filter("set_seccomp_filter", Attribute::Seccomp(FILTER))]
#[case::tracing("trace_me", Attribute::Suspended)]
fn pretended_success_is_an_error(#[case] call: &'static str, #[case] attribute: Attribute<'static>) {
    let kernel = kernel().pretending(call);
    let answer = Linux::new(kernel).set_attribute(attribute);
    assert_eq!(answer, Err(Errno::PERM));
}

/// The question whether a filter answers for the kernel is about a number that no descriptor has.
#[test]
fn ruleset_may_have_the_number_of_a_stream() {
    let kernel = kernel().without_open(&[1]).with_files(&[1], File::Ruleset, false);
    assert_eq!(Linux::new(kernel).set_attribute(Attribute::Landlock(1)), Ok(()));
}

/// The parent has it already.
#[test]
fn fixed_addresses_of_the_parent_stay() {
    const FIXED: u32 = 0x0004_0000;
    let kernel = kernel().with_process(|process| process.attributes.personality = FIXED);
    let plan = Plan { attributes: &[Attribute::FixedAddresses], ..plain() };
    let executed = run(kernel, &plan).result.expect("nothing is refused");
    assert_eq!(executed.process.attributes.personality, FIXED);
}

/// A filter that answers 0 leaves the policy as it is.
#[test]
fn pretended_memory_policy_is_an_error() {
    let kernel = kernel().pretending("set_memory_policy");
    let answer = Linux::new(kernel).set_attribute(Attribute::MemoryPolicy(MemoryPolicy::Local, &[]));
    assert_eq!(answer, Err(Errno::INVAL));
}

/// The kernel lowers an ambient capability that is not inheritable any more, and keeps this one.
#[test]
fn ambient_capability_of_the_parent_is_cleared() {
    let kernel = kernel().with_process(|process| {
        process.attributes.masks.inheritable = CHOWN;
        process.attributes.ambient = CHOWN;
    });
    let plan = Plan { attributes: &[Attribute::Capabilities(sets(CHOWN, 0, false))], ..plain() };
    let executed = run(kernel, &plan).result.expect("nothing is refused");
    assert_eq!(executed.process.attributes.ambient, 0);
}

/// Only a change that is needed is made: the ambient set is empty.
///
/// Faults: S14
#[test]
fn ambient_capability_that_cannot_be_cleared_is_an_error() {
    let kernel = kernel().pretending("clear_ambient").with_process(|process| {
        process.attributes.masks.inheritable = CHOWN;
        process.attributes.ambient = CHOWN;
    });
    let answer = Linux::new(kernel).set_attribute(Attribute::Capabilities(sets(CHOWN, 0, false)));
    assert_eq!(answer, Err(Errno::PERM));
}

/// `EINVAL` ends the loop over the capabilities only where a kernel may end: no release since 2.6.25 has fewer than 34.
#[rstest]
#[case::at_the_first(0, Err(Errno::INVAL))]
#[case::below_the_oldest_kernel(33, Err(Errno::INVAL))]
#[case::above_the_oldest_kernel(34, Ok(()))]
fn bounding_set_ends_only_where_a_kernel_may_end(#[case] number: u32, #[case] answer: Result<(), Errno>) {
    let kernel = kernel().refusing("is_in_bounding_set", Errno::INVAL);
    let below = (1 << number) - 1;
    assert_eq!(Linux::new(kernel).set_attribute(Attribute::BoundingSet(below)), answer);
}

/// The kernel has 41 capabilities. A filter says that one of them does not exist, and a higher one is kept.
///
/// Faults: S14
#[test]
fn hidden_capability_below_one_that_is_kept_is_an_error() {
    const HIDDEN: u32 = 38;
    let kernel = kernel().refusing_some("is_in_bounding_set", 0..1, Errno::INVAL);
    let answer = Linux::new(kernel).set_attribute(Attribute::BoundingSet(!(1 << HIDDEN)));
    assert_eq!(answer, Err(Errno::PERM));
}

#[rstest]
#[case::of_all(u64::MAX, 0, 1)]
#[case::of_all_that_exist(ALL, 0, 24)]
#[case::of_all_but_one(!CHOWN, 1, 3)]
fn whole_bounding_set_costs_few_calls(#[case] left: u64, #[case] dropped: usize, #[case] asked: usize) {
    let backend = Linux::new(kernel());
    assert_eq!(backend.set_attribute(Attribute::BoundingSet(left)), Ok(()));
    let calls = |name| backend.sys().calls_of(name).len();
    assert_eq!([calls("drop_from_bounding_set"), calls("is_in_bounding_set")], [dropped, asked]);
}

#[rstest]
#[case::closed_on_success(None, Ok(()))]
#[case::closed_on_failure(Some(("write", Errno::ACCES)), Err(Errno::ACCES))]
#[case::not_on_procfs(Some(("is_on_procfs", Errno::IO)), Err(Errno::IO))]
fn file_of_the_oom_score_is_closed(
    #[case] refused: Option<(&'static str, Errno)>,
    #[case] answer: Result<(), Errno>,
) {
    let kernel = refused.into_iter().fold(kernel(), |it, (call, errno)| it.refusing(call, errno));
    let before = kernel.open_fds();
    let backend = Linux::new(kernel);
    assert_eq!(backend.set_attribute(Attribute::OomScore(5)), answer);
    assert_eq!(backend.sys().open_fds(), before);
}
