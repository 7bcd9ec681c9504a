//! The results, as text, Markdown, data and drawings.

mod data;
mod markdown;
mod plot;
mod table;

use super::Failure;
use super::cli::Options;
use super::host::VARIABLES;
use super::measure::{self, Results, Table};
use super::peer::Peers;
use super::scenario::Group;

/// Prints the scenarios and the methods.
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

/// Prints the text above the tables.
pub(super) fn print_caption(peers: &Peers, options: &Options, processor: usize) {
    println!("{}", table::caption(measure::rounds(options), options.cold));
    println!(
        "All on processor {processor}, except where the subject is threads. Each child gets {VARIABLES} environment variables."
    );
    for missing in &peers.missing {
        println!("not measured: {}: {}", missing.title, missing.reason);
    }
}

/// Prints a table.
pub(super) fn print(table: &Table, peers: &Peers) {
    print!("{}", table::text(table, peers));
}

/// Writes the files that the command line names.
pub(super) fn write(results: &Results, peers: &Peers, options: &Options) -> Result<(), Failure> {
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
