//! The command line.

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Measures what a spawn costs: forkexec, the floor of bare system calls in C, and every peer that this machine has.
#[derive(Parser)]
#[command(name = "forkexec-bench", version, args_conflicts_with_subcommands = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) options: Options,
    #[command(subcommand)]
    pub(super) inner: Option<Inner>,
}

/// What is measured, and where it is written to.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that has no value")]
pub(super) struct Options {
    /// A short run: few rounds, 1 GiB at most.
    #[arg(long)]
    pub(super) quick: bool,
    /// Prints the scenarios and the methods, and those that are not to be had with the reason.
    #[arg(long)]
    pub(super) list: bool,
    /// Only methods whose id contains one of these; the floor is always there.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Only this group of scenarios (more than one may be given).
    #[arg(long, value_name = "GROUP", value_enum, value_delimiter = ',')]
    pub(super) group: Vec<GroupName>,
    /// The first spawn comes after the descriptors were opened, not before.
    #[arg(long)]
    pub(super) cold: bool,
    /// Rounds for each scenario.
    #[arg(long, value_name = "N")]
    pub(super) rounds: Option<usize>,
    /// The most memory that a worker touches, in GiB.
    #[arg(long, value_name = "GIB", default_value_t = 4)]
    pub(super) memory: u64,
    /// The most descriptors that are opened; the hard limit is the end in any case.
    #[arg(long, value_name = "N", default_value_t = 19_000)]
    pub(super) descriptors: u32,
    /// Writes the tables as Markdown.
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,
    /// Writes every measured spawn: JSON, or CSV if the name ends in .csv.
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,
    /// Draws time against descriptors and against memory.
    #[arg(long, value_name = "DIR")]
    pub(super) svg: Option<PathBuf>,
    /// Says whether the targets hold, and exits with 1 if one does not.
    #[arg(long)]
    pub(super) check: bool,
}

/// The groups of scenarios: one table each.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum GroupName {
    /// Descriptors open in the parent.
    Descriptors,
    /// Memory touched in the parent.
    Memory,
    /// Threads that spawn at once.
    Threads,
}

/// What the driver starts.
#[derive(Subcommand)]
pub(super) enum Inner {
    /// Opens descriptors, and becomes a program that has them.
    #[command(hide = true)]
    Born(Born),
    /// Spawns what is asked for on standard input.
    #[command(hide = true)]
    Worker(Worker),
}

/// A program that is born with descriptors.
#[derive(Args)]
pub(super) struct Born {
    /// How many above 2.
    pub(super) descriptors: u32,
    /// The program and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub(super) program: Vec<OsString>,
}

/// A worker for the methods that are called from this executable.
#[derive(Args)]
pub(super) struct Worker {
    /// The floor and posix_spawn, as a shared object.
    #[arg(long)]
    pub(super) bare: Option<PathBuf>,
}
