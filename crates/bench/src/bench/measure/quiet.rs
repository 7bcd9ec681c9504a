//! The selection of the rounds that count, and the ratios.
//!
//! On a shared machine, a child sometimes waits milliseconds for a processor. The floor shows that. It has several turns in
//! each round. If one of them takes much longer than at best, the round counts for no method. That favours the floor, which
//! selects the rounds. If almost no round is quiet, the quietest ones count, and the report has their number.

use super::Cell;
use crate::bench::method::Kind;
use crate::bench::peer::Peers;
use crate::bench::stats;
use std::collections::{BTreeMap, BTreeSet};

/// The highest ratio of the floor's time to its best time in a quiet round.
const QUIET: f64 = 1.25;
/// The part of all rounds that always counts.
const LEAST: f64 = 0.25;
/// The quantile of the floor's rounds that is its best time.
const BEST: f64 = 0.1;

/// Selects the rounds that count, and sets the ratios.
pub(super) fn relate(peers: &Peers, cells: &mut [(usize, Cell)]) {
    let counting = counting(&loudness(peers, cells));
    for measured in cells.iter_mut().filter_map(|(_, cell)| cell.measured_mut()) {
        let any = measured.rounds.iter().any(|round| counting.contains(&round.number));
        for round in &mut measured.rounds {
            // A method with few turns may have had none in a quiet round.
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

/// Returns the highest ratio of a floor's time to its best time, for each round.
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

/// Returns the quiet rounds, and at least the part that always counts.
fn counting(loudness: &BTreeMap<usize, f64>) -> BTreeSet<usize> {
    let values: Vec<f64> = loudness.values().copied().collect();
    let limit = stats::quantile(&values, LEAST).max(QUIET);
    loudness.iter().filter(|(_, loud)| **loud <= limit).map(|(&round, _)| round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noisy_round_does_not_count() {
        let loudness = BTreeMap::from([(0, 1.0), (1, 1.2), (2, 9.0), (3, 1.1)]);
        assert_eq!(counting(&loudness), BTreeSet::from([0, 1, 3]));
    }

    #[test]
    fn quietest_rounds_count_if_all_are_noisy() {
        let loudness = BTreeMap::from([(0, 30.0), (1, 20.0), (2, 10.0), (3, 40.0), (4, 50.0)]);
        assert_eq!(counting(&loudness), BTreeSet::from([1, 2]));
    }
}
