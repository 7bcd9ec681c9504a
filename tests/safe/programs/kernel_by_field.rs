//! Makes the system calls without their constructor.
//!
//! Fault: U1
//! Error: E0423
#![forbid(unsafe_code)]

fn main() {
    let _ = forkexec_linux::Kernel(());
}
