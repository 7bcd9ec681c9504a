//! Proof that a test left its process as it found it.
//!
//! A library that starts children must give back what it touches meanwhile:
//! descriptors and their flags, the signal mask, handlers, umask, working
//! directory, and no zombie. [`isolated`](crate::isolate::isolated) guards
//! every test with this.
//!
//! The view is the process's own: no test elsewhere may run in it meanwhile.
//! The mask is the calling thread's.

mod descriptors;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Debug;
use std::path::PathBuf;

use crate::sys;
use descriptors::Descriptor;

/// What a process has and a test may not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    descriptors: BTreeMap<i32, Descriptor>,
    blocked: Vec<i32>,
    actions: BTreeMap<i32, Action>,
    umask: libc::mode_t,
    cwd: Option<PathBuf>,
    children: Children,
}

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Action {
    handler: usize,
    flags: i32,
    mask: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Children {
    None,
    Running,
    Zombie(libc::pid_t),
}

impl Snapshot {
    /// Looks at this process.
    ///
    /// # Panics
    ///
    /// If the process may not look at itself.
    pub fn take() -> Self {
        let blocked = sys::blocked_signals().expect("a thread can read its mask");
        Self {
            descriptors: descriptors::all(),
            blocked: (1..=64).filter(|signal| blocked >> (signal - 1) & 1 == 1).collect(),
            actions: (1..=64).filter_map(|signal| Some((signal, action(signal)?))).collect(),
            umask: sys::umask(),
            cwd: env::current_dir().ok(),
            children: children(),
        }
    }

    /// What is different later, a line each; nothing if nothing is.
    pub fn differences(&self, later: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        compare_each(&mut lines, "descriptor", &self.descriptors, &later.descriptors);
        compare(&mut lines, "blocked signals", &self.blocked, &later.blocked);
        compare_each(&mut lines, "action of signal", &self.actions, &later.actions);
        compare(&mut lines, "umask", &self.umask, &later.umask);
        compare(&mut lines, "working directory", &self.cwd, &later.cwd);
        compare(&mut lines, "children", &self.children, &later.children);
        lines
    }
}

/// Runs a test, and holds it to leave the process as it was.
///
/// # Panics
///
/// With every difference, if there is one. A panic of the test itself passes
/// through, and nothing is compared.
pub fn guarded(test: impl FnOnce()) {
    let before = Snapshot::take();
    test();
    let differences = before.differences(&Snapshot::take());
    assert!(differences.is_empty(), "the test left its process changed:\n  {}", differences.join("\n  "));
}

fn action(signal: i32) -> Option<Action> {
    // C libraries keep signals 32 and 33 to themselves.
    let (handler, flags, mask) = sys::signal_action(signal).ok()?;
    Some(Action { handler, flags, mask })
}

fn children() -> Children {
    match sys::ended_child() {
        Ok(0) => Children::Running,
        Ok(pid) => Children::Zombie(pid),
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Children::None,
        Err(error) => panic!("a process cannot ask for its children: {error}"),
    }
}

fn compare<T: Debug + PartialEq>(lines: &mut Vec<String>, what: &str, before: &T, after: &T) {
    if before != after {
        lines.push(format!("{what}: was {before:?}, is {after:?}"));
    }
}

fn compare_each<T: Debug + PartialEq>(
    lines: &mut Vec<String>,
    what: &str,
    before: &BTreeMap<i32, T>,
    after: &BTreeMap<i32, T>,
) {
    for (number, new) in after {
        match before.get(number) {
            None => lines.push(format!("{what} {number}: is new, {new:?}")),
            Some(old) => compare(lines, &format!("{what} {number}"), old, new),
        }
    }
    let gone = before.iter().filter(|(number, _)| !after.contains_key(number));
    lines.extend(gone.map(|(number, old)| format!("{what} {number}: is gone, was {old:?}")));
}
