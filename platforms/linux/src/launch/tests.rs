//! What a launcher does next, without a child: over the real system calls, of which none is made.
#![cfg(any(target_os = "linux", target_os = "android"))]

use super::Failed;
use super::{
    Backend, Call, CloneSys, Closed, Errno, Features, LaunchError, Launcher, Link, Linux, LinuxLauncher,
    Method, Obstacle, Plan, Report, Stage, Way, failed,
};
use crate::Kernel;
use core::cell::Cell;
use forkexec_core::{CStrArray, Cgroup, Exec};
use rstest::rstest;

const BEST: Way = Way { call: Call::Clone3, pidfd: true, shares_table: true, into_cgroup: false };
const IN_CGROUP: Way = Way { into_cgroup: true, ..BEST };
const CLONE: Way = Way { call: Call::Clone, ..BEST };
const BARE: Way = Way { pidfd: false, ..CLONE };

fn backend() -> Linux<Kernel> {
    // SAFETY: no call that changes anything is made over it: no child is started here.
    Linux::new(unsafe { Kernel::new() })
}

fn plan(close: Option<Link>) -> Plan<'static> {
    let exec = Exec { candidates: &[], argv: CStrArray::EMPTY, env: None, shell: None };
    Plan { close, ..Plan::new(exec) }
}

#[test]
fn a_table_is_to_be_shared_until_what_empties_it_is_refused() {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    let memory_is_shared = !backend.sys().is_sanitized();
    let of_a_kind = |shared| if memory_is_shared { shared } else { Method::Fork };
    assert_eq!((launcher.method(), launcher.shares_table()), (of_a_kind(Method::Shared), memory_is_shared));
    assert!(launcher.gains_by_sharing(&plan(Some(Link::Bulk))));
    backend.learn(&Closed { bulk_refused: Some(Errno::NOSYS), ..Closed::default() });
    assert_eq!((launcher.method(), launcher.shares_table()), (of_a_kind(Method::Vfork), false));
    assert!(!launcher.gains_by_sharing(&plan(Some(Link::Bulk))));
}

#[rstest]
fn where_the_whole_table_is_copied_anyway_nothing_is_gained_by_sharing(
    #[values(None, Some(Link::Enumerate), Some(Link::Loop))] close: Option<Link>,
) {
    let backend = backend();
    assert!(!LinuxLauncher::new(&backend).gains_by_sharing(&plan(close)));
}

/// What is tried first, of what the plan asks for, where this was refused before.
#[rstest]
#[case::nothing_asked(Method::Shared, false, false, None, BEST.without_pidfd())]
#[case::everything(Method::Shared, true, true, None, IN_CGROUP)]
#[case::in_the_child_s_own_table(Method::Vfork, true, true, None, Way { shares_table: false, ..IN_CGROUP })]
#[case::in_no_group(Method::Shared, true, false, None, BEST)]
#[case::without_a_pidfd(Method::Shared, false, true, None, IN_CGROUP.without_pidfd())]
#[case::clone3_was_refused(Method::Shared, true, true, Some(Features::CLONE3), CLONE)]
#[case::a_pidfd_was_refused(Method::Shared, true, false, Some(Features::PIDFD), BEST.without_pidfd())]
fn the_first_way_is_the_best_that_the_plan_has_a_use_for(
    #[case] method: Method,
    #[case] pidfd: bool,
    #[case] cgroup: bool,
    #[case] refused: Option<Features>,
    #[case] first: Way,
) {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    launcher.ways.note_memory(true);
    refused.inspect(|features| launcher.ways.refuse(*features));
    let cgroup = cgroup.then_some(Cgroup { directory: 9, procs: 10 });
    assert_eq!(launcher.first(method, &Plan { pidfd, cgroup, ..plan(Some(Link::Bulk)) }), first);
}

/// Faults: M1
#[test]
fn clone_shares_no_table_before_memory_is_shared() {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    let plan = plan(Some(Link::Bulk));
    assert_eq!(launcher.first(Method::Shared, &plan), BEST);
    let next = launcher.next(BEST, Errno::NOSYS, &mut Features::default());
    assert_eq!(next, Ok(Way { shares_table: false, ..CLONE }));
    launcher.ways.refuse(Features::CLONE3);
    assert_eq!(launcher.first(Method::Shared, &plan), Way { shares_table: false, ..CLONE });
    launcher.ways.note_memory(true);
    assert_eq!(launcher.first(Method::Shared, &plan), CLONE);
}

/// The next way, and the features that count as refused once it started a child.
#[rstest]
#[case::a_group_that_is_unknown(IN_CGROUP, Errno::INVAL, Ok(BEST), Features::CGROUP)]
#[case::arguments_that_are_unknown(IN_CGROUP, Errno::TOOBIG, Ok(BEST), Features::CGROUP)]
#[case::a_group_that_is_busy(IN_CGROUP, Errno::BUSY, Ok(BEST), Features::default())]
#[case::no_number_for_a_pidfd(BEST, Errno::MFILE, Ok(Way { pidfd: false, ..BEST }), Features::default())]
#[case::no_number_in_the_system(CLONE, Errno::NFILE, Ok(BARE), Features::default())]
#[case::no_number_at_all(BARE, Errno::MFILE, Err(parent(Errno::MFILE)), Features::default())]
#[case::no_room(BEST, Errno::NOMEM, Err(parent(Errno::NOMEM)), Features::default())]
#[case::an_unknown_call(BEST, Errno::NOSYS, Ok(CLONE), Features::CLONE3)]
#[case::an_unknown_flag(CLONE, Errno::INVAL, Ok(BARE), Features::PIDFD)]
#[case::nothing_else(BARE, Errno::PERM, Err(refusal(Errno::PERM)), Features::PIDFD)]
fn refusal_leads_to_the_next_way_and_failure_does_not(
    #[case] way: Way,
    #[case] errno: Errno,
    #[case] next: Result<Way, LaunchError>,
    #[case] refused: Features,
) {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    launcher.ways.note_memory(true);
    let mut found = Features::default();
    assert_eq!((launcher.next(way, errno, &mut found), found), (next, refused));
    assert_eq!(launcher.ways.best(), IN_CGROUP, "nothing is noted before a child was started");
}

/// Two refusals lead to a third way. They are noted only if that one had a child.
#[rstest]
#[case::runs(Ok(1), Ok(1), true)]
#[case::child_failed(Err(Failed::Finally(DIED)), Err(DIED), true)]
#[case::no_room(Err(Failed::Start(Errno::NOMEM)), Err(parent(Errno::NOMEM)), false)]
#[case::no_memory(Err(Failed::Finally(parent(Errno::NOMEM))), Err(parent(Errno::NOMEM)), false)]
#[case::refused(Err(Failed::Start(Errno::PERM)), Err(refusal(Errno::PERM)), false)]
fn refusals_are_noted_only_if_the_next_way_had_a_child(
    #[case] third: Result<i32, Failed>,
    #[case] expected: Result<i32, LaunchError>,
    #[case] noted: bool,
) {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    launcher.ways.note_memory(true);
    if backend.sys().is_sanitized() {
        return;
    }
    let (calls, third) = (Cell::new(0), Cell::new(Some(third)));
    let attempt = |_: Way| {
        calls.set(calls.get() + 1);
        if calls.get() < 3 { Err(Failed::Start(Errno::PERM)) } else { third.take().expect("it is the last") }
    };
    assert_eq!(launcher.by(Method::Vfork, &plan(None), &attempt), expected);
    let best = launcher.ways.best();
    assert_eq!((best.call == Call::Clone, best.pidfd), (noted, !noted));
    assert_eq!(launcher.obstacle(), None);
}

const DIED: LaunchError = LaunchError::Died { stage: Stage::Exec, status: None };

const fn refusal(errno: Errno) -> LaunchError {
    LaunchError::NotFast(Obstacle::Refused(errno))
}

const fn parent(errno: Errno) -> LaunchError {
    LaunchError::Parent { stage: Stage::Start, errno }
}

#[rstest]
#[case::refused(Stage::Table, Errno::NOSYS, true)]
#[case::failed(Stage::Table, Errno::NOMEM, false)]
#[case::refused_later(Stage::Exec, Errno::PERM, false)]
fn only_a_table_that_is_refused_is_a_refusal_of_the_method(
    #[case] stage: Stage,
    #[case] errno: Errno,
    #[case] of_the_method: bool,
) {
    let report = Report { stage, errno, operand: 0 };
    let refusal = LaunchError::NotFast(Obstacle::Refused(errno));
    assert_eq!(failed(report), if of_the_method { refusal } else { LaunchError::Child(report) });
    assert_eq!(super::hand_over::is_refusal_of_the_method(&report), of_the_method);
}
