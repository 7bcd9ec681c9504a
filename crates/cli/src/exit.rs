//! The exit codes as one table, and the failure that carries one.
//!
//! The codes of failures are those of `env` and `timeout`, so that they do not collide with the codes of a well-behaved
//! child.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::help;

/// An exit code of this command itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok = 0,
    Leaks = 123,
    TimedOut = 124,
    Refused = 125,
    CannotRun = 126,
    NotFound = 127,
}

/// The codes, the commands that have them, and their meanings: text of `--help` and of the manual pages.
const TABLE: [(&str, &[&str], &str); 10] = [
    ("0", ALL, "success, also if the reader of standard output closes it early"),
    ("123", &["forkexec", "leaks"], "leaks --fail: the program succeeded, and there are leaks"),
    ("124", &["forkexec", "run"], "run --timeout: the time was over, and SIGTERM was sent"),
    ("125", ALL, "forkexec itself failed; also for usage errors"),
    ("125", &["forkexec", "doctor"], "doctor: children cannot be started with exactly their descriptors"),
    ("126", STARTS, "the program was found, but cannot be run"),
    ("127", STARTS, "the program was not found"),
    ("128+n", WAITS, "signal n killed the program"),
    ("SIGINT", WAITS, "forkexec ends by SIGINT if that killed the program; shells show 130"),
    ("other", WAITS, "the exit code of the program"),
];

const ALL: &[&str] = &["forkexec", "run", "exec", "doctor", "fds", "leaks", "completions", "man"];
const STARTS: &[&str] = &["forkexec", "run", "exec", "leaks"];
const WAITS: &[&str] = &["forkexec", "run", "leaks"];

/// The section of `--help` that lists the codes of one command.
pub(crate) fn help(command: &str) -> String {
    let rows = TABLE.iter().filter(|(_, commands, _)| commands.contains(&command));
    let rows: Vec<_> = rows.map(|(code, _, meaning)| format!("{code:<6}  {meaning}")).collect();
    help::section("Exit status", &rows)
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// The failure of a subcommand: an exit code, a message and its cause.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    what: String,
    cause: Option<Box<dyn Error>>,
}

impl Failure {
    /// Makes a failure with [`Code::Refused`]. `what` is lower case and has no full stop.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self::new(Code::Refused, what)
    }

    /// Makes a failure with any code.
    pub(crate) fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), cause: None }
    }

    /// Adds the cause.
    pub(crate) fn because(mut self, cause: impl Into<Box<dyn Error>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Returns the exit code.
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
