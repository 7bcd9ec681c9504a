//! The two printers: a table as text, and a JSON array.

use std::io::{self, Write};

use anstyle::Style;

use super::row::Row;

const HEADING: Style = Style::new().bold();
const UNKNOWN: Style = Style::new().dimmed();
const TITLES: [&str; 5] = ["FD", "MODE", "FLAGS", "KIND", "TARGET"];

/// Prints aligned columns under a heading.
pub(super) fn table(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let lines: Vec<[String; 5]> = rows.iter().map(cells).collect();
    let width =
        |column: usize| lines.iter().map(|line| line[column].len()).chain([TITLES[column].len()]).max();
    let widths = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
    line(&TITLES.map(String::from), widths, |_| HEADING, out)?;
    lines.iter().try_for_each(|cells| line(cells, widths, style, out))
}

/// Prints a JSON array with one object on each line.
pub(super) fn json(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let mut before = "[\n";
    for row in rows {
        write!(out, "{before}{}", serde_json::to_string(row)?)?;
        before = ",\n";
    }
    out.write_all(if rows.is_empty() { b"[]\n" } else { b"\n]\n" })
}

fn cells(row: &Row) -> [String; 5] {
    let target = row.target.as_deref().map_or_else(|| "-".into(), printable);
    [row.fd.to_string(), row.mode.word().into(), flags(row), row.kind.word(), target]
}

fn flags(row: &Row) -> String {
    let first = match row.cloexec {
        None => Some("?"),
        Some(cloexec) => cloexec.then_some("cloexec"),
    };
    let words: Vec<&str> = first.into_iter().chain(row.flags.iter().copied()).collect();
    if words.is_empty() { "-".into() } else { words.join(",") }
}

fn style(cell: &str) -> Style {
    if cell == "-" { UNKNOWN } else { Style::new() }
}

fn line(
    cells: &[String; 5],
    widths: [usize; 4],
    style: impl Fn(&str) -> Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let [fd, others @ .., target] = cells;
    let fd_style = style(fd);
    write!(out, "{fd_style}{fd:>width$}{fd_style:#}  ", width = widths[0])?;
    for (cell, width) in others.iter().zip(&widths[1..]) {
        let style = style(cell);
        write!(out, "{style}{cell:<width$}{style:#}  ")?;
    }
    let style = style(target);
    writeln!(out, "{style}{target}{style:#}")
}

/// Escapes control characters, so that the name of a file does not control the terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_control() => safe.extend(c.escape_default()),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::row::{Kind, Mode};
    use super::*;

    fn rows() -> Vec<Row> {
        let tty = Row {
            fd: 0,
            mode: Mode::ReadWrite,
            cloexec: Some(false),
            flags: vec![],
            kind: Kind::Char,
            target: Some("/dev/tty".into()),
        };
        let event = Row {
            fd: 70_000,
            mode: Mode::Read,
            cloexec: Some(true),
            flags: vec!["nonblock"],
            kind: Kind::Anon { name: "eventfd".into() },
            target: None,
        };
        vec![tty, event]
    }

    fn printed(print: fn(&[Row], &mut dyn Write) -> io::Result<()>, rows: &[Row]) -> String {
        let mut out = Vec::new();
        print(rows, &mut anstream::StripStream::new(&mut out)).expect("a vector takes all");
        String::from_utf8(out).expect("rows are text")
    }

    #[test]
    fn columns_are_aligned_and_have_no_trailing_blanks() {
        let text = "   FD  MODE  FLAGS             KIND          TARGET\n\
                    \x20   0  rw    -                 char          /dev/tty\n\
                    70000  r     cloexec,nonblock  anon:eventfd  -\n";
        assert_eq!(printed(table, &rows()), text);
    }

    #[test]
    fn unknown_values_have_a_style_of_their_own() {
        assert_eq!(["-", "rw"].map(style), [UNKNOWN, Style::new()]);
        assert_ne!(UNKNOWN, Style::new());
    }

    #[test]
    fn json_has_one_object_on_each_line() {
        let text = r#"[
{"fd":0,"mode":"rw","cloexec":false,"flags":[],"kind":"char","target":"/dev/tty"},
{"fd":70000,"mode":"r","cloexec":true,"flags":["nonblock"],"kind":"anon","name":"eventfd","target":null}
]
"#;
        assert_eq!(printed(json, &rows()), text);
        assert_eq!(printed(json, &[]), "[]\n");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("/tmp/ä\n\u{1b}[31m"), "/tmp/ä\\n\\u{1b}[31m");
    }
}
