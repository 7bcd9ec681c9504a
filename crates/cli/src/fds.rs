//! `forkexec fds`: the open descriptors of this process, or of another one.
//!
//! The library lists those of this process, on all systems. Another process can be inspected only through `/proc/PID`. The
//! parts of `/proc` that exist are found at run time.

pub(crate) mod other;
mod own;
mod print;
mod row;
pub(crate) mod sockets;

use std::process::ExitCode;

use clap::Args;

use crate::exit::{Code, Failure};
use crate::{help, stdout};
pub(crate) use print::printable;
#[cfg(test)]
pub(crate) use row::Mode;
pub(crate) use row::{Kind, Row};

/// List the open descriptors of a process
///
/// Without PID, lists the descriptors that forkexec was started with. Other programs that are started from the same place
/// inherit the same ones. Descriptors that forkexec opens itself are left out, as are 0, 1 and 2 if they were closed. None
/// of the descriptors is marked cloexec, because exec closes those.
///
/// The columns are FD, MODE, FLAGS, KIND and TARGET. MODE is r, w or rw, or - if the descriptor can neither be read nor
/// written. FLAGS is a list of cloexec, append, nonblock, path (opened with O_PATH), async, direct, sync, dsync and
/// noatime, with ? instead of cloexec if the system does not show it. KIND is file, dir, pipe, socket, char, block, link,
/// other, or anon with a name, such as anon:eventfd. TARGET is the path, address or inode, or - if the system does not show
/// it.
#[derive(Args)]
#[command(
    after_help = help::examples(EXAMPLES),
    after_long_help = help::sections("fds", EXAMPLES, SEE_ALSO),
)]
pub(crate) struct Options {
    /// The process to inspect, instead of forkexec itself; this needs /proc
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,

    /// Print a JSON array instead of a table
    ///
    /// Each object has fd, mode, cloexec (true, false, or null if unknown), flags (without cloexec), kind, name (only for
    /// anon), and target (null if unknown). Bytes that are not UTF-8 are replaced.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: help::Examples = &[
    ("forkexec fds", "list what a program inherits here"),
    ("forkexec fds 3</etc/passwd 0<&-", "with these redirections"),
    ("forkexec fds $$", "list this shell's descriptors"),
    ("forkexec fds --json $$ | jq '.[].target'", "use the list in a script"),
];

const SEE_ALSO: help::Pages = &["forkexec(1), forkexec-leaks(1), lsof(8), fcntl(2), proc(5)"];

/// The descriptors, and a note about how they were found.
struct Listing {
    rows: Vec<Row>,
    note: Option<String>,
}

/// Lists the descriptors and prints them.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let listing = options.pid.map_or_else(own::list, other::list)?;
    if let Some(note) = &listing.note {
        stdout::note(&format!("fds: note: {note}"));
    }
    let print = if options.json { print::json } else { print::table };
    stdout::write(|out| print(&listing.rows, out))?;
    Ok(Code::Ok.into())
}
