//! Whole plans on a simulated kernel that refuses calls: a program runs with exactly what it was handed, or none runs.

#![no_main]

#[path = "../../tests/kernels/sim/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the suites use all of it")]
mod sim;

use forkexec_core::{
    Attribute, BpfInstruction, CapabilitySets, ChildContext, CloseStrategy, Errno, Fd, IoPriority, KeepList,
    Plan, Scheduler, SeccompFilter, child_exec,
};
use forkexec_linux::Linux;
use libfuzzer_sys::{arbitrary, fuzz_target};
use sim::attributes::{ALL, Attributes};
use sim::{Executed, NAMES, Recorder, SimKernel, rich};
use std::collections::BTreeMap;

#[derive(arbitrary::Arbitrary, Debug)]
struct Input {
    mappings: BTreeMap<u8, u8>,
    inheritable: Vec<u8>,
    refusals: Vec<Refusal>,
    link: u8,
    shares_table: bool,
    no_list: bool,
    rich: bool,
    /// A bit for each attribute.
    attributes: u16,
    bounding: u64,
    inheritable_capabilities: u64,
    ambient: u64,
}

#[derive(arbitrary::Arbitrary, Debug)]
struct Refusal {
    call: u8,
    from: u8,
    times: u8,
    errno: u8,
}

/// Numbers that mappings may name are open, those from here up are secrets.
const SECRETS: Fd = 60;

const ERRNOS: [Errno; 10] = [
    Errno::NOSYS,
    Errno::PERM,
    Errno::ACCES,
    Errno::INVAL,
    Errno::IO,
    Errno::MFILE,
    Errno::INTR,
    Errno::BADF,
    Errno::TXTBSY,
    Errno::NOENT,
];

/// Not refused: close(2) closes whatever it answers (close(2), NOTES), and these three have no failure.
const UNREFUSED: [&str; 4] = ["close", "parent", "process", "set_umask"];

fuzz_target!(|input: Input| {
    let small = |number: u8| Fd::from(number % 60);
    let mappings: BTreeMap<Fd, Fd> =
        input.mappings.iter().map(|(&to, &from)| (small(to), small(from))).collect();
    let moves = forkexec::fuzzing::order(&mappings);
    let targets: Vec<Fd> = mappings.keys().copied().filter(|&fd| fd > 2).collect();

    let kernel = kernel(&input);
    let before = kernel.table();
    let file = |fd: &Fd| before.entries()[fd].file;
    let mut expected: BTreeMap<Fd, u64> = (0..3).map(|fd| (fd, file(&fd))).collect();
    expected.extend(mappings.iter().map(|(&to, from)| (to, file(from))));

    let asked = if input.rich { rich::session_plan() } else { Plan::new(rich::exec()) };
    let wanted = Wanted::of(&input);
    let uid = asked.uid.or(wanted.user.then_some(USER));
    let attributes = wanted.attributes(uid.is_some());
    let plan = Plan {
        keep: KeepList::new(&targets).expect("keys of a map are sorted"),
        inherit: &[],
        moves: &moves,
        placed: &targets,
        terminal: None,
        foreground: None,
        close: Some(
            [CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop][usize::from(input.link % 3)],
        ),
        attributes: &attributes,
        uid,
        no_new_privs: asked.no_new_privs || wanted.filter,
        ..asked
    };
    let backend = Linux::new(kernel);
    let birth = ChildContext { shares_table: input.shares_table, ..rich::BIRTH };
    let recorder = Recorder::new(forkexec_core::Backend::sys(&backend));
    match child_exec(&backend, &plan, &birth, &recorder) {
        Ok(Executed { files, process, .. }) => {
            assert_eq!(files, expected, "the program has something else");
            wanted.check(&process.attributes, uid.is_some());
        }
        Err(report) => {
            assert!(!input.refusals.is_empty() || input.no_list, "nothing was refused: {report:?}")
        }
    }
    if input.shares_table {
        let sys = forkexec_core::Backend::sys(&backend);
        assert_eq!(sys.parents_table(), before, "the parent's table was touched");
    }
});

const USER: u32 = 1000;
const ALLOW: &[BpfInstruction] = &[BpfInstruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }];

/// The attributes of a plan that the kernel would not refuse.
struct Wanted {
    tunes: u16,
    user: bool,
    bounding: Option<u64>,
    /// The inheritable and the ambient set.
    sets: Option<[u64; 2]>,
    filter: bool,
}

impl Wanted {
    fn of(input: &Input) -> Self {
        let bit = |number: u32| input.attributes >> number & 1 == 1;
        let bounding = bit(7).then_some(input.bounding & ALL);
        // A capability outside of the bounding set cannot become inheritable.
        let ambient = input.ambient & bounding.unwrap_or(ALL);
        let inheritable = input.inheritable_capabilities & bounding.unwrap_or(ALL) | ambient;
        let sets = bit(8).then_some([inheritable, ambient]);
        Self { tunes: input.attributes, user: bit(9), bounding, sets, filter: bit(10) }
    }

    fn attributes(&self, changes_user: bool) -> Vec<Attribute<'static>> {
        let all = [
            Attribute::CpuAffinity(&[1]),
            Attribute::Scheduler(Scheduler::Batch),
            Attribute::IoPriority(IoPriority::Idle),
            Attribute::TimerSlack(7),
            Attribute::OomScore(-17),
            Attribute::FixedAddresses,
            Attribute::SessionKeyring,
        ];
        let tuning =
            (0..).zip(all).filter(|(bit, _)| self.tunes >> bit & 1 == 1).map(|(_, attribute)| attribute);
        let sets = self.sets.map(|[inheritable, ambient]| CapabilitySets {
            inheritable,
            ambient,
            nothing_else: changes_user,
        });
        let keeps = sets.filter(|_| changes_user).map(|_| Attribute::KeepCapabilities);
        let filter = self.filter.then_some(Attribute::Seccomp(SeccompFilter { program: ALLOW, flags: 0 }));
        let others =
            [filter, sets.map(Attribute::Capabilities), self.bounding.map(Attribute::BoundingSet), keeps];
        others.into_iter().flatten().chain(tuning).collect()
    }

    /// A program that runs has them all.
    fn check(&self, found: &Attributes, changes_user: bool) {
        if let Some(bounding) = self.bounding {
            assert_eq!(found.bounding, bounding);
        }
        if let Some([inheritable, ambient]) = self.sets {
            assert_eq!((found.masks.inheritable, found.ambient), (inheritable, ambient));
            assert!(!changes_user || found.masks.permitted == inheritable, "{found:?}");
        }
        assert_eq!(found.filters.len(), usize::from(self.filter));
        assert!(self.tunes & 1 == 0 || found.affinity == 1, "{found:?}");
    }
}

fn kernel(input: &Input) -> SimKernel {
    let open: Vec<Fd> = (3..SECRETS).collect();
    let secrets: Vec<Fd> = input.inheritable.iter().map(|&fd| SECRETS + Fd::from(fd)).collect();
    let mut kernel = rich::kernel();
    let taken = kernel.open_fds();
    let free = |fds: &[Fd]| fds.iter().copied().filter(|fd| !taken.contains(fd)).collect::<Vec<_>>();
    kernel = kernel.with_cloexec(&free(&open)).with_open(&free(&secrets));
    if input.no_list {
        kernel = kernel.without_listings();
    }
    let names: Vec<_> = NAMES.iter().copied().filter(|name| !UNREFUSED.contains(name)).collect();
    for refusal in input.refusals.iter().take(6) {
        let name = names[usize::from(refusal.call) % names.len()];
        let from = usize::from(refusal.from % 16);
        let errno = ERRNOS[usize::from(refusal.errno) % ERRNOS.len()];
        kernel = kernel.refusing_some(name, from..from + usize::from(refusal.times % 16), errno);
    }
    kernel
}
