//! From «this descriptor under that number» to the steps that get it there.
//!
//! All mappings take effect at once: a source is read before it is overwritten. What is a target of one mapping and the
//! source of another is copied first; a ring of them is opened by one saved copy.

use forkexec_core::{Fd, Move};
use std::collections::BTreeMap;

/// Which source each target gets.
pub(crate) type Mappings = BTreeMap<Fd, Fd>;

/// The steps in an order in which no source is lost.
pub(crate) fn order(mappings: &Mappings) -> Vec<Move> {
    let mut order = Order::new(mappings);
    order.copy_what_is_free();
    while let Some(&hole) = order.pending.keys().next() {
        order.turn_ring(hole);
    }
    let shared = mappings.iter().filter(|(to, from)| to == from);
    order.steps.extend(shared.map(|(&fd, _)| Move::ClearCloexec(fd)));
    order.steps
}

struct Order {
    steps: Vec<Move>,
    /// Mappings that are still to be done, by target.
    pending: Mappings,
    /// How many pending mappings read a descriptor.
    readers: BTreeMap<Fd, usize>,
}

impl Order {
    fn new(mappings: &Mappings) -> Self {
        let moving = mappings.iter().filter(|(to, from)| to != from);
        let pending: Mappings = moving.map(|(&to, &from)| (to, from)).collect();
        let mut readers = BTreeMap::new();
        for &from in pending.values() {
            *readers.entry(from).or_insert(0) += 1;
        }
        Self { steps: Vec::new(), pending, readers }
    }

    /// Copies onto every target that nobody reads any more. What is left are rings: each target is read once.
    fn copy_what_is_free(&mut self) {
        let unread = |to: &Fd| !self.readers.contains_key(to);
        let mut free: Vec<Fd> = self.pending.keys().copied().filter(unread).collect();
        while let Some(to) = free.pop() {
            let Some(from) = self.pending.remove(&to) else { continue };
            self.steps.push(Move::copy(from, to));
            if self.last_reader_of(from) && self.pending.contains_key(&from) {
                free.push(from);
            }
        }
    }

    fn last_reader_of(&mut self, fd: Fd) -> bool {
        let Some(readers) = self.readers.get_mut(&fd) else { return false };
        *readers -= 1;
        let last = *readers == 0;
        if last {
            self.readers.remove(&fd);
        }
        last
    }

    /// Saves the descriptor at `start`, fills each hole from the next in the ring, and the last from the saved copy.
    fn turn_ring(&mut self, start: Fd) {
        self.steps.push(Move::save(start));
        let mut hole = start;
        while let Some(from) = self.pending.remove(&hole) {
            if from == start {
                self.steps.push(Move::RestoreTemp(hole));
                return;
            }
            self.steps.push(Move::copy(from, hole));
            hole = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fd, Mappings, Move, order};
    use proptest::collection::btree_map;
    use proptest::prelude::*;
    use rstest::rstest;
    use std::collections::BTreeMap;

    const SAVED: Fd = 1_000;

    /// What is open under each number after the steps, if each number held a file of its own name before.
    fn run(steps: &[Move]) -> BTreeMap<Fd, Fd> {
        let mut table: BTreeMap<Fd, Fd> = (0..20).map(|fd| (fd, fd)).collect();
        for &step in steps {
            let (from, to) = match step {
                Move::Copy { from, to } => (from.number(&[]), to),
                Move::SaveTemp(from) => (from.number(&[]), SAVED),
                Move::RestoreTemp(to) => (SAVED, to),
                Move::ClearCloexec(fd) => (fd, fd),
                Move::Close(_) => continue,
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
        let mappings: Mappings = mappings.iter().map(|&(from, to)| (to, from)).collect();
        let order = order(&mappings);
        let table = run(&order);
        assert!(mappings.iter().all(|(to, from)| table[to] == *from), "{order:?}");
        assert_eq!(order.len(), steps, "{order:?}");
    }

    proptest! {
        #[test]
        fn any_mapping_is_solved_with_one_step_a_target_and_one_a_ring(
            mappings in btree_map(0_i32..20, 0_i32..20, 0..20)
        ) {
            let order = order(&mappings);
            let table = run(&order);
            for (to, from) in &mappings {
                prop_assert_eq!(table[to], *from);
            }
            let rings = order.iter().filter(|step| matches!(step, Move::SaveTemp(_))).count();
            prop_assert_eq!(order.len(), mappings.len() + rings);
        }
    }
}
