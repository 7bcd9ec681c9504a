//! The real system calls: each method makes one call and checks its errno.
//!
//! All calls use syscall(2), with these exceptions in the parent: fork(3), on whose handlers a pre-exec closure may rely, and
//! mmap(2) and munmap(2), whose raw numbers differ by architecture.

#[macro_use]
mod call;
mod attributes;
mod clone;
mod ids;
mod pidfd;
#[cfg(target_os = "android")]
#[path = "sys/release/android.rs"]
mod release;
#[cfg(all(not(target_os = "android"), forkexec_release = "environment"))]
#[path = "sys/release/environment.rs"]
mod release;
#[cfg(all(not(target_os = "android"), not(forkexec_release = "environment")))]
#[path = "sys/release/linux.rs"]
mod release;
mod signals;

use crate::{AttributeCall, CapabilityMasks, LinuxSys, Release};
use call::{Word, done, errno, int, length};
use core::convert::Infallible;
use core::ffi::{CStr, c_char, c_int, c_long, c_ulong};
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use forkexec_core::{
    Access, CStrArray, Disposition, Errno, Fd, FileId, Limit, ParentSys, Pid, Signal, SignalSet, Sys,
};

/// The system calls of the kernel that this program runs on.
#[derive(Clone, Copy, Debug)]
pub struct Kernel(());

impl Kernel {
    /// The real system calls.
    ///
    /// # Safety
    ///
    /// The value is the right to close, replace and use every descriptor of the process by its number, to signal other
    /// processes, and to change the process itself. A backend or launcher made of it has that right, too, and
    /// [`Backend::sys`](forkexec_core::Backend::sys) returns the value. As long as it exists, the caller is responsible for
    /// all code that can reach it:
    ///
    /// - Methods are called in a child before exec, or on descriptors and processes that the calling code owns.
    /// - Each descriptor that a launched plan names is owned or borrowed by the launching code until the launch returns.
    /// - While a plan without an environment of its own is launched, no thread changes the environment of the process.
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

fn status(fd: Fd) -> Result<libc::stat, Errno> {
    let mut status = MaybeUninit::uninit();
    // SAFETY: fstat fills a `stat`. It is no cancellation point. The layout of the raw call differs by architecture.
    let result = unsafe { libc::fstat(fd, status.as_mut_ptr()) };
    done(result.word())?;
    // SAFETY: fstat succeeded, so the structure is filled.
    Ok(unsafe { status.assume_init() })
}

#[expect(clippy::allow_attributes, reason = "they have 32 bits on some architectures")]
#[allow(clippy::useless_conversion)]
fn id(status: &libc::stat) -> FileId {
    FileId { device: status.st_dev.into(), inode: status.st_ino.into() }
}

/// Compares two types of file systems. The C libraries differ in the width and the sign of both.
macro_rules! same_type {
    ($one:expr, $other:expr) => {{
        #[expect(clippy::allow_attributes, reason = "which of the casts does nothing differs by C library")]
        #[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let same = $one as u32 == $other as u32;
        same
    }};
}

/// waitid(2) that leaves the status of a child. All zeroes if the child has not ended.
fn look_at(child: Pid) -> Result<libc::siginfo_t, Errno> {
    let mut about = MaybeUninit::<libc::siginfo_t>::zeroed();
    let (options, usage) = (libc::WEXITED | libc::WNOHANG | libc::WNOWAIT, ptr::null_mut::<u8>());
    // SAFETY: the kernel fills the structure, and the pointer for the usage is null.
    done(unsafe { syscall!(libc::SYS_waitid, libc::P_PID, child, about.as_mut_ptr(), options, usage) })?;
    // SAFETY: an all-zero `siginfo_t` is valid, too.
    Ok(unsafe { about.assume_init() })
}

/// # Safety
///
/// No thread changes the environment while the pointer is in use.
unsafe fn environment() -> *const *const c_char {
    unsafe extern "C" {
        static mut environ: *const *const c_char;
    }
    // SAFETY: a read of a pointer, which the caller promises not to race with a change.
    unsafe { environ }
}

// SAFETY: each method makes the call that the trait names, on the process and the descriptors in its arguments.
// None allocates, locks or panics.
unsafe impl Sys for Kernel {
    type Executed = Infallible;

    fn close(&self, fd: Fd) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns the descriptor.
        done(unsafe { syscall!(libc::SYS_close, fd) })
    }

    fn dup2(&self, from: Fd, to: Fd) -> Result<(), Errno> {
        // SAFETY: as for `close`.
        done(unsafe { syscall!(libc::SYS_dup3, from, to, 0_i32) })
    }

    fn dup_min(&self, fd: Fd, lowest: Fd) -> Result<Fd, Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns or borrows the descriptor.
        int(unsafe { syscall!(FCNTL, fd, libc::F_DUPFD_CLOEXEC, lowest) })
    }

    fn is_cloexec(&self, fd: Fd) -> Result<bool, Errno> {
        // SAFETY: reads a flag of the descriptor, whichever code owns it, and changes nothing.
        int(unsafe { syscall!(FCNTL, fd, libc::F_GETFD) }).map(|flags| flags & libc::FD_CLOEXEC != 0)
    }

    fn set_cloexec(&self, fd: Fd, cloexec: bool) -> Result<(), Errno> {
        let flags = if cloexec { libc::FD_CLOEXEC } else { 0 };
        // SAFETY: `Kernel::new` promises that the caller owns or borrows the descriptor.
        done(unsafe { syscall!(FCNTL, fd, libc::F_SETFD, flags) })
    }

    fn write(&self, fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
        // SAFETY: the buffer is borrowed for the call. `Kernel::new` promises that the descriptor is, too.
        length(unsafe { syscall!(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()) })
    }

    fn file_id(&self, fd: Fd) -> Result<FileId, Errno> {
        status(fd).map(|status| id(&status))
    }

    fn open_directory(&self, path: &CStr) -> Result<Fd, Errno> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: the path is a C string borrowed for the call.
        int(unsafe { syscall!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0_i32) })
    }

    fn set_limit(&self, limit: Limit) -> Result<(), Errno> {
        let new = [limit.soft, limit.hard];
        let old: *mut u64 = ptr::null_mut();
        // SAFETY: `rlimit64` of the kernel is two 64-bit numbers, on every architecture. The pointer for the old one is null.
        done(unsafe { syscall!(libc::SYS_prlimit64, 0_i32, limit.resource.0, &raw const new, old) })
    }

    fn descriptor_limit(&self) -> Result<u64, Errno> {
        let new: *const u64 = ptr::null();
        let mut old = [0_u64; 2];
        // SAFETY: as for `set_limit`. The pointer for the new one is null.
        done(unsafe { syscall!(libc::SYS_prlimit64, 0_i32, libc::RLIMIT_NOFILE, new, &raw mut old) })?;
        Ok(old[1])
    }

    /// sysconf(3) is not async-signal-safe, and Linux always knows the limit.
    fn open_max(&self) -> Option<u64> {
        None
    }

    fn chroot(&self, path: &CStr) -> Result<(), Errno> {
        // SAFETY: the path is a C string borrowed for the call.
        done(unsafe { syscall!(libc::SYS_chroot, path.as_ptr()) })
    }

    fn chdir(&self, path: &CStr) -> Result<(), Errno> {
        // SAFETY: the path is a C string borrowed for the call.
        done(unsafe { syscall!(libc::SYS_chdir, path.as_ptr()) })
    }

    fn fchdir(&self, directory: Fd) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns or borrows the descriptor.
        done(unsafe { syscall!(libc::SYS_fchdir, directory) })
    }

    fn set_umask(&self, mask: u32) {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        let _ = unsafe { syscall!(libc::SYS_umask, mask) };
    }

    fn disposition(&self, signal: Signal) -> Result<Disposition, Errno> {
        signals::disposition(signal)
    }

    fn set_disposition(&self, signal: Signal, ignored: bool) -> Result<(), Errno> {
        signals::set_disposition(signal, ignored)
    }

    fn set_mask(&self, mask: SignalSet) -> Result<(), Errno> {
        signals::set_mask(mask).map(drop)
    }

    fn highest_signal(&self) -> Signal {
        signals::HIGHEST
    }

    fn getpid(&self) -> Pid {
        // SAFETY: reads an attribute of the calling process, and changes nothing.
        int(unsafe { syscall!(libc::SYS_getpid) }).unwrap_or(0)
    }

    fn getppid(&self) -> Pid {
        // SAFETY: reads an attribute of the calling process, and changes nothing.
        int(unsafe { syscall!(libc::SYS_getppid) }).unwrap_or(0)
    }

    fn setsid(&self) -> Result<(), Errno> {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        done(unsafe { syscall!(libc::SYS_setsid) })
    }

    fn set_process_group(&self, group: Pid) -> Result<(), Errno> {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        done(unsafe { syscall!(libc::SYS_setpgid, 0_i32, group) })
    }

    fn set_controlling_tty(&self, terminal: Fd) -> Result<(), Errno> {
        // SAFETY: `TIOCSCTTY` takes a number. 0 means not to take the terminal of another session.
        done(unsafe { syscall!(libc::SYS_ioctl, terminal, libc::TIOCSCTTY, 0_i32) })
    }

    fn tcsetpgrp(&self, terminal: Fd) -> Result<(), Errno> {
        // SAFETY: reads an attribute of the calling process, and changes nothing.
        let group = int(unsafe { syscall!(libc::SYS_getpgid, 0_i32) })?;
        // SAFETY: `TIOCSPGRP` reads one pid from the pointer.
        done(unsafe { syscall!(libc::SYS_ioctl, terminal, libc::TIOCSPGRP, &raw const group) })
    }

    fn set_nice(&self, nice: i32) -> Result<(), Errno> {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        done(unsafe { syscall!(libc::SYS_setpriority, libc::PRIO_PROCESS, 0_i32, nice) })
    }

    fn set_groups(&self, groups: &[u32]) -> Result<(), Errno> {
        ids::set_groups(groups)
    }

    fn set_gid(&self, gid: u32) -> Result<(), Errno> {
        ids::set_gid(gid)
    }

    fn set_uid(&self, uid: u32) -> Result<(), Errno> {
        ids::set_uid(uid)
    }

    fn execve(
        &self,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Infallible, Errno> {
        // SAFETY: `Kernel::new` promises that no thread changes the environment meanwhile.
        let env = env.map_or_else(|| unsafe { environment() }, CStrArray::as_ptr);
        // SAFETY: path and arrays are C strings and null-terminated arrays, borrowed for the call.
        let _ = unsafe { syscall!(libc::SYS_execve, path.as_ptr(), argv.as_ptr(), env) };
        Err(errno())
    }

    /// Uses ppoll(2), which every architecture has. Its time is two words; those of the C library may be longer.
    fn pause(&self, milliseconds: u8) {
        let time = [0, c_long::from(milliseconds) * 1_000_000];
        let nothing: *const u8 = ptr::null();
        // SAFETY: no descriptor and no mask is passed, and the time is borrowed for the call.
        let _ = unsafe { syscall!(libc::SYS_ppoll, nothing, 0_i32, time.as_ptr(), nothing, 0_i32) };
    }

    fn now(&self) -> u64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: clock_gettime fills a `timespec`; it is async-signal-safe (signal-safety(7)).
        let _ = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
        #[expect(clippy::allow_attributes, reason = "they have 32 bits on some architectures")]
        #[allow(clippy::useless_conversion)]
        let (seconds, nanoseconds) = (i64::from(time.tv_sec), i64::from(time.tv_nsec));
        seconds.unsigned_abs().wrapping_mul(1_000_000_000).wrapping_add(nanoseconds.unsigned_abs())
    }
}

/// `fcntl64` of 32-bit architectures differs only in file locks.
const FCNTL: c_long = libc::SYS_fcntl;

// SAFETY: each method makes the call that the trait names, on the process and the descriptors in its arguments. `fork`
// returns `None` only in the child. The mapping of `map_shared` stays until `unmap`.
unsafe impl ParentSys for Kernel {
    unsafe fn fork(&self) -> Result<Option<Pid>, Errno> {
        signals::let_ids_change();
        // SAFETY: the caller promises what runs in the child.
        let pid = unsafe { libc::fork() };
        int(pid.word()).map(|pid| (pid != 0).then_some(pid))
    }

    fn exit(&self, status: c_int) -> ! {
        // SAFETY: ends the process.
        unsafe { libc::_exit(status) }
    }

    fn pipe(&self) -> Result<(Fd, Fd), Errno> {
        let mut ends = [-1; 2];
        // SAFETY: the kernel writes two descriptors.
        done(unsafe { syscall!(libc::SYS_pipe2, &raw mut ends, libc::O_CLOEXEC) })?;
        Ok((ends[0], ends[1]))
    }

    fn read(&self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the buffer is borrowed for the call. `Kernel::new` promises that the descriptor is, too.
        length(unsafe { syscall!(libc::SYS_read, fd, buffer.as_mut_ptr(), buffer.len()) })
    }

    fn readable(&self, fd: Fd, milliseconds: u8) -> Result<bool, Errno> {
        let mut asked = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let time = [0, c_long::from(milliseconds) * 1_000_000];
        let mask: *const u8 = ptr::null();
        // SAFETY: one structure and a time are passed, which are borrowed for the call. No mask is passed.
        let ready = unsafe { syscall!(libc::SYS_ppoll, &raw mut asked, 1_i32, time.as_ptr(), mask, 0_i32) };
        int(ready).map(|ready| ready > 0)
    }

    fn has_ended(&self, child: Pid) -> bool {
        match look_at(child) {
            // A tracer gets stops, too, whatever the options are.
            Ok(about) => matches!(about.si_code, libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED),
            Err(errno) => errno == Errno::CHILD,
        }
    }

    fn wait(&self, pid: Pid) -> Result<c_int, Errno> {
        let mut status: c_int = 0;
        let usage: *mut u8 = ptr::null_mut();
        // SAFETY: the kernel writes one int. The pointer for the usage is null.
        done(unsafe { syscall!(libc::SYS_wait4, pid, &raw mut status, WAIT_FOR_ANY_CHILD, usage) })?;
        Ok(status)
    }

    fn kill(&self, pid: Pid, signal: Signal) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the process is a child of the caller that is not yet reaped.
        done(unsafe { syscall!(libc::SYS_kill, pid, signal) })
    }

    fn block_signals(&self) -> Result<SignalSet, Errno> {
        signals::set_mask(SignalSet::ALL)
    }

    fn map_shared(&self, length: usize) -> Result<NonNull<u8>, Errno> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let memory = unsafe { libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0) };
        if memory == libc::MAP_FAILED {
            return Err(errno());
        }
        NonNull::new(memory.cast()).ok_or(Errno::NOMEM)
    }

    unsafe fn unmap(&self, memory: NonNull<u8>, length: usize) {
        // SAFETY: the caller guarantees the conditions.
        let _ = unsafe { libc::munmap(memory.as_ptr().cast(), length) };
    }
}

/// `linux/close_range.h`. The libc crate lacks it for some C libraries.
const CLOSE_RANGE_UNSHARE: u32 = 1 << 1;
const CLOSE_RANGE_CLOEXEC: u32 = 1 << 2;

/// `linux/pidfd.h`: `O_EXCL`. The libc crate lacks it for some C libraries.
const PIDFD_THREAD: c_int = libc::O_EXCL;

/// Above every `pid_max` (at most 2^22, proc(5)).
const NO_GROUP: Pid = Pid::MAX;

const WAIT_FOR_ANY_CHILD: c_int = libc::__WALL;

// SAFETY: each method makes the call that the trait names, on the process and the descriptors in its arguments.
// None allocates, locks or panics.
unsafe impl LinuxSys for Kernel {
    fn close_range(&self, first: u32, last: u32) -> Result<(), Errno> {
        // SAFETY: as for `close`.
        done(unsafe { syscall!(libc::SYS_close_range, first, last, 0_i32) })
    }

    fn close_range_unshare(&self, first: u32, last: u32) -> Result<(), Errno> {
        // SAFETY: as for `close`. The call closes the range in a copy of the table that belongs to the caller alone.
        done(unsafe { syscall!(libc::SYS_close_range, first, last, CLOSE_RANGE_UNSHARE) })
    }

    fn close_range_cloexec(&self, first: u32, last: u32) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns the descriptors. None is closed.
        done(unsafe { syscall!(libc::SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC) })
    }

    fn unshare_files(&self) -> Result<(), Errno> {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        done(unsafe { syscall!(libc::SYS_unshare, libc::CLONE_FILES) })
    }

    fn getdents64(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the buffer is borrowed for the call. `Kernel::new` promises that the descriptor is, too.
        length(unsafe { syscall!(libc::SYS_getdents64, directory, records.as_mut_ptr(), records.len()) })
    }

    fn is_on_procfs(&self, fd: Fd) -> Result<bool, Errno> {
        let mut status = MaybeUninit::uninit();
        // SAFETY: fstatfs fills a `statfs`. The layout of the raw call differs by architecture.
        let result = unsafe { libc::fstatfs(fd, status.as_mut_ptr()) };
        done(result.word())?;
        // SAFETY: fstatfs succeeded, so the structure is filled.
        let status: libc::statfs = unsafe { status.assume_init() };
        Ok(same_type!(status.f_type, libc::PROC_SUPER_MAGIC))
    }

    fn read_file(&self, path: &CStr, bytes: &mut [u8]) -> Result<usize, Errno> {
        // Without procfs the path may be a pipe, on which open(2) would block.
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_CLOEXEC;
        // SAFETY: the path is a C string borrowed for the call.
        let file = int(unsafe { syscall!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0_i32) })?;
        let is_there =
            self.is_on_procfs(file).and_then(|is_there| is_there.then_some(()).ok_or(Errno::NOENT));
        let read = is_there.and_then(|()| self.read(file, bytes));
        self.close(file)?;
        read
    }

    fn path_id(&self, path: &CStr) -> Result<FileId, Errno> {
        let mut status = MaybeUninit::uninit();
        // SAFETY: the path is a C string borrowed for the call, and stat fills a `stat`. It is no cancellation point.
        let result = unsafe { libc::stat(path.as_ptr(), status.as_mut_ptr()) };
        done(result.word())?;
        // SAFETY: stat succeeded, so the structure is filled.
        let status = unsafe { status.assume_init() };
        Ok(id(&status))
    }

    fn open_file(&self, path: &CStr, access: Access) -> Result<Fd, Errno> {
        let mode = match access {
            Access::Read => libc::O_RDONLY,
            Access::Write => libc::O_WRONLY,
            Access::ReadWrite => libc::O_RDWR,
        };
        let flags = mode | libc::O_CLOEXEC;
        // SAFETY: the path is a C string borrowed for the call.
        int(unsafe { syscall!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0_i32) })
    }

    fn open_pidfd_of(&self, thread: Pid, leads: bool) -> Result<Fd, Errno> {
        let flags = if leads { 0 } else { PIDFD_THREAD };
        // SAFETY: opens a descriptor of a process, and does nothing to it. The caller owns the descriptor.
        int(unsafe { syscall!(libc::SYS_pidfd_open, thread, flags) })
    }

    fn pidfd_getfd(&self, pidfd: Fd, fd: Fd) -> Result<Fd, Errno> {
        // SAFETY: opens a descriptor, which the caller owns. `Kernel::new` promises that the caller owns or borrows `pidfd`.
        int(unsafe { syscall!(libc::SYS_pidfd_getfd, pidfd, fd, 0_i32) })
    }

    fn join_no_group(&self, child: Pid) -> Result<(), Errno> {
        // The usual result is an error, so a successful start must restore errno.
        let before = ::errno::errno();
        // SAFETY: no process can join the group, so the call changes nothing.
        let answer = done(unsafe { syscall!(libc::SYS_setpgid, child, NO_GROUP) });
        ::errno::set_errno(before);
        answer
    }

    fn set_parent_death_signal(&self, signal: Signal) -> Result<(), Errno> {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        done(unsafe { syscall!(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, signal, 0_i32, 0_i32, 0_i32) })
    }

    fn set_no_new_privs(&self) -> Result<(), Errno> {
        ids::set_no_new_privs()
    }

    fn execveat(
        &self,
        program: Fd,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Infallible, Errno> {
        // SAFETY: as for `execve`.
        let env = env.map_or_else(|| unsafe { environment() }, CStrArray::as_ptr);
        let (path, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
        // SAFETY: both arrays end with a null pointer, and they and the path are borrowed for the call. `Kernel::new` promises that
        // the caller owns or borrows the descriptor.
        unsafe { syscall!(libc::SYS_execveat, program, path, argv.as_ptr(), env, flags) };
        Err(errno())
    }

    fn affinity(&self, mask: &mut [c_ulong]) -> Result<usize, Errno> {
        // SAFETY: the kernel writes at most that many bytes, which are borrowed for the call.
        length(unsafe { syscall!(libc::SYS_sched_getaffinity, 0_i32, size_of_val(mask), mask.as_mut_ptr()) })
    }

    fn memory_policy(&self, nodes: &mut [c_ulong]) -> Result<i32, Errno> {
        attributes::memory_policy(nodes)
    }

    fn capget(&self) -> Result<CapabilityMasks, Errno> {
        attributes::capget()
    }

    fn attribute(&self, call: AttributeCall<'_>) -> Result<u64, Errno> {
        attributes::call(call)
    }

    fn release(&self) -> Release {
        release::release()
    }

    fn kernel_release(&self) -> Result<[u8; 65], Errno> {
        let mut names = MaybeUninit::<libc::utsname>::uninit();
        // SAFETY: the kernel fills the structure, which outlives the call.
        done(unsafe { syscall!(libc::SYS_uname, names.as_mut_ptr()) })?;
        // SAFETY: the call succeeded, so the structure is filled.
        let names = unsafe { names.assume_init() };
        // `c_char` is signed on some processors.
        Ok(names.release.map(|byte| byte.to_ne_bytes()[0]))
    }

    fn is_filtered(&self) -> Result<bool, Errno> {
        // SAFETY: reads an attribute of the calling process, and changes nothing.
        let mode =
            int(unsafe { syscall!(libc::SYS_prctl, libc::PR_GET_SECCOMP, 0_i32, 0_i32, 0_i32, 0_i32) })?;
        Ok(mode != 0)
    }
}
