//! The command, as a person or a script starts it.
//!
//! - `descriptors`: what a program gets of 0, 1, 2 and of all others
//! - `settings`: what each other option of `run` does to the program
//! - `signals`: what `run` does about them, before, while and after
//! - `outputs`: standard output and standard error in one file
//! - `forwarding`, `job_control`, `namespace`: the contract of `run` as a wrapper (docs/wrapper.md), beside tini, dumb-init
//!   and timeout(1) where they promise the same
//! - `codes`: with what it exits
//! - `refused`: what it answers to bad options
//! - `report`: `run --report`, `--summary` and `--progress`
//! - `deadline`: `run --timeout`
//! - `bad_inputs`: bad values of all kinds, of the program and of options, that none of the others has
//! - `doctor`: what it finds, also where system calls are denied
//! - `fds`: the descriptors of this process and of others
//! - `leaks`: which it finds in which program, and which not
//! - `tracing`: that a traced program is as it would be otherwise
//! - `help`: help, completions, manual pages, colours
//! - `places`: without `/proc`, with a false one, in a bare chroot
//!
//! `born` is how the command itself is started, `pty` a terminal with a session on it, `wrappers` the other wrappers.
//!
//! They are here and not among the other suites because cargo builds a package's binary for that package's own
//! integration tests alone.

#![cfg(any(target_os = "linux", target_os = "android"))]

mod bad_inputs;
mod born;
mod codes;
mod deadline;
mod descriptors;
mod doctor;
mod fds;
mod forwarding;
mod help;
mod job_control;
mod leaks;
mod namespace;
mod outputs;
mod places;
mod pty;
mod refused;
mod report;
mod settings;
mod signals;
mod tracing;
mod wrappers;

use std::process::{Command, Output};

use forkexec_tests::probe::{self, Seen};

/// `forkexec` with these arguments.
fn forkexec(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forkexec"));
    command.args(args);
    command
}

/// `forkexec run` with these options, which starts the probe with these arguments.
fn run(options: &[&str], probe: &[&str]) -> Command {
    let mut command = forkexec(&["run"]);
    command.args(options).arg("--").arg(probe::path()).args(probe);
    command
}

/// What a probe started with these options says of itself.
fn seen(options: &[&str]) -> Seen {
    reported(&mut run(options, &["report"]))
}

/// What the probe that this command starts writes to standard output.
fn reported(command: &mut Command) -> Seen {
    let output = command.output().expect("the command can be started");
    assert!(output.status.success(), "{output:?}");
    Seen::parse(&text(&output.stdout))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is text")
}

/// Exit code, standard output, standard error.
fn said(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// What a command says with these arguments.
fn answer(args: &[&str]) -> (Option<i32>, String, String) {
    said(&forkexec(args).output().expect("the command can be started"))
}
