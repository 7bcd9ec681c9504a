//! The run: all methods in turn, in each round.

mod batch;
mod quiet;
mod turn;

use super::Failure;
use super::cli::{GroupName, Options};
use super::method::Kind;
use super::peer::Peers;
use super::pinning::Pinning;
use super::scenario::{Group, Scenario};
use super::stats;
use super::toolbox::Toolbox;
use serde::Serialize;

/// The results of a run.
pub(super) struct Results {
    pub(super) tables: Vec<Table>,
    /// The number of rounds of each column.
    pub(super) rounds: usize,
    /// True if the first spawn came after the descriptors were opened.
    pub(super) cold: bool,
}

/// The results of a group.
pub(super) struct Table {
    pub(super) group: GroupName,
    pub(super) title: String,
    pub(super) columns: Vec<Column>,
}

/// A scenario, and a cell for each row of the peers.
pub(super) struct Column {
    pub(super) scenario: Scenario,
    pub(super) cells: Vec<Cell>,
}

impl Column {
    /// Returns the number of rounds that count.
    pub(super) fn counted(&self) -> usize {
        self.cells
            .iter()
            .filter_map(Cell::measured)
            .map(|measured| measured.counted().count())
            .max()
            .unwrap_or(0)
    }
}

/// The result of a method.
#[derive(Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Cell {
    /// The method was not measured.
    Absent,
    /// The method has no such operation.
    Unable(String),
    /// The method failed.
    Failed(String),
    /// The method succeeded.
    Measured(Measured),
}

/// A turn in a round.
#[derive(Clone, Serialize)]
pub(super) struct Round {
    /// The number of the round.
    pub(super) number: usize,
    /// The time of each spawn in nanoseconds.
    pub(super) times: Vec<u64>,
    /// True if the round counts. `quiet` decides that.
    pub(super) counts: bool,
}

impl Round {
    /// Returns the median in microseconds.
    fn median(&self) -> f64 {
        stats::median(&self.times.iter().map(|&time| micros(time)).collect::<Vec<_>>())
    }
}

/// The times of a method.
#[derive(Clone, Serialize)]
pub(super) struct Measured {
    /// The rounds in which the method had a turn.
    pub(super) rounds: Vec<Round>,
    /// The number of descriptors that a child inherited.
    pub(super) sees: u32,
    /// True if a child inherited no other descriptors than the requested ones.
    pub(super) exact: bool,
    /// The ratio to the fastest exact floor in the same rounds.
    pub(super) ratio: f64,
}

impl Measured {
    /// Returns the times that count, in microseconds.
    fn micros(&self) -> Vec<f64> {
        self.counted().flat_map(|round| &round.times).map(|&time| micros(time)).collect()
    }

    /// Returns the rounds that count.
    fn counted(&self) -> impl Iterator<Item = &Round> {
        self.rounds.iter().filter(|round| round.counts)
    }

    /// Returns the median in microseconds.
    pub(super) fn median(&self) -> f64 {
        stats::median(&self.micros())
    }

    /// Returns the quartiles in microseconds.
    pub(super) fn quartiles(&self) -> [f64; 2] {
        let all = self.micros();
        [stats::quantile(&all, 0.25), stats::quantile(&all, 0.75)]
    }

    /// Returns the ratio to the floor in the same rounds.
    pub(super) fn ratio_to(&self, floor: &Self) -> f64 {
        let in_round = |number| floor.rounds.iter().find(|round| round.number == number).map(Round::median);
        let (own, of_floor): (Vec<f64>, Vec<f64>) =
            self.counted().filter_map(|round| Some((round.median(), in_round(round.number)?))).unzip();
        stats::ratio(&own, &of_floor)
    }
}

impl Cell {
    /// Returns the times, if there are any.
    pub(super) fn measured(&self) -> Option<&Measured> {
        match self {
            Self::Measured(measured) => Some(measured),
            _ => None,
        }
    }

    fn measured_mut(&mut self) -> Option<&mut Measured> {
        match self {
            Self::Measured(measured) => Some(measured),
            _ => None,
        }
    }
}

fn micros(nanoseconds: u64) -> f64 {
    std::time::Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6
}

/// The parts that all measurements of a run share.
pub(super) struct Setting<'a> {
    pub(super) toolbox: &'a Toolbox,
    pub(super) peers: &'a Peers,
    pub(super) pinning: &'a Pinning,
    pub(super) options: &'a Options,
}

/// Measures all groups, and passes each table to `ready` when it is complete.
pub(super) fn measure(
    setting: &Setting<'_>,
    groups: &[Group],
    ready: impl Fn(&Table),
) -> Result<Results, Failure> {
    let &Setting { toolbox, peers, pinning, options } = setting;
    let mut results = Results { tables: Vec::new(), rounds: rounds(options), cold: options.cold };
    for group in groups {
        let mut columns = Vec::new();
        for &scenario in &group.scenarios {
            eprintln!("measuring: {}, {}", group.title, scenario.title(group.name));
            pinning.apply(scenario.pace)?;
            let run = turn::Run { toolbox, peers, scenario, rounds: results.rounds, cold: options.cold };
            columns.push(Column { scenario, cells: column(&run)? });
        }
        let table = Table { group: group.name, title: group.title.clone(), columns };
        ready(&table);
        results.tables.push(table);
    }
    Ok(results)
}

/// Returns the number of rounds of each column.
pub(super) fn rounds(options: &Options) -> usize {
    options.rounds.unwrap_or(if options.quick { 8 } else { 24 })
}

/// Measures one column, in as many batches as the memory of the machine requires. The floor is part of each batch.
fn column(run: &turn::Run<'_>) -> Result<Vec<Cell>, Failure> {
    let mut cells = vec![Cell::Absent; run.peers.rows.len()];
    for (index, workers) in batch::batches(run.peers, run.scenario.world.memory)?.iter().enumerate() {
        let rows: Vec<usize> = (0..run.peers.rows.len())
            .filter(|&row| takes_part(run.peers, row, workers, index == 0))
            .collect();
        let mut measured = run.rows(&rows);
        quiet::relate(run.peers, &mut measured);
        for (row, cell) in measured {
            if matches!(cells[row], Cell::Absent) {
                cells[row] = cell;
            }
        }
    }
    Ok(cells)
}

/// Returns true if the row is in a batch. The first batch has all rows of its workers. Later ones have the floor, too.
fn takes_part(peers: &Peers, row: usize, workers: &[usize], first: bool) -> bool {
    let row = &peers.rows[row];
    workers.contains(&row.worker) && (first || row.kind == Kind::Floor || row.worker != workers[0])
}
