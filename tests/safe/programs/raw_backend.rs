//! Closes another owner's descriptor by the backend of the module `raw`.
//!
//! Fault: U1
//! Error: E0133
//! Features: raw
#![forbid(unsafe_code)]

use forkexec_core::{Backend, Sys};
use std::fs::File;
use std::os::fd::AsRawFd;

fn main() {
    let file = File::open("/dev/null").unwrap();
    let _ = forkexec::raw::backend().sys().close(file.as_raw_fd());
}
