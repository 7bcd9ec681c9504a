//! What the OpenBSD backend decides: closefrom(2) keeps nothing, and a count must not end a walk early.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use rstest::rstest;

use forkexec_core::{
    Backend, CloseStrategy, Closed, Closer, Errno, Fd, FdEnumerator, KeepList, LOOP_CEILING, Plan, Stage,
    Sys, Unlisted, child_exec, close_except,
};
use forkexec_openbsd::{CAPABILITIES, CountedWalk, Openbsd};

use crate::sim::rich::{self, BIRTH};
use crate::sim::{Call, Listing, Recorder, SimKernel};
use crate::{keep_list, left_open, strings};

const CHANNEL: Fd = 50;
const HIGHEST: Fd = 19_999;
const RUN: [Fd; 38] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
    31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
];

/// What a call may answer that closefrom(2), fcntl(2), getrlimit(2) or pledge(2) name. `EBADF` of closefrom(2) is not a
/// failure: only a kernel that has nothing to close gives it.
const ERRNOS: [Errno; 7] =
    [Errno::INTR, Errno::INVAL, Errno::NOSYS, Errno::PERM, Errno::FAULT, Errno::MFILE, Errno::AGAIN];

fn crowded() -> SimKernel {
    let many: Vec<Fd> = (3..=45).chain(55..500).collect();
    SimKernel::new().with_open(&many).with_cloexec(&[CHANNEL, 600, 5_000]).with_open(&[HIGHEST])
}

/// Few, so that a sweep is quick.
fn sparse() -> SimKernel {
    SimKernel::new().with_open(&[3, 4, 9, 60, 61, 70]).with_cloexec(&[CHANNEL, 300])
}

type World = fn(SimKernel) -> SimKernel;

/// Neither closefrom(2) nor getdtablecount(2) is to be had.
fn refusing_both(kernel: SimKernel, errno: Errno) -> SimKernel {
    kernel.refusing("closefrom", errno).refusing("open_count", errno)
}

/// The first call that closes a kept descriptor, asks for an empty range, or reads a directory.
fn misstep(kernel: &SimKernel, keep: KeepList<'_>) -> Option<Call> {
    let highest_kept = (0..=HIGHEST).rev().find(|&fd| keep.contains(fd));
    kernel.log().into_iter().find(|call| {
        let number = call.numbers[0].and_then(|number| Fd::try_from(number).ok());
        match call.name {
            "close" => number.is_none_or(|fd| fd < 3 || keep.contains(fd)),
            "closefrom" => number.is_none_or(|fd| fd < 3 || Some(fd) <= highest_kept),
            "open_count" | "is_cloexec" | "descriptor_limit" => false,
            _ => true,
        }
    })
}

#[rstest]
#[case::good(|it: SimKernel| it, Closer::Bulk)]
#[case::good_whatever_is_counted(|it: SimKernel| it.with_miscount(-400), Closer::Bulk)]
#[case::pledged_without_stdio(|it: SimKernel| it.refusing("closefrom", Errno::NOSYS), Closer::Enumerator(0))]
#[case::denied(|it: SimKernel| it.refusing("closefrom", Errno::PERM), Closer::Enumerator(0))]
#[case::interrupted(|it: SimKernel| it.refusing("closefrom", Errno::INTR), Closer::Enumerator(0))]
#[case::not_known(|it: SimKernel| it.refusing("closefrom", Errno::INVAL), Closer::Enumerator(0))]
#[case::neither_known(|it: SimKernel| refusing_both(it, Errno::NOSYS), Closer::Loop)]
#[case::neither_allowed(|it: SimKernel| refusing_both(it, Errno::PERM), Closer::Loop)]
#[case::nothing_can_be_asked(
    |it: SimKernel| it.refusing("closefrom", Errno::NOSYS).refusing("is_cloexec", Errno::NOSYS), Closer::Loop)]
#[case::counting_is_interrupted(
    |it: SimKernel| it.refusing("closefrom", Errno::NOSYS).refusing("open_count", Errno::INTR), Closer::Loop)]
#[case::neither_and_no_limit(
    |it: SimKernel| refusing_both(it, Errno::NOSYS).with_limit(u64::MAX), Closer::Loop)]
#[case::neither_and_no_limit_but_the_system_s(
    |it: SimKernel| refusing_both(it, Errno::NOSYS).with_limit(u64::MAX).with_open_max(30_000), Closer::Loop)]
#[case::neither_and_the_limit_is_not_known(
    |it: SimKernel| refusing_both(it, Errno::NOSYS).refusing("descriptor_limit", Errno::NOSYS), Closer::Loop)]
fn the_table_afterwards_is_exactly_what_is_kept(
    #[case] world: World,
    #[case] by: Closer,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[HIGHEST])] keep: &[Fd],
    #[values(None, Some(CHANNEL))] channel: Option<Fd>,
) {
    let keep = channel.map_or(keep_list(keep), |channel| keep_list(keep).and(channel));
    let backend = Openbsd::new(world(crowded()));
    let before = backend.sys().open_fds();
    let closed = close_except(&backend, 3, keep, CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(by), left_open(&before, keep)));
    assert_eq!(misstep(backend.sys(), keep), None);
}

#[rstest]
#[case::nothing_kept(&[], None, &["closefrom(3)"])]
#[case::first_kept(&[3], None, &["closefrom(4)"])]
#[case::adjacent_have_no_gap_between(&[3, 4, 5], None, &["closefrom(6)"])]
#[case::one_below(&[4], None, &["close(3)", "closefrom(5)"])]
#[case::two_gaps(&[4, 6], None, &["close(3)", "close(5)", "closefrom(7)"])]
#[case::channel_above_the_last(&[3], Some(5), &["close(4)", "closefrom(6)"])]
#[case::channel_below_the_last(&[5], Some(3), &["close(4)", "closefrom(6)"])]
#[case::channel_alone(&[], Some(3), &["closefrom(4)"])]
#[case::gap_above_the_highest_open(&[3, 7], None, &["close(4)", "close(5)", "close(6)", "closefrom(8)"])]
fn closefrom_is_asked_above_the_last_kept_only(
    #[case] keep: &[Fd],
    #[case] channel: Option<Fd>,
    #[case] calls: &[&str],
) {
    let keep = channel.map_or(keep_list(keep), |channel| keep_list(keep).and(channel));
    let backend = Openbsd::new(SimKernel::new().with_open(&[3, 4, 5]));
    let closed = close_except(&backend, 3, keep, CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Bulk, bulk_refused: None }));
    assert_eq!(backend.sys().calls(), strings(calls));
}

#[rstest]
#[case::nothing_is_open(&[], &[])]
#[case::all_that_is_open_is_kept(&[3, 4], &[3, 4])]
#[case::only_lower_ones_are_open(&[3], &[900])]
fn ebadf_of_closefrom_says_that_all_is_done(#[case] open: &[Fd], #[case] keep: &[Fd]) {
    let backend = Openbsd::new(SimKernel::new().with_open(open));
    let before = backend.sys().open_fds();
    let closed = close_except(&backend, 3, keep_list(keep), CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Bulk, bulk_refused: None }));
    assert_eq!(backend.sys().open_fds(), left_open(&before, keep_list(keep)));
}

#[rstest]
#[case::by_closefrom(|it: SimKernel| it)]
#[case::by_the_count(|it: SimKernel| it.refusing("closefrom", Errno::NOSYS))]
fn a_limit_lowered_below_open_descriptors_hides_none(#[case] world: World) {
    let backend = Openbsd::new(world(crowded().with_open(&[70_000]).with_limit(64)));
    assert!(close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk).is_ok());
    assert_eq!(backend.sys().open_fds(), [0, 1, 2]);
}

#[rstest]
#[case::all_of_them(&[0, 1, 2])]
#[case::the_first(&[0])]
#[case::the_last(&[2])]
fn closed_standard_streams_make_no_difference(
    #[case] closed: &[Fd],
    #[values("closefrom", "open_count")] refused: &str,
) {
    let kernel = crowded().without_open(closed).refusing(refused, Errno::NOSYS);
    let before = kernel.open_fds();
    let backend = Openbsd::new(kernel);
    assert!(close_except(&backend, 3, keep_list(&[60]), CloseStrategy::Bulk).is_ok());
    assert_eq!(backend.sys().open_fds(), left_open(&before, keep_list(&[60])));
}

/// Faults: Q-openbsd
#[test]
fn no_directory_is_ever_read() {
    let kernel = refusing_both(crowded().with_listing(&Listing::plain(0..64)), Errno::NOSYS);
    let backend = Openbsd::new(kernel);
    let closed = close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().calls_of("open_directory")), (Ok(Closer::Loop), vec![]));
}

/// The walk visits what is open from 3 up and asks about no number above the last of it.
///
/// Faults: Q-openbsd
#[rstest]
#[case::nothing(&[0, 1, 2], &[], 2)]
#[case::without_standard_streams(&[3, 9], &[3, 9], 9)]
#[case::without_the_first(&[1, 2, 3, 9], &[3, 9], 9)]
#[case::one_right_above(&[0, 1, 2, 3], &[3], 3)]
#[case::one_after_a_hole(&[0, 1, 2, 900], &[900], 900)]
#[case::one_above_the_limit(&[0, 1, 2, 3, 70_000], &[3, 70_000], 70_000)]
#[case::no_hole(&[0, 1, 2, 3, 4, 5], &[3, 4, 5], 5)]
#[case::only_a_standard_stream(&[2], &[], 2)]
#[case::nothing_at_all(&[], &[], 2)]
fn walk_ends_exactly_at_the_last_open_descriptor(
    #[case] open: &[Fd],
    #[case] visited: &[Fd],
    #[case] last_asked: i64,
    #[values(true, false)] closing: bool,
) {
    let closed: Vec<Fd> = (0..3).filter(|fd| !open.contains(fd)).collect();
    let above: Vec<Fd> = open.iter().copied().filter(|&fd| fd >= 3).collect();
    let kernel = SimKernel::new().without_open(&closed).with_open(&above).with_limit(64);
    let mut seen = Vec::new();
    let listed = CountedWalk.visit(&kernel, 3, &mut |fd| {
        seen.push(fd);
        if closing {
            kernel.close(fd).expect("what is handed over is open");
        }
    });
    let asked = kernel.log().into_iter().filter(|call| call.name == "is_cloexec");
    assert_eq!((listed, asked.filter_map(|call| call.numbers[0]).max()), (Ok(()), Some(last_asked)));
    assert_eq!(seen, visited);
}

/// Each number from 3 to 9 kept or not, open or not: the count is of both sorts, and met they must both be.
#[rstest]
fn kept_descriptors_do_not_end_a_walk_early(
    #[values(&[], &[3], &[5], &[9], &[3, 9], &[3, 4, 5, 6, 7, 8], &[4, 6, 8], &[10])] keep: &[Fd],
    #[values(None, Some(3), Some(7), Some(9), Some(11))] channel: Option<Fd>,
) {
    let keep = channel.map_or(keep_list(keep), |channel| keep_list(keep).and(channel));
    for open in 0_u32..1 << 7 {
        let open: Vec<Fd> = (3..10).filter(|fd| open >> (fd - 3) & 1 == 1).collect();
        let backend = Openbsd::new(SimKernel::new().with_open(&open));
        let before = backend.sys().open_fds();
        let closed = close_except(&backend, 3, keep, CloseStrategy::Enumerate).map(|closed| closed.by);
        assert_eq!((closed, backend.sys().open_fds()), (Ok(Closer::Enumerator(0)), left_open(&before, keep)));
    }
}

/// Faults: Q-openbsd
#[rstest]
#[case::one_half_open(1)]
#[case::many_half_open(90)]
fn too_high_a_count_is_not_believed_and_ends_no_walk_early(#[case] miscount: Fd) {
    let kernel = sparse().with_miscount(miscount);
    let before = kernel.open_fds();
    let mut seen = Vec::new();
    let listed = CountedWalk.visit(&kernel, 3, &mut |fd| seen.push(fd));
    assert_eq!(listed, Err(Unlisted::Untrusted));
    assert_eq!(seen, before.into_iter().filter(|&fd| fd >= 3).collect::<Vec<_>>());
}

#[test]
fn a_count_that_is_too_high_is_followed_by_the_loop() {
    let backend = Openbsd::new(sparse().with_miscount(1));
    let closed =
        close_except(&backend, 3, keep_list(&[60]), CloseStrategy::Enumerate).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(Closer::Loop), vec![0, 1, 2, 60]));
}

#[rstest]
#[case::none(-11)]
#[case::fewer_than_none(-12)]
#[case::fewer_than_the_standard_streams(-9)]
fn a_count_below_what_is_open_at_first_is_not_believed(#[case] miscount: Fd) {
    let kernel = sparse().with_miscount(miscount);
    let mut visits = 0;
    let listed = CountedWalk.visit(&kernel, 3, &mut |_| visits += 1);
    assert_eq!((listed, visits), (Err(Unlisted::Untrusted), 0));
}

#[rstest]
#[case::not_counted(|it: SimKernel| it.refusing("open_count", Errno::NOSYS), Unlisted::Refused(Errno::NOSYS), 0)]
#[case::not_asked_below(|it: SimKernel| it.refusing("is_cloexec", Errno::NOSYS), Unlisted::Refused(Errno::NOSYS), 0)]
#[case::not_asked_half_way(
    |it: SimKernel| it.refusing_some("is_cloexec", 5..6, Errno::INTR), Unlisted::Refused(Errno::INTR), 2)]
#[case::an_open_one_is_said_to_be_closed(
    |it: SimKernel| it.refusing_some("is_cloexec", 4..5, Errno::BADF), Unlisted::Untrusted, 7)]
#[case::a_standard_stream_is_said_to_be_closed(
    |it: SimKernel| it.refusing_some("is_cloexec", 0..1, Errno::BADF), Unlisted::Untrusted, 8)]
fn a_walk_that_fails_says_so(#[case] world: World, #[case] why: Unlisted, #[case] visited: usize) {
    let mut visits = 0;
    let listed = CountedWalk.visit(&world(sparse()), 3, &mut |_| visits += 1);
    assert_eq!((listed, visits), (Err(why), visited));
}

#[rstest]
fn any_call_failing_from_any_time_on_leaks_nothing(
    #[values("closefrom", "open_count", "is_cloexec", "descriptor_limit")] name: &str,
    #[values(0, 1, 2, 7)] from: usize,
    #[values(1, usize::MAX)] times: usize,
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop)] link: CloseStrategy,
) {
    for errno in ERRNOS {
        let which = from..from.saturating_add(times);
        let backend = Openbsd::new(sparse().refusing_some(name, which, errno));
        let closed = close_except(&backend, 3, keep_list(&[60, 70]), link);
        assert!(closed.is_ok(), "{errno}");
        assert_eq!(backend.sys().open_fds(), [0, 1, 2, 60, 70], "{errno}");
    }
}

#[rstest]
fn any_answer_of_all_calls_leaks_nothing(#[values("open_count", "is_cloexec")] name: &str) {
    for errno in ERRNOS {
        let kernel = sparse().refusing("closefrom", errno).refusing(name, errno);
        let backend = Openbsd::new(kernel.refusing("descriptor_limit", errno));
        assert!(close_except(&backend, 3, keep_list(&[60, 70]), CloseStrategy::Bulk).is_ok(), "{errno}");
        assert_eq!(backend.sys().open_fds(), [0, 1, 2, 60, 70], "{errno}");
    }
}

#[rstest]
#[case::nothing_kept(&[])]
#[case::a_gap_without_a_bound(&[60, Fd::MAX])]
fn close_without_a_bound_on_time_is_an_error(#[case] keep: &[Fd]) {
    let kernel = refusing_both(crowded(), Errno::PERM).with_limit(1 << 30);
    let backend = Openbsd::new(kernel);
    assert_eq!(close_except(&backend, 3, keep_list(keep), CloseStrategy::Bulk), Err(Errno::OVERFLOW));
    assert!(backend.sys().calls_of("close").len() < 60);
}

#[rstest]
#[case::as_far_as_one_may_be(LOOP_CEILING, Closer::Bulk)]
#[case::one_farther(LOOP_CEILING + 1, Closer::Enumerator(0))]
#[case::highest_possible(Fd::MAX, Closer::Enumerator(0))]
fn gap_below_a_kept_fd_that_is_not_open_is_closed_quickly(#[case] kept: Fd, #[case] by: Closer) {
    let backend = Openbsd::new(sparse());
    let closed =
        close_except(&backend, 3, keep_list(&[60, kept]), CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(by), vec![0, 1, 2, 60]));
    assert!(backend.sys().calls_of("close").len() < 1 << 20);
}

#[test]
fn kept_fd_too_far_up_is_an_error_if_the_limit_allows_it() {
    let kernel = sparse().with_open(&[LOOP_CEILING + 1]).with_limit(1 << 30);
    let backend = Openbsd::new(kernel);
    let closed = close_except(&backend, 3, keep_list(&[LOOP_CEILING + 1]), CloseStrategy::Bulk);
    assert_eq!(closed, Err(Errno::OVERFLOW));
    assert!(backend.sys().open_fds().contains(&(LOOP_CEILING + 1)));
}

#[rstest]
#[case::usual(20_000, None, Ok(65_536))]
#[case::above_the_floor(65_537, None, Ok(65_537))]
#[case::highest_that_is_walked(1 << 20, None, Ok(1 << 20))]
#[case::one_too_many(1 + (1 << 20), None, Err(Errno::OVERFLOW))]
#[case::none_at_all(u64::MAX, None, Ok(LOOP_CEILING))]
#[case::none_but_the_system_says_one(u64::MAX, Some(70_000), Ok(70_000))]
fn the_loop_ends_where_the_limit_does(
    #[case] hard: u64,
    #[case] open_max: Option<u64>,
    #[case] bound: Result<Fd, Errno>,
) {
    let kernel = open_max.map_or_else(SimKernel::new, |it| SimKernel::new().with_open_max(it));
    assert_eq!(Openbsd::new(kernel.with_limit(hard)).loop_bound(), bound);
}

#[rstest]
#[case::enumerate_at_once(CloseStrategy::Enumerate, Closer::Enumerator(0))]
#[case::loop_at_once(CloseStrategy::Loop, Closer::Loop)]
fn links_before_the_first_are_not_asked(#[case] link: CloseStrategy, #[case] by: Closer) {
    let backend = Openbsd::new(crowded());
    let closed = close_except(&backend, 3, keep_list(&[60]), link);
    assert_eq!(closed, Ok(Closed { by, bulk_refused: None }));
    assert_eq!((backend.sys().calls_of("closefrom"), backend.sys().open_fds()), (vec![], vec![0, 1, 2, 60]));
}

#[rstest]
#[case::promise_is_missing(Some(Errno::NOSYS), CloseStrategy::Enumerate)]
#[case::denied(Some(Errno::PERM), CloseStrategy::Enumerate)]
#[case::interrupted(Some(Errno::INTR), CloseStrategy::Bulk)]
#[case::a_gap_too_long_this_time(Some(Errno::OVERFLOW), CloseStrategy::Bulk)]
#[case::not_refused(None, CloseStrategy::Bulk)]
fn only_a_refusal_for_good_is_remembered(#[case] bulk_refused: Option<Errno>, #[case] next: CloseStrategy) {
    let backend = Openbsd::new(SimKernel::new());
    backend.learn(&Closed { by: Closer::Enumerator(0), bulk_refused });
    backend.learn(&Closed { by: Closer::Enumerator(0), bulk_refused: None });
    assert_eq!(backend.first_link(), next);
}

#[test]
fn operation_missing_on_openbsd_fails_without_a_call() {
    let backend = Openbsd::new(crowded());
    let answers =
        [backend.own_table(2).map(drop), backend.die_with_parent(libc::SIGTERM), backend.no_new_privs()];
    assert_eq!((answers, backend.sys().calls()), ([Err(Errno::NOSYS); 3], vec![]));
    assert!(CAPABILITIES.operations.is_empty());
}

#[test]
fn the_capabilities_name_the_enumerators_in_their_order() {
    let backend = Openbsd::new(SimKernel::new());
    let names: Vec<&str> = backend.enumerators().iter().map(|it| it.name()).collect();
    assert_eq!(names, backend.capabilities().enumerators);
}

#[rstest]
#[case::good(|it: SimKernel| it)]
#[case::without_closefrom(|it: SimKernel| it.refusing("closefrom", Errno::NOSYS))]
#[case::without_either(|it: SimKernel| refusing_both(it, Errno::NOSYS))]
fn a_whole_plan_hands_over_exactly_what_was_asked(#[case] world: World) {
    let plan = Plan { no_new_privs: false, die_with_parent: None, ..rich::session_plan() };
    let backend = Openbsd::new(world(rich::kernel()));
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
    let name = proptest::sample::select(&["closefrom", "open_count", "is_cloexec", "descriptor_limit"][..]);
    (name, 0..4_usize, 1..99_usize, proptest::sample::select(&ERRNOS[..]))
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
        let backend = Openbsd::new(kernel);
        let closed = close_except(&backend, 3, keep, link);
        prop_assert!(closed.is_ok());
        prop_assert_eq!(backend.sys().open_fds(), left_open(&before, keep));
        prop_assert_eq!(misstep(backend.sys(), keep), None);
    }
}
