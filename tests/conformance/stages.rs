//! Each stage as the child sees it, and as it fails.
//!
//! - `cgroup`: control groups
//! - `directory`: with which ids, and from which root, the working directory is entered
//! - `failing`: one way for each stage to fail for real, with the whole error
//! - `identity`: users, groups, privileges
//! - `program`: which program runs, with which arguments, environment and closures
//! - `session`: sessions, groups and terminals
//! - `setting`: directory, root, umask, limits, nice value, death of the parent
//! - `signals`: masks and dispositions
//!
//! Four stages do not fail on a real kernel, or fail in no child that could be made here: the table, the keeping of
//! descriptors that were found open, dispositions, and the closing. `faults` makes their calls fail.

mod cgroup;
mod directory;
mod failing;
pub(crate) mod identity;
mod program;
mod session;
mod setting;
mod signals;
