//! The calls that only NetBSD has: each method makes one call and checks its errno.
#![cfg(target_os = "netbsd")]

use crate::{AttributeCall, Facts, Kernel, NetbsdSys};
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use errno::{Errno as Native, errno, set_errno};
use forkexec_core::{Errno, Fd, Pid, ProcessEntry, Resource};
use forkexec_unix::{Cancellation, Pipe2, System, Vfork, has_ended_by_waitid};

unsafe extern "C" {
    /// The libc crate lacks it. The symbol `vfork` is the call of NetBSD before 1.4 (`unistd.h`).
    #[link_name = "__vfork14"]
    fn vfork() -> c_int;
    // `sys/sched.h`. The libc crate lacks them. `lwpid_t` is an int (`sys/types.h`).
    fn _sched_setaffinity(process: Pid, thread: c_int, size: usize, set: *const c_void) -> c_int;
    fn _sched_setparam(
        process: Pid,
        thread: c_int,
        policy: c_int,
        parameters: *const libc::sched_param,
    ) -> c_int;
}

/// The calling process, and all of its threads.
const SELF: (Pid, c_int) = (0, 0);

/// `sys/sysctl.h`: the process has called exec. The libc crate does not have it.
const P_EXEC: i32 = 0x4000;

/// `sys/proc.h`: the process is a zombie.
const SZOMB: u64 = 5;

fn done(result: c_int) -> Result<(), Errno> {
    if result == -1 { Err(Errno::from_raw(errno().0)) } else { Ok(()) }
}

/// The kernel ignores the third argument of these two commands, and `F_MAXFD` the descriptor.
fn fcntl(fd: Fd, command: c_int) -> Result<c_int, Errno> {
    // SAFETY: `Kernel::new` promises that the caller owns the descriptors.
    match unsafe { libc::fcntl(fd, command, 0) } {
        -1 => Err(Errno::from_raw(errno().0)),
        value => Ok(value),
    }
}

// SAFETY: the constant is the call of its name. waitid(2) does not reap the child, because its options include `WNOWAIT`.
unsafe impl System for Facts {
    const PIPE2: Option<Pipe2> = Some(libc::pipe2);
    // `sys_setreuid` of sys/kern/kern_prot.c sets the saved ID only if the real ID changes.
    const SETS_SAVED_IDS: bool = false;
    const VFORK: Option<Vfork> = Some(vfork);
    // `dosetrlimit` of sys/kern/kern_resource.c changes the protection of the stack.
    const LIMIT_OF_MEMORY: Option<Resource> = Some(Resource::STACK);
    const CANCELLATION: Option<Cancellation> = Some(Cancellation::disabled_by(1));

    has_ended_by_waitid!();
}

// SAFETY: each method makes the call that the trait names, on the process and the descriptors in its arguments.
// None allocates, locks or panics.
unsafe impl NetbsdSys for Kernel {
    fn closem(&self, lowest: Fd) -> Result<(), Errno> {
        fcntl(lowest, libc::F_CLOSEM).map(drop)
    }

    fn max_fd(&self) -> Result<Fd, Errno> {
        set_errno(Native(0));
        fcntl(0, libc::F_MAXFD)
    }

    fn process_entry(&self, process: Pid) -> Result<ProcessEntry, Errno> {
        let mut entry = MaybeUninit::<libc::kinfo_proc2>::uninit();
        let mut size = size_of_val(&entry);
        let length = c_int::try_from(size).map_err(|_| Errno::INVAL)?;
        let name = [libc::CTL_KERN, libc::KERN_PROC2, libc::KERN_PROC_PID, process, length, 1];
        // SAFETY: the name is borrowed for the call, which writes at most `size` bytes to `entry` and sets nothing.
        let asked = unsafe {
            libc::sysctl(name.as_ptr(), 6, entry.as_mut_ptr().cast(), &raw mut size, ptr::null(), 0)
        };
        if asked == -1 {
            return Err(Errno::from_raw(errno().0));
        }
        if size != size_of_val(&entry) {
            return Err(Errno::SRCH);
        }
        // SAFETY: the kernel has written the whole entry.
        let entry = unsafe { entry.assume_init() };
        let has_execed = entry.p_flag & P_EXEC != 0;
        Ok(ProcessEntry { parent: entry.p_ppid, has_execed, has_ended: entry.p_realstat == SZOMB })
    }

    fn attribute(&self, call: AttributeCall<'_>) -> Result<(), Errno> {
        let (process, thread) = SELF;
        match call {
            AttributeCall::SetAffinity(set) => {
                // SAFETY: the kernel reads that many bytes, which are borrowed for the call. It changes the calling process, as
                // `Kernel::new` allows.
                done(unsafe { _sched_setaffinity(process, thread, size_of_val(set), set.as_ptr().cast()) })
            }
            AttributeCall::SetPolicy(policy, sched_priority) => {
                let parameters = libc::sched_param { sched_priority };
                // SAFETY: the kernel reads the structure, which outlives the call. It changes the calling process, as `Kernel::new`
                // allows.
                done(unsafe { _sched_setparam(process, thread, policy, &raw const parameters) })
            }
        }
    }

    fn processors(&self) -> Result<usize, Errno> {
        let name = [libc::CTL_HW, libc::HW_NCPU];
        let mut count: c_int = 0;
        let mut size = size_of_val(&count);
        // SAFETY: the name is borrowed for the call, which writes at most `size` bytes to `count` and sets nothing.
        done(unsafe {
            libc::sysctl(name.as_ptr(), 2, (&raw mut count).cast(), &raw mut size, ptr::null(), 0)
        })?;
        usize::try_from(count).map_err(|_| Errno::IO)
    }
}
