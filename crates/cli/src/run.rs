//! `forkexec run`: starts a program with exactly the descriptors that the options name, waits for it, and exits as it did.
//!
//! Each group of options has one file, which parses the options and applies them to the command.

mod announced;
mod arrivals;
mod confinement;
mod deadline;
mod descriptors;
mod environment;
pub(crate) mod forward;
mod identity;
mod limits;
mod manual;
mod namespaces;
mod orphans;
pub(crate) mod outcome;
pub(crate) mod program;
mod progress;
mod pty;
mod report;
mod scheduling;
mod signals;
mod streams;
mod summary;
mod surroundings;
mod terminal;
mod usage;
mod watch;

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use crate::exit::Failure;
use crate::fds::printable;
use crate::help;
use progress::Progress;
use report::{End, Format};
use summary::When;

/// Start a program with exactly the descriptors that you name
///
/// The program gets 0, 1, 2 and the descriptors that --keep and --map name. All others are closed, with or without
/// close-on-exec. If 0, 1 or 2 is closed in forkexec, it is closed in the program. No signal is blocked in the program. A
/// PROGRAM without a slash is looked up in the PATH that the program will have.
///
/// forkexec waits for the program, and exits with its exit code, or with 128 + n if signal n killed it. Meanwhile it
/// forwards signals, and stops and continues together with the program.
#[derive(Args)]
#[command(
    override_usage = "forkexec run [OPTIONS] [--] <PROGRAM> [ARGS]...",
    after_help = help::examples(EXAMPLES),
    after_long_help = manual::sections() + "\n\n" + &help::sections("run", EXAMPLES, SEE_ALSO),
)]
pub(crate) struct Options {
    /// Report on standard error how the program starts and ends
    ///
    /// The text report has the method that started the program, the method that closed the other descriptors, the time at
    /// which each stage began, and the end of the program. A program that does not start has no report.
    ///
    /// The JSON report is one object, printed when the program has ended: pid, method, close_method, stages (a list of
    /// objects with stage and began_us), code, signal, overdue (null, "terminated" or "killed"), took_us, user_us,
    /// system_us and max_rss_kib. Times are in microseconds. Unknown values are null.
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
    report: Option<Format>,

    /// Print on standard error the time, processor time and memory that the program used
    ///
    /// One line, when the program has ended. Processor time is that of the program and of all descendants that were waited
    /// for. Memory is the highest resident set size of one of these processes. It is not below that of forkexec itself.
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "auto")]
    summary: Option<When>,

    /// Show the elapsed time while the program runs, if standard error is a terminal
    #[arg(long)]
    progress: bool,

    /// Start the program stopped, before its first instruction (Linux, macOS)
    ///
    /// A debugger can attach to it. SIGCONT lets it run, also after the debugger has detached. On Linux, a set-user-ID bit of the
    /// program has no effect.
    #[arg(long)]
    start_suspended: bool,

    #[command(flatten)]
    deadline: deadline::Options,
    #[command(flatten)]
    pty: pty::Options,
    #[command(flatten)]
    program: program::Options,
    #[command(flatten)]
    orphans: orphans::Options,
}

const EXAMPLES: help::Examples = &[
    ("forkexec run make -j4", "make gets only 0, 1 and 2"),
    ("forkexec run --map 5:3 server", "give it descriptor 5 as its 3"),
    ("forkexec run --keep-announced cargo build", "in a makefile, after +"),
    ("forkexec run --stdin null --setsid daemon", "no input and no terminal"),
    ("forkexec run --keep-groups --user nobody id", "run as another user"),
    ("forkexec run --limit nofile=64 --report sh", "report how it starts"),
    ("forkexec run --cpus 0-3 --nice 9 make -j4", "on 4 processors"),
    ("forkexec run --unshare net job", "without a network"),
    ("forkexec run --timeout 5m --kill-after 10 job", "end it after 5 minutes"),
    ("forkexec run --timeout 1h --kill-tree make", "end its descendants, too"),
    ("forkexec run --stderr stdout job | less", "both outputs to the pipe"),
    ("forkexec run --pty --stdin null job | less", "colours in a pipe"),
];

const SEE_ALSO: help::Pages = &[
    "forkexec(1), forkexec-leaks(1), env(1), nohup(1), setpriv(1), setsid(1),",
    "taskset(1), timeout(1), execve(2), setrlimit(2), capabilities(7), cgroups(7),",
    "environ(7), landlock(7), namespaces(7), signal(7)",
];

/// Starts the program, waits for it, and returns its exit code.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let program =
        printable(&options.program.command.first().map(|name| name.to_string_lossy()).unwrap_or_default());
    let relay = options.pty.open(&options.program)?;
    let mut command = options.program.command_on(relay.as_ref().and_then(pty::Relay::pty))?;
    options.deadline.apply(&mut command);
    command.start_suspended(options.start_suspended);
    if options.report.is_some() {
        command.time_stages();
    }
    let started = Instant::now();
    let (mut child, mut watch) =
        watch::spawn(&mut command, plan(options, relay)?, |error| outcome::failure(&options.program, error))?;
    drop(command); // closes this process's copies of the child's descriptors
    report::started(options.report, &child);
    watch.begin_relay()?;
    let mut progress = Progress::new(options.progress, &program, started);
    let waited = options.deadline.wait(&mut child, &mut watch, &mut progress);
    watch.ended();
    progress.clear();
    let (status, overdue) = waited?;
    let end = End { status, overdue, took: started.elapsed(), usage: usage::of_children() };
    report::ended(options.report, &child, &end);
    summary::print(options.summary, &program, &end);
    if overdue.is_none() && outcome::is_interrupt(status) {
        drop(child); // removes its control group
        outcome::interrupt(watch.missed_interrupt());
    }
    Ok(outcome::code_of_run(options, status, overdue))
}

/// Returns the settings of the watch over the program.
fn plan(options: &Options, relay: Option<pty::Relay>) -> Result<watch::Plan, Failure> {
    options.orphans.apply()?;
    let to_group = options.deadline.holds_tree() && options.program.surroundings.leads_group();
    let terminal = options.program.surroundings.terminal(to_group && !options.pty.is_given())?;
    Ok(watch::Plan { terminal, relay, to_group, keeps_ignored: options.program.signals.keeps_ignored() })
}
