//! Starts a std command whose closure would be lost.
//!
//! Fault: U6
//! Error: E0432
//! Error: E0599
#![forbid(unsafe_code)]

use forkexec::StdCommandExt;

fn main() {
    let _ = std::process::Command::new("true").spawn_exact();
}
