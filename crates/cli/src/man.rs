//! `forkexec man`: the manual pages, from the same text as `--help`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::Cli;
use crate::exit::{Code, Failure};
use crate::{help, stdout};

/// Print the manual page of forkexec, or write all pages to a directory
#[derive(Args)]
#[command(
    after_help = help::examples(EXAMPLES),
    after_long_help = help::sections("man", EXAMPLES, SEE_ALSO),
)]
pub(crate) struct Options {
    /// Write the page of forkexec and of each subcommand to DIR, instead of printing
    ///
    /// DIR is created if it does not exist.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const EXAMPLES: help::Examples = &[
    ("forkexec man | man -l -", "read the page"),
    ("forkexec man --dir /usr/local/share/man/man1", "install all pages"),
];

const SEE_ALSO: help::Pages = &["forkexec(1), forkexec-completions(1), man(1)"];

/// Prints the page of `forkexec`, or writes each page to a file.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    match &options.dir {
        Some(dir) => write_pages(&command, dir)?,
        None => stdout::write(|out| out.write_all(&page(&command)?.1))?,
    }
    Ok(Code::Ok.into())
}

fn write_pages(command: &Command, dir: &Path) -> Result<(), Failure> {
    let unwritable = |path: &Path| Failure::refused(format!("cannot write {path:?}"));
    fs::create_dir_all(dir).map_err(|error| unwritable(dir).because(error))?;
    for command in std::iter::once(command).chain(command.get_subcommands()) {
        let (name, text) = page(command).map_err(|error| unwritable(dir).because(error))?;
        let path = dir.join(name);
        fs::write(&path, text).map_err(|error| unwritable(&path).because(error))?;
    }
    Ok(())
}

/// The file name and the text of one command's page.
///
/// `clap_mangen` itself would fold the sections below the options into one paragraph named "EXTRA".
fn page(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let man = Man::new(command.clone())
        .source(concat!("forkexec ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let below = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    below_options(&below).to_writer(&mut text)?;
    Ok((man.get_filename(), text))
}

/// The sections of `--help`, with their line breaks.
fn below_options(text: &str) -> Roff {
    let mut roff = Roff::new();
    for (heading, rows) in help::split(text) {
        roff.control("SH", [heading.to_uppercase().as_str()]).control("nf", []);
        for row in rows {
            roff.text([roman(row)]);
        }
        roff.control("fi", []);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_has_the_usual_sections_in_order() {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            let (name, text) = page(command).expect("a vector takes all");
            let text = String::from_utf8(text).expect("pages are text");
            let mut rest = text.as_str();
            for line in [
                ".SH NAME\n",
                ".SH SYNOPSIS\n",
                ".SH DESCRIPTION\n",
                ".SH OPTIONS\n",
                ".SH \"EXIT STATUS\"\n",
                "\n125     ",
                ".SH EXAMPLES\n",
                ".SH \"SEE ALSO\"\n",
            ] {
                let (_, after) =
                    rest.split_once(line).unwrap_or_else(|| panic!("no {line} in {name}:\n{text}"));
                rest = after;
            }
            assert!(!text.contains('\u{1b}'), "{name} has styles");
            let is_wrapper = name == "forkexec-run.1";
            for part in ["forwards each signal", ".SH \"JOB CONTROL\"", ".SH ORPHANS"] {
                assert_eq!(text.contains(part), is_wrapper, "{part} in {name}");
            }
        }
    }
}
