//! Keeps a descriptor for std's command by its number.
//!
//! Fault: U4
//! Error: E0277
#![forbid(unsafe_code)]

use forkexec::fds::KeptFds;

fn main() {
    let _ = KeptFds::new().keep(7);
}
