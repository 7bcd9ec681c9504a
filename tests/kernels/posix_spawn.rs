//! The launcher by posix_spawn(2) over the simulated XNU: which plans it expresses, and how; the order of candidates; the stage
//! of a failure.
//!
//! A child that is started this way has what a forked child of the same plan has.

use std::ffi::CStr;

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use proptest::sample::subsequence;
use rstest::rstest;

use forkexec_apple::{Action, Apple, Attributes, SpawnSys, express, launch_spawned};
use forkexec_core::{
    CStrArray, Cgroup, CloseStrategy, Closed, Closer, Disposition, Errno, Exec, FallbackReason, Fd, KeepList,
    LaunchError, Launched, Limit, Mask, Move, Pid, PidVariable, Plan, Report, Resource, ShellFallback,
    SignalSet, SpawnMethod, Stage, Sys, WorkingDirectory, child_exec,
};

use crate::sim::apple::{OPEN_MAX, PATH_MAX};
use crate::sim::rich::{self, BIRTH, as_hook};
use crate::sim::spawn::SPAWNED;
use crate::sim::{Call, Executed, File, Outcome, Process, Recorder, SimKernel};
use crate::{World, keep_list, strings};

const NOTSUP: Errno = Errno::from_raw(libc::ENOTSUP);
const DIRECTORY: Fd = 14;

fn exec() -> Exec<'static> {
    Exec { candidates: &[c"/bin/prog"], ..rich::exec() }
}

fn plain() -> Plan<'static> {
    Plan::new(exec())
}

/// A plan that takes these steps.
fn moving(moves: &[Move]) -> Plan<'static> {
    Plan { moves: moves.to_vec().leak(), ..plain() }
}

fn of(candidates: &'static [&'static CStr]) -> Plan<'static> {
    Plan::new(Exec { candidates, ..exec() })
}

fn entering(path: &'static CStr) -> Plan<'static> {
    Plan { directory: Some(WorkingDirectory::Path(path)), ..plain() }
}

/// Secrets, a directory, files that are close-on-exec, and a process with each disposition.
fn kernel() -> SimKernel {
    SimKernel::apple()
        .with_open(&[5, 6, 70])
        .with_cloexec(&[10, 11, 12, 13, 60, 61, 600])
        .with_files(&[DIRECTORY], File::Directory, true)
        .with_path(c"/work", Outcome::Directory)
        .with_process(|process| {
            process.mask = SignalSet::EMPTY.with(libc::SIGUSR1);
            process.dispositions = [
                (libc::SIGINT, Disposition::Handled),
                (libc::SIGPIPE, Disposition::Ignored),
                (libc::SIGHUP, Disposition::Ignored),
            ]
            .into();
        })
}

/// The one child of a start that worked.
fn started(kernel: &SimKernel, plan: &Plan<'_>) -> Result<Executed, LaunchError> {
    let launched = launch_spawned(kernel, plan)?;
    assert_eq!((launched.pid, launched.pidfd, launched.method), (SPAWNED, None, SpawnMethod::PosixSpawn));
    assert!(launched.timeline.is_none());
    let by = if plan.close.is_some() { Closer::Bulk } else { Closer::Nothing };
    assert_eq!(launched.closed, Closed { by, bulk_refused: None });
    let mut spawned = kernel.spawned();
    assert_eq!(spawned.len(), 1);
    Ok(spawned.remove(0))
}

/// A forked child of the same plan, which closes from a list.
fn forked(kernel: SimKernel, plan: &Plan<'_>) -> Result<Executed, Report> {
    let apple = Apple::new(kernel);
    let context = forkexec_core::ChildContext { mask: SignalSet::EMPTY.with(libc::SIGUSR1), ..BIRTH };
    let recorder = Recorder::new(forkexec_core::Backend::sys(&apple));
    child_exec(&apple, plan, &context, &recorder)
}

/// Starts the plan by both methods, and holds the children to be the same. The parent stays as it was.
fn same_by_both(kernel: impl Fn() -> SimKernel, plan: &Plan<'_>) -> Executed {
    let simulated = kernel();
    let before = simulated.table();
    let executed = started(&simulated, plan).expect("posix_spawn can express it");
    assert_eq!(simulated.table(), before, "the table of the parent");
    assert_eq!(Ok(&executed), forked(kernel(), plan).as_ref(), "posix_spawn and fork");
    executed
}

fn refused(kernel: &SimKernel, plan: &Plan<'_>) -> Option<FallbackReason> {
    let reason = express(kernel, plan).err();
    let launched = launch_spawned(kernel, plan).map(|launched| launched.pid);
    assert_eq!(launched.is_ok(), reason.is_none());
    if let Some(reason) = reason {
        assert_eq!((launched, kernel.spawned()), (Err(LaunchError::ForkRequired(reason)), vec![]));
        assert_eq!(kernel.calls_of("spawn_child"), [""; 0], "no child for a plan that cannot be expressed");
    }
    reason
}

/// The actions that a plan becomes, as they are added.
fn actions(kernel: &SimKernel, plan: &Plan<'_>) -> Vec<String> {
    assert!(express(kernel, plan).is_ok());
    let is_action = |call: &&Call| call.name.starts_with("add_") || call.name == "inherit";
    kernel.log().iter().filter(is_action).map(Call::to_string).collect()
}

fn failed(stage: Stage, errno: Errno, operand: i32) -> LaunchError {
    LaunchError::Child(Report { stage, errno, operand })
}

#[test]
fn spawned_child_is_as_a_forked_one() {
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
        early_directory: Some(WorkingDirectory::Fd(DIRECTORY)),
        mask: Mask::Set(SignalSet::EMPTY.with(libc::SIGUSR2)),
        ..of(&[c"/missing/prog", c"/bin/prog"])
    };
    let executed = same_by_both(kernel, &plan);
    assert_eq!(executed.fds(), [0, 1, 10, 11, 12, 60, 61]);
    let Process { group, pid, mask, dispositions, directory, .. } = executed.process;
    assert_eq!((group, mask), (pid, SignalSet::EMPTY.with(libc::SIGUSR2)));
    assert_eq!(dispositions, [(libc::SIGHUP, Disposition::Ignored)].into());
    assert_eq!(directory.as_c_str(), c"(descriptor)");
}

#[rstest]
#[case::nothing(plain())]
#[case::session(Plan { session: true, ..plain() })]
#[case::own_group(Plan { process_group: Some(0), ..plain() })]
#[case::group_of_the_parent(Plan { process_group: Some(100), ..plain() })]
#[case::mask_of_the_parent(Plan { mask: Mask::Inherit, ..plain() })]
#[case::no_mask(Plan { mask: Mask::Set(SignalSet::EMPTY), ..plain() })]
#[case::dispositions(Plan { reset: SignalSet::EMPTY.with(libc::SIGHUP), ..plain() })]
#[case::directory(entering(c"/work"))]
#[case::open_directory(Plan { early_directory: Some(WorkingDirectory::Fd(DIRECTORY)), ..plain() })]
#[case::open_directory_after_the_ids(Plan { directory: Some(WorkingDirectory::Fd(DIRECTORY)), ..plain() })]
#[case::early_path(Plan { early_directory: Some(WorkingDirectory::Path(c"/work")), ..plain() })]
#[case::nothing_closed(Plan { close: None, ..plain() })]
#[case::nothing_closed_and_one_kept(Plan { close: None, keep: keep_list(&[10]), inherit: &[10], ..plain() })]
#[case::kept(Plan { keep: keep_list(&[10, 60]), inherit: &[10, 60], ..plain() })]
#[case::kept_without_a_change(Plan { keep: keep_list(&[10, 70]), ..plain() })]
#[case::relative_program(of(&[c"prog"]))]
#[case::pidfd(Plan { pidfd: true, ..plain() })]
#[case::no_pidfd(Plan { pidfd: false, ..plain() })]
fn expressible_setting_has_the_effect_that_it_has_after_fork(#[case] plan: Plan<'static>) {
    same_by_both(|| kernel().with_path(c"prog", Outcome::Program), &plan);
}

#[rstest]
#[case::copied(&[Move::copy(70, 0)], &["add_dup2(70, 0)", "inherit(1)", "inherit(2)"])]
#[case::in_place(&[Move::copy(10, 10)], &["inherit(10)", "inherit(0)", "inherit(1)", "inherit(2)"])]
#[case::shared(&[Move::ClearCloexec(10)], &["inherit(10)", "inherit(0)", "inherit(1)", "inherit(2)"])]
#[case::vacated(&[Move::Close(2)], &["add_close(2)", "inherit(0)", "inherit(1)"])]
#[case::vacated_although_closed(&[Move::Close(9)], &["inherit(0)", "inherit(1)", "inherit(2)"])]
#[case::placed_and_vacated(
    &[Move::copy(70, 10), Move::Close(10)],
    &["add_dup2(70, 10)", "add_close(10)", "inherit(0)", "inherit(1)", "inherit(2)"],
)]
#[case::vacated_twice(&[Move::Close(2), Move::Close(2)], &["add_close(2)", "inherit(0)", "inherit(1)"])]
#[case::of_the_parent_alone(&[Move::CloseOpen(1)], &["add_close(1)", "inherit(0)", "inherit(2)"])]
// 3 is claimed by no mapping, and 4 is read later.
#[case::swapped(
    &[Move::save(10), Move::copy(11, 10), Move::RestoreTemp(11), Move::copy(4, 0)],
    &["add_dup2(10, 3)", "add_dup2(11, 10)", "add_dup2(3, 11)", "add_close(3)", "add_dup2(4, 0)", "inherit(1)", "inherit(2)"],
)]
#[case::saved_number_is_never_a_source(
    &[Move::save(10), Move::copy(11, 10), Move::RestoreTemp(11), Move::copy(3, 0)],
    &["add_dup2(10, 4)", "add_dup2(11, 10)", "add_dup2(4, 11)", "add_close(4)", "add_dup2(3, 0)", "inherit(1)", "inherit(2)"],
)]
fn each_step_becomes_its_action(#[case] moves: &[Move], #[case] expected: &[&str]) {
    let plan = Plan { keep: keep_list(&[10, 11]), moves, ..plain() };
    let kernel = kernel().with_cloexec(&[3, 4]);
    assert_eq!(actions(&kernel, &plan), strings(expected));
}

#[test]
fn saved_number_is_no_kept_one_and_not_the_directory() {
    let swap = [Move::save(10), Move::copy(11, 10), Move::RestoreTemp(11)];
    let keep: Vec<Fd> = (3..14).collect();
    let early_directory = Some(WorkingDirectory::Fd(14));
    let plan = Plan { keep: keep_list(&keep), moves: &swap, early_directory, ..plain() };
    assert!(actions(&kernel(), &plan).contains(&"add_dup2(10, 15)".to_owned()));
}

#[rstest]
#[case::all_open(kernel(), &["inherit(0)", "inherit(1)", "inherit(2)"])]
#[case::input_closed(kernel().without_open(&[0]), &["inherit(1)", "inherit(2)"])]
#[case::daemon(kernel().without_open(&[0, 1, 2]), &[])]
#[case::output_for_the_parent_only(kernel().with_cloexec(&[1]), &["inherit(0)", "inherit(2)"])]
fn standard_stream_is_named_if_the_program_is_to_get_it(
    #[case] kernel: SimKernel,
    #[case] expected: &[&str],
) {
    assert_eq!(actions(&kernel, &plain()), strings(expected));
}

#[test]
fn no_stream_is_named_if_nothing_is_closed() {
    assert_eq!(actions(&kernel(), &Plan { close: None, ..plain() }), [""; 0]);
}

fn own_pid() -> &'static [PidVariable] {
    Box::leak(Box::new([PidVariable::new("LISTEN_PID").expect("it is a name")]))
}

/// Faults: Q-macos-directory
#[rstest]
#[case::timed(Stage::Start, Plan { timed: true, ..plain() })]
#[case::cgroup(Stage::Cgroup, Plan { cgroup: Some(Cgroup { directory: 5, procs: 6 }), ..plain() })]
#[case::root(Stage::Chroot, Plan { root: Some(c"/srv"), ..plain() })]
#[case::umask(Stage::Umask, Plan { umask: Some(0o22), ..plain() })]
#[case::ignored_signal(Stage::Signals, Plan { ignore: SignalSet::EMPTY.with(libc::SIGUSR1), ..plain() })]
#[case::group_of_a_session(Stage::ProcessGroup, Plan { session: true, process_group: Some(0), ..plain() })]
#[case::terminal(Stage::Terminal, Plan { terminal: Some(5), ..plain() })]
#[case::foreground(Stage::Foreground, Plan { foreground: Some(5), ..plain() })]
#[case::limit(Stage::Limits, Plan { limits: &[Limit { resource: Resource::CORE, soft: 0, hard: 0 }], ..plain() })]
#[case::nice(Stage::Nice, Plan { nice: Some(1), ..plain() })]
#[case::groups(Stage::Groups, Plan { groups: Some(&[]), ..plain() })]
#[case::gid(Stage::Gid, Plan { gid: Some(7), ..plain() })]
#[case::uid(Stage::Uid, Plan { uid: Some(7), ..plain() })]
#[case::no_new_privs(Stage::NoNewPrivs, Plan { no_new_privs: true, ..plain() })]
#[case::parent_death(Stage::DieWithParent, Plan { die_with_parent: Some(9), ..plain() })]
#[case::from_a_list(Stage::Close, Plan { close: Some(CloseStrategy::Enumerate), ..plain() })]
#[case::by_a_loop(Stage::Close, Plan { close: Some(CloseStrategy::Loop), ..plain() })]
#[case::own_pid(Stage::Exec, Plan { own_pids: own_pid(), ..plain() })]
#[case::both_directories(
    Stage::EarlyChdir,
    Plan { early_directory: Some(WorkingDirectory::Fd(DIRECTORY)), ..entering(c"/work") },
)]
#[case::relative_program_in_a_directory(Stage::Chdir, Plan { exec: of(&[c"/bin/prog", c"prog"]).exec, ..entering(c"/work") })]
#[case::directory_that_is_replaced(
    Stage::EarlyChdir,
    Plan {
        keep: keep_list(&[DIRECTORY]),
        early_directory: Some(WorkingDirectory::Fd(DIRECTORY)),
        ..moving(&[Move::copy(70, DIRECTORY)])
    },
)]
#[case::late_directory_that_is_closed(
    Stage::Chdir,
    Plan { directory: Some(WorkingDirectory::Fd(DIRECTORY)), ..moving(&[Move::Close(DIRECTORY)]) },
)]
#[case::path_that_no_action_holds(Stage::Chdir, entering(long_path()))]
#[case::ring_while_others_stay_open(
    Stage::DupFds,
    Plan {
        keep: keep_list(&[10, 11]),
        close: None,
        ..moving(&[Move::save(10), Move::copy(11, 10), Move::RestoreTemp(11)])
    },
)]
#[case::target_that_is_not_kept(Stage::DupFds, Plan { ..moving(&[Move::copy(70, 9)]) })]
#[case::inherited_and_not_kept(Stage::KeepFds, Plan { inherit: &[10], ..plain() })]
#[case::source_without_a_number(
    Stage::DupFds,
    Plan { ..moving(&[Move::Copy { from: forkexec_core::Source::SpawnFd(7), to: 0 }]) },
)]
#[case::kept_number_too_high(Stage::KeepFds, Plan { keep: keep_list(&[OPEN_MAX]), inherit: &[OPEN_MAX], ..plain() })]
#[case::target_too_high(Stage::DupFds, Plan { keep: keep_list(&[OPEN_MAX]), ..moving(&[Move::copy(70, OPEN_MAX)]) })]
#[case::source_too_high(Stage::DupFds, Plan { ..moving(&[Move::copy(OPEN_MAX, 0)]) })]
#[case::directory_too_high(
    Stage::EarlyChdir,
    Plan { early_directory: Some(WorkingDirectory::Fd(OPEN_MAX)), ..plain() },
)]
fn plan_that_posix_spawn_cannot_express_names_the_stage(#[case] stage: Stage, #[case] plan: Plan<'static>) {
    assert_eq!(refused(&kernel(), &plan), Some(FallbackReason::Inexpressible(stage)));
}

/// A path that is one byte too long for an action, and one that fits.
fn long_path() -> &'static CStr {
    let path = [&b"/"[..], &[b'a'; PATH_MAX - 1], b"\0"].concat().leak();
    CStr::from_bytes_with_nul(path).expect("its NUL is the last byte")
}

#[rstest]
#[case::fits(256, None)]
#[case::one_more(257, Some(FallbackReason::Inexpressible(Stage::KeepFds)))]
fn number_of_kept_descriptors_is_limited(#[case] count: Fd, #[case] reason: Option<FallbackReason>) {
    let keep: Vec<Fd> = (1_000..1_000 + count).collect();
    let plan = Plan { keep: keep_list(&keep), inherit: &keep, ..plain() };
    assert_eq!(refused(&kernel().with_cloexec(&keep).with_limit(20_000), &plan), reason);
}

#[test]
fn closure_needs_fork() {
    let hook = || Ok(());
    let plan = Plan { hook: Some(as_hook(&hook)), umask: Some(0), ..plain() };
    assert_eq!(refused(&kernel(), &plan), Some(FallbackReason::Closure));
}

/// Faults: Q-macos-session
#[rstest]
#[case::session(Plan { session: true, ..plain() }, Some(Stage::Session))]
#[case::directory(entering(c"/work"), Some(Stage::Chdir))]
#[case::open_directory(
    Plan { early_directory: Some(WorkingDirectory::Fd(DIRECTORY)), ..plain() }, Some(Stage::Chdir))]
#[case::group(Plan { process_group: Some(0), ..plain() }, None)]
#[case::kept(Plan { keep: keep_list(&[10]), inherit: &[10], ..plain() }, None)]
fn old_release_has_neither_sessions_nor_directories(
    #[case] plan: Plan<'static>,
    #[case] stage: Option<Stage>,
) {
    let reason = stage.map(FallbackReason::Inexpressible);
    assert_eq!(refused(&kernel().before_directory_actions(), &plan), reason);
}

/// The kernel of macOS 10.14 answers success without a session, so the launcher must not ask it.
#[test]
fn old_kernel_ignores_the_flag_of_a_session() {
    let kernel = kernel().before_directory_actions();
    let attributes = Attributes { session: true, ..Attributes::NONE };
    let spawn = kernel.spawn(&attributes).expect("nothing is refused");
    assert_eq!(kernel.spawn_child(&spawn, c"/bin/prog", rich::argv(), None), Ok(SPAWNED));
    assert_ne!(kernel.spawned()[0].process.session, kernel.spawned()[0].process.pid);
}

#[rstest]
#[case::in_place_keeps_the_flag(&[Action::Dup2(10, 10)], &[])]
#[case::inherited(&[Action::Inherit(10)], &[10])]
#[case::copied(&[Action::Dup2(10, 11)], &[11])]
#[case::copied_and_closed(&[Action::Dup2(10, 11), Action::Close(11)], &[])]
fn xnu_keeps_what_an_action_names(#[case] actions: &[Action<'_>], #[case] fds: &[Fd]) {
    let kernel = kernel();
    let mut spawn =
        kernel.spawn(&Attributes { close_others: true, ..Attributes::NONE }).expect("nothing is refused");
    for &action in actions {
        kernel.add(&mut spawn, action).expect("nothing is refused");
    }
    assert_eq!(kernel.spawn_child(&spawn, c"/bin/prog", rich::argv(), None), Ok(SPAWNED));
    assert_eq!(kernel.spawned()[0].fds(), fds);
}

#[rstest]
#[case::mask("signal_mask", Errno::INVAL, FallbackReason::Refused(Errno::INVAL))]
#[case::attributes("spawn", Errno::NOMEM, FallbackReason::Refused(Errno::NOMEM))]
#[case::kept("inherit", Errno::NOMEM, FallbackReason::Refused(Errno::NOMEM))]
#[case::copied("add_dup2", Errno::NOMEM, FallbackReason::Refused(Errno::NOMEM))]
#[case::closed("add_close", Errno::NOMEM, FallbackReason::Refused(Errno::NOMEM))]
#[case::directory("add_chdir", Errno::NOMEM, FallbackReason::Refused(Errno::NOMEM))]
#[case::number_of_a_copy("add_dup2", Errno::BADF, FallbackReason::Inexpressible(Stage::DupFds))]
#[case::length_of_a_path("add_chdir", Errno::NAMETOOLONG, FallbackReason::Inexpressible(Stage::Chdir))]
fn actions_that_cannot_be_made_are_a_reason_to_fork(
    #[case] name: &str,
    #[case] errno: Errno,
    #[case] reason: FallbackReason,
) {
    let moves = [Move::copy(70, 0), Move::Close(2)];
    let plan = Plan { keep: keep_list(&[10]), inherit: &[10], moves: &moves, ..entering(c"/work") };
    assert_eq!(refused(&kernel().refusing(name, errno), &plan), Some(reason));
}

#[rstest]
#[case::second(&[c"/missing/prog", c"/bin/prog"], &["may_execute(/missing/prog)", "may_execute(/bin/prog)", "spawn_child(/bin/prog)"])]
#[case::first(&[c"/bin/prog", c"/missing/prog"], &["may_execute(/bin/prog)", "spawn_child(/bin/prog)"])]
#[case::one(&[c"/bin/prog"], &["spawn_child(/bin/prog)"])]
#[case::after_a_denied_one(
    &[c"/denied", c"/bin/prog"],
    &["may_execute(/denied)", "spawn_child(/denied)", "may_execute(/bin/prog)", "spawn_child(/bin/prog)"],
)]
#[case::after_no_directory(&[c"/file/prog", c"/bin/prog"], &["may_execute(/file/prog)", "may_execute(/bin/prog)", "spawn_child(/bin/prog)"])]
#[case::after_a_loop(
    &[c"/loop", c"/bin/prog"],
    &["may_execute(/loop)", "spawn_child(/loop)", "may_execute(/bin/prog)", "spawn_child(/bin/prog)"],
)]
fn candidates_are_tried_in_order_and_missing_ones_start_nothing(
    #[case] candidates: &'static [&'static CStr],
    #[case] calls: &[&str],
) {
    let kernel = programs();
    let executed = started(&kernel, &of(candidates)).expect("one runs");
    assert_eq!(executed.path.as_c_str(), c"/bin/prog");
    assert_eq!(starts(&kernel), strings(calls));
}

fn programs() -> SimKernel {
    kernel()
        .with_path(c"/denied", Outcome::Fails(Errno::ACCES))
        .with_path(c"/file/prog", Outcome::Fails(Errno::NOTDIR))
        .with_path(c"/loop", Outcome::Fails(Errno::LOOP))
        .with_path(c"/script", Outcome::Fails(Errno::NOEXEC))
        .with_path(c"/large", Outcome::Fails(Errno::TOOBIG))
}

fn starts(kernel: &SimKernel) -> Vec<String> {
    let is_start = |call: &&Call| matches!(call.name, "spawn_child" | "may_execute" | "pause");
    kernel.log().iter().filter(is_start).map(Call::to_string).collect()
}

/// As a child reports it.
#[rstest]
#[case::missing(&[c"/missing"], Errno::NOENT, 0)]
#[case::all_missing(&[c"/missing", c"/absent"], Errno::NOENT, 1)]
#[case::missing_and_no_directory(&[c"/missing", c"/file/prog"], Errno::NOTDIR, 1)]
#[case::denied_before_missing(&[c"/denied", c"/missing"], Errno::ACCES, 0)]
#[case::denied_after_missing(&[c"/missing", c"/denied"], Errno::ACCES, 1)]
#[case::denied_before_a_loop(&[c"/denied", c"/loop"], Errno::ACCES, 0)]
#[case::directory(&[c"/work"], Errno::ACCES, 0)]
#[case::too_large(&[c"/large"], Errno::TOOBIG, 0)]
#[case::no_program(&[c"/script"], Errno::NOEXEC, 0)]
#[case::loop_of_links(&[c"/loop"], Errno::LOOP, 0)]
#[case::none(&[], Errno::NOENT, 0)]
fn error_of_the_candidates_is_that_of_a_forked_child(
    #[case] candidates: &'static [&'static CStr],
    #[case] errno: Errno,
    #[case] index: i32,
) {
    let plan = of(candidates);
    let report = Report { stage: Stage::Exec, errno, operand: index };
    assert_eq!(started(&programs(), &plan).map(drop), Err(LaunchError::Child(report)));
    assert_eq!(forked(programs(), &plan).map(drop), Err(report));
}

/// A probe of this method shows something only if the kernel is called.
#[test]
fn plan_without_a_candidate_makes_the_call() {
    let kernel = kernel();
    assert!(launch_spawned(&kernel, &of(&[])).is_err());
    assert_eq!(starts(&kernel), ["spawn_child()"]);
}

#[rstest]
#[case::runs(Outcome::Program, Ok(c"/bin/sh"))]
#[case::missing(Outcome::Fails(Errno::NOENT), Err(failed(Stage::Exec, Errno::NOEXEC, 0)))]
fn unrecognised_program_runs_through_the_shell(
    #[case] shell: Outcome,
    #[case] path: Result<&CStr, LaunchError>,
) {
    let fallback = ShellFallback { shell: c"/bin/sh", argvs: &[CStrArray::EMPTY] };
    let exec = Exec { candidates: &[c"/script"], shell: Some(fallback), ..exec() };
    let kernel = programs().with_path(c"/bin/sh", shell);
    let executed = started(&kernel, &Plan::new(exec)).map(|executed| (executed.path, executed.argv));
    assert_eq!(executed, path.map(|path| (path.to_owned(), vec![])));
    assert_eq!(kernel.calls_of("spawn_child"), ["spawn_child(/script)", "spawn_child(/bin/sh)"]);
}

#[rstest]
#[case::soon_free(2, Ok(()), &["spawn_child(/bin/prog)", "pause(1)", "spawn_child(/bin/prog)", "pause(2)", "spawn_child(/bin/prog)"])]
#[case::busy(usize::MAX, Err(failed(Stage::Exec, Errno::TXTBSY, 0)), &[
    "spawn_child(/bin/prog)", "pause(1)", "spawn_child(/bin/prog)", "pause(2)", "spawn_child(/bin/prog)",
    "pause(4)", "spawn_child(/bin/prog)", "pause(8)", "spawn_child(/bin/prog)",
])]
fn busy_program_is_tried_again(
    #[case] times: usize,
    #[case] result: Result<(), LaunchError>,
    #[case] calls: &[&str],
) {
    let kernel = kernel().refusing_some("spawn_child", 0..times, Errno::TXTBSY);
    assert_eq!(started(&kernel, &plain()).map(drop), result);
    assert_eq!(starts(&kernel), strings(calls));
}

/// The descriptor that the plan needs and the parent has closed.
#[rstest]
#[case::kept(Plan { keep: keep_list(&[9]), inherit: &[9], ..plain() }, failed(Stage::KeepFds, Errno::BADF, 9))]
#[case::source(Plan { ..moving(&[Move::copy(9, 0)]) }, failed(Stage::DupFds, Errno::BADF, 9))]
#[case::shared(
    Plan { keep: keep_list(&[9]), ..moving(&[Move::ClearCloexec(9)]) }, failed(Stage::DupFds, Errno::BADF, 9))]
#[case::of_the_parent_alone(Plan { ..moving(&[Move::CloseOpen(9)]) }, failed(Stage::DupFds, Errno::BADF, 9))]
#[case::saved(
    Plan { keep: keep_list(&[9, 10]), ..moving(&[Move::save(9), Move::copy(10, 9), Move::RestoreTemp(10)]) },
    failed(Stage::DupFds, Errno::BADF, 9),
)]
#[case::kept_before_a_source(
    Plan { keep: keep_list(&[8]), inherit: &[8], ..moving(&[Move::copy(9, 0)]) },
    failed(Stage::KeepFds, Errno::BADF, 8),
)]
#[case::directory(
    Plan { early_directory: Some(WorkingDirectory::Fd(9)), ..plain() }, failed(Stage::EarlyChdir, Errno::BADF, 9))]
#[case::late_directory(
    Plan { directory: Some(WorkingDirectory::Fd(9)), ..plain() }, failed(Stage::Chdir, Errno::BADF, 9))]
fn closed_descriptor_is_named_as_by_a_forked_child(#[case] plan: Plan<'static>, #[case] error: LaunchError) {
    let simulated = kernel();
    let plan = Plan { exec: of(&[c"/bin/prog", c"/bin/prog"]).exec, ..plan };
    assert_eq!(started(&simulated, &plan).map(drop), Err(error));
    assert_eq!(simulated.calls_of("spawn_child").len(), 1, "no other candidate would run");
    assert_eq!(forked(kernel(), &plan).map(drop).map_err(LaunchError::Child), Err(error));
}

/// A step may read what an earlier one placed. Then the parent has no such descriptor.
#[test]
fn descriptor_that_an_earlier_step_placed_is_not_blamed() {
    let moves = [Move::copy(70, 10), Move::copy(10, 11), Move::copy(9, 0)];
    let plan = Plan { keep: keep_list(&[10, 11]), moves: &moves, ..plain() };
    let kernel = kernel().without_open(&[10]);
    assert_eq!(started(&kernel, &plan).map(drop), Err(failed(Stage::DupFds, Errno::BADF, 9)));
}

#[test]
fn target_beyond_the_limit_has_no_known_stage() {
    let plan = Plan { keep: keep_list(&[100]), moves: &[Move::copy(70, 100)], ..plain() };
    assert_eq!(
        started(&kernel().with_limit(90), &plan).map(drop),
        Err(LaunchError::StageUnknown(Errno::BADF))
    );
}

#[rstest]
#[case::missing(c"/absent", Outcome::Fails(Errno::NOENT), Errno::NOENT)]
#[case::file(c"/bin/prog", Outcome::Program, Errno::NOTDIR)]
#[case::below_a_file(c"/file", Outcome::Fails(Errno::NOTDIR), Errno::NOTDIR)]
#[case::of_another_user(c"/private", Outcome::DirectoryOf(7), Errno::ACCES)]
#[case::loop_of_links(c"/loop", Outcome::Fails(Errno::LOOP), Errno::LOOP)]
#[case::long_name(c"/long", Outcome::Fails(Errno::NAMETOOLONG), Errno::NAMETOOLONG)]
fn directory_that_cannot_be_entered_is_told_from_the_program(
    #[case] path: &'static CStr,
    #[case] outcome: Outcome,
    #[case] errno: Errno,
    #[values(&[c"/bin/prog"], &[c"/missing", c"/bin/prog"])] candidates: &'static [&'static CStr],
) {
    let plan = Plan { exec: Exec { candidates, ..exec() }, ..entering(path) };
    let world = || kernel().with_path(path, outcome);
    let report = Report { stage: Stage::Chdir, errno, operand: 0 };
    assert_eq!(forked(world(), &plan).map(drop), Err(report));
    let simulated = world();
    let before = simulated.open_fds();
    assert_eq!(started(&simulated, &plan).map(drop), Err(LaunchError::Child(report)));
    assert_eq!(simulated.open_fds(), before, "the parent's look at the directory leaves nothing open");
    let early = Plan { early_directory: plan.directory, directory: None, ..plan };
    assert_eq!(started(&world(), &early).map(drop), Err(failed(Stage::EarlyChdir, errno, 0)));
}

#[rstest]
#[case::missing(c"/missing", Errno::NOENT)]
#[case::denied(c"/denied", Errno::ACCES)]
#[case::below_a_file(c"/file/prog", Errno::NOTDIR)]
fn program_is_told_from_a_directory_that_can_be_entered(
    #[case] program: &'static CStr,
    #[case] errno: Errno,
) {
    let candidates = Box::leak(Box::new([program]));
    let plan = Plan { exec: Exec { candidates, ..exec() }, ..entering(c"/work") };
    assert_eq!(started(&programs(), &plan).map(drop), Err(failed(Stage::Exec, errno, 0)));
}

#[rstest]
#[case::look_differs(entering(c"/work"), |it: SimKernel| it.refusing("may_execute", Errno::IO), Errno::NOENT)]
#[case::look_refused(entering(c"/work"), |it: SimKernel| it.refusing("open_directory", Errno::MFILE), Errno::NOENT)]
#[case::open_directory(
    Plan { early_directory: Some(WorkingDirectory::Fd(DIRECTORY)), ..plain() }, |it: SimKernel| it, Errno::ACCES)]
#[case::no_directory(
    Plan { early_directory: Some(WorkingDirectory::Fd(70)), ..plain() }, |it: SimKernel| it, Errno::NOTDIR)]
#[case::group(Plan { process_group: Some(12_345), ..plain() }, |it: SimKernel| it, Errno::PERM)]
#[case::policy(plain(), |it: SimKernel| it, Errno::PERM)]
#[case::memory(plain(), |it: SimKernel| it, Errno::NOMEM)]
#[case::too_many_actions(plain(), |it: SimKernel| it, Errno::INVAL)]
#[case::interrupted(plain(), |it: SimKernel| it, Errno::INTR)]
#[case::disk(plain(), |it: SimKernel| it, Errno::IO)]
fn errno_of_several_stages_is_reported_as_such(
    #[case] plan: Plan<'static>,
    #[case] world: World,
    #[case] errno: Errno,
) {
    let kernel = world(kernel().refusing("spawn_child", errno));
    assert_eq!(started(&kernel, &plan).map(drop), Err(LaunchError::StageUnknown(errno)));
}

#[rstest]
#[case::actions(3, Plan { keep: keep_list(&[10]), inherit: &[10], ..plain() }, Errno::INVAL)]
#[case::group(1_024, Plan { process_group: Some(12_345), ..plain() }, Errno::PERM)]
fn xnu_refuses_without_a_stage(#[case] limit: u64, #[case] plan: Plan<'static>, #[case] errno: Errno) {
    let kernel = kernel().with_limit(limit);
    assert_eq!(started(&kernel, &plan).map(drop), Err(LaunchError::StageUnknown(errno)));
}

#[rstest]
#[case::too_many_processes(Errno::AGAIN, LaunchError::Parent { stage: Stage::Start, errno: Errno::AGAIN })]
#[case::no_such_call(Errno::NOSYS, LaunchError::ForkRequired(FallbackReason::Refused(Errno::NOSYS)))]
#[case::unsupported(NOTSUP, LaunchError::ForkRequired(FallbackReason::Refused(NOTSUP)))]
fn errno_of_no_program_ends_the_search(#[case] errno: Errno, #[case] error: LaunchError) {
    let kernel = kernel().refusing("spawn_child", errno);
    let plan = of(&[c"/bin/prog", c"/srv/prog", c"/bin/prog"]);
    assert_eq!(started(&kernel, &plan).map(drop), Err(error));
    assert_eq!(kernel.calls_of("spawn_child").len(), 1);
}

#[test]
fn errno_that_may_be_of_the_program_does_not_end_the_search() {
    let kernel = kernel().refusing_some("spawn_child", 0..1, Errno::PERM);
    let executed = started(&kernel, &of(&[c"/bin/prog", c"/bin/prog"]));
    assert!(executed.is_ok(), "{executed:?}");
}

const ERRNOS: [Errno; 20] = [
    Errno::PERM,
    Errno::NOENT,
    Errno::INTR,
    Errno::IO,
    Errno::TOOBIG,
    Errno::NOEXEC,
    Errno::BADF,
    Errno::AGAIN,
    Errno::NOMEM,
    Errno::ACCES,
    Errno::FAULT,
    Errno::NOTDIR,
    Errno::INVAL,
    Errno::MFILE,
    Errno::NFILE,
    Errno::TXTBSY,
    Errno::LOOP,
    Errno::NAMETOOLONG,
    Errno::NOSYS,
    NOTSUP,
];

/// Each call of a start with all that posix_spawn(2) expresses fails with each errno. Either the child is as the plan says, or there
/// is an error with that errno and no child.
///
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
    fail_each_call(kernel, &plan, launch_spawned, |_| None);
}

/// `refuses` is the reason to fork if a look of the parent fails.
pub(crate) fn fail_each_call(
    kernel: impl Fn() -> SimKernel,
    plan: &Plan<'_>,
    launch: fn(&SimKernel, &Plan<'_>) -> Result<Launched, LaunchError>,
    refuses: fn(&Call) -> Option<FallbackReason>,
) {
    let clean = kernel();
    assert!(launch(&clean, plan).is_ok(), "nothing fails yet");
    let expected = clean.spawned().remove(0);
    let (mut seen, mut runs) = (std::collections::BTreeMap::new(), 0);
    for call in clean.log() {
        let index = seen.entry(call.name).or_insert(0_usize);
        let which = *index..*index + 1;
        *index += 1;
        for errno in ERRNOS {
            let kernel = kernel().refusing_some(call.name, which.clone(), errno);
            match launch(&kernel, plan) {
                // A descriptor that cannot be looked at counts as closed, and is not passed on.
                Ok(_) if call.name == "is_cloexec" => {
                    assert!(
                        kernel.spawned()[0].fds().iter().all(|fd| expected.fds().contains(fd)),
                        "{call} {errno}"
                    );
                }
                Ok(_) => assert_eq!(kernel.spawned(), std::slice::from_ref(&expected), "{call} {errno}"),
                Err(error) => {
                    assert_eq!(kernel.spawned(), [], "{call} {errno}: {error:?}");
                    let told = match error {
                        LaunchError::Parent { errno, .. }
                        | LaunchError::StageUnknown(errno)
                        | LaunchError::Child(Report { errno, .. })
                        | LaunchError::ForkRequired(FallbackReason::Refused(errno)) => Some(errno),
                        LaunchError::ForkRequired(reason) if refuses(&call) == Some(reason) => Some(errno),
                        LaunchError::ForkRequired(FallbackReason::Inexpressible(_)) => {
                            [Errno::BADF, Errno::NAMETOOLONG].contains(&errno).then_some(errno)
                        }
                        _ => None,
                    };
                    assert_eq!(told, Some(errno), "{call}: {error:?}");
                }
            }
            runs += 1;
        }
    }
    println!("{runs} runs");
    assert!(runs > 300, "{runs}");
}

/// A ring in which each number gets the descriptor of the next one.
pub(crate) fn ring(numbers: &[Fd]) -> Vec<Move> {
    let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else { return Vec::new() };
    if first == last {
        return vec![Move::ClearCloexec(first)];
    }
    let turned = numbers.windows(2).map(|pair| Move::copy(pair[1], pair[0]));
    [Move::save(first)].into_iter().chain(turned).chain([Move::RestoreTemp(last)]).collect()
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
    ) {
        let open: Vec<Fd> = (3..120).collect();
        let kernel = || {
            let kernel = SimKernel::apple().with_open(&open).with_cloexec(&cloexec).without_open(&closed);
            kernel.with_process(|process| process.mask = SignalSet::EMPTY.with(libc::SIGUSR1))
        };
        let copies = mappings.iter().map(|(&to, &from)| Move::copy(from, to));
        let vacated = vacated.iter().filter(|fd| !mappings.contains_key(fd)).map(|&fd| Move::Close(fd));
        let moves: Vec<Move> = ring(&numbers).into_iter().chain(copies).chain(vacated).collect();
        let inherit: Vec<Fd> = kept.iter().copied().collect();
        let mut keep: Vec<Fd> = mappings.keys().copied().filter(|&fd| fd > 2).collect();
        keep.extend(numbers.iter().chain(&inherit));
        keep.sort_unstable();
        let keep = KeepList::new(&keep).expect("it is sorted");
        let close = closes.then_some(CloseStrategy::Bulk);
        let plan = Plan { keep, inherit: &inherit, moves: &moves, close, ..plain() };
        if !closes && numbers.len() > 1 {
            let reason = FallbackReason::Inexpressible(Stage::DupFds);
            prop_assert_eq!(refused(&kernel(), &plan), Some(reason));
        } else {
            same_by_both(kernel, &plan);
        }
    }
}

/// The call that the parent makes last.
#[test]
fn parent_makes_no_call_after_the_child_runs() {
    let kernel = kernel();
    let pid: Result<Pid, _> = launch_spawned(&kernel, &entering(c"/work")).map(|launched| launched.pid);
    assert_eq!(pid, Ok(SPAWNED));
    assert_eq!(kernel.log().last().map(Call::to_string).as_deref(), Some("spawn_child(/bin/prog)"));
    assert_eq!(kernel.getpid(), 101);
}
