//! Makes a second owner of a descriptor that the environment names.
//!
//! Fault: U5
//! Error: E0133
#![mprotect_none(unsafe_code)]

fn main() {
    let _ = forkexec::listen_fds();
}
