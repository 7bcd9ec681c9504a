//! `--report`: how the program was started and how it ended.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use clap::ValueEnum;
use forkexec::{Child, Stage};
use serde::Serialize;

use crate::micros::micros;
use crate::{signal, stdout};

/// For whom the report is.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Serialize)]
struct Report {
    pid: u32,
    method: &'static str,
    closer: &'static str,
    stages: Vec<Began>,
    #[serde(flatten)]
    end: End,
    took_us: f64,
}

#[derive(Serialize)]
struct Began {
    stage: String,
    began_us: f64,
}

/// One of the two is there.
#[derive(Serialize)]
struct End {
    code: Option<i32>,
    signal: Option<String>,
}

/// Says how the program was started.
pub(super) fn started(format: Option<Format>, child: &Child) {
    if format != Some(Format::Text) {
        return;
    }
    let (pid, method, closer) = (child.id(), child.method().name(), child.closer());
    stdout::note(&format!("run: started process {pid} by {method}; others were closed by {closer}"));
    for Began { stage, began_us } in stages(child) {
        stdout::note(&format!("run: {began_us:>10.1} µs  {stage}"));
    }
}

/// Says how the program ended, after so much time.
pub(super) fn ended(format: Option<Format>, child: &Child, status: ExitStatus, took: Duration) {
    let end = End { code: status.code(), signal: status.signal().map(signal::name) };
    let took_us = micros(took);
    match format {
        None => {}
        Some(Format::Text) => {
            let how = match (end.code, end.signal) {
                (Some(code), _) => format!("exited with {code}"),
                (None, signal) => format!("was killed by {}", signal.unwrap_or_default()),
            };
            stdout::note(&format!("run: {how} after {took_us:.1} µs"));
        }
        Some(Format::Json) => {
            let (pid, method, closer) = (child.id(), child.method().name(), child.closer());
            let report = Report { pid, method, closer, stages: stages(child), end, took_us };
            let line = serde_json::to_string(&report).unwrap_or_default();
            let _ = writeln!(anstream::stderr(), "{line}");
        }
    }
}

fn stages(child: &Child) -> Vec<Began> {
    let times = child.stage_times().into_iter().flatten();
    times.map(|(stage, began)| Began { stage: name(stage), began_us: micros(began) }).collect()
}

/// `process-group`, from `ProcessGroup`.
fn name(stage: Stage) -> String {
    let mut name = String::new();
    for c in format!("{stage:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_have_names_like_options() {
        assert_eq!(
            (name(Stage::ProcessGroup).as_str(), name(Stage::Exec).as_str()),
            ("process-group", "exec")
        );
    }
}
