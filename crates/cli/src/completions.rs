//! `forkexec completions`: what makes a shell complete this command.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{self, Code, Failure};
use crate::{help, stdout};

/// Print what makes a shell complete this command
#[derive(Args)]
#[command(
    after_help = help::examples(EXAMPLES),
    after_long_help = help::examples(EXAMPLES) + "\n\n" + &exit::help(),
)]
pub(crate) struct Options {
    /// The shell to print it for
    shell: Shell,
}

const EXAMPLES: help::Examples = &[
    ("source <(forkexec completions bash)", "for this session of bash"),
    ("forkexec completions fish | source", "for this session of fish"),
];

/// Prints the completions.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let mut script = Vec::new(); // not standard output itself: clap_complete panics where a pipe breaks
    clap_complete::generate(options.shell, &mut Cli::command(), "forkexec", &mut script);
    stdout::write(|out| out.write_all(&script))?;
    Ok(Code::Ok.into())
}
