//! Tables as plain text, and the code that they share with Markdown tables.

use crate::bench::job::Task;
use crate::bench::measure::{Cell, Table};
use crate::bench::peer::Peers;
use crate::bench::scenario::Pace;
use std::fmt::Write as _;

/// The words of a table.
pub(super) struct Words {
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) notes: Vec<String>,
}

/// Returns the text above the tables.
pub(super) fn caption(rounds: usize, cold: bool) -> String {
    let warm = if cold {
        "The first spawn of each method comes after the descriptors were opened."
    } else {
        "Methods that the benchmark's own executable calls spawned a few children before the descriptors were opened, as a server does. Workers in other languages inherit their descriptors at their start."
    };
    format!(
        "Median µs for one spawn and the wait for the child's end, and the ratio to the fastest floor that leaks nothing; {rounds} rounds, with the methods in a new order in each. With threads: spawns per second of all threads together. {warm} The column \"sees\" counts the descriptors that the child inherits; \"!\" marks a leak. A dash: the method has no such operation."
    )
}

/// Returns a table as plain text.
pub(super) fn text(table: &Table, peers: &Peers) -> String {
    let words = words(table, peers);
    let mut text = format!("\n{}\n\n{}", table.title, aligned(&words));
    for note in &words.notes {
        let _ = writeln!(text, "  {note}");
    }
    text
}

/// Returns the words of a table. A row without a result is a note.
pub(super) fn words(table: &Table, peers: &Peers) -> Words {
    let mut head = vec!["method".to_owned()];
    head.extend(table.columns.iter().map(|column| column.scenario.title(table.group)));
    head.push("sees".to_owned());
    let counted: Vec<_> = table.columns.iter().map(|column| column.counted().to_string()).collect();
    let notes = vec![format!("quiet rounds, which count: {}", counted.join(", "))];
    let mut words = Words { head, rows: Vec::new(), notes };
    for (index, row) in peers.rows.iter().enumerate() {
        let cells: Vec<&Cell> = table.columns.iter().map(|column| &column.cells[index]).collect();
        words.notes.extend(reasons(&cells).map(|reason| format!("{}: {reason}", row.title)));
        if cells.iter().any(|cell| cell.measured().is_some()) {
            let mut line = vec![row.title.clone()];
            line.extend(
                table.columns.iter().zip(&cells).map(|(column, cell)| figure(cell, column.scenario.pace)),
            );
            line.push(sees(&cells));
            words.rows.push(line);
        }
    }
    if table.columns.iter().any(|column| column.scenario.task == Task::Full) {
        words
            .notes
            .push("CPython has no mapping: its child keeps the parent's descriptor 3 instead".to_owned());
    }
    words
}

/// Returns the reasons, without repetitions.
fn reasons<'a>(cells: &[&'a Cell]) -> impl Iterator<Item = &'a str> {
    let mut reasons: Vec<&str> = cells
        .iter()
        .filter_map(|cell| match cell {
            Cell::Unable(reason) | Cell::Failed(reason) => Some(reason.as_str()),
            Cell::Absent | Cell::Measured(_) => None,
        })
        .collect();
    reasons.dedup();
    reasons.into_iter()
}

fn figure(cell: &Cell, pace: Pace) -> String {
    match (cell, pace) {
        (Cell::Measured(measured), Pace::Alone) => {
            format!("{} ({:.2})", number(measured.median()), measured.ratio)
        }
        (Cell::Measured(measured), Pace::Threads(_)) => {
            format!("{} ({:.2})", number(1e6 / measured.median()), 1.0 / measured.ratio)
        }
        (Cell::Failed(_), _) => "failed".to_owned(),
        (Cell::Absent | Cell::Unable(_), _) => "-".to_owned(),
    }
}

/// Formats the highest number of descriptors that a child inherited.
fn sees(cells: &[&Cell]) -> String {
    let most = cells.iter().filter_map(|cell| cell.measured()).max_by_key(|measured| measured.sees);
    most.map_or_else(String::new, |most| {
        format!("{}{}", grouped(u64::from(most.sees)), if most.exact { "" } else { "!" })
    })
}

/// Formats a number with at least three digits.
pub(super) fn number(value: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times are positive and not huge"
    )]
    match value {
        _ if value < 100.0 => format!("{value:.1}"),
        _ => grouped(value.round() as u64),
    }
}

/// Formats a number with commas between the thousands.
fn grouped(value: u64) -> String {
    match value {
        0..1000 => value.to_string(),
        _ => format!("{},{:03}", grouped(value / 1000), value % 1000),
    }
}

/// Aligns the first column to the left, and the others to the right.
fn aligned(words: &Words) -> String {
    let lines = || std::iter::once(&words.head).chain(&words.rows);
    let widths: Vec<usize> = (0..words.head.len())
        .map(|column| lines().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines() {
        for (column, (word, width)) in line.iter().zip(&widths).enumerate() {
            let _ =
                if column == 0 { write!(text, "  {word:width$}") } else { write!(text, "  {word:>width$}") };
        }
        text.push('\n');
    }
    text
}
