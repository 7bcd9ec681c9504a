//! Children that take high descriptors from their suspended parent: which means, what is checked, what is remembered.

use rstest::rstest;

use forkexec_core::{
    Access, Backend, ChildContext, Errno, Exec, Fd, Move, Pid, Plan, Reopen, Report, Source, Stage,
    WorkingDirectory, child_exec,
};
use forkexec_linux::{Linux, Release};

use crate::sim::lender::{PARENT, THREAD};
use crate::sim::rich::{self, BIRTH};
use crate::sim::{Executed, File, Procfs, Recorder, SimKernel};
use crate::{World, keep_list, strings};

/// The high descriptors of the parent: a pipe of this start, a socket, a terminal and a directory.
const PIPE: Fd = 900;
const SOCKET: Fd = 901;
const TERMINAL: Fd = 902;
const DIRECTORY: Fd = 903;

fn kernel() -> SimKernel {
    SimKernel::new()
        .with_cloexec(&[5, 9, 60, 70, PIPE, SOCKET])
        .with_files(&[TERMINAL], File::Terminal, true)
        .with_files(&[DIRECTORY], File::Directory, true)
}

/// The pipe becomes standard output. Nothing else is needed.
fn captured() -> Plan<'static> {
    Plan {
        moves: &[Move::Copy { from: Source::SpawnFd(0), to: 1 }],
        ends: &[PIPE],
        reopen: &[Reopen { fd: PIPE, access: Access::Write }],
        ..Plan::new(Exec { candidates: &[c"/bin/prog"], argv: rich::argv(), env: None, shell: None })
    }
}

/// A kept socket under its high number, high sources and targets, a ring of high numbers, and tools of later stages.
fn everything() -> Plan<'static> {
    Plan {
        keep: keep_list(&[3, 9, 70, 901, 950]),
        inherit: &[9, SOCKET],
        moves: const {
            &[
                Move::copy(SOCKET, 3),
                Move::Copy { from: Source::SpawnFd(0), to: 1 },
                Move::copy(5, 950),
                Move::ClearCloexec(70),
            ]
        },
        placed: &[3, 70, 950],
        session: true,
        terminal: Some(TERMINAL),
        foreground: Some(TERMINAL),
        early_directory: Some(WorkingDirectory::Fd(DIRECTORY)),
        ..captured()
    }
}

/// Two high kept descriptors change places.
fn ring() -> Plan<'static> {
    Plan {
        keep: keep_list(&[PIPE, SOCKET]),
        placed: &[PIPE, SOCKET],
        moves: const { &[Move::save(PIPE), Move::copy(SOCKET, PIPE), Move::RestoreTemp(SOCKET)] },
        ..captured()
    }
}

/// A child of this thread.
const fn of(lender: Pid) -> ChildContext {
    ChildContext { shares_table: true, lender: Some(lender), ..BIRTH }
}

struct Ran {
    backend: Linux<SimKernel>,
    result: Result<Executed, Report>,
}

fn run(kernel: SimKernel, plan: &Plan<'_>, birth: ChildContext) -> Ran {
    run_again(Linux::new(kernel), plan, birth)
}

fn run_again(backend: Linux<SimKernel>, plan: &Plan<'_>, birth: ChildContext) -> Ran {
    let recorder = Recorder::new(backend.sys());
    let result = child_exec(&backend, plan, &birth, &recorder);
    Ran { backend, result }
}

impl Ran {
    /// The calls before the stage `DupFds`.
    fn calls(&self) -> Vec<String> {
        let log = self.backend.sys().log();
        log.iter().filter(|call| call.stage < Some(Stage::KeepFds)).map(ToString::to_string).collect()
    }

    fn calls_of(&self, name: &str) -> usize {
        self.backend.sys().calls_of(name).len()
    }

    /// The descriptors of the program, and the number of the same file in the parent.
    fn files(&self) -> Result<Vec<(Fd, Fd)>, Report> {
        let parents = self.backend.sys().parents_table();
        let number =
            |file: u64| parents.entries().iter().find(|(_, entry)| entry.file == file).map(|(&fd, _)| fd);
        let files = self.result.as_ref().map(|executed| executed.files.clone()).map_err(|report| *report);
        Ok(files?.into_iter().map(|(fd, file)| (fd, number(file).expect("a file of the parent"))).collect())
    }
}

const CAPTURED: [(Fd, Fd); 3] = [(0, 0), (1, PIPE), (2, 2)];
const EVERYTHING: [(Fd, Fd); 8] =
    [(0, 0), (1, PIPE), (2, 2), (3, SOCKET), (9, 9), (70, 70), (SOCKET, SOCKET), (950, 5)];
const TURNED: [(Fd, Fd); 5] = [(0, 0), (1, 1), (2, 2), (PIPE, SOCKET), (SOCKET, PIPE)];

#[rstest]
#[case::captured(captured, &CAPTURED, 3)]
#[case::everything(everything, &EVERYTHING, 10)]
#[case::ring(ring, &TURNED, 3)]
fn program_gets_the_same_fds_without_a_copy_of_the_table(
    #[case] plan: fn() -> Plan<'static>,
    #[case] files: &[(Fd, Fd)],
    #[case] floor: Fd,
    #[values(PARENT, THREAD)] lender: Pid,
    #[values(|it| it, |it: SimKernel| it.with_procfs(Procfs::Absent))] world: World,
) {
    let copied = run(kernel(), &plan(), ChildContext { lender: None, ..of(lender) });
    assert_eq!(copied.files().as_deref(), Ok(files));
    let ran = run(world(kernel()), &plan(), of(lender));
    assert_eq!(ran.files().as_deref(), Ok(files));
    let unshared = format!("close_range_unshare({floor}, 4294967295)");
    assert_eq!(ran.backend.sys().calls_of("close_range_unshare"), [unshared]);
    assert_eq!(ran.backend.sys().parents_table(), kernel().table());
}

#[test]
fn pipe_of_the_start_is_reopened_after_its_file_was_checked() {
    let ran = run(kernel(), &captured(), of(THREAD));
    let calls = [
        "file_id(900)",
        "close_range_unshare(3, 4294967295)",
        "path_id(/proc/150/fd/900)",
        "open_file(/proc/150/fd/900)",
        "file_id(3)",
    ];
    assert_eq!(ran.calls(), strings(&calls));
    let pipe = kernel().table().entries()[&PIPE].file;
    assert_eq!(ran.backend.sys().reopened(), [(pipe, Access::Write)]);
}

#[rstest]
#[case::of_the_first_thread(PARENT, "open_pidfd_of(100, 1)")]
#[case::of_another_thread(THREAD, "open_pidfd_of(150, 0)")]
fn other_descriptors_are_duplicated(#[case] lender: Pid, #[case] opens: &str) {
    let ran = run(kernel(), &Plan { reopen: &[], ..captured() }, of(lender));
    let calls = [
        "parent()",
        "close_range_unshare(3, 4294967295)",
        "parent()",
        opens,
        "pidfd_getfd(3, 900)",
        "close(3)",
    ];
    assert_eq!((ran.calls(), ran.backend.sys().reopened()), (strings(&calls), vec![]));
}

/// A path below `/proc` is no proof: another filesystem, or procfs of another pid namespace, may be mounted there.
#[rstest]
#[case::absent(Procfs::Absent, 0)]
#[case::forged(Procfs::Forged, 0)]
#[case::forged_after_the_check(Procfs::ForgedAtOpen, 1)]
fn file_of_a_forged_path_does_not_reach_the_program(#[case] procfs: Procfs, #[case] opened: usize) {
    let ran = run(kernel().with_procfs(procfs), &captured(), of(PARENT));
    assert_eq!((ran.files().as_deref(), ran.calls_of("open_file")), (Ok(&CAPTURED[..]), opened));
    let refused = kernel().with_procfs(procfs).refusing("pidfd_getfd", Errno::PERM);
    let ran = run(refused, &captured(), of(PARENT));
    assert_eq!(ran.result, Err(Report { stage: Stage::TakeFds, errno: Errno::PERM, operand: PIPE }));
}

/// A parent outside of the child's pid namespace: a pid would name another process.
#[test]
fn parent_of_another_pid_namespace_is_not_named_by_its_pid() {
    let outside = kernel().with_process(|process| process.parent = 0);
    let ran = run(outside, &Plan { reopen: &[], ..captured() }, of(PARENT));
    assert_eq!((ran.files().as_deref(), ran.calls_of("open_pidfd_of")), (Ok(&CAPTURED[..]), 0));
    assert_eq!(ran.backend.sys().calls_of("close_range_unshare"), ["close_range_unshare(901, 4294967295)"]);
}

#[rstest]
#[case::of_reopening("open_file", 1)]
#[case::of_the_look_before("path_id", 0)]
fn refused_reopening_costs_once(
    #[case] call: &'static str,
    #[case] opens: usize,
    #[values(Errno::PERM, Errno::ACCES, Errno::NOSYS, Errno::NOENT, Errno::LOOP)] errno: Errno,
) {
    let backend = Linux::new(kernel().refusing(call, errno));
    assert!(backend.may_take(true));
    let ran = run_again(backend, &captured(), of(PARENT));
    assert_eq!((ran.files().as_deref(), ran.calls_of("open_file")), (Ok(&CAPTURED[..]), opens));
    let asked = ran.calls_of("path_id");
    ran.backend.sys().restore(&kernel().table());
    let ran = run_again(ran.backend, &captured(), of(PARENT));
    assert_eq!((ran.files().as_deref(), ran.calls_of("path_id")), (Ok(&CAPTURED[..]), asked));
    assert!(ran.backend.may_take(true) && ran.backend.may_take(false));
}

#[rstest]
#[case::of_the_leader("open_pidfd_of", PARENT)]
#[case::of_a_thread("open_pidfd_of", THREAD)]
#[case::of_the_descriptor("pidfd_getfd", PARENT)]
fn refused_duplication_copies_the_table_the_next_time(
    #[case] call: &'static str,
    #[case] lender: Pid,
    #[values(Errno::PERM, Errno::NOSYS, Errno::INVAL, Errno::SRCH)] errno: Errno,
) {
    let plan = Plan { reopen: &[], ..captured() };
    let ran = run(kernel().refusing(call, errno), &plan, of(lender));
    assert_eq!(ran.result, Err(Report { stage: Stage::TakeFds, errno, operand: PIPE }));
    ran.backend.sys().restore(&kernel().table());
    let (ran, before) = (run_again(ran.backend, &plan, of(lender)), 1);
    assert_eq!((ran.files().as_deref(), ran.calls_of(call)), (Ok(&CAPTURED[..]), before));
    assert_eq!((ran.backend.may_take(true), ran.backend.may_take(false)), (true, false));
}

/// Another time there may be a free number, so the next child makes the call again.
#[rstest]
fn lack_of_descriptors_is_not_remembered(
    #[values("open_file", "open_pidfd_of")] call: &'static str,
    #[values(Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::INTR)] errno: Errno,
) {
    let reopen = if call == "open_file" { captured().reopen } else { &[] };
    let plan = Plan { reopen, ..captured() };
    // A duplicate that works would take the place of the reopened file.
    let refused = if call == "open_file" { kernel().refusing("pidfd_getfd", Errno::MFILE) } else { kernel() };
    let ran = run(refused.refusing(call, errno), &plan, of(PARENT));
    ran.backend.sys().restore(&kernel().table());
    let ran = run_again(ran.backend, &plan, of(PARENT));
    assert_eq!(ran.calls_of(call), 2);
}

#[rstest]
#[case::no_table_is_shared(|birth: &mut ChildContext, _: &mut Plan<'_>| birth.shares_table = false, None)]
#[case::no_parent_waits(
    |birth: &mut ChildContext, _: &mut Plan<'_>| birth.lender = None, Some("close_range_unshare(901, 4294967295)"))]
#[case::nothing_is_closed(
    |_: &mut ChildContext, plan: &mut Plan<'_>| plan.close = None, Some("unshare_files()"))]
#[case::source_is_closed(
    |_: &mut ChildContext, plan: &mut Plan<'_>| plan.moves = const { &[Move::Close(2)] },
    Some("close_range_unshare(3, 4294967295)"))]
fn nothing_is_taken_without_need(
    #[case] change: fn(&mut ChildContext, &mut Plan<'static>),
    #[case] unshares: Option<&str>,
) {
    let (mut birth, mut plan) = (of(PARENT), captured());
    change(&mut birth, &mut plan);
    let ran = run(kernel(), &plan, birth);
    let calls = ran.calls();
    assert_eq!(
        (ran.result.is_ok(), calls.first().map(String::as_str), calls.len()),
        (true, unshares, usize::from(unshares.is_some()))
    );
}

#[test]
fn numbers_below_the_first_high_one_are_copied() {
    let plan = Plan { moves: const { &[Move::copy(60, 1)] }, ..captured() };
    assert_eq!(run(kernel(), &plan, of(PARENT)).calls(), ["close_range_unshare(61, 4294967295)"]);
}

#[test]
fn table_is_copied_for_more_descriptors_than_there_is_room_for() {
    let many: Vec<Fd> = (1_000..1_017).collect();
    for (count, taken) in [(16, 16), (17, 0)] {
        let keep = &many[..count];
        let plan = Plan { keep: keep_list(keep), inherit: keep, moves: &[], ..captured() };
        let ran = run(kernel().with_cloexec(keep).with_limit(4_096), &plan, of(PARENT));
        let files: Vec<(Fd, Fd)> = [0, 1, 2].iter().chain(keep).map(|&fd| (fd, fd)).collect();
        assert_eq!((ran.files(), ran.calls_of("pidfd_getfd")), (Ok(files), taken));
        assert_eq!(ran.calls_of("open_pidfd_of"), taken.min(1), "one for all");
    }
}

/// The pidfd has the number 3, and the first duplicate the number 4, which are targets of the plan.
#[test]
fn taken_descriptor_makes_room_for_a_target() {
    let moves = const { &[Move::copy(5, 3), Move::copy(9, 4), Move::copy(SOCKET, 6)] };
    let plan = Plan { moves, placed: &[3, 4, 6], keep: keep_list(&[3, 4, 6]), ..captured() };
    let ran = run(kernel(), &plan, of(PARENT));
    let files = [(0, 0), (1, 1), (2, 2), (3, 5), (4, 9), (6, SOCKET)];
    assert_eq!((ran.files().as_deref(), ran.calls_of("pidfd_getfd")), (Ok(&files[..]), 1));
}

/// The table of the parent is full up to the first descriptor that the child takes, so the pidfd may get its number.
#[test]
fn pidfd_hinders_no_descriptor_with_its_number() {
    let keep: Vec<Fd> = (3..67).collect();
    let plan = Plan { keep: keep_list(&keep), inherit: &keep, moves: &[], ..captured() };
    let ran = run(kernel().with_cloexec(&keep), &plan, of(PARENT));
    let files: Vec<(Fd, Fd)> = (0..67).map(|fd| (fd, fd)).collect();
    assert_eq!((ran.files(), ran.calls_of("pidfd_getfd")), (Ok(files), 3));
    let closed = ran.backend.sys().calls_of("close");
    assert_eq!(closed[..2], ["close(64)", "close(65)"], "the pidfd first");
}

/// The first attempt to duplicate may be logged, so it is not made for a pipe alone.
#[test]
fn pipe_is_duplicated_once_that_is_known_to_work() {
    let ran = run(kernel(), &everything(), of(PARENT));
    assert_eq!((ran.calls_of("open_file"), ran.calls_of("pidfd_getfd")), (1, 4));
    ran.backend.sys().restore(&kernel().table());
    let ran = run_again(ran.backend, &captured(), of(PARENT));
    assert_eq!(ran.files().as_deref(), Ok(&CAPTURED[..]));
    assert_eq!((ran.calls_of("open_file"), ran.calls_of("pidfd_getfd")), (1, 5));
}

/// The pidfd of a thread that is not the first one may be refused where that of the first works.
#[test]
fn duplicate_by_the_first_thread_proves_nothing_about_others() {
    let ran = run(kernel(), &everything(), of(PARENT));
    ran.backend.sys().restore(&kernel().table());
    let ran = run_again(ran.backend, &captured(), of(THREAD));
    assert_eq!((ran.files().as_deref(), ran.calls_of("open_file")), (Ok(&CAPTURED[..]), 2));
}

/// A filter that is installed later may refuse what worked before.
#[test]
fn pipe_is_reopened_if_its_duplicate_is_refused_later() {
    let later = kernel().refusing_some("pidfd_getfd", 4..usize::MAX, Errno::PERM);
    let ran = run(later, &everything(), of(PARENT));
    assert_eq!(ran.files().as_deref(), Ok(&EVERYTHING[..]));
    ran.backend.sys().restore(&kernel().table());
    let ran = run_again(ran.backend, &captured(), of(PARENT));
    assert_eq!(ran.result, Err(Report { stage: Stage::TakeFds, errno: Errno::PERM, operand: PIPE }));
    ran.backend.sys().restore(&kernel().table());
    let ran = run_again(ran.backend, &captured(), of(PARENT));
    assert_eq!((ran.files().as_deref(), ran.calls_of("open_file")), (Ok(&CAPTURED[..]), 2));
    assert_eq!((ran.backend.may_take(true), ran.backend.may_take(false)), (true, false));
}

/// No new descriptor may have a number above the limit, so the child cannot put it back.
#[test]
fn kept_descriptor_above_the_limit_is_not_remembered() {
    let plan = Plan { keep: keep_list(&[SOCKET]), inherit: &[SOCKET], ..captured() };
    let ran = run(kernel().with_limit(500), &plan, of(PARENT));
    assert_eq!(ran.result, Err(Report { stage: Stage::TakeFds, errno: Errno::BADF, operand: SOCKET }));
    assert!(ran.backend.may_take(false));
}

/// A child that copies the table replaces this one, and reports the descriptor.
#[test]
fn closed_descriptor_is_not_remembered() {
    let plan = Plan { moves: const { &[Move::copy(990, 1)] }, ..captured() };
    let ran = run(kernel(), &plan, of(PARENT));
    assert_eq!(ran.result, Err(Report { stage: Stage::TakeFds, errno: Errno::BADF, operand: 990 }));
    assert!(ran.backend.may_take(false));
    ran.backend.sys().restore(&kernel().table());
    let ran = run_again(ran.backend, &plan, ChildContext { lender: None, ..of(PARENT) });
    assert_eq!(ran.result, Err(Report { stage: Stage::DupFds, errno: Errno::BADF, operand: 990 }));
}

/// The filter of apps is not known to allow the calls.
#[test]
fn nothing_is_taken_on_android() {
    let backend = Linux::new(kernel().with_release(Release::Android(35)));
    assert!(!backend.may_take(true) && !backend.may_take(false));
    let ran = run_again(backend, &captured(), of(PARENT));
    assert_eq!((ran.files().as_deref(), ran.calls_of("path_id")), (Ok(&CAPTURED[..]), 0));
}

/// Each call of a child fails with each errno. The program has its descriptors, or the child reports the stage after which
/// another child copies the table, or an error that a child without taking reports, too.
#[test]
fn failing_call_changes_no_descriptor_of_the_program() {
    const ERRNOS: [Errno; 6] =
        [Errno::PERM, Errno::NOENT, Errno::MFILE, Errno::INTR, Errno::INVAL, Errno::BADF];
    let mut outcomes = [0; 3];
    for plan in [captured(), everything(), ring()] {
        let expected = run(kernel(), &plan, of(PARENT)).files();
        let calls = run(kernel(), &plan, of(PARENT)).backend.sys().log().len();
        for (index, errno) in (0..calls).flat_map(|index| ERRNOS.map(|errno| (index, errno))) {
            let ran = run(kernel().failing_at(index, errno), &plan, of(PARENT));
            assert_eq!(ran.backend.sys().parents_table(), kernel().table());
            let at = ran.backend.sys().log()[index].clone();
            match ran.files() {
                Ok(files) => {
                    outcomes[0] += 1;
                    assert_eq!(Ok(files), expected, "{at} {errno}");
                }
                Err(report) if report.stage == Stage::TakeFds => outcomes[1] += 1,
                Err(report) => {
                    outcomes[2] += 1;
                    assert_eq!((Some(report.stage), report.errno), (at.stage, errno), "{at}");
                    assert_ne!(report.stage, Stage::TakeFds);
                }
            }
        }
    }
    assert!(outcomes.iter().all(|&count| count > 50), "{outcomes:?}");
}
