//! Closes another owner's descriptor by the system calls of the Linux backend.
//!
//! Fault: U1
//! Error: E0133
#![forbid(unsafe_code)]

use forkexec_core::Sys;
use std::fs::File;
use std::os::fd::AsRawFd;

fn main() {
    let file = File::open("/dev/null").unwrap();
    let _ = forkexec_linux::Kernel::new().close(file.as_raw_fd());
}
