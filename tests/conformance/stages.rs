//! Each stage as the child sees it, and as it fails.
//!
//! - `cgroup`: control groups
//! - `directory`: the ids and the root with which the working directory is entered
//! - `failing`: one real failure for each stage, with the whole error
//! - `identity`: users, groups, privileges
//! - `namespaces`: namespaces that the child creates or joins
//! - `open_file`: programs that are executed by their descriptor
//! - `program`: program, arguments, environment and closures
//! - `session`: sessions, groups and terminals
//! - `setting`: directory, root, umask, limits, nice value, death signal
//! - `signals`: masks and dispositions
//!
//! Four stages do not fail on a real kernel, or in no child that a test could make here: unsharing the table, keeping
//! open descriptors, dispositions, and closing. The suite `faults` makes their calls fail.

mod cgroup;
mod directory;
mod failing;
pub(crate) mod identity;
mod namespaces;
mod open_file;
mod program;
mod session;
mod setting;
mod signals;
