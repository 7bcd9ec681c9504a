//! What the Solaris and illumos backend decides: `F_CLOSEFROM` keeps nothing, and illumos has none.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use rstest::rstest;

use forkexec_core::{
    Backend, CloseStrategy, Closed, Closer, Errno, Fd, FdEnumerator, Gap, KeepList, LOOP_CEILING, Plan,
    Stage, Sys, Unlisted, child_exec, close_except,
};
use forkexec_solaris::{CAPABILITIES, ProcSelfFd, Solaris};

use crate::sim::rich::{self, BIRTH};
use crate::sim::solaris::dirent64;
use crate::sim::{Call, File, Listing, Recorder, SimKernel};
use crate::{keep_list, left_open, strings};

const CHANNEL: Fd = 50;
const HIGHEST: Fd = 19_999;
const RUN: [Fd; 38] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
    31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
];

/// What the pages of both systems have for each call, and what a kernel or a zone without the call says.
const ERRNOS: [(&str, &[Errno]); 5] = [
    (
        "close_from",
        &[AGAIN, BADF, DEADLK, FAULT, INTR, INVAL, IO, MFILE, NOLCK, NOLINK, OVERFLOW, NOSYS, PERM, ACCES],
    ),
    ("getdents", &[BADF, FAULT, INVAL, IO, NOENT, NOLINK, NOTDIR, OVERFLOW, NOSYS, PERM]),
    ("is_on_procfs", &[BADF, FAULT, INTR, IO, NOLINK, OVERFLOW, NOSYS, PERM]),
    (
        "open_directory",
        &[
            ACCES,
            AGAIN,
            INTR,
            INVAL,
            IO,
            LOOP,
            MFILE,
            NAMETOOLONG,
            NFILE,
            NOENT,
            NOLINK,
            NOTDIR,
            NXIO,
            OVERFLOW,
            PERM,
        ],
    ),
    ("descriptor_limit", &[FAULT, INVAL, PERM]),
];

const ACCES: Errno = Errno::ACCES;
const AGAIN: Errno = Errno::AGAIN;
const BADF: Errno = Errno::BADF;
const DEADLK: Errno = Errno::from_raw(libc::EDEADLK);
const FAULT: Errno = Errno::FAULT;
const INTR: Errno = Errno::INTR;
const INVAL: Errno = Errno::INVAL;
const IO: Errno = Errno::IO;
const LOOP: Errno = Errno::LOOP;
const MFILE: Errno = Errno::MFILE;
const NAMETOOLONG: Errno = Errno::NAMETOOLONG;
const NFILE: Errno = Errno::NFILE;
const NOENT: Errno = Errno::NOENT;
const NOLCK: Errno = Errno::from_raw(libc::ENOLCK);
const NOLINK: Errno = Errno::from_raw(libc::ENOLINK);
const NOSYS: Errno = Errno::NOSYS;
const NOTDIR: Errno = Errno::NOTDIR;
const NXIO: Errno = Errno::from_raw(libc::ENXIO);
const OVERFLOW: Errno = Errno::OVERFLOW;
const PERM: Errno = Errno::PERM;

/// More than fits into one batch of a listing, and a few far up.
fn crowded() -> SimKernel {
    let many: Vec<Fd> = (3..=45).chain(55..500).collect();
    SimKernel::new().with_open(&many).with_cloexec(&[CHANNEL, 600, 5_000]).with_open(&[HIGHEST])
}

/// Few, so that a sweep is quick.
fn sparse() -> SimKernel {
    SimKernel::new().with_open(&[3, 4, 9, 60, 61, 70]).with_cloexec(&[CHANNEL, 300])
}

type World = fn(SimKernel) -> SimKernel;

/// There is no bulk call, as on illumos.
fn without_bulk(kernel: SimKernel) -> SimKernel {
    kernel.refusing("close_from", NOSYS)
}

/// Neither the bulk call nor the list is to be had.
fn loop_only(kernel: SimKernel) -> SimKernel {
    without_bulk(kernel).without_listings()
}

/// A first batch of two honest records and what follows.
fn garbage(rest: &[u8]) -> Listing {
    Listing::Raw(vec![[dirent64(b"46"), dirent64(b"45"), rest.to_vec()].concat()])
}

/// A record whose length field says something else.
fn with_length(mut record: Vec<u8>, length: u16) -> Vec<u8> {
    record[16..18].copy_from_slice(&length.to_ne_bytes());
    record
}

/// The first call that closes a kept descriptor, or one of 0, 1 and 2; that reads what it has not opened; or that the
/// closing chain has no business with.
fn misstep(kernel: &SimKernel, keep: KeepList<'_>) -> Option<Call> {
    let highest_kept = (0..=HIGHEST).rev().find(|&fd| keep.contains(fd));
    kernel.log().into_iter().find(|call| {
        let number = call.numbers[0].and_then(|number| Fd::try_from(number).ok());
        match call.name {
            "close" | "getdents" | "is_on_procfs" => number.is_none_or(|fd| fd < 3 || keep.contains(fd)),
            "close_from" => number.is_none_or(|fd| fd < 3 || Some(fd) <= highest_kept),
            "open_directory" | "descriptor_limit" => false,
            _ => true,
        }
    })
}

#[rstest]
#[case::solaris_kept_few_and_near(|it: SimKernel| it, CloseStrategy::Bulk, None)]
#[case::solaris_without_it(|it: SimKernel| it.refusing("close_from", INVAL), CloseStrategy::Bulk, Some(Closer::Enumerator(0)))]
// Faults: Q-illumos
#[case::not_emulated(without_bulk, CloseStrategy::Bulk, Some(Closer::Enumerator(0)))]
#[case::denied(|it: SimKernel| it.refusing("close_from", PERM), CloseStrategy::Bulk, Some(Closer::Enumerator(0)))]
#[case::denied_otherwise(|it: SimKernel| it.refusing("close_from", ACCES), CloseStrategy::Bulk, Some(Closer::Enumerator(0)))]
#[case::interrupted(|it: SimKernel| it.refusing("close_from", INTR), CloseStrategy::Bulk, Some(Closer::Enumerator(0)))]
#[case::illumos(without_bulk, CloseStrategy::Enumerate, Some(Closer::Enumerator(0)))]
// Faults: Q-solaris
#[case::entries_that_move_up(
    |it: SimKernel| it.with_listing(&Listing::Moving), CloseStrategy::Enumerate, Some(Closer::Enumerator(0)))]
// Faults: Q-solaris
#[case::entries_of_long_ago(
    |it: SimKernel| it.with_listing(&Listing::TakenAtOpen), CloseStrategy::Enumerate, Some(Closer::Enumerator(0)))]
#[case::no_proc_in_a_new_root(loop_only, CloseStrategy::Bulk, Some(Closer::Loop))]
#[case::no_proc_on_illumos(loop_only, CloseStrategy::Enumerate, Some(Closer::Loop))]
#[case::proc_covered_by_files(
    |it: SimKernel| it.with_listing(&Listing::plain(0..64)), CloseStrategy::Enumerate, Some(Closer::Loop))]
#[case::list_denied(|it: SimKernel| it.refusing("getdents", PERM), CloseStrategy::Enumerate, Some(Closer::Loop))]
#[case::list_breaks_off(|it: SimKernel| it.refusing_some("getdents", 1..9, IO), CloseStrategy::Enumerate, Some(Closer::Loop))]
#[case::kind_not_told(|it: SimKernel| it.refusing("is_on_procfs", NOSYS), CloseStrategy::Enumerate, Some(Closer::Loop))]
#[case::limit_not_told(|it: SimKernel| loop_only(it).refusing("descriptor_limit", PERM), CloseStrategy::Bulk, Some(Closer::Loop))]
#[case::no_limit_but_the_system_s(
    |it: SimKernel| loop_only(it).with_limit(u64::MAX).with_open_max(30_000), CloseStrategy::Bulk, Some(Closer::Loop))]
fn the_table_afterwards_is_exactly_what_is_kept(
    #[case] world: World,
    #[case] link: CloseStrategy,
    #[case] by: Option<Closer>,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[HIGHEST])] keep: &[Fd],
    #[values(None, Some(CHANNEL))] channel: Option<Fd>,
) {
    let is_far = keep == [HIGHEST];
    let by = by.unwrap_or(if is_far { Closer::Enumerator(0) } else { Closer::Bulk });
    let keep = channel.map_or(keep_list(keep), |channel| keep_list(keep).and(channel));
    let backend = Solaris::new(world(crowded()));
    let before = backend.sys().open_fds();
    let closed = close_except(&backend, 3, keep, link).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(by), left_open(&before, keep)));
    assert_eq!(misstep(backend.sys(), keep), None);
}

#[rstest]
#[case::nothing_kept(&[], None, &["close_from(3)"])]
#[case::first_kept(&[3], None, &["close_from(4)"])]
#[case::adjacent_have_no_gap_between(&[3, 4, 5], None, &["close_from(6)"])]
#[case::one_below(&[4], None, &["close(3)", "close_from(5)"])]
#[case::two_gaps(&[4, 6], None, &["close(3)", "close(5)", "close_from(7)"])]
#[case::channel_above_the_last(&[3], Some(5), &["close(4)", "close_from(6)"])]
#[case::channel_below_the_last(&[5], Some(3), &["close(4)", "close_from(6)"])]
#[case::channel_alone(&[], Some(3), &["close_from(4)"])]
#[case::above_all_that_is_open(&[3, 4, 5, 6], None, &["close_from(7)"])]
fn close_from_is_asked_above_the_last_kept_only(
    #[case] keep: &[Fd],
    #[case] channel: Option<Fd>,
    #[case] calls: &[&str],
) {
    let keep = channel.map_or(keep_list(keep), |channel| keep_list(keep).and(channel));
    let backend = Solaris::new(SimKernel::new().with_open(&[3, 4, 5]));
    let closed = close_except(&backend, 3, keep, CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Bulk, bulk_refused: None }));
    assert_eq!(backend.sys().calls(), strings(calls));
}

#[rstest]
#[case::as_many_as_are_closed_one_by_one(67, Closer::Bulk, None)]
#[case::one_more(68, Closer::Enumerator(0), Some(Errno::TOOBIG))]
#[case::far_up(HIGHEST, Closer::Enumerator(0), Some(Errno::TOOBIG))]
#[case::beyond_every_limit(Fd::MAX - 1, Closer::Enumerator(0), Some(Errno::TOOBIG))]
#[case::the_highest_possible(Fd::MAX, Closer::Enumerator(0), Some(Errno::TOOBIG))]
fn a_wide_gap_below_a_kept_descriptor_is_left_to_the_list(
    #[case] kept: Fd,
    #[case] by: Closer,
    #[case] bulk_refused: Option<Errno>,
) {
    let backend = Solaris::new(SimKernel::new().with_open(&[4, 66, kept, Fd::MAX]));
    assert_eq!(
        close_except(&backend, 3, keep_list(&[kept]), CloseStrategy::Bulk),
        Ok(Closed { by, bulk_refused })
    );
    assert_eq!(backend.sys().open_fds(), [0, 1, 2, kept]);
    assert!(backend.sys().calls_of("close").len() <= 64);
}

#[test]
fn calls_are_at_most_in_proportion_to_what_is_kept() {
    let keep: Vec<Fd> = (1..200).map(|index| index * 66).collect();
    let backend = Solaris::new(SimKernel::new().with_open(&keep).with_open(&[HIGHEST]));
    let closed = close_except(&backend, 3, keep_list(&keep), CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().calls_of("close_from")), (Ok(Closer::Enumerator(0)), vec![]));
    assert!(backend.sys().log().len() < 64 * keep.len());
}

#[rstest]
fn a_bulk_call_refused_after_gaps_were_closed_leaks_nothing(
    #[values(NOSYS, INVAL, PERM, INTR)] errno: Errno,
    #[values(&[60], &[30, 60, 90])] keep: &[Fd],
) {
    let backend = Solaris::new(crowded().refusing("close_from", errno));
    let before = backend.sys().open_fds();
    let closed = close_except(&backend, 3, keep_list(keep), CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Enumerator(0), bulk_refused: Some(errno) }));
    assert_eq!(backend.sys().open_fds(), left_open(&before, keep_list(keep)));
}

#[rstest]
#[case::static_list(Listing::plain(0..3))]
#[case::plain_files_that_name_the_directory_too(Listing::plain(0..64))]
#[case::list_on_procfs_without_itself(
    Listing::Static { names: ["0", "1", "2"].map(String::from).into(), on_procfs: true })]
#[case::empty(Listing::Raw(vec![]))]
#[case::names_that_are_no_numbers(Listing::Static { names: vec!["x3".into(), "4x".into()], on_procfs: true })]
#[case::record_of_length_zero(garbage(&with_length(dirent64(b"44"), 0)))]
#[case::record_within_its_header(garbage(&with_length(dirent64(b"44"), 17)))]
#[case::record_of_a_header_only(garbage(&with_length(dirent64(b"44"), 18)))]
#[case::record_longer_than_the_batch(garbage(&with_length(dirent64(b"44"), 32)))]
#[case::record_without_a_nul(garbage(&with_length(dirent64(b"444444"), 24)))]
#[case::record_cut_off(garbage(&dirent64(b"44")[..12]))]
#[case::records_of_linux(Listing::Raw(vec![crate::sim::directory::record(b"44")]))]
fn a_list_that_cannot_be_true_is_not_believed(#[case] listing: Listing) {
    let backend = Solaris::new(without_bulk(crowded()).with_listing(&listing));
    let closed =
        close_except(&backend, 3, keep_list(&[60]), CloseStrategy::Enumerate).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(Closer::Loop), vec![0, 1, 2, 60]));
}

#[rstest]
#[case::not_there(|it: SimKernel| it.without_listings(), Unlisted::Refused(NOENT))]
#[case::not_to_be_opened(|it: SimKernel| it.refusing("open_directory", ACCES), Unlisted::Refused(ACCES))]
#[case::no_free_number(|it: SimKernel| it.refusing("open_directory", MFILE), Unlisted::Refused(MFILE))]
#[case::kind_unknown(|it: SimKernel| it.refusing("is_on_procfs", NOSYS), Unlisted::Untrusted)]
#[case::not_procfs(|it: SimKernel| it.with_listing(&Listing::plain(0..64)), Unlisted::Untrusted)]
#[case::first_batch(|it: SimKernel| it.refusing("getdents", PERM), Unlisted::Refused(PERM))]
#[case::second_batch(|it: SimKernel| it.refusing_some("getdents", 1..2, IO), Unlisted::Refused(IO))]
#[case::the_end(|it: SimKernel| it.refusing_some("getdents", 3..4, IO), Unlisted::Refused(IO))]
// Faults: Q-solaris
#[case::inode_too_large_for_a_small_form(|it: SimKernel| it.refusing("getdents", OVERFLOW), Unlisted::Refused(OVERFLOW))]
#[case::garbage(|it: SimKernel| it.with_listing(&garbage(&[0; 24])), Unlisted::Refused(IO))]
fn an_enumeration_that_fails_says_so_and_leaves_nothing_open(#[case] world: World, #[case] why: Unlisted) {
    let kernel = world(crowded());
    let before = kernel.open_fds();
    let listed = ProcSelfFd.visit(&kernel, 3, &mut |_| {});
    assert_eq!((listed, kernel.open_fds()), (Err(why), before));
}

/// Faults: Q-solaris
#[rstest]
#[case::lowest_free_above_many(&[])]
#[case::below_the_first_visited(&[1])]
#[case::the_first_visited(&[3])]
#[case::among_the_visited(&[44])]
fn enumerator_never_visits_its_own_directory(#[case] closed: &[Fd]) {
    let kernel = crowded().without_open(closed);
    let before = kernel.open_fds();
    let mut seen = Vec::new();
    let listed = ProcSelfFd.visit(&kernel, 3, &mut |fd| seen.push(fd));
    assert_eq!((listed, kernel.open_fds()), (Ok(()), before.clone()));
    assert_eq!(seen, before.into_iter().filter(|&fd| fd >= 3).collect::<Vec<_>>());
}

#[test]
fn a_visitor_may_close_all_it_is_handed() {
    let kernel = crowded();
    let close = &mut |fd| {
        kernel.close(fd).expect("what is listed is open");
    };
    assert_eq!(ProcSelfFd.visit(&kernel, 3, close), Ok(()));
    assert_eq!(kernel.open_fds(), [0, 1, 2]);
}

#[test]
fn the_list_is_read_until_a_pass_closes_nothing() {
    let backend = Solaris::new(SimKernel::new().with_open(&[3, 5]));
    assert!(close_except(&backend, 3, keep_list(&[5]), CloseStrategy::Enumerate).is_ok());
    let read = |fd| [format!("is_on_procfs({fd})"), format!("getdents({fd})")];
    let end = |fd| [format!("getdents({fd})"), format!("close({fd})")];
    let open = || ["open_directory(/proc/self/fd)".to_owned()];
    let first_pass = [&open()[..], &read(4), &["close(3)".to_owned()], &end(4)].concat();
    assert_eq!(backend.sys().calls(), [first_pass, [&open()[..], &read(3), &end(3)].concat()].concat());
}

#[rstest]
#[case::by_close_from(|it: SimKernel| it)]
#[case::by_the_list(without_bulk)]
#[case::by_the_loop(loop_only)]
fn a_limit_lowered_below_open_descriptors_hides_none(#[case] world: World) {
    let backend = Solaris::new(world(crowded().with_open(&[65_535]).without_open(&[44]).with_limit(64)));
    assert!(close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk).is_ok());
    assert_eq!(backend.sys().open_fds(), [0, 1, 2]);
}

#[test]
fn a_table_that_is_full_is_closed_by_the_loop() {
    let full = |kernel: SimKernel| kernel.with_process(|it| it.limits.values_mut().for_each(|it| it.0 = 3));
    let backend = Solaris::new(full(without_bulk(crowded())));
    let closed = close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(Closer::Loop), vec![0, 1, 2]));
}

#[rstest]
#[case::all_of_them(&[0, 1, 2])]
#[case::the_first(&[0])]
#[case::the_last(&[2])]
fn closed_standard_streams_make_no_difference(
    #[case] closed: &[Fd],
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop)] link: CloseStrategy,
) {
    let backend = Solaris::new(crowded().without_open(closed));
    let before = backend.sys().open_fds();
    assert!(close_except(&backend, 3, keep_list(&[60]), link).is_ok());
    assert_eq!(backend.sys().open_fds(), left_open(&before, keep_list(&[60])));
}

#[test]
fn a_table_with_nothing_to_close_is_no_error() {
    let backend = Solaris::new(SimKernel::new());
    let closed = close_except(&backend, 3, keep_list(&[4]), CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(Closer::Bulk), vec![0, 1, 2]));
}

#[rstest]
#[case::close_from(0)]
#[case::getdents(1)]
#[case::fstatvfs(2)]
#[case::open(3)]
#[case::getrlimit(4)]
fn any_answer_of_a_call_leaks_nothing(
    #[case] call: usize,
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate)] link: CloseStrategy,
    #[values(&[60, 70], &[300])] keep: &[Fd],
) {
    let (name, errnos) = ERRNOS[call];
    for &errno in errnos {
        let backend = Solaris::new(sparse().refusing(name, errno));
        let before = backend.sys().open_fds();
        let closed = close_except(&backend, 3, keep_list(keep), link);
        assert!(closed.is_ok(), "{errno}");
        assert_eq!(backend.sys().open_fds(), left_open(&before, keep_list(keep)), "{errno}");
        assert_eq!(misstep(backend.sys(), keep_list(keep)), None, "{errno}");
    }
}

#[rstest]
#[case::close_from("close_from", INTR)]
#[case::getdents("getdents", IO)]
#[case::fstatvfs("is_on_procfs", INTR)]
#[case::open("open_directory", NFILE)]
fn whenever_a_call_fails_nothing_leaks(
    #[case] name: &str,
    #[case] errno: Errno,
    #[values(0, 1, 2, 3)] from: usize,
    #[values(1, usize::MAX)] times: usize,
    #[values(Listing::Live, Listing::Moving, Listing::TakenAtOpen)] listing: Listing,
) {
    let kernel = sparse().with_listing(&listing).refusing("descriptor_limit", PERM);
    let backend = Solaris::new(kernel.refusing_some(name, from..from.saturating_add(times), errno));
    let before = backend.sys().open_fds();
    let keep = keep_list(&[60, 300]);
    assert!(close_except(&backend, 3, keep, CloseStrategy::Bulk).is_ok());
    assert_eq!((backend.sys().open_fds(), misstep(backend.sys(), keep)), (left_open(&before, keep), None));
}

#[rstest]
#[case::all_at_once(0)]
#[case::after_one_batch(1)]
fn when_every_call_fails_only_the_loop_is_left(#[case] from: usize) {
    let refusing = |it: SimKernel, &(name, errnos): &(&str, &[Errno])| {
        it.refusing_some(name, if name == "getdents" { from..usize::MAX } else { 0..usize::MAX }, errnos[0])
    };
    let calls =
        ERRNOS.iter().filter(|(name, _)| from == 0 || !["is_on_procfs", "open_directory"].contains(name));
    let backend = Solaris::new(calls.fold(sparse(), refusing));
    let closed = close_except(&backend, 3, keep_list(&[60, 70]), CloseStrategy::Bulk).map(|closed| closed.by);
    assert_eq!((closed, backend.sys().open_fds()), (Ok(Closer::Loop), vec![0, 1, 2, 60, 70]));
}

#[rstest]
#[case::huge_limit(1 << 30)]
#[case::one_too_high((1 << 20) + 1)]
#[case::larger_than_a_descriptor(1 << 40)]
fn close_without_a_bound_on_time_is_an_error(#[case] limit: u64) {
    let backend = Solaris::new(loop_only(crowded()).with_limit(limit));
    assert_eq!(close_except(&backend, 3, KeepList::EMPTY, CloseStrategy::Bulk), Err(Errno::OVERFLOW));
    assert_eq!(backend.sys().calls_of("close"), [""; 0]);
}

#[rstest]
#[case::hard_limit(|it: SimKernel| it.with_limit(90_000), Ok(90_000))]
#[case::low_limit_is_not_believed(|it: SimKernel| it.with_limit(256), Ok(65_536))]
#[case::as_many_as_are_walked(|it: SimKernel| it.with_limit(1 << 20), Ok(LOOP_CEILING))]
#[case::one_too_many(|it: SimKernel| it.with_limit((1 << 20) + 1), Err(Errno::OVERFLOW))]
#[case::no_limit_so_the_system_s(|it: SimKernel| it.with_limit(u64::MAX).with_open_max(80_000), Ok(80_000))]
#[case::no_answer_so_the_system_s(
    |it: SimKernel| it.refusing("descriptor_limit", PERM).with_open_max(80_000), Ok(80_000))]
#[case::no_answer_at_all(|it: SimKernel| it.refusing("descriptor_limit", PERM), Ok(LOOP_CEILING))]
fn the_loop_goes_to_the_hard_limit(#[case] world: World, #[case] bound: Result<Fd, Errno>) {
    assert_eq!(Solaris::new(world(SimKernel::new())).loop_bound(), bound);
}

#[rstest]
#[case::enumerate_at_once(CloseStrategy::Enumerate, Closer::Enumerator(0))]
#[case::loop_at_once(CloseStrategy::Loop, Closer::Loop)]
fn links_before_the_first_are_not_asked(#[case] link: CloseStrategy, #[case] by: Closer) {
    let backend = Solaris::new(crowded());
    let closed = close_except(&backend, 3, keep_list(&[60]), link);
    assert_eq!(closed, Ok(Closed { by, bulk_refused: None }));
    let asked = ["close_from", "open_directory"].map(|name| backend.sys().calls_of(name).is_empty());
    assert_eq!((asked, backend.sys().open_fds()), ([true, link == CloseStrategy::Loop], vec![0, 1, 2, 60]));
}

#[rstest]
#[case::older_solaris(Some(INVAL), CloseStrategy::Enumerate)]
#[case::illumos(Some(NOSYS), CloseStrategy::Enumerate)]
#[case::denied(Some(PERM), CloseStrategy::Enumerate)]
#[case::denied_otherwise(Some(ACCES), CloseStrategy::Enumerate)]
#[case::interrupted(Some(INTR), CloseStrategy::Bulk)]
#[case::a_gap_too_wide_this_time(Some(Errno::TOOBIG), CloseStrategy::Bulk)]
#[case::not_refused(None, CloseStrategy::Bulk)]
fn only_a_refusal_for_good_is_remembered(#[case] bulk_refused: Option<Errno>, #[case] next: CloseStrategy) {
    let backend = Solaris::new(SimKernel::new());
    assert_eq!(backend.first_link(), CloseStrategy::Bulk);
    backend.learn(&Closed { by: Closer::Enumerator(0), bulk_refused });
    backend.learn(&Closed { by: Closer::Enumerator(0), bulk_refused: None });
    assert_eq!(backend.first_link(), next);
}

#[test]
fn operation_missing_on_both_systems_fails_without_a_call() {
    let backend = Solaris::new(crowded());
    let answers =
        [backend.own_table(2).map(drop), backend.die_with_parent(libc::SIGTERM), backend.no_new_privs()];
    assert_eq!((answers, backend.sys().calls()), ([Err(NOSYS); 3], vec![]));
    assert!(CAPABILITIES.operations.is_empty());
}

#[test]
fn the_capabilities_name_the_enumerators_in_their_order() {
    let backend = Solaris::new(SimKernel::new());
    let names: Vec<&str> = backend.enumerators().iter().map(|it| it.name()).collect();
    assert_eq!(names, backend.capabilities().enumerators);
}

#[rstest]
#[case::of_one_number(Gap::new(7, 7), Ok(()), &["close(7)"])]
#[case::open_ended(Gap::new(7, Fd::MAX), Ok(()), &["close_from(7)"])]
#[case::of_the_highest_number_alone(Gap::new(Fd::MAX, Fd::MAX), Ok(()), &["close_from(2147483647)"])]
#[case::nearly_open_ended(Gap::new(7, Fd::MAX - 1), Err(Errno::TOOBIG), &[])]
fn a_gap_is_closed_with_the_calls_that_fit_it(
    #[case] gap: Option<Gap>,
    #[case] answer: Result<(), Errno>,
    #[case] calls: &[&str],
) {
    let backend = Solaris::new(crowded());
    assert_eq!(gap.map(|gap| backend.close_gap(gap)), Some(answer));
    assert_eq!(backend.sys().calls(), strings(calls));
}

#[test]
fn kept_descriptor_need_not_be_a_plain_file() {
    let kernel =
        crowded().with_files(&[70_000], File::Terminal, true).with_files(&[47], File::Directory, false);
    let backend = Solaris::new(without_bulk(kernel));
    assert!(close_except(&backend, 3, keep_list(&[47, 70_000]), CloseStrategy::Bulk).is_ok());
    assert_eq!(backend.sys().open_fds(), [0, 1, 2, 47, 70_000]);
}

#[rstest]
#[case::solaris(|it: SimKernel| it)]
#[case::without_close_from(without_bulk)]
#[case::without_either(loop_only)]
fn a_whole_plan_hands_over_exactly_what_was_asked(#[case] world: World) {
    let plan = Plan { no_new_privs: false, die_with_parent: None, ..rich::session_plan() };
    let backend = Solaris::new(world(rich::kernel()));
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

/// Lists that are true, false, or rubbish. None that is false names the descriptor that it is read from.
fn listing() -> impl Strategy<Value = Listing> {
    prop_oneof![
        3 => Just(Listing::Live),
        3 => Just(Listing::Moving),
        1 => Just(Listing::TakenAtOpen),
        1 => (0..70).prop_map(|end| Listing::plain(0..end)),
        1 => vec(vec(any::<u8>(), 0..100), 0..3).prop_map(Listing::Raw),
    ]
}

/// A call that is refused from its n-th time on, for so many times.
fn refusal() -> impl Strategy<Value = (&'static str, usize, usize, Errno)> {
    let call = proptest::sample::select(&ERRNOS[..]);
    (call, any::<proptest::sample::Index>(), 0..4_usize, 1..99_usize)
        .prop_map(|((name, errnos), which, from, times)| (name, from, times, *which.get(errnos)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn child_has_only_kept_fds_whatever_is_refused(
        open in fds(300),
        keep in fds(30),
        channel in proptest::option::of(3..1_000),
        listing in listing(),
        refusals in vec(refusal(), 0..4),
        link in proptest::sample::select(&[CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop][..]),
    ) {
        let kernel = SimKernel::new().with_open(&open).with_listing(&listing);
        let kernel = refusals.into_iter().fold(kernel, |it, (name, from, times, errno)| {
            it.refusing_some(name, from..from + times, errno)
        });
        let keep = channel.map_or(keep_list(&keep), |channel| keep_list(&keep).and(channel));
        let backend = Solaris::new(kernel);
        let before = backend.sys().open_fds();
        let closed = close_except(&backend, 3, keep, link);
        prop_assert_eq!((closed.is_ok(), backend.sys().open_fds()), (true, left_open(&before, keep)));
    }
}
