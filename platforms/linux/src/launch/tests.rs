//! What a launcher does next, without a child: over the real system calls, of which none is made.
#![cfg(any(target_os = "linux", target_os = "android"))]

use super::{
    Backend, Call, CloneSys, Closed, Errno, LaunchError, Launcher, Link, Linux, LinuxLauncher, Method,
    Obstacle, Plan, Report, Stage, Way, failed,
};
use crate::Kernel;
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
#[case::clone3_was_refused(Method::Shared, true, true, Some(BEST), CLONE)]
#[case::a_pidfd_was_refused(Method::Shared, true, false, Some(CLONE), BEST.without_pidfd())]
fn the_first_way_is_the_best_that_the_plan_has_a_use_for(
    #[case] method: Method,
    #[case] pidfd: bool,
    #[case] cgroup: bool,
    #[case] refused: Option<Way>,
    #[case] first: Way,
) {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    refused.inspect(|way| launcher.ways.refuse(*way));
    let cgroup = cgroup.then_some(Cgroup { directory: 9, procs: 10 });
    assert_eq!(launcher.first(method, &Plan { pidfd, cgroup, ..plan(Some(Link::Bulk)) }), first);
}

/// What is tried next, and the best way for the next child.
#[rstest]
#[case::a_group_that_is_unknown(IN_CGROUP, Errno::INVAL, Ok(BEST), BEST)]
#[case::arguments_that_are_unknown(IN_CGROUP, Errno::TOOBIG, Ok(BEST), BEST)]
#[case::a_group_that_is_busy(IN_CGROUP, Errno::BUSY, Ok(BEST), IN_CGROUP)]
#[case::no_number_for_a_pidfd(BEST, Errno::MFILE, Ok(Way { pidfd: false, ..BEST }), IN_CGROUP)]
#[case::no_number_in_the_system(CLONE, Errno::NFILE, Ok(BARE), IN_CGROUP)]
#[case::no_number_at_all(BARE, Errno::MFILE, Err(parent(Errno::MFILE)), IN_CGROUP)]
#[case::no_room(BEST, Errno::NOMEM, Err(parent(Errno::NOMEM)), IN_CGROUP)]
#[case::an_unknown_call(BEST, Errno::NOSYS, Ok(CLONE), Way { into_cgroup: true, ..CLONE })]
#[case::an_unknown_flag(CLONE, Errno::INVAL, Ok(BARE), IN_CGROUP)]
#[case::nothing_else(BARE, Errno::PERM, Err(LaunchError::NotFast(Obstacle::Refused(Errno::PERM))), IN_CGROUP)]
fn what_is_refused_leads_on_and_what_fails_does_not(
    #[case] way: Way,
    #[case] errno: Errno,
    #[case] next: Result<Way, LaunchError>,
    #[case] best: Way,
) {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    assert_eq!(launcher.next(way, errno), next);
    assert_eq!(launcher.ways.best(), best);
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
