//! The launcher by posix_spawn(3C) over the simulated illumos and Solaris: which plans it expresses, and how; what it closes; the
//! stage of a failure.
//!
//! A child that is started this way has what a forked child of the same plan has.

use std::ffi::CStr;

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use proptest::sample::subsequence;
use rstest::rstest;

use forkexec_core::{
    Backend, ChildContext, CloseStrategy, Closed, Closer, Disposition, Errno, Exec, FallbackReason, Fd,
    KeepList, LaunchError, Mask, Move, Plan, Report, SignalSet, SpawnMethod, Stage, WorkingDirectory,
    child_exec,
};
use forkexec_solaris::{Action, Attributes, Solaris, SpawnSys, express, launch_spawned};

use crate::posix_spawn::{fail_each_call, ring};
use crate::sim::rich::{self, BIRTH, as_hook};
use crate::sim::spawn::SPAWNED;
use crate::sim::sun::SunRelease;
use crate::sim::{Call, Executed, File, Listing, Outcome, Recorder, SimKernel};
use crate::{World, keep_list, strings};

const ILLUMOS: SunRelease = SunRelease::ILLUMOS;
const NEWER: SunRelease = SunRelease::ILLUMOS_WITH_SPAWN;
const SOLARIS: SunRelease = SunRelease::SOLARIS_11_4;
const DIRECTORY: Fd = 14;
const PARENTS_MASK: SignalSet = SignalSet::EMPTY.with(libc::SIGUSR1);

/// `SIGAIOCANCEL` and `SIGCANCEL` of illumos.
const RESERVED: [i32; 2] = [33, 36];

fn plain() -> Plan<'static> {
    Plan::new(Exec { candidates: &[c"/bin/prog"], ..rich::exec() })
}

fn of(candidates: &'static [&'static CStr]) -> Plan<'static> {
    Plan::new(Exec { candidates, ..rich::exec() })
}

/// A plan that takes these steps.
fn moving(moves: &[Move]) -> Plan<'static> {
    Plan { moves: moves.to_vec().leak(), ..plain() }
}

fn entering(path: &'static CStr) -> Plan<'static> {
    Plan { directory: Some(WorkingDirectory::Path(path)), ..plain() }
}

fn at_open_directory() -> Plan<'static> {
    Plan { early_directory: Some(WorkingDirectory::Fd(DIRECTORY)), ..plain() }
}

/// Secrets, a directory, files that are close-on-exec, and a process with each disposition.
fn kernel(release: SunRelease) -> SimKernel {
    let dispositions = [
        (libc::SIGINT, Disposition::Handled),
        (libc::SIGPIPE, Disposition::Ignored),
        (libc::SIGHUP, Disposition::Ignored),
    ];
    SimKernel::new()
        .with_spawn_of(release)
        .with_open(&[5, 6, 70])
        .with_cloexec(&[10, 11, 12, 13, 60, 61, 600])
        .with_files(&[DIRECTORY], File::Directory, true)
        .with_path(c"/work", Outcome::Directory)
        .with_process(|process| {
            process.mask = PARENTS_MASK;
            process.dispositions = dispositions.into();
        })
}

/// The one child of a start that worked.
fn started(kernel: &SimKernel, plan: &Plan<'_>) -> Result<Executed, LaunchError> {
    let launched = launch_spawned(kernel, plan)?;
    assert_eq!((launched.pid, launched.pidfd, launched.method), (SPAWNED, None, SpawnMethod::PosixSpawn));
    // On another host, the backend is that of Solaris.
    let by = if plan.close.is_some() { Closer::Bulk } else { Closer::Nothing };
    assert_eq!(launched.closed, Closed { by, bulk_refused: None });
    let mut spawned = kernel.spawned();
    assert_eq!(spawned.len(), 1);
    Ok(spawned.remove(0))
}

/// A forked child of the same plan. pthread_sigmask(3C) leaves the reserved signals out.
fn forked(kernel: SimKernel, plan: &Plan<'_>) -> Result<Executed, Report> {
    let backend = Solaris::new(kernel);
    let context = ChildContext { mask: PARENTS_MASK, ..BIRTH };
    let recorder = Recorder::new(backend.sys());
    child_exec(&backend, plan, &context, &recorder)
}

/// Starts the plan by both methods, and holds the children to be the same. The parent stays as it was.
fn same_by_both(kernel: impl Fn() -> SimKernel, plan: &Plan<'_>) -> Executed {
    let simulated = kernel();
    let before = simulated.table().entries().clone();
    let executed = started(&simulated, plan).expect("posix_spawn can express it");
    assert_eq!(simulated.table().entries(), &before, "the table of the parent");
    assert_eq!(Ok(&executed), forked(kernel(), plan).as_ref(), "posix_spawn and fork");
    executed
}

fn refused(kernel: &SimKernel, plan: &Plan<'_>) -> Option<FallbackReason> {
    let reason = express(kernel, plan).err();
    if let Some(reason) = reason {
        let error = launch_spawned(kernel, plan).map(|launched| launched.pid);
        assert_eq!((error, kernel.spawned()), (Err(LaunchError::ForkRequired(reason)), vec![]));
        assert_eq!(kernel.calls_of("spawn_child"), [""; 0], "no child for a plan that cannot be expressed");
    }
    reason
}

/// The actions that a plan becomes, as they are added.
fn actions(kernel: &SimKernel, plan: &Plan<'_>) -> Vec<String> {
    assert!(express(kernel, plan).is_ok());
    let is_action = |call: &&Call| call.name.starts_with("add_");
    kernel.log().iter().filter(is_action).map(Call::to_string).collect()
}

fn failed(stage: Stage, errno: Errno, operand: i32) -> LaunchError {
    LaunchError::Child(Report { stage, errno, operand })
}

/// Faults: Q-illumos
#[rstest]
fn spawned_child_is_as_a_forked_one(#[values(ILLUMOS, NEWER, SOLARIS)] release: SunRelease) {
    let plan = Plan {
        keep: keep_list(&[10, 11, 12, 60, 61]),
        inherit: &[10],
        moves: &[
            Move::copy(13, 0),
            Move::save(60),
            Move::copy(61, 60),
            Move::RestoreTemp(61),
            Move::copy(70, 11),
            Move::ClearCloexec(12),
            Move::Close(2),
        ],
        reset: SignalSet::EMPTY.with(libc::SIGPIPE).with(libc::SIGKILL).with(libc::SIGINT),
        process_group: Some(0),
        mask: Mask::Set(SignalSet::EMPTY.with(libc::SIGUSR2)),
        ..of(&[c"/missing/prog", c"/bin/prog"])
    };
    let executed = same_by_both(|| kernel(release), &plan);
    assert_eq!(executed.fds(), [0, 1, 10, 11, 12, 60, 61]);
    assert_eq!(executed.process.group, executed.process.pid);
    assert_eq!(executed.process.mask, SignalSet::EMPTY.with(libc::SIGUSR2));
    assert_eq!(executed.process.dispositions, [(libc::SIGHUP, Disposition::Ignored)].into());
}

#[rstest]
#[case::nothing(plain())]
#[case::own_group(Plan { process_group: Some(0), ..plain() })]
#[case::group_of_the_parent(Plan { process_group: Some(100), ..plain() })]
#[case::mask_of_the_parent(Plan { mask: Mask::Inherit, ..plain() })]
#[case::no_mask(Plan { mask: Mask::Set(SignalSet::EMPTY), ..plain() })]
#[case::dispositions(Plan { reset: SignalSet::EMPTY.with(libc::SIGHUP), ..plain() })]
#[case::nothing_closed(Plan { close: None, ..plain() })]
#[case::nothing_closed_and_one_kept(Plan { close: None, keep: keep_list(&[70]), inherit: &[70], ..plain() })]
#[case::kept(Plan { keep: keep_list(&[10, 60]), inherit: &[10, 60], ..plain() })]
#[case::kept_without_a_change(Plan { keep: keep_list(&[10, 70]), ..plain() })]
#[case::stream_onto_itself(moving(&[Move::copy(1, 1)]))]
#[case::relative_program(of(&[c"prog"]))]
fn expressible_setting_has_the_effect_that_it_has_after_fork(
    #[case] plan: Plan<'static>,
    #[values(ILLUMOS, NEWER, SOLARIS)] release: SunRelease,
) {
    same_by_both(|| kernel(release).with_path(c"prog", Outcome::Program), &plan);
}

#[rstest]
#[case::session(Plan { session: true, ..plain() }, NEWER)]
#[case::directory(entering(c"/work"), NEWER)]
#[case::directory_on_solaris(entering(c"/work"), SOLARIS)]
#[case::open_directory(at_open_directory(), NEWER)]
#[case::open_directory_with_a_copy_onto_3(
    Plan { keep: keep_list(&[3]), early_directory: at_open_directory().early_directory, ..moving(&[Move::copy(70, 3)]) }, NEWER)]
#[case::late_open_directory(Plan { directory: Some(WorkingDirectory::Fd(DIRECTORY)), ..plain() }, NEWER)]
fn newer_release_expresses_more(#[case] plan: Plan<'static>, #[case] release: SunRelease) {
    same_by_both(|| kernel(release), &plan);
}

#[rstest]
#[case::session(Plan { session: true, ..plain() }, ILLUMOS, Stage::Session)]
#[case::session_on_solaris(Plan { session: true, ..plain() }, SOLARIS, Stage::Session)]
#[case::directory(entering(c"/work"), ILLUMOS, Stage::Chdir)]
#[case::open_directory(at_open_directory(), ILLUMOS, Stage::Chdir)]
#[case::open_directory_on_solaris(at_open_directory(), SOLARIS, Stage::Chdir)]
#[case::relative_program_in_a_directory(
    Plan { exec: of(&[c"prog"]).exec, ..entering(c"/work") }, NEWER, Stage::Chdir)]
#[case::moved_directory(
    Plan { keep: keep_list(&[DIRECTORY]), early_directory: at_open_directory().early_directory, ..moving(&[Move::copy(70, DIRECTORY)]) },
    NEWER,
    Stage::EarlyChdir,
)]
#[case::group_of_a_session(Plan { session: true, process_group: Some(0), ..plain() }, NEWER, Stage::ProcessGroup)]
#[case::umask(Plan { umask: Some(0o22), ..plain() }, NEWER, Stage::Umask)]
#[case::ignored_signal(Plan { ignore: SignalSet::EMPTY.with(libc::SIGUSR1), ..plain() }, NEWER, Stage::Signals)]
#[case::uid(Plan { uid: Some(7), ..plain() }, NEWER, Stage::Uid)]
#[case::from_a_list(Plan { close: Some(CloseStrategy::Enumerate), ..plain() }, NEWER, Stage::Close)]
#[case::by_a_loop(Plan { close: Some(CloseStrategy::Loop), ..plain() }, NEWER, Stage::Close)]
#[case::closed_one_of_the_parent(moving(&[Move::CloseOpen(9)]), NEWER, Stage::DupFds)]
#[case::source_without_a_number(
    moving(&[Move::Copy { from: forkexec_core::Source::SpawnFd(7), to: 0 }]), NEWER, Stage::DupFds)]
#[case::inherited_while_others_stay_open(
    Plan { close: None, keep: keep_list(&[10]), inherit: &[10], ..plain() }, NEWER, Stage::KeepFds)]
#[case::onto_itself_while_others_stay_open(
    Plan { close: None, keep: keep_list(&[10]), ..moving(&[Move::copy(10, 10)]) }, NEWER, Stage::DupFds)]
#[case::wide_gap(Plan { keep: keep_list(&[3, 69]), ..plain() }, NEWER, Stage::KeepFds)]
fn plan_that_posix_spawn_cannot_express_names_the_stage(
    #[case] plan: Plan<'static>,
    #[case] release: SunRelease,
    #[case] stage: Stage,
) {
    assert_eq!(refused(&kernel(release), &plan), Some(FallbackReason::Inexpressible(stage)));
}

#[rstest]
#[case::narrow_gap(&[3, 68])]
#[case::contiguous(&[3, 4, 5])]
#[case::highest_of_all(&[3, 4, Fd::MAX])]
fn kept_descriptors_near_each_other_are_expressed(#[case] keep: &[Fd]) {
    let is_expressed = express(&kernel(NEWER), &Plan { keep: keep_list(keep), ..plain() }).is_ok();
    assert_eq!(is_expressed, !keep.contains(&Fd::MAX));
}

#[test]
fn closure_needs_fork() {
    let hook = || Ok(());
    let plan = Plan { hook: Some(as_hook(&hook)), umask: Some(0), ..plain() };
    assert_eq!(refused(&kernel(NEWER), &plan), Some(FallbackReason::Closure));
}

#[rstest]
#[case::streams(&[], &[Move::copy(70, 0), Move::copy(6, 1)], &["add_dup2(70, 0)", "add_dup2(6, 1)", "add_closefrom(3)"])]
#[case::vacated(&[], &[Move::Close(2)], &["add_close(2)", "add_closefrom(3)"])]
// Another thread may open 9 before the child has its table.
#[case::vacated_although_closed(&[9], &[Move::Close(9)], &[
    "add_close(9)", "add_close(3)", "add_close(4)", "add_close(5)", "add_close(6)", "add_close(7)", "add_close(8)",
    "add_closefrom(10)",
])]
#[case::of_the_parent_alone(&[], &[Move::CloseOpen(1)], &["add_close(1)", "add_closefrom(3)"])]
#[case::in_place(&[3], &[Move::copy(3, 3)], &["add_dup2(3, 5)", "add_dup2(5, 3)", "add_closefrom(4)"])]
#[case::in_place_and_inherited_as_it_is(&[3, 4, 5], &[Move::copy(5, 5)], &["add_closefrom(6)"])]
#[case::shared(&[3], &[Move::ClearCloexec(3)], &["add_dup2(3, 5)", "add_dup2(5, 3)", "add_closefrom(4)"])]
#[case::swapped(&[3, 4], &[Move::save(3), Move::copy(4, 3), Move::RestoreTemp(4)], &[
    "add_dup2(3, 5)", "add_dup2(4, 3)", "add_dup2(5, 4)", "add_close(5)", "add_closefrom(5)",
])]
// 3 holds the saved copy, and 4 the one that clears close-on-exec.
#[case::shared_within_a_ring(
    &[5, 6, 7, 12],
    &[Move::save(6), Move::copy(7, 6), Move::ClearCloexec(12), Move::RestoreTemp(7)],
    &[
        "add_dup2(6, 3)", "add_dup2(7, 6)", "add_dup2(12, 4)", "add_dup2(4, 12)", "add_dup2(3, 7)", "add_close(3)",
        "add_close(3)", "add_close(4)", "add_close(8)", "add_close(9)", "add_close(10)", "add_close(11)",
        "add_closefrom(13)",
    ],
)]
#[case::gap(&[5, 7], &[], &["add_close(3)", "add_close(4)", "add_close(6)", "add_closefrom(8)"])]
fn each_step_becomes_its_action(#[case] keep: &[Fd], #[case] moves: &[Move], #[case] expected: &[&str]) {
    let plan = Plan { keep: keep_list(keep), moves, ..plain() };
    assert_eq!(actions(&kernel(NEWER).with_cloexec(&[3, 4]), &plan), strings(expected));
}

#[test]
fn everything_is_closed_after_the_directory_is_entered() {
    let kernel = kernel(NEWER);
    assert_eq!(actions(&kernel, &at_open_directory()), ["add_fchdir(14)", "add_closefrom(3)"]);
}

#[test]
fn without_closing_no_action_closes_and_no_list_is_read() {
    let kernel = kernel(ILLUMOS);
    assert_eq!(actions(&kernel, &Plan { close: None, ..plain() }), [""; 0]);
    assert_eq!(kernel.calls_of("open_directory"), [""; 0]);
}

/// libc of illumos closes what a directory lists, whatever directory that is.
///
/// Faults: Q-illumos-list
#[rstest]
#[case::missing(|it: SimKernel| it.without_listings())]
#[case::plain_files(|it: SimKernel| it.with_listing(&Listing::plain(0..3)))]
#[case::kind_unknown(|it: SimKernel| it.refusing("is_on_procfs", Errno::NOSYS))]
fn list_that_is_not_on_procfs_is_a_reason_to_fork(#[case] world: World) {
    let kernel = world(kernel(ILLUMOS));
    let before = kernel.open_fds();
    assert_eq!(refused(&kernel, &plain()), Some(FallbackReason::Inexpressible(Stage::Close)));
    assert_eq!(kernel.open_fds(), before, "the look at the list leaves nothing open");
}

/// The rule of the simulated libc that the look at the list is for.
#[test]
fn simulated_libc_closes_what_is_listed() {
    let kernel = kernel(ILLUMOS).with_listing(&Listing::plain([5]));
    let mut spawn = kernel.spawn(&Attributes::NONE).expect("nothing is refused");
    kernel.add(&mut spawn, Action::CloseFrom(3)).expect("nothing is refused");
    assert_eq!(kernel.spawn_child(&spawn, c"/bin/prog", rich::argv(), None), Ok(SPAWNED));
    assert_eq!(kernel.spawned()[0].fds(), [0, 1, 2, 6, 70]);
}

/// Why two copies clear close-on-exec.
#[rstest]
#[case::onto_itself(&[Action::Dup2(10, 10)], &[])]
#[case::two_copies(&[Action::Dup2(10, 3), Action::Dup2(3, 10)], &[3, 10])]
fn simulated_copy_onto_the_same_number_keeps_the_flag(#[case] actions: &[Action<'_>], #[case] fds: &[Fd]) {
    let kernel = kernel(NEWER).without_open(&[0, 1, 2, 5, 6, 70]);
    let mut spawn = kernel.spawn(&Attributes::NONE).expect("nothing is refused");
    for &action in actions {
        kernel.add(&mut spawn, action).expect("nothing is refused");
    }
    assert_eq!(kernel.spawn_child(&spawn, c"/bin/prog", rich::argv(), None), Ok(SPAWNED));
    assert_eq!(kernel.spawned()[0].fds(), fds);
}

/// A forked child cannot block them either, because pthread_sigmask(3C) leaves them out.
#[rstest]
#[case::set(Mask::Set(SignalSet::ALL))]
#[case::inherited(Mask::Inherit)]
fn signals_of_the_c_library_are_never_blocked(#[case] mask: Mask) {
    let kernel = kernel(NEWER).with_process(|process| process.mask = SignalSet::ALL);
    let executed = started(&kernel, &Plan { mask, ..plain() }).expect("it starts");
    let blocked = RESERVED.map(|signal| executed.process.mask.contains(signal));
    assert_eq!((blocked, executed.process.mask.contains(libc::SIGUSR1)), ([false; 2], true));
}

fn programs(release: SunRelease) -> SimKernel {
    kernel(release)
        .with_path(c"/denied", Outcome::Fails(Errno::ACCES))
        .with_path(c"/file/prog", Outcome::Fails(Errno::NOTDIR))
        .with_path(c"/script", Outcome::Fails(Errno::NOEXEC))
        .with_path(c"/large", Outcome::Fails(Errno::TOOBIG))
        .with_path(c"/busy", Outcome::Fails(Errno::TXTBSY))
}

/// As a child reports it.
#[rstest]
#[case::missing(&[c"/missing"], Errno::NOENT, 0)]
#[case::all_missing(&[c"/missing", c"/absent"], Errno::NOENT, 1)]
#[case::denied_before_missing(&[c"/denied", c"/missing"], Errno::ACCES, 0)]
#[case::no_directory(&[c"/missing", c"/file/prog"], Errno::NOTDIR, 1)]
#[case::too_large(&[c"/large"], Errno::TOOBIG, 0)]
#[case::no_program_and_no_shell(&[c"/script"], Errno::NOEXEC, 0)]
#[case::busy(&[c"/busy"], Errno::TXTBSY, 0)]
#[case::none(&[], Errno::NOENT, 0)]
fn error_of_the_candidates_is_that_of_a_forked_child(
    #[case] candidates: &'static [&'static CStr],
    #[case] errno: Errno,
    #[case] index: i32,
    #[values(ILLUMOS, NEWER)] release: SunRelease,
) {
    let plan = of(candidates);
    let report = Report { stage: Stage::Exec, errno, operand: index };
    assert_eq!(started(&programs(release), &plan).map(drop), Err(LaunchError::Child(report)));
    assert_eq!(forked(programs(release), &plan).map(drop), Err(report));
}

/// The descriptor that the plan needs and the parent has closed.
#[rstest]
#[case::kept(Plan { keep: keep_list(&[9]), inherit: &[9], ..plain() }, failed(Stage::KeepFds, Errno::BADF, 9))]
#[case::source(moving(&[Move::copy(9, 0)]), failed(Stage::DupFds, Errno::BADF, 9))]
#[case::shared(
    Plan { keep: keep_list(&[9]), ..moving(&[Move::ClearCloexec(9)]) }, failed(Stage::DupFds, Errno::BADF, 9))]
#[case::directory(
    Plan { early_directory: Some(WorkingDirectory::Fd(9)), ..plain() }, failed(Stage::EarlyChdir, Errno::BADF, 9))]
fn closed_descriptor_is_named_as_by_a_forked_child(#[case] plan: Plan<'static>, #[case] error: LaunchError) {
    let simulated = kernel(NEWER);
    assert_eq!(started(&simulated, &plan).map(drop), Err(error));
    assert_eq!(forked(kernel(NEWER), &plan).map(drop).map_err(LaunchError::Child), Err(error));
}

#[rstest]
#[case::missing(c"/absent", Outcome::Fails(Errno::NOENT), Errno::NOENT)]
#[case::file(c"/bin/prog", Outcome::Program, Errno::NOTDIR)]
#[case::of_another_user(c"/private", Outcome::DirectoryOf(7), Errno::ACCES)]
fn directory_that_cannot_be_entered_is_told_from_the_program(
    #[case] path: &'static CStr,
    #[case] outcome: Outcome,
    #[case] errno: Errno,
) {
    let world = || kernel(NEWER).with_path(path, outcome);
    let report = Report { stage: Stage::Chdir, errno, operand: 0 };
    assert_eq!(started(&world(), &entering(path)).map(drop), Err(LaunchError::Child(report)));
    assert_eq!(forked(world(), &entering(path)).map(drop), Err(report));
}

/// A forked child tells, or it starts.
#[rstest]
#[case::group(Plan { process_group: Some(12_345), ..plain() }, |it: SimKernel| it, Errno::PERM)]
#[case::target_beyond_the_limit(
    Plan { keep: keep_list(&[3, 4, 5, 6, 7, 8]), ..moving(&[Move::copy(70, 8)]) }, |it: SimKernel| it.with_limit(8), Errno::BADF)]
#[case::no_number_for_the_list(plain(), |it: SimKernel| it.with_limit(3).without_open(&[5, 6, 70]), Errno::MFILE)]
#[case::processes_or_memory(plain(), |it: SimKernel| it.refusing("spawn_child", Errno::AGAIN), Errno::AGAIN)]
#[case::memory(plain(), |it: SimKernel| it.refusing("spawn_child", Errno::NOMEM), Errno::NOMEM)]
#[case::privilege(plain(), |it: SimKernel| it.refusing("spawn_child", Errno::PERM), Errno::PERM)]
#[case::other_thread_forks(plain(), |it: SimKernel| it.refusing("spawn_child", Errno::INTR), Errno::INTR)]
fn errno_of_several_stages_is_reported_as_such(
    #[case] plan: Plan<'static>,
    #[case] world: World,
    #[case] errno: Errno,
) {
    // The parent's look at the list needs a number, too, so only the child lacks one.
    let kernel = world(kernel(ILLUMOS));
    let result = started(&kernel, &plan).map(drop);
    if errno == Errno::MFILE {
        assert_eq!(result, Err(LaunchError::ForkRequired(FallbackReason::Inexpressible(Stage::Close))));
    } else {
        assert_eq!(result, Err(LaunchError::StageUnknown(errno)));
    }
}

/// Faults: E15
#[test]
fn any_failing_call_around_posix_spawn_is_reported_or_harmless() {
    let plan = Plan {
        keep: keep_list(&[10, 11, 12]),
        inherit: &[10],
        moves: &[
            Move::save(11),
            Move::copy(12, 11),
            Move::RestoreTemp(12),
            Move::copy(70, 0),
            Move::Close(2),
        ],
        process_group: Some(0),
        exec: of(&[c"/missing/prog", c"/bin/prog"]).exec,
        ..entering(c"/work")
    };
    fail_each_call(
        || kernel(NEWER),
        &plan,
        launch_spawned,
        |call| {
            let is_look = matches!(call.name, "open_directory" | "is_on_procfs");
            is_look.then_some(FallbackReason::Inexpressible(Stage::Close))
        },
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Numbers below 40 are targets, those from 40 to 79 sources, those from 80 to 99 in a ring, and those from 100 on kept.
    #[test]
    fn spawned_child_has_the_descriptors_of_a_forked_one(
        mappings in btree_map(0_i32..40, 40_i32..80, 0..12),
        numbers in btree_set(80_i32..100, 0..6).prop_map(Vec::from_iter).prop_shuffle(),
        kept in btree_set(100_i32..120, 0..6),
        vacated in subsequence(vec![0, 1, 2], 0..=3),
        closed in subsequence(vec![0, 1, 2, 3, 4, 5], 0..=4),
        cloexec in subsequence((0..120).collect::<Vec<Fd>>(), 0..60),
        closes in any::<bool>(),
        by_libc in any::<bool>(),
    ) {
        let open: Vec<Fd> = (3..120).collect();
        let release = if by_libc { ILLUMOS } else { NEWER };
        let kernel = || {
            let kernel = SimKernel::new().with_spawn_of(release);
            let kernel = kernel.with_open(&open).with_cloexec(&cloexec).without_open(&closed);
            kernel.with_process(|process| process.mask = PARENTS_MASK)
        };
        let copies = mappings.iter().map(|(&to, &from)| Move::copy(from, to));
        let vacated = vacated.iter().filter(|fd| !mappings.contains_key(fd)).map(|&fd| Move::Close(fd));
        let moves: Vec<Move> = ring(&numbers).into_iter().chain(copies).chain(vacated).collect();
        let inherit: Vec<Fd> = kept.iter().copied().collect();
        let mut keep: Vec<Fd> = mappings.keys().copied().filter(|&fd| fd > 2).collect();
        keep.extend(numbers.iter().chain(&inherit));
        keep.sort_unstable();
        let has_wide_gap = [2].iter().chain(&keep).zip(&keep).any(|(&last, &next)| next - last > 65);
        let keep = KeepList::new(&keep).expect("it is sorted");
        let close = closes.then_some(CloseStrategy::Bulk);
        let plan = Plan { keep, inherit: &inherit, moves: &moves, close, ..plain() };
        let needs_a_number = numbers.len() == 1 && cloexec.contains(&numbers[0])
            || inherit.iter().any(|fd| cloexec.contains(fd));
        match refused(&kernel(), &plan) {
            None => { same_by_both(kernel, &plan); }
            Some(FallbackReason::Inexpressible(Stage::KeepFds)) => {
                let is_expected = if closes { has_wide_gap } else { needs_a_number };
                prop_assert!(is_expected);
            }
            Some(FallbackReason::Inexpressible(Stage::DupFds)) => {
                prop_assert!(!closes && (numbers.len() > 1 || needs_a_number));
            }
            other => prop_assert_eq!(other, None),
        }
    }
}
