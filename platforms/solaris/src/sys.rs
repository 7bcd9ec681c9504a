//! The calls that only Solaris and illumos have: each method makes one call and checks its errno.

/// True if this is built for illumos. On a host that is neither, the backend is that of Solaris.
pub(crate) const IS_ILLUMOS: bool = cfg!(target_os = "illumos");

#[cfg(target_os = "illumos")]
mod aslr;

#[cfg(target_os = "solaris")]
mod aslr {
    use forkexec_core::Errno;

    pub(super) fn disable() -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }
}

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
mod attributes;

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
mod calls {
    use super::attributes;
    use crate::{AttributeCall, Facts, Kernel, SolarisSys};
    use core::ffi::{CStr, c_char, c_int};
    use core::mem::MaybeUninit;
    use forkexec_core::{Errno, Fd};
    use forkexec_unix::{Cancellation, Pipe2, System, has_ended_by_waitid};

    unsafe extern "C" {
        /// The libc crate lacks it. In 64-bit programs it is the large-file form; in others that has another name.
        #[cfg_attr(target_pointer_width = "32", link_name = "getdents64")]
        fn getdents(directory: c_int, records: *mut u8, length: usize) -> c_int;
    }

    /// `sys/fcntl.h` of Solaris 11.4. truss(1) of a program that calls closefrom(3C) shows it as hexadecimal 36:
    /// <https://gist.github.com/alanc/977ee7cc8a7aa81cd5f52b71644edc45>. On illumos it is `F_FLOCKW`.
    #[cfg(target_os = "solaris")]
    const F_CLOSEFROM: c_int = 54;

    fn length(result: c_int) -> Result<usize, Errno> {
        usize::try_from(result).map_err(|_| Errno::from_raw(errno::errno().0))
    }

    // SAFETY: the constant is the call of its name. waitid(2) does not reap the child, because its options include `WNOWAIT`.
    unsafe impl System for Facts {
        const PIPE2: Option<Pipe2> = Some(libc::pipe2);
        // `setreuid` of uts/common/syscall/uid.c of illumos-gate.
        const SETS_SAVED_IDS: bool = true;
        const CANCELLATION: Option<Cancellation> = Some(Cancellation::disabled_by(1));

        has_ended_by_waitid!();
    }

    // SAFETY: each method makes the call that the trait names, on the process and the descriptors in its arguments.
    // None allocates, locks or panics.
    unsafe impl SolarisSys for Kernel {
        #[cfg(target_os = "solaris")]
        fn close_from(&self, lowest: Fd) -> Result<(), Errno> {
            // SAFETY: `Kernel::new` promises that the caller owns the descriptors.
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

        fn class_id(&self, name: &CStr) -> Result<c_int, Errno> {
            attributes::class_id(name)
        }

        fn attribute(&self, call: AttributeCall) -> Result<(), Errno> {
            attributes::set(call)
        }
    }
}
