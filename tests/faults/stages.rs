//! Each stage of a child failing over the real kernel. The parent gets the stage, the operand and the errno, and
//! nothing is left.
//!
//! No call returns that errno by itself. Three stages have no row: umask(2) cannot fail, a forked child has its own
//! table (`simulated` has both), and no single failure can keep a child from closing.

use rstest::rstest;

use forkexec_core::{
    Attribute, BpfInstruction, CHANNEL_REPLACED, CapabilitySets, Cgroup, CloseStrategy, Errno, IdMaps,
    IoPriority, LaunchError, Limit, MemoryPolicy, Move, Namespace, NamespaceSet, Plan, Report, Resource,
    Scheduler, SeccompFilter, Stage, WorkingDirectory,
};
use forkexec_tests::isolate::isolated;

use crate::failing::{Fault, Side};
use crate::launcher::{launch, launch_pretending, plan};
use crate::sim::rich::as_hook;

const UNMISTAKABLE: Errno = Errno::from_raw(libc::EXDEV);

type Ask = fn(&mut Plan<'static>);

/// The failing call of each stage, the setting of the plan, and the operand in the report.
#[rstest]
#[case::keep(Stage::KeepFds, "set_cloexec", |it: &mut Plan<'_>| it.inherit = &[2], 2)]
#[case::place(
    Stage::DupFds, "dup2", |it: &mut Plan<'_>| it.moves = const { &[Move::copy(1, 0)] }, 1)]
#[case::place_by_saving(Stage::DupFds, "dup_min", |it: &mut Plan<'_>| it.moves = const { &[Move::save(2)] }, 2)]
#[case::place_by_sharing(Stage::DupFds, "set_cloexec", |it: &mut Plan<'_>| it.moves = &[Move::ClearCloexec(1)], 1)]
#[case::place_by_closing(Stage::DupFds, "close", |it: &mut Plan<'_>| it.moves = &[Move::Close(2)], 2)]
#[case::parent_ends(Stage::DupFds, "close", |it: &mut Plan<'_>| it.moves = &[Move::CloseOpen(2)], 2)]
#[case::cgroup(Stage::Cgroup, "write", |it: &mut Plan<'_>| it.cgroup = Some(Cgroup { directory: 2, procs: 2 }), 0)]
#[case::joined_namespace(
    Stage::Namespaces, "attribute", |it: &mut Plan<'_>| it.namespaces.join = &[2], 0)]
#[case::new_namespace(
    Stage::Namespaces, "attribute", |it: &mut Plan<'_>| it.namespaces.new = NamespaceSet::EMPTY.with(Namespace::Uts), 0)]
#[case::id_map_opened(Stage::IdMaps, "open_file", |it: &mut Plan<'_>| it.namespaces.maps = Some(MAPS), 0)]
#[case::id_map_written(Stage::IdMaps, "write", |it: &mut Plan<'_>| it.namespaces.maps = Some(MAPS), 0)]
#[case::time_namespace(
    Stage::Namespaces, "attribute", |it: &mut Plan<'_>| it.namespaces.new = NamespaceSet::EMPTY.with(Namespace::Time), 0)]
#[case::clock_offsets_opened(Stage::ClockOffsets, "open_file", |it: &mut Plan<'_>| it.attributes = CLOCK, 0)]
#[case::clock_offsets_written(Stage::ClockOffsets, "write", |it: &mut Plan<'_>| it.attributes = CLOCK, 0)]
#[case::root(Stage::Chroot, "chroot", |it: &mut Plan<'_>| it.root = Some(c"/"), 0)]
#[case::directory(
    Stage::Chdir, "chdir", |it: &mut Plan<'_>| it.directory = Some(WorkingDirectory::Path(c"/")), 0)]
#[case::open_directory(
    Stage::EarlyChdir, "fchdir", |it: &mut Plan<'_>| it.early_directory = Some(WorkingDirectory::Fd(2)), 2)]
#[case::asking_about_signals(Stage::Signals, "disposition", |_: &mut Plan<'_>| (), 1)]
#[case::handled_signal(Stage::Signals, "set_disposition", |_: &mut Plan<'_>| (), HANDLED_BY_STD)]
#[case::session(Stage::Session, "setsid", |it: &mut Plan<'_>| it.session = true, 0)]
#[case::process_group(
    Stage::ProcessGroup, "set_process_group", |it: &mut Plan<'_>| it.process_group = Some(0), 0)]
#[case::terminal(Stage::Terminal, "set_controlling_tty", |it: &mut Plan<'_>| it.terminal = Some(0), 0)]
#[case::foreground(Stage::Foreground, "tcsetpgrp", |it: &mut Plan<'_>| it.foreground = Some(0), 0)]
#[case::limits(Stage::Limits, "set_limit", |it: &mut Plan<'_>| it.limits = &[NO_CORE], 0)]
#[case::nice(Stage::Nice, "set_nice", |it: &mut Plan<'_>| it.nice = Some(1), 0)]
#[case::cpu_affinity(Stage::CpuAffinity, "attribute", |it: &mut Plan<'_>| it.attributes = &[Attribute::CpuAffinity(&[1])], 0)]
#[case::affinity_not_read(Stage::CpuAffinity, "affinity", |it: &mut Plan<'_>| it.attributes = &[Attribute::CpuAffinity(&[1])], 0)]
#[case::scheduler(
    Stage::Scheduler, "attribute", |it: &mut Plan<'_>| it.attributes = &[Attribute::Scheduler(Scheduler::Batch)], 0)]
#[case::autogroup_opened(
    Stage::Autogroup, "open_file", |it: &mut Plan<'_>| it.attributes = &[Attribute::AutogroupNice(0)], 0)]
#[case::autogroup_written(
    Stage::Autogroup, "write", |it: &mut Plan<'_>| it.attributes = &[Attribute::AutogroupNice(0)], 0)]
#[case::memory_policy(
    Stage::MemoryPolicy, "attribute", |it: &mut Plan<'_>| it.attributes = LOCAL_MEMORY, 0)]
#[case::memory_policy_not_read(
    Stage::MemoryPolicy, "memory_policy", |it: &mut Plan<'_>| it.attributes = LOCAL_MEMORY, 0)]
#[case::io_priority(
    Stage::IoPriority, "attribute", |it: &mut Plan<'_>| it.attributes = &[Attribute::IoPriority(IoPriority::Idle)], 0)]
#[case::timer_slack(Stage::TimerSlack, "attribute", |it: &mut Plan<'_>| it.attributes = &[Attribute::TimerSlack(1)], 0)]
#[case::oom_score_opened(Stage::OomScore, "open_file", |it: &mut Plan<'_>| it.attributes = &[Attribute::OomScore(1)], 0)]
#[case::oom_score_looked_at(Stage::OomScore, "is_on_procfs", |it: &mut Plan<'_>| it.attributes = &[Attribute::OomScore(1)], 0)]
#[case::oom_score_written(Stage::OomScore, "write", |it: &mut Plan<'_>| it.attributes = &[Attribute::OomScore(1)], 0)]
#[case::fixed_addresses(
    Stage::FixedAddresses, "attribute", |it: &mut Plan<'_>| it.attributes = &[Attribute::FixedAddresses], 0)]
#[case::bounding_set(
    Stage::BoundingSet, "attribute", |it: &mut Plan<'_>| it.attributes = &[Attribute::BoundingSet(0)], 0)]
#[case::securebits(Stage::SecureBits, "attribute", |it: &mut Plan<'_>| it.attributes = &[Attribute::SecureBits(0)], 0)]
#[case::kept_capabilities(
    Stage::SecureBits, "attribute", |it: &mut Plan<'_>| it.attributes = &[Attribute::KeepCapabilities], 0)]
#[case::capabilities_read(Stage::Capabilities, "capget", |it: &mut Plan<'_>| it.attributes = NO_CAPABILITY, 0)]
#[case::capabilities(Stage::Capabilities, "attribute", |it: &mut Plan<'_>| it.attributes = NO_CAPABILITY, 0)]
#[case::session_keyring(
    Stage::SessionKeyring, "attribute", |it: &mut Plan<'_>| it.attributes = &[Attribute::SessionKeyring], 0)]
#[case::landlock(Stage::Landlock, "attribute", |it: &mut Plan<'_>| it.attributes = &[Attribute::Landlock(2)], 0)]
#[case::suspended(Stage::Suspend, "attribute", |it: &mut Plan<'_>| it.attributes = &[Attribute::Suspended], 0)]
#[case::groups(Stage::Groups, "set_groups", |it: &mut Plan<'_>| it.groups = Some(&[]), 0)]
#[case::gid(Stage::Gid, "set_gid", |it: &mut Plan<'_>| it.gid = Some(1), 0)]
#[case::uid(Stage::Uid, "set_uid", |it: &mut Plan<'_>| it.uid = Some(1), 0)]
#[case::no_new_privs(Stage::NoNewPrivs, "set_no_new_privs", |it: &mut Plan<'_>| it.no_new_privs = true, 0)]
#[case::die_with_parent(
    Stage::DieWithParent, "set_parent_death_signal", |it: &mut Plan<'_>| it.die_with_parent = Some(9), 0)]
#[case::mask(Stage::Mask, "set_mask", |_: &mut Plan<'_>| (), 0)]
#[case::pre_exec(
    Stage::PreExec, "file_id", |it: &mut Plan<'_>| it.hook = Some(as_hook(&|| Ok(()))), CHANNEL_REPLACED)]
#[case::mark_before_exec(Stage::Exec, "write", |_: &mut Plan<'_>| (), 0)]
#[case::executing_a_file(Stage::Exec, "execveat", |it: &mut Plan<'_>| it.executable = Some(2), 0)]
#[case::file_left_inheritable(Stage::Exec, "set_cloexec", |it: &mut Plan<'_>| it.executable = Some(20), 0)]
#[case::exec(Stage::Exec, "execve", |_: &mut Plan<'_>| (), 0)]
fn failed_stage_is_reported_with_its_operand(
    #[case] stage: Stage,
    #[case] name: &'static str,
    #[case] ask: Ask,
    #[case] operand: i32,
) {
    isolated(|| {
        let mut plan = plan();
        ask(&mut plan);
        let fault = Fault { side: Side::Child, name: Some(name), index: 0, errno: UNMISTAKABLE };
        let told = Err(LaunchError::Child(Report { stage, errno: UNMISTAKABLE, operand }));
        assert_eq!(launch(&plan, fault).map(|launched| launched.pid), told);
    });
}

const CLOCK: &[Attribute<'_>] = &[Attribute::ClockOffsets(b"monotonic 1 0\n")];
const MAPS: IdMaps<'_> = IdMaps { users: Some(b"0 0 1"), groups: None };

const LOCAL_MEMORY: &[Attribute<'_>] = &[Attribute::MemoryPolicy(MemoryPolicy::Local, &[])];

const NO_CAPABILITY: &[Attribute<'_>] =
    &[Attribute::Capabilities(CapabilitySets { inheritable: 0, ambient: 0, nothing_else: false })];

/// The first call is to fail: it asks whether a filter answers for the kernel. So the second one is refused.
///
/// The mark for the parent comes before the filter, which may forbid it.
#[rstest]
#[case::seccomp(Stage::Seccomp, "attribute", 1)]
#[case::mark_before_the_filter(Stage::Seccomp, "write", 0)]
fn failed_filter_is_reported(#[case] stage: Stage, #[case] name: &'static str, #[case] index: usize) {
    const ALLOW: &[BpfInstruction] = &[BpfInstruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }];
    isolated(|| {
        let filter = [Attribute::Seccomp(SeccompFilter { program: ALLOW, flags: 0 })];
        let plan = Plan { attributes: &filter, no_new_privs: true, ..plan() };
        let fault = Fault { side: Side::Child, name: Some(name), index, errno: UNMISTAKABLE };
        let told = Err(LaunchError::Child(Report { stage, errno: UNMISTAKABLE, operand: 0 }));
        assert_eq!(launch(&plan, fault).map(|launched| launched.pid), told);
    });
}

/// The lowest: the other is SIGSEGV. Both tell of a stack's overflow.
const HANDLED_BY_STD: i32 = libc::SIGBUS;

const NO_CORE: Limit = Limit { resource: Resource::CORE, soft: 0, hard: 0 };

#[test]
fn failed_limit_is_reported_by_its_index() {
    isolated(|| {
        let limits = [NO_CORE; 3];
        let fault = Fault { side: Side::Child, name: Some("set_limit"), index: 2, errno: UNMISTAKABLE };
        let told = Report { stage: Stage::Limits, errno: UNMISTAKABLE, operand: 2 };
        let launched = launch(&Plan { limits: &limits, ..plan() }, fault);
        assert_eq!(launched.map(|launched| launched.pid), Err(LaunchError::Child(told)));
    });
}

#[test]
fn incomplete_close_is_reported() {
    isolated(|| {
        let fault = Fault { side: Side::Child, name: Some("close_range"), index: 0, errno: Errno::PERM };
        let plan = Plan { close: Some(CloseStrategy::Loop), ..plan() };
        let told = Report { stage: Stage::Close, errno: Errno::OVERFLOW, operand: 0 };
        let launched = launch_pretending(Some(1 << 30), &plan, fault);
        assert_eq!(launched.map(|launched| launched.pid), Err(LaunchError::Child(told)));
    });
}

#[test]
fn table_has_a_row_for_each_stage_that_can_fail() {
    let rows = include_str!("stages.rs");
    let has_row = |stage: &Stage| rows.contains(&format!("Stage::{stage:?}, \""));
    let missing: Vec<Stage> = Stage::ORDER.into_iter().filter(|stage| !has_row(stage)).collect();
    // Linux has no jail, unveil and pledge.
    let expected = [
        Stage::UnshareFiles,
        Stage::TakeFds,
        Stage::Jail,
        Stage::Umask,
        Stage::Close,
        Stage::Unveil,
        Stage::Pledge,
    ];
    assert_eq!(missing, expected);
}
