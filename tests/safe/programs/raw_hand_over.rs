//! Hands descriptors by their numbers to a child that shares memory.
//!
//! Fault: U1
//! Error: E0133
//! Features: raw
#![forbid(unsafe_code)]

use forkexec_core::{CStrArray, Exec, Move, Plan};

fn main() {
    let exec = Exec { candidates: &[c"/bin/true"], argv: CStrArray::EMPTY, env: Some(CStrArray::EMPTY), shell: None };
    let _ = forkexec::raw::spawn_unreaped(&Plan { moves: &[Move::copy(7, 0)], ..Plan::new(exec) });
}
