//! The command line.

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Measure the time of a spawn with forkexec, with bare system calls in C (the floor), and with all other methods that the
/// machine has
///
/// The exit status is 1 if --check finds a missed target, and 2 if the benchmark itself fails.
#[derive(Parser)]
#[command(name = "forkexec-bench", version, args_conflicts_with_subcommands = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) options: Options,
    #[command(subcommand)]
    pub(super) inner: Option<Inner>,
}

/// The options of a run.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option without a value")]
pub(super) struct Options {
    /// Make a short run: 8 rounds, and at most 1 GiB
    #[arg(long)]
    pub(super) quick: bool,
    /// Print the scenarios and the methods, and the reason for each missing method
    #[arg(long)]
    pub(super) list: bool,
    /// Measure only methods whose id contains one of these; the floor is always measured
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Measure only these groups of scenarios
    #[arg(long, value_name = "GROUP", value_enum, value_delimiter = ',')]
    pub(super) group: Vec<GroupName>,
    /// Make the first spawn after the descriptors are opened, not before
    #[arg(long)]
    pub(super) cold: bool,
    /// Set the number of rounds for each scenario [default: 24, or 8 with --quick]
    #[arg(long, value_name = "N")]
    pub(super) rounds: Option<usize>,
    /// Set the largest memory that a worker touches, in GiB
    #[arg(long, value_name = "GIB", default_value_t = 4)]
    pub(super) memory: u64,
    /// Set the largest number of open descriptors, up to the hard limit
    #[arg(long, value_name = "N", default_value_t = 19_000)]
    pub(super) descriptors: u32,
    /// Write the tables to FILE, as Markdown
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,
    /// Write all measured spawns to FILE, as JSON, or as CSV if its name ends in .csv
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,
    /// Write drawings of the time against descriptors and memory to DIR, as SVG
    #[arg(long, value_name = "DIR")]
    pub(super) svg: Option<PathBuf>,
    /// Also measure our method in FILE, a build of this benchmark over the portable backend
    #[arg(long, value_name = "FILE")]
    pub(super) portable: Option<PathBuf>,
    /// Check the targets, and exit with 1 if one is missed
    #[arg(long)]
    pub(super) check: bool,
}

/// The groups of scenarios.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum GroupName {
    /// Descriptors open in the parent
    Descriptors,
    /// Memory touched in the parent
    Memory,
    /// Threads that spawn at once
    Threads,
}

/// The subcommands that the driver runs.
#[derive(Subcommand)]
pub(super) enum Inner {
    /// Open descriptors, and execute a program that inherits them
    #[command(hide = true)]
    WithDescriptors(WithDescriptors),
    /// Answer requests on standard input
    #[command(hide = true)]
    Worker(Worker),
}

/// A program that inherits descriptors.
#[derive(Args)]
pub(super) struct WithDescriptors {
    /// The number of descriptors above 2
    pub(super) descriptors: u32,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub(super) program: Vec<OsString>,
}

/// A worker for the methods of this executable.
#[derive(Args)]
pub(super) struct Worker {
    /// The shared object with the floor and posix_spawn
    #[arg(long)]
    pub(super) bare: Option<PathBuf>,
}
