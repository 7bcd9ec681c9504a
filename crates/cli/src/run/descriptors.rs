//! `--keep`, `--map` and the closing of all other descriptors.

use std::ops::RangeInclusive;

use clap::{Args, ValueEnum};
use forkexec::{CloseStrategy, Command};

use super::announced;
use crate::exit::Failure;
use crate::inherited_fds::{self, range, typed};

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args, Default)]
#[command(next_help_heading = "Descriptors")]
#[group(skip)]
pub(super) struct Options {
    /// Keep descriptors open in the program, with their numbers
    ///
    /// FDS is a list of numbers and ranges, such as 3,5-9. Each of the descriptors must be open.
    #[arg(long, value_name = "FDS", value_delimiter = ',', value_parser = range, allow_hyphen_values = true)]
    keep: Vec<RangeInclusive<i32>>,

    /// Give descriptor SOURCE of forkexec to the program as its descriptor TARGET
    ///
    /// All mappings take effect at once, so two of them can swap numbers.
    #[arg(long, value_name = "SOURCE:TARGET", value_parser = mapping, allow_hyphen_values = true)]
    map: Vec<(i32, i32)>,

    /// Keep what the environment announces: make's jobserver, and systemd's sockets and watchdog
    ///
    /// MAKEFLAGS or CARGO_MAKEFLAGS announces the two descriptors of a jobserver, LISTEN_FDS and LISTEN_PID the sockets
    /// of sd_listen_fds(3), WATCHDOG_USEC and WATCHDOG_PID the watchdog of sd_watchdog_enabled(3). The program gets the
    /// descriptors under the announced numbers, and LISTEN_PID and WATCHDOG_PID are its own. Each announced descriptor
    /// must be open. make opens its jobserver only for a rule that begins with + or calls $(MAKE). A jobserver with a
    /// name (fifo:) and NOTIFY_SOCKET need no descriptor.
    #[arg(long)]
    pub(super) keep_announced: bool,

    /// Execute the file on descriptor FD, which the program does not get; PROGRAM is only its name (Linux)
    ///
    /// A script needs its descriptor, so keep it, too: "--executable 7 --keep 7".
    #[arg(long, value_name = "FD", value_parser = inherited_fds::number, allow_hyphen_values = true)]
    executable: Option<i32>,

    /// Close no descriptors: the program inherits all that are not close-on-exec
    #[arg(long, conflicts_with = "close_strategy")]
    inherit_all: bool,

    /// Set the first method to try for closing descriptors
    ///
    /// If a method is refused, the next one is used. 'forkexec doctor' shows which of them work.
    #[arg(long, value_name = "STRATEGY")]
    close_strategy: Option<FirstLink>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FirstLink {
    /// One system call closes whole ranges (default)
    Bulk,
    /// Close each number in the system's list of open descriptors
    Enumerate,
    /// Close each possible number
    Loop,
}

fn mapping(text: &str) -> Result<(i32, i32), String> {
    let (source, target) = text.split_once(':').ok_or("expected SOURCE:TARGET")?;
    Ok((inherited_fds::number(source)?, inherited_fds::number(target)?))
}

impl Options {
    /// Applies the options to the command.
    ///
    /// # Errors
    ///
    /// Fails if a descriptor is not open.
    pub(super) fn apply(&self, command: &mut Command) -> Result<(), Failure> {
        for range in &self.keep {
            for fd in range.clone() {
                command.keep_fd(inherited_fds::borrow(&format!("--keep {}", typed(range)), fd)?);
            }
        }
        for &(source, target) in &self.map {
            command.fd(target, inherited_fds::borrow(&format!("--map {source}:{target}"), source)?);
        }
        if let Some(fd) = self.executable {
            command.executable(inherited_fds::borrow(&format!("--executable {fd}"), fd)?);
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

    /// Returns the source of the mapping with this target.
    pub(super) fn source_of(&self, fd: i32) -> Option<i32> {
        self.map.iter().find(|&&(_, target)| target == fd).map(|&(source, _)| source)
    }

    /// Returns the options that claim this number, as they were typed.
    pub(super) fn claims(&self, fd: i32) -> impl Iterator<Item = String> {
        let keeps = self.keep.iter().filter(move |range| range.contains(&fd));
        let maps = self.map.iter().filter(move |(_, target)| *target == fd);
        keeps
            .map(|range| format!("--keep {}", typed(range)))
            .chain(maps.map(|(source, target)| format!("--map {source}:{target}")))
    }

    /// Adds `--keep-announced` to the options that claim a number, if it was given and the claim of another is missing.
    pub(super) fn with_announced(&self, mut claims: Vec<String>, expected: usize) -> String {
        if self.keep_announced && claims.len() < expected {
            claims.push(announced::OPTION.to_owned());
        }
        claims.join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_claim_is_that_of_the_announcements() {
        let claims = |keep_announced: bool, claims: &[&str]| {
            let options = Options { keep_announced, ..Options::default() };
            options.with_announced(claims.iter().map(|&claim| claim.to_owned()).collect(), 2)
        };
        assert_eq!(claims(true, &["--keep 9"]), "--keep 9 and --keep-announced");
        assert_eq!(claims(true, &["--keep 9", "--map 0:9"]), "--keep 9 and --map 0:9");
        assert_eq!(claims(false, &["--keep 9"]), "--keep 9");
    }

    #[test]
    fn mapping_has_a_source_and_a_target() {
        assert_eq!(mapping("5:3"), Ok((5, 3)));
        for text in ["", "3", "3:", ":3", "3:-1", "3:4:5"] {
            assert!(mapping(text).is_err(), "{text:?}");
        }
    }
}
