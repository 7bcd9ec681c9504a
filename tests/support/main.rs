//! Tests of the support library, above all that its guards can fail.
//!
//! - `android`: the filter of apps
//! - `deny`: refused system calls
//! - `guard`: each change that a test may not leave behind
//! - `isolate`: tests that fail, hang, are skipped or do not exist
//! - `probe`: the report of the probe, and its verbs
//! - `trace`: the log of strace
//! - `world`: each hostile surrounding

#![cfg(any(target_os = "linux", target_os = "android"))]

mod android;
mod deny;
mod guard;
mod isolate;
mod probe;
mod trace;
mod world;

use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::process::Command;

use forkexec_tests::probe::Seen;

/// Returns the panic message of `test`, which has to fail.
///
/// In the isolated process the panic goes on, so that the outer process reports it.
fn complaint_of(test: impl FnOnce()) -> String {
    if env::var_os("FORKEXEC_ISOLATED").is_some() {
        test();
        return "nothing".to_owned();
    }
    let panic = panic::catch_unwind(AssertUnwindSafe(test)).expect_err("this test has to fail");
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref().map(|&said: &&str| said.to_owned()))
        .unwrap_or_default()
}

/// A command that runs the probe.
fn probe(args: &[&str]) -> Command {
    let mut command = Command::new(forkexec_tests::probe::path());
    command.args(args);
    command
}

/// Returns the report of a probe on its output.
fn seen(command: &mut Command) -> Seen {
    let output = command.output().expect("the probe can be started");
    assert!(output.status.success(), "{output:?}");
    Seen::of(&output.stdout)
}
