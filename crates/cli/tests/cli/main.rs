//! Tests of the command as a user or a script runs it.
//!
//! - `announced`: descriptors that the environment announces, with a real make
//! - `descriptors`: the descriptors that a program gets
//! - `settings`: the effects of the other options of `run`
//! - `attributes`: scheduling, capabilities, rulesets and filters
//! - `signals`: ignored, blocked and forwarded signals
//! - `nonblocking`: standard streams in non-blocking mode
//! - `outputs`: standard output and standard error in one file
//! - `forwarding`, `job_control`, `namespace`: the contract of `run` as a wrapper (docs/wrapper.md), also run with tini,
//!   dumb-init and timeout(1) if they promise the same
//! - `codes`: exit codes
//! - `denied`: errors of the command's own calls
//! - `refused`: errors for bad options
//! - `report`: `run --report`, `--summary` and `--progress`
//! - `deadline`: `run --timeout`
//! - `bad_inputs`: bad programs and values that no other module covers
//! - `doctor`: its results, also if system calls are denied
//! - `own_terminal`: `run --pty`
//! - `exec`: the program takes the place of forkexec
//! - `fds`: the descriptors of this process and of others
//! - `leaks`: programs with and without leaks
//! - `tracing`: a traced program behaves as without tracing
//! - `help`: help, completions, manual pages, colours
//! - `places`: without `/proc`, with a false `/proc`, in a bare chroot
//!
//! `start_with` sets the state in which the command starts, `pty` is a terminal with a session, `wrappers` the other
//! wrappers.
//!
//! The tests are in this package because cargo builds a binary only for the integration tests of its own package.

#![cfg(any(target_os = "linux", target_os = "android"))]

mod announced;
mod attributes;
mod bad_inputs;
mod codes;
mod deadline;
mod denied;
mod descriptors;
mod doctor;
mod exec;
mod fds;
mod forwarding;
mod help;
mod job_control;
mod leaks;
mod namespace;
mod nonblocking;
mod outputs;
mod own_terminal;
mod places;
mod pty;
mod refused;
mod report;
mod settings;
mod signals;
mod start_with;
mod tracing;
mod wrappers;

use std::process::{Command, Output};

use forkexec_tests::isolate::hide_announcements;
use forkexec_tests::probe::{self, Seen};

/// Returns `forkexec` with these arguments, without the variables that announce descriptors to the tests.
fn forkexec(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forkexec"));
    hide_announcements(&mut command);
    command.args(args);
    command
}

/// Returns `forkexec run` with these options, which starts the probe with these arguments.
fn run(options: &[&str], probe: &[&str]) -> Command {
    let mut command = forkexec(&["run"]);
    command.args(options).arg("--").arg(probe::path()).args(probe);
    command
}

/// Runs the probe with these options and returns its report.
fn seen(options: &[&str]) -> Seen {
    reported(&mut run(options, &["report"]))
}

/// Runs a command that starts the probe, and returns the probe's report.
fn reported(command: &mut Command) -> Seen {
    let output = command.output().expect("the command can be started");
    assert!(output.status.success(), "{output:?}");
    Seen::parse(&text(&output.stdout))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is text")
}

/// Returns the exit code, standard output and standard error.
fn said(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs `forkexec` with these arguments, and returns the exit code, standard output and standard error.
fn answer(args: &[&str]) -> (Option<i32>, String, String) {
    said(&forkexec(args).output().expect("the command can be started"))
}

/// Returns a process id as calls of the kernel take it.
fn signed(pid: u32) -> libc::pid_t {
    pid.try_into().expect("the kernel's pids are positive")
}
