//! The real system calls beyond the common ones: each method makes one call and checks its errno.
#![cfg(target_vendor = "apple")]

use crate::{AppleSys, Facts, Kernel};
use core::convert::Infallible;
use core::ffi::{CStr, c_char, c_int, c_short};
use core::mem::MaybeUninit;
use core::ptr;
#[cfg(target_os = "macos")]
use forkexec_core::Sys;
use forkexec_core::{CStrArray, Errno, Fd};
use forkexec_unix::{Pipe2, System, has_ended_by_waitid};

unsafe extern "C" {
    /// `spawn.h`, macOS 10.7. The libc crate lacks it.
    fn posix_spawn_file_actions_addinherit_np(
        actions: *mut libc::posix_spawn_file_actions_t,
        fd: c_int,
    ) -> c_int;
}

fn errno() -> Errno {
    Errno::from_raw(errno::errno().0)
}

/// posix_spawn(2) and its related functions return the error as their result.
fn code(result: c_int) -> Result<(), Errno> {
    if result == 0 { Ok(()) } else { Err(Errno::from_raw(result)) }
}

/// Attributes and file actions of posix_spawn(2).
pub struct Spawn {
    attributes: libc::posix_spawnattr_t,
    actions: libc::posix_spawn_file_actions_t,
}

// SAFETY: both are pointers to memory that the structure owns. It is from malloc(3), so any thread may use and free it.
unsafe impl Send for Spawn {}
// SAFETY: no method writes through a shared reference, and posix_spawn only reads.
unsafe impl Sync for Spawn {}

impl Drop for Spawn {
    fn drop(&mut self) {
        // SAFETY: they are initialised, and not used afterwards. A null one was never initialised, and gives `EINVAL`.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.actions) };
        // SAFETY: as above.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.attributes) };
    }
}

#[expect(clippy::cast_possible_truncation, reason = "0x4040 has 15 bits")]
const FLAGS: c_short = (libc::POSIX_SPAWN_SETEXEC | libc::POSIX_SPAWN_CLOEXEC_DEFAULT) as c_short;

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
// but `spawn` and `inherit` allocates, none locks or panics.
unsafe impl AppleSys for Kernel {
    type Spawn = Spawn;

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

    fn spawn(&self) -> Result<Spawn, Errno> {
        let mut spawn = Spawn { attributes: ptr::null_mut(), actions: ptr::null_mut() };
        // SAFETY: the call writes the pointer, and dropping `spawn` frees it.
        code(unsafe { libc::posix_spawnattr_init(&raw mut spawn.attributes) })?;
        // SAFETY: the attributes are initialised.
        code(unsafe { libc::posix_spawnattr_setflags(&raw mut spawn.attributes, FLAGS) })?;
        // SAFETY: as for the attributes.
        code(unsafe { libc::posix_spawn_file_actions_init(&raw mut spawn.actions) })?;
        Ok(spawn)
    }

    fn inherit(&self, spawn: &mut Spawn, fd: Fd) -> Result<(), Errno> {
        // SAFETY: the actions are initialised, because `spawn` returns no others.
        code(unsafe { posix_spawn_file_actions_addinherit_np(&raw mut spawn.actions, fd) })
    }

    fn exec_spawn(
        &self,
        spawn: &Spawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Infallible, Errno> {
        // SAFETY: `Kernel::new` promises that no thread changes the environment meanwhile.
        let env = env.map_or_else(|| unsafe { Facts::environment() }, CStrArray::as_ptr);
        let (actions, attributes) = (&raw const spawn.actions, &raw const spawn.attributes);
        // SAFETY: path and arrays are C strings and null-terminated arrays, borrowed for the call, which writes to none
        // of them. The pointer for the process ID is null.
        let refusal = unsafe {
            libc::posix_spawn(
                ptr::null_mut(),
                path.as_ptr(),
                actions,
                attributes,
                argv.as_ptr().cast(),
                env.cast(),
            )
        };
        Err(Errno::from_raw(refusal))
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
