//! What signals the program ignores, blocks and gets.

use clap::{Args, ValueEnum};
use forkexec::{Command, IgnoredSignals};

use crate::signal;

// No doc comment: clap would take it for the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Signals")]
#[group(skip)]
pub(super) struct Options {
    /// What becomes of signals that are ignored here
    #[arg(long, value_name = "POLICY")]
    ignored_signals: Option<Ignored>,

    /// Let the program ignore this signal, a name or a number
    #[arg(long, value_name = "SIGNAL", value_parser = signal::parse, allow_hyphen_values = true)]
    ignore_signal: Vec<i32>,

    /// The signals that are blocked: none, which is the default, inherit, or a list
    #[arg(long, value_name = "none|inherit|SIGNALS", value_parser = mask, allow_hyphen_values = true)]
    block_signals: Option<Mask>,

    /// Send the program this signal when forkexec dies (Linux, FreeBSD, DragonFly)
    #[arg(long, value_name = "SIGNAL", value_parser = signal::parse, allow_hyphen_values = true)]
    die_with_parent: Option<i32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ignored {
    /// SIGPIPE, SIGXFSZ and SIGCHLD get their default action, others stay ignored; the default
    Restore,
    /// All get their default action
    RestoreAll,
    /// All stay ignored
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
    /// Applies them.
    pub(super) fn apply(&self, command: &mut Command<'_>) {
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

    /// Whether all signals that were ignored when forkexec started stay so.
    pub(super) fn keeps_ignored(&self) -> bool {
        self.ignored_signals == Some(Ignored::Keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_a_word_or_a_list() {
        assert_eq!(mask("none"), Ok(Mask::None));
        assert_eq!(mask("inherit"), Ok(Mask::Inherit));
        assert_eq!(mask("TERM,1"), Ok(Mask::These(vec![libc::SIGTERM, 1])));
        for text in ["", "TERM,", "nothing"] {
            assert!(mask(text).is_err(), "{text:?}");
        }
    }
}
