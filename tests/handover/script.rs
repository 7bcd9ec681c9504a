//! The steps of a child that its parent can observe, and the same list for a child that is killed on its way.

use std::ffi::c_int;

use forkexec_core::Stage;

/// Something that a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A word of the slot gets a value.
    Store(usize, u32),
    /// A byte goes into the pipe.
    Write,
    /// Its copy of the writing end is closed.
    Close,
    /// The point of no return of execve(2).
    Exec,
    /// It is a zombie with this status.
    End(c_int),
}

impl Event {
    /// Returns true if the step writes to the report, but not the word that completes it.
    pub(crate) fn is_silent(self) -> bool {
        matches!(self, Self::Store(1.., _))
    }
}

/// One of them, and the stage that the child has entered after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) event: Event,
    pub(crate) stage: Stage,
}

pub(crate) type Script = Vec<Step>;

/// Returns true if the child executes its program, provided that it makes all steps.
pub(crate) fn execs(script: &[Step]) -> bool {
    script.iter().any(|step| step.event == Event::Exec)
}

/// The same child on a kernel whose execve(2) closes descriptors before it passes the point of no return.
///
/// Source: seen on Linux 7.2.12, whose child was still `PF_FORKNOEXEC` when its pipe had ended; `do_execve` of FreeBSD's
/// sys/kern/kern_exec.c calls `fdcloseexec` before it sets `P_EXEC`.
fn closing_first(script: &[Step]) -> Option<Script> {
    let exec = script.iter().position(|step| step.event == Event::Exec)?;
    let mut script = script.to_vec();
    script.swap(exec, exec + 1);
    Some(script)
}

/// A script for each order in which execve(2) may close descriptors.
pub(crate) fn orders(script: &Script) -> impl Iterator<Item = Script> {
    closing_first(script).into_iter().chain([script.clone()])
}

/// The same child, killed after this many steps: the kernel closes its descriptors, and it becomes a zombie.
pub(crate) fn killed_after(script: &[Step], count: usize) -> Script {
    let mut killed = script[..count].to_vec();
    let stage = killed.last().map_or(Stage::Start, |step| step.stage);
    let closed = killed.iter().any(|step| step.event == Event::Close);
    let close = (!closed).then_some(Event::Close);
    killed.extend(close.into_iter().chain([Event::End(libc::SIGKILL)]).map(|event| Step { event, stage }));
    killed
}

/// All points at which it can be killed before it ends by itself.
pub(crate) fn all_killed(script: &[Step]) -> impl Iterator<Item = Script> {
    let before_the_end = script.iter().filter(|step| !matches!(step.event, Event::End(_))).count();
    (0..=before_the_end).map(|count| killed_after(script, count))
}
