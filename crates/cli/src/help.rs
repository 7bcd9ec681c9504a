//! The sections below the options in `--help`, which become sections of the manual page.

use anstyle::Style;

/// Command lines, each with what it is good for.
pub(crate) type Examples = &'static [(&'static str, &'static str)];

/// clap's own style for headings.
const HEADING: Style = Style::new().bold().underline();

/// The examples as a section, the explanations in one column.
pub(crate) fn examples(examples: Examples) -> String {
    let width = examples.iter().map(|(line, _)| line.len()).max().unwrap_or(0);
    let rows: Vec<_> = examples.iter().map(|(line, what)| format!("{line:<width$}  # {what}")).collect();
    section("Examples", &rows)
}

/// A heading and indented rows; [`split`] takes it apart again.
pub(crate) fn section(heading: &str, rows: &[String]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| format!("  {row}")).collect();
    format!("{HEADING}{heading}:{HEADING:#}\n{}", rows.join("\n"))
}

/// The sections of a text made of [`section`]s, without styles: heading, rows.
pub(crate) fn split(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("  "), sections.last_mut()) {
            (Some(row), Some((_, rows))) => rows.push(row),
            _ => sections.extend(line.strip_suffix(':').map(|heading| (heading, Vec::new()))),
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_come_apart_as_they_were_joined() {
        let text = section("Examples", &["a  # b".into(), "c".into()])
            + "\n\n"
            + &section("Exit status", &["0".into()]);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(split(&plain), [("Examples", vec!["a  # b", "c"]), ("Exit status", vec!["0"])]);
    }
}
