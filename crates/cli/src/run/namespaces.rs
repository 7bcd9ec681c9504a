//! The namespaces of the program.

use std::fs::File;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use forkexec::{Command, Namespace};

use crate::exit::Failure;

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Namespaces (Linux)")]
#[group(skip)]
pub(super) struct Options {
    /// Start the program in new namespaces: user, mount, pid, net, ipc, uts, cgroup, time
    ///
    /// A list of names, or all that this system has. With user, no privileges are needed for the others, if the system permits that to this user.
    /// In a new pid namespace the program has process id 1: it gets no signal without a handler from inside, and all
    /// processes of the namespace end with it. See unshare(1) and namespaces(7).
    #[arg(long, value_name = "NAMES", value_parser = kinds)]
    unshare: Option<Kinds>,

    /// Map the user of forkexec to N in the new user namespace
    #[arg(long, value_name = "N", requires = "unshare")]
    map_user: Option<u32>,

    /// Map the group of forkexec to N in the new user namespace
    #[arg(long, value_name = "N", requires = "unshare")]
    map_group: Option<u32>,

    /// Shift the monotonic clock of the new time namespace by N seconds
    #[arg(long, value_name = "N", requires = "unshare", allow_negative_numbers = true)]
    monotonic_offset: Option<i64>,

    /// Shift the time since boot of the new time namespace by N seconds
    #[arg(long, value_name = "N", requires = "unshare", allow_negative_numbers = true)]
    boottime_offset: Option<i64>,

    /// Join the namespace of FILE, such as /proc/PID/ns/net
    ///
    /// The option may be repeated. A namespace that gives the privileges for others comes first. A pid namespace is joined
    /// with the privileges of forkexec.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    setns: Vec<PathBuf>,
}

/// A list. For a `Vec`, clap would allow a repeated option.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kinds(Vec<Namespace>);

fn kinds(text: &str) -> Result<Kinds, String> {
    if text == "all" {
        return Ok(Kinds(Namespace::ALL.to_vec()));
    }
    let kind = |name: &str| {
        let known = Namespace::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| {
            format!(
                "there is no namespace {name:?}; the names are {}",
                Namespace::ALL.map(Namespace::name).join(", ")
            )
        })
    };
    text.split(',').map(kind).collect::<Result<_, _>>().map(Kinds)
}

impl Options {
    /// Applies the options to the command.
    ///
    /// # Errors
    ///
    /// Fails if the file of a namespace cannot be opened.
    pub(super) fn apply(&self, command: &mut Command) -> Result<(), Failure> {
        if let Some(Kinds(kinds)) = &self.unshare {
            command.unshare(kinds.iter().copied());
        }
        if let Some(user) = self.map_user {
            command.map_user(user);
        }
        if let Some(group) = self.map_group {
            command.map_group(group);
        }
        if let Some(seconds) = self.monotonic_offset {
            command.monotonic_offset(seconds);
        }
        if let Some(seconds) = self.boottime_offset {
            command.boottime_offset(seconds);
        }
        for path in &self.setns {
            let cannot_open =
                || Failure::refused(format!("--setns {}: cannot open the namespace", path.display()));
            command.setns(File::open(path).map_err(|error| cannot_open().because(error))?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Kinds, kinds};
    use forkexec::Namespace;

    #[test]
    fn kinds_are_names_or_all() {
        assert_eq!(kinds("net,user"), Ok(Kinds(vec![Namespace::Net, Namespace::User])));
        assert_eq!(kinds("all"), Ok(Kinds(Namespace::ALL.to_vec())));
        for text in ["", "net,", "mnt", "all,net"] {
            assert!(kinds(text).is_err(), "{text:?}");
        }
    }
}
