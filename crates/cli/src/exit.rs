//! How this command exits: the codes as one table, and the failure that carries one.
//!
//! Those of failures start where `env` and `timeout` start theirs, so that none collides with what a
//! well-behaved child exits with.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::help;

/// An exit code of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok = 0,
    Leaks = 123,
    TimedOut = 124,
    Refused = 125,
    CannotRun = 126,
    NotFound = 127,
}

/// Every code and what it means: the text of `--help` and of the manual page.
const TABLE: [(&str, &str); 9] = [
    ("0", "done; also where the reader of a pipe left early"),
    ("123", "leaks --fail: there are leaks, and the program succeeded"),
    ("124", "run --timeout: the time was over, and the program was terminated"),
    ("125", "refused, or failed by forkexec itself; usage errors, too"),
    ("126", "the program was found but cannot be run"),
    ("127", "the program was not found"),
    ("128+n", "the program was killed by signal n"),
    ("SIGINT", "ends forkexec if it killed the program; shells show 130 for that"),
    ("other", "what the program exited with"),
];

/// The section of `--help` that lists [`TABLE`].
pub(crate) fn help() -> String {
    let rows = TABLE.map(|(code, meaning)| format!("{code:<6}  {meaning}"));
    help::section("Exit status", &rows)
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// Why a subcommand gave up, with what code to exit, and what caused it.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    what: String,
    cause: Option<Box<dyn Error>>,
}

impl Failure {
    /// A failure with [`Code::Refused`]. `what` is lower case and has no full stop.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self::new(Code::Refused, what)
    }

    /// A failure with any code.
    pub(crate) fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), cause: None }
    }

    /// Adds what caused it.
    pub(crate) fn because(mut self, cause: impl Into<Box<dyn Error>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// With what to exit.
    pub(crate) fn code(&self) -> Code {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref()
    }
}
