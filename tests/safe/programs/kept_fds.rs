//! Keeps a descriptor for std's command that is closed before the start.
//!
//! Fault: U4
//! Error: E0597
#![forbid(unsafe_code)]

use forkexec::fds::KeptFds;

fn main() {
    let _ = {
        let file = std::fs::File::open("/etc/hosts").unwrap();
        KeptFds::new().keep(&file)
    };
}
