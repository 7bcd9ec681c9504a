//! The `forkexec` command: starts programs with exactly the descriptors that its options name, and finds leaked ones.
//!
//! Each subcommand has one file. The options are one struct, whose field docs are the text of the help, the manual page
//! and the completions. Its `run` returns an exit code or an [`exit::Failure`].

mod cli;
mod completions;
mod doctor;
mod duration;
mod exec;
mod exit;
mod fds;
mod help;
mod inherited_fds;
mod leaks;
mod man;
mod micros;
mod run;
mod signal;
mod started;
mod stdout;
mod system;

use std::error::Error;
use std::iter::successors;
use std::process::ExitCode;

use cli::{Cli, Subcommand};
use exit::Failure;

fn main() -> ExitCode {
    let (name, done) = match Cli::from_args() {
        Ok(cli) => dispatch(&cli.subcommand),
        Err(answer) => ("help", cli::print_answer(&answer)),
    };
    done.unwrap_or_else(|failure| report(name, &failure))
}

fn dispatch(subcommand: &Subcommand) -> (&'static str, Result<ExitCode, Failure>) {
    match subcommand {
        Subcommand::Run(options) => ("run", run::run(options)),
        Subcommand::Exec(options) => ("exec", exec::run(options)),
        Subcommand::Doctor(options) => ("doctor", doctor::run(options)),
        Subcommand::Fds(options) => ("fds", fds::run(options)),
        Subcommand::Leaks(options) => ("leaks", leaks::run(options)),
        Subcommand::Completions(options) => ("completions", completions::run(options)),
        Subcommand::Man(options) => ("man", man::run(options)),
    }
}

/// Prints the failure and its causes on one line.
fn report(name: &str, failure: &Failure) -> ExitCode {
    let chain = successors(Some(failure as &dyn Error), |&error| error.source());
    let chain = chain.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    stdout::note(&format!("{name}: {chain}"));
    failure.code().into()
}
