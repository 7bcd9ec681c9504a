//! The decisions of the macOS and iOS backend: when exec closes, what follows if it does not, which list to believe.
//!
//! - `attributes`: the background, and throttled disk access

mod attributes;

use std::collections::BTreeMap;

use rstest::rstest;

use forkexec_apple::{Apple, SpawnExec};
use forkexec_core::{
    Backend, CloseStrategy, Closed, Closer, Errno, Fd, HookError, Limit, Move, Plan, Report, Resource, Stage,
    Sys, Unlisted, child_exec, close_except,
};

use crate::sim::apple::{ENTRY, OPEN_MAX, dirent};
use crate::sim::rich::{self, BIRTH, as_hook};
use crate::sim::{Call, Executed, Listing, Outcome, Recorder, SimKernel};
use crate::{CHANNEL, HIGHEST, RUN, World, chain, keep_list, left_open, strings, with_channel};

const LIST: Closer = Closer::Enumerator(0);
const DIRECTORY: Closer = Closer::Enumerator(1);
const NOTSUP: Errno = Errno::from_raw(libc::ENOTSUP);

/// As many as the first list holds.
fn usual() -> SimKernel {
    let many: Vec<Fd> = (3..=45).chain(55..500).collect();
    SimKernel::apple().with_open(&many).with_cloexec(&[CHANNEL, 600]).with_open(&[1_900])
}

/// More than the first list holds.
fn crowded() -> SimKernel {
    usual().with_cloexec(&[5_000]).with_open(&[HIGHEST]).with_files_per_process(70_000)
}

fn unlisted(kernel: SimKernel) -> SimKernel {
    kernel.refusing("descriptor_list", Errno::PERM)
}

/// There is no list, and the loop has no bound.
pub(crate) fn unbounded() -> SimKernel {
    unlisted(usual()).without_listings().with_limit(u64::MAX).with_files_per_process(1 << 30)
}

fn listed_as(listing: &Listing) -> SimKernel {
    unlisted(usual()).with_listing(listing)
}

fn garbage(rest: &[u8]) -> Listing {
    chain::garbage(dirent, rest)
}

/// A plan that keeps these.
pub(crate) fn keeping(fds: &[Fd]) -> Plan<'_> {
    let exec = forkexec_core::Exec { candidates: &[c"/bin/prog"], ..rich::exec() };
    Plan { keep: keep_list(fds), inherit: fds, ..Plan::new(exec) }
}

/// A child, as the launcher makes it.
struct Child {
    result: Result<Executed, Report>,
    closed: Option<Closed>,
    apple: Apple<SimKernel>,
}

impl Child {
    fn of(kernel: SimKernel, plan: &Plan<'_>) -> Self {
        let apple = Apple::new(kernel);
        let (result, closed) = {
            let recorder = Recorder::new(apple.sys()).with_channel(CHANNEL);
            let result = match SpawnExec::prepare(&apple, plan) {
                Some(closing) => child_exec(&closing, plan, &BIRTH, &recorder),
                None => child_exec(&apple, plan, &BIRTH, &recorder),
            };
            (result, recorder.how_closed())
        };
        Self { result, closed, apple }
    }

    /// The numbers that the program finds open, if it runs.
    fn fds(&self) -> Result<Vec<Fd>, Report> {
        self.result.as_ref().map(Executed::fds).map_err(|report| *report)
    }

    fn by(&self) -> Option<Closer> {
        self.closed.map(|closed| closed.by)
    }

    /// The calls that execute, as text.
    fn execs(&self) -> Vec<String> {
        let log = self.apple.sys().log();
        log.iter().filter(|call| matches!(call.name, "execve" | "exec_spawn")).map(Call::to_string).collect()
    }

    fn calls_of(&self, name: &str) -> usize {
        self.apple.sys().calls_of(name).len()
    }
}

/// 0, 1, 2 and these.
fn with_standard(fds: &[Fd]) -> Vec<Fd> {
    [&[0, 1, 2], fds].concat()
}

#[rstest]
#[case::by_one_call(usual(), LIST)]
#[case::macos_10_13(usual().with_old_list(), LIST)]
#[case::list_refused_eperm(unlisted(usual()), DIRECTORY)]
#[case::list_refused_enosys(usual().refusing("descriptor_list", Errno::NOSYS), DIRECTORY)]
#[case::list_refused_enomem(usual().refusing("descriptor_list", Errno::NOMEM), DIRECTORY)]
#[case::size_of_the_list_refused(usual().refusing("descriptor_list_room", Errno::PERM), DIRECTORY)]
#[case::list_longer_than_asked_for(usual().with_claimed_length(1 << 20), DIRECTORY)]
#[case::list_that_ends_within_an_entry(usual().with_claimed_length(4 * ENTRY + 3), DIRECTORY)]
#[case::table_larger_than_the_list(crowded(), DIRECTORY)]
#[case::table_larger_than_the_list_macos_10_13(crowded().with_old_list(), DIRECTORY)]
// Faults: Q-macos-list
#[case::directory_as_it_was_when_opened(unlisted(usual()).with_listing(&Listing::TakenAtOpen), DIRECTORY)]
#[case::jail_without_dev(unlisted(usual()).without_listings(), Closer::Loop)]
#[case::directory_breaks_off(unlisted(usual()).refusing_some("getdirentries64", 1..9, Errno::IO), Closer::Loop)]
#[case::ios(unlisted(usual()).refusing("getdirentries64", Errno::NOSYS), Closer::Loop)]
#[case::no_hard_limit(unlisted(crowded()).without_listings().with_limit(u64::MAX), Closer::Loop)]
#[case::limit_not_known(unlisted(crowded()).without_listings().refusing("descriptor_limit", Errno::PERM), Closer::Loop)]
#[case::no_limit_known(
    unlisted(crowded()).without_listings().with_limit(u64::MAX).refusing("files_per_process", Errno::PERM), Closer::Loop)]
fn close_leaves_exactly_the_kept_fds(
    #[case] kernel: SimKernel,
    #[case] by: Closer,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[1_900])] keep: &[Fd],
    #[values(None, Some(CHANNEL))] channel: Option<Fd>,
) {
    let keep = with_channel(keep, channel);
    let apple = Apple::new(kernel);
    let before = apple.sys().open_fds();
    let closed = close_except(&apple, 3, keep, apple.first_strategy());
    assert_eq!(closed, Ok(Closed { by, bulk_refused: None }));
    assert_eq!(apple.sys().open_fds(), left_open(&before, keep));
    let is_kept =
        |call: &&Call| call.numbers[0].is_some_and(|fd| keep.contains(Fd::try_from(fd).unwrap_or(-1)));
    let log = apple.sys().log();
    assert_eq!(log.iter().filter(|call| call.name == "close").find(is_kept), None);
    assert!(log.len() < 100_000, "{} calls", log.len());
}

#[rstest]
#[case::table_is_small(usual(), Ok(()))]
#[case::table_is_small_macos_10_13(usual().with_old_list(), Ok(()))]
#[case::highest_that_fits(SimKernel::apple().with_open(&[1_999]), Ok(()))]
#[case::room_for_more_numbers_than_the_list_has(SimKernel::apple().with_open(&[2_000]), Err(Unlisted::Untrusted))]
#[case::room_for_more_macos_10_13(SimKernel::apple().with_open(&[2_000]).with_old_list(), Err(Unlisted::Untrusted))]
#[case::many_more(crowded(), Err(Unlisted::Untrusted))]
#[case::size_refused(usual().refusing("descriptor_list_room", Errno::SRCH), Err(Unlisted::Refused(Errno::SRCH)))]
#[case::refused(usual().refusing("descriptor_list", Errno::NOMEM), Err(Unlisted::Refused(Errno::NOMEM)))]
#[case::longer_than_the_buffer(usual().with_claimed_length(16_385), Err(Unlisted::Refused(Errno::IO)))]
#[case::part_of_an_entry(usual().with_claimed_length(12), Err(Unlisted::Refused(Errno::IO)))]
fn list_is_believed_only_if_one_answer_holds_all(
    #[case] kernel: SimKernel,
    #[case] answer: Result<(), Unlisted>,
) {
    let apple = Apple::new(kernel);
    let before = apple.sys().open_fds();
    let mut seen = Vec::new();
    let listed = apple.enumerators()[0].visit(apple.sys(), 3, &mut |fd| seen.push(fd));
    let expected = if listed.is_ok() { before[3..].to_vec() } else { Vec::new() };
    assert_eq!((listed, seen, apple.sys().open_fds()), (answer, expected, before));
}

#[rstest]
#[case::live(listed_as(&Listing::Live), Ok(()))]
#[case::below_the_first_visited(listed_as(&Listing::Live).without_open(&[1]), Ok(()))]
#[case::not_there(usual().without_listings(), Err(Unlisted::Refused(Errno::NOENT)))]
#[case::not_to_be_opened(usual().refusing("open_directory", Errno::ACCES), Err(Unlisted::Refused(Errno::ACCES)))]
#[case::no_free_number(usual().refusing("open_directory", Errno::MFILE), Err(Unlisted::Refused(Errno::MFILE)))]
#[case::kind_unknown(usual().refusing("is_on_devfs", Errno::NOSYS), Err(Unlisted::Untrusted))]
#[case::plain_files(listed_as(&Listing::plain(0..60)), Err(Unlisted::Untrusted))]
#[case::devfs_without_itself(
    listed_as(&chain::named(&["0", "1"])), Err(Unlisted::Untrusted))]
#[case::names_that_are_no_numbers(
    listed_as(&chain::named(&["x3", "4x"])), Err(Unlisted::Untrusted))]
#[case::empty(listed_as(&Listing::Raw(vec![])), Err(Unlisted::Untrusted))]
#[case::record_of_length_zero(listed_as(&garbage(&[0; 32])), Err(Unlisted::Refused(Errno::IO)))]
#[case::record_cut_off(listed_as(&garbage(&dirent(b"44")[..20])), Err(Unlisted::Refused(Errno::IO)))]
#[case::record_without_an_end(listed_as(&garbage(&[0xff; 24])), Err(Unlisted::Refused(Errno::IO)))]
#[case::first_batch(usual().refusing("getdirentries64", Errno::PERM), Err(Unlisted::Refused(Errno::PERM)))]
#[case::second_batch(usual().refusing_some("getdirentries64", 1..2, Errno::IO), Err(Unlisted::Refused(Errno::IO)))]
#[case::end(usual().refusing_some("getdirentries64", 4..5, Errno::IO), Err(Unlisted::Refused(Errno::IO)))]
fn directory_is_believed_only_if_devfs_lists_it_and_is_closed(
    #[case] kernel: SimKernel,
    #[case] answer: Result<(), Unlisted>,
) {
    let apple = Apple::new(kernel);
    let before = apple.sys().open_fds();
    let mut seen = Vec::new();
    let listed = apple.enumerators()[1].visit(apple.sys(), 3, &mut |fd| seen.push(fd));
    assert_eq!((listed, apple.sys().open_fds()), (answer, before.clone()));
    if listed.is_ok() {
        assert_eq!(seen, before.into_iter().filter(|&fd| fd >= 3).collect::<Vec<_>>());
    }
}

#[rstest]
#[case::usual(20_000, 184_320, Ok(65_536))]
#[case::no_hard_limit(u64::MAX, 184_320, Ok(184_320))]
#[case::hard_limit_below_the_system_limit(100_000, 184_320, Ok(100_000))]
#[case::system_limit_below_the_hard_limit(1 << 40, 92_160, Ok(92_160))]
#[case::highest_that_is_walked(u64::MAX, 1 << 20, Ok(1 << 20))]
#[case::one_too_many(u64::MAX, 1 + (1 << 20), Err(Errno::OVERFLOW))]
#[case::hard_limit_saves_it(70_000, 1 << 30, Ok(70_000))]
#[case::more_than_a_descriptor(u64::MAX - 1, u64::MAX - 1, Err(Errno::OVERFLOW))]
#[case::lowered_below_what_is_open(16, 16, Ok(65_536))]
fn loop_ends_at_the_lower_of_two_limits(
    #[case] hard: u64,
    #[case] most: u64,
    #[case] bound: Result<Fd, Errno>,
) {
    let kernel = SimKernel::apple().with_limit(hard).with_files_per_process(most);
    assert_eq!(Apple::new(kernel).loop_bound(), bound);
}

#[rstest]
#[case::only_the_system_limit(|it: SimKernel| it.refusing("descriptor_limit", Errno::PERM), 184_320)]
#[case::only_the_hard_one(
    |it: SimKernel| it.with_limit(90_000).refusing("files_per_process", Errno::PERM), 90_000)]
#[case::neither(
    |it: SimKernel| it.refusing("descriptor_limit", Errno::PERM).refusing("files_per_process", Errno::PERM), 65_536)]
#[case::soft_limit_is_ignored(|it: SimKernel| it.with_limit(u64::MAX).with_open_max(256), 184_320)]
fn unreadable_limit_is_ignored(#[case] world: World, #[case] bound: Fd) {
    assert_eq!(Apple::new(world(SimKernel::apple())).loop_bound(), Ok(bound));
}

#[rstest]
fn exec_alone_closes_all_but_the_kept_fds(
    #[values(usual(), crowded(), crowded().with_old_list(), unlisted(crowded()).without_listings())]
    kernel: SimKernel,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[1_900], &[3, 60, 499])] keep: &[Fd],
) {
    let child = Child::of(kernel, &keeping(keep));
    assert_eq!(child.fds(), Ok(with_standard(keep)));
    assert_eq!(child.closed, Some(Closed { by: Closer::Bulk, bulk_refused: None }));
    assert_eq!((child.execs(), child.calls_of("close")), (strings(&["exec_spawn(/bin/prog)"]), 0));
}

#[test]
fn kept_descriptor_is_the_same_file() {
    let kernel = usual();
    let expected: BTreeMap<Fd, u64> =
        [0, 1, 2, 60, 600].into_iter().map(|fd| (fd, kernel.table().entries()[&fd].file)).collect();
    let child = Child::of(kernel, &keeping(&[60, 600]));
    assert_eq!(child.result.map(|executed| executed.files), Ok(expected));
}

/// Faults: Q-macos-spawn
#[rstest]
#[case::first_that_cannot_be_named(&[OPEN_MAX], DIRECTORY)]
#[case::highest(&[HIGHEST], DIRECTORY)]
#[case::among_others(&[60, HIGHEST], DIRECTORY)]
#[case::last_that_can_be_named(&[OPEN_MAX - 1], Closer::Bulk)]
fn unnameable_kept_fd_makes_closing_use_a_list(#[case] keep: &[Fd], #[case] by: Closer) {
    let child = Child::of(crowded().with_open(&[OPEN_MAX - 1, OPEN_MAX]), &keeping(keep));
    assert_eq!((child.fds(), child.by()), (Ok(with_standard(keep)), Some(by)));
    assert_eq!(child.calls_of("exec_spawn"), usize::from(by == Closer::Bulk));
}

#[rstest]
#[case::as_many_as_are_named(256, Closer::Bulk)]
#[case::one_more(257, LIST)]
#[case::many(400, LIST)]
fn many_are_kept_by_closing_from_a_list(#[case] count: Fd, #[case] by: Closer) {
    let keep: Vec<Fd> = (55..55 + count).collect();
    let child = Child::of(usual(), &keeping(&keep));
    assert_eq!((child.fds(), child.by()), (Ok(with_standard(&keep)), Some(by)));
}

#[rstest]
#[case::attributes(|it: SimKernel| it.refusing("spawn", Errno::NOMEM))]
#[case::first_action(|it: SimKernel| it.refusing_some("inherit", 0..1, Errno::NOMEM))]
#[case::last_action(|it: SimKernel| it.refusing_some("inherit", 3..4, Errno::NOMEM))]
fn fds_that_file_actions_cannot_hold_are_closed_from_a_list(#[case] world: World) {
    let child = Child::of(world(usual()), &keeping(&[60]));
    assert_eq!((child.fds(), child.by()), (Ok(with_standard(&[60])), Some(LIST)));
    assert_eq!(child.execs(), ["execve(/bin/prog)"]);
}

/// Faults: Q-macos-spawn
#[rstest]
fn exec_that_does_not_close_is_retried_after_closing(
    #[values(
        Errno::INVAL,
        NOTSUP,
        Errno::NOSYS,
        Errno::PERM,
        Errno::BADF,
        Errno::NOMEM,
        Errno::ACCES,
        Errno::IO,
        Errno::AGAIN,
        Errno::FAULT,
        Errno::INTR,
        Errno::TOOBIG,
        Errno::NOEXEC,
        Errno::LOOP,
        Errno::NAMETOOLONG,
        Errno::TXTBSY
    )]
    errno: Errno,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[1_900])] keep: &[Fd],
) {
    let child = Child::of(usual().refusing("exec_spawn", errno), &keeping(keep));
    assert_eq!(child.fds(), Ok(with_standard(keep)));
    assert_eq!(child.closed, Some(Closed { by: LIST, bulk_refused: Some(errno) }));
    assert_eq!(child.execs(), ["exec_spawn(/bin/prog)", "execve(/bin/prog)"]);
    assert!(child.apple.sys().open_fds().contains(&CHANNEL), "the way to the parent is open until exec");
}

#[rstest]
#[case::list(|it: SimKernel| it, LIST)]
#[case::directory(unlisted, DIRECTORY)]
#[case::every_number(|it: SimKernel| unlisted(it).without_listings(), Closer::Loop)]
fn owed_close_falls_back_to_the_next_working_strategy(#[case] world: World, #[case] by: Closer) {
    let child = Child::of(world(usual().refusing("exec_spawn", Errno::INVAL)), &keeping(&[60]));
    assert_eq!(child.closed, Some(Closed { by, bulk_refused: Some(Errno::INVAL) }));
    assert_eq!(child.fds(), Ok(with_standard(&[60])));
}

#[test]
fn nothing_is_executed_if_the_owed_close_fails() {
    let exec = forkexec_core::Exec { candidates: &[c"/bin/prog", c"/bin/prog"], ..rich::exec() };
    let child = Child::of(unbounded().refusing("exec_spawn", Errno::INVAL), &Plan { exec, ..keeping(&[60]) });
    let report = Report { stage: Stage::Close, errno: Errno::OVERFLOW, operand: 0 };
    assert_eq!((child.fds(), child.execs()), (Err(report), strings(&["exec_spawn(/bin/prog)"])));
}

#[rstest]
#[case::missing(Outcome::Fails(Errno::NOENT), &["exec_spawn(/first)", "exec_spawn(/bin/prog)"], Closer::Bulk)]
#[case::no_directory(Outcome::Fails(Errno::NOTDIR), &["exec_spawn(/first)", "exec_spawn(/bin/prog)"], Closer::Bulk)]
#[case::not_allowed(
    Outcome::Fails(Errno::ACCES), &["exec_spawn(/first)", "execve(/first)", "execve(/bin/prog)"], LIST)]
#[case::directory(Outcome::Directory, &["exec_spawn(/first)", "execve(/first)", "execve(/bin/prog)"], LIST)]
fn only_a_missing_program_is_passed_over_without_closing(
    #[case] first: Outcome,
    #[case] execs: &[&str],
    #[case] by: Closer,
) {
    let exec = forkexec_core::Exec { candidates: &[c"/first", c"/bin/prog"], ..rich::exec() };
    let child = Child::of(usual().with_path(c"/first", first), &Plan { exec, ..keeping(&[60]) });
    assert_eq!((child.fds(), child.by()), (Ok(with_standard(&[60])), Some(by)));
    assert_eq!(child.execs(), execs);
}

#[rstest]
#[case::missing(Errno::NOENT, 1)]
#[case::not_allowed(Errno::ACCES, 2)]
#[case::no_program(Errno::NOEXEC, 2)]
#[case::too_long(Errno::TOOBIG, 2)]
#[case::invalid(Errno::INVAL, 2)]
#[case::loops(Errno::LOOP, 2)]
fn failed_program_has_the_errno_of_execve(#[case] errno: Errno, #[case] tries: usize) {
    let kernel = usual().with_path(c"/bin/prog", Outcome::Fails(errno));
    let child = Child::of(kernel, &keeping(&[60]));
    let report = Report { stage: Stage::Exec, errno, operand: 0 };
    assert_eq!((child.fds(), child.execs().len()), (Err(report), tries));
}

#[test]
fn shell_that_runs_a_script_gets_only_kept_fds() {
    let shell = forkexec_core::ShellFallback { shell: c"/bin/sh", argvs: &[rich::argv()] };
    let exec = forkexec_core::Exec { candidates: &[c"/bin/prog"], shell: Some(shell), ..rich::exec() };
    let kernel = usual().with_path(c"/bin/prog", Outcome::Fails(Errno::NOEXEC));
    let child = Child::of(kernel.with_path(c"/bin/sh", Outcome::Program), &Plan { exec, ..keeping(&[60]) });
    assert_eq!(child.fds(), Ok(with_standard(&[60])));
    assert_eq!(child.execs(), ["exec_spawn(/bin/prog)", "execve(/bin/prog)", "execve(/bin/sh)"]);
}

#[rstest]
#[case::all_open(usual(), &[0, 1, 2])]
#[case::input_closed(usual().without_open(&[0]), &[1, 2])]
#[case::errors_closed(usual().without_open(&[2]), &[0, 1])]
#[case::daemon(usual().without_open(&[0, 1, 2]), &[])]
#[case::output_for_the_parent_only(usual().with_cloexec(&[1]), &[0, 2])]
fn standard_stream_that_is_not_inherited_stays_closed(
    #[case] kernel: SimKernel,
    #[case] open: &[Fd],
    #[values(&[], &[60])] keep: &[Fd],
) {
    let child = Child::of(kernel, &keeping(keep));
    assert_eq!((child.fds(), child.by()), (Ok([open, keep].concat()), Some(Closer::Bulk)));
}

#[rstest]
#[case::placed_from_another(&[Move::copy(70, 0)], &[0, 1, 2])]
#[case::shared(&[Move::ClearCloexec(0)], &[0, 1, 2])]
#[case::vacated(&[Move::Close(2)], &[0, 1])]
#[case::placed_and_vacated(&[Move::copy(70, 0), Move::Close(0)], &[1, 2])]
#[case::vacated_and_placed(&[Move::Close(1), Move::copy(70, 1)], &[0, 1, 2])]
#[case::swapped(&[Move::save(1), Move::copy(2, 1), Move::RestoreTemp(2)], &[0, 1, 2])]
fn last_move_decides_a_standard_stream(#[case] moves: &[Move], #[case] open: &[Fd]) {
    let child = Child::of(usual(), &Plan { moves, ..keeping(&[60]) });
    assert_eq!((child.fds(), child.by()), (Ok([open, &[60]].concat()), Some(Closer::Bulk)));
}

#[rstest]
#[case::closed_in_the_parent(usual().without_open(&[0]), Move::copy(70, 0))]
#[case::close_on_exec_in_the_parent(usual().with_cloexec(&[0]), Move::ClearCloexec(0))]
fn placed_standard_stream_is_open_whatever_the_parent_has(#[case] kernel: SimKernel, #[case] step: Move) {
    let child = Child::of(kernel, &Plan { moves: &[step], ..keeping(&[]) });
    assert_eq!((child.fds(), child.by()), (Ok(vec![0, 1, 2]), Some(Closer::Bulk)));
}

#[test]
fn standard_stream_of_the_parent_alone_is_closed() {
    let child = Child::of(usual(), &Plan { moves: &[Move::CloseOpen(1)], ..keeping(&[60]) });
    assert_eq!((child.fds(), child.by()), (Ok(vec![0, 2, 60]), Some(Closer::Bulk)));
}

/// An action of a closure on the table.
type Deed = fn(&SimKernel) -> Result<(), Errno>;

#[rstest]
#[case::nothing(|_: &SimKernel| Ok(()), &[0, 1, 2, 60], Closed { by: Closer::Bulk, bulk_refused: None })]
#[case::closes_a_stream(|it: &SimKernel| it.close(0), &[1, 2, 60], Closed { by: LIST, bulk_refused: Some(Errno::BADF) })]
#[case::marks_a_stream(|it: &SimKernel| it.set_cloexec(1, true), &[0, 2, 60], Closed { by: LIST, bulk_refused: Some(Errno::BADF) })]
#[case::closes_what_is_kept(|it: &SimKernel| it.close(60), &[0, 1, 2], Closed { by: LIST, bulk_refused: Some(Errno::BADF) })]
#[case::marks_what_is_kept(
    |it: &SimKernel| it.set_cloexec(60, true), &[0, 1, 2], Closed { by: LIST, bulk_refused: Some(Errno::BADF) })]
#[case::opens_another(|it: &SimKernel| it.dup2(60, 61), &[0, 1, 2, 60], Closed { by: Closer::Bulk, bulk_refused: None })]
fn change_made_by_a_closure_is_noticed(#[case] deed: Deed, #[case] fds: &[Fd], #[case] closed: Closed) {
    let apple = Apple::new(usual());
    let hook = || deed(apple.sys()).map_err(HookError::Errno);
    let plan = Plan { hook: Some(as_hook(&hook)), ..keeping(&[60]) };
    let recorder = Recorder::new(apple.sys()).with_channel(CHANNEL);
    let closing = SpawnExec::prepare(&apple, &plan).expect("nothing is refused");
    let executed = child_exec(&closing, &plan, &BIRTH, &recorder).map(|executed| executed.fds());
    assert_eq!((executed, recorder.how_closed()), (Ok(fds.to_vec()), Some(closed)));
}

#[test]
fn stream_opened_by_a_closure_is_inherited() {
    let apple = Apple::new(usual().without_open(&[0]));
    let hook = || apple.sys().dup2(60, 0).map_err(HookError::Errno);
    let plan = Plan { hook: Some(as_hook(&hook)), ..keeping(&[]) };
    let recorder = Recorder::new(apple.sys()).with_channel(CHANNEL);
    let closing = SpawnExec::prepare(&apple, &plan).expect("nothing is refused");
    let executed = child_exec(&closing, &plan, &BIRTH, &recorder).map(|executed| executed.fds());
    assert_eq!(executed, Ok(vec![0, 1, 2]));
}

#[test]
fn low_limit_of_one_plan_affects_no_other() {
    let limits = [Limit { resource: Resource::NOFILE, soft: 3, hard: 3 }];
    let child = Child::of(usual(), &Plan { limits: &limits, ..keeping(&[60]) });
    assert_eq!(child.closed, Some(Closed { by: LIST, bulk_refused: Some(Errno::INVAL) }));
    assert_eq!(child.fds(), Ok(with_standard(&[60])));
    child.apple.learn(&child.closed.unwrap_or_default());
    assert!(SpawnExec::prepare(&child.apple, &keeping(&[60])).is_some());
}

#[rstest]
#[case::no_such_call(Some(Errno::NOSYS), false)]
#[case::not_done(Some(NOTSUP), false)]
#[case::sandbox(Some(Errno::PERM), false)]
#[case::other_streams_than_expected(Some(Errno::BADF), true)]
#[case::lower_limit(Some(Errno::INVAL), true)]
#[case::no_memory_this_time(Some(Errno::NOMEM), true)]
#[case::not_refused(None, true)]
fn only_permanent_refusals_are_remembered(#[case] bulk_refused: Option<Errno>, #[case] again: bool) {
    let apple = Apple::new(usual());
    let plan = keeping(&[60]);
    {
        let closing = SpawnExec::prepare(&apple, &plan).expect("nothing was refused yet");
        closing.learn(&Closed { by: LIST, bulk_refused });
        closing.learn(&Closed { by: LIST, bulk_refused: None });
    }
    assert_eq!(SpawnExec::prepare(&apple, &plan).is_some(), again);
}

#[rstest]
#[case::from_a_list(Some(CloseStrategy::Enumerate), Some(LIST), vec![0, 1, 2, 60])]
#[case::every_number(Some(CloseStrategy::Loop), Some(Closer::Loop), vec![0, 1, 2, 60])]
#[case::not_at_all(None, None, left_inheritable())]
fn plan_gets_the_close_strategy_it_asks_for(
    #[case] close: Option<CloseStrategy>,
    #[case] by: Option<Closer>,
    #[case] fds: Vec<Fd>,
) {
    let child = Child::of(usual(), &Plan { close, ..keeping(&[60]) });
    assert_eq!((child.fds(), child.by()), (Ok(fds), by));
    assert_eq!([child.calls_of("spawn"), child.calls_of("exec_spawn")], [0, 0]);
}

/// The descriptors that a child passes on if it closes nothing.
fn left_inheritable() -> Vec<Fd> {
    usual().open_fds().into_iter().filter(|fd| ![CHANNEL, 600].contains(fd)).collect()
}

#[test]
fn kept_descriptors_are_compared_once() {
    let child = Child::of(usual(), &keeping(&[60, 70, 80]));
    let compared: Vec<_> = child.apple.sys().log().into_iter().filter(|it| it.name == "is_cloexec").collect();
    let in_the_child = compared.iter().filter(|call| call.stage == Some(Stage::Close)).count();
    assert_eq!((in_the_child, compared.len()), (6, 9));
}

#[test]
fn nothing_is_allocated_for_posix_spawn_in_the_child() {
    let child = Child::of(usual(), &keeping(&[60]));
    let log = child.apple.sys().log();
    let prepares = |call: &&Call| matches!(call.name, "spawn" | "inherit");
    assert!(log.iter().filter(prepares).all(|call| call.stage.is_none()), "{log:?}");
    assert_eq!(log.iter().filter(prepares).count(), 5);
}

/// A kernel of the rich plan, and which links of the chain are refused in it.
fn rich_world(refused: usize) -> SimKernel {
    let refusals: [World; 3] =
        [|it| it.refusing("exec_spawn", NOTSUP), unlisted, |it: SimKernel| it.without_listings()];
    refusals.into_iter().take(refused).fold(rich::kernel(), |kernel, refuse| refuse(kernel))
}

/// The rich plan on that kernel, its channel the rich one.
fn run_rich(kernel: SimKernel) -> (Result<Executed, Report>, Vec<Call>) {
    let apple = Apple::new(kernel);
    let plan = rich::portable_plan();
    let recorder = Recorder::new(apple.sys()).with_channel(rich::CHANNEL);
    let result = match SpawnExec::prepare(&apple, &plan) {
        Some(closing) => child_exec(&closing, &plan, &BIRTH, &recorder),
        None => child_exec(&apple, &plan, &BIRTH, &recorder),
    };
    (result, apple.sys().log())
}

fn numbers(executed: &Executed) -> Vec<Fd> {
    rich::HANDED_OVER.into_iter().map(|(fd, _)| fd).filter(|fd| executed.files.contains_key(fd)).collect()
}

/// The errnos of the man pages, and of a sandbox.
const ERRNOS: [Errno; 14] = [
    Errno::PERM,
    Errno::INTR,
    Errno::IO,
    Errno::BADF,
    Errno::NOMEM,
    Errno::ACCES,
    Errno::FAULT,
    Errno::BUSY,
    Errno::NOTDIR,
    Errno::INVAL,
    Errno::MFILE,
    Errno::NOSYS,
    NOTSUP,
    Errno::NOENT,
];

/// Returns true if a call can fail with this errno.
fn may_fail(call: &Call, errno: Errno, by_loop: bool) -> bool {
    match (call.name, call.stage, call.numbers[0]) {
        ("set_umask" | "parent", ..) => false,
        // It is open, so EBADF is impossible.
        ("close", Some(Stage::DupFds), Some(2)) => errno != Errno::BADF,
        // A descriptor that stays open is closed again from a list. The loop closes each number once (close(2)).
        ("close", Some(Stage::Exec), Some(fd)) => !by_loop && fd <= 300,
        _ => true,
    }
}

#[rstest]
#[case::exec_closes(0)]
#[case::exec_does_not_close(1)]
#[case::and_the_list_is_refused(2)]
#[case::and_there_is_no_directory(3)]
fn any_failing_call_is_reported_or_handled_and_leaks_nothing(#[case] refused: usize) {
    let (result, log) = run_rich(rich_world(refused));
    let handed = result.as_ref().map(numbers).expect("nothing fails yet");
    assert_eq!(result.map(|executed| executed.fds()), Ok(handed.clone()), "nothing else is open");
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut runs = 0;
    // The calls before the loop are the same without it, and the loop takes 65,536 calls.
    let errnos = if refused == 3 { &ERRNOS[..3] } else { &ERRNOS[..] };
    for call in &log {
        let index = seen.entry(call.name).or_default();
        let which = *index..*index + 1;
        *index += 1;
        for &errno in errnos.iter().filter(|&&errno| may_fail(call, errno, refused == 3)) {
            let (result, _) = run_rich(rich_world(refused).refusing_some(call.name, which.clone(), errno));
            if let Ok(executed) = result {
                assert_eq!(executed.fds(), handed, "{call} {errno}");
            }
            runs += 1;
        }
    }
    println!("{runs} runs");
}

#[test]
fn full_plan_ends_in_the_exec_that_closes() {
    let (result, log) = run_rich(rich_world(0));
    assert!(result.is_ok_and(|executed| executed.path.as_c_str() == c"/bin/prog"));
    let execs: Vec<_> =
        log.iter().filter(|call| call.stage == Some(Stage::Exec)).map(Call::to_string).collect();
    assert_eq!(execs, ["exec_spawn(/missing/prog)", "exec_spawn(/bin/prog)"]);
    assert!(log.iter().all(|call| call.stage != Some(Stage::Close) || call.name == "is_cloexec"));
}

#[rstest]
fn process_is_the_same_after_either_exec(#[values(0, 1, 2, 3)] refused: usize) {
    let (by_spawn, _) = run_rich(rich_world(0));
    let (other, _) = run_rich(rich_world(refused));
    let what = |result: Result<Executed, Report>| result.map(|it| (it.argv, it.env, it.files, it.process));
    assert_eq!(what(by_spawn), what(other));
}
