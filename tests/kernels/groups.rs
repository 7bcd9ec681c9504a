//! The group IDs that a program gets, on kernels that keep the effective one apart and on kernels that keep it in the list.

use std::collections::BTreeSet;

use rstest::rstest;

use forkexec_apple::Apple;
use forkexec_core::{Backend, ChildContext, Exec, Plan, Sys, child_exec};
use forkexec_freebsd::Freebsd;
use forkexec_linux::Linux;
use forkexec_netbsd::Netbsd;
use forkexec_openbsd::Openbsd;
use forkexec_solaris::Solaris;

use crate::sim::rich::{self, BIRTH};
use crate::sim::{Executed, Process, Recorder, SimKernel};

const FREEBSD_12_1: i32 = 1_201_000;
const FREEBSD_15_0: i32 = 1_500_068;
/// The effective group ID of the parent.
const PARENTS: u32 = 7;

/// A call that changes group IDs.
enum Step {
    Groups(&'static [u32]),
    Gid(u32),
    Effective(u32),
}
use Step::{Effective, Gid, Groups};

/// The effective group ID and the groups after these steps.
fn after(kernel: SimKernel, steps: &[Step]) -> (u32, Vec<u32>) {
    let kernel = steps.iter().fold(kernel, |kernel, step| match *step {
        Effective(gid) => kernel.with_process(|process| process.set_effective_gid(gid)),
        Gid(gid) => kernel.set_gid(gid).map(|()| kernel).expect("the superuser may"),
        Groups(groups) => kernel.set_groups(groups).map(|()| kernel).expect("the superuser may"),
    });
    let mut seen = (0, Vec::new());
    let _ = kernel.with_process(|process| seen = (process.effective_gid, process.groups.clone()));
    seen
}

/// The simulated kernels return what FreeBSD 12.1, OpenBSD 7.3 and NetBSD 7.0 did, as root, and what the sources of
/// macOS have.
///
/// Faults: Q-bsd-groups
#[rstest]
#[case::list(&[Groups(&[100])], (100, vec![100]), (0, vec![100]))]
#[case::list_then_gid(&[Groups(&[100]), Gid(50)], (50, vec![50]), (50, vec![100]))]
#[case::two_then_gid(&[Groups(&[100, 101]), Gid(50)], (50, vec![50, 101]), (50, vec![100, 101]))]
#[case::with_the_gid_first(&[Groups(&[50, 100]), Gid(50)], (50, vec![50, 100]), (50, vec![50, 100]))]
#[case::gid_then_list(&[Gid(50), Groups(&[100])], (100, vec![100]), (50, vec![100]))]
#[case::none_then_gid(&[Groups(&[]), Gid(50)], (50, vec![50]), (50, vec![]))]
fn simulated_kernel_keeps_groups_like_the_real_one(
    #[case] steps: &[Step],
    #[case] first: (u32, Vec<u32>),
    #[case] separate: (u32, Vec<u32>),
) {
    for kernel in [SimKernel::freebsd(FREEBSD_12_1), SimKernel::dragonfly(), SimKernel::apple()] {
        assert_eq!(after(kernel, steps), first);
    }
    for kernel in [SimKernel::freebsd(FREEBSD_15_0), SimKernel::new()] {
        assert_eq!(after(kernel, steps), separate);
    }
}

/// Faults: Q-bsd-groups
#[rstest]
#[case::freebsd(SimKernel::freebsd(FREEBSD_12_1), (100, vec![100]))]
#[case::macos(SimKernel::apple(), (0, vec![0]))]
#[case::separate(SimKernel::new(), (100, vec![]))]
fn empty_group_list_differs_by_system(#[case] kernel: SimKernel, #[case] seen: (u32, Vec<u32>)) {
    assert_eq!(after(kernel, &[Effective(100), Groups(&[])]), seen);
}

/// The settings of a command.
struct Asked {
    groups: &'static [u32],
    gid: Option<u32>,
}

/// Starts a child with the list that the backend's rule makes.
fn started<B: Backend<Sys = SimKernel>>(backend: &B, asked: &Asked) -> Process {
    let effective = asked.gid.unwrap_or(PARENTS);
    let list: Vec<u32> = backend.capabilities().group_list.arrange(asked.groups, effective).collect();
    let exec = Exec { candidates: &[c"/bin/prog"], ..rich::exec() };
    let plan = Plan { groups: Some(&list), gid: asked.gid, ..Plan::new(exec) };
    let birth = ChildContext { handlers_cleared: true, ..BIRTH };
    let executed: Executed =
        child_exec(backend, &plan, &birth, &Recorder::new(backend.sys())).expect("nothing is refused");
    executed.process
}

fn parent(kernel: SimKernel) -> SimKernel {
    kernel.with_process(|process| {
        process.gid = PARENTS;
        process.set_effective_gid(PARENTS);
    })
}

/// Faults: Q-bsd-groups
#[rstest]
fn program_has_the_requested_groups(
    #[values(&[], &[100], &[100, 101], &[50, 100], &[100, 50], &[7, 100], &[0])] groups: &'static [u32],
    #[values(None, Some(50))] gid: Option<u32>,
) {
    let asked = Asked { groups, gid };
    let effective = gid.unwrap_or(PARENTS);
    let allowed: BTreeSet<u32> = groups.iter().copied().chain([effective]).collect();
    for (system, process) in [
        ("FreeBSD 12.1", started(&Freebsd::new(parent(SimKernel::freebsd(FREEBSD_12_1))), &asked)),
        ("FreeBSD 15.0", started(&Freebsd::new(parent(SimKernel::freebsd(FREEBSD_15_0))), &asked)),
        ("DragonFly", started(&Freebsd::new(parent(SimKernel::dragonfly())), &asked)),
        ("macOS", started(&Apple::new(parent(SimKernel::apple())), &asked)),
        ("Linux", started(&Linux::new(parent(SimKernel::new())), &asked)),
        ("NetBSD", started(&Netbsd::new(parent(SimKernel::new())), &asked)),
        ("OpenBSD", started(&Openbsd::new(parent(SimKernel::new())), &asked)),
        ("Solaris", started(&Solaris::new(parent(SimKernel::new())), &asked)),
    ] {
        let ids = (process.gid, process.effective_gid);
        assert_eq!(ids, (effective, effective), "{system}");
        let seen: BTreeSet<u32> = process.groups.iter().copied().chain([process.effective_gid]).collect();
        assert_eq!(seen, allowed, "{system}: {:?}", process.groups);
    }
}

/// Faults: Q-bsd-groups
#[rstest]
#[case::linux(forkexec_linux::CAPABILITIES)]
#[case::netbsd(forkexec_netbsd::CAPABILITIES)]
#[case::openbsd(forkexec_openbsd::CAPABILITIES)]
#[case::posix(forkexec_posix::CAPABILITIES)]
#[case::solaris(forkexec_solaris::CAPABILITIES)]
fn system_with_a_separate_gid_gets_the_list_unchanged(#[case] has: forkexec_core::Capabilities) {
    assert!(has.group_list.arrange(&[100, 50, 100], 50).eq([100, 50, 100]));
}
