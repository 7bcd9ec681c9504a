//! Implements an enumerator, which runs between fork and exec.
//!
//! Fault: U2
//! Error: E0200
#![forbid(unsafe_code)]

use forkexec_core::{Fd, FdEnumerator, Unlisted};

struct Allocating;

impl<S> FdEnumerator<S> for Allocating {
    fn name(&self) -> &'static str {
        "allocating"
    }
    fn visit(&self, _: &S, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted> {
        vec![from].into_iter().for_each(visitor);
        Ok(())
    }
}

fn main() {}
