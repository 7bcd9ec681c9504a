//! The attributes of the process: directory, root, control group, session, terminal, limits.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use forkexec::Command;

use super::limits::{self, Limit};
use super::terminal::Terminal;
use crate::exit::Failure;
use crate::inherited_fds;

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args, Default)]
#[command(next_help_heading = "Process attributes")]
#[group(skip)]
pub(super) struct Options {
    /// Set the working directory; with --chroot, its path begins at the new root
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "chdir_fd")]
    chdir: Option<PathBuf>,

    /// Set the working directory to that on descriptor FD, which the program does not get
    #[arg(long, value_name = "FD", value_parser = inherited_fds::number, allow_hyphen_values = true)]
    chdir_fd: Option<i32>,

    /// Set the root directory; this needs privileges
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    chroot: Option<PathBuf>,

    /// Start the program in the jail with this ID, as jls(8) lists it; this needs privileges (FreeBSD, DragonFly)
    ///
    /// The paths of --chroot, --chdir and of the program begin at the root of the jail.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i32).range(1..), allow_hyphen_values = true)]
    jail: Option<i32>,

    /// Start the program in the control group (version 2) that has this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    cgroup: Option<PathBuf>,

    /// Set the file mode creation mask, from 0 to 777
    #[arg(long, value_name = "OCTAL", value_parser = mask, allow_hyphen_values = true)]
    umask: Option<u32>,

    /// Start a new session, without a controlling terminal
    #[arg(long)]
    setsid: bool,

    /// Join process group N of this session; 0 makes a new group
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..), allow_hyphen_values = true)]
    pgroup: Option<i32>,

    /// Make the terminal on descriptor FD the controlling terminal of the new session
    #[arg(long, value_name = "FD", value_parser = inherited_fds::number, requires = "setsid", allow_hyphen_values = true)]
    ctty: Option<i32>,

    /// Make the program's process group the foreground group of the terminal on descriptor FD
    ///
    /// When the program stops or ends, the previous group becomes the foreground group again.
    #[arg(long, value_name = "FD", value_parser = inherited_fds::number, allow_hyphen_values = true)]
    foreground: Option<i32>,

    /// Set a resource limit; one value sets both the soft and the hard limit
    ///
    /// "SOFT:" and ":HARD" set one limit and keep the other. A value is a number in the unit of setrlimit(2), or
    /// "unlimited". Bytes take the units K or KiB, M, G and T, which are powers of 1024, and cpu takes s, m, h and d. NAME is
    /// nofile, core, cpu, data, fsize or stack. On Linux, it is also rss, nproc, memlock, as, locks, sigpending, msgqueue,
    /// nice, rtprio or rttime.
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = limits::parse, allow_hyphen_values = true)]
    limit: Vec<Limit>,

    /// Set the nice value, from -20 (highest priority) to 19
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(-20..=19), allow_hyphen_values = true)]
    nice: Option<i32>,
}

fn mask(text: &str) -> Result<u32, String> {
    let is_octal = !text.is_empty() && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    if !is_octal {
        return Err("expected octal digits".to_owned());
    }
    let mask = u32::from_str_radix(text, 8).ok().filter(|&mask| mask <= 0o777);
    mask.ok_or_else(|| "the maximum is 777".to_owned())
}

impl Options {
    /// Applies the options to the command.
    ///
    /// # Errors
    ///
    /// Fails if a descriptor is not open.
    pub(super) fn apply(&self, command: &mut Command) -> Result<(), Failure> {
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
        if let Some(id) = self.jail {
            command.jail(id);
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

    fn apply_numbers(&self, command: &mut Command) {
        if let Some(mask) = self.umask {
            command.umask(mask);
        }
        if self.setsid {
            command.setsid();
        }
        if let Some(group) = self.pgroup {
            command.process_group(group);
        }
        for limit in &self.limit {
            limit.apply(command);
        }
        if let Some(nice) = self.nice {
            command.nice(nice);
        }
    }

    /// Returns true if the program leads a process group, given that it gets one by default.
    pub(super) fn leads_group(&self) -> bool {
        self.setsid || self.pgroup.is_none_or(|group| group == 0)
    }

    /// Opens the terminal that this process shares with the program. The program's group becomes the foreground group if
    /// `--foreground` names a descriptor, or if `moves` is true.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor is not open.
    pub(super) fn terminal(&self, moves: bool) -> Result<Option<Terminal>, Failure> {
        if self.setsid { Ok(None) } else { Terminal::open(self.foreground, moves) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_leads_its_group_unless_it_joins_another() {
        let leads = |setsid, pgroup| Options { setsid, pgroup, ..Options::default() }.leads_group();
        assert_eq!([None, Some(0), Some(7)].map(|group| leads(false, group)), [true, true, false]);
        assert!(leads(true, None));
    }

    #[test]
    fn masks_are_three_octal_digits() {
        for (text, value) in [("0", 0), ("22", 0o22), ("0022", 0o22), ("777", 0o777)] {
            assert_eq!(mask(text), Ok(value));
        }
        for text in ["", "9", "0x12", "0o22", "1000", "-1", "77777777777777"] {
            assert!(mask(text).is_err(), "{text:?}");
        }
    }
}
