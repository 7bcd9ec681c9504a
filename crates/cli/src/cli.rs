//! The command line as a whole: the global options, the subcommands, and the output for a line that cannot be parsed.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{ColorChoice, Parser, ValueEnum};

use crate::exit::{Code, Failure};
use crate::{completions, doctor, exec, fds, help, leaks, man, run, stdout};

/// Start programs with exactly the file descriptors that you name
///
/// 'forkexec run' starts a program with the descriptors that its options name, and closes all others. The other
/// subcommands find leaked descriptors, list the descriptors of a process, and check what the kernel allows.
#[derive(Parser)]
#[command(
    name = "forkexec",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    override_usage = "forkexec [OPTIONS] <COMMAND>",
    after_help = help::examples(EXAMPLES),
    after_long_help = help::sections("forkexec", EXAMPLES, SEE_ALSO),
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) subcommand: Subcommand,

    /// Set when to use colours
    ///
    /// With auto, colours are used on a terminal, unless the environment variable NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
}

/// The subcommands, each in its own file.
#[derive(clap::Subcommand)]
pub(crate) enum Subcommand {
    Run(Box<run::Options>),
    Exec(Box<exec::Options>),
    Doctor(doctor::Options),
    Fds(fds::Options),
    Leaks(leaks::Options),
    Completions(completions::Options),
    Man(man::Options),
}

const EXAMPLES: help::Examples = &[
    ("forkexec run --keep 3 -- server", "the server gets 0, 1, 2 and 3"),
    ("forkexec doctor", "check this kernel and container"),
    ("forkexec fds", "list what a program inherits here"),
    ("forkexec leaks -- make", "report what its children inherit"),
    ("forkexec fds --json $$", "list this shell's descriptors"),
    ("forkexec completions bash", "print tab completion for bash"),
];

const SEE_ALSO: help::Pages = &[
    "forkexec-run(1), forkexec-leaks(1), forkexec-fds(1), forkexec-doctor(1),",
    "forkexec-completions(1), forkexec-man(1)",
];

impl Cli {
    /// Parses the arguments of this process and applies `--color`.
    ///
    /// # Errors
    ///
    /// Returns a usage error, or the text of `--help` or `--version`.
    pub(crate) fn from_args() -> Result<Self, clap::Error> {
        let parsed = Self::try_parse();
        let color = parsed.as_ref().map_or_else(|_| color_among(env::args_os()), |cli| cli.color);
        match color {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        parsed
    }
}

/// Prints the error or help text of [`Cli::from_args`] and returns the exit code. clap's own code 2 could be a child's.
///
/// # Errors
///
/// Fails if the help cannot be written to standard output.
pub(crate) fn print_answer(answer: &clap::Error) -> Result<ExitCode, Failure> {
    let text = answer.render();
    if answer.use_stderr() {
        let _ = write!(anstream::stderr(), "{}", text.ansi());
        return Ok(Code::Refused.into());
    }
    stdout::write(|out| write!(out, "{}", text.ansi()))?;
    Ok(Code::Ok.into())
}

/// The value of `--color` if the line does not parse or asks for help: clap reports no values then.
fn color_among(args: impl Iterator<Item = OsString>) -> ColorChoice {
    let args: Vec<String> =
        args.map_while(|arg| arg.into_string().ok()).take_while(|arg| arg != "--").collect();
    let joined = args.iter().find_map(|arg| arg.strip_prefix("--color="));
    let apart = args.windows(2).find_map(|pair| (pair[0] == "--color").then_some(pair[1].as_str()));
    joined.or(apart).and_then(|value| ColorChoice::from_str(value, false).ok()).unwrap_or(ColorChoice::Auto)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sections_below_the_options_fit_a_terminal() {
        let command = Cli::command();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            let text = command.get_after_long_help().expect("each subcommand has examples").to_string();
            let long: Vec<_> = text.lines().filter(|line| line.len() > 80).collect();
            assert!(long.is_empty(), "{}: {long:#?}", command.get_name());
        }
    }

    #[test]
    fn color_is_found_in_a_line_that_does_not_parse() {
        let cases = [
            (&["forkexec", "--help"][..], ColorChoice::Auto),
            (&["forkexec", "--color", "never", "--help"], ColorChoice::Never),
            (&["forkexec", "fds", "--color=always", "--nonsense"], ColorChoice::Always),
            (&["forkexec", "--color"], ColorChoice::Auto),
            (&["forkexec", "--color=blue"], ColorChoice::Auto),
            (&["forkexec", "--", "--color=never"], ColorChoice::Auto),
        ];
        for (args, color) in cases {
            assert_eq!(color_among(args.iter().map(OsString::from)), color, "{args:?}");
        }
    }
}
