//! The two printers: tables for people, an object for programs.

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
const TITLES: [&str; 5] = ["RESULT", "WHAT", "BY", "TIME", "WHY"];

/// Prints what was tried, what is so, and what it comes to.
pub(super) fn table(survey: &ProbeReport, out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<[String; 5]> = survey.trials.iter().map(cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([TITLES[column].len()]).max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    line(&TITLES.map(str::to_owned), widths, HEADING, HEADING, out)?;
    for (row, trial) in rows.iter().zip(&survey.trials) {
        let style = if trial.outcome == Outcome::Works { GOOD } else { BAD };
        line(row, widths, style, Style::new(), out)?;
    }
    writeln!(out)?;
    facts(survey, out)?;
    writeln!(out)?;
    let style = if words::is_exact(survey) { GOOD } else { BAD };
    writeln!(out, "{style}{}{style:#}", words::verdict(survey))
}

fn cells(trial: &Probe) -> [String; 5] {
    let time = match trial.outcome {
        Outcome::Works => format!("{:.1} µs", micros(trial.took)),
        _ => String::new(),
    };
    let reason = words::reason(trial.outcome, trial.kind).unwrap_or_default();
    [words::word(trial.outcome).into(), words::purpose(trial.kind).into(), trial.name.into(), time, reason]
}

fn line(
    [result, what, by, time, why]: &[String; 5],
    [of_result, of_what, of_by, of_time]: [usize; 4],
    style: Style,
    rest: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let text = format!("{what:<of_what$}  {by:<of_by$}  {time:>of_time$}  {why}");
    writeln!(out, "{style}{result:<of_result$}{style:#}  {rest}{}{rest:#}", text.trim_end())
}

fn facts(survey: &ProbeReport, out: &mut dyn Write) -> io::Result<()> {
    let limit = survey.descriptor_limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
    let numbers = survey.loop_numbers.map_or_else(
        || "refused, there are too many".to_owned(),
        |numbers| format!("would close {numbers}, one by one"),
    );
    let resources: Vec<_> = capabilities().resources.iter().map(|(name, _)| *name).collect();
    let mut facts = vec![("system", survey.system.to_owned())];
    if let Some(android) = &survey.android {
        let level = android.api_level.map_or_else(|| "unknown".to_owned(), |level| level.to_string());
        facts.extend([("Android API level", level), ("not called", some(&android.not_called))]);
    }
    facts.extend([
        ("descriptor limit", limit),
        ("loop", numbers),
        ("operations", some(&operations())),
        ("limits", some(&resources)),
    ]);
    facts.iter().try_for_each(|(name, value)| writeln!(out, "{name:<17}  {value}"))
}

fn some(words: &[&str]) -> String {
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
    close_from: Option<&'a str>,
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
    link: Option<&'a str>,
    name: &'a str,
    outcome: &'a str,
    errno: Option<String>,
    signal: Option<String>,
    took_us: f64,
}

/// Prints one object, on one line.
pub(super) fn json(survey: &ProbeReport, out: &mut dyn Write) -> io::Result<()> {
    let close_from = survey.first_link();
    let object = Object {
        system: survey.system,
        android: survey
            .android
            .as_ref()
            .map(|android| AndroidObject { api_level: android.api_level, not_called: &android.not_called }),
        exact: words::is_exact(survey),
        close_from: close_from.map(words::link),
        trials: survey.trials.iter().map(trial).collect(),
        descriptor_limit: survey.descriptor_limit,
        loop_numbers: survey.loop_numbers,
        operations: operations(),
        resources: capabilities().resources.iter().map(|(name, _)| *name).collect(),
        reserved_signals: capabilities().reserved_signals,
    };
    writeln!(out, "{}", serde_json::to_string(&object)?)
}

fn trial(trial: &Probe) -> ProbeObject<'static> {
    let (kind, link) = match trial.kind {
        ProbeKind::Close(link) => ("close", Some(words::link(link))),
        _ => ("launch", None),
    };
    let (errno, signal) = match trial.outcome {
        Outcome::Refused(errno) | Outcome::NotRun(errno) => (Some(name(errno)), None),
        Outcome::Died(Some(number)) => (None, Some(signal::name(number))),
        Outcome::Trapped => (None, Some(signal::name(libc::SIGSYS))),
        _ => (None, None),
    };
    let (name, outcome) = (trial.name, words::word(trial.outcome));
    ProbeObject { kind, link, name, outcome, errno, signal, took_us: micros(trial.took) }
}

fn name(errno: Errno) -> String {
    errno.name().map_or_else(|| errno.raw().to_string(), str::to_owned)
}
