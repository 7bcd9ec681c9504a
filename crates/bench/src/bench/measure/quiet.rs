//! Which rounds count, and the ratios that come of them.
//!
//! A machine that others use is loud at times: a child waits for a processor, for milliseconds. The floor hears it. It has several
//! turns in each round, and a round in which one of them took much longer than it takes at best does not count, for
//! anybody. That is to the advantage of the floor, which chooses. If hardly a round was quiet, the least loud ones count, and the report says how many of them were.

use super::Cell;
use crate::bench::method::Kind;
use crate::bench::peer::Peers;
use crate::bench::stats;
use std::collections::{BTreeMap, BTreeSet};

/// The floor, by what it takes at best, in a quiet round.
const QUIET: f64 = 1.25;
/// Of all rounds, the part that counts in any case.
const LEAST: f64 = 0.25;
/// What the floor takes at best: this quantile of its rounds.
const BEST: f64 = 0.1;

/// Decides which rounds count, and fills in the ratios.
pub(super) fn relate(peers: &Peers, cells: &mut [(usize, Cell)]) {
    let counting = counting(&loudness(peers, cells));
    for measured in cells.iter_mut().filter_map(|(_, cell)| cell.measured_mut()) {
        let any = measured.rounds.iter().any(|round| counting.contains(&round.number));
        for round in &mut measured.rounds {
            // A method that has few turns may have had none of the quiet ones.
            round.counts = !any || counting.contains(&round.number);
        }
    }
    let exact_floor = |(row, cell): &(usize, Cell)| {
        let measured = cell.measured().filter(|measured| measured.exact)?;
        (peers.rows[*row].kind == Kind::Floor).then(|| measured.clone())
    };
    let fastest = cells.iter().filter_map(exact_floor).min_by(|a, b| a.median().total_cmp(&b.median()));
    for measured in cells.iter_mut().filter_map(|(_, cell)| cell.measured_mut()) {
        measured.ratio = fastest.as_ref().map_or(f64::NAN, |floor| measured.ratio_to(floor));
    }
}

/// For each round: the most that a floor took of what it takes at best.
fn loudness(peers: &Peers, cells: &[(usize, Cell)]) -> BTreeMap<usize, f64> {
    let mut loudness = BTreeMap::new();
    for (_, cell) in cells.iter().filter(|(row, _)| peers.rows[*row].kind == Kind::Floor) {
        let Some(measured) = cell.measured() else { continue };
        let medians: Vec<f64> = measured.rounds.iter().map(super::Round::median).collect();
        let best = stats::quantile(&medians, BEST);
        for (round, median) in measured.rounds.iter().zip(medians) {
            let loudest = loudness.entry(round.number).or_insert(0.0);
            *loudest = f64::max(*loudest, median / best);
        }
    }
    loudness
}

/// The quiet rounds; but never less than the part that counts in any case.
fn counting(loudness: &BTreeMap<usize, f64>) -> BTreeSet<usize> {
    let values: Vec<f64> = loudness.values().copied().collect();
    let limit = stats::quantile(&values, LEAST).max(QUIET);
    loudness.iter().filter(|(_, loud)| **loud <= limit).map(|(&round, _)| round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loud_round_does_not_count() {
        let loudness = BTreeMap::from([(0, 1.0), (1, 1.2), (2, 9.0), (3, 1.1)]);
        assert_eq!(counting(&loudness), BTreeSet::from([0, 1, 3]));
    }

    #[test]
    fn the_least_loud_count_when_all_are_loud() {
        let loudness = BTreeMap::from([(0, 30.0), (1, 20.0), (2, 10.0), (3, 40.0), (4, 50.0)]);
        assert_eq!(counting(&loudness), BTreeSet::from([1, 2]));
    }
}
