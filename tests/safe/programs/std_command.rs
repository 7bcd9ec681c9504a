//! Converts a std command, whose closures would be lost.
//!
//! Fault: U6
//! Error: E0277
#![forbid(unsafe_code)]

fn main() {
    let _ = forkexec::Command::from(std::process::Command::new("true"));
}
