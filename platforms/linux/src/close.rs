//! The backend itself: what an answer of Linux's means for closing, and what is remembered of it.

use crate::{AndroidCall, CAPABILITIES, LinuxSys, ProcSelfFd, Release, execed};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use forkexec_core::{
    Backend, BulkRefusal, Capabilities, CloseStrategy, Errno, Fd, FdEnumerator, Gap, Pid, Signal, Stage,
};

/// Linux, over its real system calls or a simulated kernel's.
///
/// It probes nothing: a seccomp filter that answers a call with `SIGSYS` would kill the process that asks. The first
/// child that meets with a refusal of close_range(2) says so in its report, or dies of the trap, and later children begin
/// with the next link. On Android the release decides, and no call is made that its filter may trap.
#[derive(Debug)]
pub struct Linux<S> {
    sys: S,
    close_range: BulkRefusal,
    unshare_refused: AtomicBool,
    listing_trapped: AtomicBool,
    /// The release as far as it is known: see [`Linux::release`].
    release: AtomicU32,
}

/// No release was asked for so far.
const NOT_ASKED: u32 = u32::MAX;
/// The release is Linux. Any other number is an API level of Android.
const LINUX: u32 = u32::MAX - 1;

impl<S> Linux<S> {
    /// The backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self {
            sys,
            close_range: BulkRefusal::new(false),
            unshare_refused: AtomicBool::new(false),
            listing_trapped: AtomicBool::new(false),
            release: AtomicU32::new(NOT_ASKED),
        }
    }
}

impl<S: LinuxSys> Linux<S> {
    /// The system. It is asked once, in the parent, before the first launch.
    pub fn release(&self) -> Release {
        match self.release.load(Ordering::Relaxed) {
            NOT_ASKED => {
                let release = self.sys.release();
                let level = if let Release::Android(level) = release { level.min(LINUX - 1) } else { LINUX };
                self.release.store(level, Ordering::Relaxed);
                release
            }
            LINUX => Release::Linux,
            level => Release::Android(level),
        }
    }

    /// Whether the release lets a process make the call.
    pub fn allows(&self, call: AndroidCall) -> bool {
        self.release().allows(call)
    }

    /// Whether close_range(2) was not refused so far, and is not known to be trapped.
    fn has_close_range(&self) -> bool {
        !self.close_range.is_known() && self.allows(AndroidCall::CloseRange)
    }

    /// Whether `CLOSE_RANGE_UNSHARE` was not refused so far.
    pub(crate) fn unshares_range(&self) -> bool {
        !self.unshare_refused.load(Ordering::Relaxed) && self.has_close_range()
    }

    /// The first link that a child asks whose plan asks for `chosen`.
    pub(crate) fn first_asked(&self, chosen: CloseStrategy) -> CloseStrategy {
        let skips_list = self.listing_trapped.load(Ordering::Relaxed);
        match chosen.max(self.begins_with()) {
            CloseStrategy::Enumerate if skips_list => CloseStrategy::Loop,
            link => link,
        }
    }

    /// In the parent, when SIGSYS ended a child in this stage: takes the call that the stage begins with for refused. Whether
    /// another child would do without that call. `asked` is what [`first_asked`](Self::first_asked) was before the start.
    pub(crate) fn learn_trap(&self, stage: Stage, asked: CloseStrategy) -> bool {
        match (stage, asked) {
            // Of unshare(2), if the child noted that the other call fails.
            (Stage::UnshareFiles, _) if !self.unshares_range() => {}
            (Stage::UnshareFiles, _) | (Stage::Close, CloseStrategy::Bulk) => self.close_range.note(),
            (Stage::Close, CloseStrategy::Enumerate) => self.listing_trapped.store(true, Ordering::Relaxed),
            _ => return false,
        }
        true
    }

    fn begins_with(&self) -> CloseStrategy {
        if self.has_close_range() { CloseStrategy::Bulk } else { CloseStrategy::Enumerate }
    }
}

// SAFETY: each method decides by its own data and calls `S` alone, which meets the requirements of `Sys`.
unsafe impl<S: LinuxSys + Sync> Backend for Linux<S> {
    type Sys = S;

    fn sys(&self) -> &S {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn before_launch(&self) {
        let _ = self.release();
    }

    fn close_gap(&self, gap: Gap) -> Result<(), Errno> {
        if !self.allows(AndroidCall::CloseRange) {
            return Err(Errno::NOSYS);
        }
        self.sys.close_range(number(gap.first()), number(gap.last()))
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        if self.listing_trapped.load(Ordering::Relaxed) { &[] } else { &[&ProcSelfFd] }
    }

    /// `CLOSE_RANGE_UNSHARE` copies nothing of what it closes. Where it is refused, unshare(2) copies all.
    fn own_table(&self, highest: Fd) -> Result<bool, Errno> {
        if let Some(first) = highest.checked_add(1).filter(|_| self.unshares_range()) {
            match self.sys.close_range_unshare(number(first), u32::MAX) {
                Ok(()) => return Ok(true),
                // The child of a launcher that shares the table shares this memory, too: the next one will know.
                Err(errno) if errno.is_refusal() => self.unshare_refused.store(true, Ordering::Relaxed),
                Err(_) => {}
            }
        }
        self.sys.unshare_files().map(|()| false)
    }

    fn die_with_parent(&self, signal: Signal) -> Result<(), Errno> {
        self.sys.set_parent_death_signal(signal)
    }

    fn no_new_privs(&self) -> Result<(), Errno> {
        self.sys.set_no_new_privs()
    }

    fn has_execed(&self, child: Pid, parent: Pid) -> Option<bool> {
        execed::has_execed(&self.sys, child, parent)
    }

    fn bulk_refusal(&self) -> Option<&BulkRefusal> {
        Some(&self.close_range)
    }

    fn first_link(&self) -> CloseStrategy {
        self.begins_with()
    }
}

/// The kernel takes unsigned numbers, and the open end of a range as `~0U`.
const fn number(fd: Fd) -> u32 {
    if fd == Fd::MAX { u32::MAX } else { fd.unsigned_abs() }
}
