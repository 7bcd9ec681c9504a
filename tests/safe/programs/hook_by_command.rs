//! Runs its own closure in a child of a command.
//!
//! Fault: U1
//! Error: E0133
#![forbid(unsafe_code)]

fn main() {
    let _ = forkexec::Command::new("true").pre_exec(|| Ok(())).spawn();
}
