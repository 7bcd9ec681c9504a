//! Whole plans, call by call: the order, the requested calls and no others, and the error in the report.

use std::ffi::CStr;
use std::sync::atomic::{AtomicUsize, Ordering};

use rstest::rstest;

use forkexec_core::{
    Backend, CHANNEL_REPLACED, CStrArray, Cgroup, ChildContext, CloseStrategy, Closed, Closer, Disposition,
    Errno, Exec, Fd, HOOK_PANICKED, HOOK_WITHOUT_ERRNO, HookError, KeepList, Limit, Mask, Move, PidVariable,
    Plan, Report, Resource, ShellFallback, SignalSet, Source, Stage, Sys, ThinCStr, WorkingDirectory,
    child_exec,
};
use forkexec_linux::Linux;

use crate::sim::attributes::Attributes;
use crate::sim::rich::{self, BIRTH, CHANNEL, HANDED_OVER, IDS, as_hook};
use crate::sim::{Executed, File, Outcome, Process, Recorder, SimKernel};
use crate::{keep_list, strings};

/// A child that has run.
pub(crate) struct Ran {
    pub(crate) backend: Linux<SimKernel>,
    pub(crate) result: Result<Executed, Report>,
    entered: Vec<(Stage, Option<u64>)>,
    closed: Option<Closed>,
}

impl Ran {
    fn calls(&self) -> Vec<String> {
        self.backend.sys().calls()
    }

    /// Returns the program, or the report of the failure.
    fn ending(&self) -> Result<&CStr, Report> {
        self.result.as_ref().map(|executed| executed.path.as_c_str()).map_err(|report| *report)
    }
}

pub(crate) fn run(kernel: SimKernel, plan: &Plan<'_>) -> Ran {
    run_as(kernel, plan, BIRTH, |recorder| recorder)
}

fn run_as(
    kernel: SimKernel,
    plan: &Plan<'_>,
    birth: ChildContext,
    change: impl FnOnce(Recorder<'_>) -> Recorder<'_>,
) -> Ran {
    let backend = Linux::new(kernel);
    let recorder = change(Recorder::new(backend.sys()));
    let result = child_exec(&backend, plan, &birth, &recorder);
    let (entered, closed) = (recorder.entered(), recorder.how_closed());
    Ran { backend, result, entered, closed }
}

/// The attributes of a program that a forked child executes.
pub(crate) fn attributes_after<B: Backend<Sys = SimKernel>>(
    backend: &B,
    plan: &Plan<'_>,
) -> Result<Attributes, Report> {
    let recorder = Recorder::new(backend.sys());
    child_exec(backend, plan, &BIRTH, &recorder).map(|executed| executed.process.attributes)
}

/// A plan that sets nothing but the program.
pub(crate) fn plain() -> Plan<'static> {
    Plan::new(Exec { candidates: &[c"/bin/prog"], argv: rich::argv(), env: None, shell: None })
}

fn failure<T>(stage: Stage, errno: Errno, operand: i32) -> Result<T, Report> {
    Err(Report { stage, errno, operand })
}

/// Faults: S7
#[test]
fn plan_with_all_operations_runs_in_this_order() {
    let ran = run_as(rich::kernel(), &rich::session_plan(), BIRTH, |it| it.with_channel(CHANNEL));
    let calls = [
        "set_cloexec(7, 0)",
        "close(5)",
        "dup2(9, 0)",
        "dup_min(10, 0)",
        "dup2(11, 10)",
        "dup2(3, 11)",
        "close(3)",
        "set_cloexec(12, 0)",
        "close(2)",
        "chroot(/srv)",
        "chdir(/)",
        "set_umask(23)",
        "set_disposition(2, 0)",
        "set_disposition(13, 0)",
        "set_disposition(10, 1)",
        "setsid()",
        "set_controlling_tty(13)",
        "tcsetpgrp(13)",
        "descriptor_limit()",
        "set_limit(7)",
        "set_limit(4)",
        "set_nice(5)",
        "set_groups()",
        "set_gid(1001)",
        "set_uid(1000)",
        "chdir(/work)",
        "set_no_new_privs()",
        "set_parent_death_signal(15)",
        "parent()",
        "set_mask()",
        "close_range(3, 6)",
        "close_range(9, 9)",
        "close_range(13, 39)",
        "close_range(41, 4294967295)",
        "execve(/missing/prog)",
        "execve(/bin/prog)",
    ];
    assert_eq!(ran.calls(), calls);
}

#[rstest]
#[case::of_a_session(rich::kernel, rich::session_plan)]
#[case::of_a_process_group(rich::group_kernel, rich::group_plan)]
fn stages_run_in_order_and_each_call_belongs_to_one(
    #[case] kernel: fn() -> SimKernel,
    #[case] plan: fn() -> Plan<'static>,
) {
    let ran = run_as(kernel(), &plan(), BIRTH, |it| it.with_channel(CHANNEL));
    let entered: Vec<Stage> = ran.entered.iter().map(|(stage, _)| *stage).collect();
    let log = ran.backend.sys().log();
    assert_eq!(entered, Stage::ORDER);
    assert!(log.iter().is_sorted_by_key(|call| call.stage) && log[0].stage.is_some(), "{log:?}");
}

#[test]
fn program_has_exactly_the_planned_state() {
    let ran = run_as(rich::kernel(), &rich::session_plan(), BIRTH, |it| it.with_channel(CHANNEL));
    let executed = ran.result.expect("nothing is refused");
    let before = rich::kernel().table();
    assert_eq!(executed.argv, [c"prog".to_owned(), c"x".to_owned()]);
    assert_eq!(executed.files, HANDED_OVER.map(|(fd, from)| (fd, before.entries()[&from].file)).into());
    let process = Process {
        session: 101,
        group: 101,
        terminal: Some(before.entries()[&13].file),
        foreground: 101,
        uid: IDS.0,
        gid: IDS.1,
        groups: IDS.2.to_vec(),
        root: c"/srv".to_owned(),
        directory: c"/work".to_owned(),
        umask: 0o027,
        nice: 5,
        mask: SignalSet::EMPTY.with(libc::SIGUSR2),
        dispositions: [libc::SIGHUP, libc::SIGUSR1].map(|signal| (signal, Disposition::Ignored)).into(),
        limits: [(Resource::NOFILE.0, (512, 512)), (Resource::CORE.0, (0, 0))].into(),
        no_new_privs: true,
        death_signal: libc::SIGTERM,
        ..executed.process.clone()
    };
    assert_eq!(executed.process, process);
}

/// The calls of the plain plan, without its questions about signals.
const PLAIN: [&str; 3] = ["set_mask()", "close_range(3, 4294967295)", "execve(/bin/prog)"];

#[rstest]
#[case::nothing(|_: &mut Plan<'_>| (), &[])]
#[case::keep(|it: &mut Plan<'_>| it.inherit = &[7, 8], &["set_cloexec(7, 0)", "set_cloexec(8, 0)"])]
#[case::parent_ends(|it: &mut Plan<'_>| it.moves = &[Move::CloseOpen(5), Move::CloseOpen(7)], &["close(5)", "close(7)"])]
#[case::place(|it: &mut Plan<'_>| it.moves = const { &[Move::copy(9, 1)] }, &["dup2(9, 1)"])]
#[case::cgroup(|it: &mut Plan<'_>| it.cgroup = Some(CGROUP), &["write(300)"])]
#[case::root(|it: &mut Plan<'_>| it.root = Some(c"/srv"), &["chroot(/srv)", "chdir(/)"])]
#[case::directory(
    |it: &mut Plan<'_>| it.directory = Some(WorkingDirectory::Path(c"/work")), &["chdir(/work)"])]
#[case::early_directory(
    |it: &mut Plan<'_>| it.early_directory = Some(WorkingDirectory::Path(c"/work")), &["chdir(/work)"])]
#[case::early_open_directory(
    |it: &mut Plan<'_>| it.early_directory = Some(WorkingDirectory::Fd(14)), &["fchdir(14)"])]
#[case::open_directory(|it: &mut Plan<'_>| it.directory = Some(WorkingDirectory::Fd(14)), &["fchdir(14)"])]
#[case::umask(|it: &mut Plan<'_>| it.umask = Some(0), &["set_umask(0)"])]
#[case::ignored_signal(
    |it: &mut Plan<'_>| it.ignore = SignalSet::EMPTY.with(3), &["set_disposition(3, 1)"])]
#[case::session(|it: &mut Plan<'_>| it.session = true, &["setsid()"])]
#[case::process_group(|it: &mut Plan<'_>| it.process_group = Some(100), &["set_process_group(100)"])]
#[case::foreground(|it: &mut Plan<'_>| it.foreground = Some(13), &["tcsetpgrp(13)"])]
#[case::limits(|it: &mut Plan<'_>| it.limits = &[LOW], &["set_limit(1)"])]
#[case::nice(|it: &mut Plan<'_>| it.nice = Some(-3), &["set_nice(-3)"])]
#[case::no_groups(|it: &mut Plan<'_>| it.groups = Some(&[]), &["set_groups()"])]
#[case::gid(|it: &mut Plan<'_>| it.gid = Some(0), &["set_gid(0)"])]
#[case::uid(|it: &mut Plan<'_>| it.uid = Some(0), &["set_uid(0)"])]
#[case::no_new_privs(|it: &mut Plan<'_>| it.no_new_privs = true, &["set_no_new_privs()"])]
#[case::die_with_parent(
    |it: &mut Plan<'_>| it.die_with_parent = Some(9), &["set_parent_death_signal(9)", "parent()"])]
fn stage_makes_exactly_the_requested_calls(#[case] ask: fn(&mut Plan<'static>), #[case] calls: &[&str]) {
    let mut plan = plain();
    ask(&mut plan);
    let kernel = rich::group_kernel().with_process(|it| it.dispositions.clear());
    let ran = run(kernel, &plan);
    assert_eq!((ran.ending(), ran.calls()), (Ok(c"/bin/prog"), strings(&[calls, &PLAIN].concat())));
}

/// Faults: S16
#[rstest]
#[case::new_user(1_000, Err((Stage::EarlyChdir, Errno::ACCES)), Ok(()))]
#[case::root(0, Ok(()), Err((Stage::Chdir, Errno::ACCES)))]
fn plan_decides_with_which_ids_chdir_runs(
    #[case] admitted: u32,
    #[case] early: Result<(), (Stage, Errno)>,
    #[case] late: Result<(), (Stage, Errno)>,
) {
    let private = Some(WorkingDirectory::Path(c"/private"));
    let with_ids = Plan { gid: Some(1_000), uid: Some(1_000), groups: Some(&[]), ..plain() };
    let plans = [Plan { early_directory: private, ..with_ids }, Plan { directory: private, ..with_ids }];
    let endings = plans.map(|plan| {
        let ran = run(SimKernel::new().with_path(c"/private", Outcome::DirectoryOf(admitted)), &plan);
        ran.ending().map(drop).map_err(|report| (report.stage, report.errno))
    });
    assert_eq!(endings, [early, late]);
}

#[test]
fn pid_variables_hold_the_pid_of_the_child() {
    let variables = ["LISTEN_PID", "WATCHDOG_PID"].map(|name| PidVariable::new(name).unwrap());
    let ran = run(SimKernel::new(), &Plan { own_pids: &variables, ..plain() });
    let calls = ran.calls();
    assert_eq!(calls[calls.len() - 2..], strings(&["process()", "execve(/bin/prog)"]));
    // SAFETY: the only child of this plan has run.
    let written = variables.each_ref().map(|variable| unsafe { ThinCStr::of_pid(variable) });
    assert_eq!(written.map(ThinCStr::as_c_str), [c"LISTEN_PID=101", c"WATCHDOG_PID=101"]);
}

/// The directory, and the file that a process enters by.
const CGROUP: Cgroup = Cgroup { directory: 14, procs: 300 };

#[test]
fn child_cloned_into_its_cgroup_does_not_enter_it() {
    let (plan, born_in_it) =
        (Plan { cgroup: Some(CGROUP), ..plain() }, ChildContext { in_cgroup: true, ..BIRTH });
    let ran = run_as(rich::kernel(), &plan, born_in_it, |it| it);
    assert_eq!((ran.ending(), ran.backend.sys().calls_of("write").len()), (Ok(c"/bin/prog"), 0));
}

const LOW: Limit = Limit { resource: Resource::FSIZE, soft: 10, hard: 20 };

#[test]
fn plan_without_closing_closes_nothing() {
    let ran = run(rich::kernel(), &Plan { close: None, ..plain() });
    let inheritable = [0, 1, 2, 8, 11, 15, 300];
    assert_eq!(ran.result.map(|executed| executed.fds()), Ok(inheritable.to_vec()));
    assert_eq!(ran.closed, None);
}

#[rstest]
#[case::bulk(CloseStrategy::Bulk, Closer::Bulk)]
#[case::enumerate(CloseStrategy::Enumerate, Closer::Enumerator(0))]
#[case::every_number(CloseStrategy::Loop, Closer::Loop)]
fn reporter_gets_the_close_method(#[case] link: CloseStrategy, #[case] by: Closer) {
    let ran = run(rich::kernel(), &Plan { close: Some(link), ..plain() });
    assert_eq!(ran.closed, Some(Closed { by, bulk_refused: None }));
}

#[test]
fn refusal_costs_one_child_only() {
    let backend = Linux::new(rich::kernel().refusing("close_range", Errno::PERM));
    let asked = [(); 2].map(|()| {
        let recorder = Recorder::new(backend.sys());
        child_exec(&backend, &plain(), &BIRTH, &recorder).expect("the next link closes");
        backend.learn(&recorder.how_closed().expect("something was closed"));
        backend.sys().calls_of("close_range").len()
    });
    assert_eq!(asked, [1, 1]);
}

/// Faults: E3
#[rstest]
#[case::first_is_there(&[None], Ok(0))]
#[case::second_is_there(&[Some(Errno::NOENT), None], Ok(1))]
#[case::file_where_a_directory_should_be(&[Some(Errno::NOTDIR), None], Ok(1))]
#[case::one_that_may_not_be_run_hides_none(&[Some(Errno::ACCES), None], Ok(1))]
#[case::none_is_there(&[Some(Errno::NOENT), Some(Errno::NOENT)], Err((Errno::NOENT, 1)))]
#[case::last_of_two_that_are_missing(&[Some(Errno::NOENT), Some(Errno::NOTDIR)], Err((Errno::NOTDIR, 1)))]
#[case::wrong_path_before_what_is_missing(&[Some(Errno::NOTDIR), Some(Errno::NOENT)], Err((Errno::NOENT, 1)))]
#[case::denied_after_a_wrong_path(&[Some(Errno::NOTDIR), Some(Errno::ACCES)], Err((Errno::ACCES, 1)))]
#[case::denied_before_missing(&[Some(Errno::ACCES), Some(Errno::NOENT)], Err((Errno::ACCES, 0)))]
#[case::denied_after_missing(&[Some(Errno::NOENT), Some(Errno::ACCES)], Err((Errno::ACCES, 1)))]
#[case::first_of_two_that_are_there(&[Some(Errno::ACCES), Some(Errno::LOOP)], Err((Errno::ACCES, 0)))]
#[case::between_two_missing(
    &[Some(Errno::NOENT), Some(Errno::TXTBSY), Some(Errno::NOTDIR)], Err((Errno::TXTBSY, 1)))]
#[case::too_long_arguments(&[Some(Errno::TOOBIG), Some(Errno::NOENT)], Err((Errno::TOOBIG, 0)))]
#[case::unrecognised_without_a_shell(&[Some(Errno::NOEXEC), Some(Errno::NOENT)], Err((Errno::NOEXEC, 0)))]
#[case::no_candidate(&[], Err((Errno::NOENT, 0)))]
fn search_reports_the_first_error_of_an_existing_candidate(
    #[case] answers: &[Option<Errno>],
    #[case] ending: Result<usize, (Errno, i32)>,
) {
    const PATHS: [&CStr; 3] = [c"/a/prog", c"/b/prog", c"/c/prog"];
    let outcome = |answer: &Option<Errno>| answer.map_or(Outcome::Program, Outcome::Fails);
    let paths = PATHS.iter().zip(answers);
    let kernel = paths.fold(SimKernel::new(), |it, (path, answer)| it.with_path(path, outcome(answer)));
    let exec = Exec { candidates: &PATHS[..answers.len()], ..plain().exec };
    let ran = run(kernel, &Plan::new(exec));
    let expected = ending.map(|index| PATHS[index]).or_else(|(errno, at)| failure(Stage::Exec, errno, at));
    assert_eq!(ran.ending(), expected);
}

/// A child of another thread holds the file between fork and exec.
///
/// Faults: E6
#[rstest]
#[case::for_a_moment(1, &["pause(1)"], Ok(c"/bin/prog"))]
#[case::for_long(4, &["pause(1)", "pause(2)", "pause(4)", "pause(8)"], Ok(c"/bin/prog"))]
#[case::for_good(9, &["pause(1)", "pause(2)", "pause(4)", "pause(8)"], Err((Errno::TXTBSY, 0)))]
fn busy_program_is_retried(
    #[case] times: usize,
    #[case] pauses: &[&str],
    #[case] ending: Result<&CStr, (Errno, i32)>,
) {
    let kernel = rich::kernel().refusing_some("execve", 0..times, Errno::TXTBSY);
    let ran = run(kernel, &plain());
    assert_eq!(ran.ending(), ending.or_else(|(errno, at)| failure(Stage::Exec, errno, at)));
    let waited: Vec<_> =
        ran.backend.sys().calls().into_iter().filter(|call| call.starts_with("pause")).collect();
    assert_eq!(waited, pauses);
}

/// Faults: E2
#[rstest]
#[case::recognised_by_no_kernel(Errno::NOEXEC, Outcome::Program, Ok(c"/bin/sh"), &["sh", "/a/script", "x"])]
#[case::missing_shell(Errno::NOEXEC, Outcome::Fails(Errno::NOENT), Err(Errno::NOEXEC), &[])]
#[case::not_executable(Errno::ACCES, Outcome::Program, Err(Errno::ACCES), &[])]
#[case::missing(Errno::NOENT, Outcome::Program, Err(Errno::NOENT), &[])]
fn shell_runs_only_files_that_the_kernel_does_not_recognise(
    #[case] errno: Errno,
    #[case] shell: Outcome,
    #[case] ending: Result<&CStr, Errno>,
    #[case] argv: &[&str],
) {
    let kernel = SimKernel::new().with_path(c"/a/script", Outcome::Fails(errno)).with_path(c"/bin/sh", shell);
    let pointers = [c"sh", c"/a/script", c"x"].map(|it| Some(ThinCStr::from(it)));
    let pointers = [pointers[0], pointers[1], pointers[2], None];
    let argvs = [CStrArray::new(&pointers).expect("it ends with a null")];
    let shell = Some(ShellFallback { shell: c"/bin/sh", argvs: &argvs });
    let ran = run(kernel, &Plan::new(Exec { candidates: &[c"/a/script"], shell, ..plain().exec }));
    assert_eq!(ran.ending(), ending.or_else(|errno| failure(Stage::Exec, errno, 0)));
    let seen = ran.result.map(|it| it.argv).unwrap_or_default();
    assert_eq!(seen, argv.iter().map(|it| std::ffi::CString::new(*it).expect("no NUL")).collect::<Vec<_>>());
}

#[test]
fn environment_is_the_plans_or_the_parents() {
    let pointers = [Some(ThinCStr::from(c"A=1")), None];
    let env = CStrArray::new(&pointers);
    let seen = [env, None].map(|env| {
        let exec = Exec { env, ..plain().exec };
        run(SimKernel::new(), &Plan::new(exec)).result.expect("it is there").env
    });
    assert_eq!(seen, [Some(vec![c"A=1".to_owned()]), None]);
}

/// A child that shares the parent's table.
const SHARED: ChildContext = ChildContext { shares_table: true, ..BIRTH };

/// Faults: D16
#[rstest]
#[case::unshared_while_closed(|it: SimKernel| it, "close_range_unshare(41, 4294967295)")]
#[case::unshared_alone(
    |it: SimKernel| it.refusing("close_range_unshare", Errno::PERM).refusing("close_range", Errno::PERM),
    "unshare_files()")]
fn child_gets_the_same_fds_and_the_shared_table_is_untouched(
    #[case] world: fn(SimKernel) -> SimKernel,
    #[case] unshares: &str,
) {
    let plan = Plan { hook: None, ..rich::session_plan() };
    let ran = run_as(world(rich::kernel()), &plan, SHARED, |it| it.with_channel(CHANNEL));
    let position = ran.calls().iter().position(|call| call == unshares);
    let others_before = ran.calls().iter().take_while(|call| !call.contains("unshare")).count();
    assert_eq!((ran.backend.sys().parents_table(), others_before), (rich::kernel().table(), 0));
    assert!(position.is_some() && ran.result.is_ok_and(|executed| rich::is_as_asked(&executed)));
}

/// Faults: D17
#[rstest]
#[case::source_of_a_move(
    |it: &mut Plan<'_>| it.moves = const { &[Move::copy(300, 0)] }, "close_range_unshare(301, 4294967295)")]
#[case::source_that_is_saved(
    |it: &mut Plan<'_>| it.moves = const { &[Move::save(300), Move::RestoreTemp(1)] }, "close_range_unshare(301, 4294967295)")]
#[case::shared(|it: &mut Plan<'_>| it.moves = &[Move::ClearCloexec(300)], "close_range_unshare(301, 4294967295)")]
#[case::parent_end(|it: &mut Plan<'_>| it.moves = &[Move::CloseOpen(300)], "close_range_unshare(301, 4294967295)")]
#[case::directory(
    |it: &mut Plan<'_>| it.directory = Some(WorkingDirectory::Fd(400)), "close_range_unshare(401, 4294967295)")]
#[case::early_directory(
    |it: &mut Plan<'_>| it.early_directory = Some(WorkingDirectory::Fd(400)), "close_range_unshare(401, 4294967295)")]
#[case::foreground(|it: &mut Plan<'_>| it.foreground = Some(13), "close_range_unshare(14, 4294967295)")]
#[case::terminal(
    |it: &mut Plan<'_>| (it.session, it.terminal) = (true, Some(401)), "close_range_unshare(402, 4294967295)")]
#[case::source_that_is_an_end(
    |it: &mut Plan<'_>| (it.moves, it.ends) = (&[Move::Copy { from: Source::SpawnFd(1), to: 0 }], &[9, 300]),
    "close_range_unshare(301, 4294967295)")]
#[case::cgroup(|it: &mut Plan<'_>| it.cgroup = Some(CGROUP), "close_range_unshare(301, 4294967295)")]
#[case::kept(|it: &mut Plan<'_>| it.keep = keep_list(&[7, 300]), "close_range_unshare(301, 4294967295)")]
#[case::target(
    |it: &mut Plan<'_>| (it.keep, it.placed, it.moves) = (keep_list(&[7, 300]), &[300], const { &[Move::copy(9, 300)] }),
    "close_range_unshare(10, 4294967295)")]
#[case::target_that_is_read(
    |it: &mut Plan<'_>| {
        (it.keep, it.placed) = (keep_list(&[7, 300]), &[300]);
        it.moves = const { &[Move::copy(300, 0), Move::copy(9, 300)] };
    },
    "close_range_unshare(301, 4294967295)")]
#[case::nothing_is_to_be_closed(|it: &mut Plan<'_>| it.close = None, "unshare_files()")]
#[case::closure_may_use_any(|it: &mut Plan<'_>| it.hook = Some(as_hook(&|| Ok(()))), "unshare_files()")]
fn unsharing_keeps_the_descriptors_of_later_stages(
    #[case] ask: fn(&mut Plan<'static>),
    #[case] unshares: &str,
) {
    let mut plan = plain();
    ask(&mut plan);
    let kernel = rich::group_kernel().with_files(&[400], File::Directory, true);
    let ran = run_as(kernel.with_files(&[401], File::Terminal, true), &plan, SHARED, |it| it);
    assert_eq!((ran.ending(), &ran.calls()[0][..]), (Ok(c"/bin/prog"), unshares));
}

#[test]
fn cgroup_entered_at_clone_needs_no_descriptor() {
    let birth = ChildContext { in_cgroup: true, ..SHARED };
    let ran = run_as(rich::kernel(), &Plan { cgroup: Some(CGROUP), ..plain() }, birth, |it| it);
    assert_eq!(ran.calls()[0], "close_range_unshare(3, 4294967295)");
}

/// Faults: D18
#[test]
fn child_ends_untouched_if_its_table_cannot_be_private() {
    let refusing = |it: SimKernel, name| it.refusing(name, Errno::PERM);
    let kernel = refusing(refusing(rich::kernel(), "close_range_unshare"), "unshare_files");
    let ran = run_as(kernel, &rich::session_plan(), SHARED, |it| it.with_channel(CHANNEL));
    assert_eq!(ran.ending(), failure(Stage::UnshareFiles, Errno::PERM, 0));
    assert_eq!(ran.backend.sys().table(), rich::kernel().table());
}

/// pid_namespaces(7): getppid(2) answers 0 for a parent in another namespace.
/// Faults: S15
#[test]
fn child_whose_parent_is_outside_of_its_namespace_starts() {
    let kernel = SimKernel::new().with_process(|process| process.parent = 0);
    let ran = run(kernel, &Plan { die_with_parent: Some(libc::SIGTERM), ..plain() });
    assert!(ran.result.is_ok(), "{:?}", ran.result);
}

/// Faults: S12
#[test]
fn child_whose_parent_died_meanwhile_does_not_exec() {
    let kernel = SimKernel::new().with_process(|process| process.parent = 1);
    let ran = run(kernel, &Plan { die_with_parent: Some(libc::SIGTERM), ..plain() });
    assert_eq!(ran.ending(), failure(Stage::DieWithParent, Errno::SRCH, 0));
}

#[test]
fn move_can_close_a_number_that_is_already_closed() {
    let kernel = SimKernel::new().without_open(&[0, 2]);
    let ran = run(kernel, &Plan { moves: &[Move::Close(0), Move::Close(1), Move::Close(2)], ..plain() });
    assert_eq!(ran.result.map(|executed| executed.fds()), Ok(vec![]));
}

#[rstest]
#[case::no_saved_copy(&[Move::RestoreTemp(4)], (Errno::BADF, 4))]
#[case::closed_source(&[Move::copy(99, 4)], (Errno::BADF, 99))]
#[case::closed_share(&[Move::ClearCloexec(98)], (Errno::BADF, 98))]
#[case::closed_ring(&[Move::save(97)], (Errno::BADF, 97))]
#[case::target_above_the_limit(&[Move::copy(9, 1_024)], (Errno::BADF, 9))]
#[case::second_of_two(&[Move::ClearCloexec(9), Move::copy(96, 0)], (Errno::BADF, 96))]
fn failed_move_names_its_descriptor(#[case] moves: &[Move], #[case] (errno, fd): (Errno, Fd)) {
    let ran = run(rich::kernel(), &Plan { moves, ..plain() });
    assert_eq!(ran.ending(), failure(Stage::DupFds, errno, fd));
}

/// An end that has the number of its target already is given under it, and one that is not there is nothing's number.
#[rstest]
#[case::another_number(&[9], Ok("dup2(9, 12)"))]
#[case::own_number_of_the_target(&[12], Ok("set_cloexec(12, 0)"))]
#[case::missing(&[], Err((Errno::BADF, -1)))]
fn spawn_fd_is_the_descriptor_of_this_spawn(#[case] ends: &[Fd], #[case] call: Result<&str, (Errno, Fd)>) {
    let moves = &[Move::Copy { from: Source::SpawnFd(0), to: 12 }];
    let ran = run(rich::kernel(), &Plan { moves, ends, keep: keep_list(&[12]), placed: &[12], ..plain() });
    match call {
        Ok(call) => assert_eq!((ran.ending(), &ran.calls()[0][..]), (Ok(c"/bin/prog"), call)),
        Err((errno, fd)) => assert_eq!(ran.ending(), failure(Stage::DupFds, errno, fd)),
    }
}

/// A ring of descriptors with other sources: after the table was emptied, the lowest free number may be a target.
///
/// Faults: D3
#[test]
fn saved_copy_of_a_ring_uses_no_target_number() {
    let before = rich::kernel();
    let files = [8, 9].map(|fd| before.table().entries()[&fd].file);
    let plan = Plan {
        keep: keep_list(&[3, 4, 6]),
        moves: &[Move::save(8), Move::copy(9, 3), Move::RestoreTemp(4)],
        ..plain()
    };
    let ran = run(rich::kernel(), &plan);
    let calls = ran.calls().into_iter().take(7).collect::<Vec<_>>();
    let expected = ["dup_min(8, 0)", "dup_min(8, 4)", "close(3)", "dup_min(8, 5)", "close(4)"];
    assert_eq!(calls[..5], expected);
    let executed = ran.result.expect("nothing is refused");
    assert_eq!([executed.files[&4], executed.files[&3]], files);
}

/// At the descriptor limit, the kernel rejects the requested number (fcntl(2), `EINVAL`): no number is free.
#[rstest]
#[case::no_number_is_left(Errno::INVAL, Errno::MFILE)]
#[case::any_other(Errno::PERM, Errno::PERM)]
fn saved_copy_fails_if_every_number_is_a_target(#[case] errno: Errno, #[case] told: Errno) {
    let kernel = rich::kernel().refusing_some("dup_min", 1..2, errno);
    let plan = Plan { keep: keep_list(&[3]), moves: &[Move::save(8), Move::RestoreTemp(3)], ..plain() };
    let ran = run(kernel, &plan);
    assert_eq!(ran.ending(), failure(Stage::DupFds, told, 8));
}

#[rstest]
fn interrupted_dup_is_retried(
    #[values(Errno::INTR, Errno::BUSY)] errno: Errno,
    #[values(1, 2, 7)] times: usize,
) {
    let kernel = rich::kernel().refusing_some("dup2", 0..times, errno);
    let ran = run(kernel, &Plan { moves: &[Move::copy(9, 1)], ..plain() });
    let file = rich::kernel().table().entries()[&9].file;
    assert_eq!(ran.backend.sys().calls_of("dup2").len(), times + 1);
    assert_eq!(ran.result.expect("it works in the end").files[&1], file);
}

/// Faults: S4
#[rstest]
#[case::ignored_and_reset(libc::SIGPIPE, Disposition::Ignored, true, false)]
#[case::ignored_and_left(libc::SIGPIPE, Disposition::Ignored, false, true)]
#[case::handled_without_being_asked(libc::SIGINT, Disposition::Handled, false, false)]
#[case::real_time_signal(64, Disposition::Ignored, true, false)]
fn ignored_signals_reset_on_request_and_handled_ones_always(
    #[case] signal: i32,
    #[case] before: Disposition,
    #[case] reset: bool,
    #[case] is_ignored: bool,
) {
    let kernel = SimKernel::new().with_process(|it| it.dispositions.extend([(signal, before)]));
    let reset = if reset { SignalSet::ALL } else { SignalSet::EMPTY };
    let executed = run(kernel, &Plan { reset, ..plain() }).result.expect("nothing is refused");
    assert_eq!(executed.process.dispositions.contains_key(&signal), is_ignored);
}

/// Faults: S4
#[test]
fn internal_signals_of_the_c_library_are_skipped() {
    let kernel = rich::kernel().refusing_some("disposition", 31..33, Errno::INVAL);
    assert_eq!(run(kernel, &plain()).ending(), Ok(c"/bin/prog"));
}

/// If the launcher has cleared the handlers, a child queries no signal, and resets the requested ones.
///
/// Faults: S4
#[rstest]
#[case::cannot_be_set(libc::SIGKILL, Ok(c"/bin/prog"))]
#[case::signal_of_the_c_library(32, Ok(c"/bin/prog"))]
#[case::can_be_set(libc::SIGTERM, failure(Stage::Signals, Errno::INVAL, libc::SIGTERM))]
fn signal_that_cannot_be_reset_is_no_failure(#[case] signal: i32, #[case] ending: Result<&CStr, Report>) {
    let kernel = rich::kernel().refusing_some("set_disposition", 0..1, Errno::INVAL);
    let plan = Plan { reset: SignalSet::EMPTY.with(signal), ..plain() };
    let ran = run_as(kernel, &plan, ChildContext { handlers_cleared: true, ..BIRTH }, |it| it);
    assert_eq!((ran.ending(), ran.backend.sys().calls_of("disposition").len()), (ending, 0));
}

#[rstest]
#[case::inherited(Mask::Inherit, SignalSet::EMPTY.with(3))]
#[case::set(Mask::Set(SignalSet::EMPTY.with(5)), SignalSet::EMPTY.with(5))]
fn mask_is_the_spawning_threads_or_the_one_that_was_set(#[case] mask: Mask, #[case] seen: SignalSet) {
    let birth = ChildContext { mask: SignalSet::EMPTY.with(3), ..BIRTH };
    let ran = run_as(SimKernel::new(), &Plan { mask, ..plain() }, birth, |it| it);
    assert_eq!(ran.result.expect("nothing is refused").process.mask, seen);
}

#[rstest]
#[case::with_an_errno(Err(HookError::Errno(Errno::TXTBSY)), failure(Stage::PreExec, Errno::TXTBSY, 0))]
// Faults: E28
#[case::without_an_errno(Err(HookError::NoErrno), failure(Stage::PreExec, Errno::INVAL, HOOK_WITHOUT_ERRNO))]
#[case::with_a_panic(Err(HookError::Panicked), failure(Stage::PreExec, Errno::CANCELED, HOOK_PANICKED))]
#[case::not_at_all(Ok(()), Ok(c"/bin/prog"))]
fn failed_closure_ends_the_child(
    #[case] answer: Result<(), HookError>,
    #[case] ending: Result<&'static CStr, Report>,
) {
    let hook = || answer;
    assert_eq!(run(SimKernel::new(), &Plan { hook: Some(as_hook(&hook)), ..plain() }).ending(), ending);
}

/// Faults: D5
#[test]
fn closure_that_replaced_the_report_pipe_ends_the_child() {
    let plan = Plan { hook: Some(as_hook(&|| Ok(()))), ..plain() };
    let ran = run_as(SimKernel::new(), &plan, BIRTH, |it| it.replaced(Errno::BADF));
    assert_eq!(ran.ending(), failure(Stage::PreExec, Errno::BADF, CHANNEL_REPLACED));
}

#[test]
fn channel_is_checked_only_after_a_closure() {
    let ran = run_as(SimKernel::new(), &plain(), BIRTH, |it| it.replaced(Errno::BADF));
    assert_eq!(ran.ending(), Ok(c"/bin/prog"));
}

#[test]
fn closure_runs_once() {
    let count = AtomicUsize::new(0);
    let hook = || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    run(SimKernel::new(), &Plan { hook: Some(as_hook(&hook)), ..plain() });
    assert_eq!(count.into_inner(), 1);
}

/// Faults: D19
#[test]
fn descriptor_opened_by_a_closure_is_closed() {
    let backend = Linux::new(SimKernel::new());
    let open = || backend.sys().dup2(0, 77).map_err(HookError::Errno);
    let plan = Plan { hook: Some(as_hook(&open)), ..plain() };
    let executed = child_exec(&backend, &plan, &BIRTH, &Recorder::new(backend.sys()));
    assert_eq!(executed.map(|it| it.fds()), Ok(vec![0, 1, 2]));
}

/// Faults: E10
#[rstest]
fn stage_that_cannot_be_reported_is_not_begun(
    #[values(Stage::UnshareFiles, Stage::Chroot, Stage::Uid, Stage::Close, Stage::Exec)] stage: Stage,
) {
    let ran = run_as(rich::kernel(), &rich::session_plan(), BIRTH, |it| it.mute_at(stage, Errno::PIPE));
    assert_eq!(ran.ending(), failure(stage, Errno::PIPE, 0));
    assert!(ran.backend.sys().log().iter().all(|call| call.stage < Some(stage)));
}

#[rstest]
#[case::timed(true)]
#[case::not_timed(false)]
fn each_stage_has_a_time_if_the_plan_is_timed(#[case] timed: bool) {
    let ran = run(SimKernel::new(), &Plan { timed, ..plain() });
    let times: Vec<Option<u64>> = ran.entered.iter().map(|(_, at)| *at).collect();
    let expected: Vec<Option<u64>> = (1..).take(Stage::ORDER.len()).map(|at| timed.then_some(at)).collect();
    assert_eq!(times, expected);
}

#[rstest]
#[case::channel_alone(&[], vec![0, 1, 2])]
#[case::channel_in_the_middle(&[8, 300], vec![0, 1, 2, 8, 300])]
fn channel_survives_the_close_but_not_exec(#[case] keep: &[Fd], #[case] fds: Vec<Fd>) {
    let plan = Plan { keep: keep_list(keep), ..plain() };
    let ran = run_as(rich::kernel(), &plan, BIRTH, |it| it.with_channel(CHANNEL));
    assert!(ran.backend.sys().open_fds().contains(&CHANNEL));
    assert_eq!(ran.result.map(|executed| executed.fds()), Ok(fds));
}

#[test]
fn limit_below_kept_fds_closes_none_of_them() {
    let lowered = [Limit { resource: Resource::NOFILE, soft: 4, hard: 4 }];
    let plan =
        Plan { limits: &lowered, keep: keep_list(&[8, 300]), close: Some(CloseStrategy::Loop), ..plain() };
    let ran = run(rich::kernel(), &plan);
    assert_eq!(ran.result.map(|executed| executed.fds()), Ok(vec![0, 1, 2, 8, 300]));
}

#[test]
fn descriptor_that_cannot_be_closed_ends_the_child() {
    let kernel = rich::kernel().refusing("close_range", Errno::PERM).without_listings().with_limit(1 << 30);
    let ran = run(kernel, &Plan { keep: KeepList::EMPTY, ..plain() });
    assert_eq!((ran.ending(), ran.closed), (failure(Stage::Close, Errno::OVERFLOW, 0), None));
}

#[test]
fn refused_second_limit_is_reported_by_its_index() {
    let good = Limit { resource: Resource::CORE, soft: 0, hard: 0 };
    let bad = Limit { soft: 1, ..good };
    let ran = run(SimKernel::new(), &Plan { limits: &[good, bad], ..plain() });
    assert_eq!(ran.ending(), failure(Stage::Limits, Errno::INVAL, 1));
}

/// Limits come before closing, and a limit closes nothing.
///
/// Faults: F6
#[test]
fn limit_lowered_by_the_plan_does_not_shorten_the_loop() {
    let limits = [Limit { resource: Resource::NOFILE, soft: 64, hard: 64 }];
    let plan = Plan { limits: &limits, close: Some(CloseStrategy::Loop), ..plain() };
    let ran = run(SimKernel::new().with_limit(100_000).with_open(&[63, 64, 90_000]), &plan);
    assert_eq!(ran.result.expect("it is there").fds(), [0, 1, 2]);
}
