//! Setting and clearing close-on-exec on all descriptors but the kept ones, over every backend.

use rstest::rstest;

use forkexec_core::{Backend, CloseStrategy, Closed, Closer, Errno, Fd, inherit_only, set_cloexec_except};
use forkexec_linux::{Linux, Release};

use crate::sim::freebsd::WITH_CLOSE_RANGE;
use crate::sim::{Listing, SimKernel};
use crate::systems::{APPLE, FREEBSD, LINUX, NETBSD, OPENBSD, POSIX, SOLARIS, System};
use crate::{HIGHEST, RUN, World, crowd, crowded, keep_list, strings};

/// Changes the flag of all from 3 up but `keep`. Returns the means, after a check that the table is as it should be.
fn changed(backend: &dyn Backend<Sys = SimKernel>, keep: &[Fd], cloexec: bool) -> Closer {
    let expected = backend.sys().table().with_cloexec_except(3, keep, cloexec);
    let strategy = backend.first_strategy();
    let by = set_cloexec_except(backend, 3, keep_list(keep), cloexec, strategy);
    assert!(backend.sys().table().entries() == &expected, "{by:?} changes other flags");
    by.expect("a step changes all")
}

fn refusing_call(kernel: SimKernel, errno: Errno) -> SimKernel {
    kernel.refusing("close_range_cloexec", errno)
}

#[rstest]
// The first list has no room for so high numbers.
#[case::apple(APPLE, crowded, Closer::Enumerator(1))]
#[case::freebsd_14_3(FREEBSD, || crowd(SimKernel::freebsd(1_403_000)), Closer::Bulk)]
#[case::freebsd_13_0_knows_no_flag(FREEBSD, || crowd(SimKernel::freebsd(1_300_139)), Closer::Enumerator(0))]
#[case::freebsd_12_2_knows_no_flag(FREEBSD, || crowd(SimKernel::freebsd(WITH_CLOSE_RANGE)), Closer::Enumerator(0))]
#[case::freebsd_12_1_has_no_such_call(FREEBSD, || crowd(SimKernel::freebsd(1_201_000)), Closer::Enumerator(0))]
#[case::dragonfly(FREEBSD, || crowd(SimKernel::dragonfly()), Closer::Enumerator(0))]
#[case::linux(LINUX, crowded, Closer::Bulk)]
#[case::netbsd(NETBSD, crowded, Closer::Enumerator(0))]
#[case::openbsd(OPENBSD, crowded, Closer::Enumerator(0))]
#[case::posix(POSIX, crowded, Closer::Enumerator(0))]
#[case::solaris(SOLARIS, crowded, Closer::Enumerator(0))]
fn flag_changes_on_all_but_the_kept_fds(
    #[case] system: System,
    #[case] kernel: fn() -> SimKernel,
    #[case] by: Closer,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[HIGHEST])] keep: &[Fd],
) {
    assert_eq!(changed(&*system(kernel()), keep, true), by);
    // No call of any system clears the flag of a range.
    let list = if by == Closer::Bulk { Closer::Enumerator(0) } else { by };
    assert_eq!(changed(&*system(kernel()), keep, false), list);
}

#[rstest]
#[case::linux_before_5_11_knows_no_flag(|it: SimKernel| refusing_call(it, Errno::INVAL), Closer::Enumerator(0))]
#[case::linux_before_5_9(|it: SimKernel| refusing_call(it, Errno::NOSYS), Closer::Enumerator(0))]
#[case::contained(|it: SimKernel| refusing_call(it, Errno::PERM), Closer::Enumerator(0))]
#[case::refused_half_way(
    |it: SimKernel| it.refusing_some("close_range_cloexec", 1..2, Errno::NOMEM), Closer::Enumerator(0))]
#[case::fcntl_refused_but_not_needed(|it: SimKernel| it.refusing("set_cloexec", Errno::PERM), Closer::Bulk)]
#[case::list_refused(
    |it: SimKernel| refusing_call(it, Errno::PERM).refusing("getdents64", Errno::PERM), Closer::Loop)]
#[case::no_proc(|it: SimKernel| refusing_call(it, Errno::PERM).without_listings(), Closer::Loop)]
#[case::false_proc(
    |it: SimKernel| refusing_call(it, Errno::PERM).with_listing(&Listing::plain(0..60)), Closer::Loop)]
#[case::list_breaks_off(
    |it: SimKernel| refusing_call(it, Errno::PERM).refusing_some("getdents64", 1..9, Errno::IO), Closer::Loop)]
#[case::no_number_for_the_list(
    |it: SimKernel| refusing_call(it, Errno::PERM).refusing("open_directory", Errno::MFILE), Closer::Loop)]
#[case::list_that_does_not_move(
    |it: SimKernel| refusing_call(it, Errno::PERM).with_listing(&Listing::TakenAtOpen), Closer::Enumerator(0))]
#[case::one_flag_refused_in_the_list(
    |it: SimKernel| refusing_call(it, Errno::PERM).refusing_some("set_cloexec", 3..4, Errno::IO), Closer::Loop)]
fn refused_step_leads_to_the_next_one(
    #[case] world: World,
    #[case] by: Closer,
    #[values(&[60], &[60, 61], &[9, 300])] keep: &[Fd],
) {
    assert_eq!(changed(&Linux::new(world(crowded())), keep, true), by);
}

/// The last step uses fcntl(2), too, and needs a bound.
#[rstest]
#[case::fcntl(|it: SimKernel| it.refusing("set_cloexec", Errno::PERM), Errno::PERM)]
#[case::fcntl_trapped_and_answered(|it: SimKernel| it.refusing("set_cloexec", Errno::NOSYS), Errno::NOSYS)]
#[case::bound(|it: SimKernel| it.without_listings().with_limit(1 << 30), Errno::OVERFLOW)]
fn flag_that_cannot_be_changed_is_an_error(
    #[case] world: World,
    #[case] errno: Errno,
    #[values(true, false)] cloexec: bool,
) {
    let backend = Linux::new(world(refusing_call(crowded(), Errno::PERM)));
    let before = backend.sys().open_fds();
    let answer = set_cloexec_except(&backend, 3, keep_list(&[60]), cloexec, CloseStrategy::Bulk);
    assert_eq!((answer, backend.sys().open_fds()), (Err(errno), before));
}

#[rstest]
#[case::nothing_kept(&[], &["close_range_cloexec(3, 4294967295)"])]
#[case::first_kept(&[3], &["close_range_cloexec(4, 4294967295)"])]
#[case::adjacent(&[60, 61], &["close_range_cloexec(3, 59)", "close_range_cloexec(62, 4294967295)"])]
#[case::highest_possible(&[Fd::MAX], &["close_range_cloexec(3, 2147483646)"])]
fn each_gap_is_marked_by_one_call(#[case] keep: &[Fd], #[case] calls: &[&str]) {
    for backend in [LINUX(SimKernel::new()), FREEBSD(SimKernel::new())] {
        assert_eq!(changed(&*backend, keep, true), Closer::Bulk);
        let made = backend.sys().calls_of("close_range_cloexec");
        assert_eq!(made, strings(calls));
    }
}

/// A refusal of the call concerns its flags, too. One of the flag does not concern the call.
#[test]
fn refused_call_is_not_made_with_the_flag() {
    for backend in [LINUX(crowded()), FREEBSD(crowded())] {
        backend.learn(&Closed { by: Closer::Loop, bulk_refused: Some(Errno::PERM) });
        assert_eq!(
            set_cloexec_except(&*backend, 3, keep_list(&[60]), true, CloseStrategy::Bulk),
            Ok(Closer::Enumerator(0))
        );
        assert_eq!(backend.sys().calls_of("close_range_cloexec"), [""; 0]);
    }
    let backend = Linux::new(refusing_call(crowded(), Errno::INVAL));
    assert_eq!(changed(&backend, &[60], true), Closer::Enumerator(0));
    assert_eq!(backend.first_strategy(), CloseStrategy::Bulk);
}

/// Faults: Q-android
#[rstest]
#[case::unknown(0, Closer::Enumerator(0))]
#[case::android_12(32, Closer::Enumerator(0))]
#[case::android_13(33, Closer::Bulk)]
fn no_trapped_call_marks_on_android(#[case] level: u32, #[case] by: Closer) {
    let backend = Linux::new(crowded().with_release(Release::Android(level)));
    let answer = set_cloexec_except(&backend, 3, keep_list(&[60]), true, CloseStrategy::Bulk);
    assert_eq!(answer, Ok(by));
    assert_eq!(backend.sys().calls_of("close_range_cloexec").is_empty(), by != Closer::Bulk);
}

#[rstest]
#[case::enumerate(CloseStrategy::Enumerate, Closer::Enumerator(0))]
#[case::every_number(CloseStrategy::Loop, Closer::Loop)]
fn strategies_before_the_chosen_one_are_not_tried(#[case] strategy: CloseStrategy, #[case] by: Closer) {
    let backend = Linux::new(crowded());
    assert_eq!(set_cloexec_except(&backend, 3, keep_list(&[60]), true, strategy), Ok(by));
    let asked = ["close_range_cloexec", "open_directory"].map(|name| backend.sys().calls_of(name).len());
    assert_eq!(asked, [0, usize::from(by != Closer::Loop)]);
}

#[rstest]
fn kept_fds_are_inherited_and_no_others(
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop)] strategy: CloseStrategy,
) {
    let backend = Linux::new(SimKernel::new().with_open(&[3, 4, 9]).with_cloexec(&[5, 60]));
    assert_eq!(inherit_only(&backend, 3, keep_list(&[4, 60]), strategy), Ok(()));
    let table = backend.sys().table();
    let inherited: Vec<Fd> =
        table.entries().iter().filter(|(_, entry)| !entry.cloexec).map(|(&fd, _)| fd).collect();
    assert_eq!((inherited, table.fds()), (vec![0, 1, 2, 4, 60], vec![0, 1, 2, 3, 4, 5, 9, 60]));
}

#[rstest]
#[case::kept_is_closed(|it: SimKernel| it, &[4, 7], Errno::BADF)]
#[case::flag_stays(|it: SimKernel| it.refusing("set_cloexec", Errno::PERM), &[4], Errno::PERM)]
fn program_that_would_lack_a_kept_fd_is_an_error(
    #[case] world: World,
    #[case] keep: &[Fd],
    #[case] errno: Errno,
) {
    let backend = Linux::new(world(SimKernel::new().with_open(&[4])));
    assert_eq!(inherit_only(&backend, 3, keep_list(keep), CloseStrategy::Bulk), Err(errno));
}
