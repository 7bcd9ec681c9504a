//! Implements the report of a child, which runs between fork and exec.
//!
//! Fault: U2
//! Error: E0200
#![forbid(unsafe_code)]

use forkexec_core::{Closed, Errno, Fd, Report, Reporter, Stage};

struct Allocating;

impl Reporter for Allocating {
    fn enter(&self, stage: Stage, _: Option<u64>) -> Result<(), Errno> {
        println!("{stage:?}");
        Ok(())
    }
    fn closed(&self, _: Closed) {}
    fn intact(&self) -> Result<(), Errno> {
        Ok(())
    }
    fn fail(&self, _: Report) {}
    fn channel(&self) -> Option<Fd> {
        None
    }
}

fn main() {}
