//! Signals a foreign process by the system calls that most backends share.
//!
//! Fault: U1
//! Error: E0133
#![forbid(unsafe_code)]

use forkexec_core::ParentSys;

fn main() {
    let _ = forkexec_posix::Kernel::new().kill(1, 9);
}
