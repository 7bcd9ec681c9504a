//! The plans: between them each stage, stream, kind of move and way to a program.

use std::ffi::c_ulong;
use std::fs;

use forkexec_core::{
    Access, Attribute, Autoreap, BpfInstruction, CStrArray, CapabilitySets, Cgroup, CloseStrategy, Errno,
    Exec, Fd, HookError, IoPriority, KeepList, Limit, Mask, MemoryPolicy, Move, Plan, Reopen, Resource,
    Scheduler, SeccompFilter, ShellFallback, SignalSet, WorkingDirectory,
};
use forkexec_tests::probe::{Ids, Seen};
use forkexec_tests::world;

use crate::sim::rich::as_hook;

use super::ground::{
    DIRECTORY, Ground, HIGH, KEPT, PARENTS, PROCS, REPORT, RING, RULESET, SECRETS, reporting,
};

/// A plan, and its result without failures.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) plan: Plan<'static>,
    /// The descriptors that the program is to have.
    pub(super) granted: Vec<Fd>,
    /// The errno of execve for each candidate.
    pub(super) answers: &'static [Option<Errno>],
    /// Returns true if the program has the other settings.
    pub(super) is_as_asked: fn(&Seen) -> bool,
}

const STREAMS: &[Move] = &[Move::copy(REPORT, 1), Move::ClearCloexec(0), Move::ClearCloexec(2)];
const LOWERED: Limit = Limit { resource: Resource::NOFILE, soft: 400, hard: 600 };
const NO_CORE: Limit = Limit { resource: Resource::CORE, soft: 0, hard: 0 };
/// An unprivileged user and two groups. They need no entry in any database.
const USER: u32 = 65_123;
const GROUP: u32 = 65_124;
const OTHERS: &[u32] = &[65_125, 65_126];

/// All settings that this process can use. Settings for the superuser are left out without privileges.
pub(super) fn rows(ground: &Ground) -> Vec<Row> {
    let mut rows = vec![
        plain(ground),
        session(ground),
        group(ground),
        kept(ground),
        high(ground),
        ring(ground),
        ring_of_others(ground),
        ends(ground),
        everything_inheritable(ground),
        search(ground),
        by_shell(ground),
        missing(ground),
        closure(ground),
        control_group(ground),
        autoreaped(ground),
        attributes(ground),
    ];
    if world::is_root() {
        rows.push(every_id(ground));
    }
    rows
}

/// Three streams.
pub(super) fn plain(ground: &Ground) -> Row {
    let candidates = Box::leak(Box::new([ground.probe]));
    let exec = Exec { candidates, argv: ground.argv, env: Some(CStrArray::EMPTY), shell: None };
    Row {
        name: "plain",
        plan: Plan { moves: STREAMS, timed: true, ..Plan::new(exec) },
        granted: vec![0, 1, 2],
        answers: &[None],
        is_as_asked: |_| true,
    }
}

fn session(ground: &Ground) -> Row {
    let row = plain(ground);
    let plan = Plan {
        early_directory: Some(WorkingDirectory::Fd(DIRECTORY)),
        umask: Some(0o027),
        reset: (1..=64).filter(|signal| *signal != libc::SIGHUP).collect(),
        ignore: SignalSet::EMPTY.with(libc::SIGHUP),
        session: true,
        limits: &[NO_CORE],
        nice: Some(1),
        no_new_privs: true,
        die_with_parent: Some(libc::SIGTERM),
        mask: Mask::Set(SignalSet::EMPTY.with(libc::SIGUSR2)),
        ..row.plan
    };
    let is_as_asked = |seen: &Seen| {
        let places = (seen.sid == seen.pid, seen.umask, seen.nice, seen.no_new_privs, seen.pdeathsig);
        let signals = (&seen.blocked[..], &seen.ignored[..]);
        places == (true, 0o027, 1, true, libc::SIGTERM) && signals == (&[libc::SIGUSR2], &[libc::SIGHUP])
    };
    Row { name: "session", plan, is_as_asked, ..row }
}

fn group(ground: &Ground) -> Row {
    let row = plain(ground);
    let plan = Plan {
        directory: Some(WorkingDirectory::Path(c"/")),
        process_group: Some(0),
        limits: &[NO_CORE, LOWERED],
        ..row.plan
    };
    let is_as_asked = |seen: &Seen| seen.pgid == seen.pid && seen.limits["nofile"] == (400, 600);
    Row { name: "group", plan, is_as_asked, ..row }
}

/// The superuser's.
fn every_id(ground: &Ground) -> Row {
    let row = plain(ground);
    let plan = Plan {
        root: Some(c"/"),
        groups: Some(OTHERS),
        gid: Some(GROUP),
        uid: Some(USER),
        no_new_privs: true,
        die_with_parent: Some(libc::SIGTERM),
        ..row.plan
    };
    let is_as_asked = |seen: &Seen| {
        let ids = (seen.uids, seen.gids, &seen.groups[..]);
        ids == (Ids::all(USER), Ids::all(GROUP), OTHERS) && seen.pdeathsig == libc::SIGTERM
    };
    Row { name: "every id", plan, is_as_asked, ..row }
}

fn keep(fds: &'static [Fd]) -> KeepList<'static> {
    KeepList::new(fds).expect("the list is sorted")
}

fn kept(ground: &Ground) -> Row {
    let row = plain(ground);
    let plan = Plan { keep: keep(&KEPT), inherit: &[KEPT[1]], ..row.plan };
    Row { name: "kept", plan, granted: vec![0, 1, 2, KEPT[0], KEPT[1]], ..row }
}

/// A high source that may be opened anew, and a high kept descriptor.
fn high(ground: &Ground) -> Row {
    const MOVES: &[Move] =
        &[Move::copy(REPORT, 1), Move::ClearCloexec(0), Move::ClearCloexec(2), Move::copy(HIGH[0], 5)];
    let row = plain(ground);
    let plan = Plan {
        keep: keep(&[5, HIGH[1]]),
        inherit: &[HIGH[1]],
        placed: &[5],
        moves: MOVES,
        reopen: &[Reopen { fd: HIGH[0], access: Access::Read }],
        ..row.plan
    };
    let is_as_asked = |seen: &Seen| differ(seen, [5, HIGH[1]]);
    Row { name: "high", plan, granted: vec![0, 1, 2, 5, HIGH[1]], is_as_asked, ..row }
}

/// Two that change places.
fn ring(ground: &Ground) -> Row {
    const MOVES: &[Move] = &[
        Move::copy(REPORT, 1),
        Move::ClearCloexec(0),
        Move::ClearCloexec(2),
        Move::save(RING[0]),
        Move::copy(RING[1], RING[0]),
        Move::RestoreTemp(RING[1]),
    ];
    let row = plain(ground);
    let plan = Plan { keep: keep(&RING), placed: &RING, moves: MOVES, ..row.plan };
    let granted = vec![0, 1, 2, RING[0], RING[1]];
    // Standard input is the file that the first of the two had before.
    let is_as_asked = |seen: &Seen| seen.facts[&RING[1]].ino == seen.facts[&0].ino && differ(seen, RING);
    Row { name: "ring", plan, granted, is_as_asked, ..row }
}

/// The saved copy has to leave numbers that are targets.
fn ring_of_others(ground: &Ground) -> Row {
    const MOVES: &[Move] = &[
        Move::copy(REPORT, 1),
        Move::ClearCloexec(0),
        Move::ClearCloexec(2),
        Move::save(RING[0]),
        Move::copy(RING[1], 3),
        Move::RestoreTemp(4),
        Move::copy(KEPT[0], 6),
    ];
    let row = plain(ground);
    let plan = Plan { keep: keep(&[3, 4, 6]), placed: &[3, 4, 6], moves: MOVES, ..row.plan };
    let is_as_asked = |seen: &Seen| seen.facts[&4].ino == seen.facts[&0].ino && differ(seen, [3, 4]);
    Row { name: "ring of others", plan, granted: vec![0, 1, 2, 3, 4, 6], is_as_asked, ..row }
}

fn differ(seen: &Seen, fds: [Fd; 2]) -> bool {
    seen.facts[&fds[0]].ino != seen.facts[&fds[1]].ino
}

fn ends(ground: &Ground) -> Row {
    const MOVES: &[Move] = &[Move::CloseOpen(PARENTS), Move::Close(0), Move::copy(REPORT, 1), Move::Close(2)];
    let row = plain(ground);
    let plan = Plan { moves: MOVES, ..row.plan };
    Row { name: "ends", plan, granted: vec![1], ..row }
}

/// Nothing is closed: the program has all that is inheritable.
fn everything_inheritable(ground: &Ground) -> Row {
    let row = plain(ground);
    let mut granted = [&[0, 1, 2, KEPT[0], RING[0]], &SECRETS[..]].concat();
    granted.sort_unstable();
    Row { name: "everything inheritable", plan: Plan { close: None, ..row.plan }, granted, ..row }
}

fn search(ground: &Ground) -> Row {
    let row = plain(ground);
    let candidates = Box::leak(Box::new([c"/no/such/program", c"/dev/null/program", ground.probe]));
    let exec = Exec { candidates, ..row.plan.exec };
    let answers = &[Some(Errno::NOENT), Some(Errno::NOTDIR), None];
    Row { name: "search", plan: Plan { exec, ..row.plan }, answers, ..row }
}

/// The shell is the probe.
fn by_shell(ground: &Ground) -> Row {
    let row = plain(ground);
    let candidates = Box::leak(Box::new([ground.script_file]));
    let argvs = Box::leak(Box::new([reporting(ground.probe, &[ground.script_file])]));
    let shell = Some(ShellFallback { shell: ground.probe, argvs });
    let exec = Exec { candidates, shell, ..row.plan.exec };
    let is_as_asked =
        |seen: &Seen| seen.args.last().is_some_and(|arg| arg.to_string_lossy().ends_with("script"));
    Row {
        name: "shell",
        plan: Plan { exec, ..row.plan },
        answers: &[Some(Errno::NOEXEC)],
        is_as_asked,
        ..row
    }
}

fn missing(ground: &Ground) -> Row {
    let row = plain(ground);
    let exec = Exec { candidates: &[c"/no/such/program", c"/"], ..row.plan.exec };
    let answers = &[Some(Errno::NOENT), Some(Errno::ACCES)];
    Row { name: "missing", plan: Plan { exec, ..row.plan }, answers, ..row }
}

fn closure(ground: &Ground) -> Row {
    #[expect(clippy::unnecessary_wraps, reason = "the signature of a hook")]
    fn succeed() -> Result<(), HookError> {
        Ok(())
    }
    let row = plain(ground);
    Row { name: "closure", plan: Plan { hook: Some(as_hook(&succeed)), ..row.plan }, ..row }
}

/// Without clone3, each child enters the group itself.
fn control_group(ground: &Ground) -> Row {
    let row = plain(ground);
    let cgroup = Some(Cgroup { directory: DIRECTORY, procs: PROCS });
    Row { name: "control group", plan: Plan { cgroup, ..row.plan }, ..row }
}

/// On a kernel before Linux 7.1 it is an ordinary child.
fn autoreaped(ground: &Ground) -> Row {
    let row = plain(ground);
    let plan = Plan { autoreap: Some(Autoreap::Reap), no_new_privs: true, ..row.plan };
    Row { name: "autoreaped", plan, is_as_asked: |seen| seen.no_new_privs, ..row }
}

/// Those that need no privilege. A ruleset needs Landlock.
fn attributes(ground: &Ground) -> Row {
    const ALLOW: &[BpfInstruction] = &[BpfInstruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }];
    let row = plain(ground);
    let bits = c_ulong::BITS as usize;
    let processor = world::processor();
    let mut mask = vec![0; processor / bits + 1];
    mask[processor / bits] = 1 << (processor % bits);
    let no_capability = CapabilitySets { inheritable: 0, ambient: 0, nothing_else: false };
    let ruleset = fs::exists(format!("/proc/self/fd/{RULESET}")).unwrap_or(false);
    let attributes = [
        Some(Attribute::CpuAffinity(mask.leak())),
        Some(Attribute::Scheduler(Scheduler::Batch)),
        Some(Attribute::IoPriority(IoPriority::Idle)),
        Some(Attribute::MemoryPolicy(MemoryPolicy::Local, &[])),
        Some(Attribute::TimerSlack(1)),
        Some(Attribute::OomScore(1000)),
        Some(Attribute::FixedAddresses),
        Some(Attribute::Capabilities(no_capability)),
        Some(Attribute::SessionKeyring),
        ruleset.then_some(Attribute::Landlock(RULESET)),
        Some(Attribute::Seccomp(SeccompFilter { program: ALLOW, flags: 0 })),
    ];
    let attributes: Vec<_> = attributes.into_iter().flatten().collect();
    let plan = Plan { attributes: attributes.leak(), no_new_privs: true, ..row.plan };
    Row { name: "attributes", plan, is_as_asked: |seen| seen.no_new_privs, ..row }
}

/// The plan, closing from this link on. One that closes nothing has one way only.
pub(super) fn closing(row: &Row, link: CloseStrategy) -> Option<Row> {
    match row.plan.close {
        None => (link == CloseStrategy::Bulk).then(|| row.clone()),
        Some(_) => Some(Row { plan: Plan { close: Some(link), ..row.plan }, ..row.clone() }),
    }
}
