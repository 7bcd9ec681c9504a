//! `forkexec leaks`: runs a program, and reports the descriptors that processes inherited without being asked for.
//!
//! The modules are in `platform`: `linux` traces, `mentions` finds descriptors in the arguments and environment of a
//! program, `options` are the settings, `report` is the result, and `print` writes it.

mod platform;

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueHint};

use crate::exit::{Code, Failure};
use crate::run::outcome;
use crate::{help, inherited_fds};
use platform::options::{self, Settings};
use platform::report::Traced;
use platform::{print, trace};

/// Run a program and report the descriptors that leak into its children (Linux)
///
/// Traces the program and all its descendants, and checks the descriptors of each process right after exec. A leak is a
/// descriptor above 2 that a process inherited from its parent, but that nothing asked for. The report has the file behind
/// each leak, the process and the call that opened it, and the processes that inherited it. Without a leak, nothing is
/// printed.
///
/// The child asks for a descriptor if, between its start and its exec, it opens the descriptor, places it under its number
/// (dup2), makes it inheritable, reads its close-on-exec flag, or closes a range that begins or ends next to it.
///
/// The arguments or the environment of the program ask for a descriptor by /dev/fd/N, an argument fd=N or --some-fd N, a
/// variable whose name ends in FD or FDS, LISTEN_FDS, or make's job server.
///
/// The parent asks for a descriptor if it places the descriptor by dup2, and removes it before it starts another child, as
/// a shell does for "prog 7<file". But after "exec 7<file", all children of the shell inherit the descriptor, and it is
/// reported. A descriptor that a process opens itself and keeps in its own exec is not inherited.
///
/// The program gets 0, 1, 2 and the descriptors that --keep names. Signals are forwarded to the program as by 'forkexec
/// run', and after its end to all remaining descendants. When the last one has ended, forkexec exits as the program did.
///
/// Tracing by ptrace(2) has limits. No other debugger can trace the same processes. Set-user-id programs get no privileges
/// that forkexec does not have. If forkexec is killed, all traced processes are killed. The processor must be x86_64,
/// aarch64 or riscv64.
#[derive(Args)]
#[command(
    override_usage = "forkexec leaks [OPTIONS] [--] <PROGRAM> [ARGS]...",
    after_help = help::examples(EXAMPLES),
    after_long_help = help::sections("leaks", EXAMPLES, SEE_ALSO),
)]
pub(crate) struct Options {
    /// The program and its arguments; options after PROGRAM belong to the program
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,

    /// Keep descriptors open in the program, with their numbers
    ///
    /// FDS is a list of numbers and ranges, such as 3,5-9. Each of the descriptors must be open. They are no leak in the
    /// program itself, but can be one in its children.
    #[arg(long, value_name = "FDS", value_delimiter = ',', value_parser = inherited_fds::range, allow_hyphen_values = true)]
    keep: Vec<RangeInclusive<i32>>,

    /// Do not report descriptors with these numbers, such as 3,5-9
    #[arg(long, value_name = "FDS", value_delimiter = ',', value_parser = inherited_fds::range, allow_hyphen_values = true)]
    allow: Vec<RangeInclusive<i32>>,

    /// Do not report descriptors of these kinds: file, dir, pipe, socket, char, block, link, other, anon or anon:NAME
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = options::kind)]
    ignore_kind: Vec<String>,

    /// Exit with 123 if there are leaks and the program succeeds
    #[arg(long)]
    fail: bool,

    /// Write the report to FILE instead of standard error; an existing file is replaced
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// Report as one JSON object, even without leaks
    ///
    /// The object has execs (their number), leaks, and unseen (programs whose descriptors could not be listed).
    ///
    /// A leak has the members of 'forkexec fds --json', and opened, then, held_by and inherited_by. opened is the call that
    /// opened the descriptor, or null if it is not a traced call. then is the last call that duplicated it or made it
    /// inheritable, or null. held_by is the process that had it when the first inheritor was started. inherited_by is a
    /// list of the inheritors. Each of these has pid, program and args. Calls also have call, and inheritors have fd and
    /// times.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: help::Examples = &[
    ("forkexec leaks -- make -j4", "what do compilers inherit?"),
    ("forkexec leaks --fail -- ./test.sh", "exit with 123 for a leak"),
    ("forkexec leaks --allow 3,4 -- make", "ignore 3 and 4"),
    ("forkexec leaks --json --output l.json -- server", "JSON in a file"),
];

const SEE_ALSO: help::Pages = &["forkexec(1), forkexec-fds(1), forkexec-run(1), strace(1), ptrace(2)"];

/// Runs the program and reports the leaks.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    // Checked before the output file is opened: its number could be one of these.
    for range in &options.keep {
        for fd in range.clone() {
            inherited_fds::borrow(&format!("--keep {}", inherited_fds::typed(range)), fd)?;
        }
    }
    let output = options.output.as_ref().map(create).transpose()?;
    let settings = Settings {
        command: options.command.clone(),
        keep: options.keep.clone(),
        allowed: options.allow.clone(),
        ignored_kinds: options.ignore_kind.clone(),
    };
    let traced = trace(&settings)?;
    report(options, output, &traced)?;
    let fails = options.fail && traced.status.success() && !traced.leaks.is_empty();
    if outcome::is_interrupt(traced.status) {
        outcome::interrupt(false);
    }
    Ok(if fails { Code::Leaks.into() } else { outcome::code(traced.status) })
}

fn create(path: &PathBuf) -> Result<File, Failure> {
    File::create(path)
        .map_err(|error| Failure::refused(format!("--output: cannot open {path:?}")).because(error))
}

fn report(options: &Options, output: Option<File>, traced: &Traced) -> Result<(), Failure> {
    let print = if options.json { print::json } else { print::text };
    let Some(file) = output else {
        // Standard error may be closed on purpose.
        let _ = print(traced, &mut anstream::stderr().lock());
        return Ok(());
    };
    let mut file = anstream::StripStream::new(file);
    let written = print(traced, &mut file).and_then(|()| file.flush());
    written.map_err(|error| Failure::refused("cannot write the report").because(error))
}
