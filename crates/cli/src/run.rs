//! `forkexec run`: starts a program with exactly what is named, waits for it, and exits as it did.
//!
//! One file a group of options: each says what its options mean and applies them to the command.

mod arrivals;
mod deadline;
mod descriptors;
mod environment;
pub(crate) mod forward;
mod identity;
mod manual;
mod orphans;
pub(crate) mod outcome;
mod progress;
mod report;
mod signals;
mod streams;
mod summary;
mod surroundings;
mod terminal;
mod usage;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueHint};
use forkexec::Command;

use crate::exit::{self, Failure};
use crate::fds::printable;
use crate::help;
use progress::Progress;
use report::{End, Format};
use summary::When;

/// Start a program with exactly the descriptors that are named
///
/// The program gets 0, 1, 2 and what --keep and --map name; everything else is closed, close-on-exec
/// or not. One of 0, 1 and 2 that is closed here is closed there. No signal is blocked. A program
/// named without a slash is searched in the PATH that it will have.
///
/// forkexec waits and exits with the program's own code, or with 128 + n if signal n killed it. It
/// forwards signals, and stops and continues together with the program.
#[derive(Args)]
#[command(
    override_usage = "forkexec run [OPTIONS] [--] <PROGRAM> [ARGS]...",
    after_help = help::examples(EXAMPLES),
    after_long_help = [help::examples(EXAMPLES), manual::sections(), exit::help()].join("\n\n"),
)]
pub(crate) struct Options {
    /// The program and its arguments; what follows PROGRAM is the program's own
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,

    /// Say on standard error how the program was started and how it ended
    ///
    /// The text form says when it starts: the method, what closed the descriptors, and when each
    /// stage began; and when it ends. The JSON form is one object at the end. A program that does
    /// not start has no report.
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    report: Option<Format>,

    /// Say on standard error what the program used: time, processors, memory
    ///
    /// One line at its end, on a terminal, or wherever standard error leads with `always`. Processor time is that of the
    /// program and of all descendants that were waited for; memory is the most that one of them had at a time, and not less
    /// than what forkexec itself has.
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "auto")]
    summary: Option<When>,

    /// Show on standard error, if that is a terminal, how long the program has run
    #[arg(long)]
    progress: bool,

    #[command(flatten)]
    deadline: deadline::Options,
    #[command(flatten)]
    descriptors: descriptors::Options,
    #[command(flatten)]
    streams: streams::Options,
    #[command(flatten)]
    environment: environment::Options,
    #[command(flatten)]
    surroundings: surroundings::Options,
    #[command(flatten)]
    signals: signals::Options,
    #[command(flatten)]
    orphans: orphans::Options,
    #[command(flatten)]
    identity: identity::Options,
}

const EXAMPLES: help::Examples = &[
    ("forkexec run make -j4", "make gets 0, 1 and 2 alone"),
    ("forkexec run --map 5:3 server", "server gets our 5 as its 3"),
    ("forkexec run --stdin null --setsid daemon", "no input, no terminal"),
    ("forkexec run --keep-groups --user nobody id", "as somebody else"),
    ("forkexec run --limit nofile=64 --report sh", "say how it was started"),
    ("forkexec run --timeout 5m --kill-after 10 job", "not longer than that"),
    ("forkexec run --timeout 1h --kill-tree make", "nor what it started"),
    ("forkexec run --stderr stdout job | less", "both into the pipe"),
];

/// Starts the program, waits for it, and gives its exit code.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let program = printable(&options.command.first().map(|name| name.to_string_lossy()).unwrap_or_default());
    let mut command = command(options)?;
    if options.report.is_some() {
        command.time_stages();
    }
    let started = Instant::now();
    let (mut child, mut watch) =
        watch::spawn(&mut command, plan(options)?, |error| outcome::failure(options, error))?;
    drop(command); // what it holds open is the child's alone
    report::started(options.report, &child);
    let mut progress = Progress::new(options.progress, &program, started);
    let waited = options.deadline.wait(&mut child, &mut watch, &mut progress);
    watch.ended();
    progress.clear();
    let (status, overdue) = waited?;
    let end = End { status, overdue, took: started.elapsed(), usage: usage::of_children() };
    report::ended(options.report, &child, &end);
    summary::print(options.summary, &program, &end);
    if overdue.is_none() && outcome::is_interrupt(status) {
        drop(child); // its control group is removed with it
        outcome::interrupt(watch.missed_interrupt());
    }
    Ok(outcome::code_of_run(options, status, overdue))
}

/// How the program is watched.
fn plan(options: &Options) -> Result<watch::Plan, Failure> {
    options.orphans.apply()?;
    let to_group = options.deadline.holds_tree() && options.surroundings.leads_group();
    let terminal = options.surroundings.terminal(to_group)?;
    Ok(watch::Plan { terminal, to_group, keeps_ignored: options.signals.keeps_ignored() })
}

/// Everything that was asked for, as the library's command.
///
/// Numbers become descriptors before anything is opened or looked up: a number that this command opened for itself is
/// not one that it was handed.
fn command(options: &Options) -> Result<Command<'static>, Failure> {
    let (program, args) =
        options.command.split_first().ok_or_else(|| Failure::refused("no program is named"))?;
    let mut command = Command::new(program);
    command.args(args);
    options.descriptors.apply(&mut command)?;
    options.surroundings.apply(&mut command)?;
    options.deadline.apply(&mut command);
    options.signals.apply(&mut command);
    options.environment.apply(&mut command);
    options.identity.apply(&mut command)?;
    options.streams.apply(&mut command, &options.descriptors)?;
    Ok(command)
}
