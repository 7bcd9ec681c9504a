//! `--report`: the start and the end of the program.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use clap::ValueEnum;
use forkexec::Child;
use serde::Serialize;

use super::deadline::Overdue;
use super::usage::Usage;
use crate::micros::micros;
use crate::{signal, stdout};

/// The format of the report.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Lines of text (default)
    Text,
    /// One JSON object
    Json,
}

#[derive(Serialize)]
struct Report {
    pid: u32,
    method: &'static str,
    close_method: &'static str,
    stages: Vec<Began>,
    code: Option<i32>,
    signal: Option<String>,
    /// The last signal that was sent because its time was over.
    overdue: Option<Overdue>,
    took_us: f64,
    user_us: Option<f64>,
    system_us: Option<f64>,
    max_rss_kib: Option<u64>,
}

#[derive(Serialize)]
struct Began {
    stage: &'static str,
    began_us: f64,
}

/// The end of the program, and the time and resources that it used.
pub(super) struct End {
    pub(super) status: ExitStatus,
    pub(super) overdue: Option<Overdue>,
    pub(super) took: Duration,
    pub(super) usage: Option<Usage>,
}

impl End {
    /// Returns text such as `exited with 3` or `was killed by SIGTERM (timed out)`.
    pub(super) fn words(&self) -> String {
        let how = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exited with {code}"),
            (None, signal) => format!("was killed by {}", signal.map(signal::name).unwrap_or_default()),
        };
        let why = if self.overdue.is_some() { " (timed out)" } else { "" };
        how + why
    }
}

/// Reports the start of the program.
pub(super) fn started(format: Option<Format>, child: &Child) {
    if format != Some(Format::Text) {
        return;
    }
    let (pid, method, closer) = (child.id(), child.method().name(), child.close_method().name());
    stdout::note(&format!("run: started process {pid}: spawn method {method}, close method {closer}"));
    for Began { stage, began_us } in stages(child) {
        stdout::note(&format!("run: {began_us:>10.1} µs  {stage}"));
    }
}

/// Reports the end of the program.
pub(super) fn ended(format: Option<Format>, child: &Child, end: &End) {
    let took_us = micros(end.took);
    match format {
        None => {}
        Some(Format::Text) => stdout::note(&format!("run: {} after {took_us:.1} µs", end.words())),
        Some(Format::Json) => {
            let report = Report {
                pid: child.id(),
                method: child.method().name(),
                close_method: child.close_method().name(),
                stages: stages(child),
                code: end.status.code(),
                signal: end.status.signal().map(signal::name),
                overdue: end.overdue,
                took_us,
                user_us: end.usage.map(|usage| micros(usage.user)),
                system_us: end.usage.map(|usage| micros(usage.system)),
                max_rss_kib: end.usage.and_then(|usage| usage.max_rss_kib),
            };
            let line = serde_json::to_string(&report).unwrap_or_default();
            let _ = writeln!(anstream::stderr(), "{line}");
        }
    }
}

fn stages(child: &Child) -> Vec<Began> {
    let times = child.stage_times().into_iter().flatten();
    times.map(|(stage, began)| Began { stage: stage.name(), began_us: micros(began) }).collect()
}
