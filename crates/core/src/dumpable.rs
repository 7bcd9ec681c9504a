//! Restores the "dumpable" attribute of the parent's memory (PR_SET_DUMPABLE(2const)).
//!
//! The kernel clears the attribute of the memory if a process changes its user or group. A child that shares memory clears it
//! for the parent, too. While such a child runs, that is right: no other process of the new user may read the memory. After
//! the last such child has executed its program, the launcher restores the attribute.
//!
//! The whole state is in one word, with the ID of its process. A forked process inherits the word, but not the threads that
//! would change it, so it starts with an empty state. If it was forked while the attribute was cleared, its memory stays
//! untraceable, which is the safe side. No thread spins: while another thread restores the attribute, a start sleeps a few
//! times. Then it falls back to fork(2), which shares no memory.
//!
//! There is one race. If the program clears the attribute itself while another thread starts a child with other IDs, the
//! attribute may be restored.

use crate::{FallbackReason, LaunchError, Pid, Plan, SharingSys};
use core::sync::atomic::Ordering;

/// Counts the children of this process that change their IDs and have not executed a program yet.
#[derive(Debug)]
pub struct Dumpable(Word);

/// The state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// The process that the state is about.
    process: Pid,
    /// Incremented after the last child of each phase, so that no state repeats.
    generation: u16,
    /// The children that have not executed a program yet.
    children: u16,
    /// True if the memory was dumpable before the first of them.
    was: bool,
    /// True while a thread restores the attribute.
    restoring: bool,
}

const WAS: u16 = 1 << 15;
const RESTORING: u16 = 1 << 14;
const CHILDREN: u16 = RESTORING - 1;

impl State {
    const fn new(process: Pid) -> Self {
        Self { process, generation: 0, children: 0, was: false, restoring: false }
    }

    fn pack(self) -> u64 {
        let was = if self.was { WAS } else { 0 };
        let restoring = if self.restoring { RESTORING } else { 0 };
        let low = self.children & CHILDREN | was | restoring;
        u64::from(self.process.unsigned_abs()) << 32 | u64::from(self.generation) << 16 | u64::from(low)
    }

    #[expect(clippy::cast_possible_truncation, reason = "parts of the word")]
    const fn unpack(word: u64) -> Self {
        let low = word as u16;
        Self {
            process: (word >> 32) as Pid,
            generation: (word >> 16) as u16,
            children: low & CHILDREN,
            was: low & WAS != 0,
            restoring: low & RESTORING != 0,
        }
    }
}

impl Default for Dumpable {
    fn default() -> Self {
        Self::new()
    }
}

impl Dumpable {
    /// No child is counted.
    pub const fn new() -> Self {
        Self(Word::new())
    }

    /// Counts the child of a plan that changes its IDs until the returned value is dropped: the memory that it shares with this
    /// process becomes untraceable.
    ///
    /// # Errors
    ///
    /// Returns [`FallbackReason::Busy`] if another thread takes too long.
    pub fn id_change<'d, S: SharingSys>(
        &'d self,
        sys: &'d S,
        plan: &Plan<'_>,
    ) -> Result<Option<IdChange<'d, S>>, LaunchError> {
        // A child that joins a user namespace gets capabilities, which has the same effect (`commit_creds` of kernel/cred.c).
        let changes_ids = plan.uid.is_some() || plan.gid.is_some() || !plan.namespaces.join.is_empty();
        let busy = LaunchError::ForkRequired(FallbackReason::Busy);
        changes_ids.then(|| self.child(sys).ok_or(busy)).transpose()
    }

    /// Returns whether a child that changes its IDs makes the memory untraceable at this moment.
    pub fn is_changing<S: SharingSys>(&self, sys: &S) -> bool {
        let state = self.0.load().map(State::unpack);
        state.is_some_and(|state| state.children > 0 && state.process == sys.getpid())
    }

    /// Returns `None` if another thread takes too long.
    fn child<'d, S: SharingSys>(&'d self, sys: &'d S) -> Option<IdChange<'d, S>> {
        let process = sys.getpid();
        let mut retries = RETRIES;
        loop {
            let word = self.0.load()?;
            let state = State::unpack(word);
            let state = if state.process == process { state } else { State::new(process) };
            if state.restoring || state.children == CHILDREN {
                retries = retries.checked_sub(1)?;
                sys.pause(1);
                continue;
            }
            let was = if state.children == 0 { sys.is_dumpable() == Ok(true) } else { state.was };
            let next = State { children: state.children.saturating_add(1), was, ..state };
            if self.0.exchange(word, next.pack()) {
                return Some(IdChange { dumpable: self, sys });
            }
        }
    }

    fn leave<S: SharingSys>(&self, sys: &S) {
        while let Some(word) = self.0.load() {
            let state = State::unpack(word);
            let is_last = state.children <= 1;
            let next = State { children: state.children.saturating_sub(1), restoring: is_last, ..state };
            if !self.0.exchange(word, next.pack()) {
                continue;
            }
            if is_last {
                if state.was {
                    // This cannot fail: every process may set it.
                    let _ = sys.make_dumpable();
                }
                let generation = state.generation.wrapping_add(1);
                // No other thread changes the word while `restoring` is set.
                self.0.exchange(next.pack(), State { generation, restoring: false, ..next }.pack());
            }
            return;
        }
    }
}

/// The number of milliseconds that a start waits for the thread that restores the attribute.
const RETRIES: u8 = 20;

/// One child that changes its IDs.
#[must_use]
pub struct IdChange<'d, S: SharingSys> {
    dumpable: &'d Dumpable,
    sys: &'d S,
}

impl<S: SharingSys> Drop for IdChange<'_, S> {
    fn drop(&mut self) {
        self.dumpable.leave(self.sys);
    }
}

/// The word, on a processor that can exchange 64 bits atomically.
#[cfg(target_has_atomic = "64")]
#[derive(Debug)]
struct Word(core::sync::atomic::AtomicU64);

#[cfg(target_has_atomic = "64")]
impl Word {
    const fn new() -> Self {
        Self(core::sync::atomic::AtomicU64::new(0))
    }

    #[expect(clippy::unnecessary_wraps, reason = "other processors have no such word")]
    fn load(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Acquire))
    }

    fn exchange(&self, from: u64, to: u64) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// Another processor has no such word. There a child that changes its IDs is forked.
#[cfg(not(target_has_atomic = "64"))]
#[derive(Debug)]
struct Word;

#[cfg(not(target_has_atomic = "64"))]
impl Word {
    const fn new() -> Self {
        Self
    }

    fn load(&self) -> Option<u64> {
        None
    }

    fn exchange(&self, _from: u64, _to: u64) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{CHILDREN, State};
    use rstest::rstest;

    #[rstest]
    #[case::nothing(State::new(0))]
    #[case::all(State { process: i32::MAX, generation: u16::MAX, children: CHILDREN, was: true, restoring: true })]
    #[case::was(State { was: true, ..State::new(7) })]
    #[case::restoring(State { restoring: true, ..State::new(7) })]
    #[case::children(State { children: 3, generation: 5, ..State::new(1) })]
    fn state_survives_packing(#[case] state: State) {
        assert_eq!(State::unpack(state.pack()), state);
    }

    #[test]
    fn empty_state_names_no_process() {
        assert_eq!(State::unpack(0), State::new(0));
    }
}
