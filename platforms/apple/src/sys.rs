//! The real system calls beyond the common ones: each method makes one call and checks its errno.
#![cfg(target_vendor = "apple")]

use crate::{Action, AppleSys, AttributeCall, Attributes, Facts, Feature, Kernel};
use core::convert::Infallible;
use core::ffi::{CStr, c_char, c_int, c_short};
use core::mem::MaybeUninit;
use core::ptr;
use forkexec_core::{CStrArray, Errno, Fd, Pid, ProcessEntry, SignalSet, Sys};
use forkexec_unix::{Pipe2, SpawnSystem, System, has_ended_by_waitid, posix_spawn_calls};

unsafe extern "C" {
    /// `spawn.h`, macOS 10.7. The libc crate lacks it.
    fn posix_spawn_file_actions_addinherit_np(
        actions: *mut libc::posix_spawn_file_actions_t,
        fd: c_int,
    ) -> c_int;
    /// `sys/resource.h`, macOS 10.5. The libc crate lacks it.
    fn setiopolicy_np(kind: c_int, scope: c_int, policy: c_int) -> c_int;
}

/// `struct proc_bsdshortinfo` of `bsd/sys/proc_info.h`, as 16 numbers of 32 bits. The libc crate lacks it before 0.2.189.
#[cfg(target_os = "macos")]
mod short_info {
    use core::ffi::c_int;

    pub(super) const PROC_PIDT_SHORTBSDINFO: c_int = 13;
    /// `pbsi_ppid`
    pub(super) const PARENT: usize = 1;
    /// `pbsi_status`
    pub(super) const STATUS: usize = 3;
    /// `pbsi_flags`, behind a name of 16 bytes.
    pub(super) const FLAGS: usize = 8;
    pub(super) const PROC_FLAG_EXEC: u32 = 0x4000;
    /// `bsd/sys/proc.h`
    pub(super) const SZOMB: u32 = 5;
}

fn errno() -> Errno {
    Errno::from_raw(errno::errno().0)
}

posix_spawn_calls!();

/// `bsd/sys/spawn.h`, macOS 10.15. The libc crate lacks it.
const POSIX_SPAWN_SETSID: c_int = 0x0400;

/// `_POSIX_SPAWN_DISABLE_ASLR` of `bsd/sys/spawn.h`. The libc crate lacks it.
const POSIX_SPAWN_DISABLE_ASLR: c_int = 0x0100;

#[expect(clippy::cast_possible_truncation, reason = "each flag is below 0x8000")]
fn flags(attributes: &Attributes) -> c_short {
    let flags = [
        (attributes.replace, libc::POSIX_SPAWN_SETEXEC),
        (attributes.close_others, libc::POSIX_SPAWN_CLOEXEC_DEFAULT),
        (attributes.session, POSIX_SPAWN_SETSID),
        (attributes.group.is_some(), libc::POSIX_SPAWN_SETPGROUP),
        (attributes.default != SignalSet::EMPTY, libc::POSIX_SPAWN_SETSIGDEF),
        (attributes.mask.is_some(), libc::POSIX_SPAWN_SETSIGMASK),
        (attributes.fixed_addresses, POSIX_SPAWN_DISABLE_ASLR),
        (attributes.suspended, libc::POSIX_SPAWN_START_SUSPENDED),
    ];
    flags.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag)).fold(0, |all, flag| all | flag)
        as c_short
}

/// The functions that enter a directory. The SDK of iOS and macOS before 10.15 lack them. macOS 26 has them under the names of
/// POSIX, too, and deprecates the others. Their types are in `libsyscall/wrappers/spawn/spawn.h` and in spawn.h of POSIX.1-2024.
const ENTER_PATH: [&CStr; 2] =
    [c"posix_spawn_file_actions_addchdir_np", c"posix_spawn_file_actions_addchdir"];
const ENTER_OPEN: [&CStr; 2] =
    [c"posix_spawn_file_actions_addfchdir_np", c"posix_spawn_file_actions_addfchdir"];

// SAFETY: waitid(2) leaves the child to be waited for, because `WNOWAIT` is among its options.
unsafe impl System for Facts {
    const PIPE2: Option<Pipe2> = None;
    // `setreuid` of bsd/kern/kern_prot.c: unless the saved ID is one of the two that are given.
    const SETS_SAVED_IDS: bool = true;

    has_ended_by_waitid!();

    /// A shared library cannot link the variable itself (environ(7)).
    unsafe fn environment() -> *const *const c_char {
        // SAFETY: it returns the address of that variable.
        let environ = unsafe { libc::_NSGetEnviron() };
        // SAFETY: a read of the variable, which the caller promises not to race with a change.
        unsafe { environ.read() }.cast_const().cast()
    }
}

// SAFETY: each method makes the call that the trait names, on the process and the descriptors that it is given. None
// allocates, locks or panics.
unsafe impl AppleSys for Kernel {
    fn attribute(&self, call: AttributeCall) -> Result<(), Errno> {
        /// `IOPOL_TYPE_DISK` and `IOPOL_SCOPE_PROCESS`.
        const DISK: (c_int, c_int) = (0, 0);
        let result = match call {
            AttributeCall::SetBackground(priority) => {
                // SAFETY: the arguments are numbers. The call changes the calling process, as `Kernel::new` allows.
                unsafe { libc::setpriority(libc::PRIO_DARWIN_PROCESS, 0, priority) }
            }
            // SAFETY: as above.
            AttributeCall::SetIoPolicy(policy) => unsafe { setiopolicy_np(DISK.0, DISK.1, policy) },
        };
        if result == -1 { Err(errno()) } else { Ok(()) }
    }

    fn exec_spawn(
        &self,
        spawn: &Spawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Infallible, Errno> {
        // A success does not return.
        Err(spawn.start(ptr::null_mut(), path, argv, env).err().unwrap_or(Errno::IO))
    }

    #[cfg(target_os = "macos")]
    fn descriptor_list_room(&self) -> Result<usize, Errno> {
        let (all, none) = (0, ptr::null_mut());
        // SAFETY: there is no buffer, so the call writes nothing.
        let room = unsafe { libc::proc_pidinfo(self.getpid(), libc::PROC_PIDLISTFDS, all, none, 0) };
        listed(room)
    }

    #[cfg(target_os = "macos")]
    fn descriptor_list(&self, list: &mut [u8]) -> Result<usize, Errno> {
        let size = c_int::try_from(list.len()).map_err(|_| Errno::INVAL)?;
        // SAFETY: the buffer is borrowed for the call, and has `size` bytes.
        let length = unsafe {
            libc::proc_pidinfo(self.getpid(), libc::PROC_PIDLISTFDS, 0, list.as_mut_ptr().cast(), size)
        };
        listed(length)
    }

    #[cfg(target_os = "macos")]
    fn getdirentries64(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno> {
        let mut position: libc::off_t = 0;
        let (start, size) = (records.as_mut_ptr(), records.len());
        // SAFETY: the buffer and the position are borrowed for the call.
        let length = unsafe { libc::syscall(GETDIRENTRIES64, directory, start, size, &raw mut position) };
        usize::try_from(length).map_err(|_| errno())
    }

    #[cfg(not(target_os = "macos"))]
    fn descriptor_list_room(&self) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    #[cfg(not(target_os = "macos"))]
    fn descriptor_list(&self, _list: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    #[cfg(not(target_os = "macos"))]
    fn getdirentries64(&self, _directory: Fd, _records: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    fn is_on_devfs(&self, fd: Fd) -> Result<bool, Errno> {
        let mut status = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: fstatfs fills a `statfs`.
        if unsafe { libc::fstatfs(fd, status.as_mut_ptr()) } == -1 {
            return Err(errno());
        }
        // SAFETY: fstatfs succeeded, so the structure is filled.
        let status = unsafe { status.assume_init() };
        let name = status.f_fstypename.iter().map(|&byte| byte.to_ne_bytes()[0]);
        Ok(name.take_while(|&byte| byte != 0).eq(*b"devfs"))
    }

    #[cfg(target_os = "macos")]
    fn process_entry(&self, process: Pid) -> Result<ProcessEntry, Errno> {
        use short_info::{FLAGS, PARENT, PROC_FLAG_EXEC, PROC_PIDT_SHORTBSDINFO, STATUS, SZOMB};

        let mut entry = [0_u32; 16];
        let (zombies_too, size) = (1, size_of_val(&entry));
        let room = c_int::try_from(size).map_err(|_| Errno::INVAL)?;
        // SAFETY: the buffer is borrowed for the call, and has `room` bytes.
        let length = unsafe {
            libc::proc_pidinfo(process, PROC_PIDT_SHORTBSDINFO, zombies_too, entry.as_mut_ptr().cast(), room)
        };
        if listed(length)? != size {
            return Err(Errno::IO);
        }
        let parent = Pid::try_from(entry[PARENT]).map_err(|_| Errno::IO)?;
        let has_execed = entry[FLAGS] & PROC_FLAG_EXEC != 0;
        Ok(ProcessEntry { parent, has_execed, has_ended: entry[STATUS] == SZOMB })
    }

    #[cfg(not(target_os = "macos"))]
    fn process_entry(&self, _process: Pid) -> Result<ProcessEntry, Errno> {
        Err(Errno::NOSYS)
    }

    fn files_per_process(&self) -> Result<u64, Errno> {
        let mut name = [libc::CTL_KERN, libc::KERN_MAXFILESPERPROC];
        let mut most: c_int = 0;
        let mut size = size_of::<c_int>();
        // SAFETY: the name has two numbers. The call writes one int and sets nothing.
        let asked = unsafe {
            libc::sysctl(name.as_mut_ptr(), 2, (&raw mut most).cast(), &raw mut size, ptr::null_mut(), 0)
        };
        if asked == -1 {
            return Err(errno());
        }
        u64::try_from(most).map_err(|_| Errno::INVAL)
    }
}

// SAFETY: each method makes the calls that the trait names. posix_spawn(2) returns 0 only if the child executed the program, and ends
// the child itself otherwise.
unsafe impl SpawnSystem for Facts {
    type Spawn = Spawn;

    fn has(_: Feature) -> bool {
        adds_path(ENTER_PATH).is_some() && adds_number(ENTER_OPEN).is_some()
    }

    fn spawn(attributes: &Attributes) -> Result<Spawn, Errno> {
        Spawn::new(flags(attributes), attributes)
    }

    fn add(spawn: &mut Spawn, action: Action<'_>) -> Result<(), Errno> {
        match action {
            Action::Inherit(fd) => {
                // SAFETY: the actions are initialised, because `spawn` returns no others.
                code(unsafe { posix_spawn_file_actions_addinherit_np(&raw mut spawn.actions, fd) })
            }
            action => spawn.add(action, ENTER_PATH, ENTER_OPEN),
        }
    }

    fn spawn_child(
        spawn: &Spawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Pid, Errno> {
        spawn.start_child(path, argv, env)
    }

    fn may_execute(path: &CStr) -> Result<(), Errno> {
        may_execute(path)
    }
}

/// `bsd/kern/syscalls.master`. The function of the C library is private: the App Store rejects a program that links it
/// (golang/go#28984).
#[cfg(target_os = "macos")]
const GETDIRENTRIES64: c_int = 344;

/// libproc returns 0 for a failure (`libsyscall/wrappers/libproc/libproc.c`). The list is never empty, because a child has at
/// least the report pipe.
#[cfg(target_os = "macos")]
fn listed(length: c_int) -> Result<usize, Errno> {
    match usize::try_from(length) {
        Ok(length) if length > 0 => Ok(length),
        _ => Err(errno()),
    }
}
