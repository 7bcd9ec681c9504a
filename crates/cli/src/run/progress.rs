//! `--progress`: a line that says how long the program has run.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::{duration, stdout};

/// How often it is drawn.
const PERIOD: Duration = Duration::from_secs(1);

/// The line, which is there on a terminal only.
pub(super) struct Progress {
    program: Option<String>,
    started: Instant,
    is_drawn: bool,
}

impl Progress {
    /// A line that is not drawn yet.
    pub(super) fn new(is_wanted: bool, program: &str, started: Instant) -> Self {
        let is_seen = is_wanted && io::stderr().is_terminal();
        Self { program: is_seen.then(|| program.to_owned()), started, is_drawn: false }
    }

    /// How often to draw it; never where nobody sees it.
    pub(super) fn period(&self) -> Option<Duration> {
        self.program.as_ref().map(|_| PERIOD)
    }

    /// Draws it over itself.
    pub(super) fn draw(&mut self) {
        let Some(program) = &self.program else { return };
        let elapsed = duration::written(self.started.elapsed());
        stdout::from_background(|| drop(write!(io::stderr(), "\r\x1b[Kforkexec: run: {program}: {elapsed}")));
        self.is_drawn = true;
    }

    /// Takes it away.
    pub(super) fn clear(&mut self) {
        if self.is_drawn {
            stdout::from_background(|| drop(write!(io::stderr(), "\r\x1b[K")));
        }
        self.is_drawn = false;
    }
}
