//! The state of a process from `/proc`.

use std::fmt::Display;
use std::fs;

/// Returns the state of a process from proc_pid_stat(5): `S` if it sleeps, `T` if it is stopped. `None` if there is no such
/// process.
pub fn state(pid: impl Display) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.chars().next()
}
