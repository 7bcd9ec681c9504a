//! Telling exec from death by the entry of a process in the kernel's table, as sysctl(3) of the BSDs and proc_pidinfo of macOS
//! return it.

use crate::{Errno, Pid, Sys};

/// The entry of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessEntry {
    /// The process ID of its parent.
    pub parent: Pid,
    /// True if it has executed a program since it was forked. A zombie keeps the flag.
    pub has_execed: bool,
    /// True if it is a zombie.
    pub has_ended: bool,
}

/// Returns whether a child of `parent` that closed its report channel in execve(2) has executed the program, or has ended. `None`
/// if its entry cannot be read, or is that of another process.
///
/// exec closes descriptors before it sets the flag, and so does the end of a process before it is a zombie. One of both follows
/// soon, so this asks again, and gives up after 20 milliseconds. A child whose entry was seen may have none for a while, because
/// macOS hides a process that is ending.
pub fn has_execed_by_entry<S: Sys>(
    sys: &S,
    parent: Pid,
    entry: impl Fn() -> Result<ProcessEntry, Errno>,
) -> Option<bool> {
    let mut seen = false;
    for attempt in 0..RETRIES + PAUSES {
        match entry() {
            Ok(entry) if entry.parent != parent => return None,
            Ok(entry) if entry.has_execed || entry.has_ended => return Some(entry.has_execed),
            Ok(_) => seen = true,
            Err(Errno::SRCH) if seen => {}
            Err(_) => return None,
        }
        if attempt >= RETRIES {
            sys.pause(1);
        }
    }
    None
}

/// The number of questions without a pause.
const RETRIES: u8 = 50;

/// The number of questions with a pause of a millisecond after each.
const PAUSES: u8 = 20;
