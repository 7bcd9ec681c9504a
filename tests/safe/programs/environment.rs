//! Reads the environment's pointer while another thread may change it.
//!
//! Fault: U1
//! Error: E0133
#![forbid(unsafe_code)]

fn main() {
    let _ = <forkexec_posix::Facts as forkexec_unix::System>::environment();
}
