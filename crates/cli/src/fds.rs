//! `forkexec fds`: the open descriptors of this process, or of another one.
//!
//! This process is asked with fcntl(2) and fstat(2), which work everywhere; `/proc` only adds the
//! targets. Another process can be asked through `/proc/PID` alone. What of it is there is found
//! out at run time.

pub(crate) mod other;
mod own;
mod print;
mod row;
pub(crate) mod sockets;

use std::process::ExitCode;

use clap::Args;

use crate::exit::{self, Code, Failure};
use crate::{help, stdout};
pub(crate) use print::printable;
#[cfg(test)]
pub(crate) use row::Mode;
pub(crate) use row::{Kind, Row};

/// Show the open descriptors of a process
///
/// Without PID these are the descriptors that this command was started with: what any program gets
/// when it is started from the same place. Descriptors that the command opens itself are left out,
/// and 0, 1 and 2 are missing if they were closed. None of them can show "cloexec": those did not
/// get here.
///
/// FD is the number. MODE is r, w, rw, or - where neither reading nor writing is possible. FLAGS are
/// cloexec (closed by exec), append, nonblock, path (opened with `O_PATH`), async, direct, sync,
/// dsync and noatime. KIND is file, dir, pipe, socket, char, block, link, other, or anon with a name,
/// as in anon:eventfd. TARGET is what the descriptor leads to, or - where the system does not tell;
/// FLAGS is ? there.
#[derive(Args)]
#[command(
    after_help = help::examples(EXAMPLES),
    after_long_help = help::examples(EXAMPLES) + "\n\n" + &exit::help(),
)]
pub(crate) struct Options {
    /// The process to look into, instead of this one; needs /proc
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,

    /// Print a JSON array instead of a table
    ///
    /// Its objects have fd, mode, cloexec (true, false, or null where the system does not tell), flags
    /// (the others), kind, name (of anon), and target (null where the system does not tell). Bytes that
    /// are not UTF-8 are replaced.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: help::Examples = &[
    ("forkexec fds", "what a program started here gets"),
    ("forkexec fds 3</etc/passwd 0<&-", "... with these redirections"),
    ("forkexec fds $$", "what this shell holds"),
    ("forkexec fds --json $$ | jq '.[].target'", "for other programs"),
];

/// What was found, and what the reader should know about how.
struct Listing {
    rows: Vec<Row>,
    note: Option<String>,
}

/// Gathers the descriptors and prints them.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let listing = options.pid.map_or_else(|| Ok(own::list()), other::list)?;
    if let Some(note) = &listing.note {
        stdout::note(&format!("fds: note: {note}"));
    }
    let print = if options.json { print::json } else { print::table };
    stdout::write(|out| print(&listing.rows, out))?;
    Ok(Code::Ok.into())
}
