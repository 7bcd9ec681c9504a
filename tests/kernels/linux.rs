//! What the Linux backend decides: which link of the chain, what to believe, what to remember.

use rstest::rstest;

use forkexec_core::{
    Backend, CloseStrategy, Closed, Closer, Errno, Fd, FdEnumerator, KeepList, Sys, Unlisted, close_except,
    loop_bound,
};
use forkexec_linux::{Linux, ProcSelfFd, Release};

use crate::sim::directory::record;
use crate::sim::{Call, File, Listing, SimKernel};
use crate::{keep_list, left_open, strings};

const CHANNEL: Fd = 50;
const HIGHEST: Fd = 19_999;
const RUN: [Fd; 38] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
    31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
];

/// More than fits into one batch of a listing, and a few far up.
fn crowded() -> SimKernel {
    let many: Vec<Fd> = (3..=45).chain(55..500).collect();
    SimKernel::new().with_open(&many).with_cloexec(&[CHANNEL, 600, 5_000]).with_open(&[HIGHEST])
}

type World = fn(SimKernel) -> SimKernel;

fn refusing_all(kernel: SimKernel, errno: Errno) -> SimKernel {
    kernel.refusing("close_range", errno).refusing("getdents64", errno)
}

fn untrue(listing: &Listing) -> SimKernel {
    crowded().refusing("close_range", Errno::PERM).with_listing(listing)
}

/// A first batch of two honest records and what follows.
fn garbage(rest: &[u8]) -> Listing {
    Listing::Raw(vec![[record(b"46"), record(b"45"), rest.to_vec()].concat()])
}

/// A record whose length field says something else.
fn with_length(mut record: Vec<u8>, length: u16) -> Vec<u8> {
    record[16..18].copy_from_slice(&length.to_ne_bytes());
    record
}

#[rstest]
#[case::good(|it: SimKernel| it, Closer::Bulk)]
// Faults: Q-linux-range
#[case::too_old(|it: SimKernel| it.refusing("close_range", Errno::NOSYS), Closer::Enumerator(0))]
#[case::contained_eperm(|it: SimKernel| it.refusing("close_range", Errno::PERM), Closer::Enumerator(0))]
#[case::contained_eacces(|it: SimKernel| it.refusing("close_range", Errno::ACCES), Closer::Enumerator(0))]
#[case::contained_einval(|it: SimKernel| it.refusing("close_range", Errno::INVAL), Closer::Enumerator(0))]
#[case::stale_list(
    |it: SimKernel| it.refusing("close_range", Errno::PERM).with_listing(&Listing::TakenAtOpen), Closer::Enumerator(0))]
// Faults: D15
#[case::list_that_moves_up(
    |it: SimKernel| it.refusing("close_range", Errno::PERM).with_listing(&Listing::Moving), Closer::Enumerator(0))]
#[case::all_refused_enosys(|it: SimKernel| refusing_all(it, Errno::NOSYS), Closer::Loop)]
#[case::all_refused_eperm(|it: SimKernel| refusing_all(it, Errno::PERM), Closer::Loop)]
#[case::all_refused_eacces(|it: SimKernel| refusing_all(it, Errno::ACCES), Closer::Loop)]
#[case::all_refused_einval(|it: SimKernel| refusing_all(it, Errno::INVAL), Closer::Loop)]
#[case::list_breaks_off(
    |it: SimKernel| it.refusing("close_range", Errno::PERM).refusing_some("getdents64", 1..9, Errno::IO), Closer::Loop)]
// Faults: F3
#[case::no_proc(|it: SimKernel| it.refusing("close_range", Errno::NOSYS).without_listings(), Closer::Loop)]
#[case::limit_not_known(
    |it: SimKernel| refusing_all(it, Errno::PERM).refusing("descriptor_limit", Errno::PERM), Closer::Loop)]
fn the_table_afterwards_is_exactly_what_is_kept(
    #[case] world: World,
    #[case] by: Closer,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[HIGHEST])] keep: &[Fd],
    #[values(None, Some(CHANNEL))] channel: Option<Fd>,
) {
    let keep = channel.map_or(keep_list(keep), |channel| keep_list(keep).and(channel));
    let backend = Linux::new(world(crowded()));
    let before = backend.sys().open_fds();
    let closed = close_except(&backend, 3, keep, CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(by), left_open(&before, keep)));
}

/// bionic, libc/SECCOMP_ALLOWLIST_COMMON.TXT: close_range(2) is listed since android-13.0.0_r1.
///
/// Faults: Q-android
#[rstest]
#[case::unknown(0, Closer::Enumerator(0))]
#[case::android_12(32, Closer::Enumerator(0))]
#[case::android_13(33, Closer::Bulk)]
fn no_trapped_call_closes_on_android(#[case] level: u32, #[case] by: Closer) {
    let backend = Linux::new(crowded().with_release(Release::Android(level)));
    let closed = close_except(&backend, 3, keep_list(&[60]), backend.first_link());
    assert_eq!((closed.map(|closed| closed.by), backend.sys().open_fds()), (Ok(by), vec![0, 1, 2, 60]));
    assert_eq!(backend.sys().calls_of("close_range").is_empty(), by != Closer::Bulk);
    // Also where the bulk call is asked for all the same, as a survey does.
    let backend = Linux::new(crowded().with_release(Release::Android(level)));
    assert_eq!(
        close_except(&backend, 3, keep_list(&[60]), CloseStrategy::Bulk).map(|closed| closed.by),
        Ok(by)
    );
    assert_eq!(backend.sys().calls_of("close_range").is_empty(), by != Closer::Bulk);
}

/// Faults: F4
#[rstest]
#[case::static_list(Listing::plain(0..3))]
#[case::plain_files_that_name_the_directory_too(Listing::plain(0..60))]
#[case::list_on_procfs_without_itself(
    Listing::Static { names: ["0", "1", "2"].map(String::from).into(), on_procfs: true })]
#[case::empty(Listing::Raw(vec![]))]
// Faults: F13
#[case::names_that_are_no_numbers(Listing::Static { names: vec!["x3".into(), "4x".into()], on_procfs: true })]
#[case::record_of_length_zero(garbage(&with_length(record(b"44"), 0)))]
#[case::record_of_a_header_only(garbage(&with_length(record(b"44"), 18)))]
// Faults: F13
#[case::record_longer_than_the_batch(garbage(&with_length(record(b"44"), 32)))]
#[case::record_without_a_nul(garbage(&with_length(record(b"44444"), 24)))]
// Faults: F13
#[case::record_cut_off(garbage(&record(b"44")[..12]))]
fn impossible_fd_list_is_not_believed(#[case] listing: Listing) {
    let backend = Linux::new(untrue(&listing));
    let closed = close_except(&backend, 3, keep_list(&[60]), CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Loop, bulk_refused: Some(Errno::PERM) }));
    assert_eq!(backend.sys().open_fds(), [0, 1, 2, 60]);
}

/// Faults: F13
#[rstest]
fn bulk_close_refused_half_way_leaks_nothing(
    #[values(Errno::NOSYS, Errno::PERM, Errno::NOMEM, Errno::INTR)] errno: Errno,
    #[values(0, 1, 2)] gaps_closed: usize,
) {
    let backend = Linux::new(crowded().refusing_some("close_range", gaps_closed..9, errno));
    let closed = close_except(&backend, 3, keep_list(&[60, 70]), CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Enumerator(0), bulk_refused: Some(errno) }));
    assert_eq!(backend.sys().open_fds(), [0, 1, 2, 60, 70]);
}

#[test]
fn a_table_that_is_full_is_closed_by_the_loop() {
    let full = |kernel: SimKernel| kernel.with_process(|it| it.limits.values_mut().for_each(|it| it.0 = 3));
    let backend = Linux::new(full(crowded()).refusing("close_range", Errno::PERM));
    let closed = close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(Closer::Loop), vec![0, 1, 2]));
}

/// Faults: F6
#[rstest]
#[case::by_enumeration(|it: SimKernel| it)]
#[case::by_the_loop(|it: SimKernel| it.without_listings())]
fn limit_below_open_descriptors_hides_none(#[case] world: World) {
    let kernel = crowded().with_open(&[65_535]).with_limit(64).refusing("close_range", Errno::NOSYS);
    let backend = Linux::new(world(kernel));
    assert!(close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk).is_ok());
    assert_eq!(backend.sys().open_fds(), [0, 1, 2]);
}

/// Faults: F7
#[test]
fn close_without_a_bound_on_time_is_an_error() {
    let backend = Linux::new(refusing_all(crowded(), Errno::PERM).with_limit(1 << 30));
    assert_eq!(close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk), Err(Errno::OVERFLOW));
    assert_eq!(backend.sys().calls_of("close"), ["close(46)"], "only the directory that was opened");
}

#[rstest]
#[case::usual(20_000, None, Ok(65_536))]
#[case::above_the_floor(65_537, None, Ok(65_537))]
#[case::highest_that_is_walked(1 << 20, None, Ok(1 << 20))]
#[case::one_too_many(1 + (1 << 20), None, Err(Errno::OVERFLOW))]
// Faults: F7
#[case::old_container(1 << 30, None, Err(Errno::OVERFLOW))]
#[case::more_than_a_descriptor(u64::MAX - 1, None, Err(Errno::OVERFLOW))]
#[case::none_at_all(u64::MAX, None, Ok(1 << 20))]
#[case::none_but_the_system_says_one(u64::MAX, Some(70_000), Ok(70_000))]
#[case::none_and_the_system_says_a_huge_one(u64::MAX, Some(1 << 31), Err(Errno::OVERFLOW))]
fn the_loop_ends_where_the_limit_does(
    #[case] hard: u64,
    #[case] open_max: Option<u64>,
    #[case] bound: Result<Fd, Errno>,
) {
    let kernel = open_max.map_or_else(SimKernel::new, |it| SimKernel::new().with_open_max(it));
    assert_eq!(Linux::new(kernel.with_limit(hard)).loop_bound(), bound);
}

#[test]
fn a_limit_that_may_not_be_asked_for_is_the_system_s() {
    let kernel = SimKernel::new().with_open_max(100_000).refusing("descriptor_limit", Errno::PERM);
    assert_eq!(loop_bound(&kernel), Ok(100_000));
}

/// Faults: D1
#[rstest]
fn no_closed_range_is_empty(
    #[values(&[], &[3], &[60, 61], &[3, 4], &RUN, &[HIGHEST], &[Fd::MAX - 1, Fd::MAX])] keep: &[Fd],
    #[values(None, Some(4), Some(41), Some(62), Some(HIGHEST - 1))] channel: Option<Fd>,
) {
    let keep = channel.map_or(keep_list(keep), |channel| keep_list(keep).and(channel));
    let backend = Linux::new(crowded());
    let closed = close_except(&backend, 3, keep, CloseStrategy::Bulk).map(|closed| closed.by);
    let is_empty = |it: &&Call| it.numbers[0] > it.numbers[1];
    assert_eq!((closed, backend.sys().log().iter().find(is_empty)), (Ok(Closer::Bulk), None));
}

#[rstest]
#[case::nothing_kept(&[], &["close_range(3, 4294967295)"])]
#[case::first_kept(&[3], &["close_range(4, 4294967295)"])]
#[case::adjacent(&[60, 61], &["close_range(3, 59)", "close_range(62, 4294967295)"])]
#[case::highest_possible(&[Fd::MAX], &["close_range(3, 2147483646)"])]
fn each_gap_is_one_call(#[case] keep: &[Fd], #[case] calls: &[&str]) {
    let backend = Linux::new(crowded());
    assert!(close_except(&backend, 3, keep_list(keep), CloseStrategy::Bulk).is_ok());
    assert_eq!(backend.sys().calls(), calls);
}

#[rstest]
#[case::fallback_after_one_gap(CloseStrategy::Bulk, 1)]
#[case::enumerate_at_once(CloseStrategy::Enumerate, 0)]
#[case::loop_at_once(CloseStrategy::Loop, 0)]
fn links_before_the_first_are_not_asked(#[case] link: CloseStrategy, #[case] bulk: usize) {
    let backend = Linux::new(crowded().refusing("close_range", Errno::NOSYS).without_listings());
    let closed = close_except(&backend, 3, keep_list(&[60]), link).map(|closed| closed.by);
    let asked = ["close_range", "open_directory"].map(|name| backend.sys().calls_of(name).len());
    assert_eq!((closed, asked), (Ok(Closer::Loop), [bulk, usize::from(link < CloseStrategy::Loop)]));
}

/// Faults: D14
#[rstest]
#[case::lowest_free(&[])]
#[case::below_the_first_visited(&[1])]
fn enumerator_hides_its_directory_and_closes_it(#[case] closed: &[Fd]) {
    let kernel = crowded().without_open(closed);
    let before = kernel.open_fds();
    let mut seen = Vec::new();
    let listed = ProcSelfFd.visit(&kernel, 3, &mut |fd| seen.push(fd));
    assert_eq!((listed, kernel.open_fds()), (Ok(()), before.clone()));
    assert_eq!(seen, before.into_iter().filter(|&fd| fd >= 3).collect::<Vec<_>>());
}

/// Faults: D14
#[test]
fn visitor_may_close_each_descriptor_it_gets() {
    let kernel = crowded();
    let close = &mut |fd| {
        kernel.close(fd).expect("what is listed is open");
    };
    assert_eq!(ProcSelfFd.visit(&kernel, 3, close), Ok(()));
    assert_eq!(kernel.open_fds(), [0, 1, 2]);
}

#[rstest]
#[case::not_there(|it: SimKernel| it.without_listings(), Unlisted::Refused(Errno::NOENT))]
#[case::not_to_be_opened(|it: SimKernel| it.refusing("open_directory", Errno::ACCES), Unlisted::Refused(Errno::ACCES))]
#[case::no_free_number(|it: SimKernel| it.refusing("open_directory", Errno::MFILE), Unlisted::Refused(Errno::MFILE))]
#[case::kind_unknown(|it: SimKernel| it.refusing("is_on_procfs", Errno::NOSYS), Unlisted::Untrusted)]
#[case::not_procfs(|it: SimKernel| it.with_listing(&Listing::plain(0..3)), Unlisted::Untrusted)]
#[case::first_batch(|it: SimKernel| it.refusing("getdents64", Errno::PERM), Unlisted::Refused(Errno::PERM))]
// Faults: F2
#[case::second_batch(|it: SimKernel| it.refusing_some("getdents64", 1..2, Errno::IO), Unlisted::Refused(Errno::IO))]
#[case::the_end(|it: SimKernel| it.refusing_some("getdents64", 3..4, Errno::IO), Unlisted::Refused(Errno::IO))]
#[case::garbage(|it: SimKernel| it.with_listing(&garbage(&[0; 24])), Unlisted::Refused(Errno::IO))]
fn an_enumeration_that_fails_says_so_and_leaves_nothing_open(#[case] world: World, #[case] why: Unlisted) {
    let kernel = world(crowded());
    let before = kernel.open_fds();
    let listed = ProcSelfFd.visit(&kernel, 3, &mut |_| {});
    assert_eq!((listed, kernel.open_fds()), (Err(why), before));
}

#[rstest]
#[case::old_kernel(Some(Errno::NOSYS), CloseStrategy::Enumerate)]
#[case::seccomp(Some(Errno::PERM), CloseStrategy::Enumerate)]
#[case::other_seccomp(Some(Errno::ACCES), CloseStrategy::Enumerate)]
// Faults: Q-linux-range
#[case::unknown_flag(Some(Errno::INVAL), CloseStrategy::Enumerate)]
#[case::no_memory_this_time(Some(Errno::NOMEM), CloseStrategy::Bulk)]
#[case::interrupted(Some(Errno::INTR), CloseStrategy::Bulk)]
#[case::not_refused(None, CloseStrategy::Bulk)]
fn only_a_refusal_for_good_is_remembered(#[case] bulk_refused: Option<Errno>, #[case] next: CloseStrategy) {
    let backend = Linux::new(SimKernel::new());
    backend.learn(&Closed { by: Closer::Enumerator(0), bulk_refused });
    assert_eq!(backend.first_link(), next);
}

#[test]
fn learned_refusal_outlives_a_child_that_did_not_ask() {
    let backend = Linux::new(SimKernel::new());
    backend.learn(&Closed { by: Closer::Loop, bulk_refused: Some(Errno::PERM) });
    backend.learn(&Closed { by: Closer::Enumerator(0), bulk_refused: None });
    assert_eq!(backend.first_link(), CloseStrategy::Enumerate);
}

/// Faults: D17
#[rstest]
#[case::nothing_needed(2, "close_range_unshare(3, 4294967295)", true)]
#[case::above_the_highest(60, "close_range_unshare(61, 4294967295)", true)]
#[case::nothing_lies_above(Fd::MAX, "unshare_files()", false)]
fn shared_table_is_unshared_above_the_highest_needed_fd(
    #[case] highest: Fd,
    #[case] call: &str,
    #[case] emptied: bool,
) {
    let backend = Linux::new(crowded());
    let parents = backend.sys().table();
    assert_eq!(backend.own_table(highest), Ok(emptied));
    assert_eq!((backend.sys().calls(), backend.sys().parents_table()), (strings(&[call]), parents));
}

#[rstest]
fn a_refused_unsharing_close_is_followed_by_a_plain_unshare(
    #[values(Errno::NOSYS, Errno::PERM, Errno::ACCES, Errno::INVAL, Errno::NOMEM)] errno: Errno,
) {
    let backend = Linux::new(crowded().refusing("close_range_unshare", errno));
    let before = backend.sys().open_fds();
    assert_eq!(backend.own_table(60), Ok(false));
    let calls = ["close_range_unshare(61, 4294967295)", "unshare_files()"];
    assert_eq!((backend.sys().calls(), backend.sys().open_fds()), (strings(&calls), before));
}

#[rstest]
#[case::of_the_flag("close_range_unshare")]
#[case::of_the_call("close_range")]
fn a_refusal_to_unshare_costs_once(
    #[case] call: &'static str,
    #[values(Errno::NOSYS, Errno::PERM, Errno::ACCES, Errno::INVAL)] errno: Errno,
) {
    let backend = Linux::new(crowded().refusing("close_range_unshare", errno));
    match call {
        "close_range" => backend.learn(&Closed { by: Closer::Loop, bulk_refused: Some(errno) }),
        _ => assert_eq!(backend.own_table(60), Ok(false)),
    }
    let before = backend.sys().calls().len();
    assert_eq!(backend.own_table(60), Ok(false));
    assert_eq!(backend.sys().calls()[before..], strings(&["unshare_files()"]));
}

/// Another time there may be memory.
#[rstest]
fn error_that_is_no_refusal_is_retried(#[values(Errno::NOMEM, Errno::MFILE)] errno: Errno) {
    let backend = Linux::new(crowded().refusing("close_range_unshare", errno));
    assert_eq!([(); 2].map(|()| backend.own_table(60)), [Ok(false), Ok(false)]);
    assert_eq!(backend.sys().calls_of("close_range_unshare").len(), 2);
}

#[test]
fn the_enumerators_have_the_names_that_are_told() {
    let backend = Linux::new(crowded());
    let names: Vec<_> = backend.enumerators().iter().map(|it| it.name()).collect();
    assert_eq!(names, backend.capabilities().enumerators);
}

/// Faults: D18
#[test]
fn table_that_cannot_be_unshared_is_not_touched() {
    let refusing = |it: SimKernel| it.refusing("close_range_unshare", Errno::PERM);
    let backend = Linux::new(refusing(crowded()).refusing("unshare_files", Errno::PERM));
    let before = backend.sys().table();
    assert_eq!(backend.own_table(60), Err(Errno::PERM));
    assert_eq!(backend.sys().table(), before);
}

#[test]
fn kept_descriptor_need_not_be_a_plain_file() {
    let kernel =
        crowded().with_files(&[70_000], File::Terminal, true).with_files(&[47], File::Directory, false);
    let backend = Linux::new(kernel.refusing("close_range", Errno::PERM));
    assert!(close_except(&backend, 3, keep_list(&[47, 70_000]), CloseStrategy::Bulk).is_ok());
    assert_eq!(backend.sys().open_fds(), [0, 1, 2, 47, 70_000]);
}

/// A child of process 100. The flag 64 says that it was forked and has not executed a program.
#[rstest]
#[case::without_the_flag(|it: SimKernel| it.with_stat("101 (sh) S 100 101 101 0 -1 4194304 1"), Some(true))]
#[case::with_the_flag(|it: SimKernel| it.with_stat("101 (sh) Z 100 101 101 0 -1 4194368 1"), Some(false))]
#[case::with_no_other_flag(|it: SimKernel| it.with_stat("101 (sh) S 100 101 101 0 -1 64 1"), Some(false))]
#[case::a_stranger_s_number(|it: SimKernel| it.with_stat("102 (sh) S 100 101 101 0 -1 64 1"), None)]
#[case::a_stranger_s_child(|it: SimKernel| it.with_stat("101 (sh) S 99 101 101 0 -1 64 1"), None)]
#[case::cut_off(|it: SimKernel| it.with_stat("101 (sh) S 100 101"), None)]
#[case::not_there(|it: SimKernel| it, None)]
#[case::refused(
    |it: SimKernel| it.with_stat("101 (sh) S 100 101 101 0 -1 0 1").refusing("read_file", Errno::PERM), None)]
fn whether_a_child_runs_its_program_is_told_or_is_not_known(
    #[case] world: World,
    #[case] answer: Option<bool>,
) {
    let backend = Linux::new(world(SimKernel::new()));
    assert_eq!(backend.has_execed(101, 100), answer);
    assert_eq!(backend.sys().calls_of("read_file"), ["read_file(/proc/101/stat)"]);
}

/// The flag says otherwise: it is not looked at.
#[test]
fn two_calls_tell_of_a_child_that_runs_its_program() {
    let kernel = SimKernel::new().with_stat("101 (sh) S 100 101 101 0 -1 64 1");
    let backend = Linux::new(kernel.refusing_some("join_no_group", 0..1, Errno::ACCES));
    assert_eq!(backend.has_execed(101, 100), Some(true));
    assert_eq!(backend.sys().calls(), ["join_no_group(101)", "join_no_group(100)"]);
}

/// Faults: E9
#[test]
fn answer_to_any_caller_proves_nothing_about_a_child() {
    let kernel = SimKernel::new().with_stat("101 (sh) S 100 101 101 0 -1 64 1");
    let backend = Linux::new(kernel.refusing("join_no_group", Errno::ACCES));
    assert_eq!(backend.has_execed(101, 100), Some(false));
}
