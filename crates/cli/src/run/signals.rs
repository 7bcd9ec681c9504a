//! The signals that the program ignores and blocks, and its parent-death signal.

use clap::{Args, ValueEnum};
use forkexec::{Command, IgnoredSignals};

use crate::signal;

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Signals")]
#[group(skip)]
pub(super) struct Options {
    /// Set what happens to signals that forkexec was started with ignored
    #[arg(long, value_name = "POLICY")]
    ignored_signals: Option<Ignored>,

    /// Ignore this signal in the program, by name or number
    #[arg(long, value_name = "SIGNAL", value_parser = signal::parse, allow_hyphen_values = true)]
    ignore_signal: Vec<i32>,

    /// Set the blocked signals: none (the default), inherit, or a list such as TERM,INT
    #[arg(long, value_name = "none|inherit|SIGNALS", value_parser = mask, allow_hyphen_values = true)]
    block_signals: Option<Mask>,

    /// Set the signal that the program gets when forkexec dies (Linux, FreeBSD, DragonFly)
    #[arg(long, value_name = "SIGNAL", value_parser = signal::parse, allow_hyphen_values = true)]
    die_with_parent: Option<i32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ignored {
    /// Reset SIGPIPE, SIGXFSZ and SIGCHLD to their default action, and keep the others ignored (default)
    Restore,
    /// Reset all to their default action
    RestoreAll,
    /// Keep all ignored
    Keep,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mask {
    None,
    Inherit,
    These(Vec<i32>),
}

fn mask(text: &str) -> Result<Mask, String> {
    match text {
        "none" => Ok(Mask::None),
        "inherit" => Ok(Mask::Inherit),
        list => list.split(',').map(signal::parse).collect::<Result<_, _>>().map(Mask::These),
    }
}

impl Options {
    /// Applies the options to the command.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Some(policy) = self.ignored_signals {
            command.ignored_signals(match policy {
                Ignored::Restore => IgnoredSignals::Restore,
                Ignored::RestoreAll => IgnoredSignals::RestoreAll,
                Ignored::Keep => IgnoredSignals::Keep,
            });
        }
        for &signal in &self.ignore_signal {
            command.ignore_signal(signal);
        }
        match &self.block_signals {
            None => {}
            Some(Mask::None) => drop(command.signal_mask([])),
            Some(Mask::Inherit) => drop(command.inherit_signal_mask()),
            Some(Mask::These(signals)) => drop(command.signal_mask(signals.iter().copied())),
        }
        if let Some(signal) = self.die_with_parent {
            command.die_with_parent(signal);
        }
    }

    /// Returns true if all signals that were ignored at the start stay ignored.
    pub(super) fn keeps_ignored(&self) -> bool {
        self.ignored_signals == Some(Ignored::Keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mask_is_a_word_or_a_list() {
        assert_eq!(mask("none"), Ok(Mask::None));
        assert_eq!(mask("inherit"), Ok(Mask::Inherit));
        assert_eq!(mask("TERM,1"), Ok(Mask::These(vec![libc::SIGTERM, 1])));
        for text in ["", "TERM,", "nothing"] {
            assert!(mask(text).is_err(), "{text:?}");
        }
    }
}
