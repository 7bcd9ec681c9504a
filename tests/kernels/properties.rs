//! Random tables, keep lists, refusals and mappings, against a model of one line: what is kept is what stays.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use forkexec_core::{
    Backend, CloseStrategy, Closer, Errno, Exec, Fd, KeepList, Move, Plan, child_exec, close_except,
};
use forkexec_linux::Linux;
use forkexec_posix::Posix;

use crate::left_open;
use crate::sim::rich::{self, BIRTH};
use crate::sim::{Call, Listing, Recorder, SimKernel};

/// Where descriptors lie: near each other, and far apart.
fn fd() -> impl Strategy<Value = Fd> {
    prop_oneof![8 => 3..60, 2 => 60..1_000, 1 => 1_000..65_000]
}

fn fds(most: usize) -> impl Strategy<Value = Vec<Fd>> {
    btree_set(fd(), 0..most).prop_map(|fds| fds.into_iter().collect())
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
fn refusal() -> impl Strategy<Value = (&'static str, usize, usize, Errno)> {
    let name = select(vec![
        "close_range",
        "open_directory",
        "is_on_procfs",
        "getdents64",
        "read_directory",
        "descriptor_limit",
    ]);
    let errno = select(vec![Errno::NOSYS, Errno::PERM, Errno::ACCES, Errno::INVAL, Errno::IO, Errno::MFILE]);
    (name, 0..4_usize, 1..9_usize, errno)
}

/// A kernel, and what is open in it.
fn world(false_names: Fd) -> impl Strategy<Value = (SimKernel, Vec<Fd>)> {
    (fds(300), fds(20), listing(false_names), vec(refusal(), 0..4)).prop_map(
        |(open, cloexec, listing, refusals)| {
            let kernel = SimKernel::new().with_open(&open).with_cloexec(&cloexec).with_listing(&listing);
            let kernel = refusals.into_iter().fold(kernel, |it, (name, from, times, errno)| {
                it.refusing_some(name, from..from + times, errno)
            });
            let before = kernel.open_fds();
            (kernel, before)
        },
    )
}

/// Closes all but `keep`, and says what did it and what is left.
fn close_over<B: Backend<Sys = SimKernel>>(
    backend: &B,
    keep: KeepList<'_>,
    link: CloseStrategy,
) -> (Result<Closer, Errno>, Vec<Fd>) {
    let closed = close_except(backend, 3, keep, link.max(backend.first_link()));
    (closed.map(|closed| closed.by), backend.sys().open_fds())
}

/// Everything by way of numbers above all others; what lies there is closed in the end.
fn parallel(mappings: &BTreeMap<Fd, Fd>) -> Vec<Move> {
    let parked = (900..).zip(mappings.values()).map(|(to, &from)| Move::copy(from, to));
    let placed = (900..).zip(mappings.keys()).map(|(from, &to)| Move::copy(from, to));
    parked.chain(placed).collect()
}

/// A ring in which each number gets what the next one had.
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
        (kernel, before) in world(70), keep in fds(30), channel in proptest::option::of(fd()), link in link()
    ) {
        let keep = KeepList::new(&keep).expect("a set is sorted");
        let keep = channel.map_or(keep, |channel| keep.and(channel));
        let backend = Linux::new(kernel);
        let (closed, after) = close_over(&backend, keep, link);
        prop_assert_eq!(after, left_open(&before, keep));
        prop_assert!(closed.is_ok());
        let log = backend.sys().log();
        let is_empty = |call: &Call| call.name == "close_range" && call.numbers[0] > call.numbers[1];
        prop_assert!(!log.iter().any(is_empty));
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
    fn a_ring_of_any_length_is_turned_by_one(
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
    /// A false list that names the descriptor it is read from cannot be told from a true one here.
    #[test]
    fn posix_child_has_only_kept_fds_whatever_is_refused(
        (kernel, before) in world(4), keep in fds(30), link in link()
    ) {
        let keep = KeepList::new(&keep).expect("a set is sorted");
        let (closed, after) = close_over(&Posix::new(kernel), keep, link);
        prop_assert_eq!((closed.is_ok(), after), (true, left_open(&before, keep)));
    }
}
