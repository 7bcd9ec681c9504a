//! The decisions of the OpenBSD backend: closefrom(2) keeps nothing, and a count must not end a walk early.

mod attributes;

use rstest::rstest;

use forkexec_core::{
    Backend, CloseStrategy, Closed, Closer, Errno, Fd, FdEnumerator, KeepList, LOOP_CEILING, Sys, Unlisted,
    close_except,
};
use forkexec_openbsd::{CountedWalk, Openbsd};

use crate::sim::{Listing, SimKernel};
use crate::{
    CHANNEL, HIGHEST, RUN, World, close_over, crowded, keep_list, left_open, misstep, sparse, with_channel,
};

/// Errnos of closefrom(2), fcntl(2), getrlimit(2) and pledge(2). `EBADF` of closefrom(2) is not a failure: a kernel
/// with nothing to close returns it.
pub(crate) const ERRNOS: [Errno; 7] =
    [Errno::INTR, Errno::INVAL, Errno::NOSYS, Errno::PERM, Errno::FAULT, Errno::MFILE, Errno::AGAIN];

/// Refuses both closefrom(2) and getdtablecount(2).
pub(crate) fn refusing_both(kernel: SimKernel, errno: Errno) -> SimKernel {
    kernel.refusing("closefrom", errno).refusing("open_count", errno)
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
#[case::neither_and_no_limit_but_the_system_limit(
    |it: SimKernel| refusing_both(it, Errno::NOSYS).with_limit(u64::MAX).with_open_max(30_000), Closer::Loop)]
#[case::neither_and_the_limit_is_not_known(
    |it: SimKernel| refusing_both(it, Errno::NOSYS).refusing("descriptor_limit", Errno::NOSYS), Closer::Loop)]
fn close_leaves_exactly_the_kept_fds(
    #[case] world: World,
    #[case] by: Closer,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[HIGHEST])] keep: &[Fd],
    #[values(None, Some(CHANNEL))] channel: Option<Fd>,
) {
    let keep = with_channel(keep, channel);
    let backend = Openbsd::new(world(crowded()));
    let before = backend.sys().open_fds();
    assert_eq!(close_over(&backend, keep, CloseStrategy::Bulk), (Ok(by), left_open(&before, keep)));
    assert_eq!(misstep(backend.sys(), keep, &["open_count", "is_cloexec", "descriptor_limit"]), None);
}

#[rstest]
#[case::nothing_is_open(&[], &[])]
#[case::all_that_is_open_is_kept(&[3, 4], &[3, 4])]
#[case::only_lower_ones_are_open(&[3], &[900])]
fn ebadf_of_closefrom_means_nothing_was_open(#[case] open: &[Fd], #[case] keep: &[Fd]) {
    let backend = Openbsd::new(SimKernel::new().with_open(open));
    let before = backend.sys().open_fds();
    let closed = close_except(&backend, 3, keep_list(keep), CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Bulk, bulk_refused: None }));
    assert_eq!(backend.sys().open_fds(), left_open(&before, keep_list(keep)));
}

/// Faults: Q-openbsd
#[test]
fn no_directory_is_ever_read() {
    let kernel = refusing_both(crowded().with_listing(&Listing::plain(0..64)), Errno::NOSYS);
    let backend = Openbsd::new(kernel);
    let (closed, _) = close_over(&backend, KeepList::EMPTY, CloseStrategy::Bulk);
    assert_eq!((closed, backend.sys().calls_of("open_directory")), (Ok(Closer::Loop), vec![]));
}

/// The walk visits each open number from 3 up, and queries no number above the last one.
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
    let keep = with_channel(keep, channel);
    for open in 0_u32..1 << 7 {
        let open: Vec<Fd> = (3..10).filter(|fd| open >> (fd - 3) & 1 == 1).collect();
        let backend = Openbsd::new(SimKernel::new().with_open(&open));
        let before = backend.sys().open_fds();
        let expected = (Ok(Closer::Enumerator(0)), left_open(&before, keep));
        assert_eq!(close_over(&backend, keep, CloseStrategy::Enumerate), expected);
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
fn too_high_a_count_is_followed_by_the_loop() {
    let backend = Openbsd::new(sparse().with_miscount(1));
    assert_eq!(
        close_over(&backend, keep_list(&[60]), CloseStrategy::Enumerate),
        (Ok(Closer::Loop), vec![0, 1, 2, 60])
    );
}

#[rstest]
#[case::none(-11)]
#[case::fewer_than_none(-12)]
#[case::fewer_than_the_standard_streams(-9)]
fn too_low_a_count_is_not_believed(#[case] miscount: Fd) {
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
#[case::open_one_is_said_to_be_closed(
    |it: SimKernel| it.refusing_some("is_cloexec", 4..5, Errno::BADF), Unlisted::Untrusted, 7)]
#[case::standard_stream_is_said_to_be_closed(
    |it: SimKernel| it.refusing_some("is_cloexec", 0..1, Errno::BADF), Unlisted::Untrusted, 8)]
fn failed_walk_is_an_error(#[case] world: World, #[case] why: Unlisted, #[case] visited: usize) {
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
        let (closed, left) = close_over(&backend, keep_list(&[60, 70]), link);
        assert_eq!((closed.is_ok(), left), (true, vec![0, 1, 2, 60, 70]), "{errno}");
    }
}

#[rstest]
fn any_answer_of_all_calls_leaks_nothing(#[values("open_count", "is_cloexec")] name: &str) {
    for errno in ERRNOS {
        let kernel = sparse().refusing("closefrom", errno).refusing(name, errno);
        let backend = Openbsd::new(kernel.refusing("descriptor_limit", errno));
        let (closed, left) = close_over(&backend, keep_list(&[60, 70]), CloseStrategy::Bulk);
        assert_eq!((closed.is_ok(), left), (true, vec![0, 1, 2, 60, 70]), "{errno}");
    }
}

#[rstest]
#[case::as_far_as_one_may_be(LOOP_CEILING, Closer::Bulk)]
#[case::one_farther(LOOP_CEILING + 1, Closer::Enumerator(0))]
#[case::highest_possible(Fd::MAX, Closer::Enumerator(0))]
fn gap_below_a_kept_fd_that_is_not_open_is_closed_quickly(#[case] kept: Fd, #[case] by: Closer) {
    let backend = Openbsd::new(sparse());
    assert_eq!(
        close_over(&backend, keep_list(&[60, kept]), CloseStrategy::Bulk),
        (Ok(by), vec![0, 1, 2, 60])
    );
    assert!(backend.sys().calls_of("close").len() < 1 << 20);
}

#[test]
fn kept_fd_too_far_up_is_an_error_if_the_limit_allows_it() {
    let backend = Openbsd::new(sparse().with_open(&[LOOP_CEILING + 1]).with_limit(1 << 30));
    let (closed, left) = close_over(&backend, keep_list(&[LOOP_CEILING + 1]), CloseStrategy::Bulk);
    assert_eq!((closed, left.contains(&(LOOP_CEILING + 1))), (Err(Errno::OVERFLOW), true));
}
