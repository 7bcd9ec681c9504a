//! The order of the steps that put descriptors under their targets.
//!
//! All mappings take effect at once: a source is read before it is overwritten. If the target of one mapping
//! is the source of another, the other comes first. In a ring of such mappings, one source is saved first.

use forkexec_core::{Fd, Move, Source};
use std::collections::BTreeMap;

/// The source of each target.
pub(crate) type Mappings = BTreeMap<Fd, Source>;

/// Orders the steps so that no source is overwritten before its last use.
///
/// `spawn_fds` has the number of each [`Source::SpawnFd`] that a start may find under its own number. The
/// others are -1, and have numbers that are no target.
pub(crate) fn order(mappings: &Mappings, spawn_fds: &[Fd]) -> Vec<Move> {
    let mut order = Order::new(mappings, spawn_fds);
    order.copy_to_unread_targets();
    while let Some(&start) = order.pending.keys().next() {
        order.turn_ring(start);
    }
    let in_place = mappings.iter().filter(|(to, from)| **to == from.number(spawn_fds));
    order.steps.extend(in_place.map(|(&to, &from)| match from {
        Source::Fd(fd) => Move::ClearCloexec(fd),
        Source::SpawnFd(_) => Move::Copy { from, to },
    }));
    order.steps
}

struct Order<'f> {
    spawn_fds: &'f [Fd],
    steps: Vec<Move>,
    /// The mappings without a step, by target.
    pending: Mappings,
    /// The number of pending mappings that read each descriptor.
    readers: BTreeMap<Fd, usize>,
}

impl<'f> Order<'f> {
    fn new(mappings: &Mappings, spawn_fds: &'f [Fd]) -> Self {
        let mut this =
            Self { spawn_fds, steps: Vec::new(), pending: Mappings::new(), readers: BTreeMap::new() };
        for (&to, &from) in mappings {
            let number = from.number(spawn_fds);
            if number != to {
                this.pending.insert(to, from);
                *this.readers.entry(number).or_insert(0) += 1;
            }
        }
        this
    }

    /// Copies to each target that no pending mapping reads. The rest are rings, in which each target is read once.
    fn copy_to_unread_targets(&mut self) {
        let unread = |to: &Fd| !self.readers.contains_key(to);
        let mut free: Vec<Fd> = self.pending.keys().copied().filter(unread).collect();
        while let Some(to) = free.pop() {
            let Some(from) = self.pending.remove(&to) else { continue };
            self.steps.push(Move::Copy { from, to });
            let number = from.number(self.spawn_fds);
            if self.is_last_reader_of(number) && self.pending.contains_key(&number) {
                free.push(number);
            }
        }
    }

    /// Counts one reader less.
    fn is_last_reader_of(&mut self, number: Fd) -> bool {
        let Some(readers) = self.readers.get_mut(&number) else { return false };
        *readers -= 1;
        let is_last = *readers == 0;
        if is_last {
            self.readers.remove(&number);
        }
        is_last
    }

    /// Saves the source at `start`, copies to each number from the next in the ring, and to the last from the
    /// saved copy.
    fn turn_ring(&mut self, start: Fd) {
        let begin = self.steps.len();
        let mut to = start;
        while let Some(from) = self.pending.remove(&to) {
            let number = from.number(self.spawn_fds);
            if number == start {
                self.steps.insert(begin, Move::SaveTemp(from));
                self.steps.push(Move::RestoreTemp(to));
                return;
            }
            self.steps.push(Move::Copy { from, to });
            to = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fd, Mappings, Move, Source, order};
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use rstest::rstest;
    use std::collections::BTreeMap;

    const COUNT: Fd = 20;
    const SAVED: Fd = 1_000;

    /// The files under each number after the steps. A file has the name of the number that it had first.
    fn run(steps: &[Move], mut table: BTreeMap<Fd, Fd>, spawn_fds: &[Fd]) -> BTreeMap<Fd, Fd> {
        for &step in steps {
            let (from, to) = match step {
                Move::Copy { from, to } => (from.number(spawn_fds), to),
                Move::SaveTemp(from) => (from.number(spawn_fds), SAVED),
                Move::RestoreTemp(to) => (SAVED, to),
                Move::ClearCloexec(fd) => (fd, fd),
                Move::Close(_) | Move::CloseOpen(_) => continue,
            };
            table.insert(to, table[&from]);
        }
        table
    }

    #[rstest]
    #[case::nothing(&[], 0)]
    #[case::one(&[(3, 4)], 1)]
    #[case::swap(&[(3, 4), (4, 3)], 3)]
    #[case::ring_of_three(&[(3, 4), (4, 5), (5, 3)], 4)]
    #[case::chain(&[(3, 4), (4, 5)], 2)]
    #[case::fan_out(&[(3, 4), (3, 5), (3, 6)], 3)]
    #[case::ring_with_a_leaf(&[(3, 4), (4, 3), (3, 5)], 4)]
    #[case::two_rings(&[(3, 4), (4, 3), (5, 6), (6, 5)], 6)]
    #[case::identity(&[(7, 7)], 1)]
    #[case::standard_streams_in_a_ring(&[(1, 0), (2, 1), (0, 2)], 4)]
    fn every_target_gets_its_source(#[case] mappings: &[(Fd, Fd)], #[case] steps: usize) {
        let sources: Mappings = mappings.iter().map(|&(from, to)| (to, Source::Fd(from))).collect();
        let order = order(&sources, &[]);
        let table = run(&order, (0..COUNT).map(|fd| (fd, fd)).collect(), &[]);
        assert!(mappings.iter().all(|(from, to)| table[to] == *from), "{order:?}");
        assert_eq!(order.len(), steps, "{order:?}");
    }

    /// The place of a source when a child starts.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Place {
        /// Under its number, always.
        Fixed,
        /// Under its number, and a start may have given it another one.
        Own,
        /// Under another number, and its own is closed.
        Relocated,
        /// Under a number that was not known before the start.
        New,
    }

    fn places() -> impl Strategy<Value = Vec<Place>> {
        let place = [Place::Fixed, Place::Own, Place::Relocated, Place::New];
        let count = usize::try_from(COUNT).expect("it is positive");
        vec(prop::sample::select(place.to_vec()), count)
    }

    proptest! {
        #[test]
        fn any_mapping_takes_one_move_per_target_and_per_ring(
            mappings in btree_map(0..COUNT, 0..u8::try_from(COUNT).unwrap(), 0..20),
            places in places(),
        ) {
            let (mut known, mut spawn_fds, mut table) = (Vec::new(), Vec::new(), BTreeMap::new());
            for (fd, place) in (0..COUNT).zip(&places) {
                let stays = matches!(place, Place::Fixed | Place::Own);
                let number = if stays { fd } else { 100 + fd };
                known.push(if *place == Place::New { -1 } else { fd });
                spawn_fds.push(number);
                table.insert(number, fd);
            }
            let source = |from: u8| match places[usize::from(from)] {
                Place::Fixed => Source::Fd(from.into()),
                _ => Source::SpawnFd(from),
            };
            let sources = mappings.iter().map(|(&to, &from)| (to, source(from))).collect();
            let order = order(&sources, &known);
            let table = run(&order, table, &spawn_fds);
            for (to, from) in &mappings {
                prop_assert_eq!(table[to], Fd::from(*from));
            }
            let rings = order.iter().filter(|step| matches!(step, Move::SaveTemp(_))).count();
            prop_assert_eq!(order.len(), mappings.len() + rings);
        }
    }
}
