//! `--keep`, `--map` and what becomes of all others.

use std::ops::RangeInclusive;

use clap::{Args, ValueEnum};
use forkexec::{CloseStrategy, Command};

use crate::exit::Failure;
use crate::inherited_fds::{self, range, typed};

// No doc comment: clap would take it for the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Descriptors")]
#[group(skip)]
pub(super) struct Options {
    /// Give the program descriptors under their own numbers
    ///
    /// Numbers, ranges such as 5-9, and lists of both such as 3,5-9. Every one of them must be open.
    #[arg(long, value_name = "FDS", value_delimiter = ',', value_parser = range, allow_hyphen_values = true)]
    keep: Vec<RangeInclusive<i32>>,

    /// Give the program our descriptor SOURCE as its TARGET
    ///
    /// All mappings take effect at once: two of them may swap numbers.
    #[arg(long, value_name = "SOURCE:TARGET", value_parser = mapping, allow_hyphen_values = true)]
    map: Vec<(i32, i32)>,

    /// Leave everything open that is not close-on-exec, as other programs do
    #[arg(long, conflicts_with = "close_strategy")]
    inherit_all: bool,

    /// Where to begin in the chain of ways to close descriptors
    ///
    /// `forkexec doctor` tells which of them work here.
    #[arg(long, value_name = "LINK")]
    close_strategy: Option<FirstLink>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FirstLink {
    /// One system call for many, then the others
    Bulk,
    /// The list of what is open, then the loop
    Enumerate,
    /// Every possible number
    Loop,
}

fn mapping(text: &str) -> Result<(i32, i32), String> {
    let (source, target) = text.split_once(':').ok_or("a mapping is SOURCE:TARGET")?;
    Ok((inherited_fds::number(source)?, inherited_fds::number(target)?))
}

impl Options {
    /// Hands the descriptors over.
    ///
    /// # Errors
    ///
    /// One of them is not open.
    pub(super) fn apply(&self, command: &mut Command<'static>) -> Result<(), Failure> {
        for range in &self.keep {
            for fd in range.clone() {
                command.keep_fd(inherited_fds::borrow(&format!("--keep {}", typed(range)), fd)?);
            }
        }
        for &(source, target) in &self.map {
            command.map_fd(inherited_fds::borrow(&format!("--map {source}:{target}"), source)?, target);
        }
        if self.inherit_all {
            command.inherit_all();
        }
        if let Some(link) = self.close_strategy {
            command.close_strategy(match link {
                FirstLink::Bulk => CloseStrategy::Bulk,
                FirstLink::Enumerate => CloseStrategy::Enumerate,
                FirstLink::Loop => CloseStrategy::Loop,
            });
        }
        Ok(())
    }

    /// The source of the mapping that has this target.
    pub(super) fn source_of(&self, fd: i32) -> Option<i32> {
        self.map.iter().find(|&&(_, target)| target == fd).map(|&(source, _)| source)
    }

    /// The options that ask for something to be at this number, as they were typed.
    pub(super) fn claims(&self, fd: i32) -> impl Iterator<Item = String> {
        let keeps = self.keep.iter().filter(move |range| range.contains(&fd));
        let maps = self.map.iter().filter(move |(_, target)| *target == fd);
        keeps
            .map(|range| format!("--keep {}", typed(range)))
            .chain(maps.map(|(source, target)| format!("--map {source}:{target}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_has_a_source_and_a_target() {
        assert_eq!(mapping("5:3"), Ok((5, 3)));
        for text in ["", "3", "3:", ":3", "3:-1", "3:4:5"] {
            assert!(mapping(text).is_err(), "{text:?}");
        }
    }
}
