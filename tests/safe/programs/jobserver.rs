//! Passes descriptors that the environment names to a child.
//!
//! Fault: U7
//! Error: E0133
#![forbid(unsafe_code)]

fn main() {
    let _ = forkexec::Jobserver::from_env();
}
