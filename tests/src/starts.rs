//! The system calls of a spawn: a written list, and a parser for strace.
//!
//! A spawn costs a constant, [`BY_CLONE`] or [`BY_FORK`], and the cost of each [`Operation`]. The conformance suite
//! compares real spawns with that, and the example `system_calls` makes the tables of `docs/system-calls.md` from it.

mod expected;
mod traced;

pub use expected::{
    BY_CLONE, BY_FORK, Cost, GAP, Known, LOOKS, NEW_IDS, OPERATIONS, Operation, STARTS, Start,
};
pub use traced::{Side, Traced, perform, trace};
