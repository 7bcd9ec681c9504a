//! A plan with all settings, and a kernel on which all of them work.
//!
//! A session leader can join no process group, so there are two plans: [`session_plan`] and [`group_plan`].

use std::sync::LazyLock;

use forkexec_core::{
    Attribute, BpfInstruction, CStrArray, CapabilitySets, ChildContext, CloseStrategy, Disposition, Exec, Fd,
    Hook, HookError, IdMaps, IoPriority, KeepList, Limit, Mask, MemoryPolicy, Move, Namespace, NamespaceSet,
    Namespaces, Plan, Resource, Scheduler, SeccompFilter, SignalSet, ThinCStr, Unveil, WorkingDirectory,
};
use forkexec_linux::CapabilityMasks;

use super::attributes::Attributes;
use super::{Executed, File, Outcome, SimKernel};

/// The descriptor that leads to the parent.
pub(crate) const CHANNEL: Fd = 40;

/// The descriptors of the program: the number, and the child's number of the same file.
pub(crate) const HANDED_OVER: [(Fd, Fd); 7] = [(0, 9), (1, 1), (7, 7), (8, 8), (10, 11), (11, 10), (12, 12)];

/// The ids that the program is to have: user, group and supplementary groups.
pub(crate) const IDS: (u32, u32, [u32; 2]) = (1_000, 1_001, [1_002, 1_003]);

/// The context of a child of the simulated process 100.
pub(crate) const BIRTH: ChildContext = ChildContext {
    parent: 100,
    mask: SignalSet::EMPTY,
    shares_table: false,
    lender: None,
    handlers_cleared: false,
    in_cgroup: false,
    in_namespaces: false,
};

const KEPT: [Fd; 5] = [7, 8, 10, 11, 12];

const MOVES: [Move; 7] = [
    Move::CloseOpen(5),
    Move::copy(9, 0),
    Move::save(10),
    Move::copy(11, 10),
    Move::RestoreTemp(11),
    Move::ClearCloexec(12),
    Move::Close(2),
];

const LIMITS: [Limit; 2] = [
    Limit { resource: Resource::NOFILE, soft: 512, hard: 512 },
    Limit { resource: Resource::CORE, soft: 0, hard: 0 },
];

/// The kernel of both plans: the descriptors for the program, those for the stages alone, and secrets (15, 16, 300).
pub(crate) fn kernel() -> SimKernel {
    SimKernel::new()
        .with_cloexec(&[5, 7, 9, 10, 12, 16, CHANNEL])
        .with_open(&[8, 11, 15, 300])
        .with_files(&[13], File::Terminal, true)
        .with_files(&[14], File::Directory, true)
        .with_path(c"/srv", Outcome::Directory)
        .with_path(c"/work", Outcome::Directory)
        .with_process(|process| {
            process.dispositions = [
                (libc::SIGINT, Disposition::Handled),
                (libc::SIGPIPE, Disposition::Ignored),
                (libc::SIGHUP, Disposition::Ignored),
            ]
            .into();
        })
}

/// The kernel of [`group_plan`]: the terminal is the controlling one.
pub(crate) fn group_kernel() -> SimKernel {
    kernel().with_controlling_terminal(13)
}

/// The jail of [`attributes_plan`].
pub(crate) const JAIL: i32 = 7;

/// The ruleset of [`attributes_plan`].
const RULESET: Fd = 17;

/// The namespace that it joins.
const NAMESPACE: Fd = 18;

const ALLOW: BpfInstruction = BpfInstruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 };
const AMBIENT: u64 = 1 << 10;
/// Those stay that an old kernel does not have.
const BOUNDING: u64 = AMBIENT | 0x7f << 34;

/// All attributes. Their order does not matter, except for the two of one stage.
const ATTRIBUTES: [Attribute<'_>; 22] = [
    Attribute::Unveil(Unveil { index: 0, path: c"/bin", permissions: c"x" }),
    Attribute::Unveil(Unveil { index: 1, path: c"/missing", permissions: c"rx" }),
    Attribute::LockUnveil,
    Attribute::Pledge(c"stdio rpath"),
    Attribute::Jail(JAIL),
    Attribute::ClockOffsets(b"monotonic 60 0\n"),
    Attribute::MemoryPolicy(MemoryPolicy::Interleave, &[0b11]),
    Attribute::AutogroupNice(-7),
    Attribute::Suspended,
    Attribute::Seccomp(SeccompFilter { program: &[ALLOW], flags: 0 }),
    Attribute::Landlock(RULESET),
    Attribute::SessionKeyring,
    Attribute::Capabilities(CapabilitySets { inheritable: AMBIENT, ambient: AMBIENT, nothing_else: true }),
    Attribute::SecureBits(1),
    Attribute::KeepCapabilities,
    Attribute::BoundingSet(BOUNDING),
    Attribute::FixedAddresses,
    Attribute::OomScore(-100),
    Attribute::TimerSlack(100),
    Attribute::IoPriority(IoPriority::Idle),
    Attribute::Scheduler(Scheduler::Fifo(1)),
    Attribute::CpuAffinity(&[0b10]),
];

/// The attributes of the program of [`attributes_plan`].
fn asked_attributes() -> Attributes {
    Attributes {
        exec_promises: None,
        unveiled: Vec::new(),
        unveil_locked: false,
        jail: None,
        autogroup_nice: -7,
        affinity: 0b10,
        scheduler: (1, 1),
        deadline: None,
        memory_policy: (3, 0b11),
        io_priority: 3 << 13,
        timer_slack: 100,
        oom_score: -100,
        personality: 0x0004_0000,
        securebits: 1,
        bounding: BOUNDING,
        ambient: AMBIENT,
        masks: CapabilityMasks { effective: AMBIENT, permitted: AMBIENT, inheritable: AMBIENT },
        joined: vec![attributes_kernel().table().entries()[&NAMESPACE].file],
        unshared: NamespaceSet::EMPTY.with(Namespace::Net).with(Namespace::Time),
        clock_offsets: "monotonic 60 0\n".to_owned(),
        maps: ["deny", "1 0 1", "0 0 1"].map(str::to_owned).to_vec(),
        keyrings_left: 1,
        rulesets: 1,
        filters: vec![1],
        is_traced: true,
        is_stopped: false,
    }
}

/// The attributes of the program of [`attributes_plan`] on FreeBSD and DragonFly. The scheduler is a type and a priority of rtprio(2).
fn asked_of_bsd() -> [Attributes; 2] {
    let plain = Attributes { jail: Some(JAIL), affinity: 0b10, ..without_attributes() };
    // `PROC_ASLR_FORCE_DISABLE` of procctl(2).
    let freebsd = Attributes { affinity: 0b10, scheduler: (10, 30), personality: 2, ..plain.clone() };
    // DragonFly has no such policy, and so no such plan.
    [freebsd, plain]
}

/// The attributes of the program of [`attributes_plan`] on NetBSD.
fn asked_of_netbsd() -> Attributes {
    Attributes { affinity: 0b10, scheduler: (1, 1), ..without_attributes() }
}

/// The attributes of the program of [`attributes_plan`] on Solaris. The scheduler is a class, and ten times its priority plus its quantum.
fn asked_of_solaris() -> Attributes {
    Attributes { affinity: 0b10, scheduler: (2, 12), ..without_attributes() }
}

/// The attributes of the program of [`attributes_plan`] on macOS, which has no such policy.
fn asked_of_macos() -> Attributes {
    Attributes { io_priority: 3, ..without_attributes() }
}

/// The attributes of the program of [`attributes_plan`] on OpenBSD.
fn asked_of_openbsd() -> Attributes {
    let unveiled =
        [("/bin", "x"), ("/missing", "rx")].map(|(path, letters)| (path.to_owned(), letters.to_owned()));
    Attributes {
        exec_promises: Some("stdio rpath".to_owned()),
        unveiled: unveiled.to_vec(),
        unveil_locked: true,
        ..without_attributes()
    }
}

/// The attributes of a program for which none were asked.
fn without_attributes() -> Attributes {
    let mut plain = Attributes::of_root();
    plain.after_root();
    plain
}

/// The kernel of [`attributes_plan`].
pub(crate) fn attributes_kernel() -> SimKernel {
    kernel().with_files(&[RULESET], File::Ruleset, true).with_files(&[NAMESPACE], File::Namespace, true)
}

/// Everything but a process group, and all attributes that only Linux has.
pub(crate) fn attributes_plan() -> Plan<'static> {
    let namespaces = Namespaces {
        join: &[NAMESPACE],
        new: const { NamespaceSet::EMPTY.with(Namespace::Net).with(Namespace::Time) },
        maps: Some(IdMaps { users: Some(b"0 0 1"), groups: Some(b"1 0 1") }),
    };
    Plan { attributes: &ATTRIBUTES, namespaces, ..session_plan() }
}

/// Everything but a process group.
pub(crate) fn session_plan() -> Plan<'static> {
    Plan {
        keep: KeepList::new(&KEPT).expect("the list is sorted"),
        inherit: &[7],
        moves: &MOVES,
        root: Some(c"/srv"),
        directory: Some(WorkingDirectory::Path(c"/work")),
        umask: Some(0o027),
        reset: SignalSet::EMPTY.with(libc::SIGPIPE),
        ignore: SignalSet::EMPTY.with(libc::SIGUSR1),
        session: true,
        terminal: Some(13),
        foreground: Some(13),
        limits: &LIMITS,
        nice: Some(5),
        groups: Some(&IDS.2),
        gid: Some(IDS.1),
        uid: Some(IDS.0),
        no_new_privs: true,
        die_with_parent: Some(libc::SIGTERM),
        mask: Mask::Set(SignalSet::EMPTY.with(libc::SIGUSR2)),
        hook: Some(as_hook(&succeed)),
        close: Some(CloseStrategy::Bulk),
        ..Plan::new(exec())
    }
}

/// Everything but a session with its terminal, and the directory by descriptor.
pub(crate) fn group_plan() -> Plan<'static> {
    Plan {
        session: false,
        terminal: None,
        process_group: Some(0),
        early_directory: Some(WorkingDirectory::Fd(14)),
        directory: None,
        ..session_plan()
    }
}

/// All settings for a system without operations of its own.
pub(crate) fn portable_plan() -> Plan<'static> {
    Plan { no_new_privs: false, die_with_parent: None, ..session_plan() }
}

/// Only the second candidate exists.
pub(crate) fn exec() -> Exec<'static> {
    Exec { candidates: &[c"/missing/prog", c"/bin/prog"], argv: argv(), env: None, shell: None }
}

/// `prog x`.
pub(crate) fn argv() -> CStrArray<'static> {
    static ARGV: LazyLock<[Option<ThinCStr<'static>>; 3]> =
        LazyLock::new(|| [Some(c"prog".into()), Some(c"x".into()), None]);
    CStrArray::new(&*ARGV).expect("it ends with a null")
}

/// A closure for a plan.
pub(crate) fn as_hook<'a>(closure: &'a (dyn Fn() -> Result<(), HookError> + Sync + 'a)) -> Hook<'a> {
    // SAFETY: the closures of these suites make only system calls in a child. A simulated kernel makes no child.
    unsafe { Hook::new(closure) }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a hook")]
fn succeed() -> Result<(), HookError> {
    Ok(())
}

/// Returns true if the program has exactly the planned descriptors and ids.
pub(crate) fn is_as_asked(executed: &Executed) -> bool {
    let before = kernel().table();
    let handed = HANDED_OVER.map(|(fd, from)| (fd, before.entries()[&from].file));
    let process = &executed.process;
    let ids = (process.uid, process.gid, &process.groups[..]);
    let [freebsd, dragonfly] = asked_of_bsd();
    let asked = [
        asked_of_macos(),
        asked_of_netbsd(),
        asked_of_solaris(),
        asked_of_openbsd(),
        freebsd,
        dragonfly,
        asked_attributes(),
        without_attributes(),
    ];
    let has_attributes = asked.contains(&process.attributes);
    executed.files == handed.into() && ids == (IDS.0, IDS.1, &IDS.2) && has_attributes
}
