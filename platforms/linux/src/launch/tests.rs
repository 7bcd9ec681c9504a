//! The decisions of the launcher without a child, over the real system calls, of which none changes anything.
#![cfg(any(target_os = "linux", target_os = "android"))]

use super::Failed;
use super::{
    Backend, Call, CloneVariant, CloseStrategy, Errno, FallbackReason, Features, LaunchError, Launcher,
    Linux, LinuxLauncher, Plan, Report, SpawnMethod, Stage, failed,
};
use crate::Kernel;
use core::cell::Cell;
use forkexec_core::{
    Autoreap, CStrArray, Cgroup, Closed, Exec, Namespace, NamespaceSet, Namespaces, SharingSys,
};
use rstest::rstest;

const BEST: CloneVariant = CloneVariant {
    call: Call::Clone3,
    pidfd: true,
    shares_table: true,
    into_cgroup: false,
    autoreap: false,
    takes_fds: true,
};
const AUTOREAPED: CloneVariant = CloneVariant { autoreap: true, ..BEST };
const IN_CGROUP: CloneVariant = CloneVariant { into_cgroup: true, ..BEST };
const CLONE: CloneVariant = CloneVariant { call: Call::Clone, ..BEST };
const BARE: CloneVariant = CloneVariant { pidfd: false, ..CLONE };

fn backend() -> Linux<Kernel> {
    // SAFETY: no test here starts a child or makes a call that changes anything.
    Linux::new(unsafe { Kernel::new() })
}

fn plan(close: Option<CloseStrategy>) -> Plan<'static> {
    let exec = Exec { candidates: &[], argv: CStrArray::EMPTY, env: None, shell: None };
    Plan { close, ..Plan::new(exec) }
}

#[test]
fn table_is_shared_until_the_bulk_close_is_refused() {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    let memory_is_shared = !backend.sys().is_sanitized();
    let of_a_kind = |shared| if memory_is_shared { shared } else { SpawnMethod::Fork };
    assert_eq!(
        (launcher.method(), launcher.shares_table()),
        (of_a_kind(SpawnMethod::Shared), memory_is_shared)
    );
    assert!(launcher.gains_by_sharing(&plan(Some(CloseStrategy::Bulk))));
    backend.learn(&Closed { bulk_refused: Some(Errno::NOSYS), ..Closed::default() });
    assert_eq!((launcher.method(), launcher.shares_table()), (of_a_kind(SpawnMethod::Vfork), false));
    assert!(!launcher.gains_by_sharing(&plan(Some(CloseStrategy::Bulk))));
}

#[rstest]
fn sharing_is_skipped_if_the_whole_table_is_copied_anyway(
    #[values(None, Some(CloseStrategy::Enumerate), Some(CloseStrategy::Loop))] close: Option<CloseStrategy>,
) {
    let backend = backend();
    assert!(!LinuxLauncher::new(&backend).gains_by_sharing(&plan(close)));
}

/// The first variant for a plan, after a refusal.
#[rstest]
#[case::nothing_asked(SpawnMethod::Shared, false, false, None, BEST.without_pidfd())]
#[case::everything(SpawnMethod::Shared, true, true, None, IN_CGROUP)]
#[case::in_a_table_of_the_child(SpawnMethod::Vfork, true, true, None, CloneVariant { shares_table: false, ..IN_CGROUP })]
#[case::in_no_group(SpawnMethod::Shared, true, false, None, BEST)]
#[case::without_a_pidfd(SpawnMethod::Shared, false, true, None, IN_CGROUP.without_pidfd())]
#[case::clone3_was_refused(SpawnMethod::Shared, true, true, Some(Features::CLONE3), CLONE)]
#[case::pidfd_was_refused(SpawnMethod::Shared, true, false, Some(Features::PIDFD), BEST.without_pidfd())]
fn first_variant_is_the_best_for_the_plan(
    #[case] method: SpawnMethod,
    #[case] pidfd: bool,
    #[case] cgroup: bool,
    #[case] refused: Option<Features>,
    #[case] first: CloneVariant,
) {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    launcher.sharing.note_memory(true);
    refused.inspect(|features| launcher.known.refuse(*features));
    let cgroup = cgroup.then_some(Cgroup { directory: 9, procs: 10 });
    assert_eq!(launcher.first(method, &Plan { pidfd, cgroup, ..plan(Some(CloseStrategy::Bulk)) }), first);
}

/// Faults: M1
#[test]
fn clone_shares_no_table_before_memory_is_shared() {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    let plan = plan(Some(CloseStrategy::Bulk));
    assert_eq!(launcher.first(SpawnMethod::Shared, &plan), BEST);
    let next = launcher.next(BEST, Errno::NOSYS, &plan, &mut Features::default());
    assert_eq!(next, Ok(CloneVariant { shares_table: false, ..CLONE }));
    launcher.known.refuse(Features::CLONE3);
    assert_eq!(launcher.first(SpawnMethod::Shared, &plan), CloneVariant { shares_table: false, ..CLONE });
    launcher.sharing.note_memory(true);
    assert_eq!(launcher.first(SpawnMethod::Shared, &plan), CLONE);
}

/// The next variant, and the features that count as refused once it has started a child.
#[rstest]
#[case::group_that_is_unknown(IN_CGROUP, Errno::INVAL, Ok(BEST), Features::CGROUP)]
#[case::arguments_that_are_unknown(IN_CGROUP, Errno::TOOBIG, Ok(BEST), Features::CGROUP)]
#[case::group_that_is_busy(IN_CGROUP, Errno::BUSY, Ok(BEST), Features::default())]
#[case::no_number_for_a_pidfd(BEST, Errno::MFILE, Ok(CloneVariant { pidfd: false, ..BEST }), Features::default())]
#[case::no_number_in_the_system(CLONE, Errno::NFILE, Ok(BARE), Features::default())]
#[case::no_number_at_all(BARE, Errno::MFILE, Err(parent(Errno::MFILE)), Features::default())]
#[case::no_room(BEST, Errno::NOMEM, Err(parent(Errno::NOMEM)), Features::default())]
#[case::unknown_call(BEST, Errno::NOSYS, Ok(CLONE), Features::CLONE3)]
#[case::unknown_flag(CLONE, Errno::INVAL, Ok(BARE), Features::PIDFD)]
#[case::nothing_else(BARE, Errno::PERM, Err(refusal(Errno::PERM)), Features::PIDFD)]
fn refusal_leads_to_the_next_variant_but_failure_does_not(
    #[case] variant: CloneVariant,
    #[case] errno: Errno,
    #[case] next: Result<CloneVariant, LaunchError>,
    #[case] refused: Features,
) {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    launcher.sharing.note_memory(true);
    let mut found = Features::default();
    assert_eq!((launcher.next(variant, errno, &plan(None), &mut found), found), (next, refused));
    assert_eq!(
        launcher.known.best(),
        CloneVariant { autoreap: true, ..IN_CGROUP },
        "nothing is recorded before a child was started"
    );
}

/// The kernel reaps a child only if the plan asks for that, and only clone3(2) with a pidfd starts such a child.
#[rstest]
#[case::not_asked(None, true, None, BEST)]
#[case::asked(Some(Autoreap::Reap), true, None, AUTOREAPED)]
#[case::killed_as_well(Some(Autoreap::ReapAndKill), true, None, AUTOREAPED)]
#[case::without_a_pidfd(Some(Autoreap::Reap), false, None, BEST.without_pidfd())]
#[case::refused(Some(Autoreap::Reap), true, Some(Features::AUTOREAP), BEST)]
#[case::clone3_was_refused(Some(Autoreap::Reap), true, Some(Features::CLONE3), CLONE)]
#[case::pidfd_was_refused(Some(Autoreap::Reap), true, Some(Features::PIDFD), BEST.without_pidfd())]
fn kernel_reaps_only_a_child_with_a_pidfd(
    #[case] autoreap: Option<Autoreap>,
    #[case] pidfd: bool,
    #[case] refused: Option<Features>,
    #[case] first: CloneVariant,
) {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    launcher.sharing.note_memory(true);
    refused.inspect(|features| launcher.known.refuse(*features));
    let plan = Plan { pidfd, autoreap, ..plan(Some(CloseStrategy::Bulk)) };
    assert_eq!(launcher.first(SpawnMethod::Shared, &plan), first);
}

/// An unknown flag is remembered. A missing privilege is not, because the caller may gain it.
#[rstest]
#[case::unknown(Autoreap::Reap, AUTOREAPED, Errno::INVAL, Ok(BEST), Features::AUTOREAP)]
#[case::unknown_in_a_group(Autoreap::Reap, CloneVariant { autoreap: true, ..IN_CGROUP }, Errno::INVAL, Ok(IN_CGROUP), Features::AUTOREAP)]
#[case::no_privilege(Autoreap::ReapAndKill, AUTOREAPED, Errno::PERM, Ok(BEST), Features::default())]
#[case::no_call(Autoreap::Reap, AUTOREAPED, Errno::NOSYS, Ok(CLONE), Features::CLONE3)]
#[case::no_number(Autoreap::Reap, AUTOREAPED, Errno::MFILE, Ok(BEST.without_pidfd()), Features::default())]
#[case::no_room(Autoreap::Reap, AUTOREAPED, Errno::NOMEM, Err(parent(Errno::NOMEM)), Features::default())]
fn refused_autoreap_leads_to_an_ordinary_child(
    #[case] autoreap: Autoreap,
    #[case] variant: CloneVariant,
    #[case] errno: Errno,
    #[case] next: Result<CloneVariant, LaunchError>,
    #[case] refused: Features,
) {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    launcher.sharing.note_memory(true);
    let plan = Plan { autoreap: Some(autoreap), ..plan(None) };
    let mut found = Features::default();
    assert_eq!((launcher.next(variant, errno, &plan, &mut found), found), (next, refused));
}

/// A child that nothing kills would outlive its parent.
#[test]
fn child_to_be_killed_is_not_started_without_that() {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    launcher.sharing.note_memory(true);
    if backend.sys().is_sanitized() {
        return;
    }
    let plan = Plan { autoreap: Some(Autoreap::ReapAndKill), ..plan(None) };
    let refused = |errno| Err(LaunchError::Parent { stage: Stage::DieWithParent, errno });
    let variants = Cell::new(0);
    let attempt = |variant: CloneVariant| -> Result<(), Failed> {
        variants.set(variants.get() + 1);
        assert!(variant.autoreap);
        Err(Failed::Start(Errno::PERM))
    };
    assert_eq!(launcher.by(SpawnMethod::Vfork, &plan, &attempt), refused(Errno::PERM));
    assert_eq!(launcher.launch_forked(&plan).map(drop), refused(Errno::NOSYS));
    launcher.known.refuse(Features::AUTOREAP);
    assert_eq!(launcher.by(SpawnMethod::Vfork, &plan, &attempt), refused(Errno::NOSYS));
    assert_eq!(variants.get(), 1);
}

/// No fork creates these namespaces, so the last refusal is the error.
#[rstest]
#[case::unknown_call(BEST, Errno::NOSYS, Ok(CLONE))]
#[case::no_privilege_by_clone3(BEST, Errno::PERM, Ok(CLONE))]
#[case::no_privilege(BARE, Errno::PERM, Err((Stage::Namespaces, Errno::PERM)))]
#[case::limit(BEST, Errno::from_raw(libc::ENOSPC), Err((Stage::Namespaces, Errno::from_raw(libc::ENOSPC))))]
#[case::old_limit(BEST, Errno::from_raw(libc::EUSERS), Err((Stage::Namespaces, Errno::from_raw(libc::EUSERS))))]
#[case::no_room(BEST, Errno::NOMEM, Err((Stage::Start, Errno::NOMEM)))]
fn refused_namespace_is_an_error_of_its_stage(
    #[case] variant: CloneVariant,
    #[case] errno: Errno,
    #[case] next: Result<CloneVariant, (Stage, Errno)>,
) {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    launcher.sharing.note_memory(true);
    let next = next.map_err(|(stage, errno)| LaunchError::Parent { stage, errno });
    let new = NamespaceSet::EMPTY.with(Namespace::Net);
    let plan = Plan { namespaces: Namespaces { join: &[], new, maps: None }, ..plan(None) };
    assert_eq!(launcher.next(variant, errno, &plan, &mut Features::default()), next);
}

/// Two refusals lead to a third variant. They are recorded only if that one had a child.
#[rstest]
#[case::runs(Ok(1), Ok(1), true)]
#[case::child_failed(Err(Failed::Finally(DIED)), Err(DIED), true)]
#[case::no_room(Err(Failed::Start(Errno::NOMEM)), Err(parent(Errno::NOMEM)), false)]
#[case::no_memory(Err(Failed::Finally(parent(Errno::NOMEM))), Err(parent(Errno::NOMEM)), false)]
#[case::refused(Err(Failed::Start(Errno::PERM)), Err(refusal(Errno::PERM)), false)]
fn refusals_are_noted_only_if_the_next_variant_starts(
    #[case] third: Result<i32, Failed>,
    #[case] expected: Result<i32, LaunchError>,
    #[case] noted: bool,
) {
    let backend = backend();
    let launcher = LinuxLauncher::new(&backend);
    launcher.sharing.note_memory(true);
    if backend.sys().is_sanitized() {
        return;
    }
    let (calls, third) = (Cell::new(0), Cell::new(Some(third)));
    let attempt = |_: CloneVariant| {
        calls.set(calls.get() + 1);
        if calls.get() < 3 { Err(Failed::Start(Errno::PERM)) } else { third.take().expect("it is the last") }
    };
    assert_eq!(launcher.by(SpawnMethod::Vfork, &plan(None), &attempt), expected);
    let best = launcher.known.best();
    assert_eq!((best.call == Call::Clone, best.pidfd), (noted, !noted));
    assert_eq!(launcher.fallback_reason(), None);
}

const DIED: LaunchError = LaunchError::Died { stage: Stage::Exec, status: None };

const fn refusal(errno: Errno) -> LaunchError {
    LaunchError::ForkRequired(FallbackReason::Refused(errno))
}

const fn parent(errno: Errno) -> LaunchError {
    LaunchError::Parent { stage: Stage::Start, errno }
}

#[rstest]
#[case::refused(Stage::UnshareFiles, Errno::NOSYS, |_| Failed::Finally(refusal(Errno::NOSYS)))]
#[case::failed(Stage::UnshareFiles, Errno::NOMEM, |report| Failed::Finally(LaunchError::Child(report)))]
#[case::not_taken(Stage::TakeFds, Errno::MFILE, |_| Failed::Take)]
#[case::refused_later(Stage::Exec, Errno::PERM, |report| Failed::Finally(LaunchError::Child(report)))]
fn method_changes_only_if_the_child_has_changed_nothing(
    #[case] stage: Stage,
    #[case] errno: Errno,
    #[case] expected: fn(Report) -> Failed,
) {
    let report = Report { stage, errno, operand: 0 };
    assert_eq!(failed(report), expected(report));
    let is_final = failed(report) == Failed::Finally(LaunchError::Child(report));
    assert_eq!(super::spawn_unreaped::is_refusal_of_the_method(&report), !is_final);
}
