//! The facts by which POSIX systems differ. Each backend states those of its system.

use crate::{done, ids};
use core::ffi::{c_char, c_int};
use core::fmt::Debug;
use forkexec_core::{Errno, Pid, Resource, Signal};

/// The facts of one system. [`Kernel`](crate::Kernel) makes its calls accordingly.
///
/// # Safety
///
/// [`PIPE2`](Self::PIPE2) and [`VFORK`](Self::VFORK) are the calls of these names. [`has_ended`](Self::has_ended) does not reap
/// the child. It, [`sigaction`](Self::sigaction) and [`environment`](Self::environment) meet the requirements of
/// [`Sys`](forkexec_core::Sys).
pub unsafe trait System: Clone + Copy + Debug + Send + Sync + 'static {
    /// pipe2(2), if all releases have it. Without it, another thread may fork before the ends are close-on-exec.
    const PIPE2: Option<Pipe2>;

    /// True if setreuid(2) and setregid(2) set the saved ID, even if they change no other ID. exec may keep a saved ID.
    ///
    /// If false, setuid(2) and setgid(2) precede them, because these set all three IDs of a privileged process. On Haiku no
    /// call sets the saved ID of an unprivileged process whose real ID stays.
    const SETS_SAVED_IDS: bool;

    /// vfork(2), if children are started by it: no call of [`Sys`](forkexec_core::Sys) acts on more than the child when that
    /// shares the memory of its parent. It has no effect on processors without a trampoline.
    const VFORK: Option<Vfork> = None;

    /// The limit that setrlimit(2) also applies to the memory of the process, as protection of its stack. That is the memory of
    /// the parent, too, in a child of vfork(2).
    const LIMIT_OF_MEMORY: Option<Resource> = None;

    /// The call that disables the cancellation of a thread, if calls of [`Sys`](forkexec_core::Sys) are cancellation points.
    const CANCELLATION: Option<Cancellation> = None;

    /// sigaction(2) of the calling process alone, -1 after an error.
    ///
    /// # Safety
    ///
    /// `new` is null or points to an action, and `old` is null or may be written.
    unsafe fn sigaction(signal: Signal, new: *const libc::sigaction, old: *mut libc::sigaction) -> c_int {
        // SAFETY: the caller guarantees the pointers.
        unsafe { libc::sigaction(signal, new, old) }
    }

    /// setgroups(2) of the calling process alone.
    ///
    /// # Errors
    ///
    /// Returns the errno.
    fn set_groups(groups: &[u32]) -> Result<(), Errno> {
        ids::set_groups(groups)
    }

    /// setregid(2) of the calling process alone.
    ///
    /// # Errors
    ///
    /// Returns the errno.
    fn set_both_gids(gid: u32) -> Result<(), Errno> {
        // SAFETY: changes the calling process alone, which `Kernel::new` allows.
        done(unsafe { libc::setregid(gid, gid) })
    }

    /// setreuid(2) of the calling process alone.
    ///
    /// # Errors
    ///
    /// Returns the errno.
    fn set_both_uids(uid: u32) -> Result<(), Errno> {
        // SAFETY: as for `set_both_gids`.
        done(unsafe { libc::setreuid(uid, uid) })
    }

    /// Returns whether the memory may be dumped and traced, if a child that changes its IDs may take that from memory that it
    /// shares.
    ///
    /// # Errors
    ///
    /// Returns `ENOSYS` if it cannot.
    fn is_dumpable() -> Result<bool, Errno> {
        Err(Errno::NOSYS)
    }

    /// Permits that the memory is dumped and traced.
    ///
    /// # Errors
    ///
    /// Returns the errno, `ENOSYS` if there is no such attribute.
    fn make_dumpable() -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Returns whether a sanitizer is part of this program.
    fn is_sanitized() -> bool {
        false
    }

    /// Returns whether a child has ended. `false` if the system does not tell.
    ///
    /// [`has_ended_by_waitid!`](crate::has_ended_by_waitid) makes this function of waitid(2).
    fn has_ended(child: Pid) -> bool;

    /// The environment of the process.
    ///
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
}

/// The cancellation of threads.
#[derive(Clone, Copy, Debug)]
pub struct Cancellation {
    /// pthread_setcancelstate(3). The C library of Android lacks it.
    pub(crate) set_state: unsafe extern "C" fn(c_int, *mut c_int) -> c_int,
    /// `PTHREAD_CANCEL_DISABLE`.
    pub(crate) disable: c_int,
}

impl Cancellation {
    /// The call of a system on which `disable` is `PTHREAD_CANCEL_DISABLE` (`pthread.h`). The libc crate does not have it.
    #[must_use]
    pub const fn disabled_by(disable: c_int) -> Self {
        unsafe extern "C" {
            fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
        }
        Self { set_state: pthread_setcancelstate, disable }
    }
}

/// The type of vfork(2).
pub type Vfork = unsafe extern "C" fn() -> c_int;

/// The type of pipe2(2).
pub type Pipe2 = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;

/// Defines [`System::has_ended`] by waitid(2), with the constants of the system that the calling crate is built for.
#[macro_export]
macro_rules! has_ended_by_waitid {
    () => {
        fn has_ended(child: ::forkexec_core::Pid) -> bool {
            let mut about = ::core::mem::MaybeUninit::<::libc::siginfo_t>::zeroed();
            let options = ::libc::WEXITED | ::libc::WNOHANG | ::libc::WNOWAIT;
            #[expect(clippy::allow_attributes, reason = "each system has another type for ids")]
            #[allow(clippy::cast_lossless, clippy::cast_sign_loss, clippy::unnecessary_cast)]
            let child = child as ::libc::id_t;
            // SAFETY: the system fills the structure.
            let asked = unsafe { ::libc::waitid(::libc::P_PID, child, about.as_mut_ptr(), options) };
            // SAFETY: an all-zero `siginfo_t` is valid, too.
            let about = unsafe { about.assume_init() };
            match asked {
                // A reaped child is no child any more.
                -1 => ::errno::errno().0 == ::libc::ECHILD,
                // A tracer may get stops, too.
                _ => matches!(about.si_code, ::libc::CLD_EXITED | ::libc::CLD_KILLED | ::libc::CLD_DUMPED),
            }
        }
    };
}
