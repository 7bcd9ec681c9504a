//! The system calls that a child, an enumerator and a launcher need.
//!
//! Each method makes one call and returns its errno. The caller decides what the errno means, so that tests over a simulated
//! kernel cover the decision. Each doc line names the usual call.

use crate::{CStrArray, Disposition, Errno, Fd, Pid, Signal, SignalSet};
use core::ffi::{CStr, c_int, c_void};
use core::ptr::NonNull;

/// The identity of the file that a descriptor refers to: the device and the inode of fstat(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
}

/// A resource of setrlimit(2), by the number that the system has for it (`RLIMIT_NOFILE` and so on).
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

/// A limit as in getrlimit(2). `u64::MAX` means no limit on every system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The limited resource.
    pub resource: Resource,
    /// The limit in effect.
    pub soft: u64,
    /// The highest value to which an unprivileged process may raise `soft`.
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
/// - does not use `set*id` of the C library if the child shares memory with the parent, because these functions signal the
///   other threads of the parent.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait Sys {
    /// The result of a successful exec. A real kernel returns none ([`core::convert::Infallible`]).
    type Executed;

    /// close(2).
    fn close(&self, fd: Fd) -> Result<(), Errno>;
    /// dup2(2), for two different numbers. Afterwards `to` is open, without close-on-exec.
    fn dup2(&self, from: Fd, to: Fd) -> Result<(), Errno>;
    /// `F_DUPFD_CLOEXEC` of fcntl(2). Uses the lowest free number at or above `lowest`.
    fn dup_min(&self, fd: Fd, lowest: Fd) -> Result<Fd, Errno>;
    /// `F_GETFD` of fcntl(2). Returns whether exec closes the descriptor.
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
    /// getrlimit(2). Returns the hard `RLIMIT_NOFILE`, `u64::MAX` if there is none.
    fn descriptor_limit(&self) -> Result<u64, Errno>;
    /// `_SC_OPEN_MAX` of sysconf(3), if a child may call that.
    fn open_max(&self) -> Option<u64>;

    /// chroot(2).
    fn chroot(&self, path: &CStr) -> Result<(), Errno>;
    /// chdir(2).
    fn chdir(&self, path: &CStr) -> Result<(), Errno>;
    /// fchdir(2).
    fn fchdir(&self, directory: Fd) -> Result<(), Errno>;
    /// umask(2), which cannot fail.
    fn set_umask(&self, mask: u32);

    /// sigaction(2), as a query.
    fn disposition(&self, signal: Signal) -> Result<Disposition, Errno>;
    /// sigaction(2). Sets the default action, or ignores the signal.
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
    /// setpgid(2) of the calling process. Group 0 is a new group with the ID of the caller.
    fn set_process_group(&self, group: Pid) -> Result<(), Errno>;
    /// `TIOCSCTTY` of ioctl(2).
    fn set_controlling_tty(&self, terminal: Fd) -> Result<(), Errno>;
    /// tcsetpgrp(3) to the process group of the caller.
    fn tcsetpgrp(&self, terminal: Fd) -> Result<(), Errno>;
    /// setpriority(2) of the calling process.
    fn set_nice(&self, nice: i32) -> Result<(), Errno>;
    /// setgroups(2), of the calling process alone.
    fn set_groups(&self, groups: &[u32]) -> Result<(), Errno>;
    /// setresgid(2) with the same ID three times, of the calling process alone.
    fn set_gid(&self, gid: u32) -> Result<(), Errno>;
    /// setresuid(2) with the same ID three times, of the calling process alone.
    fn set_uid(&self, uid: u32) -> Result<(), Errno>;

    /// execve(2). Without `env` it passes the environment of the process.
    fn execve(
        &self,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Self::Executed, Errno>;
    /// Returns the nanoseconds of a monotonic clock.
    fn now(&self) -> u64;
    /// poll(2) of no descriptor. Waits for that many milliseconds, or less if a signal interrupts it.
    fn pause(&self, milliseconds: u8);
}

/// The calls that a launcher makes in the parent.
///
/// # Safety
///
/// Unsafe code relies on an implementation:
///
/// - [`fork`](Self::fork) returns `None` only in the child.
/// - [`map_shared`](Self::map_shared) returns zeroed, writable memory of at least the requested length, aligned for a
///   [`SharedReport`](crate::SharedReport). It stays valid until [`unmap`](Self::unmap), and nothing else refers to it.
/// - A descriptor that a method returns is open, and nothing else owns it.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait ParentSys: Sys {
    /// fork(2). Returns `None` in the child.
    ///
    /// # Safety
    ///
    /// The child is a copy with one thread. Until it execs or exits, the caller runs only code in it that meets the
    /// requirements of [`Sys`], and never returns from it.
    unsafe fn fork(&self) -> Result<Option<Pid>, Errno>;
    /// `_exit(2)`.
    fn exit(&self, status: c_int) -> !;
    /// pipe2(2) with `O_CLOEXEC`. Returns the reading and the writing end.
    fn pipe(&self) -> Result<(Fd, Fd), Errno>;
    /// read(2).
    fn read(&self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno>;
    /// poll(2). Returns whether there is data to read, or the end of the pipe, within that many milliseconds.
    fn readable(&self, fd: Fd, milliseconds: u8) -> Result<bool, Errno>;
    /// waitid(2) with `WNOHANG | WNOWAIT`. Returns whether a child has ended, and does not reap it. `false` if the system
    /// has no such call.
    fn has_ended(&self, child: Pid) -> bool;
    /// waitpid(2) without options. Returns the status as the system encodes it.
    fn wait(&self, pid: Pid) -> Result<c_int, Errno>;
    /// Waits for a child and retries on `EINTR`. Returns its status, or `None` if other code or the system has already
    /// reaped it.
    fn reap(&self, pid: Pid) -> Option<c_int> {
        loop {
            match self.wait(pid) {
                Ok(status) => return Some(status),
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }
    /// pthread_setcancelstate(3). Disables the cancellation of this thread, and returns the previous state. Some calls of a C
    /// library are cancellation points, and a child counts as the thread that started it. A system whose calls are none does
    /// nothing.
    fn disable_cancellation(&self) -> c_int {
        0
    }
    /// pthread_setcancelstate(3), with a state that [`disable_cancellation`](Self::disable_cancellation) returned.
    fn restore_cancellation(&self, _state: c_int) {}
    /// kill(2).
    fn kill(&self, pid: Pid, signal: Signal) -> Result<(), Errno>;
    /// Blocks all signals in the calling thread and returns the previous mask.
    fn block_signals(&self) -> Result<SignalSet, Errno>;
    /// mmap(2), anonymous and shared with children. The memory is zeroed and aligned to a page.
    fn map_shared(&self, length: usize) -> Result<NonNull<u8>, Errno>;
    /// munmap(2).
    ///
    /// # Safety
    ///
    /// `memory` is from [`map_shared`](Self::map_shared) or [`SharingSys::map_private`] with the same length, and nothing refers
    /// to it.
    unsafe fn unmap(&self, memory: NonNull<u8>, length: usize);
}

/// The calls of a launcher whose children share the memory of their parent. The parent makes them.
///
/// # Safety
///
/// Unsafe code relies on an implementation, beyond the requirements of [`ParentSys`]: [`map_private`](Self::map_private)
/// returns zeroed, writable memory of at least the requested length. It stays valid until it is unmapped, and nothing else
/// refers to it.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait SharingSys: ParentSys {
    /// mmap(2), anonymous and private: zeroed, aligned to a page.
    fn map_private(&self, length: usize) -> Result<NonNull<u8>, Errno>;
    /// mprotect(2) with `PROT_NONE`.
    ///
    /// # Safety
    ///
    /// The memory is whole pages that the caller owns, and nothing refers to it.
    unsafe fn mprotect_none(&self, memory: NonNull<u8>, length: usize) -> Result<(), Errno>;
    /// Returns whether the memory may be dumped and traced. A child that changes its IDs may take that from memory that it
    /// shares: prctl(2) with `PR_GET_DUMPABLE`. `ENOSYS` if it cannot.
    fn is_dumpable(&self) -> Result<bool, Errno> {
        Err(Errno::NOSYS)
    }
    /// Permits that the memory is dumped and traced: prctl(2) with `PR_SET_DUMPABLE`.
    fn make_dumpable(&self) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }
    /// Returns whether a sanitizer is part of this program. Makes no system call.
    fn is_sanitized(&self) -> bool;
}

/// The calls of [`VforkLauncher`](crate::VforkLauncher).
///
/// # Safety
///
/// Unsafe code relies on an implementation, beyond the requirements of [`SharingSys`]: [`vfork`](Self::vfork) calls `child`
/// only in the child. It returns only in the parent, when the child no longer uses memory of the parent.
pub unsafe trait VforkSys: SharingSys {
    /// Returns whether [`vfork`](Self::vfork) exists for this system and processor.
    fn has_vfork(&self) -> bool;
    /// Returns whether setrlimit(2) of this resource also changes memory, which the child shares. Makes no system call.
    fn limit_changes_memory(&self, resource: Resource) -> bool;
    /// vfork(2). The child runs `child` on the stack that begins at `top`, and exits with its result. Returns when the child
    /// has executed a program or ended, or at once if the child has a copy of the memory. The errno of the thread does not
    /// change.
    ///
    /// # Errors
    ///
    /// Returns the errno of vfork(2), `ENOSYS` if there is no such call.
    ///
    /// # Safety
    ///
    /// The stack is empty and has room for the calls of `child`. The child shares all memory, so the code of `child` meets the
    /// requirements of [`Sys`]. All signals are blocked.
    unsafe fn vfork(&self, top: Top, child: &dyn Fn() -> c_int) -> Result<Pid, Errno>;
}

/// The highest address of a stack, where it begins. It is aligned to 16 bytes.
pub type Top = NonNull<c_void>;
