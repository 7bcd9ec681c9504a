//! The parent's memory stays as traceable as it was.
//!
//! A process that changes its user or group loses the «dumpable» attribute of its memory (PR_SET_DUMPABLE(2const)), and a
//! child that borrows memory takes it from the parent's. As long as such a child is on its way that is right: no other
//! process of its new user may look into the memory. The last one that is through gives the attribute back.
//!
//! Nobody waits longer than one prctl(2) takes. A program that takes the attribute from itself in the very moment in which
//! another thread of it starts a child under another id may find it given back.

use crate::CloneSys;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many children that change their ids are on their way.
#[derive(Debug)]
pub(super) struct Dumpable {
    /// Their number, and [`CHANGING`].
    children: AtomicU32,
    /// Whether the memory was dumpable before the first of them.
    was: AtomicBool,
}

/// The first comes, or the last goes: nobody else does either.
const CHANGING: u32 = 1 << 31;

impl Dumpable {
    pub(super) const fn new() -> Self {
        Self { children: AtomicU32::new(0), was: AtomicBool::new(false) }
    }

    /// A child that changes its ids is on its way until the answer is dropped. All signals are blocked.
    pub(super) fn child<'d, S: CloneSys>(&'d self, sys: &'d S) -> OnItsWay<'d, S> {
        loop {
            let children = self.children.load(Ordering::Acquire);
            if children == 0 && self.exchange(0, CHANGING) {
                self.was.store(sys.is_dumpable() == Ok(true), Ordering::Relaxed);
                self.children.store(1, Ordering::Release);
                break;
            }
            if children != 0 && children & CHANGING == 0 && self.exchange(children, children.wrapping_add(1))
            {
                break;
            }
            sys.give_way();
        }
        OnItsWay { dumpable: self, sys }
    }

    fn leave<S: CloneSys>(&self, sys: &S) {
        loop {
            let children = self.children.load(Ordering::Acquire);
            if children == 1 && self.exchange(1, CHANGING) {
                if self.was.load(Ordering::Relaxed) {
                    // It was so a moment ago, and every process may set it.
                    let _ = sys.make_dumpable();
                }
                self.children.store(0, Ordering::Release);
                return;
            }
            if children > 1 && self.exchange(children, children.wrapping_sub(1)) {
                return;
            }
        }
    }

    fn exchange(&self, from: u32, to: u32) -> bool {
        self.children.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

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
