//! Hands a descriptor to a child by its number.
//!
//! Fault: U1
//! Error: E0277
#![forbid(unsafe_code)]

fn main() {
    let _ = forkexec::Command::new("true").fd(3, 7).spawn();
}
