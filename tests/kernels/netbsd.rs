//! What the NetBSD backend decides: `F_CLOSEM` keeps nothing, and `F_MAXFD` may have no answer.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use rstest::rstest;

use forkexec_core::{
    Backend, CloseStrategy, Closed, Closer, Errno, Fd, FdEnumerator, Gap, KeepList, LOOP_CEILING, Plan,
    Stage, Sys, Unlisted, child_exec, close_except,
};
use forkexec_netbsd::{CAPABILITIES, MaxFd, Netbsd};

use crate::sim::rich::{self, BIRTH};
use crate::sim::{Call, Listing, Recorder, SimKernel};
use crate::{keep_list, left_open, strings};

const CHANNEL: Fd = 50;
const HIGHEST: Fd = 19_999;
const RUN: [Fd; 38] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
    31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
];

/// What fcntl(2) gives with -1 when it did not fail.
const NO_ERRNO: Errno = Errno::from_raw(0);

/// What the page of fcntl(2) has, whatever the command, and what a kernel or an emulation without the command says.
const OF_FCNTL: [Errno; 11] = [
    NO_ERRNO,
    Errno::ACCES,
    Errno::AGAIN,
    Errno::BADF,
    Errno::INTR,
    Errno::INVAL,
    Errno::MFILE,
    Errno::NOENT,
    Errno::NOMEM,
    Errno::NOSYS,
    Errno::PERM,
];

fn crowded() -> SimKernel {
    let many: Vec<Fd> = (3..=45).chain(55..500).collect();
    SimKernel::new().with_open(&many).with_cloexec(&[CHANNEL, 600, 5_000]).with_open(&[HIGHEST])
}

/// Few, so that a sweep is quick.
fn sparse() -> SimKernel {
    SimKernel::new().with_open(&[3, 4, 9, 60, 61, 70]).with_cloexec(&[CHANNEL, 300])
}

type World = fn(SimKernel) -> SimKernel;

/// Neither command is to be had.
fn refusing_both(kernel: SimKernel, closem: Errno, max_fd: Errno) -> SimKernel {
    kernel.refusing("closem", closem).refusing("max_fd", max_fd)
}

/// The first call that closes a kept descriptor, asks for an empty range, or reads a directory.
fn misstep(kernel: &SimKernel, keep: KeepList<'_>) -> Option<Call> {
    let highest_kept = (0..=HIGHEST).rev().find(|&fd| keep.contains(fd));
    kernel.log().into_iter().find(|call| {
        let number = call.numbers[0].and_then(|number| Fd::try_from(number).ok());
        match call.name {
            "close" => number.is_none_or(|fd| fd < 3 || keep.contains(fd)),
            "closem" => number.is_none_or(|fd| fd < 3 || Some(fd) <= highest_kept),
            "max_fd" | "descriptor_limit" => false,
            _ => true,
        }
    })
}

#[rstest]
#[case::good(|it: SimKernel| it, Closer::Bulk)]
#[case::good_with_gaps_closed_whole_as_nothing_is_said_to_be_open(
    |it: SimKernel| it.refusing("max_fd", NO_ERRNO), Closer::Bulk)]
#[case::good_with_gaps_closed_whole_as_the_highest_is_not_told(
    |it: SimKernel| it.refusing("max_fd", Errno::INVAL), Closer::Bulk)]
#[case::closem_unknown(|it: SimKernel| it.refusing("closem", Errno::INVAL), Closer::Enumerator(0))]
#[case::closem_not_emulated(|it: SimKernel| it.refusing("closem", Errno::NOSYS), Closer::Enumerator(0))]
#[case::closem_denied(|it: SimKernel| it.refusing("closem", Errno::PERM), Closer::Enumerator(0))]
#[case::closem_denied_otherwise(|it: SimKernel| it.refusing("closem", Errno::ACCES), Closer::Enumerator(0))]
#[case::closem_interrupted(|it: SimKernel| it.refusing("closem", Errno::INTR), Closer::Enumerator(0))]
#[case::neither_known(|it: SimKernel| refusing_both(it, Errno::INVAL, Errno::INVAL), Closer::Loop)]
#[case::neither_emulated(|it: SimKernel| refusing_both(it, Errno::NOSYS, Errno::NOSYS), Closer::Loop)]
#[case::neither_and_nothing_is_said_to_be_open(
    |it: SimKernel| refusing_both(it, Errno::NOSYS, NO_ERRNO), Closer::Loop)]
#[case::neither_and_no_limit(
    |it: SimKernel| refusing_both(it, Errno::NOSYS, Errno::NOSYS).with_limit(u64::MAX), Closer::Loop)]
#[case::neither_and_no_limit_but_the_system_s(
    |it: SimKernel| refusing_both(it, Errno::NOSYS, NO_ERRNO).with_limit(u64::MAX).with_open_max(30_000),
    Closer::Loop)]
#[case::neither_and_the_limit_is_not_known(
    |it: SimKernel| refusing_both(it, Errno::PERM, Errno::PERM).refusing("descriptor_limit", Errno::PERM),
    Closer::Loop)]
fn the_table_afterwards_is_exactly_what_is_kept(
    #[case] world: World,
    #[case] by: Closer,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[HIGHEST])] keep: &[Fd],
    #[values(None, Some(CHANNEL))] channel: Option<Fd>,
) {
    let keep = channel.map_or(keep_list(keep), |channel| keep_list(keep).and(channel));
    let backend = Netbsd::new(world(crowded()));
    let before = backend.sys().open_fds();
    let closed = close_except(&backend, 3, keep, CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(by), left_open(&before, keep)));
    assert_eq!(misstep(backend.sys(), keep), None);
}

/// Faults: Q-netbsd
#[rstest]
#[case::nothing_kept(&[], None, &["closem(3)"])]
#[case::first_kept(&[3], None, &["closem(4)"])]
#[case::adjacent_have_no_gap_between(&[3, 4, 5], None, &["closem(6)"])]
#[case::one_below(&[4], None, &["max_fd()", "close(3)", "closem(5)"])]
#[case::two_gaps(&[4, 6], None, &["max_fd()", "close(3)", "max_fd()", "close(5)", "closem(7)"])]
#[case::channel_above_the_last(&[3], Some(5), &["max_fd()", "close(4)", "closem(6)"])]
#[case::channel_below_the_last(&[5], Some(3), &["max_fd()", "close(4)", "closem(6)"])]
#[case::channel_alone(&[], Some(3), &["closem(4)"])]
#[case::gap_ends_at_the_highest_open(&[9_000], None, &["max_fd()", "close(3)", "close(4)", "close(5)", "closem(9001)"])]
#[case::gap_above_the_highest_open(
    &[5, 9_000], None, &["max_fd()", "close(3)", "close(4)", "max_fd()", "closem(9001)"])]
#[case::highest_possible_kept(&[Fd::MAX], None, &["max_fd()", "close(3)", "close(4)", "close(5)"])]
#[case::below_the_highest_possible(
    &[Fd::MAX - 1], None, &["max_fd()", "close(3)", "close(4)", "close(5)", "closem(2147483647)"])]
fn closem_is_called_only_above_the_last_kept_fd(
    #[case] keep: &[Fd],
    #[case] channel: Option<Fd>,
    #[case] calls: &[&str],
) {
    let keep = channel.map_or(keep_list(keep), |channel| keep_list(keep).and(channel));
    let backend = Netbsd::new(SimKernel::new().with_open(&[3, 4, 5]));
    let closed = close_except(&backend, 3, keep, CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Bulk, bulk_refused: None }));
    assert_eq!(backend.sys().calls(), strings(calls));
}

#[test]
fn a_table_with_nothing_to_close_is_no_error() {
    let backend = Netbsd::new(SimKernel::new());
    let closed = close_except(&backend, 3, keep_list(&[4]), CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(Closer::Bulk), vec![0, 1, 2]));
}

#[rstest]
#[case::by_closem(|it: SimKernel| it)]
#[case::by_max_fd(|it: SimKernel| it.refusing("closem", Errno::NOSYS))]
#[case::by_the_loop_to_max_fd(|it: SimKernel| it.refusing("closem", Errno::NOSYS).refusing_some("max_fd", 0..1, Errno::INTR))]
fn a_limit_lowered_below_open_descriptors_hides_none(#[case] world: World) {
    let kernel = world(crowded().with_open(&[70_000]).with_limit(64));
    let backend = Netbsd::new(kernel);
    assert!(close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk).is_ok());
    assert_eq!(backend.sys().open_fds(), [0, 1, 2]);
}

#[rstest]
#[case::all_of_them(&[0, 1, 2])]
#[case::the_first(&[0])]
#[case::the_last(&[2])]
fn closed_standard_streams_make_no_difference(
    #[case] closed: &[Fd],
    #[values("closem", "max_fd")] refused: &str,
) {
    let kernel = crowded().without_open(closed).refusing(refused, Errno::INVAL);
    let before = kernel.open_fds();
    let backend = Netbsd::new(kernel);
    assert!(close_except(&backend, 3, keep_list(&[60]), CloseStrategy::Bulk).is_ok());
    assert_eq!(backend.sys().open_fds(), left_open(&before, keep_list(&[60])));
}

#[rstest]
#[case::a_static_dev_fd(Listing::plain(0..64))]
#[case::a_live_proc(Listing::Live)]
fn no_directory_is_read_whatever_is_there(#[case] listing: Listing) {
    let kernel = refusing_both(crowded().with_listing(&listing), Errno::NOSYS, Errno::NOSYS);
    let backend = Netbsd::new(kernel);
    let closed = close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().calls_of("open_directory")), (Ok(Closer::Loop), vec![]));
}

#[rstest]
fn any_answer_of_fcntl_leaks_nothing(
    #[values("closem", "max_fd")] name: &str,
    #[values(0, 1, 2, 3)] from: usize,
    #[values(1, usize::MAX)] times: usize,
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop)] link: CloseStrategy,
) {
    for errno in OF_FCNTL {
        let which = from..from.saturating_add(times);
        let backend = Netbsd::new(sparse().refusing_some(name, which, errno));
        let closed = close_except(&backend, 3, keep_list(&[60, 70]), link);
        assert!(closed.is_ok(), "{errno}");
        assert_eq!(backend.sys().open_fds(), [0, 1, 2, 60, 70], "{errno}");
    }
}

#[rstest]
fn any_answer_of_fcntl_and_the_limit_leaks_nothing(
    #[values(Errno::FAULT, Errno::INVAL, Errno::PERM)] of_getrlimit: Errno,
    #[values(0, 1)] from: usize,
) {
    for errno in OF_FCNTL {
        let kernel = sparse().refusing("closem", errno).refusing_some("max_fd", from..usize::MAX, errno);
        let backend = Netbsd::new(kernel.refusing("descriptor_limit", of_getrlimit));
        assert!(close_except(&backend, 3, keep_list(&[60, 70]), CloseStrategy::Bulk).is_ok(), "{errno}");
        assert_eq!(backend.sys().open_fds(), [0, 1, 2, 60, 70], "{errno}");
    }
}

#[rstest]
#[case::nothing_kept(&[])]
#[case::gaps_to_close_whole(&[60, Fd::MAX])]
fn close_without_a_bound_on_time_is_an_error(#[case] keep: &[Fd]) {
    let kernel = refusing_both(crowded(), Errno::PERM, Errno::PERM).with_limit(1 << 30);
    let backend = Netbsd::new(kernel);
    assert_eq!(close_except(&backend, 3, keep_list(keep), CloseStrategy::Bulk), Err(Errno::OVERFLOW));
    assert!(backend.sys().calls_of("close").len() < 60);
}

#[rstest]
#[case::kept(&[LOOP_CEILING + 1], Err(Errno::OVERFLOW))]
#[case::kept_as_far_as_one_may_be(&[LOOP_CEILING], Ok(Closer::Bulk))]
#[case::not_kept(&[], Ok(Closer::Bulk))]
fn high_fd_is_an_error_if_kept_and_fine_if_closed(
    #[case] keep: &[Fd],
    #[case] answer: Result<Closer, Errno>,
) {
    let kernel = SimKernel::new().with_open(&[9, LOOP_CEILING, LOOP_CEILING + 1]).with_limit(u64::MAX);
    let backend = Netbsd::new(kernel);
    assert_eq!(
        close_except(&backend, 3, keep_list(keep), CloseStrategy::Bulk).map(|closed| closed.by),
        answer
    );
    assert!(keep.iter().all(|fd| backend.sys().open_fds().contains(fd)));
}

#[test]
fn max_fd_jumps_over_all_that_is_not_open() {
    let kernel = SimKernel::new().with_open(&[5, 70_000, Fd::MAX]);
    let close = &mut |fd| {
        kernel.close(fd).expect("what is handed over is open");
    };
    assert_eq!(MaxFd.visit(&kernel, 3, close), Ok(()));
    let calls =
        ["max_fd()", "close(2147483647)", "max_fd()", "close(70000)", "max_fd()", "close(5)", "max_fd()"];
    assert_eq!(kernel.calls(), strings(&calls));
}

#[test]
fn below_the_highest_kept_every_number_is_closed() {
    let backend = Netbsd::new(SimKernel::new().with_open(&[4, 6, 900]));
    assert!(close_except(&backend, 3, keep_list(&[6]), CloseStrategy::Enumerate).is_ok());
    let first_pass = ["max_fd()", "close(900)", "max_fd()", "max_fd()", "close(5)", "close(4)", "close(3)"];
    let nothing_left = ["max_fd()", "max_fd()", "close(5)", "close(4)", "close(3)"];
    assert_eq!(backend.sys().calls(), strings(&[&first_pass[..], &nothing_left].concat()));
}

#[rstest]
#[case::kept_is_the_highest(HIGHEST)]
#[case::kept_is_in_the_middle(300)]
#[case::kept_is_the_first(3)]
fn every_open_descriptor_is_visited_and_none_below_the_first(#[case] kept: Fd) {
    let kernel = crowded();
    let open: Vec<Fd> = kernel.open_fds().into_iter().filter(|&fd| fd >= 3).collect();
    let mut seen = Vec::new();
    let listed = MaxFd.visit(&kernel, 3, &mut |fd| {
        seen.push(fd);
        if fd != kept {
            let _ = kernel.close(fd);
        }
    });
    let unseen: Vec<Fd> = open.into_iter().filter(|fd| !seen.contains(fd)).collect();
    assert_eq!((listed, unseen, seen.iter().min()), (Ok(()), vec![], Some(&3)));
}

#[rstest]
#[case::not_asked_to_close(|it: SimKernel| it)]
#[case::no_answer_the_second_time(|it: SimKernel| it.refusing_some("max_fd", 1..2, Errno::INTR))]
#[case::nothing_open_the_second_time(|it: SimKernel| it.refusing_some("max_fd", 1..2, NO_ERRNO))]
fn a_visitor_that_closes_nothing_is_handed_every_number_once(#[case] world: World) {
    let mut seen = Vec::new();
    assert_eq!(MaxFd.visit(&world(crowded()), 3, &mut |fd| seen.push(fd)), Ok(()));
    assert!(seen.into_iter().eq((3..=HIGHEST).rev()));
}

/// Faults: Q-netbsd
#[rstest]
#[case::nothing_open(NO_ERRNO)]
#[case::unknown(Errno::INVAL)]
#[case::not_emulated(Errno::NOSYS)]
#[case::denied(Errno::PERM)]
fn enumerator_visits_nothing_without_a_first_answer(#[case] errno: Errno) {
    let kernel = crowded().refusing("max_fd", errno);
    let mut visits = 0;
    let listed = MaxFd.visit(&kernel, 3, &mut |_| visits += 1);
    assert_eq!((listed, visits), (Err(Unlisted::Refused(errno)), 0));
}

/// Faults: Q-netbsd
#[test]
fn kernel_without_open_descriptors_has_no_answer() {
    let kernel = SimKernel::new().without_open(&[0, 1, 2]);
    assert_eq!(MaxFd.visit(&kernel, 3, &mut |_| {}), Err(Unlisted::Refused(NO_ERRNO)));
}

#[rstest]
#[case::at_the_ceiling(LOOP_CEILING, Ok(()))]
#[case::above_it(LOOP_CEILING + 1, Err(Unlisted::Untrusted))]
#[case::far_above_it(Fd::MAX, Err(Unlisted::Untrusted))]
fn an_enumeration_without_a_bound_is_not_begun(#[case] kept: Fd, #[case] answer: Result<(), Unlisted>) {
    let kernel = SimKernel::new().with_open(&[kept]);
    let mut visits = 0;
    let listed = MaxFd.visit(&kernel, 3, &mut |_| visits += 1);
    assert_eq!((listed, visits > 1), (answer, answer.is_ok()));
}

/// Faults: Q-netbsd
#[rstest]
#[case::highest_open(|it: SimKernel| it.with_open(&[HIGHEST]), Ok(HIGHEST + 1))]
#[case::standard_streams_only(|it: SimKernel| it, Ok(3))]
#[case::last_that_is_walked(|it: SimKernel| it.with_open(&[LOOP_CEILING - 1]), Ok(LOOP_CEILING))]
#[case::one_too_high(|it: SimKernel| it.with_open(&[LOOP_CEILING]), Err(Errno::OVERFLOW))]
#[case::highest_possible(|it: SimKernel| it.with_open(&[Fd::MAX]), Err(Errno::OVERFLOW))]
#[case::an_unlimited_process(|it: SimKernel| it.with_open(&[90]).with_limit(u64::MAX), Ok(91))]
#[case::a_huge_limit(|it: SimKernel| it.with_open(&[90]).with_limit(1 << 30), Ok(91))]
#[case::nothing_open(|it: SimKernel| it.without_open(&[0, 1, 2]), Ok(65_536))]
#[case::no_answer_so_the_limit(
    |it: SimKernel| it.refusing("max_fd", Errno::INVAL).with_limit(90_000), Ok(90_000))]
#[case::no_answer_and_no_limit_so_the_system_s(
    |it: SimKernel| it.refusing("max_fd", NO_ERRNO).with_limit(u64::MAX).with_open_max(80_000), Ok(80_000))]
#[case::no_answer_at_all(
    |it: SimKernel| it.refusing("max_fd", NO_ERRNO).refusing("descriptor_limit", Errno::PERM), Ok(LOOP_CEILING))]
#[case::no_answer_and_a_huge_limit(
    |it: SimKernel| it.refusing("max_fd", NO_ERRNO).with_limit(1 << 30), Err(Errno::OVERFLOW))]
fn close_loop_ends_above_the_highest_open_fd(#[case] world: World, #[case] bound: Result<Fd, Errno>) {
    assert_eq!(Netbsd::new(world(SimKernel::new())).loop_bound(), bound);
}

#[rstest]
#[case::enumerate_at_once(CloseStrategy::Enumerate, Closer::Enumerator(0))]
#[case::loop_at_once(CloseStrategy::Loop, Closer::Loop)]
fn links_before_the_first_are_not_asked(#[case] link: CloseStrategy, #[case] by: Closer) {
    let backend = Netbsd::new(crowded());
    let closed = close_except(&backend, 3, keep_list(&[60]), link);
    assert_eq!(closed, Ok(Closed { by, bulk_refused: None }));
    assert_eq!((backend.sys().calls_of("closem"), backend.sys().open_fds()), (vec![], vec![0, 1, 2, 60]));
}

#[rstest]
#[case::unknown(Some(Errno::INVAL), CloseStrategy::Enumerate)]
#[case::not_emulated(Some(Errno::NOSYS), CloseStrategy::Enumerate)]
#[case::denied(Some(Errno::PERM), CloseStrategy::Enumerate)]
#[case::interrupted(Some(Errno::INTR), CloseStrategy::Bulk)]
#[case::a_gap_too_long_this_time(Some(Errno::OVERFLOW), CloseStrategy::Bulk)]
#[case::not_refused(None, CloseStrategy::Bulk)]
fn only_a_refusal_for_good_is_remembered(#[case] bulk_refused: Option<Errno>, #[case] next: CloseStrategy) {
    let backend = Netbsd::new(SimKernel::new());
    backend.learn(&Closed { by: Closer::Enumerator(0), bulk_refused });
    backend.learn(&Closed { by: Closer::Enumerator(0), bulk_refused: None });
    assert_eq!(backend.first_link(), next);
}

#[test]
fn operation_missing_on_netbsd_fails_without_a_call() {
    let backend = Netbsd::new(crowded());
    let answers =
        [backend.own_table(2).map(drop), backend.die_with_parent(libc::SIGTERM), backend.no_new_privs()];
    assert_eq!((answers, backend.sys().calls()), ([Err(Errno::NOSYS); 3], vec![]));
    assert!(CAPABILITIES.operations.is_empty());
}

#[test]
fn the_capabilities_name_the_enumerators_in_their_order() {
    let backend = Netbsd::new(SimKernel::new());
    let names: Vec<&str> = backend.enumerators().iter().map(|it| it.name()).collect();
    assert_eq!(names, backend.capabilities().enumerators);
}

#[test]
fn a_gap_of_one_number_is_one_close() {
    let backend = Netbsd::new(crowded());
    let gap = Gap::new(7, 7).expect("it has one number");
    assert_eq!(backend.close_gap(gap), Ok(()));
    assert_eq!(backend.sys().calls(), strings(&["max_fd()", "close(7)"]));
}

#[rstest]
#[case::good(|it: SimKernel| it)]
#[case::without_closem(|it: SimKernel| it.refusing("closem", Errno::INVAL))]
#[case::without_either(|it: SimKernel| refusing_both(it, Errno::INVAL, NO_ERRNO))]
fn a_whole_plan_hands_over_exactly_what_was_asked(#[case] world: World) {
    let plan = Plan { no_new_privs: false, die_with_parent: None, ..rich::session_plan() };
    let backend = Netbsd::new(world(rich::kernel()));
    let recorder = Recorder::new(backend.sys()).with_channel(rich::CHANNEL);
    let result = child_exec(&backend, &plan, &BIRTH, &recorder);
    assert!(result.as_ref().is_ok_and(rich::is_as_asked), "{result:?}");
    let keep = plan.keep.and(rich::CHANNEL);
    let closing = |call: &&Call| call.stage == Some(Stage::Close) && call.name.starts_with("close");
    let log = backend.sys().log();
    let mut closed = log.iter().filter(closing).filter_map(|call| Fd::try_from(call.numbers[0]?).ok());
    assert!(closed.all(|fd| !keep.contains(fd)));
}

fn fds(most: usize) -> impl Strategy<Value = Vec<Fd>> {
    let fd = prop_oneof![8 => 3..60, 2 => 60..1_000, 1 => 1_000..5_000];
    btree_set(fd, 0..most).prop_map(|fds| fds.into_iter().collect())
}

/// A call that is refused from its n-th time on, for so many times.
fn refusal() -> impl Strategy<Value = (&'static str, usize, usize, Errno)> {
    let name = proptest::sample::select(&["closem", "max_fd", "descriptor_limit"][..]);
    (name, 0..4_usize, 1..99_usize, proptest::sample::select(&OF_FCNTL[..]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn child_has_only_kept_fds_whatever_is_refused(
        open in fds(200),
        keep in fds(30),
        channel in proptest::option::of(3..1_000),
        refusals in vec(refusal(), 0..4),
        link in proptest::sample::select(&[CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop][..]),
    ) {
        let kernel = refusals.into_iter().fold(SimKernel::new().with_open(&open), |it, (name, from, times, errno)| {
            it.refusing_some(name, from..from + times, errno)
        });
        let before = kernel.open_fds();
        let keep = channel.map_or(keep_list(&keep), |channel| keep_list(&keep).and(channel));
        let backend = Netbsd::new(kernel);
        let closed = close_except(&backend, 3, keep, link);
        prop_assert!(closed.is_ok());
        prop_assert_eq!(backend.sys().open_fds(), left_open(&before, keep));
        prop_assert_eq!(misstep(backend.sys(), keep), None);
    }
}
