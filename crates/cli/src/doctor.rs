//! `forkexec doctor`: tries the methods of closing descriptors and starting children, and prints the results.

mod print;
mod words;

use std::process::ExitCode;

use clap::Args;

use crate::exit::{Code, Failure};
use crate::{help, stdout};

/// Check what this kernel and container allow
///
/// Tries each method of closing descriptors and of starting a child, and each attribute that only some systems have, each in
/// a separate process. The version of a kernel
/// does not show which calls a seccomp filter refuses, or whether /proc is real.
///
/// The check fails if no method closes descriptors, or if no child can be started. It also fails if a start would kill the
/// calling program, because a filter traps (SIGSYS) a call that the parent makes.
#[derive(Args)]
#[command(
    after_help = help::examples(EXAMPLES),
    after_long_help = help::sections("doctor", EXAMPLES, SEE_ALSO),
)]
pub(crate) struct Options {
    /// Print a JSON object instead of a table
    ///
    /// exact is true if children get exactly the descriptors that are named. close_strategy is the value that
    /// --close-strategy needs for that, or null. descriptor_limit is null if there is none. loop_numbers is how many
    /// numbers the loop closes, or null if they are too many. The other members are system, operations, resources,
    /// reserved_signals, android and trials.
    ///
    /// android is null on other systems. On Android, it has api_level and not_called: the calls that are not made, because
    /// a seccomp filter of this release may trap them.
    ///
    /// Each trial has kind (close, spawn or operation), strategy (null except for close), name, outcome, errno, signal and took_us (in
    /// microseconds). outcome is works, refused, trapped, not-called, untrusted, not-shared, sanitizer, leaks, died or
    /// not-run.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: help::Examples = &[
    ("forkexec doctor", "check this system"),
    ("docker run IMAGE forkexec doctor", "check a container"),
    ("forkexec doctor --json | jq .close_strategy", "use the result in a script"),
];

const SEE_ALSO: help::Pages = &["forkexec(1), forkexec-run(1), close_range(2), seccomp(2), proc(5)"];

/// Tries all methods and prints the results.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let probe = forkexec::probe();
    let print = if options.json { print::json } else { print::table };
    stdout::write(|out| print(&probe, out))?;
    Ok(if words::is_exact(&probe) { Code::Ok } else { Code::Refused }.into())
}
