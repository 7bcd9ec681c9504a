//! The backend: which call closes a gap, what its errors mean, and what is remembered of them.

use crate::{
    AndroidCall, CAPABILITIES, LinuxSys, ProcSelfFd, Release, attributes, execed, namespaces,
    take::{self, TakeMeans},
};
use core::ffi::c_ulong;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use forkexec_core::{
    Access, Attribute, Backend, BulkRefusal, CStrArray, Capabilities, CloseStrategy, Errno, Fd, FdEnumerator,
    Gap, IdMaps, Lender, NamespaceSet, Operation, Pid, Signal, Stage, Taking, Wanted,
};

/// Linux, over its real system calls or a simulated kernel.
///
/// It probes no call, because a seccomp filter that answers with `SIGSYS` would kill the calling process. If close_range(2) is
/// refused, the first child reports that or dies of `SIGSYS`, and later children begin with the next step of the chain. On
/// Android the release decides, and no call is made that its filter may trap.
#[derive(Debug)]
pub struct Linux<S> {
    sys: S,
    close_range: BulkRefusal,
    unshare_refused: AtomicBool,
    listing_trapped: AtomicBool,
    take: TakeMeans,
    /// The release, if it is known: see [`Linux::release`].
    release: AtomicU32,
}

/// The release is unknown.
const NOT_ASKED: u32 = u32::MAX;
/// The release is Linux. Any other number is an API level of Android.
const LINUX: u32 = u32::MAX - 1;

impl<S> Linux<S> {
    /// Creates a backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self {
            sys,
            close_range: BulkRefusal::new(false),
            unshare_refused: AtomicBool::new(false),
            listing_trapped: AtomicBool::new(false),
            take: TakeMeans::new(),
            release: AtomicU32::new(NOT_ASKED),
        }
    }
}

impl<S: LinuxSys> Linux<S> {
    /// The system. The parent finds it out once, before the first launch.
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

    /// Returns whether the release lets a process make the call.
    pub fn allows(&self, call: AndroidCall) -> bool {
        self.release().allows(call)
    }

    /// Returns whether close_range(2) is neither refused nor trapped, as far as is known.
    fn has_close_range(&self) -> bool {
        !self.close_range.is_known() && self.allows(AndroidCall::CloseRange)
    }

    /// Returns whether a child may be able to take a descriptor from its parent, as far as is known. `reopens` if it may open
    /// the file anew. The parent asks this.
    pub fn may_take(&self, reopens: bool) -> bool {
        self.release() == Release::Linux && self.take.may(reopens)
    }

    /// Returns whether `CLOSE_RANGE_UNSHARE` is not refused, as far as is known.
    pub(crate) fn unshares_range(&self) -> bool {
        !self.unshare_refused.load(Ordering::Relaxed) && self.has_close_range()
    }

    /// The first step of the chain in a child whose plan requests `chosen`.
    pub(crate) fn first_asked(&self, chosen: CloseStrategy) -> CloseStrategy {
        let skips_list = self.listing_trapped.load(Ordering::Relaxed);
        match chosen.max(self.begins_with()) {
            CloseStrategy::Enumerate if skips_list => CloseStrategy::Loop,
            strategy => strategy,
        }
    }

    /// Records that the first call of this stage is refused, because SIGSYS killed a child in it. Runs in the parent. Returns
    /// whether the next child will not make that call. `asked` is [`first_asked`](Self::first_asked) from before the start.
    pub(crate) fn learn_trap(&self, stage: Stage, asked: CloseStrategy) -> bool {
        match (stage, asked) {
            // The child recorded that close_range(2) fails, so unshare(2) was trapped.
            (Stage::UnshareFiles, _) if !self.unshares_range() => {}
            (Stage::TakeFds, _) => self.take.forget_success(),
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

// SAFETY: each method uses only its own data and calls of `S`, which meets the requirements of `Sys`.
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

    fn has(&self, operation: Operation) -> bool {
        let is_there =
            operation != Operation::TimeNamespace || namespaces::exec_enters_time_namespace(&self.sys);
        is_there && CAPABILITIES.has(operation)
    }

    fn close_gap(&self, gap: Gap) -> Result<(), Errno> {
        if !self.allows(AndroidCall::CloseRange) {
            return Err(Errno::NOSYS);
        }
        self.sys.close_range(number(gap.first()), number(gap.last()))
    }

    /// `CLOSE_RANGE_CLOEXEC` came with Linux 5.11. An older kernel answers `EINVAL` (close_range(2), ERRORS), which costs less
    /// than the list that follows, so it is not remembered.
    fn set_gap_cloexec(&self, gap: Gap) -> Result<(), Errno> {
        if !self.has_close_range() {
            return Err(Errno::NOSYS);
        }
        self.sys.close_range_cloexec(number(gap.first()), number(gap.last()))
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        if self.listing_trapped.load(Ordering::Relaxed) { &[] } else { &[&ProcSelfFd] }
    }

    /// `CLOSE_RANGE_UNSHARE` copies no descriptor that it closes. If it is refused, unshare(2) copies all.
    fn own_table(&self, highest: Fd) -> Result<bool, Errno> {
        if let Some(first) = highest.checked_add(1).filter(|_| self.unshares_range()) {
            match self.sys.close_range_unshare(number(first), u32::MAX) {
                Ok(()) => return Ok(true),
                // A child that shares the table also shares this memory, so later children see the value.
                Err(errno) if errno.is_refusal() => self.unshare_refused.store(true, Ordering::Relaxed),
                Err(_) => {}
            }
        }
        self.sys.unshare_files().map(|()| false)
    }

    fn can_take(&self, lender: Pid, reopen: Option<Access>) -> Option<Taking> {
        if self.release() == Release::Linux { self.take.can(&self.sys, lender, reopen) } else { None }
    }

    fn take(&self, lender: &Lender, wanted: &Wanted) -> Result<Fd, Errno> {
        self.take.take(&self.sys, lender, wanted)
    }

    fn take_means(&self) -> &'static [&'static str] {
        if self.release() == Release::Linux { take::NAMES } else { &[] }
    }

    fn take_by(&self, index: usize, lender: Pid, wanted: &Wanted) -> Result<Fd, Errno> {
        take::take_by(&self.sys, index, lender, wanted)
    }

    fn die_with_parent(&self, signal: Signal) -> Result<(), Errno> {
        self.sys.set_parent_death_signal(signal)
    }

    fn no_new_privs(&self) -> Result<(), Errno> {
        self.sys.set_no_new_privs()
    }

    fn execute(
        &self,
        program: Fd,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<S::Executed, Errno> {
        self.sys.execveat(program, argv, env)
    }

    fn join_namespace(&self, namespace: Fd) -> Result<(), Errno> {
        namespaces::join(&self.sys, namespace)
    }

    fn unshare(&self, namespaces: NamespaceSet) -> Result<(), Errno> {
        namespaces::unshare(&self.sys, namespaces)
    }

    fn map_ids(&self, maps: IdMaps<'_>) -> Result<(), Errno> {
        namespaces::map_ids(&self.sys, maps)
    }

    fn processors(&self, mask: &mut [c_ulong]) -> Result<(), Errno> {
        self.sys.affinity(mask).map(drop)
    }

    fn set_attribute(&self, attribute: Attribute<'_>) -> Result<(), Errno> {
        attributes::set(&self.sys, attribute)
    }

    fn has_execed(&self, child: Pid, parent: Pid) -> Option<bool> {
        execed::has_execed(&self.sys, child, parent)
    }

    fn bulk_refusal(&self) -> Option<&BulkRefusal> {
        Some(&self.close_range)
    }

    fn first_strategy(&self) -> CloseStrategy {
        self.begins_with()
    }
}

/// The kernel takes unsigned numbers, and `~0U` as the open end of a range.
const fn number(fd: Fd) -> u32 {
    if fd == Fd::MAX { u32::MAX } else { fd.unsigned_abs() }
}
