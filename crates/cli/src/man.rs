//! `forkexec man`: the manual pages, made from the same text as `--help`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::Cli;
use crate::exit::{self, Code, Failure};
use crate::{help, stdout};

/// Print the manual page of this command, or write all pages
#[derive(Args)]
#[command(
    after_help = help::examples(EXAMPLES),
    after_long_help = help::examples(EXAMPLES) + "\n\n" + &exit::help(),
)]
pub(crate) struct Options {
    /// Write one page per subcommand into this directory, instead of printing
    ///
    /// The directory is made if it is not there.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const EXAMPLES: help::Examples = &[
    ("forkexec man | man -l -", "read it"),
    ("forkexec man --dir /usr/local/share/man/man1", "install all pages"),
];

/// Prints the page of the whole command, or writes every page to a file.
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
    let unwritable = |path: &Path| Failure::refused(format!("cannot write {}", path.display()));
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
/// `clap_mangen` would fold the sections below the options into one paragraph named "EXTRA".
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

/// Sections as in `--help`, their lines kept as they are.
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
    fn every_page_has_examples_and_exit_codes_as_sections() {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            let (name, text) = page(command).expect("a vector takes all");
            let text = String::from_utf8(text).expect("pages are text");
            for line in [".SH EXAMPLES", ".SH \"EXIT STATUS\"", "125     refused"] {
                assert!(text.contains(line), "{name} has no {line}:\n{text}");
            }
            assert!(!text.contains('\u{1b}'), "{name} has styles");
            let is_wrapper = name == "forkexec-run.1";
            for heading in [".SH SIGNALS", ".SH \"JOB CONTROL\"", ".SH ORPHANS"] {
                assert_eq!(text.contains(heading), is_wrapper, "{heading} in {name}");
            }
        }
    }
}
