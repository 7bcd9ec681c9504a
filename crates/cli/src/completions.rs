//! `forkexec completions`: the completion scripts for shells.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{Code, Failure};
use crate::{help, stdout};

/// Print the completion script for a shell
#[derive(Args)]
#[command(
    after_help = help::examples(EXAMPLES),
    after_long_help = help::sections("completions", EXAMPLES, SEE_ALSO),
)]
pub(crate) struct Options {
    /// The shell that runs the script
    shell: Shell,
}

const EXAMPLES: help::Examples = &[
    ("source <(forkexec completions bash)", "for this session of bash"),
    ("forkexec completions fish | source", "for this session of fish"),
];

const SEE_ALSO: help::Pages = &["forkexec(1), forkexec-man(1), bash(1), fish(1), zsh(1)"];

/// Prints the script.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let mut script = Vec::new(); // not standard output itself: clap_complete panics if a pipe breaks
    clap_complete::generate(options.shell, &mut Cli::command(), "forkexec", &mut script);
    if options.shell == Shell::Fish {
        script = with_letter(&script);
    }
    stdout::write(|out| out.write_all(&script))?;
    Ok(Code::Ok.into())
}

/// Gives the global option that has no letter one for the `argparse` of fish, which requires a letter before fish 3.2. With a
/// dash after it, the letter is no option.
fn with_letter(script: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(script).replacen(r"join \n color=", r"join \n c-color=", 1).into_bytes()
}
