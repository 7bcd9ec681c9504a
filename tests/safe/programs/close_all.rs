//! Closes all descriptors of the process.
//!
//! Fault: U1
//! Error: E0133
#![forbid(unsafe_code)]

use forkexec_core::{KeepList, CloseStrategy, close_except};
use forkexec_linux::{Kernel, Linux};

fn main() {
    let _ = close_except(&Linux::new(Kernel::new()), 3, KeepList::EMPTY, CloseStrategy::Bulk);
}
