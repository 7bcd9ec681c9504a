//! The decisions of the FreeBSD and DragonFly backend: the closing call, the trust in `/dev/fd`, the end of the loop.
//!
//! - `attributes`: processors, policies, fixed addresses and jails

mod attributes;

use rstest::rstest;

use forkexec_core::{
    Backend, CloseStrategy, Closed, Closer, Errno, Fd, FdEnumerator, KeepList, LOOP_CEILING, Operation,
    Unlisted, close_except,
};
use forkexec_freebsd::{DevFd, Freebsd};

use crate::chain::{garbage, named};
use crate::sim::freebsd::{WITH_CLOSE_RANGE, dragonfly_dirent, freebsd_dirent};
use crate::sim::{Call, Listing, SimKernel};
use crate::{CHANNEL, HIGHEST, RUN, close_over, crowd, keep_list, left_open, strings, with_channel};

/// Releases by their `kern.osreldate`.
const FREEBSD_7_4: i32 = 704_000;
const FREEBSD_12_1: i32 = 1_201_000;
const SNAPSHOT_OF_13: i32 = 1_300_091;
const FREEBSD_13_0: i32 = 1_300_139;
const FREEBSD_14_3: i32 = 1_403_000;

/// `ECAPMODE` and `EINTEGRITY` of FreeBSD.
pub(crate) const CAPMODE: Errno = Errno::from_raw(93);
pub(crate) const INTEGRITY: Errno = Errno::from_raw(97);

pub(crate) fn new() -> SimKernel {
    crowd(SimKernel::freebsd(FREEBSD_14_3))
}

pub(crate) fn old() -> SimKernel {
    crowd(SimKernel::freebsd(FREEBSD_12_1))
}

pub(crate) fn dragonfly() -> SimKernel {
    crowd(SimKernel::dragonfly())
}

/// The bulk call of either kind is refused.
fn unbulk(kernel: SimKernel, errno: Errno) -> SimKernel {
    kernel.refusing("close_range", errno).refusing("closefrom", errno)
}

fn unlisted(kernel: SimKernel) -> SimKernel {
    unbulk(kernel, Errno::PERM).without_listings()
}

/// The `/dev/fd` of devfs if nothing is mounted there (fd(4)).
fn unmounted(kernel: SimKernel) -> SimKernel {
    unbulk(kernel, Errno::NOSYS).with_listing(&Listing::plain(0..3))
}

fn listing(kernel: SimKernel, listing: &Listing) -> SimKernel {
    unbulk(kernel, Errno::PERM).with_listing(listing)
}

/// The calls that are always wrong: an empty range, a range with a kept descriptor, a close of a kept one.
fn inexcusable(log: &[Call], keep: KeepList<'_>) -> Vec<String> {
    let is_kept = |first: i64, last: i64| {
        let below = Fd::try_from(first).ok().and_then(|first| keep.gaps(first).next());
        !below.is_some_and(|gap| {
            i64::from(gap.first()) == first && (last <= gap.last().into() || gap.last() == Fd::MAX)
        })
    };
    let is_bad = |call: &&Call| match (call.name, call.numbers) {
        ("close", [Some(fd), _]) => Fd::try_from(fd).is_ok_and(|fd| keep.contains(fd)),
        ("close_range", [Some(first), Some(last)]) => first > last || is_kept(first, last),
        ("closefrom", [Some(first), _]) => is_kept(first, Fd::MAX.into()),
        _ => false,
    };
    log.iter().filter(is_bad).map(Call::to_string).collect()
}

/// As many calls as the longest honest way takes: the loop to the ceiling, once for asking and once for closing.
const MOST_CALLS: usize = 2 * LOOP_CEILING as usize;

type World = fn() -> SimKernel;

#[rstest]
#[case::good(new, Closer::Bulk)]
#[case::good_12_2(|| crowd(SimKernel::freebsd(WITH_CLOSE_RANGE)), Closer::Bulk)]
#[case::good_13_0(|| crowd(SimKernel::freebsd(FREEBSD_13_0)), Closer::Bulk)]
// Faults: Q-dragonfly
#[case::good(dragonfly, Closer::Bulk)]
// Faults: Q-freebsd-list
#[case::old_12_1(old, Closer::Bulk)]
#[case::snapshot_that_may_lack_it(|| crowd(SimKernel::freebsd(SNAPSHOT_OF_13)), Closer::Bulk)]
// Faults: Q-freebsd-list
#[case::older_than_closefrom(|| crowd(SimKernel::freebsd(FREEBSD_7_4)), Closer::Enumerator(0))]
#[case::release_not_known(|| new().refusing("release", Errno::PERM), Closer::Enumerator(0))]
#[case::contained_enosys(|| unbulk(new(), Errno::NOSYS), Closer::Enumerator(0))]
#[case::contained_eperm(|| unbulk(new(), Errno::PERM), Closer::Enumerator(0))]
#[case::contained_eacces(|| unbulk(new(), Errno::ACCES), Closer::Enumerator(0))]
#[case::contained_einval(|| unbulk(new(), Errno::INVAL), Closer::Enumerator(0))]
#[case::contained_ecapmode(|| unbulk(new(), CAPMODE), Closer::Enumerator(0))]
#[case::old_and_contained(|| unbulk(old(), Errno::PERM), Closer::Enumerator(0))]
// Faults: Q-dragonfly
#[case::interrupted(|| dragonfly().refusing("closefrom", Errno::INTR), Closer::Enumerator(0))]
#[case::list_taken_at_open(|| listing(new(), &Listing::TakenAtOpen), Closer::Enumerator(0))]
#[case::list_that_moves_up(|| listing(new(), &Listing::Moving), Closer::Enumerator(0))]
#[case::dragonfly_list_that_moves_up(|| listing(dragonfly(), &Listing::Moving), Closer::Enumerator(0))]
#[case::capability_mode(|| new().refusing("open_directory", CAPMODE), Closer::Bulk)]
#[case::capability_mode_and_contained(
    || unbulk(new(), CAPMODE).refusing("open_directory", CAPMODE), Closer::Loop)]
// Faults: Q-freebsd-list
#[case::nothing_mounted(|| unmounted(new()), Closer::Loop)]
#[case::nothing_mounted_on_dragonfly(|| unmounted(dragonfly()), Closer::Loop)]
#[case::no_dev(|| unlisted(new()), Closer::Loop)]
#[case::plain_files_that_name_the_directory_too(|| listing(new(), &Listing::plain(0..60)), Closer::Loop)]
#[case::list_breaks_off(
    || unbulk(new(), Errno::PERM).refusing_some("getdirentries", 1..9, Errno::IO), Closer::Loop)]
#[case::list_breaks_off_when_read_again(
    || unbulk(new(), Errno::PERM).refusing_some("getdirentries", 6..9, INTEGRITY), Closer::Loop)]
#[case::unmounted_before_it_is_read_again(
    || unbulk(new(), Errno::PERM).refusing_some("file_system", 1..2, Errno::IO), Closer::Loop)]
#[case::no_number_free_when_it_is_read_again(
    || unbulk(new(), Errno::PERM).refusing_some("open_directory", 1..2, Errno::NFILE), Closer::Loop)]
#[case::no_number_free(|| unbulk(new(), Errno::PERM).refusing("open_directory", Errno::MFILE), Closer::Loop)]
#[case::not_counted(|| unlisted(new()).refusing("open_count", Errno::NOENT), Closer::Loop)]
#[case::huge_limit(|| unlisted(new()).with_limit(1 << 30), Closer::Loop)]
#[case::no_limit(|| unlisted(new()).with_limit(u64::MAX), Closer::Loop)]
#[case::limit_not_known_on_dragonfly(
    || unlisted(dragonfly()).refusing("descriptor_limit", Errno::INVAL), Closer::Loop)]
fn close_leaves_exactly_the_kept_fds(
    #[case] world: World,
    #[case] by: Closer,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[HIGHEST])] keep: &[Fd],
    #[values(None, Some(CHANNEL))] channel: Option<Fd>,
) {
    let keep = with_channel(keep, channel);
    let backend = Freebsd::new(world());
    let before = backend.sys().open_fds();
    assert_eq!(close_over(&backend, keep, CloseStrategy::Bulk), (Ok(by), left_open(&before, keep)));
    let log = backend.sys().log();
    assert_eq!((inexcusable(&log, keep), log.len() < MOST_CALLS), (vec![], true));
}

#[rstest]
#[case::nothing_kept(&[], &["release()", "close_range(3, 4294967295)"])]
#[case::first_kept(&[3], &["release()", "close_range(4, 4294967295)"])]
#[case::adjacent(&[60, 61], &["release()", "close_range(3, 59)", "close_range(62, 4294967295)"])]
#[case::highest_possible(&[Fd::MAX], &["release()", "close_range(3, 2147483646)"])]
fn new_kernel_closes_each_gap_with_one_call(#[case] keep: &[Fd], #[case] calls: &[&str]) {
    let backend = Freebsd::new(new());
    assert!(close_except(&backend, 3, keep_list(keep), CloseStrategy::Bulk).is_ok());
    assert_eq!(backend.sys().calls(), calls);
}

#[rstest]
#[case::nothing_kept(&[], &["closefrom(3)"])]
#[case::first_kept(&[3], &["closefrom(4)"])]
#[case::run(&RUN, &["closefrom(41)"])]
#[case::one_number_between(&[3, 5], &["close(4)", "closefrom(6)"])]
#[case::two_gaps(&[4, 7], &["close(3)", "close(5)", "close(6)", "closefrom(8)"])]
fn closefrom_closes_above_the_last_kept_fd(
    #[case] keep: &[Fd],
    #[case] calls: &[&str],
    #[values(old, dragonfly)] world: World,
) {
    let backend = Freebsd::new(world());
    assert!(close_except(&backend, 3, keep_list(keep), CloseStrategy::Bulk).is_ok());
    let mut made = backend.sys().calls();
    made.retain(|call| call != "release()");
    assert_eq!(made, calls);
}

#[rstest]
#[case::highest_possible(&[Fd::MAX])]
#[case::just_above_what_is_walked(&[LOOP_CEILING + 1])]
fn gap_too_long_to_walk_is_closed_from_the_list(#[case] keep: &[Fd], #[values(old, dragonfly)] world: World) {
    let backend = Freebsd::new(world());
    let closed = close_except(&backend, 3, keep_list(keep), CloseStrategy::Bulk);
    let expected = Closed { by: Closer::Enumerator(0), bulk_refused: Some(Errno::OVERFLOW) };
    assert_eq!((closed, backend.sys().open_fds()), (Ok(expected), vec![0, 1, 2]));
    assert!(backend.sys().log().len() < 2_000, "what is not open is not walked");
}

#[test]
fn longest_walked_gap_ends_below_the_ceiling() {
    let keep = [LOOP_CEILING];
    let backend = Freebsd::new(dragonfly().with_open(&[LOOP_CEILING - 1, LOOP_CEILING, LOOP_CEILING + 1]));
    assert_eq!(
        close_over(&backend, keep_list(&keep), CloseStrategy::Bulk),
        (Ok(Closer::Bulk), vec![0, 1, 2, LOOP_CEILING])
    );
}

/// A FreeBSD record with a false length field.
fn freebsd_length(length: u16) -> Listing {
    let mut record = freebsd_dirent(b"44");
    record[16..18].copy_from_slice(&length.to_ne_bytes());
    garbage(freebsd_dirent, &record)
}

/// A DragonFly record with a false length of its name.
fn dragonfly_length(length: u16) -> Listing {
    let mut record = dragonfly_dirent(b"44");
    record[8..10].copy_from_slice(&length.to_ne_bytes());
    garbage(dragonfly_dirent, &record)
}

#[rstest]
// Faults: Q-freebsd-list
#[case::nothing_mounted(new, Listing::plain(0..3), Unlisted::Untrusted)]
#[case::plain_files_that_name_the_directory_too(new, Listing::plain(0..60), Unlisted::Untrusted)]
#[case::without_itself(new, named(&["0", "1", "2"]), Unlisted::Untrusted)]
#[case::ends_at_the_first_hole(|| new().without_open(&[1]), named(&["0"]), Unlisted::Untrusted)]
#[case::empty(new, Listing::Raw(vec![]), Unlisted::Untrusted)]
#[case::names_that_are_no_numbers(new, named(&["x3", "4x", "-46", "46 "]), Unlisted::Untrusted)]
#[case::record_of_length_zero(new, freebsd_length(0), Unlisted::Refused(Errno::IO))]
#[case::record_of_a_header_only(new, freebsd_length(24), Unlisted::Refused(Errno::IO))]
#[case::record_longer_than_the_batch(new, freebsd_length(48), Unlisted::Refused(Errno::IO))]
#[case::record_without_a_nul(new, freebsd_length(26), Unlisted::Refused(Errno::IO))]
#[case::record_cut_off(new, garbage(freebsd_dirent, &freebsd_dirent(b"44")[..20]), Unlisted::Refused(Errno::IO))]
#[case::records_of_before_12(new, garbage(dragonfly_dirent, &[]), Unlisted::Refused(Errno::IO))]
// Faults: Q-dragonfly
#[case::nothing_mounted(dragonfly, Listing::plain(0..3), Unlisted::Untrusted)]
#[case::dragonfly_name_beyond_the_batch(dragonfly, dragonfly_length(8), Unlisted::Refused(Errno::IO))]
#[case::dragonfly_longest_name(dragonfly, dragonfly_length(u16::MAX), Unlisted::Refused(Errno::IO))]
#[case::dragonfly_record_cut_off(
    dragonfly, garbage(dragonfly_dirent, &dragonfly_dirent(b"44")[..9]), Unlisted::Refused(Errno::IO))]
fn impossible_fd_list_is_not_believed(#[case] world: World, #[case] list: Listing, #[case] why: Unlisted) {
    let kernel = world().with_listing(&list);
    let before = kernel.open_fds();
    let listed = DevFd.visit(&kernel, 3, &mut |_| {});
    assert_eq!((listed, kernel.open_fds()), (Err(why), before));
    let backend = Freebsd::new(listing(world(), &list));
    let (closed, left) = close_over(&backend, keep_list(&[60]), CloseStrategy::Bulk);
    assert_eq!((closed, left.contains(&61)), (Ok(Closer::Loop), false));
}

/// open(2), fstatfs(2), getdirentries(2), closefrom(2), sysctl(3), getrlimit(2): the errnos of their pages, and the
/// refusals of jails and capability mode.
#[rstest]
#[case::close_range("close_range", &[Errno::INVAL, Errno::NOSYS, Errno::PERM, CAPMODE])]
#[case::closefrom("closefrom", &[Errno::INVAL, Errno::INTR, Errno::NOSYS, Errno::PERM])]
#[case::open("open_directory", &[
    Errno::NOTDIR, Errno::NAMETOOLONG, Errno::NOENT, Errno::ACCES, Errno::PERM, Errno::LOOP, Errno::MFILE,
    Errno::NFILE, Errno::INTR, Errno::IO, Errno::FAULT, Errno::INVAL, INTEGRITY, CAPMODE,
])]
#[case::fstatfs("file_system", &[Errno::BADF, Errno::FAULT, Errno::IO, INTEGRITY, CAPMODE])]
#[case::getdirentries("getdirentries", &[Errno::BADF, Errno::FAULT, Errno::INVAL, Errno::IO, INTEGRITY, CAPMODE])]
#[case::osreldate("release", &[Errno::FAULT, Errno::INVAL, Errno::ISDIR, Errno::NOMEM, Errno::NOTDIR, Errno::NOENT, Errno::PERM])]
#[case::nfds("open_count", &[Errno::FAULT, Errno::INVAL, Errno::ISDIR, Errno::NOMEM, Errno::NOTDIR, Errno::NOENT, Errno::PERM])]
#[case::getrlimit("descriptor_limit", &[Errno::FAULT, Errno::INVAL])]
fn each_errno_of_each_call_leaks_nothing_or_is_an_error(
    #[case] name: &str,
    #[case] errnos: &[Errno],
    #[values(new, old, dragonfly, || unbulk(new(), Errno::NOSYS), || unlisted(new()), || unlisted(dragonfly()))]
    world: World,
    #[values(0, 1, 3)] from: usize,
) {
    let keep = keep_list(&[60, 61]).and(CHANNEL);
    for &errno in errnos {
        let backend = Freebsd::new(world().refusing_some(name, from..usize::MAX, errno));
        let before = backend.sys().open_fds();
        let (closed, left) = close_over(&backend, keep, CloseStrategy::Bulk);
        let is_exact = left == left_open(&before, keep);
        assert!(is_exact || closed == Err(Errno::OVERFLOW), "{errno} leaks in silence");
        assert_eq!(inexcusable(&backend.sys().log(), keep), [""; 0]);
    }
}

#[rstest]
#[case::only_the_standard_streams(&[], Ok(3))]
#[case::far_up(&[HIGHEST], Ok(HIGHEST + 1))]
#[case::above_a_lowered_limit(&[900_000], Ok(900_001))]
#[case::last_below_the_ceiling(&[LOOP_CEILING - 1], Ok(LOOP_CEILING))]
#[case::one_too_far(&[LOOP_CEILING], Err(Errno::OVERFLOW))]
fn loop_ends_above_the_highest_open_fd(
    #[case] open: &[Fd],
    #[case] bound: Result<Fd, Errno>,
    #[values(64, u64::MAX)] limit: u64,
) {
    let kernel = SimKernel::freebsd(FREEBSD_14_3).with_open(open).with_limit(limit);
    assert_eq!(Freebsd::new(kernel).loop_bound(), bound);
}

#[rstest]
#[case::usual(20_000, Ok(65_536))]
#[case::above_the_floor(70_000, Ok(70_000))]
#[case::huge(1 << 30, Err(Errno::OVERFLOW))]
fn loop_ends_at_the_limit_without_a_count(
    #[case] limit: u64,
    #[case] bound: Result<Fd, Errno>,
    #[values(SimKernel::dragonfly, || SimKernel::freebsd(FREEBSD_14_3).refusing("open_count", Errno::NOENT))]
    world: World,
) {
    assert_eq!(Freebsd::new(world().with_limit(limit)).loop_bound(), bound);
}

#[test]
fn descriptor_query_that_fails_is_an_error_and_not_the_end() {
    let backend = Freebsd::new(unlisted(new()).refusing_some("is_cloexec", 5..6, Errno::PERM));
    assert_eq!(close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk), Err(Errno::OVERFLOW));
}

#[test]
fn parent_reads_the_release_once_before_a_launch() {
    let backend = Freebsd::new(new());
    for _ in 0..3 {
        backend.before_launch();
        assert_eq!(backend.sys().calls().first().map(String::as_str), Some("release()"));
        let closed =
            close_except(&backend, 3, KeepList::EMPTY, backend.first_strategy()).expect("nothing is refused");
        backend.learn(&closed);
    }
    assert_eq!(backend.sys().calls_of("release"), ["release()"]);
}

#[test]
fn refused_release_is_read_again() {
    let backend = Freebsd::new(new().refusing_some("release", 0..1, Errno::NOMEM));
    let by = || close_over(&backend, KeepList::EMPTY, CloseStrategy::Bulk).0;
    assert_eq!([by(), by()], [Ok(Closer::Enumerator(0)), Ok(Closer::Bulk)]);
}

#[test]
fn dragonfly_reads_no_release() {
    let backend = Freebsd::new(dragonfly());
    backend.before_launch();
    let closed = close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk).expect("nothing is refused");
    backend.learn(&closed);
    assert_eq!(backend.sys().calls(), ["closefrom(3)"]);
}

/// The parent asks once, and only by a call that exists: procctl(2) is there since FreeBSD 10.0.
///
/// Faults: Q-freebsd-release
#[rstest]
#[case::freebsd_12_1(old, false, 1)]
#[case::freebsd_14_3(new, true, 1)]
#[case::unknown(|| new().refusing("no_new_privs", CAPMODE), true, 1)]
#[case::dragonfly(dragonfly, false, 0)]
fn operation_that_the_release_lacks_is_known_before(
    #[case] world: World,
    #[case] has: bool,
    #[case] asked: usize,
) {
    let backend = Freebsd::new(world());
    assert_eq!([0; 3].map(|_| backend.has(Operation::NoNewPrivs)), [has; 3]);
    assert_eq!(backend.sys().calls(), vec!["no_new_privs()"; asked]);
    assert!(backend.has(Operation::DieWithParent) && !backend.has(Operation::Cgroup));
}

/// Faults: E22
#[rstest]
#[case::freebsd_7_4(|| crowd(SimKernel::freebsd(FREEBSD_7_4)), None)]
#[case::freebsd_12_1(old, Some("closefrom"))]
#[case::freebsd_12_2(|| crowd(SimKernel::freebsd(WITH_CLOSE_RANGE)), Some("close_range"))]
#[case::freebsd_14_3(new, Some("close_range"))]
#[case::dragonfly(dragonfly, Some("closefrom"))]
fn closer_is_named_after_its_call(#[case] world: World, #[case] name: Option<&str>) {
    let backend = Freebsd::new(world());
    let closed = close_except(&backend, 3, keep_list(&[60]), CloseStrategy::Bulk).expect("one link closes");
    assert_eq!((closed.by == Closer::Bulk, backend.bulk_closer()), (name.is_some(), name));
    if let Some(name) = name {
        assert_ne!(backend.sys().calls_of(name), [""; 0], "{name} was not called");
    }
}

#[rstest]
#[case::done(None, Ok(()))]
#[case::before_14(Some(Errno::INVAL), Err(Errno::NOSYS))]
#[case::traced(Some(Errno::PERM), Err(Errno::PERM))]
fn kernel_without_no_new_privs_fails_with_enosys(
    #[case] refusal: Option<Errno>,
    #[case] answer: Result<(), Errno>,
) {
    let kernel = refusal.map_or_else(new, |errno| new().refusing("set_no_new_privs", errno));
    assert_eq!(Freebsd::new(kernel).no_new_privs(), answer);
}

#[rstest]
#[case::done(None, libc::SIGTERM, Ok(()))]
#[case::no_signal(None, 0x1000, Err(Errno::INVAL))]
#[case::refused(Some(Errno::PERM), libc::SIGTERM, Err(Errno::PERM))]
fn death_signal_is_requested(
    #[case] refusal: Option<Errno>,
    #[case] signal: i32,
    #[case] answer: Result<(), Errno>,
    #[values(new, dragonfly)] world: World,
) {
    let kernel = world();
    let kernel = refusal.into_iter().fold(kernel, |it, errno| it.refusing("set_parent_death_signal", errno));
    let backend = Freebsd::new(kernel);
    let calls = strings(&[&format!("set_parent_death_signal({signal})")]);
    assert_eq!((backend.die_with_parent(signal), backend.sys().calls()), (answer, calls));
}

#[rstest]
#[case::freebsd(new, "FreeBSD", Some("close_range"), true)]
#[case::dragonfly(dragonfly, "DragonFly", Some("closefrom"), false)]
fn capabilities_match_each_system(
    #[case] world: World,
    #[case] system: &str,
    #[case] bulk: Option<&str>,
    #[case] no_new_privs: bool,
) {
    let capabilities = Freebsd::new(world()).capabilities();
    assert_eq!((capabilities.system, capabilities.bulk_closer), (system, bulk));
    let has = [Operation::DieWithParent, Operation::NoNewPrivs].map(|operation| capabilities.has(operation));
    assert_eq!(has, [true, no_new_privs]);
}

/// Faults: Q-freebsd-spawn
#[test]
fn no_launcher_shares_the_table() {
    let backend = Freebsd::new(new());
    let answer = backend.own_table(60);
    assert_eq!((answer, backend.sys().calls()), (Err(Errno::NOSYS), vec![]));
}
