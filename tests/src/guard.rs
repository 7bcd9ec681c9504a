//! A check that a test leaves its process unchanged.
//!
//! A library that starts children must restore what it changes: descriptors and their flags, the signal mask, handlers,
//! umask, working directory. It must leave no zombie. [`isolated`](crate::isolate::isolated) guards every test with
//! this check.
//!
//! It covers the whole process, so no other test may run in it at the same time. The mask is that of the calling
//! thread.

mod descriptors;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Debug;
use std::path::PathBuf;

use crate::sys;
use descriptors::Descriptor;

/// The state of a process that a test may not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    descriptors: BTreeMap<i32, Descriptor>,
    blocked: Vec<i32>,
    actions: BTreeMap<i32, Action>,
    umask: libc::mode_t,
    cwd: Option<PathBuf>,
    children: Children,
}

/// The action of a signal.
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
    /// Reads the state of this process.
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

    /// Returns a line for each difference to a later state.
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

/// Runs a test, and checks that it leaves the process unchanged.
///
/// # Panics
///
/// With all differences, if there are any. A panic of the test passes through, and nothing is compared.
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
