//! Checks the targets, and prints a report. It is not a test, because the machine affects all figures.

use super::cli::GroupName;
use super::job::Task;
use super::measure::{Cell, Column, Measured, Results, Table};
use super::method::{COMMAND, Kind, bare};
use super::peer::Peers;
use super::peer::native::PORTABLE;
use super::scenario::Pace;
use std::process::ExitCode;

/// The highest ratio of the time of a prepared command to that of the floor, in each column. The floor asks for no error, looks at no
/// signal, and checks no file that it takes.
const PREPARED_OVER_FLOOR: f64 = 1.20;
/// The same of a new command. It checks its strings and copies the environment, which the floor has ready.
const COMMAND_OVER_FLOOR: f64 = 1.35;
/// The highest ratio of our time with the most descriptors to that with the fewest, in each table.
const OVER_OWN: f64 = 1.40;
/// The lowest ratio of a peer's time to ours, in each column.
const PEER_OVER_OURS: f64 = 0.97;

/// The highest ratio of the portable backend's time to that of the same calls in C.
const OVER_SAME_CALLS: f64 = 1.15;
/// The highest ratio of the portable backend's time with memory to that without.
const OVER_NO_MEMORY: f64 = 1.10;

/// A target with the measured value.
struct Claim {
    what: String,
    holds: bool,
}

/// Prints all targets, with the failed ones first.
pub(super) fn report(results: &Results, peers: &Peers) -> ExitCode {
    let mut claims: Vec<Claim> = results.tables.iter().flat_map(|table| of_table(table, peers)).collect();
    claims.sort_by_key(|claim| claim.holds);
    println!();
    for Claim { what, holds } in &claims {
        println!("{}  {what}", if *holds { "holds" } else { "FAILS" });
    }
    let failed = claims.iter().filter(|claim| !claim.holds).count();
    println!("targets: {} of {} hold", claims.len() - failed, claims.len());
    if failed == 0 && !claims.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn of_table(table: &Table, peers: &Peers) -> Vec<Claim> {
    let mut claims = Vec::new();
    for (index, row) in peers.rows.iter().enumerate().filter(|(_, row)| row.kind == Kind::Ours) {
        for column in &table.columns {
            let place = format!("{}, {}: {}", table.title, column.scenario.title(table.group), row.id);
            claims.extend(of_column(column, index, peers, &place));
        }
        claims.extend(flat(table, index, peers));
    }
    claims.extend(of_portable(table, peers));
    claims
}

/// Returns the targets of the portable backend: the time of the same calls in C, whatever memory the parent has.
fn of_portable(table: &Table, peers: &Peers) -> Vec<Claim> {
    let index = |id: &str| peers.rows.iter().position(|row| row.id == id);
    let (Some(ours), Some(floor)) = (index(PORTABLE), index(bare::VFORK.id)) else { return Vec::new() };
    if table.group != GroupName::Memory {
        return Vec::new();
    }
    let median =
        |column: &Column, row: usize| column.cells[row].measured().map_or(f64::NAN, Measured::median);
    let without = median(&table.columns[0], ours);
    let mut claims = Vec::new();
    for column in &table.columns {
        let place = format!("{}, {}: {PORTABLE}", table.title, column.scenario.title(table.group));
        let time = median(column, ours);
        let to_c = time / median(column, floor);
        claims.push(at_most(&format!("{place} to the same calls in C"), to_c, OVER_SAME_CALLS));
        claims.push(at_most(&format!("{place} to 0 GiB"), time / without, OVER_NO_MEMORY));
    }
    claims
}

/// Returns the targets of one of our cells.
fn of_column(column: &Column, ours: usize, peers: &Peers, place: &str) -> Vec<Claim> {
    let measured = match &column.cells[ours] {
        Cell::Measured(measured) => measured,
        Cell::Unable(_) => return Vec::new(),
        Cell::Failed(reason) => return vec![Claim { what: format!("{place}: {reason}"), holds: false }],
        Cell::Absent => return vec![Claim { what: format!("{place}: not measured"), holds: false }],
    };
    let mut claims = vec![Claim { what: format!("{place}: sees {}", measured.sees), holds: measured.exact }];
    if column.scenario.pace == Pace::Alone {
        let floor = floor_that_does_the_same(column, &peers.rows[ours].id, peers);
        let ratio = floor.map_or(f64::NAN, |(_, floor)| measured.ratio_to(floor));
        let title = floor.map_or("no floor", |(title, _)| title);
        let limit = if peers.rows[ours].id == COMMAND { COMMAND_OVER_FLOOR } else { PREPARED_OVER_FLOOR };
        claims.push(at_most(&format!("{place} to \"{title}\""), ratio, limit));
    }
    claims.extend(fastest_peer(column, peers).map(|(title, peer)| {
        let quotient = peer.ratio / measured.ratio;
        Claim {
            what: format!("{place}: {title} to ours {quotient:.3}, at least {PEER_OVER_OURS:.2}"),
            holds: quotient >= PEER_OVER_OURS,
        }
    }));
    claims
}

/// Returns the target for the most descriptors compared with the fewest, with the ratio of the floor.
fn flat(table: &Table, ours: usize, peers: &Peers) -> Option<Claim> {
    let few = table.columns.first()?;
    let many = table.columns.last()?;
    if few.scenario.world.descriptors == many.scenario.world.descriptors || few.scenario.task == Task::Full {
        return None;
    }
    let quotient = many.cells[ours].measured()?.median() / few.cells[ours].measured()?.median();
    let floor = floor_median(many, peers) / floor_median(few, peers);
    let id = &peers.rows[ours].id;
    let what = format!("{}: {id} with the most to {id} with the fewest (floor: {floor:.2})", table.title);
    Some(at_most(&what, quotient, OVER_OWN))
}

/// Returns the fastest floor that leaks nothing, and that has a pidfd if our method has one. Reserved low numbers do not count:
/// a program must reserve them before it opens its descriptors, and no method here requires that.
fn floor_that_does_the_same<'a>(
    column: &'a Column,
    ours: &str,
    peers: &'a Peers,
) -> Option<(&'a str, &'a Measured)> {
    let with_pidfd = !ours.ends_with("without-pidfd");
    let floors = peers.rows.iter().zip(&column.cells).filter(|(row, _)| row.kind == Kind::Floor);
    floors
        .filter(|(row, _)| row.id.ends_with("pidfd") == with_pidfd && !row.id.contains("slots"))
        .filter_map(|(row, cell)| Some((row.title.as_str(), cell.measured()?)))
        .filter(|(_, measured)| measured.exact)
        .min_by(|(_, a), (_, b)| a.median().total_cmp(&b.median()))
}

/// Returns the median of the fastest floor that leaks nothing.
fn floor_median(column: &Column, peers: &Peers) -> f64 {
    let floors = peers.rows.iter().zip(&column.cells).filter(|(row, _)| row.kind == Kind::Floor);
    let exact = floors.filter_map(|(_, cell)| cell.measured()).filter(|measured| measured.exact);
    exact.map(Measured::median).fold(f64::NAN, f64::min)
}

fn at_most(what: &str, value: f64, limit: f64) -> Claim {
    Claim { what: format!("{what} {value:.3}, at most {limit:.2}"), holds: value <= limit }
}

fn fastest_peer<'a>(column: &'a Column, peers: &'a Peers) -> Option<(&'a str, &'a Measured)> {
    let of_peers = peers.rows.iter().zip(&column.cells).filter(|(row, _)| row.kind == Kind::Peer);
    of_peers
        .filter_map(|(row, cell)| Some((row.title.as_str(), cell.measured()?)))
        .min_by(|(_, a), (_, b)| a.ratio.total_cmp(&b.ratio))
}
