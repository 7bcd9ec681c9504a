//! `forkexec doctor`: whether children can be started exactly here, and by what.

mod print;
mod words;

use std::process::ExitCode;

use clap::Args;

use crate::exit::{self, Code, Failure};
use crate::{help, stdout};

/// Show what this kernel and this container allow
///
/// Every way of closing descriptors and of starting a child is tried in a throw-away process: a
/// version number does not tell what a seccomp filter refuses, or whether /proc is genuine.
///
/// It fails if no way of closing works from anywhere in the chain, no child can be started, or a start
/// would end the program that makes it: a filter traps (SIGSYS) a call of the parent.
#[derive(Args)]
#[command(
    after_help = help::examples(EXAMPLES),
    after_long_help = help::examples(EXAMPLES) + "\n\n" + &exit::help(),
)]
pub(crate) struct Options {
    /// Print a JSON object instead of a table
    ///
    /// It has system; android (null elsewhere, or an object with api_level and not_called: the calls
    /// that a seccomp filter of this release may trap, and that are not made); exact (whether children
    /// get exactly what they are handed); close_from (the link that --close-strategy is to be given, or
    /// null); trials, with kind, link, name, outcome (works, refused, trapped, not-called, untrusted,
    /// not-shared, sanitizer, leaks, died or untried), errno, signal and took_us; descriptor_limit (null
    /// is none); loop_numbers (null where the loop refuses); operations, resources and
    /// reserved_signals.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: help::Examples = &[
    ("forkexec doctor", "what works here"),
    ("docker run IMAGE forkexec doctor", "what works there"),
    ("forkexec doctor --json | jq .close_from", "for other programs"),
];

/// Tries everything and prints what came of it.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let survey = forkexec::probe();
    let print = if options.json { print::json } else { print::table };
    stdout::write(|out| print(&survey, out))?;
    Ok(if words::is_exact(&survey) { Code::Ok } else { Code::Refused }.into())
}
