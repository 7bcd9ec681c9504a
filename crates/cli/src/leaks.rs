//! `forkexec leaks`: runs a program, and reports the descriptors that were inherited without being asked for.
//!
//! In `platform`, where that is possible: `linux` traces, with what a program is told of (`mentions`) and what was wished (`options`);
//! `found` is what comes of it, `print` how it is said.

mod platform;

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueHint};

use crate::exit::{self, Code, Failure};
use crate::run::outcome;
use crate::{help, inherited_fds};
use platform::options::{self, Wanted};
use platform::report::Traced;
use platform::{print, trace};

/// Run a program and report the descriptors that leak into children
///
/// Every exec in the program and its descendants is looked at. Reported is each descriptor above 2 that a process got from
/// its parent and has after exec, though nobody asked for that: what it leads to, who opened it and by which call, and who
/// inherited it. Without a leak nothing is said.
///
/// A descriptor was asked for if, between its start and its exec, the child itself placed it under its number (dup2), opened
/// it, made it inheritable, looked at its close-on-exec flag, or closed a range that begins or ends right beside it; if the
/// program is told of it (/dev/fd/N, an argument fd=N or --some-fd N, a variable that ends in FD or FDS, LISTEN_FDS, make's
/// job server); or if the parent placed it by dup2 and took it away again before it started another child, as a shell does
/// for "prog 7<file". What a process opened itself and takes along in its own exec is not inherited. What a shell keeps open
/// for itself, as by "exec 7<file", is inherited by all that it starts, and reported.
///
/// The program gets 0, 1, 2 and what --keep names. forkexec exits as it does, after the last of its descendants has ended.
/// Signals are forwarded to the program as by `forkexec run`; when it has ended, to all that are left.
/// Programs are traced (ptrace): another debugger cannot trace them too, set-user-id programs run without privileges unless
/// forkexec has them, and if forkexec is killed, so are all of them.
#[derive(Args)]
#[command(
    override_usage = "forkexec leaks [OPTIONS] [--] <PROGRAM> [ARGS]...",
    after_help = help::examples(EXAMPLES),
    after_long_help = help::examples(EXAMPLES) + "\n\n" + &exit::help(),
)]
pub(crate) struct Options {
    /// The program and its arguments; what follows PROGRAM is the program's own
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,

    /// Give the program these of our descriptors, too
    ///
    /// Numbers, ranges such as 5-9, and lists of both such as 3,5-9. Every one of them must be open. That the program has
    /// them is no leak; that its children have them may be one.
    #[arg(long, value_name = "FDS", value_delimiter = ',', value_parser = inherited_fds::range, allow_hyphen_values = true)]
    keep: Vec<RangeInclusive<i32>>,

    /// Do not report descriptors with these numbers
    #[arg(long, value_name = "FDS", value_delimiter = ',', value_parser = inherited_fds::range, allow_hyphen_values = true)]
    allow: Vec<RangeInclusive<i32>>,

    /// Do not report descriptors of these kinds: file, dir, pipe, socket, char, block, link, other, anon, anon:NAME
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = options::kind)]
    ignore_kind: Vec<String>,

    /// Exit with 123 if there are leaks and the program itself succeeds
    #[arg(long)]
    fail: bool,

    /// Write the report to this file instead of standard error; it is made anew
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// Report as one JSON object, leaks or not
    ///
    /// It has execs (how many were seen), leaks, and unseen (programs whose descriptors could not be listed). A leak has what
    /// `fds --json` tells of a descriptor; opened, the call that opened it, or null if that was none that is traced; then, the
    /// last call that duplicated it or made it inheritable, or null; held_by, who had it when the first heir was started; and
    /// inherited_by. Each of these has pid, program and args; the calls have call, and an heir has fd and times, too.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: help::Examples = &[
    ("forkexec leaks -- make -j4", "what do the compilers get?"),
    ("forkexec leaks --fail -- ./test.sh", "123 if anything leaks"),
    ("forkexec leaks --allow 3,4 -- make", "but for these"),
    ("forkexec leaks --json --output l.json -- server", "for other programs"),
];

/// Runs the program and reports.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    // Descriptors are borrowed by their numbers before this file is opened, which is another process's business.
    for range in &options.keep {
        for fd in range.clone() {
            inherited_fds::borrow(&format!("--keep {}", inherited_fds::typed(range)), fd)?;
        }
    }
    let output = options.output.as_ref().map(create).transpose()?;
    let wanted = Wanted {
        command: options.command.clone(),
        keep: options.keep.clone(),
        allowed: options.allow.clone(),
        ignored_kinds: options.ignore_kind.clone(),
    };
    let traced = trace(&wanted)?;
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
        // Whoever does not want to hear it closed standard error.
        let _ = print(traced, &mut anstream::stderr().lock());
        return Ok(());
    };
    let mut file = anstream::StripStream::new(file);
    let written = print(traced, &mut file).and_then(|()| file.flush());
    written.map_err(|error| Failure::refused("cannot write the report").because(error))
}
