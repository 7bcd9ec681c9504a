#![cfg(any(target_os = "freebsd", target_os = "dragonfly"))]
//! The real system calls: each method makes one call and checks its errno.
//!
//! The numbers are those of `sys/kern/syscalls.master` of each system. The functions of the C library with these names hide the
//! errno, are missing in some versions, or convert the records.

use crate::{AttributeCall, Facts, FreebsdSys, Kernel, System};
use core::ffi::{c_int, c_uint, c_ulong, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use forkexec_core::{Errno, Fd, Pid, ProcessEntry, Resource, Signal};
use forkexec_unix::{Cancellation, Pipe2, Vfork, has_ended_by_waitid};

#[cfg(target_os = "freebsd")]
mod numbers {
    use core::ffi::c_int;

    /// FreeBSD 12.2, 13.0.
    pub(super) const CLOSE_RANGE: c_int = 575;
    /// `sys/unistd.h`. FreeBSD 14.0.
    pub(super) const CLOSE_RANGE_CLOEXEC: c_int = 1 << 2;
    /// FreeBSD 8.0. From 12.2 on it is a call for older programs.
    pub(super) const CLOSEFROM: c_int = 509;
    /// FreeBSD 12.0.
    pub(super) const GETDIRENTRIES: c_int = 554;
    /// FreeBSD 5.0.
    pub(super) const SIGACTION: c_int = 416;
}

#[cfg(target_os = "dragonfly")]
mod numbers {
    use core::ffi::c_int;

    pub(super) const CLOSEFROM: c_int = 474;
    pub(super) const GETDENTS: c_int = 480;
}

unsafe extern "C" {
    /// The libc crate lacks it.
    fn vfork() -> c_int;
    /// The libc crate lacks it for DragonFly.
    fn jail_attach(id: c_int) -> c_int;
    /// `sys/lwp.h` of DragonFly. A negative thread stands for all threads of the process, or for the first one.
    #[cfg(target_os = "dragonfly")]
    fn lwp_setaffinity(process: Pid, thread: c_int, mask: *const c_void) -> c_int;
    #[cfg(target_os = "dragonfly")]
    fn lwp_getaffinity(process: Pid, thread: c_int, mask: *mut c_void) -> c_int;
}

fn errno() -> Errno {
    Errno::from_raw(errno::errno().0)
}

fn done(result: c_int) -> Result<(), Errno> {
    if result == -1 { Err(errno()) } else { Ok(()) }
}

fn length(result: c_int) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| errno())
}

/// sysctl(3) of a name with a value of one int.
fn sysctl<const LENGTH: usize>(mut name: [c_int; LENGTH]) -> Result<c_int, Errno> {
    let length = c_uint::try_from(LENGTH).map_err(|_| Errno::INVAL)?;
    let mut value: c_int = 0;
    let mut size = size_of_val(&value);
    // SAFETY: the name is borrowed for the call, which writes at most `size` bytes to `value` and sets nothing.
    done(unsafe {
        libc::sysctl(name.as_mut_ptr(), length, (&raw mut value).cast(), &raw mut size, ptr::null_mut(), 0)
    })?;
    if size == size_of_val(&value) { Ok(value) } else { Err(Errno::IO) }
}

#[cfg(target_os = "freebsd")]
fn set_affinity(mask: &[c_ulong]) -> Result<(), Errno> {
    const SELF: libc::id_t = -1;
    let (level, which) = (libc::CPU_LEVEL_WHICH, libc::CPU_WHICH_PID);
    // SAFETY: the kernel reads that many bytes, which are borrowed for the call. It changes the calling process.
    done(unsafe { libc::cpuset_setaffinity(level, which, SELF, size_of_val(mask), mask.as_ptr().cast()) })
}

/// The bytes of `cpumask_t` of DragonFly.
#[cfg(target_os = "dragonfly")]
const MASK: usize = 256 / 8;

#[cfg(target_os = "dragonfly")]
fn set_affinity(mask: &[c_ulong]) -> Result<(), Errno> {
    if size_of_val(mask) < MASK {
        return Err(Errno::INVAL);
    }
    // SAFETY: the kernel reads `MASK` bytes, which are borrowed for the call. It changes the calling process.
    done(unsafe { lwp_setaffinity(0, -1, mask.as_ptr().cast()) })
}

#[cfg(target_os = "freebsd")]
fn disable_aslr() -> Result<(), Errno> {
    control(libc::PROC_ASLR_CTL, libc::PROC_ASLR_FORCE_DISABLE).map(drop)
}

#[cfg(target_os = "dragonfly")]
fn disable_aslr() -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

#[cfg(target_os = "freebsd")]
fn about(entry: &libc::kinfo_proc) -> ProcessEntry {
    let has_execed = entry.ki_flag & libc::c_long::from(libc::P_EXEC) != 0;
    ProcessEntry { parent: entry.ki_ppid, has_execed, has_ended: entry.ki_stat == libc::SZOMB }
}

/// The flag is `P_EXEC` of `sys/proc.h`, which the libc crate lacks. No zombie has an entry.
#[cfg(target_os = "dragonfly")]
fn about(entry: &libc::kinfo_proc) -> ProcessEntry {
    ProcessEntry { parent: entry.kp_ppid, has_execed: entry.kp_flags & 0x4000 != 0, has_ended: false }
}

/// procctl(2) of the calling process, with an argument of one int. Returns the argument afterwards.
fn control(command: c_int, mut argument: c_int) -> Result<c_int, Errno> {
    // SAFETY: reads an attribute of the calling process, and changes nothing.
    let own = unsafe { libc::getpid() };
    // SAFETY: the commands used here read or write one int, `argument`, which outlives the call.
    done(unsafe { libc::procctl(libc::P_PID, own.into(), command, (&raw mut argument).cast::<c_void>()) })?;
    Ok(argument)
}

// SAFETY: the constant is the call of its name. waitid(2) does not reap the child, because its options include `WNOWAIT`.
unsafe impl forkexec_unix::System for Facts {
    const PIPE2: Option<Pipe2> = Some(libc::pipe2);
    // `sys_setreuid` of sys/kern/kern_prot.c of either system.
    const SETS_SAVED_IDS: bool = true;
    const VFORK: Option<Vfork> = Some(vfork);
    // `kern_proc_setrlimit` of sys/kern/kern_resource.c, and of DragonFly `kern_setrlimit` of sys/kern/kern_plimit.c, change the
    // protection of the stack.
    const LIMIT_OF_MEMORY: Option<Resource> = Some(Resource::STACK);
    const CANCELLATION: Option<Cancellation> = Some(Cancellation::disabled_by(1));

    // `_sigaction` of lib/libthr/thread/thr_sig.c takes a lock in memory that the child shares. posix_spawn(3) of FreeBSD makes
    // the system call for that reason (lib/libc/gen/posix_spawn.c). The layout of the structure is the same.
    #[cfg(target_os = "freebsd")]
    unsafe fn sigaction(signal: Signal, new: *const libc::sigaction, old: *mut libc::sigaction) -> c_int {
        // SAFETY: the caller guarantees the pointers.
        unsafe { libc::syscall(numbers::SIGACTION, signal, new, old) }
    }

    has_ended_by_waitid!();
}

// SAFETY: each method makes the call that the trait names, on the process and the descriptors in its arguments.
// None allocates, locks or panics.
unsafe impl FreebsdSys for Kernel {
    fn system(&self) -> System {
        if cfg!(target_os = "freebsd") { System::FreeBsd } else { System::DragonFly }
    }

    fn release(&self) -> Result<i32, Errno> {
        sysctl([libc::CTL_KERN, libc::KERN_OSRELDATE])
    }

    fn process_entry(&self, process: Pid) -> Result<ProcessEntry, Errno> {
        let mut name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, process];
        let mut entry = MaybeUninit::<libc::kinfo_proc>::uninit();
        let mut size = size_of_val(&entry);
        // SAFETY: the name is borrowed for the call, which writes at most `size` bytes to `entry` and sets nothing.
        done(unsafe {
            libc::sysctl(name.as_mut_ptr(), 4, entry.as_mut_ptr().cast(), &raw mut size, ptr::null_mut(), 0)
        })?;
        // DragonFly succeeds without an entry (`sysctl_kern_proc` of sys/kern/kern_proc.c).
        if size == 0 {
            return Err(Errno::SRCH);
        }
        if size != size_of_val(&entry) {
            return Err(Errno::IO);
        }
        // SAFETY: the kernel has written the whole entry.
        Ok(about(&unsafe { entry.assume_init() }))
    }

    #[cfg(target_os = "freebsd")]
    fn open_count(&self) -> Result<u32, Errno> {
        let count = sysctl([libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_NFDS, 0])?;
        u32::try_from(count).map_err(|_| Errno::IO)
    }

    #[cfg(target_os = "dragonfly")]
    fn open_count(&self) -> Result<u32, Errno> {
        Err(Errno::NOSYS)
    }

    #[cfg(target_os = "freebsd")]
    fn close_range(&self, first: u32, last: u32) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns the descriptors.
        done(unsafe { libc::syscall(numbers::CLOSE_RANGE, first, last, 0) })
    }

    #[cfg(target_os = "dragonfly")]
    fn close_range(&self, _first: u32, _last: u32) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    #[cfg(target_os = "freebsd")]
    fn close_range_cloexec(&self, first: u32, last: u32) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns the descriptors. None is closed.
        done(unsafe { libc::syscall(numbers::CLOSE_RANGE, first, last, numbers::CLOSE_RANGE_CLOEXEC) })
    }

    #[cfg(target_os = "dragonfly")]
    fn close_range_cloexec(&self, _first: u32, _last: u32) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    fn closefrom(&self, first: Fd) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns the descriptors.
        done(unsafe { libc::syscall(numbers::CLOSEFROM, first) })
    }

    #[cfg(target_os = "freebsd")]
    fn getdirentries(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno> {
        let position: *mut libc::off_t = ptr::null_mut();
        // SAFETY: the buffer is borrowed for the call, and the position is null. `Kernel::new` promises that the descriptor is borrowed, too.
        length(unsafe {
            libc::syscall(numbers::GETDIRENTRIES, directory, records.as_mut_ptr(), records.len(), position)
        })
    }

    #[cfg(target_os = "dragonfly")]
    fn getdirentries(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the buffer is borrowed for the call. `Kernel::new` promises that the descriptor is, too.
        length(unsafe { libc::syscall(numbers::GETDENTS, directory, records.as_mut_ptr(), records.len()) })
    }

    fn file_system(&self, fd: Fd) -> Result<[u8; 16], Errno> {
        let mut status = MaybeUninit::uninit();
        // SAFETY: fstatfs fills a `statfs`.
        done(unsafe { libc::fstatfs(fd, status.as_mut_ptr()) })?;
        // SAFETY: fstatfs succeeded, so the structure is filled.
        let status: libc::statfs = unsafe { status.assume_init() };
        #[expect(clippy::cast_sign_loss, reason = "bytes of a name")]
        Ok(status.f_fstypename.map(|byte| byte as u8))
    }

    fn set_parent_death_signal(&self, signal: Signal) -> Result<(), Errno> {
        control(libc::PROC_PDEATHSIG_CTL, signal).map(drop)
    }

    #[cfg(target_os = "freebsd")]
    fn no_new_privs(&self) -> Result<bool, Errno> {
        let status = control(libc::PROC_NO_NEW_PRIVS_STATUS, libc::PROC_NO_NEW_PRIVS_DISABLE)?;
        Ok(status == libc::PROC_NO_NEW_PRIVS_ENABLE)
    }

    #[cfg(target_os = "dragonfly")]
    fn no_new_privs(&self) -> Result<bool, Errno> {
        Err(Errno::NOSYS)
    }

    #[cfg(target_os = "freebsd")]
    fn aslr(&self) -> Result<(), Errno> {
        control(libc::PROC_ASLR_STATUS, libc::PROC_ASLR_NOFORCE).map(drop)
    }

    #[cfg(target_os = "dragonfly")]
    fn aslr(&self) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    #[cfg(target_os = "freebsd")]
    fn affinity(&self, mask: &mut [c_ulong]) -> Result<(), Errno> {
        const SELF: libc::id_t = -1;
        let (level, which) = (libc::CPU_LEVEL_WHICH, libc::CPU_WHICH_PID);
        let size = size_of_val(mask);
        // SAFETY: the kernel writes that many bytes, which are borrowed for the call.
        done(unsafe { libc::cpuset_getaffinity(level, which, SELF, size, mask.as_mut_ptr().cast()) })
    }

    #[cfg(target_os = "dragonfly")]
    fn affinity(&self, mask: &mut [c_ulong]) -> Result<(), Errno> {
        if size_of_val(mask) < MASK {
            return Err(Errno::INVAL);
        }
        // SAFETY: the kernel writes `MASK` bytes, which are borrowed for the call.
        done(unsafe { lwp_getaffinity(0, -1, mask.as_mut_ptr().cast()) })
    }

    fn attribute(&self, call: AttributeCall<'_>) -> Result<(), Errno> {
        match call {
            AttributeCall::SetAffinity(mask) => set_affinity(mask),
            AttributeCall::SetPriority(class, priority) => {
                const SELF: c_int = 0;
                let mut rtprio = libc::rtprio { type_: class, prio: priority };
                // SAFETY: the kernel reads the structure, which outlives the call, and changes the calling thread.
                done(unsafe { libc::rtprio(libc::RTP_SET, SELF, &raw mut rtprio) })
            }
            AttributeCall::DisableAslr => disable_aslr(),
            // SAFETY: the argument is a number, and the call changes the calling process. `Kernel::new` allows that.
            AttributeCall::AttachJail(id) => done(unsafe { jail_attach(id) }),
        }
    }

    #[cfg(target_os = "freebsd")]
    fn set_no_new_privs(&self) -> Result<(), Errno> {
        control(libc::PROC_NO_NEW_PRIVS_CTL, libc::PROC_NO_NEW_PRIVS_ENABLE).map(drop)
    }

    #[cfg(target_os = "dragonfly")]
    fn set_no_new_privs(&self) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }
}
