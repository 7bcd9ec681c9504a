//! All measured spawns, as JSON or CSV.

use crate::bench::Failure;
use crate::bench::measure::{Cell, Measured, Results, Round};
use crate::bench::peer::{Peers, Row};
use crate::bench::scenario::{Pace, Scenario};
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The result of a method in a scenario.
#[derive(Serialize)]
struct Record<'a> {
    method: &'a str,
    title: &'a str,
    table: &'a str,
    scenario: &'a Scenario,
    /// In microseconds.
    median: Option<f64>,
    quartiles: Option<[f64; 2]>,
    result: &'a Cell,
}

/// Writes CSV if the name ends in `.csv`, else JSON.
pub(super) fn write(results: &Results, peers: &Peers, path: &Path) -> Result<(), Failure> {
    let mut file = BufWriter::new(File::create(path)?);
    if path.extension().is_some_and(|extension| extension == "csv") {
        csv(results, peers, &mut file)?;
    } else {
        serde_json::to_writer(&mut file, &records(results, peers).collect::<Vec<_>>())?;
    }
    Ok(file.flush()?)
}

fn records<'a>(results: &'a Results, peers: &'a Peers) -> impl Iterator<Item = Record<'a>> {
    let columns =
        results.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    columns.flat_map(|(table, column)| {
        peers.rows.iter().zip(&column.cells).map(move |(row, cell): (&Row, _)| Record {
            method: &row.id,
            title: &row.title,
            table: &table.title,
            scenario: &column.scenario,
            median: cell.measured().map(Measured::median),
            quartiles: cell.measured().map(Measured::quartiles),
            result: cell,
        })
    })
}

fn csv(results: &Results, peers: &Peers, file: &mut impl Write) -> Result<(), Failure> {
    writeln!(file, "method,task,descriptors,memory,threads,round,counts,sees,nanoseconds")?;
    for record in records(results, peers) {
        let Cell::Measured(measured) = record.result else { continue };
        let Scenario { world, task, pace } = record.scenario;
        let threads = if let Pace::Threads(threads) = pace { *threads } else { 1 };
        for Round { number, times, counts } in &measured.rounds {
            for time in times {
                writeln!(
                    file,
                    "{},{task},{},{},{threads},{number},{counts},{},{time}",
                    record.method, world.descriptors, world.memory, measured.sees
                )?;
            }
        }
    }
    Ok(())
}
