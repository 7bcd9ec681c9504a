//! The sections below the options in `--help`, which become sections of the manual page.

use anstyle::Style;

use crate::exit;

/// Command lines, each with its purpose.
pub(crate) type Examples = &'static [(&'static str, &'static str)];

/// Lines with the names of other manual pages.
pub(crate) type Pages = &'static [&'static str];

/// clap's own style for headings.
const HEADING: Style = Style::new().bold().underline();

/// The sections that each command has: exit status, examples, see also.
pub(crate) fn sections(command: &str, examples: Examples, see_also: Pages) -> String {
    let see_also = section("See also", &see_also.iter().map(ToString::to_string).collect::<Vec<_>>());
    [exit::help(command), self::examples(examples), see_also].join("\n\n")
}

/// The examples as a section, with the purposes in one column.
pub(crate) fn examples(examples: Examples) -> String {
    let width = examples.iter().map(|(line, _)| line.len()).max().unwrap_or(0);
    let rows: Vec<_> =
        examples.iter().map(|(line, purpose)| format!("{line:<width$}  # {purpose}")).collect();
    section("Examples", &rows)
}

/// A heading and indented rows. [`split`] is the inverse.
pub(crate) fn section(heading: &str, rows: &[String]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| format!("  {row}")).collect();
    format!("{HEADING}{heading}:{HEADING:#}\n{}", rows.join("\n"))
}

/// Splits a text made of [`section`]s, without styles, into headings and their rows.
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
    fn split_is_the_inverse_of_section() {
        let text = section("Examples", &["a  # b".into(), "c".into()])
            + "\n\n"
            + &section("Exit status", &["0".into()]);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(split(&plain), [("Examples", vec!["a  # b", "c"]), ("Exit status", vec!["0"])]);
    }
}
