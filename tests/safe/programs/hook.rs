//! Runs its own closure in a child between fork and exec.
//!
//! Fault: U1
//! Error: E0133
#![forbid(unsafe_code)]

use forkexec_core::Hook;

fn main() {
    let _ = Hook::new(&|| panic!("the child allocates"));
}
