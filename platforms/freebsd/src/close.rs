//! The backend: which call closes a gap, what its errors mean, and where the loop ends.

use crate::{DevFd, FreebsdSys, System, attributes};
use core::ffi::c_ulong;
use core::sync::atomic::{AtomicI32, Ordering};
use forkexec_core::{
    Attribute, Backend, BulkRefusal, Capabilities, Closed, Errno, Fd, FdEnumerator, Gap, LOOP_CEILING,
    Operation, Pid, Scheduler, Signal, close_gap_by_number, has_execed_by_entry, loop_bound,
};

/// FreeBSD or DragonFly, over its real system calls or a simulated kernel.
///
/// It probes no call, because an unknown system call kills the process that makes it. The parent finds out the release once,
/// before the first launch.
#[derive(Debug)]
pub struct Freebsd<S> {
    sys: S,
    /// `kern.osreldate`, or [`NOT_ASKED`].
    release: AtomicI32,
    bulk: BulkRefusal,
    no_new_privs: Command,
    aslr: Command,
}

impl<S> Freebsd<S> {
    /// Creates a backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self {
            sys,
            release: AtomicI32::new(NOT_ASKED),
            bulk: BulkRefusal::new(false),
            no_new_privs: Command::new(),
            aslr: Command::new(),
        }
    }
}

impl<S: FreebsdSys> Freebsd<S> {
    /// Two threads that call it at once get the same result, so no lock is needed.
    fn release(&self) -> Result<i32, Errno> {
        let known = self.release.load(Ordering::Relaxed);
        if known != NOT_ASKED {
            return Ok(known);
        }
        let release = self.sys.release()?;
        self.release.store(release, Ordering::Relaxed);
        Ok(release)
    }

    fn bulk_call(&self) -> Result<BulkCall, Errno> {
        match self.sys.system() {
            System::DragonFly => Ok(BulkCall::CloseFrom),
            System::FreeBsd => BulkCall::since(self.release()?).ok_or(Errno::NOSYS),
        }
    }
}

// SAFETY: each method uses only its own data and calls of `S`, which meets the requirements of `Sys`.
unsafe impl<S: FreebsdSys + Sync> Backend for Freebsd<S> {
    type Sys = S;

    fn sys(&self) -> &S {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        self.sys.system().capabilities()
    }

    /// If the release is still unknown, the child asks again.
    fn before_launch(&self) {
        if self.sys.system() == System::FreeBsd {
            let _ = self.release();
        }
    }

    fn has(&self, operation: Operation) -> bool {
        self.capabilities().has(operation)
            && match operation {
                Operation::NoNewPrivs => self.no_new_privs.is_known(|| self.sys.no_new_privs().map(drop)),
                Operation::FixedAddresses => self.aslr.is_known(|| self.sys.aslr()),
                _ => true,
            }
    }

    fn has_scheduler(&self, scheduler: Scheduler) -> bool {
        attributes::class(self.sys.system(), scheduler).is_some()
    }

    fn highest_priority(&self) -> u8 {
        attributes::HIGHEST
    }

    fn processors(&self, mask: &mut [c_ulong]) -> Result<(), Errno> {
        attributes::processors(&self.sys, mask)
    }

    fn set_attribute(&self, attribute: Attribute<'_>) -> Result<(), Errno> {
        attributes::set(&self.sys, attribute)
    }

    fn bulk_closer(&self) -> Option<&'static str> {
        self.bulk_call().ok().map(BulkCall::name)
    }

    fn close_gap(&self, gap: Gap) -> Result<(), Errno> {
        match self.bulk_call()? {
            BulkCall::CloseRange => self.sys.close_range(number(gap.first()), number(gap.last())),
            BulkCall::CloseFrom if gap.last() == Fd::MAX => self.sys.closefrom(gap.first()),
            BulkCall::CloseFrom => close_gap_by_number(&self.sys, gap, Fd::MAX),
        }
    }

    /// `CLOSE_RANGE_CLOEXEC` came with FreeBSD 14.0 (closefrom(2) of that release). An older close_range(2) answers `EINVAL`.
    fn set_gap_cloexec(&self, gap: Gap) -> Result<(), Errno> {
        match self.bulk_call()? {
            BulkCall::CloseRange if !self.bulk.is_known() => {
                self.sys.close_range_cloexec(number(gap.first()), number(gap.last()))
            }
            _ => Err(Errno::NOSYS),
        }
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        &[&DevFd]
    }

    /// If the system counts open descriptors, the limit does not matter. It may be huge, or lower than an open descriptor.
    fn loop_bound(&self) -> Result<Fd, Errno> {
        match self.sys.open_count() {
            Ok(count) => above_the_highest(&self.sys, count),
            Err(_) => loop_bound(&self.sys),
        }
    }

    /// `do_execve` of sys/kern/kern_exec.c sets `P_EXEC`: seen on FreeBSD 12.1-RELEASE, also for zombies, after setsid(2), for other
    /// IDs and for set-user-ID programs. On DragonFly a running child tells, and one that died in exec does not: no zombie has an
    /// entry (`pfind` of sys/kern/kern_proc.c at f071b5e).
    fn has_execed(&self, child: Pid, parent: Pid) -> Option<bool> {
        has_execed_by_entry(&self.sys, parent, || self.sys.process_entry(child))
    }

    /// A child does not inherit the signal, and executing a set-id program clears it. A change of IDs does not
    /// (procctl(2)).
    fn die_with_parent(&self, signal: Signal) -> Result<(), Errno> {
        self.sys.set_parent_death_signal(signal)
    }

    /// The arguments are valid, so `EINVAL` means that the command is unknown, as before FreeBSD 14.0 (procctl(2), ERRORS).
    fn no_new_privs(&self) -> Result<(), Errno> {
        match self.sys.set_no_new_privs() {
            Err(Errno::INVAL) => Err(Errno::NOSYS),
            answer => answer,
        }
    }

    fn bulk_refusal(&self) -> Option<&BulkRefusal> {
        Some(&self.bulk)
    }

    fn learn(&self, closed: &Closed) {
        self.bulk.learn(closed);
        if self.sys.system() == System::FreeBsd && closed.bulk_refused == Some(CAPABILITY_MODE) {
            self.bulk.note();
        }
    }
}

/// No release has this number.
const NOT_ASKED: i32 = 0;

/// A command of procctl(2), and the record of whether the running release knows it.
#[derive(Debug)]
struct Command(AtomicI32);

const KNOWN: i32 = 1;
const UNKNOWN: i32 = 2;

impl Command {
    const fn new() -> Self {
        Self(AtomicI32::new(NOT_ASKED))
    }

    /// `EINVAL` means that procctl(2) does not know the command, because the arguments are valid (procctl(2), ERRORS). After any
    /// other result, the child finds out.
    fn is_known(&self, ask: impl FnOnce() -> Result<(), Errno>) -> bool {
        let known = match self.0.load(Ordering::Relaxed) {
            NOT_ASKED if ask() == Err(Errno::INVAL) => UNKNOWN,
            NOT_ASKED => KNOWN,
            known => known,
        };
        self.0.store(known, Ordering::Relaxed);
        known == KNOWN
    }
}

/// `ECAPMODE` of intro(2) of FreeBSD. A process cannot leave capability mode. DragonFly has no such mode, and another error with
/// this number.
const CAPABILITY_MODE: Errno = Errno::from_raw(93);

/// The system call that closes many descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BulkCall {
    CloseRange,
    CloseFrom,
}

impl BulkCall {
    const fn name(self) -> &'static str {
        match self {
            Self::CloseRange => "close_range",
            Self::CloseFrom => "closefrom",
        }
    }

    /// The best call that this release of FreeBSD has: close_range(2) from 12.2 and from 13.0 on, closefrom(2) from 8.0 on. For
    /// snapshots of 13 before its release it is closefrom(2), which newer kernels keep for older programs
    /// (`COMPAT_FREEBSD12`).
    fn since(release: i32) -> Option<Self> {
        match release {
            ..RELEASE_8_0 => None,
            RELEASE_12_2..BRANCH_13 | RELEASE_13_0.. => Some(Self::CloseRange),
            _ => Some(Self::CloseFrom),
        }
    }
}

/// `__FreeBSD_version` of `sys/param.h` at each release.
const RELEASE_8_0: i32 = 800_107;
const RELEASE_12_2: i32 = 1_202_000;
const BRANCH_13: i32 = 1_300_000;
const RELEASE_13_0: i32 = 1_300_139;

/// The kernel takes unsigned numbers, and `~0U` as the open end of a range.
const fn number(fd: Fd) -> u32 {
    if fd == Fd::MAX { u32::MAX } else { fd.unsigned_abs() }
}

/// Returns one more than the highest of `count` open descriptors. It checks each number until it has found that many.
fn above_the_highest<S: FreebsdSys>(sys: &S, count: u32) -> Result<Fd, Errno> {
    let mut unseen = count;
    for fd in 0..LOOP_CEILING {
        if unseen == 0 {
            return Ok(fd);
        }
        if sys.is_cloexec(fd).is_ok() {
            unseen = unseen.saturating_sub(1);
        }
    }
    if unseen == 0 { Ok(LOOP_CEILING) } else { Err(Errno::OVERFLOW) }
}
