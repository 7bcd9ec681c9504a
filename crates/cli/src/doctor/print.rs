//! The two printers: a table as text, and a JSON object.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use forkexec::{Errno, Outcome, Probe, ProbeKind, ProbeReport, capabilities, supports};
use serde::Serialize;

use super::words;
use crate::micros::micros;
use crate::signal;

const HEADING: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
/// The width of the output, if its words fit.
const COLUMNS: usize = 80;
const GAP: &str = "  ";
const TITLES: [&str; 5] = ["RESULT", "TASK", "METHOD", "TIME", "REASON"];

/// Prints the trials, the facts about the system and the verdict.
pub(super) fn table(report: &ProbeReport, out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<[String; 5]> = report.trials.iter().map(cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([TITLES[column].len()]).max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    line(&TITLES.map(str::to_owned), widths, HEADING, HEADING, out)?;
    for (row, trial) in rows.iter().zip(&report.trials) {
        let style = if trial.outcome == Outcome::Works { GOOD } else { BAD };
        line(row, widths, style, Style::new(), out)?;
    }
    writeln!(out)?;
    facts(report, out)?;
    writeln!(out)?;
    let style = if words::is_exact(report) { GOOD } else { BAD };
    writeln!(out, "{style}{}{style:#}", words::verdict(report))
}

fn cells(trial: &Probe) -> [String; 5] {
    let time = match trial.outcome {
        Outcome::Works => format!("{:.1} µs", micros(trial.took)),
        _ => String::new(),
    };
    let reason = words::reason(trial.outcome, trial.kind).unwrap_or_default();
    [words::word(trial.outcome).into(), words::task(trial.kind).into(), trial.name.into(), time, reason]
}

fn line(
    [result, task, method, time, reason]: &[String; 5],
    [of_result, of_task, of_method, of_time]: [usize; 4],
    style: Style,
    rest: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let before = of_result + of_task + of_method + of_time + 4 * GAP.len();
    let mut reasons = wrapped(reason, COLUMNS.saturating_sub(before)).into_iter();
    let first = reasons.next().unwrap_or_default();
    let text = format!("{task:<of_task$}{GAP}{method:<of_method$}{GAP}{time:>of_time$}{GAP}{first}");
    writeln!(out, "{style}{result:<of_result$}{style:#}{GAP}{rest}{}{rest:#}", text.trim_end())?;
    reasons.try_for_each(|reason| writeln!(out, "{:before$}{reason}", ""))
}

fn facts(report: &ProbeReport, out: &mut dyn Write) -> io::Result<()> {
    let limit = report.descriptor_limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
    let numbers = report.loop_numbers.map_or_else(
        || "refused: too many numbers".to_owned(),
        |numbers| format!("closes {numbers} numbers one by one"),
    );
    let resources: Vec<_> = capabilities().resources.iter().map(|(name, _)| *name).collect();
    let mut facts = vec![("system", report.system.to_owned())];
    if let Some(android) = &report.android {
        let level = android.api_level.map_or_else(|| "unknown".to_owned(), |level| level.to_string());
        facts.extend([("Android API level", level), ("not called", list(&android.not_called))]);
    }
    facts.extend([
        ("descriptor limit", limit),
        ("loop", numbers),
        ("operations", list(&operations())),
        ("limits", list(&resources)),
    ]);
    facts.iter().try_for_each(|(name, value)| fact(name, value, out))
}

fn fact(name: &str, value: &str, out: &mut dyn Write) -> io::Result<()> {
    const NAMES: usize = 17;
    let names = [name].into_iter().chain(std::iter::repeat(""));
    let lines = wrapped(value, COLUMNS - NAMES - GAP.len());
    names.zip(lines).try_for_each(|(name, line)| writeln!(out, "{name:<NAMES$}{GAP}{line}"))
}

/// Returns a text as lines of at most this width, if its words fit.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is always a line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn list(words: &[&str]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(" ") }
}

fn operations() -> Vec<&'static str> {
    let operations = capabilities().operations.iter().copied();
    operations.filter(|&operation| supports(operation)).map(words::operation).collect()
}

#[derive(Serialize)]
struct Object<'a> {
    system: &'a str,
    android: Option<AndroidObject<'a>>,
    exact: bool,
    close_strategy: Option<&'a str>,
    trials: Vec<ProbeObject<'a>>,
    descriptor_limit: Option<u64>,
    loop_numbers: Option<u32>,
    operations: Vec<&'a str>,
    resources: Vec<&'a str>,
    reserved_signals: &'a [i32],
}

#[derive(Serialize)]
struct AndroidObject<'a> {
    api_level: Option<u32>,
    not_called: &'a [&'a str],
}

#[derive(Serialize)]
struct ProbeObject<'a> {
    kind: &'a str,
    strategy: Option<&'a str>,
    name: &'a str,
    outcome: &'a str,
    errno: Option<String>,
    signal: Option<String>,
    took_us: f64,
}

/// Prints the object on one line.
pub(super) fn json(report: &ProbeReport, out: &mut dyn Write) -> io::Result<()> {
    let object = Object {
        system: report.system,
        android: report
            .android
            .as_ref()
            .map(|android| AndroidObject { api_level: android.api_level, not_called: &android.not_called }),
        exact: words::is_exact(report),
        close_strategy: report.first_link().map(words::strategy),
        trials: report.trials.iter().map(trial).collect(),
        descriptor_limit: report.descriptor_limit,
        loop_numbers: report.loop_numbers,
        operations: operations(),
        resources: capabilities().resources.iter().map(|(name, _)| *name).collect(),
        reserved_signals: capabilities().reserved_signals,
    };
    writeln!(out, "{}", serde_json::to_string(&object)?)
}

fn trial(trial: &Probe) -> ProbeObject<'static> {
    let (kind, strategy) = match trial.kind {
        ProbeKind::Close(strategy) => ("close", Some(words::strategy(strategy))),
        ProbeKind::Operation(_) => ("operation", None),
        ProbeKind::TakeFd => ("take", None),
        _ => ("spawn", None),
    };
    let (errno, signal) = match trial.outcome {
        Outcome::Refused(errno) | Outcome::NotRun(errno) => (Some(name(errno)), None),
        Outcome::Died(Some(number)) => (None, Some(signal::name(number))),
        Outcome::Trapped => (None, Some(signal::name(libc::SIGSYS))),
        _ => (None, None),
    };
    let (name, outcome) = (trial.name, words::word(trial.outcome));
    ProbeObject { kind, strategy, name, outcome, errno, signal, took_us: micros(trial.took) }
}

fn name(errno: Errno) -> String {
    errno.name().map_or_else(|| errno.raw().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn line_breaks_before_the_word_that_does_not_fit() {
        assert_eq!(wrapped("one two three", 13), ["one two three"]);
        assert_eq!(wrapped("one two three", 12), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 6), ["one", "two", "three"]);
        assert_eq!(wrapped("", 6), [""]);
    }
}
