//! The command line as a whole: the global options, the list of subcommands, and the answer
//! where a line cannot be parsed.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{ColorChoice, Parser, ValueEnum};

use crate::exit::{self, Code, Failure};
use crate::{completions, doctor, fds, help, leaks, man, run, stdout};

/// Start programs that get exactly the descriptors they were handed
///
/// A program started from here gets the descriptors that are named and no others. The
/// subcommands that only look show which descriptors a process holds, and what they are.
#[derive(Parser)]
#[command(
    name = "forkexec",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = help::examples(EXAMPLES),
    after_long_help = help::examples(EXAMPLES) + "\n\n" + &exit::help(),
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) subcommand: Subcommand,

    /// When to use colours
    ///
    /// `auto` uses them on a terminal, unless `NO_COLOR` is set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
}

/// What there is to do: one variant and one file each.
#[derive(clap::Subcommand)]
pub(crate) enum Subcommand {
    Run(Box<run::Options>),
    Doctor(doctor::Options),
    Fds(fds::Options),
    Leaks(leaks::Options),
    Completions(completions::Options),
    Man(man::Options),
}

const EXAMPLES: help::Examples = &[
    ("forkexec run --keep 3 -- server", "server gets 0, 1, 2 and 3"),
    ("forkexec doctor", "whether this container lets that work"),
    ("forkexec fds", "what a program started here gets"),
    ("forkexec leaks -- make", "what its children get and nobody meant"),
    ("forkexec fds --json $$", "those of this shell, for other programs"),
    ("forkexec completions bash", "tab completion for a shell"),
];

impl Cli {
    /// Parses this process's arguments, and obeys `--color` from then on.
    ///
    /// # Errors
    ///
    /// A usage error, or the text that `--help` or `--version` asks for.
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

/// Prints what [`Cli::from_args`] answered, and says how to exit: clap's own 2 could be a child's.
///
/// # Errors
///
/// Standard output does not take the help.
pub(crate) fn print_answer(answer: &clap::Error) -> Result<ExitCode, Failure> {
    let text = answer.render();
    if answer.use_stderr() {
        let _ = write!(anstream::stderr(), "{}", text.ansi());
        return Ok(Code::Refused.into());
    }
    stdout::write(|out| write!(out, "{}", text.ansi()))?;
    Ok(Code::Ok.into())
}

/// The `--color` of a line that does not parse, or that asks for help, where clap reports no values.
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
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_sections_below_the_options_fit_a_terminal() {
        let command = Cli::command();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            let text = command.get_after_long_help().expect("every subcommand has examples").to_string();
            let long: Vec<_> = text.lines().filter(|line| line.len() > 80).collect();
            assert!(long.is_empty(), "{}: {long:#?}", command.get_name());
        }
    }

    #[test]
    fn color_is_found_where_nothing_else_parses() {
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
