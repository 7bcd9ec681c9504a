//! Incidents at the calls of a spawn, and a record of the calls.
//!
//! Both are in memory that every child shares, forked or not, so that the parent reads what a child did, however it
//! ended.

use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use forkexec_core::{Access, CStrArray, Errno, Limit, SignalSet, Stage};

use forkexec_linux::AttributeCall;

use crate::errnos;
use crate::failing::Side;

/// A call as it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub(crate) name: &'static str,
    /// Its first two arguments, as far as they are numbers.
    numbers: [i32; 2],
}

impl Made {
    pub(crate) fn new(name: &'static str, numbers: &[i32]) -> Self {
        let number = |index| numbers.get(index).copied().unwrap_or(0);
        Self { name, numbers: [number(0), number(1)] }
    }
}

impl From<&'static str> for Made {
    fn from(name: &'static str) -> Self {
        Self::new(name, &[])
    }
}

/// The subject of a call, if its argument is a number.
pub(crate) trait About {
    fn number(&self) -> i32 {
        0
    }
}

impl About for i32 {
    fn number(&self) -> i32 {
        *self
    }
}

macro_rules! about_nothing {
    ($($type:ty),*) => {$(impl About for $type {})*};
}

about_nothing!(
    AttributeCall<'_>,
    &mut [std::ffi::c_ulong],
    Access,
    bool,
    u8,
    u32,
    usize,
    &std::ffi::CStr,
    &[u8],
    &mut [u8],
    &[u32],
    Limit,
    SignalSet
);

impl About for CStrArray<'_> {}
impl About for Option<CStrArray<'_>> {}

/// A call that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) side: Side,
    /// Counted from 0 on its side.
    pub(crate) index: usize,
    pub(crate) name: &'static str,
    /// Of a child.
    pub(crate) stage: Option<Stage>,
    pub(crate) numbers: [i32; 2],
    /// The errno of a call that failed on purpose.
    pub(crate) failed: Option<Errno>,
}

/// An incident at one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incident {
    pub(crate) side: Side,
    /// Calls of this name only are counted, or all of the side.
    pub(crate) name: Option<&'static str>,
    /// The index of the call among those of its name, from 0.
    pub(crate) index: usize,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// The call answers this.
    Fails(Errno),
    /// Fails with one of the errnos of its page, chosen by this draw. A call without errnos is made.
    FailsSomehow(usize),
    /// Runs this before the call. A child may only make async-signal-safe calls.
    Does(fn()),
}

/// The incidents, and the recorded calls. One spawn uses it at a time.
#[derive(Debug)]
pub(crate) struct Script {
    page: &'static Page,
    incidents: Mutex<Vec<Incident>>,
}

/// The calls of one side that are noted; later ones are counted.
const NOTED: usize = 512;
/// More than there are names of calls.
const NAMES: usize = 128;

#[derive(Debug)]
struct Page {
    sides: [Calls; 2],
    /// The number of stages that the child has begun.
    stages: AtomicU8,
}

#[derive(Debug)]
struct Calls {
    count: AtomicUsize,
    of_name: [AtomicUsize; NAMES],
    noted: [Note; NOTED],
}

#[derive(Debug)]
struct Note {
    name: AtomicU8,
    stages: AtomicU8,
    numbers: [AtomicI32; 2],
    /// 0 if it was not let fail.
    failed: AtomicI32,
}

impl Script {
    /// One that stays: a sweep has one.
    pub(crate) fn new() -> &'static Self {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: the memory is new, and nothing refers to it.
        let memory = unsafe { libc::mmap(ptr::null_mut(), size_of::<Page>(), protection, flags, -1, 0) };
        assert_ne!(memory, libc::MAP_FAILED);
        // SAFETY: it is zeroed, aligned to a page, large enough, and stays mapped; all of a `Page` is atomic, for which zeroes
        // are a value.
        let page = unsafe { &*memory.cast::<Page>() };
        Box::leak(Box::new(Self { page, incidents: Mutex::default() }))
    }

    /// Begins anew, with these incidents.
    pub(crate) fn begin(&self, incidents: &[Incident]) {
        let mut own = self.incidents.lock().unwrap_or_else(PoisonError::into_inner);
        incidents.clone_into(&mut own);
        for side in &self.page.sides {
            side.of_name.iter().chain([&side.count]).for_each(|count| count.store(0, Ordering::Relaxed));
        }
    }

    pub(crate) fn begin_child(&self) {
        self.page.stages.store(0, Ordering::Relaxed);
    }

    pub(crate) fn begin_stage(&self) {
        self.page.stages.fetch_add(1, Ordering::Relaxed);
    }

    /// Records a call, and returns its errno if it fails. Only the thread that spawns holds the lock, and only between
    /// spawns: a child finds it free.
    pub(crate) fn follow(&self, side: Side, made: Made) -> Result<(), Errno> {
        let [index, nth] = self.note(side, made);
        self.happen(side, made, [index, nth]).map_or(Ok(()), Err)
    }

    fn happen(&self, side: Side, made: Made, [index, nth]: [usize; 2]) -> Option<Errno> {
        let incidents = self.incidents.try_lock().ok()?;
        let is_now = |incident: &&Incident| {
            let counted =
                incident.name.map_or(index, |name| if name == made.name { nth } else { usize::MAX });
            incident.side == side && incident.index == counted
        };
        let now = incidents.iter().find(is_now);
        let what = now.map(|incident| incident.what);
        drop(incidents);
        let errno = match what? {
            What::Fails(errno) => errno,
            What::FailsSomehow(draw) => errnos::drawn(side, made.name, draw)?,
            What::Does(act) => {
                act();
                return None;
            }
        };
        if let Some(note) = self.page.sides[side as usize].noted.get(index) {
            note.failed.store(errno.raw(), Ordering::Relaxed);
        }
        Some(errno)
    }

    /// The number of the call on its side, and among those of its name.
    fn note(&self, side: Side, made: Made) -> [usize; 2] {
        let calls = &self.page.sides[side as usize];
        let index = calls.count.fetch_add(1, Ordering::Relaxed);
        let of_name = calls.of_name.get(usize::from(errnos::number(made.name)));
        let nth = of_name.map_or(usize::MAX, |count| count.fetch_add(1, Ordering::Relaxed));
        if let Some(note) = calls.noted.get(index) {
            note.name.store(errnos::number(made.name), Ordering::Relaxed);
            note.stages.store(self.page.stages.load(Ordering::Relaxed), Ordering::Relaxed);
            note.numbers[0].store(made.numbers[0], Ordering::Relaxed);
            note.numbers[1].store(made.numbers[1], Ordering::Relaxed);
            note.failed.store(0, Ordering::Relaxed);
        }
        [index, nth]
    }

    /// The calls of a side since it began, as far as they are noted.
    pub(crate) fn calls(&self, side: Side) -> Vec<Call> {
        let calls = &self.page.sides[side as usize];
        let count = calls.count.load(Ordering::Relaxed);
        calls.noted.iter().take(count).enumerate().map(|(index, note)| note.call(side, index)).collect()
    }
}

impl Note {
    fn call(&self, side: Side, index: usize) -> Call {
        let stages = usize::from(self.stages.load(Ordering::Relaxed));
        let stage = stages.checked_sub(1).map(|began| Stage::ORDER[began]);
        Call {
            side,
            index,
            name: errnos::name(self.name.load(Ordering::Relaxed)),
            stage: stage.filter(|_| side == Side::Child),
            numbers: [&self.numbers[0], &self.numbers[1]].map(|number| number.load(Ordering::Relaxed)),
            failed: Some(self.failed.load(Ordering::Relaxed)).filter(|raw| *raw != 0).map(Errno::from_raw),
        }
    }
}
