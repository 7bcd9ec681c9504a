//! Random tables, keep lists, refusals and mappings, against a model of one line: the kept descriptors stay.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use forkexec_core::{
    Backend, CloseStrategy, Errno, Exec, Fd, KeepList, Move, Plan, child_exec, set_cloexec_except,
};
use forkexec_linux::Linux;
use forkexec_netbsd::Netbsd;
use forkexec_openbsd::Openbsd;
use forkexec_posix::Posix;
use forkexec_solaris::Solaris;

use crate::netbsd::OF_FCNTL;
use crate::sim::rich::{self, BIRTH};
use crate::sim::{Call, Listing, Recorder, SimKernel};
use crate::{close_over, keep_list, left_open, misstep, openbsd, solaris, with_channel};

/// The errnos of each call, by its name.
type Errnos = &'static [(&'static str, &'static [Errno])];

const ANY: &[Errno] = &[Errno::NOSYS, Errno::PERM, Errno::ACCES, Errno::INVAL, Errno::IO, Errno::MFILE];
const LISTED: Errnos = &[
    ("close_range", ANY),
    ("close_range_cloexec", ANY),
    ("open_directory", ANY),
    ("is_on_procfs", ANY),
    ("getdents64", ANY),
    ("read_directory", ANY),
    ("descriptor_limit", ANY),
];
const NETBSD: Errnos = &[("closem", &OF_FCNTL), ("max_fd", &OF_FCNTL), ("descriptor_limit", &OF_FCNTL)];
const OPENBSD: Errnos = &[
    ("closefrom", &openbsd::ERRNOS),
    ("open_count", &openbsd::ERRNOS),
    ("is_cloexec", &openbsd::ERRNOS),
    ("descriptor_limit", &openbsd::ERRNOS),
];

/// Numbers of descriptors: near each other, and far apart, all below `end`.
fn fd(end: Fd) -> impl Strategy<Value = Fd> {
    prop_oneof![8 => 3..60, 2 => 60..1_000, 1 => 1_000..end]
}

fn fds(end: Fd, most: usize) -> impl Strategy<Value = Vec<Fd>> {
    btree_set(fd(end), 0..most).prop_map(|fds| fds.into_iter().collect())
}

fn channel() -> impl Strategy<Value = Option<Fd>> {
    proptest::option::of(fd(5_000))
}

/// Lists that are true, false, or rubbish. A false one names the numbers from 0 up, fewer than `most`.
fn listing(most: Fd) -> impl Strategy<Value = Listing> {
    prop_oneof![
        4 => Just(Listing::Live),
        2 => Just(Listing::Moving),
        1 => Just(Listing::TakenAtOpen),
        1 => (0..most).prop_map(|end| Listing::plain(0..end)),
        1 => vec(vec(any::<u8>(), 0..100), 0..3).prop_map(Listing::Raw),
    ]
}

/// A call that is refused from its n-th time on, for so many times.
fn refusal(errnos: Errnos) -> impl Strategy<Value = (&'static str, usize, usize, Errno)> {
    (select(errnos), any::<Index>(), 0..4_usize, 1..99_usize)
        .prop_map(|((name, errnos), which, from, times)| (name, from, times, *which.get(errnos)))
}

/// A kernel whose descriptors are below `end`, and that may refuse each of these calls.
fn kernel(
    end: Fd,
    listing: impl Strategy<Value = Listing>,
    errnos: Errnos,
) -> impl Strategy<Value = SimKernel> {
    (fds(end, 300), fds(end, 20), listing, vec(refusal(errnos), 0..4)).prop_map(
        |(open, cloexec, listing, refusals)| {
            let kernel = SimKernel::new().with_open(&open).with_cloexec(&cloexec).with_listing(&listing);
            refusals.into_iter().fold(kernel, |it, (name, from, times, errno)| {
                it.refusing_some(name, from..from + times, errno)
            })
        },
    )
}

/// Closes all but `keep`, and checks that nothing else is left.
fn leaves_only_kept<B>(backend: &B, keep: KeepList<'_>, link: CloseStrategy) -> Result<(), TestCaseError>
where
    B: Backend<Sys = SimKernel>,
{
    let before = backend.sys().open_fds();
    let (closed, after) = close_over(backend, keep, link.max(backend.first_strategy()));
    prop_assert_eq!((closed.is_ok(), after), (true, left_open(&before, keep)));
    Ok(())
}

/// Moves everything through numbers above all others, which are closed in the end.
fn parallel(mappings: &BTreeMap<Fd, Fd>) -> Vec<Move> {
    let parked = (900..).zip(mappings.values()).map(|(to, &from)| Move::copy(from, to));
    let placed = (900..).zip(mappings.keys()).map(|(from, &to)| Move::copy(from, to));
    parked.chain(placed).collect()
}

/// A ring in which each number gets the descriptor of the next one.
fn ring(numbers: &[Fd]) -> Vec<Move> {
    let Some((&first, _)) = numbers.split_first() else { return Vec::new() };
    let turned = numbers.windows(2).map(|pair| Move::copy(pair[1], pair[0]));
    let last = numbers.last().copied().filter(|&last| last != first);
    let closing = last.map(|last| [Move::save(first), Move::RestoreTemp(last)]);
    let (save, restore) = closing.map_or((None, None), |[save, restore]| (Some(save), Some(restore)));
    save.into_iter()
        .chain(turned)
        .chain(restore)
        .chain(last.is_none().then_some(Move::ClearCloexec(first)))
        .collect()
}

/// The file under each number in a child that took these steps and kept their targets.
fn files_after(kernel: SimKernel, moves: &[Move], kept: &[Fd], link: CloseStrategy) -> BTreeMap<Fd, u64> {
    let backend = Linux::new(kernel);
    let exec = Exec { candidates: &[c"/bin/prog"], ..rich::exec() };
    let keep = KeepList::new(kept).expect("keys of a map are sorted");
    let plan = Plan { moves, keep, close: Some(link), ..Plan::new(exec) };
    let executed = child_exec(&backend, &plan, &BIRTH, &Recorder::new(backend.sys()));
    executed.expect("nothing is refused").files
}

fn link() -> impl Strategy<Value = CloseStrategy> {
    select(vec![CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn linux_child_has_only_kept_fds_whatever_is_refused(
        kernel in kernel(65_000, listing(70), LISTED), keep in fds(65_000, 30), channel in channel(), link in link()
    ) {
        let backend = Linux::new(kernel);
        leaves_only_kept(&backend, with_channel(&keep, channel), link)?;
        let log = backend.sys().log();
        let is_empty = |call: &Call| call.name == "close_range" && call.numbers[0] > call.numbers[1];
        prop_assert!(!log.iter().any(is_empty));
    }

    #[test]
    fn linux_flags_change_of_all_but_kept_fds_whatever_is_refused(
        kernel in kernel(65_000, listing(70), LISTED), keep in fds(65_000, 30), cloexec in any::<bool>(), link in link()
    ) {
        let backend = Linux::new(kernel);
        let expected = backend.sys().table().with_cloexec_except(3, &keep, cloexec);
        let changed = set_cloexec_except(&backend, 3, keep_list(&keep), cloexec, link);
        prop_assert!(changed.is_ok());
        prop_assert!(backend.sys().table().entries() == &expected);
        prop_assert_eq!(backend.sys().calls_of("close_range"), Vec::<String>::new());
    }

    #[test]
    fn netbsd_child_has_only_kept_fds_whatever_is_refused(
        kernel in kernel(5_000, Just(Listing::Live), NETBSD), keep in fds(5_000, 30), channel in channel(), link in link()
    ) {
        let (backend, keep) = (Netbsd::new(kernel), with_channel(&keep, channel));
        leaves_only_kept(&backend, keep, link)?;
        prop_assert_eq!(misstep(backend.sys(), keep, &["max_fd", "descriptor_limit"]), None);
    }

    #[test]
    fn openbsd_child_has_only_kept_fds_whatever_is_refused(
        kernel in kernel(5_000, Just(Listing::Live), OPENBSD), keep in fds(5_000, 30), channel in channel(), link in link()
    ) {
        let (backend, keep) = (Openbsd::new(kernel), with_channel(&keep, channel));
        leaves_only_kept(&backend, keep, link)?;
        prop_assert_eq!(misstep(backend.sys(), keep, &["open_count", "is_cloexec", "descriptor_limit"]), None);
    }

    /// A false list that names the descriptor it is read from looks like a true one here.
    #[test]
    fn posix_child_has_only_kept_fds_whatever_is_refused(
        kernel in kernel(65_000, listing(4), LISTED), keep in fds(65_000, 30), link in link()
    ) {
        leaves_only_kept(&Posix::new(kernel), keep_list(&keep), link)?;
    }

    #[test]
    fn solaris_child_has_only_kept_fds_whatever_is_refused(
        kernel in kernel(5_000, listing(70), &solaris::ERRNOS), keep in fds(5_000, 30), channel in channel(), link in link()
    ) {
        leaves_only_kept(&Solaris::new(kernel), with_channel(&keep, channel), link)?;
    }

    #[test]
    fn child_has_exactly_the_mapped_descriptors(
        mappings in btree_map(0_i32..60, 0_i32..60, 0..20), link in link()
    ) {
        let open: Vec<Fd> = (3..60).collect();
        let kernel = SimKernel::new().with_cloexec(&open).with_open(&[70]);
        let before = kernel.table();
        let file = |fd: &Fd| before.entries()[fd].file;
        let mut expected: BTreeMap<Fd, u64> = (0..3).map(|fd| (fd, file(&fd))).collect();
        expected.extend(mappings.iter().map(|(&to, from)| (to, file(from))));
        let targets: Vec<Fd> = mappings.keys().copied().collect();
        prop_assert_eq!(files_after(kernel, &parallel(&mappings), &targets, link), expected);
    }

    #[test]
    fn ring_of_any_length_is_rotated_by_one(
        numbers in btree_set(3_i32..40, 0..12).prop_map(Vec::from_iter).prop_shuffle(), link in link()
    ) {
        let kernel = SimKernel::new().with_cloexec(&numbers).with_open(&[41, 70]);
        let before = kernel.table();
        let file = |fd: &Fd| before.entries()[fd].file;
        let next = numbers.iter().cycle().skip(1);
        let mut expected: BTreeMap<Fd, u64> = (0..3).map(|fd| (fd, file(&fd))).collect();
        expected.extend(numbers.iter().zip(next).map(|(&to, from)| (to, file(from))));
        let mut targets = numbers.clone();
        targets.sort_unstable();
        prop_assert_eq!(files_after(kernel, &ring(&numbers), &targets, link), expected);
    }
}
