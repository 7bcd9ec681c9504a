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
    use crate::{Action, AttributeCall, Attributes, Facts, Feature, Kernel, SolarisSys};
    use core::ffi::{CStr, c_char, c_int, c_short};
    use core::mem::MaybeUninit;
    use forkexec_core::{CStrArray, Errno, Fd, Pid, SignalSet};
    use forkexec_unix::{Cancellation, Pipe2, SpawnSystem, System, has_ended_by_waitid, posix_spawn_calls};

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

    posix_spawn_calls!();

    /// The functions that enter a directory. Not every release has them (spawn.h of illumos at ac2250c, and
    /// posix_spawn_file_actions_addchdir_np(3C) of Solaris 11.4).
    const ENTER_PATH: [&CStr; 2] =
        [c"posix_spawn_file_actions_addchdir_np", c"posix_spawn_file_actions_addchdir"];
    const ENTER_OPEN: [&CStr; 2] =
        [c"posix_spawn_file_actions_addfchdir", c"posix_spawn_file_actions_addfchdir_np"];

    #[cfg(target_os = "illumos")]
    const SETSID: Option<c_short> = Some(libc::POSIX_SPAWN_SETSID);
    #[cfg(target_os = "solaris")]
    const SETSID: Option<c_short> = None;

    /// libc refuses a flag that it does not know (`posix_spawnattr_setflags` of `libc/port/threads/spawn.c` at 3a656e4).
    fn has_session() -> bool {
        SETSID.is_some_and(|flag| Spawn::new(flag, &Attributes::NONE).is_ok())
    }

    fn flags(attributes: &Attributes) -> Result<c_short, Errno> {
        let Attributes { replace, close_others, fixed_addresses, suspended, .. } = *attributes;
        if replace || close_others || fixed_addresses || suspended || (attributes.session && SETSID.is_none())
        {
            return Err(Errno::NOSYS);
        }
        let flags = [
            (attributes.session, SETSID.unwrap_or_default()),
            (attributes.group.is_some(), libc::POSIX_SPAWN_SETPGROUP),
            (attributes.default != SignalSet::EMPTY, libc::POSIX_SPAWN_SETSIGDEF),
            (attributes.mask.is_some(), libc::POSIX_SPAWN_SETSIGMASK),
        ];
        Ok(flags
            .into_iter()
            .filter_map(|(is_set, flag)| is_set.then_some(flag))
            .fold(0, |all, flag| all | flag))
    }

    // SAFETY: each method makes the calls that the trait names. posix_spawn(3C) returns 0 only if there is a child that executed the
    // program, or that a signal killed, and fails without a child. Answer 4 in lib.rs names the one exception, which is libc's.
    unsafe impl SpawnSystem for Facts {
        type Spawn = Spawn;

        fn has(feature: Feature) -> bool {
            match feature {
                Feature::Session => has_session(),
                Feature::Chdir => adds_path(ENTER_PATH).is_some(),
                Feature::Fchdir => adds_number(ENTER_OPEN).is_some(),
            }
        }

        fn spawn(attributes: &Attributes) -> Result<Spawn, Errno> {
            Spawn::new(flags(attributes)?, attributes)
        }

        fn add(spawn: &mut Spawn, action: Action<'_>) -> Result<(), Errno> {
            match action {
                Action::CloseFrom(fd) => {
                    // SAFETY: the actions are initialised, because `spawn` returns no others.
                    code(unsafe {
                        libc::posix_spawn_file_actions_addclosefrom_np(&raw mut spawn.actions, fd)
                    })
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
}
