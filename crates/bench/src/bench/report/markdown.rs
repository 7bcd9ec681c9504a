//! Tables in Markdown.

use super::table::{caption, words};
use crate::bench::measure::Results;
use crate::bench::peer::Peers;
use std::fmt::Write as _;

/// Returns all tables.
pub(super) fn text(results: &Results, peers: &Peers) -> String {
    let mut text = format!("{}\n", caption(results.rounds, results.cold));
    for table in &results.tables {
        let words = words(table, peers);
        let rule = format!("|---|{}", "---:|".repeat(words.head.len() - 1));
        let _ = writeln!(text, "\n### {}\n\n{}\n{rule}", table.title, line(&words.head));
        for row in &words.rows {
            let _ = writeln!(text, "{}", line(row));
        }
        if !words.notes.is_empty() {
            text.push('\n');
        }
        for note in &words.notes {
            let _ = writeln!(text, "- {note}");
        }
    }
    if !peers.missing.is_empty() {
        text.push_str("\n### Not measured\n\n");
    }
    for missing in &peers.missing {
        let _ = writeln!(text, "- {}: {}", missing.title, missing.reason);
    }
    text
}

fn line(words: &[String]) -> String {
    format!("| {} |", words.join(" | "))
}
