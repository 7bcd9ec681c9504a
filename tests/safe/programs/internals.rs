//! Reaches the functions that work on descriptors inside the library.
//!
//! Fault: U4
//! Error: E0603
#![forbid(unsafe_code)]

use forkexec::sys::fd::duplicate;
use forkexec::sys::system::{is_never_locked, replace};

fn main() {}
