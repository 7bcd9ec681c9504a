//! The parent's memory stays as traceable as it was.
//!
//! A process that changes its user or group loses the "dumpable" attribute of its memory (PR_SET_DUMPABLE(2const)), and a
//! child that shares memory takes it from the parent's. As long as such a child is on its way that is right: no other
//! process of its new user may look into the memory. The start of the last one gives the attribute back.
//!
//! All that is known stands in one word, together with the process that it is about: a forked process inherits the word,
//! but not the threads that would change it, and begins anew. If it was forked while the attribute was away, its memory stays
//! untraceable, which is the safe side. No thread spins: while another one gives the attribute back,
//! a start sleeps a few times, and is then made by fork(2), which shares no memory.
//!
//! A program that takes the attribute from itself in the very moment in which another thread starts a child under another
//! id may find it given back.

use crate::CloneSys;
use core::sync::atomic::Ordering;
use forkexec_core::Pid;

/// How many children that change their ids are on their way in this process.
#[derive(Debug)]
pub(super) struct Dumpable(Word);

/// What is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// The process whose threads wrote it.
    process: Pid,
    /// Raised at each end of a phase with children, so that a state never comes back.
    generation: u16,
    /// The children on their way.
    children: u16,
    /// Whether the memory was dumpable before the first of them.
    was: bool,
    /// Whether a thread gives the attribute back.
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
        u64::from(self.process.cast_unsigned()) << 32 | u64::from(self.generation) << 16 | u64::from(low)
    }

    #[expect(clippy::cast_possible_truncation, reason = "parts of the word")]
    const fn unpack(word: u64) -> Self {
        let low = word as u16;
        Self {
            process: ((word >> 32) as u32).cast_signed(),
            generation: (word >> 16) as u16,
            children: low & CHILDREN,
            was: low & WAS != 0,
            restoring: low & RESTORING != 0,
        }
    }
}

impl Dumpable {
    pub(super) const fn new() -> Self {
        Self(Word::new())
    }

    /// Counts a child that changes its ids until the answer is dropped. `None` if that cannot be had soon.
    pub(super) fn child<'d, S: CloneSys>(&'d self, sys: &'d S) -> Option<OnItsWay<'d, S>> {
        let process = sys.getpid();
        let mut patience = PATIENCE;
        loop {
            let word = self.0.load()?;
            let state = State::unpack(word);
            let state = if state.process == process { state } else { State::new(process) };
            if state.restoring || state.children == CHILDREN {
                patience = patience.checked_sub(1)?;
                sys.pause(1);
                continue;
            }
            let was = if state.children == 0 { sys.is_dumpable() == Ok(true) } else { state.was };
            let next = State { children: state.children.saturating_add(1), was, ..state };
            if self.0.exchange(word, next.pack()) {
                return Some(OnItsWay { dumpable: self, sys });
            }
        }
    }

    fn leave<S: CloneSys>(&self, sys: &S) {
        while let Some(word) = self.0.load() {
            let state = State::unpack(word);
            let is_last = state.children <= 1;
            let next = State { children: state.children.saturating_sub(1), restoring: is_last, ..state };
            if !self.0.exchange(word, next.pack()) {
                continue;
            }
            if is_last {
                if state.was {
                    // It was so a moment ago, and every process may set it.
                    let _ = sys.make_dumpable();
                }
                let generation = state.generation.wrapping_add(1);
                // Nothing else changes the word meanwhile.
                self.0.exchange(next.pack(), State { generation, restoring: false, ..next }.pack());
            }
            return;
        }
    }
}

/// How many milliseconds a start waits for the thread that gives the attribute back.
const PATIENCE: u8 = 20;

/// One child.
pub(super) struct OnItsWay<'d, S: CloneSys> {
    dumpable: &'d Dumpable,
    sys: &'d S,
}

impl<S: CloneSys> Drop for OnItsWay<'_, S> {
    fn drop(&mut self) {
        self.dumpable.leave(self.sys);
    }
}

/// The word of a processor that exchanges 64 bits at once.
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

/// Another processor has none: there, a child that changes its ids is forked.
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
