//! Closes a descriptor that a command has borrowed.
//!
//! Fault: U1
//! Error: E0505
#![forbid(unsafe_code)]

use std::fs::File;

fn main() {
    let file = File::open("/dev/null").unwrap();
    let mut command = forkexec::Command::new("true");
    command.keep_fd(&file);
    drop(file);
    let _ = command.spawn();
}
