//! Directory, root, session, terminal, limits.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use forkexec::{Command, Resource, capabilities};

use super::terminal::Terminal;
use crate::exit::Failure;
use crate::inherited_fds;

// No doc comment: clap would take it for the description of the subcommand.
#[derive(Args)]
#[command(next_help_heading = "Surroundings")]
#[group(skip)]
pub(super) struct Options {
    /// The working directory, seen from the new root
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "chdir_fd")]
    chdir: Option<PathBuf>,

    /// The working directory, as an open descriptor, which is not handed over
    #[arg(long, value_name = "FD", value_parser = inherited_fds::number, allow_hyphen_values = true)]
    chdir_fd: Option<i32>,

    /// The root directory, which needs privilege
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    chroot: Option<PathBuf>,

    /// Start the program in this control group: the directory of one in a mounted hierarchy, version 2
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    cgroup: Option<PathBuf>,

    /// The file mode creation mask
    #[arg(long, value_name = "OCTAL", value_parser = mask, allow_hyphen_values = true)]
    umask: Option<u32>,

    /// Start a new session, without a controlling terminal
    #[arg(long)]
    setsid: bool,

    /// Join process group N of this session; 0 makes a new one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..), allow_hyphen_values = true)]
    pgroup: Option<i32>,

    /// Make the terminal on this descriptor the controlling one of the new session
    #[arg(long, value_name = "FD", value_parser = inherited_fds::number, requires = "setsid", allow_hyphen_values = true)]
    ctty: Option<i32>,

    /// Make the program's process group the foreground one of the terminal on this descriptor
    ///
    /// The group from before gets the terminal back when the program stops or ends.
    #[arg(long, value_name = "FD", value_parser = inherited_fds::number, allow_hyphen_values = true)]
    foreground: Option<i32>,

    /// Set a resource limit: numbers, or "unlimited"; one number sets both
    ///
    /// Names are those of ulimit's man pages: nofile, core, cpu, data, fsize, stack, and on Linux
    /// rss, nproc, memlock, as, locks, sigpending, msgqueue, nice, rtprio and rttime.
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = limit, allow_hyphen_values = true)]
    limit: Vec<Limit>,

    /// The nice value, -20 to 19
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(-20..=19), allow_hyphen_values = true)]
    nice: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    resource: Resource,
    soft: u64,
    hard: u64,
}

fn mask(text: &str) -> Result<u32, String> {
    let is_octal = !text.is_empty() && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    if !is_octal {
        return Err("a mask has octal digits only".to_owned());
    }
    let mask = u32::from_str_radix(text, 8).ok().filter(|&mask| mask <= 0o777);
    mask.ok_or_else(|| "a mask is at most 777".to_owned())
}

fn limit(text: &str) -> Result<Limit, String> {
    let (name, values) = text.split_once('=').ok_or("a limit is NAME=SOFT[:HARD]")?;
    let known = capabilities().resources;
    let Some(&(_, resource)) = known.iter().find(|(known, _)| *known == name) else {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no resource {name:?} here, only {}", names.join(", ")));
    };
    let (soft, hard) = values.split_once(':').unwrap_or((values, values));
    let (soft, hard) = (bound(soft)?, bound(hard)?);
    if soft > hard {
        Err("the soft limit is above the hard one".to_owned())
    } else {
        Ok(Limit { resource, soft, hard })
    }
}

/// `u64::MAX` is no limit to the library, so that nobody may mean it by its number.
fn bound(text: &str) -> Result<u64, String> {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text {
        "unlimited" => Ok(u64::MAX),
        _ if !is_decimal => Err(format!("{text:?} is neither a number nor \"unlimited\"")),
        _ => {
            text.parse().ok().filter(|&bound| bound != u64::MAX).ok_or_else(|| format!("{text} is too large"))
        }
    }
}

impl Options {
    /// Applies them.
    ///
    /// # Errors
    ///
    /// A descriptor is not open.
    pub(super) fn apply(&self, command: &mut Command<'static>) -> Result<(), Failure> {
        let borrow = |option: &str, fd: i32| inherited_fds::borrow(&format!("{option} {fd}"), fd);
        if let Some(fd) = self.chdir_fd {
            command.current_dir_fd(borrow("--chdir-fd", fd)?);
        }
        if let Some(fd) = self.ctty {
            command.controlling_terminal(borrow("--ctty", fd)?);
        }
        if let Some(fd) = self.foreground {
            command.foreground(borrow("--foreground", fd)?);
        }
        if let Some(directory) = &self.chdir {
            command.current_dir(directory);
        }
        if let Some(root) = &self.chroot {
            command.chroot(root);
        }
        if let Some(directory) = &self.cgroup {
            command.cgroup(directory);
        }
        self.apply_numbers(command);
        Ok(())
    }

    fn apply_numbers(&self, command: &mut Command<'_>) {
        if let Some(mask) = self.umask {
            command.umask(mask);
        }
        if self.setsid {
            command.setsid();
        }
        if let Some(group) = self.pgroup {
            command.process_group(group);
        }
        for &Limit { resource, soft, hard } in &self.limit {
            command.rlimit(resource, Some(soft), Some(hard));
        }
        if let Some(nice) = self.nice {
            command.nice(nice);
        }
    }

    /// Whether the program leads a process group, if it gets one of its own where nothing else is said.
    pub(super) fn leads_group(&self) -> bool {
        self.setsid || self.pgroup.is_none_or(|group| group == 0)
    }

    /// The terminal that this process shares with the program. Where no descriptor is named, the program gets it if
    /// `lends` says so.
    ///
    /// # Errors
    ///
    /// The descriptor is not open.
    pub(super) fn terminal(&self, lends: bool) -> Result<Option<Terminal>, Failure> {
        if self.setsid { Ok(None) } else { Terminal::open(self.foreground, lends) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_three_octal_digits() {
        for (text, value) in [("0", 0), ("22", 0o22), ("0022", 0o22), ("777", 0o777)] {
            assert_eq!(mask(text), Ok(value));
        }
        for text in ["", "9", "0x12", "0o22", "1000", "-1", "77777777777777"] {
            assert!(mask(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn limits_have_a_known_name_and_one_or_two_bounds() {
        let nofile = |soft, hard| Ok(Limit { resource: Resource::NOFILE, soft, hard });
        assert_eq!(limit("nofile=64"), nofile(64, 64));
        assert_eq!(limit("nofile=64:unlimited"), nofile(64, u64::MAX));
        for text in
            ["nofile", "nofile=", "nofile=x", "nofile=-1", "nofile=2:1", "nofile=unlimited:1", "foo=1", "=1"]
        {
            assert!(limit(text).is_err(), "{text:?}");
        }
        assert!(limit("nofile=18446744073709551615").is_err());
    }
}
