//! The one place that chooses a backend.
//!
//! `--cfg forkexec_backend="posix"` puts the portable floor under test on any host.

use crate::SpawnPolicy;
use forkexec_core::{
    Backend, Capabilities, Errno, Fd, FileId, LaunchError, Launched, Launcher, Operation, ParentSys, Plan,
    Signal, SignalSet, Sys,
};
#[cfg(feature = "raw")]
use forkexec_core::{Pid, Report, Reporter};
use std::path::Path;

cfg_if::cfg_if! {
    if #[cfg(all(any(target_os = "linux", target_os = "android"), not(forkexec_backend = "posix")))] {
        use forkexec_linux::{Kernel, Linux as Selected};
    } else if #[cfg(all(target_vendor = "apple", not(forkexec_backend = "posix")))] {
        use forkexec_apple::{Apple as Selected, Kernel};
    } else if #[cfg(all(any(target_os = "solaris", target_os = "illumos"), not(forkexec_backend = "posix")))] {
        use forkexec_solaris::{Kernel, Solaris as Selected};
    } else if #[cfg(all(target_os = "netbsd", not(forkexec_backend = "posix")))] {
        use forkexec_netbsd::{Kernel, Netbsd as Selected};
    } else if #[cfg(all(target_os = "openbsd", not(forkexec_backend = "posix")))] {
        use forkexec_openbsd::{Kernel, Openbsd as Selected};
    } else if #[cfg(all(any(target_os = "freebsd", target_os = "dragonfly"), not(forkexec_backend = "posix")))] {
        use forkexec_freebsd::{Freebsd as Selected, Kernel};
    } else {
        use forkexec_posix::{Kernel, Posix as Selected};
    }
}

// A backend may bring a launcher of its own.
cfg_if::cfg_if! {
    if #[cfg(all(target_vendor = "apple", not(forkexec_backend = "posix")))] {
        type SelectedLauncher = forkexec_apple::AppleLauncher<'static, Kernel>;
    } else if #[cfg(all(any(target_os = "linux", target_os = "android"), not(forkexec_backend = "posix")))] {
        type SelectedLauncher = forkexec_linux::LinuxLauncher<'static, Kernel>;
    } else {
        type SelectedLauncher = forkexec_core::ForkLauncher<'static, Selected<Kernel>>;
    }
}

// What a table that children share at first asks for, and what is there instead.
cfg_if::cfg_if! {
    if #[cfg(all(any(target_os = "linux", target_os = "android"), not(forkexec_backend = "posix")))] {
        pub(crate) mod pidfd;
        pub(crate) mod processes;
        pub(crate) use pidfd as watch;
        pub(crate) mod thread;
        mod shared_table;
        pub(crate) use shared_table::{is_never_locked, replace, shares_table};
    } else {
        #[path = "platform/no_pidfd.rs"]
        pub(crate) mod pidfd;
        #[path = "platform/no_processes.rs"]
        pub(crate) mod processes;
        #[path = "platform/any_thread.rs"]
        pub(crate) mod thread;
        mod own_table;
        pub(crate) use own_table::{is_never_locked, replace, shares_table};
    }
}

// What tells that a child has ended.
cfg_if::cfg_if! {
    if #[cfg(all(any(target_os = "linux", target_os = "android"), not(forkexec_backend = "posix")))] {
    } else if #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly", target_os = "netbsd", target_os = "openbsd"))] {
        #[path = "platform/kqueue.rs"]
        pub(crate) mod watch;
    } else {
        #[path = "platform/no_watch.rs"]
        pub(crate) mod watch;
    }
}

// How a status is taken by number.
cfg_if::cfg_if! {
    if #[cfg(all(any(target_os = "linux", target_os = "android"), not(forkexec_backend = "posix")))] {
    } else if #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly", target_os = "netbsd", target_os = "openbsd"))] {
        mod wait4;
        pub(crate) use wait4::{ending_by_number, inherited_peak};
        /// In which unit the peak of memory is counted: bytes on Apple's systems, else kilobytes.
        const RSS_UNIT: u64 = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    } else {
        mod waitpid;
        pub(crate) use waitpid::{ending_by_number, inherited_peak};
    }
}

// What else decides who may open a file.
cfg_if::cfg_if! {
    if #[cfg(any(target_os = "linux", target_os = "android"))] {
        mod acl;
    } else {
        #[path = "platform/no_acl.rs"]
        mod acl;
    }
}

// How a filesystem reports that it is mounted `noexec`. The flag differs by system: 8 is `ST_NOEXEC` on Linux and `ST_NOSUID`
// on NetBSD.
cfg_if::cfg_if! {
    if #[cfg(any(target_os = "linux", target_os = "android"))] {
        mod mount_statvfs;
        pub(crate) use mount_statvfs::is_noexec;
        const NOEXEC: libc::c_ulong = libc::ST_NOEXEC;
    } else if #[cfg(target_os = "netbsd")] {
        mod mount_statvfs;
        pub(crate) use mount_statvfs::is_noexec;
        /// `ST_NOEXEC` of NetBSD's sys/statvfs.h is `MNT_NOEXEC`.
        #[expect(clippy::allow_attributes, reason = "a c_ulong has the width of an int on some processors")]
        #[allow(clippy::cast_sign_loss, clippy::cast_lossless, clippy::unnecessary_cast)]
        const NOEXEC: libc::c_ulong = libc::MNT_NOEXEC as libc::c_ulong;
    } else if #[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly", target_os = "openbsd"))] {
        mod mount_statfs;
        pub(crate) use mount_statfs::is_noexec;
    } else {
        mod mount_unknown;
        pub(crate) use mount_unknown::is_noexec;
    }
}

/// How many bytes of a script's first line the kernel reads: `BINPRM_BUF_SIZE` of Linux 5.1 and later (include/linux/binfmts.h),
/// `IMG_SHSIZE` of xnu (bsd/sys/imgact.h), `MAXINTERP` of OpenBSD (sys/param.h), at least a page elsewhere.
pub(crate) const INTERPRETER_LINE: usize = if cfg!(any(target_os = "linux", target_os = "android")) {
    256
} else if cfg!(target_vendor = "apple") {
    512
} else if cfg!(target_os = "openbsd") {
    128
} else {
    4096
};

/// How many supplementary groups the kernel takes, where the C library may say less: 65,536 on Linux (setgroups(2)), of which
/// sysconf(3) of musl says 32.
pub(crate) const MOST_GROUPS: Option<usize> =
    if cfg!(any(target_os = "linux", target_os = "android")) { Some(65_536) } else { None };

// Who can be the one to whom orphans fall.
cfg_if::cfg_if! {
    if #[cfg(target_os = "freebsd")] {
        pub(crate) mod reaper;
    } else {
        #[path = "platform/no_reaper.rs"]
        pub(crate) mod reaper;
    }
}

// SAFETY: the value does not leave this file but through `backend` and `launchers`, which are unsafe. The safe functions here
// ask without changing anything, or set and restore the signal mask of the calling thread.
static BACKEND: Selected<Kernel> = Selected::new(unsafe { Kernel::new() });
static LAUNCHER: SelectedLauncher = SelectedLauncher::new(&BACKEND);

/// Whether the writing end of a pipe tells how much of it was not read (`FIONREAD`). It does where a pipe has one buffer and both
/// ends see it: pipe(7).
pub(crate) const WRITER_SEES_UNREAD: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// The longest argument or variable that exec takes, without its NUL, where the system has such a limit: `MAX_ARG_STRLEN` of
/// execve(2) is 32 pages.
pub(crate) fn longest_string() -> Option<usize> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return None;
    }
    // SAFETY: the call asks for a number and touches no memory of this program.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).ok()?.checked_mul(32)?.checked_sub(1)
}

/// How many bytes arguments and environment may have together, with their pointers, under this soft limit of the stack.
/// On Linux a quarter of it, but 128 KiB at least and 6 MiB at most (execve(2)); elsewhere `ARG_MAX` of sysconf(3).
pub(crate) fn most_bytes(stack: Option<u64>) -> Option<usize> {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        return usize::try_from((stack? / 4).clamp(128 << 10, 6 << 20)).ok();
    }
    // SAFETY: the call asks for a number and touches no memory of this program.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_ARG_MAX) }).ok()
}

/// The soft limit of the stack.
pub(crate) fn stack_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is written, and lives until the call returns.
    let answer = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) };
    #[expect(clippy::allow_attributes, reason = "the type differs by system")]
    #[allow(clippy::useless_conversion)]
    (answer == 0).then(|| u64::try_from(limit.rlim_cur).unwrap_or(u64::MAX))
}

/// Whether an access control list decides about a file beside its permission bits, as far as that is asked here: acl(5) of
/// Linux.
pub(crate) fn has_acl(path: &Path) -> bool {
    acl::is_there(path)
}

/// The backend of this system, with its real system calls.
///
/// # Safety
///
/// The caller makes the promise of [`Kernel::new`] for each use of the value.
pub(crate) unsafe fn backend() -> &'static impl Backend<Sys: ParentSys> {
    &BACKEND
}

/// Whether a descriptor is closed by exec. The question changes nothing, whoever owns the number.
pub(crate) fn is_cloexec(fd: Fd) -> Result<bool, Errno> {
    BACKEND.sys().is_cloexec(fd)
}

/// The file that a descriptor refers to. The question changes nothing, whoever owns the number.
pub(crate) fn file_id(fd: Fd) -> Result<FileId, Errno> {
    BACKEND.sys().file_id(fd)
}

/// Whether there is a signal with this number. If the backend does not know the highest one, the system answers.
pub(crate) fn is_signal(signal: Signal) -> bool {
    let sys = BACKEND.sys();
    (1..=sys.highest_signal()).contains(&signal) && sys.disposition(signal) != Err(Errno::INVAL)
}

/// What the backend has.
pub(crate) fn capabilities() -> &'static Capabilities {
    BACKEND.capabilities()
}

/// Returns true if the running release has the operation.
pub(crate) fn has(operation: Operation) -> bool {
    BACKEND.has(operation)
}

/// The call that closes many descriptors at once on the running release.
pub(crate) fn bulk_closer() -> Option<&'static str> {
    BACKEND.bulk_closer()
}

/// What the calling thread blocks.
pub(crate) fn blocked_signals() -> Result<SignalSet, Errno> {
    let sys = BACKEND.sys();
    let mask = sys.block_signals()?;
    sys.set_mask(mask)?;
    Ok(mask)
}

/// Starts a child by the means that the caller chose.
///
/// # Safety
///
/// The caller owns or borrows each descriptor that the plan names until this returns.
pub(crate) unsafe fn launch(choice: SpawnPolicy, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
    match choice {
        SpawnPolicy::Auto => LAUNCHER.launch(plan),
        SpawnPolicy::NoFork => LAUNCHER.launch_fast(plan),
        SpawnPolicy::Fork => forking().launch(plan),
    }
}

cfg_if::cfg_if! {
    if #[cfg(all(any(target_os = "linux", target_os = "android"), not(forkexec_backend = "posix")))] {
        use forkexec_core::SpawnMethod;
        use crate::Android;
        use forkexec_linux::{AndroidCall, OneMethod, Release};

        static METHODS: [OneMethod<'static, Kernel>; 3] = [
            OneMethod::new(&LAUNCHER, SpawnMethod::Shared),
            OneMethod::new(&LAUNCHER, SpawnMethod::Vfork),
            OneMethod::new(&LAUNCHER, SpawnMethod::Fork),
        ];

        /// A launcher for each method, in the order of the capabilities.
        ///
        /// # Safety
        ///
        /// As [`launch`], for each plan.
        pub(crate) unsafe fn launchers() -> impl Iterator<Item = &'static dyn Launcher> {
            METHODS.iter().map(|method| method as &dyn Launcher)
        }

        fn forking() -> &'static dyn Launcher {
            &METHODS[2]
        }

        /// A child that dies of a trapped call leads to another one that does without the call.
        pub(crate) const LEARNS_OF_TRAPS: bool = true;

        /// The release of Android, if this is Android, and the calls that are not made on it.
        pub(crate) fn android() -> Option<Android> {
            let Release::Android(level) = BACKEND.release() else { return None };
            let not_called = AndroidCall::ALL.into_iter().filter(|call| !BACKEND.allows(*call));
            let not_called = not_called.map(AndroidCall::name).collect();
            Some(Android { api_level: Some(level).filter(|level| *level != 0), not_called })
        }

        /// Starts a child that is the caller's to wait for, failed or not, and that shares memory: what it reported.
        ///
        /// # Safety
        ///
        /// As [`launch`].
        #[cfg(feature = "raw")]
        pub(crate) unsafe fn spawn_unreaped(plan: &Plan<'_>) -> Result<(Pid, Option<Report>), LaunchError> {
            LAUNCHER.spawn_unreaped(plan)
        }

        /// Forks one that tells the reporter.
        ///
        /// # Safety
        ///
        /// As [`launch`].
        #[cfg(feature = "raw")]
        pub(crate) unsafe fn fork_unreaped<R: Reporter + ?Sized>(
            plan: &Plan<'_>,
            reporter: &R,
        ) -> Result<Pid, LaunchError> {
            LAUNCHER.fork_unreaped(plan, reporter)
        }
    } else {
        #[cfg(feature = "raw")]
        use forkexec_core::FallbackReason;

        /// A launcher for each method, in the order of the capabilities.
        ///
        /// # Safety
        ///
        /// As [`launch`], for each plan.
        pub(crate) unsafe fn launchers() -> impl Iterator<Item = &'static dyn Launcher> {
            std::iter::once(forking())
        }

        fn forking() -> &'static dyn Launcher {
            &LAUNCHER
        }

        /// No filter of this system traps calls.
        pub(crate) const LEARNS_OF_TRAPS: bool = false;

        /// This is not Android, or the backend makes none of the calls that its filter traps.
        pub(crate) fn android() -> Option<crate::Android> {
            None
        }

        /// Starts a child that is the caller's to wait for, failed or not, and that shares memory: what it reported.
        ///
        /// # Safety
        ///
        /// As [`launch`].
        #[cfg(feature = "raw")]
        pub(crate) unsafe fn spawn_unreaped(_plan: &Plan<'_>) -> Result<(Pid, Option<Report>), LaunchError> {
            Err(LaunchError::ForkRequired(FallbackReason::NoSuchMethod))
        }

        /// Forks one that tells the reporter.
        ///
        /// # Safety
        ///
        /// As [`launch`].
        #[cfg(feature = "raw")]
        pub(crate) unsafe fn fork_unreaped<R: Reporter + ?Sized>(
            plan: &Plan<'_>,
            reporter: &R,
        ) -> Result<Pid, LaunchError> {
            forkexec_core::ForkLauncher::new(&BACKEND).spawn_unreaped(plan, reporter)
        }
    }
}
