//! `forkexec exec`: replaces this process by a program with exactly the descriptors that the options name.

use std::process::ExitCode;

use clap::Args;

use crate::exit::Failure;
use crate::help;
use crate::run::{outcome, program};

/// Replace forkexec by a program with exactly the descriptors that you name
///
/// The program gets what `forkexec run` would give it. It keeps the process id and the parent of forkexec, as with env(1),
/// nice(1) and setpriv(1): no forkexec remains to wait for it. So it has no options for timeouts, reports and orphans, and a
/// terminal that --foreground took is not given back. --die-with-parent is about the parent of forkexec.
///
/// This works on Linux only.
#[derive(Args)]
#[command(
    override_usage = "forkexec exec [OPTIONS] [--] <PROGRAM> [ARGS]...",
    after_help = help::examples(EXAMPLES),
    after_long_help = help::sections("exec", EXAMPLES, SEE_ALSO),
)]
pub(crate) struct Options {
    #[command(flatten)]
    program: program::Options,
}

const EXAMPLES: help::Examples = &[
    ("forkexec exec --keep 3 -- server", "server gets 0, 1, 2 and 3"),
    ("forkexec exec --user www --keep-groups -- id", "run as another user"),
    ("forkexec exec --limit core=0 --nice 5 -- make", "limits and priority"),
];

const SEE_ALSO: help::Pages = &["forkexec(1), forkexec-run(1), env(1), nice(1), setpriv(1), execve(2)"];

/// Executes the program. Returns only if that failed.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let failed = options.program.command()?.exec();
    Err(outcome::failure(&options.program, failed.error()))
}
