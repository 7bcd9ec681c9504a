//! `--progress`: a line with the elapsed time.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::{duration, stdout};

/// The time between two updates of the line.
const PERIOD: Duration = Duration::from_secs(1);

/// The line, which is shown only on a terminal.
pub(super) struct Progress {
    program: Option<String>,
    started: Instant,
    is_drawn: bool,
}

impl Progress {
    /// Makes a line that is not drawn yet.
    pub(super) fn new(is_wanted: bool, program: &str, started: Instant) -> Self {
        let is_seen = is_wanted && io::stderr().is_terminal();
        Self { program: is_seen.then(|| program.to_owned()), started, is_drawn: false }
    }

    /// Returns the time between two updates. `None` if the line is not shown.
    pub(super) fn period(&self) -> Option<Duration> {
        self.program.as_ref().map(|_| PERIOD)
    }

    /// Draws the line over the previous one.
    pub(super) fn draw(&mut self) {
        let Some(program) = &self.program else { return };
        let elapsed = duration::written(self.started.elapsed());
        stdout::from_background(|| drop(write!(io::stderr(), "\r\x1b[Kforkexec: run: {program}: {elapsed}")));
        self.is_drawn = true;
    }

    /// Erases the line.
    pub(super) fn clear(&mut self) {
        if self.is_drawn {
            stdout::from_background(|| drop(write!(io::stderr(), "\r\x1b[K")));
        }
        self.is_drawn = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_erased_once() {
        let mut line = Progress { program: Some("true".to_owned()), started: Instant::now(), is_drawn: true };
        line.clear();
        assert!(!line.is_drawn);
    }

    /// Otherwise the main loop would wake up for nothing.
    #[test]
    fn only_a_line_that_is_shown_has_a_period() {
        let started = Instant::now();
        let shown = Progress { program: Some("true".to_owned()), started, is_drawn: false };
        assert_eq!([Progress::new(false, "true", started).period(), shown.period()], [None, Some(PERIOD)]);
    }
}
