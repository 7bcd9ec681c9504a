//! Reaches the backend by the module `raw`, which is not there without its feature.
//!
//! Fault: U1
//! Error: E0433
#![forbid(unsafe_code)]

use forkexec_core::{Backend, Sys};
use std::fs::File;
use std::os::fd::AsRawFd;

fn main() {
    let file = File::open("/dev/null").unwrap();
    let _ = forkexec::raw::backend().sys().close(file.as_raw_fd());
}
