//! Closes the descriptors of other code, and changes their close-on-exec flags.
//!
//! Fault: U1
//! Error: E0133
#![forbid(unsafe_code)]

use forkexec::fds::AllFds;

fn main() {
    let _ = AllFds::starting_at(3).close();
    let _ = AllFds::starting_at(3).set_cloexec(true);
}
