//! What was measured, for people and for programs.

mod data;
mod markdown;
mod plot;
mod table;

use super::Failure;
use super::cli::Options;
use super::measure::Results;
use super::peer::Peers;
use super::scenario::Group;

/// Prints what would be measured.
pub(super) fn list(peers: &Peers, groups: &[Group]) {
    for group in groups {
        let columns: Vec<_> = group.scenarios.iter().map(|scenario| scenario.title(group.name)).collect();
        println!("{}: {}", group.title, columns.join(", "));
    }
    println!();
    for row in &peers.rows {
        println!("{:20} {}", row.id, row.title);
    }
    for missing in &peers.missing {
        println!("{:20} {}: {}", "-", missing.title, missing.reason);
    }
}

/// Prints the tables, and writes the files that the command line names.
pub(super) fn write(results: &Results, peers: &Peers, options: &Options) -> Result<(), Failure> {
    print!("{}", table::text(results, peers));
    if let Some(path) = &options.markdown {
        std::fs::write(path, markdown::text(results, peers))?;
    }
    if let Some(path) = &options.data {
        data::write(results, peers, path)?;
    }
    if let Some(directory) = &options.svg {
        plot::draw(results, peers, directory)?;
    }
    Ok(())
}
