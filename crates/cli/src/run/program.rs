//! The program and its attributes: the options that `run` and `exec` share.

use std::ffi::OsString;

use clap::{Args, ValueHint};
use forkexec::{Command, Pty};

use super::{
    announced, confinement, descriptors, environment, identity, namespaces, scheduling, signals, streams,
    surroundings,
};
use crate::exit::Failure;

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args)]
#[group(skip)]
pub(crate) struct Options {
    /// The program and its arguments; options after PROGRAM belong to the program
    #[arg(
        required = true,
        trailing_var_arg = true,
        value_name = "PROGRAM",
        value_hint = ValueHint::CommandWithArguments,
        help_heading = "Arguments"
    )]
    pub(super) command: Vec<OsString>,

    #[command(flatten)]
    pub(super) descriptors: descriptors::Options,
    #[command(flatten)]
    pub(super) streams: streams::Options,
    #[command(flatten)]
    pub(super) environment: environment::Options,
    #[command(flatten)]
    pub(super) surroundings: surroundings::Options,
    #[command(flatten)]
    pub(super) signals: signals::Options,
    #[command(flatten)]
    pub(super) identity: identity::Options,
    #[command(flatten)]
    pub(super) namespaces: namespaces::Options,
    #[command(flatten)]
    pub(super) confinement: confinement::Options,
    #[command(flatten)]
    pub(super) scheduling: scheduling::Options,
}

impl Options {
    /// Converts the options to a command of the library.
    ///
    /// Numbers are converted to descriptors before this command opens anything: otherwise a number could be one that it
    /// opened itself.
    pub(crate) fn command(&self) -> Result<Command, Failure> {
        self.command_on(None)
    }

    /// Does the same for a program on this terminal, if there is one.
    pub(super) fn command_on(&self, pty: Option<&Pty>) -> Result<Command, Failure> {
        let (program, args) = self
            .command
            .split_first()
            .ok_or_else(|| Failure::refused("cannot start the program: no program is given"))?;
        let mut command = Command::new(program);
        command.args(args);
        self.descriptors.apply(&mut command)?;
        self.surroundings.apply(&mut command)?;
        self.namespaces.apply(&mut command)?;
        self.confinement.apply(&mut command)?;
        self.scheduling.apply(&mut command);
        self.signals.apply(&mut command);
        self.environment.apply(&mut command);
        self.identity.apply(&mut command)?;
        self.streams.apply(&mut command, &self.descriptors, pty.is_some())?;
        if let Some(pty) = pty {
            command.pty(pty);
        }
        if self.descriptors.keep_announced {
            announced::apply(&mut command)?;
        }
        Ok(command)
    }

    /// Returns true if an option sets this standard stream.
    pub(super) fn sets_stream(&self, fd: usize) -> bool {
        self.streams.is_set(fd, &self.descriptors)
    }
}
