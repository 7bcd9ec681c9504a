//! `--summary`: one line with the time, processor time and memory that the program used.

use std::io::{self, IsTerminal};

use clap::ValueEnum;

use super::report::End;
use crate::{duration, stdout};

/// The condition for printing the summary.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// Print it if standard error is a terminal (default)
    Auto,
    /// Print it always
    Always,
}

/// Prints the summary.
pub(super) fn print(when: Option<When>, program: &str, end: &End) {
    let is_wanted = match when {
        None => false,
        Some(When::Auto) => io::stderr().is_terminal(),
        Some(When::Always) => true,
    };
    if is_wanted {
        stdout::note(&format!("run: {program} {}", line(end)));
    }
}

fn line(end: &End) -> String {
    let (how, took) = (end.words(), duration::written(end.took));
    let Some(usage) = end.usage else { return format!("{how} after {took}") };
    let (user, system) = (duration::written(usage.user), duration::written(usage.system));
    let mebibytes = |kib: u64| format!(", peak memory {}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024);
    let memory = usage.max_rss_kib.map(mebibytes).unwrap_or_default();
    format!("{how} after {took}; user {user}, system {system}{memory}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::time::Duration;

    use super::super::deadline::Overdue;
    use super::super::usage::Usage;
    use super::*;

    #[test]
    fn line_omits_unknown_values() {
        let usage = Usage {
            user: Duration::from_millis(1250),
            system: Duration::from_secs(70),
            max_rss_kib: Some(12_900),
        };
        let mut end = End {
            status: ExitStatus::from_raw(3 << 8),
            overdue: None,
            took: Duration::from_secs(80),
            usage: Some(usage),
        };
        assert_eq!(line(&end), "exited with 3 after 1:20; user 1.2 s, system 1:10, peak memory 12.5 MiB");
        end =
            End { status: ExitStatus::from_raw(15), overdue: Some(Overdue::Terminated), usage: None, ..end };
        assert_eq!(line(&end), "was killed by SIGTERM (timed out) after 1:20");
    }
}
