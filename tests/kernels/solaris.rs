//! The decisions of the Solaris and illumos backend: `F_CLOSEFROM` keeps nothing, and illumos lacks it.
//!
//! - `attributes`: processors, classes and fixed addresses

mod attributes;

use rstest::rstest;

use forkexec_core::{Backend, CloseStrategy, Closed, Closer, Errno, Fd, Gap, KeepList, close_except};
use forkexec_solaris::Solaris;

use crate::sim::{Call, Listing, SimKernel};
use crate::{
    CHANNEL, HIGHEST, RUN, World, close_over, crowded, keep_list, left_open, sparse, strings, with_channel,
};

/// The errnos of each call on both systems, and of a kernel or a zone without the call.
pub(crate) const ERRNOS: [(&str, &[Errno]); 5] = [
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

/// There is no bulk call, as on illumos.
pub(crate) fn without_bulk(kernel: SimKernel) -> SimKernel {
    kernel.refusing("close_from", NOSYS)
}

/// Refuses both the bulk call and the list.
pub(crate) fn loop_only(kernel: SimKernel) -> SimKernel {
    without_bulk(kernel).without_listings()
}

/// The first call that the closing chain must not make.
fn misstep(kernel: &SimKernel, keep: KeepList<'_>) -> Option<Call> {
    crate::misstep(kernel, keep, &["open_directory", "descriptor_limit"])
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
#[case::kind_unknown(|it: SimKernel| it.refusing("is_on_procfs", NOSYS), CloseStrategy::Enumerate, Some(Closer::Loop))]
#[case::limit_unknown(|it: SimKernel| loop_only(it).refusing("descriptor_limit", PERM), CloseStrategy::Bulk, Some(Closer::Loop))]
#[case::no_limit_but_the_system_limit(
    |it: SimKernel| loop_only(it).with_limit(u64::MAX).with_open_max(30_000), CloseStrategy::Bulk, Some(Closer::Loop))]
fn close_leaves_exactly_the_kept_fds(
    #[case] world: World,
    #[case] link: CloseStrategy,
    #[case] by: Option<Closer>,
    #[values(&[], &[60], &[60, 61], &[3, 4], &RUN, &[HIGHEST])] keep: &[Fd],
    #[values(None, Some(CHANNEL))] channel: Option<Fd>,
) {
    let is_far = keep == [HIGHEST];
    let by = by.unwrap_or(if is_far { Closer::Enumerator(0) } else { Closer::Bulk });
    let keep = with_channel(keep, channel);
    let backend = Solaris::new(world(crowded()));
    let before = backend.sys().open_fds();
    assert_eq!(close_over(&backend, keep, link), (Ok(by), left_open(&before, keep)));
    assert_eq!(misstep(backend.sys(), keep), None);
}

#[rstest]
#[case::as_many_as_are_closed_one_by_one(67, Closer::Bulk, None)]
#[case::one_more(68, Closer::Enumerator(0), Some(Errno::TOOBIG))]
#[case::far_up(HIGHEST, Closer::Enumerator(0), Some(Errno::TOOBIG))]
#[case::beyond_every_limit(Fd::MAX - 1, Closer::Enumerator(0), Some(Errno::TOOBIG))]
#[case::highest_possible(Fd::MAX, Closer::Enumerator(0), Some(Errno::TOOBIG))]
fn wide_gap_below_a_kept_fd_is_closed_from_the_list(
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
    let (closed, _) = close_over(&backend, keep_list(&keep), CloseStrategy::Bulk);
    assert_eq!((closed, backend.sys().calls_of("close_from")), (Ok(Closer::Enumerator(0)), vec![]));
    assert!(backend.sys().log().len() < 64 * keep.len());
}

#[rstest]
fn bulk_close_refused_after_gaps_leaks_nothing(
    #[values(NOSYS, INVAL, PERM, INTR)] errno: Errno,
    #[values(&[60], &[30, 60, 90])] keep: &[Fd],
) {
    let backend = Solaris::new(crowded().refusing("close_from", errno));
    let before = backend.sys().open_fds();
    let closed = close_except(&backend, 3, keep_list(keep), CloseStrategy::Bulk);
    assert_eq!(closed, Ok(Closed { by: Closer::Enumerator(0), bulk_refused: Some(errno) }));
    assert_eq!(backend.sys().open_fds(), left_open(&before, keep_list(keep)));
}

#[test]
fn list_is_read_until_a_pass_closes_nothing() {
    let backend = Solaris::new(SimKernel::new().with_open(&[3, 5]));
    assert!(close_except(&backend, 3, keep_list(&[5]), CloseStrategy::Enumerate).is_ok());
    let read = |fd| [format!("is_on_procfs({fd})"), format!("getdents({fd})")];
    let end = |fd| [format!("getdents({fd})"), format!("close({fd})")];
    let open = || ["open_directory(/proc/self/fd)".to_owned()];
    let first_pass = [&open()[..], &read(4), &["close(3)".to_owned()], &end(4)].concat();
    assert_eq!(backend.sys().calls(), [first_pass, [&open()[..], &read(3), &end(3)].concat()].concat());
}

#[rstest]
#[case::close_from(0)]
#[case::getdents(1)]
#[case::fstatvfs(2)]
#[case::open(3)]
#[case::getrlimit(4)]
fn any_result_of_a_call_leaks_nothing(
    #[case] call: usize,
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate)] link: CloseStrategy,
    #[values(&[60, 70], &[300])] keep: &[Fd],
) {
    let (name, errnos) = ERRNOS[call];
    for &errno in errnos {
        let backend = Solaris::new(sparse().refusing(name, errno));
        let before = backend.sys().open_fds();
        let (closed, left) = close_over(&backend, keep_list(keep), link);
        assert_eq!((closed.is_ok(), left), (true, left_open(&before, keep_list(keep))), "{errno}");
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
    assert_eq!(
        close_over(&backend, keep_list(&[60, 70]), CloseStrategy::Bulk),
        (Ok(Closer::Loop), vec![0, 1, 2, 60, 70])
    );
}

#[rstest]
#[case::of_one_number(Gap::new(7, 7), Ok(()), &["close(7)"])]
#[case::open_ended(Gap::new(7, Fd::MAX), Ok(()), &["close_from(7)"])]
#[case::of_the_highest_number_alone(Gap::new(Fd::MAX, Fd::MAX), Ok(()), &["close_from(2147483647)"])]
#[case::nearly_open_ended(Gap::new(7, Fd::MAX - 1), Err(Errno::TOOBIG), &[])]
fn gap_is_closed_with_the_fitting_calls(
    #[case] gap: Option<Gap>,
    #[case] answer: Result<(), Errno>,
    #[case] calls: &[&str],
) {
    let backend = Solaris::new(crowded());
    assert_eq!(gap.map(|gap| backend.close_gap(gap)), Some(answer));
    assert_eq!(backend.sys().calls(), strings(calls));
}
