//! The system calls that a child, an enumerator and a launcher need.
//!
//! One method is one call and its errno, without a decision: what an errno means is decided by the caller, where a
//! simulated kernel can reach it. Names say what is done; the man page of the usual call stands in each doc line.

use crate::{CStrArray, Disposition, Errno, Fd, Pid, Signal, SignalSet};
use core::ffi::{CStr, c_int};
use core::ptr::NonNull;

/// Which file a descriptor refers to: the device and the inode of fstat(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
}

/// A resource whose use can be limited, by the system's own number (`RLIMIT_NOFILE` and so on).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resource(pub c_int);

#[expect(clippy::allow_attributes, reason = "the constants' type differs by system")]
#[allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)]
impl Resource {
    /// Bytes of a core file.
    pub const CORE: Self = Self(libc::RLIMIT_CORE as c_int);
    /// Seconds of processor time.
    pub const CPU: Self = Self(libc::RLIMIT_CPU as c_int);
    /// Bytes of the data segment.
    pub const DATA: Self = Self(libc::RLIMIT_DATA as c_int);
    /// Bytes of a file.
    pub const FSIZE: Self = Self(libc::RLIMIT_FSIZE as c_int);
    /// One more than the highest descriptor number.
    pub const NOFILE: Self = Self(libc::RLIMIT_NOFILE as c_int);
    /// Bytes of the stack.
    pub const STACK: Self = Self(libc::RLIMIT_STACK as c_int);
}

/// A limit as in getrlimit(2). `u64::MAX` means «no limit» on every system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is limited.
    pub resource: Resource,
    /// The limit in force.
    pub soft: u64,
    /// How far an unprivileged process may raise it.
    pub hard: u64,
}

/// The calls that may be made between the start of a child and exec.
///
/// # Safety
///
/// Unsafe code relies on an implementation:
///
/// - Each method acts on the calling process, or on the descriptor that its arguments name, and on nothing else.
/// - A descriptor that a method returns is open, and nothing else owns it.
///
/// Over a real kernel, each method also:
///
/// - calls only async-signal-safe functions (signal-safety(7)) or raw system calls;
/// - does not allocate, lock or panic;
/// - does not use the C library's `set*id` where memory is shared with the parent: those signal the parent's other
///   threads.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait Sys {
    /// What a successful exec gives: nothing can, on a real kernel ([`core::convert::Infallible`]).
    type Executed;

    /// close(2).
    fn close(&self, fd: Fd) -> Result<(), Errno>;
    /// dup2(2), for two different numbers: `to` is open afterwards, without close-on-exec.
    fn dup2(&self, from: Fd, to: Fd) -> Result<(), Errno>;
    /// `F_DUPFD_CLOEXEC` of fcntl(2): the lowest free number at or above `lowest`.
    fn dup_min(&self, fd: Fd, lowest: Fd) -> Result<Fd, Errno>;
    /// `F_GETFD` of fcntl(2): whether the descriptor is closed by exec.
    fn is_cloexec(&self, fd: Fd) -> Result<bool, Errno>;
    /// `F_SETFD` of fcntl(2).
    fn set_cloexec(&self, fd: Fd, cloexec: bool) -> Result<(), Errno>;
    /// write(2).
    fn write(&self, fd: Fd, bytes: &[u8]) -> Result<usize, Errno>;
    /// fstat(2).
    fn file_id(&self, fd: Fd) -> Result<FileId, Errno>;
    /// open(2) with `O_RDONLY | O_DIRECTORY | O_CLOEXEC`.
    fn open_directory(&self, path: &CStr) -> Result<Fd, Errno>;

    /// setrlimit(2).
    fn set_limit(&self, limit: Limit) -> Result<(), Errno>;
    /// The hard `RLIMIT_NOFILE` of getrlimit(2), `u64::MAX` if there is none.
    fn descriptor_limit(&self) -> Result<u64, Errno>;
    /// `_SC_OPEN_MAX` of sysconf(3), where that may be asked in a child.
    fn open_max(&self) -> Option<u64>;

    /// chroot(2).
    fn chroot(&self, path: &CStr) -> Result<(), Errno>;
    /// chdir(2).
    fn chdir(&self, path: &CStr) -> Result<(), Errno>;
    /// fchdir(2).
    fn fchdir(&self, directory: Fd) -> Result<(), Errno>;
    /// umask(2), which cannot fail.
    fn set_umask(&self, mask: u32);

    /// sigaction(2), asking.
    fn disposition(&self, signal: Signal) -> Result<Disposition, Errno>;
    /// sigaction(2), setting the default action or none.
    fn set_disposition(&self, signal: Signal, ignored: bool) -> Result<(), Errno>;
    /// sigprocmask(2) with `SIG_SETMASK`.
    fn set_mask(&self, mask: SignalSet) -> Result<(), Errno>;
    /// The highest signal number of this system.
    fn highest_signal(&self) -> Signal;

    /// getpid(2).
    fn getpid(&self) -> Pid;
    /// getppid(2).
    fn getppid(&self) -> Pid;
    /// setsid(2).
    fn setsid(&self) -> Result<(), Errno>;
    /// setpgid(2) of the calling process; group 0 is a new one with the caller's own number.
    fn set_process_group(&self, group: Pid) -> Result<(), Errno>;
    /// `TIOCSCTTY` of ioctl(2).
    fn set_controlling_tty(&self, terminal: Fd) -> Result<(), Errno>;
    /// tcsetpgrp(3) to the caller's own group.
    fn tcsetpgrp(&self, terminal: Fd) -> Result<(), Errno>;
    /// setpriority(2) of the calling process.
    fn set_nice(&self, nice: i32) -> Result<(), Errno>;
    /// setgroups(2), of the calling process alone.
    fn set_groups(&self, groups: &[u32]) -> Result<(), Errno>;
    /// setresgid(2) with three times the same id, of the calling process alone.
    fn set_gid(&self, gid: u32) -> Result<(), Errno>;
    /// setresuid(2) with three times the same id, of the calling process alone.
    fn set_uid(&self, uid: u32) -> Result<(), Errno>;

    /// execve(2). Without `env`, the process's own environment.
    fn execve(
        &self,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Self::Executed, Errno>;
    /// Nanoseconds of a monotonic clock.
    fn now(&self) -> u64;
    /// poll(2) of nothing: waits so many milliseconds, or less if a signal interrupts it.
    fn pause(&self, milliseconds: u8);
}

/// The calls that a launcher makes on the parent's side.
///
/// # Safety
///
/// Unsafe code relies on an implementation:
///
/// - [`fork`](Self::fork) returns `None` in the child alone.
/// - [`map_shared`](Self::map_shared) returns zeroed, writable memory of at least the length that was asked for, aligned for
///   a [`SharedReport`](crate::SharedReport). It stays valid until [`unmap`](Self::unmap), and nothing else refers to it.
/// - A descriptor that a method returns is open, and nothing else owns it.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait ParentSys: Sys {
    /// fork(2): `None` in the child.
    ///
    /// # Safety
    ///
    /// The child is a copy with one thread: until it execs or exits, the caller runs nothing in it but code that
    /// keeps to the contract of [`Sys`], and never returns from it.
    unsafe fn fork(&self) -> Result<Option<Pid>, Errno>;
    /// `_exit(2)`.
    fn exit(&self, status: c_int) -> !;
    /// pipe2(2) with `O_CLOEXEC`: the reading and the writing end.
    fn pipe(&self) -> Result<(Fd, Fd), Errno>;
    /// read(2).
    fn read(&self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno>;
    /// poll(2): whether there is something to read, or the end, before so many milliseconds are over.
    fn readable(&self, fd: Fd, milliseconds: u8) -> Result<bool, Errno>;
    /// waitid(2) with `WNOHANG | WNOWAIT`: whether a child has ended, which leaves its status to be waited for. `false` where
    /// that cannot be asked.
    fn has_ended(&self, child: Pid) -> bool;
    /// waitpid(2) without options: the status as the system encodes it.
    fn wait(&self, pid: Pid) -> Result<c_int, Errno>;
    /// Waits for a child, however often a signal interrupts that: its status, unless somebody else took it or the system
    /// did.
    fn reap(&self, pid: Pid) -> Option<c_int> {
        loop {
            match self.wait(pid) {
                Ok(status) => return Some(status),
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }
    /// kill(2).
    fn kill(&self, pid: Pid, signal: Signal) -> Result<(), Errno>;
    /// Blocks every signal in the calling thread and gives the former mask.
    fn block_signals(&self) -> Result<SignalSet, Errno>;
    /// mmap(2), anonymous and shared with children: zeroed, aligned to a page.
    fn map_shared(&self, length: usize) -> Result<NonNull<u8>, Errno>;
    /// munmap(2).
    ///
    /// # Safety
    ///
    /// `memory` came from [`map_shared`](Self::map_shared) with the same length, and nothing refers to it any more.
    unsafe fn unmap(&self, memory: NonNull<u8>, length: usize);
}
