//! Makes a second owner of a descriptor that the environment names.
//!
//! Fault: U5
//! Error: E0133
#![forbid(unsafe_code)]

fn main() {
    let _ = forkexec::listen_fds();
}
