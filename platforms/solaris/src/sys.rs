//! The calls that only these two systems have: one call, one errno check, no decision.

/// Which of the two this is built for; Solaris on hosts that are neither.
pub(crate) const IS_ILLUMOS: bool = cfg!(target_os = "illumos");

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
mod calls {
    use crate::{Facts, Kernel, SolarisSys};
    use core::ffi::{c_char, c_int};
    use core::mem::MaybeUninit;
    use forkexec_core::{Errno, Fd};
    use forkexec_unix::{Pipe2, System, has_ended_by_waitid};

    unsafe extern "C" {
        /// `libc` does not have it. In 64-bit programs it is the large-file form; in others that has a name of its own.
        #[cfg_attr(target_pointer_width = "32", link_name = "getdents64")]
        fn getdents(directory: c_int, records: *mut u8, length: usize) -> c_int;
    }

    /// `sys/fcntl.h` of Solaris 11.4, in hexadecimal 36, as truss(1) shows closefrom(3C) to call it:
    /// <https://gist.github.com/alanc/977ee7cc8a7aa81cd5f52b71644edc45>. On illumos it is `F_FLOCKW`.
    #[cfg(target_os = "solaris")]
    const F_CLOSEFROM: c_int = 54;

    fn length(result: c_int) -> Result<usize, Errno> {
        usize::try_from(result).map_err(|_| Errno::from_raw(errno::errno().0))
    }

    // SAFETY: the constant is the call of its name. waitid(2) leaves the child to be waited for, because `WNOWAIT` is among its options.
    unsafe impl System for Facts {
        const PIPE2: Option<Pipe2> = Some(libc::pipe2);
        // `setreuid` of uts/common/syscall/uid.c of illumos-gate.
        const SETS_SAVED_IDS: bool = true;

        has_ended_by_waitid!();
    }

    // SAFETY: each method makes the call that the trait names, on the process and the descriptors that it is given. None
    // allocates, locks or panics.
    unsafe impl SolarisSys for Kernel {
        #[cfg(target_os = "solaris")]
        fn close_from(&self, lowest: Fd) -> Result<(), Errno> {
            // SAFETY: that the descriptors are the caller's is the promise of `Kernel::new`.
            length(unsafe { libc::fcntl(lowest, F_CLOSEFROM, 0) }).map(drop)
        }

        #[cfg(target_os = "illumos")]
        fn close_from(&self, _lowest: Fd) -> Result<(), Errno> {
            Err(Errno::NOSYS)
        }

        fn getdents(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno> {
            // SAFETY: the buffer is borrowed for the call. `Kernel::new` promises that the descriptor is, too.
            length(unsafe { getdents(directory, records.as_mut_ptr(), records.len()) })
        }

        fn is_on_procfs(&self, fd: Fd) -> Result<bool, Errno> {
            let mut status = MaybeUninit::<libc::statvfs>::uninit();
            // SAFETY: fstatvfs fills a `statvfs`.
            length(unsafe { libc::fstatvfs(fd, status.as_mut_ptr()) })?;
            // SAFETY: fstatvfs succeeded, so the structure is filled.
            let status = unsafe { status.assume_init() };
            let name = status.f_basetype.into_iter().flat_map(c_char::to_ne_bytes);
            Ok(name.take_while(|&byte| byte != 0).eq(*b"proc"))
        }
    }
}
