//! The parsed report of a probe.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::report::{Report, number, pair, unescaped};

/// The state that a probe reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The open descriptors, ascending.
    pub fds: Vec<RawFd>,
    /// The file of each open descriptor.
    pub facts: BTreeMap<RawFd, FdFacts>,
    /// The highest number that the probe checked.
    pub scanned: RawFd,
    /// Its process id.
    pub pid: i32,
    /// Its parent's process id.
    pub ppid: i32,
    /// Its process group.
    pub pgid: i32,
    /// Its session.
    pub sid: i32,
    /// The foreground group of the terminal on descriptor 0, if it is one.
    pub tpgid: Option<i32>,
    /// Its users.
    pub uids: Ids,
    /// Its groups.
    pub gids: Ids,
    /// Its supplementary groups, in the kernel's order.
    pub groups: Vec<u32>,
    /// Its working directory, if that has a path.
    pub cwd: Option<PathBuf>,
    /// Device and inode of its root directory, if it may look.
    pub root: Option<(u64, u64)>,
    /// Its file mode creation mask.
    pub umask: u32,
    /// The blocked signals that it inherited.
    pub blocked: Vec<i32>,
    /// The ignored signals that it inherited.
    pub ignored: Vec<i32>,
    /// The signals with a handler: none, as exec resets them.
    pub handled: Vec<i32>,
    /// The signal it gets when its parent dies, or 0.
    pub pdeathsig: i32,
    /// Its niceness.
    pub nice: i32,
    /// True if exec grants it no privileges.
    pub no_new_privs: bool,
    /// Soft and hard limits, by the lower-case end of the `RLIMIT_*` name.
    ///
    /// No limit is `u64::MAX`.
    pub limits: BTreeMap<String, (u64, u64)>,
    /// Its arguments, with the zeroth.
    pub args: Vec<OsString>,
    /// Its environment's entries (`NAME=value`), in order.
    pub env: Vec<OsString>,
}

/// Facts about a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdFacts {
    /// The device that holds it.
    pub dev: u64,
    /// Its inode.
    pub ino: u64,
    /// The kind of the file.
    pub kind: Kind,
    /// The answer of `F_GETFL`.
    pub flags: i32,
}

/// The kinds of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Pipe,
    Char,
    Dir,
    Block,
    File,
    Socket,
    /// Without a type of its own, as an event descriptor is.
    Other,
}

/// The three ids of one sort that a process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Ids {
    pub real: u32,
    pub effective: u32,
    pub saved: u32,
}

impl Ids {
    /// The same id three times.
    pub fn all(id: u32) -> Self {
        Self { real: id, effective: id, saved: id }
    }
}

impl Seen {
    /// Reads the bytes of a report.
    pub fn of(report: &[u8]) -> Self {
        Self::parse(core::str::from_utf8(report).expect("a report is ASCII"))
    }

    /// Reads a report.
    ///
    /// # Panics
    ///
    /// If the text is no whole report; the message holds the text.
    pub fn parse(text: &str) -> Self {
        let report = Report::new(text);
        Self {
            fds: report.list("fds"),
            facts: report.table("fd", FdFacts::parse),
            scanned: report.number("scanned"),
            pid: report.number("pid"),
            ppid: report.number("ppid"),
            pgid: report.number("pgid"),
            sid: report.number("sid"),
            tpgid: report.optional("tpgid").map(number),
            uids: report.ids(["ruid", "euid", "suid"]),
            gids: report.ids(["rgid", "egid", "sgid"]),
            groups: report.list("groups"),
            cwd: report.optional("cwd").map(|path| unescaped(path).into()),
            root: report.optional("root").map(pair),
            umask: u32::from_str_radix(report.value("umask"), 8).expect("the mask is octal"),
            blocked: report.list("blocked"),
            ignored: report.list("ignored"),
            handled: report.list("handled"),
            pdeathsig: report.number("pdeathsig"),
            nice: report.number("nice"),
            no_new_privs: report.number::<u8>("no_new_privs") == 1,
            limits: report.table("limit", pair),
            args: report.table::<usize, _>("arg", unescaped).into_values().collect(),
            env: report.environment(),
        }
    }

    /// The value of an environment variable; the first, if it is there twice.
    pub fn var(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        let name = name.as_ref().as_bytes();
        self.env.iter().find_map(|entry| {
            let value = entry.as_bytes().strip_prefix(name)?.strip_prefix(b"=")?;
            Some(OsStr::from_bytes(value))
        })
    }
}

impl FdFacts {
    fn parse(text: &str) -> Self {
        let facts: BTreeMap<_, _> = text.split(' ').filter_map(|fact| fact.split_once('=')).collect();
        let flags = facts["flags"].trim_start_matches("0x");
        Self {
            dev: number(facts["dev"]),
            ino: number(facts["ino"]),
            kind: Kind::parse(facts["mode"]),
            flags: i32::from_str_radix(flags, 16).unwrap_or(-1), // F_GETFL was refused
        }
    }
}

impl Kind {
    fn parse(text: &str) -> Self {
        match text {
            "pipe" => Self::Pipe,
            "char" => Self::Char,
            "dir" => Self::Dir,
            "block" => Self::Block,
            "file" => Self::File,
            "socket" => Self::Socket,
            _ => Self::Other,
        }
    }
}
