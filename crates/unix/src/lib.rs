#![no_std]
//! The system calls that backends have in common, by their POSIX names. This crate is an implementation detail of `forkexec`.
//!
//! Each method makes one call and checks its errno. Linux has bindings of its own.
//!
//! Most functions are on the async-signal-safe list of POSIX. `setgroups`, `setregid`, `setreuid`, `setpriority`, `setrlimit`,
//! `getrlimit`, `chroot` and `ioctl` are not, but are plain system calls on the supported systems.
//! `sysconf(_SC_OPEN_MAX)` is a getrlimit(2) there.

mod ids;
mod spawn;
mod system;
mod vfork;

pub use ids::set_all_ids;
pub use spawn::{
    Action, Actions, Attributes, Dialect, Feature, OneMethod, STANDARD, SpawnBackend, SpawnLauncher,
    SpawnSys, SpawnSystem, free_numbers, is_for_good, is_open_after, is_touched, launch_expressed,
};
pub use system::{Cancellation, Pipe2, System, Vfork};
pub use vfork::VFORK_LAUNCHERS;

use core::convert::Infallible;
use core::ffi::{CStr, c_int};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use forkexec_core::{
    CStrArray, Disposition, Errno, Fd, FileId, Limit, ParentSys, Pid, Signal, SignalSet, Sys,
};

/// The system calls of the system that this program runs on. `T` states how the system differs from others.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<T>(PhantomData<T>);

impl<T> Kernel<T> {
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
        Self(PhantomData)
    }
}

fn int(result: c_int) -> Result<c_int, Errno> {
    if result == -1 { Err(Errno::from_raw(errno::errno().0)) } else { Ok(result) }
}

fn done(result: c_int) -> Result<(), Errno> {
    int(result).map(drop)
}

fn length(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| Errno::from_raw(errno::errno().0))
}

/// The highest signal number that is passed to sigaction(2). A system with fewer signals answers `EINVAL`.
const HIGHEST_SIGNAL: Signal = SignalSet::MAX;

/// Converts a set of signals to that of the C library.
pub fn sigset(set: SignalSet) -> libc::sigset_t {
    let mut signals = MaybeUninit::uninit();
    if set == SignalSet::ALL {
        // SAFETY: sigfillset initialises the set.
        unsafe { libc::sigfillset(signals.as_mut_ptr()) };
    } else {
        // SAFETY: sigemptyset initialises the set.
        unsafe { libc::sigemptyset(signals.as_mut_ptr()) };
        for signal in set.iter() {
            // SAFETY: the set is initialised; a number that is no signal is refused.
            unsafe { libc::sigaddset(signals.as_mut_ptr(), signal) };
        }
    }
    // SAFETY: initialised in either branch.
    unsafe { signals.assume_init() }
}

/// The errno of the thread does not change: the C library answers `EINVAL` for the signals that it reserves.
fn set_mask(set: SignalSet) -> Result<SignalSet, Errno> {
    let before = errno::errno();
    let old = swap_mask(set);
    errno::set_errno(before);
    old
}

fn swap_mask(set: SignalSet) -> Result<SignalSet, Errno> {
    let new = sigset(set);
    let mut old = sigset(SignalSet::EMPTY);
    // SAFETY: both sets are initialised. pthread_sigmask gives its error as its result.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const new, &raw mut old) } {
        0 => {}
        error => return Err(Errno::from_raw(error)),
    }
    // SAFETY: the set is initialised. For a number that is no signal the call returns an error.
    let blocked = |signal: &Signal| unsafe { libc::sigismember(&raw const old, *signal) } == 1;
    Ok((1..=HIGHEST_SIGNAL).filter(blocked).collect())
}

fn action<T: System>(signal: Signal, new: *const libc::sigaction) -> Result<libc::sigaction, Errno> {
    let mut old = MaybeUninit::uninit();
    // SAFETY: `new` is null or points to an initialised action; the old one is written.
    done(unsafe { T::sigaction(signal, new, old.as_mut_ptr()) })?;
    // SAFETY: sigaction succeeded, so the structure is filled.
    Ok(unsafe { old.assume_init() })
}

#[expect(clippy::allow_attributes, reason = "which conversions do nothing differs by system")]
#[allow(clippy::useless_conversion, clippy::unnecessary_cast, clippy::cast_sign_loss, clippy::cast_lossless)]
// SAFETY: each method makes the call that the trait names, on the process and the descriptors in its arguments.
// None allocates, locks or panics.
unsafe impl<T: System> Sys for Kernel<T> {
    type Executed = Infallible;

    fn close(&self, fd: Fd) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns the descriptor.
        done(unsafe { libc::close(fd) })
    }

    fn dup2(&self, from: Fd, to: Fd) -> Result<(), Errno> {
        // SAFETY: as for `close`.
        done(unsafe { libc::dup2(from, to) })
    }

    fn dup_min(&self, fd: Fd, lowest: Fd) -> Result<Fd, Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns or borrows the descriptor.
        int(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest) })
    }

    fn is_cloexec(&self, fd: Fd) -> Result<bool, Errno> {
        // SAFETY: reads a flag of the descriptor, whichever code owns it, and changes nothing.
        int(unsafe { libc::fcntl(fd, libc::F_GETFD) }).map(|flags| flags & libc::FD_CLOEXEC != 0)
    }

    fn set_cloexec(&self, fd: Fd, cloexec: bool) -> Result<(), Errno> {
        let flags = if cloexec { libc::FD_CLOEXEC } else { 0 };
        // SAFETY: `Kernel::new` promises that the caller owns or borrows the descriptor.
        done(unsafe { libc::fcntl(fd, libc::F_SETFD, flags) })
    }

    fn write(&self, fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
        // SAFETY: the buffer is borrowed for the call. `Kernel::new` promises that the descriptor is, too.
        length(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) })
    }

    fn file_id(&self, fd: Fd) -> Result<FileId, Errno> {
        let mut status = MaybeUninit::uninit();
        // SAFETY: fstat fills a `stat`.
        done(unsafe { libc::fstat(fd, status.as_mut_ptr()) })?;
        // SAFETY: fstat succeeded, so the structure is filled.
        let status: libc::stat = unsafe { status.assume_init() };
        Ok(FileId { device: status.st_dev as u64, inode: status.st_ino as u64 })
    }

    fn open_directory(&self, path: &CStr) -> Result<Fd, Errno> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: the path is a C string borrowed for the call.
        int(unsafe { libc::open(path.as_ptr(), flags) })
    }

    fn set_limit(&self, limit: Limit) -> Result<(), Errno> {
        let new = libc::rlimit { rlim_cur: native_limit(limit.soft), rlim_max: native_limit(limit.hard) };
        // SAFETY: the structure is borrowed for the call; an unknown resource is refused.
        done(unsafe { libc::setrlimit(limit.resource.0 as _, &raw const new) })
    }

    fn descriptor_limit(&self) -> Result<u64, Errno> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure is written.
        done(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
        Ok(if limit.rlim_max == libc::RLIM_INFINITY { u64::MAX } else { limit.rlim_max as u64 })
    }

    fn open_max(&self) -> Option<u64> {
        // SAFETY: reads an attribute of the calling process, and changes nothing.
        u64::try_from(unsafe { libc::sysconf(libc::_SC_OPEN_MAX) }).ok()
    }

    fn chroot(&self, path: &CStr) -> Result<(), Errno> {
        // SAFETY: the path is a C string borrowed for the call.
        done(unsafe { libc::chroot(path.as_ptr()) })
    }

    fn chdir(&self, path: &CStr) -> Result<(), Errno> {
        // SAFETY: the path is a C string borrowed for the call.
        done(unsafe { libc::chdir(path.as_ptr()) })
    }

    fn fchdir(&self, directory: Fd) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns or borrows the descriptor.
        done(unsafe { libc::fchdir(directory) })
    }

    fn set_umask(&self, mask: u32) {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows. A mask has 9 bits, `mode_t` at least 16.
        let _ = unsafe { libc::umask((mask & 0o777) as libc::mode_t) };
    }

    fn disposition(&self, signal: Signal) -> Result<Disposition, Errno> {
        Ok(match action::<T>(signal, ptr::null())?.sa_sigaction {
            libc::SIG_DFL => Disposition::Default,
            libc::SIG_IGN => Disposition::Ignored,
            _ => Disposition::Handled,
        })
    }

    fn set_disposition(&self, signal: Signal, ignored: bool) -> Result<(), Errno> {
        // SAFETY: all-zero is a `sigaction`: the default action, no flag, an empty mask.
        let mut new: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        new.sa_sigaction = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
        action::<T>(signal, &raw const new).map(drop)
    }

    fn set_mask(&self, mask: SignalSet) -> Result<(), Errno> {
        set_mask(mask).map(drop)
    }

    fn highest_signal(&self) -> Signal {
        HIGHEST_SIGNAL
    }

    fn getpid(&self) -> Pid {
        // SAFETY: reads an attribute of the calling process, and changes nothing.
        unsafe { libc::getpid() }
    }

    fn getppid(&self) -> Pid {
        // SAFETY: reads an attribute of the calling process, and changes nothing.
        unsafe { libc::getppid() }
    }

    fn setsid(&self) -> Result<(), Errno> {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        done(unsafe { libc::setsid() })
    }

    fn set_process_group(&self, group: Pid) -> Result<(), Errno> {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        done(unsafe { libc::setpgid(0, group) })
    }

    fn set_controlling_tty(&self, terminal: Fd) -> Result<(), Errno> {
        // SAFETY: `TIOCSCTTY` takes a number. 0 means not to take the terminal of another session.
        done(unsafe { libc::ioctl(terminal, libc::TIOCSCTTY as _, 0_usize) })
    }

    fn tcsetpgrp(&self, terminal: Fd) -> Result<(), Errno> {
        // SAFETY: reads an attribute of the calling process, and changes nothing.
        let group = unsafe { libc::getpgrp() };
        // SAFETY: `Kernel::new` promises that the caller owns or borrows the descriptor.
        done(unsafe { libc::tcsetpgrp(terminal, group) })
    }

    fn set_nice(&self, nice: i32) -> Result<(), Errno> {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        done(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) })
    }

    fn set_groups(&self, groups: &[u32]) -> Result<(), Errno> {
        T::set_groups(groups)
    }

    fn set_gid(&self, gid: u32) -> Result<(), Errno> {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        let set = || done(unsafe { libc::setgid(gid) });
        set_all_ids(T::SETS_SAVED_IDS, set, || T::set_both_gids(gid))
    }

    fn set_uid(&self, uid: u32) -> Result<(), Errno> {
        // SAFETY: as for `set_gid`.
        let set = || done(unsafe { libc::setuid(uid) });
        set_all_ids(T::SETS_SAVED_IDS, set, || T::set_both_uids(uid))
    }

    fn execve(
        &self,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Infallible, Errno> {
        // SAFETY: `Kernel::new` promises that no thread changes the environment meanwhile.
        let env = env.map_or_else(|| unsafe { T::environment() }, CStrArray::as_ptr);
        // SAFETY: path and arrays are C strings and null-terminated arrays, borrowed for the call.
        unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env) };
        Err(Errno::from_raw(errno::errno().0))
    }

    fn pause(&self, milliseconds: u8) {
        // SAFETY: no descriptor is passed.
        let _ = unsafe { libc::poll(ptr::null_mut(), 0, milliseconds.into()) };
    }

    fn now(&self) -> u64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: clock_gettime fills a `timespec`.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
        (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
    }
}

/// Returns the previous state.
fn set_cancel_state(calls: Cancellation, state: c_int) -> c_int {
    let mut before = 0;
    // SAFETY: changes an attribute of this thread, and writes one int. The function is that of its name, as `System` requires.
    unsafe { (calls.set_state)(state, &raw mut before) };
    before
}

/// Maps anonymous memory, shared with children or private.
fn map(length: usize, sharing: c_int) -> Result<NonNull<u8>, Errno> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let memory = unsafe { libc::mmap(ptr::null_mut(), length, protection, sharing | libc::MAP_ANON, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(Errno::from_raw(errno::errno().0));
    }
    NonNull::new(memory.cast()).ok_or(Errno::NOMEM)
}

#[expect(clippy::allow_attributes, reason = "`rlim_t` is signed on FreeBSD and DragonFly only")]
#[allow(clippy::useless_conversion)]
fn native_limit(limit: u64) -> libc::rlim_t {
    if limit == u64::MAX {
        return libc::RLIM_INFINITY;
    }
    libc::rlim_t::try_from(limit).unwrap_or(libc::RLIM_INFINITY)
}

// SAFETY: each method makes the call that the trait names, on the process and the descriptors in its arguments. `fork`
// returns `None` only in the child. The mapping of `map_shared` stays until `unmap`.
unsafe impl<T: System> ParentSys for Kernel<T> {
    unsafe fn fork(&self) -> Result<Option<Pid>, Errno> {
        // SAFETY: the caller promises what runs in the child.
        let pid = int(unsafe { libc::fork() })?;
        Ok((pid != 0).then_some(pid))
    }

    fn exit(&self, status: c_int) -> ! {
        // SAFETY: ends the process.
        unsafe { libc::_exit(status) }
    }

    fn pipe(&self) -> Result<(Fd, Fd), Errno> {
        let mut ends = [-1; 2];
        if let Some(pipe2) = T::PIPE2 {
            // SAFETY: two descriptors are written, by the function of that name, as `System` requires.
            done(unsafe { pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
            return Ok((ends[0], ends[1]));
        }
        // SAFETY: two descriptors are written.
        done(unsafe { libc::pipe(ends.as_mut_ptr()) })?;
        let [reader, writer] = ends;
        let marked = self.set_cloexec(reader, true).and_then(|()| self.set_cloexec(writer, true));
        if let Err(errno) = marked {
            let _ = (self.close(reader), self.close(writer));
            return Err(errno);
        }
        Ok((reader, writer))
    }

    fn read(&self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the buffer is borrowed for the call. `Kernel::new` promises that the descriptor is, too.
        length(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) })
    }

    fn readable(&self, fd: Fd, milliseconds: u8) -> Result<bool, Errno> {
        let mut asked = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: one structure is passed, which is borrowed for the call.
        let ready = int(unsafe { libc::poll(&raw mut asked, 1, milliseconds.into()) })?;
        Ok(ready > 0)
    }

    fn has_ended(&self, child: Pid) -> bool {
        T::has_ended(child)
    }

    fn wait(&self, pid: Pid) -> Result<c_int, Errno> {
        let mut status: c_int = 0;
        // SAFETY: one int is written.
        done(unsafe { libc::waitpid(pid, &raw mut status, 0) })?;
        Ok(status)
    }

    fn disable_cancellation(&self) -> c_int {
        T::CANCELLATION.map_or(0, |calls| set_cancel_state(calls, calls.disable))
    }

    fn restore_cancellation(&self, state: c_int) {
        if let Some(calls) = T::CANCELLATION {
            set_cancel_state(calls, state);
        }
    }

    fn kill(&self, pid: Pid, signal: Signal) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the process is a child of the caller that is not yet reaped.
        done(unsafe { libc::kill(pid, signal) })
    }

    fn block_signals(&self) -> Result<SignalSet, Errno> {
        set_mask(SignalSet::ALL)
    }

    fn map_shared(&self, length: usize) -> Result<NonNull<u8>, Errno> {
        map(length, libc::MAP_SHARED)
    }

    unsafe fn unmap(&self, memory: NonNull<u8>, length: usize) {
        // SAFETY: the caller's promise.
        unsafe { libc::munmap(memory.as_ptr().cast(), length) };
    }
}
