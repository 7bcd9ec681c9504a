//! The privileges that the program gets or loses: capabilities, keyrings, rulesets and filters.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use forkexec::{CapabilitySet, Command, SeccompFilter};

use crate::exit::Failure;
use crate::inherited_fds;

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Capabilities and confinement (Linux; OpenBSD where named)")]
#[group(skip)]
pub(super) struct Options {
    /// Give the program exactly these ambient capabilities: none, or a list
    ///
    /// With --user, the program has these and no others: "--user www --ambient-capabilities net_bind_service" is a server
    /// that may bind a port below 1024. The names are those of capabilities(7), with or without "cap_".
    #[arg(long, value_name = "none|NAMES", value_parser = named)]
    ambient_capabilities: Option<CapabilitySet>,

    /// Set the inheritable capabilities: none, or a list; the ambient ones are always among them
    #[arg(long, value_name = "none|NAMES", value_parser = named)]
    inheritable_capabilities: Option<CapabilitySet>,

    /// Remove all capabilities but these from the bounding set
    ///
    /// none, a list, all, or all without some: "all,-sys_admin,-sys_ptrace". exec gives no other capability to the program
    /// or its descendants, not even to root.
    #[arg(long, value_name = "none|NAMES|all,-NAMES", value_parser = set)]
    bounding_capabilities: Option<CapabilitySet>,

    /// Set the securebits: none, or a list such as noroot,noroot-locked
    ///
    /// The names are noroot, no-setuid-fixup and no-cap-ambient-raise, each also with -locked, and keep-caps-locked.
    #[arg(long, value_name = "none|NAMES", value_parser = securebits)]
    securebits: Option<u32>,

    /// Give the program a new, empty session keyring
    #[arg(long)]
    session_keyring: bool,

    /// Start the program with these promises of pledge(2), such as "stdio rpath prot_exec" (OpenBSD)
    #[arg(long, value_name = "PROMISES")]
    pledge: Option<String>,

    /// Hide all paths but PATH and those of other --unveil options; needs --pledge (OpenBSD)
    ///
    /// PERMISSIONS are letters of rwxc, as for unveil(2). The program needs x, its loader and libraries need r.
    #[arg(long, value_name = "PATH:PERMISSIONS", value_parser = unveiled, requires = "pledge")]
    unveil: Vec<Unveiled>,

    /// Enforce the Landlock ruleset on descriptor FD, which the program does not get
    ///
    /// It must permit the program and its libraries. Without privileges, it needs --no-new-privs.
    #[arg(long, value_name = "FD", value_parser = inherited_fds::number, allow_hyphen_values = true)]
    landlock: Option<i32>,

    /// Install the seccomp filter in FILE, as seccomp_export_bpf(3) writes it
    ///
    /// It is installed right before exec, so it must allow execve, and nothing else of the start. Without privileges, it
    /// needs --no-new-privs.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    seccomp: Option<PathBuf>,

    /// Log each call to which the filter gives another answer than to allow it
    #[arg(long, requires = "seccomp")]
    seccomp_log: bool,
}

/// A path and its permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unveiled(String, String);

fn unveiled(text: &str) -> Result<Unveiled, String> {
    let (path, permissions) = text.rsplit_once(':').ok_or("expected PATH:PERMISSIONS")?;
    Ok(Unveiled(path.to_owned(), permissions.to_owned()))
}

fn set(text: &str) -> Result<CapabilitySet, String> {
    text.parse().map_err(|unknown: forkexec::UnknownCapability| unknown.to_string())
}

/// A process may lack capabilities, so it can give away only those that are named.
fn named(text: &str) -> Result<CapabilitySet, String> {
    if text == "all" || text.starts_with("all,") {
        return Err("expected none or names".to_owned());
    }
    set(text)
}

/// The securebits by number (linux/securebits.h). exec clears `keep-caps`, so there is no name for it.
const SECUREBITS: [&str; 8] = [
    "noroot",
    "noroot-locked",
    "no-setuid-fixup",
    "no-setuid-fixup-locked",
    "",
    "keep-caps-locked",
    "no-cap-ambient-raise",
    "no-cap-ambient-raise-locked",
];

/// Parses a list of names. setpriv(1) writes them with underscores.
fn securebits(text: &str) -> Result<u32, String> {
    if text == "none" {
        return Ok(0);
    }
    text.split(',').try_fold(0, |bits, typed| {
        let name = typed.replace('_', "-");
        let known = SECUREBITS.iter().position(|known| !name.is_empty() && *known == name);
        known.map(|bit| bits | 1 << bit).ok_or_else(|| format!("there is no securebit {typed:?}"))
    })
}

impl Options {
    /// Applies the options to the command.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor is not open, or the filter cannot be read.
    pub(super) fn apply(&self, command: &mut Command) -> Result<(), Failure> {
        if let Some(fd) = self.landlock {
            command.landlock(inherited_fds::borrow(&format!("--landlock {fd}"), fd)?);
        }
        if let Some(set) = self.ambient_capabilities {
            command.ambient_capabilities(set);
        }
        if let Some(set) = self.inheritable_capabilities {
            command.inheritable_capabilities(set);
        }
        if let Some(set) = self.bounding_capabilities {
            command.bounding_capabilities(set);
        }
        if let Some(bits) = self.securebits {
            command.securebits(bits);
        }
        if let Some(promises) = &self.pledge {
            command.pledge(promises);
        }
        for Unveiled(path, permissions) in &self.unveil {
            command.unveil(path, permissions);
        }
        if self.session_keyring {
            command.session_keyring();
        }
        if let Some(path) = &self.seccomp {
            let filter = filter(path)?;
            command.seccomp(if self.seccomp_log { filter.log() } else { filter });
        }
        Ok(())
    }
}

/// Reads a filter.
fn filter(path: &Path) -> Result<SeccompFilter, Failure> {
    let bytes = read(path)
        .map_err(|error| Failure::refused(format!("--seccomp: cannot read {path:?}")).because(error))?;
    SeccompFilter::from_bytes(&bytes)
        .map_err(|error| Failure::refused(format!("--seccomp {}: {error}", path.display())))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    /// One instruction more than a filter can have, so that an endless file is refused for its length.
    const MOST: u64 = 8 * 4097;
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use forkexec::Capability;

    #[test]
    fn capabilities_are_names_and_only_the_bounding_set_can_be_all() {
        let two = CapabilitySet::EMPTY.with(Capability::CHOWN).with(Capability::NET_BIND_SERVICE);
        for parse in [set, named] {
            assert_eq!(parse("chown,CAP_NET_BIND_SERVICE"), Ok(two));
            assert_eq!(parse("none"), Ok(CapabilitySet::EMPTY));
            assert_eq!(parse("chown,x"), Err("there is no capability \"x\"".to_owned()));
        }
        assert_eq!(set("all,-chown"), Ok(CapabilitySet::ALL.without(Capability::CHOWN)));
        assert!(named("all").is_err() && named("all,-chown").is_err());
    }

    #[test]
    fn securebits_are_names_by_number() {
        for (text, bits) in [
            ("none", 0),
            ("noroot", 1),
            ("noroot,noroot-locked,noroot", 3),
            ("no_setuid_fixup", 4),
            ("keep-caps-locked", 0x20),
            ("no-cap-ambient-raise-locked", 0x80),
        ] {
            assert_eq!(securebits(text), Ok(bits), "{text}");
        }
        for text in ["", "noroot,", "keep-caps", "none,noroot", "1"] {
            assert!(securebits(text).is_err(), "{text:?}");
        }
    }
}
