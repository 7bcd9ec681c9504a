//! Which system calls a start consists of: what is written down, and what strace sees.
//!
//! A start costs a constant, [`BY_CLONE`] or [`BY_FORK`], and what each [`Operation`] says. The conformance suite holds real starts
//! to that, and the example `system_calls` makes the tables of `docs/system-calls.md` of it.

mod expected;
mod traced;

pub use expected::{
    BY_CLONE, BY_FORK, Cost, GAP, Known, LOOKS, NEW_IDS, OPERATIONS, Operation, STARTS, Start,
};
pub use traced::{Side, Traced, perform, trace};
