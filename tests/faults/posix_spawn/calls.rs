//! The calls around posix_spawn(2), by this C library.

use std::convert::Infallible;
use std::ffi::{CStr, c_short};
use std::mem::MaybeUninit;

use forkexec_apple::AppleSys;
use forkexec_core::{CStrArray, Errno, Fd, ParentSys, Pid, ProcessEntry, SignalSet, Sys};
use forkexec_posix::{Facts, Kernel};
use forkexec_solaris::SolarisSys;
use forkexec_unix::{Action, Attributes, Feature, SpawnSys, System, sigset};

use crate::failing::Failing;

/// Attributes and file actions of posix_spawn(2).
pub(crate) struct Spawn {
    attributes: Box<libc::posix_spawnattr_t>,
    actions: Box<libc::posix_spawn_file_actions_t>,
}

// SAFETY: both are memory that the structure owns.
unsafe impl Send for Spawn {}
// SAFETY: no method writes through a shared reference, and posix_spawn only reads.
unsafe impl Sync for Spawn {}

impl Drop for Spawn {
    fn drop(&mut self) {
        // SAFETY: they are initialised, and not used afterwards.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut *self.actions) };
        // SAFETY: as above.
        unsafe { libc::posix_spawnattr_destroy(&raw mut *self.attributes) };
    }
}

/// posix_spawn(2) and its related functions return the error as their result.
fn code(result: i32) -> Result<(), Errno> {
    if result == 0 { Ok(()) } else { Err(Errno::from_raw(result)) }
}

impl Spawn {
    fn new(attributes: &Attributes) -> Result<Self, Errno> {
        let mut set = Box::new(MaybeUninit::uninit());
        // SAFETY: the call initialises the attributes.
        code(unsafe { libc::posix_spawnattr_init(set.as_mut_ptr()) })?;
        let mut actions = Box::new(MaybeUninit::uninit());
        // SAFETY: the call initialises the actions.
        code(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: they are initialised.
        let attributes_set = unsafe { set.assume_init() };
        // SAFETY: as above.
        let mut spawn = Self { attributes: attributes_set, actions: unsafe { actions.assume_init() } };
        let set = &raw mut *spawn.attributes;
        // SAFETY: the attributes are initialised.
        code(unsafe { libc::posix_spawnattr_setflags(set, flags(attributes)) })?;
        // SAFETY: as above.
        code(unsafe { libc::posix_spawnattr_setpgroup(set, attributes.group.unwrap_or_default()) })?;
        let (default, mask) = (sigset(attributes.default), sigset(attributes.mask.unwrap_or_default()));
        // SAFETY: as above. The set is borrowed for the call.
        code(unsafe { libc::posix_spawnattr_setsigdefault(set, &raw const default) })?;
        // SAFETY: as above.
        code(unsafe { libc::posix_spawnattr_setsigmask(set, &raw const mask) })?;
        Ok(spawn)
    }

    /// A duplicate of a number onto itself clears close-on-exec in glibc and musl, as POSIX.1-2024 says.
    fn add(&mut self, action: Action<'_>) -> Result<(), Errno> {
        let actions = &raw mut *self.actions;
        code(match action {
            // SAFETY: the actions are initialised.
            Action::Inherit(fd) => unsafe { libc::posix_spawn_file_actions_adddup2(actions, fd, fd) },
            // SAFETY: as above.
            Action::Dup2(from, to) => unsafe { libc::posix_spawn_file_actions_adddup2(actions, from, to) },
            // SAFETY: as above.
            Action::Close(fd) => unsafe { libc::posix_spawn_file_actions_addclose(actions, fd) },
            Action::CloseFrom(fd) => close_from(actions, fd),
            // SAFETY: as above. The path is a C string, which the call copies.
            Action::Chdir(path) => unsafe {
                libc::posix_spawn_file_actions_addchdir_np(actions, path.as_ptr())
            },
            // SAFETY: as above.
            Action::Fchdir(fd) => unsafe { libc::posix_spawn_file_actions_addfchdir_np(actions, fd) },
        })
    }

    fn start(&self, path: &CStr, argv: CStrArray<'_>, env: Option<CStrArray<'_>>) -> Result<Pid, Errno> {
        // SAFETY: no thread of the test changes the environment.
        let own = || unsafe { <Facts as System>::environment() };
        let (argv, env) = (argv.as_ptr().cast(), env.map_or_else(own, CStrArray::as_ptr).cast());
        let mut pid = 0;
        // SAFETY: all are borrowed for the call, which writes to the process ID alone.
        code(unsafe {
            libc::posix_spawn(
                &raw mut pid,
                path.as_ptr(),
                &raw const *self.actions,
                &raw const *self.attributes,
                argv,
                env,
            )
        })?;
        Ok(pid)
    }
}

/// glibc has this action since release 2.34, and musl has none.
#[cfg(target_env = "gnu")]
fn close_from(actions: *mut libc::posix_spawn_file_actions_t, lowest: Fd) -> i32 {
    unsafe extern "C" {
        /// The libc crate lacks it.
        fn posix_spawn_file_actions_addclosefrom_np(
            actions: *mut libc::posix_spawn_file_actions_t,
            lowest: Fd,
        ) -> i32;
    }
    // SAFETY: the actions are initialised.
    unsafe { posix_spawn_file_actions_addclosefrom_np(actions, lowest) }
}

#[cfg(not(target_env = "gnu"))]
fn close_from(_: *mut libc::posix_spawn_file_actions_t, _: Fd) -> i32 {
    libc::ENOSYS
}

#[expect(clippy::allow_attributes, reason = "the type of the flags differs by C library")]
#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)]
fn flags(attributes: &Attributes) -> c_short {
    let flags = [
        (attributes.session, libc::POSIX_SPAWN_SETSID as c_short),
        (attributes.group.is_some(), libc::POSIX_SPAWN_SETPGROUP as c_short),
        (attributes.default != SignalSet::EMPTY, libc::POSIX_SPAWN_SETSIGDEF as c_short),
        (attributes.mask.is_some(), libc::POSIX_SPAWN_SETSIGMASK as c_short),
    ];
    flags.into_iter().filter_map(|(is_set, flag)| is_set.then_some(flag)).fold(0, |all, flag| all | flag)
}

// SAFETY: each method fails with an errno, or makes the calls that the trait names. A C library returns 0 from posix_spawn(2) only if
// the child executed the program, and reaps the child otherwise.
unsafe impl SpawnSys for Failing<Kernel> {
    type Spawn = Spawn;

    fn has(&self, _: Feature) -> bool {
        true
    }

    /// No C library of Linux replaces the calling process.
    fn spawn(&self, attributes: &Attributes) -> Result<Spawn, Errno> {
        if attributes.replace {
            return Err(Errno::NOSYS);
        }
        self.instead("spawn", || Spawn::new(attributes))
    }

    fn add(&self, spawn: &mut Spawn, action: Action<'_>) -> Result<(), Errno> {
        let name = match action {
            Action::Inherit(_) => "inherit",
            Action::Dup2(..) => "add_dup2",
            Action::Close(_) => "add_close",
            Action::CloseFrom(_) => "add_closefrom",
            Action::Chdir(_) => "add_chdir",
            Action::Fchdir(_) => "add_fchdir",
        };
        self.instead(name, || spawn.add(action))
    }

    fn spawn_child(
        &self,
        spawn: &Spawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Pid, Errno> {
        self.instead("spawn_child", || spawn.start(path, argv, env))
    }

    fn signal_mask(&self) -> Result<SignalSet, Errno> {
        self.instead("signal_mask", || {
            let mask = self.inner().block_signals()?;
            self.inner().set_mask(mask)?;
            Ok(mask)
        })
    }

    fn may_execute(&self, path: &CStr) -> Result<(), Errno> {
        self.instead("may_execute", || {
            // SAFETY: the path is a C string, borrowed for the call.
            match unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) } {
                0 => Ok(()),
                _ => Err(Errno::from_raw(nix::errno::Errno::last_raw())),
            }
        })
    }
}

// SAFETY: each method fails. A forked child of this backend closes every number.
unsafe impl AppleSys for Failing<Kernel> {
    fn exec_spawn(
        &self,
        _: &Spawn,
        _: &CStr,
        _: CStrArray<'_>,
        _: Option<CStrArray<'_>>,
    ) -> Result<Infallible, Errno> {
        Err(Errno::NOSYS)
    }

    fn descriptor_list_room(&self) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    fn descriptor_list(&self, _list: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    fn getdirentries64(&self, _directory: Fd, _records: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    fn is_on_devfs(&self, _fd: Fd) -> Result<bool, Errno> {
        Ok(false)
    }

    fn files_per_process(&self) -> Result<u64, Errno> {
        Err(Errno::NOSYS)
    }

    fn process_entry(&self, _process: Pid) -> Result<ProcessEntry, Errno> {
        Err(Errno::NOSYS)
    }

    fn attribute(&self, _call: forkexec_apple::AttributeCall) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }
}

// SAFETY: each method fails, or tells nothing but a constant. A forked child of this backend closes every number.
unsafe impl SolarisSys for Failing<Kernel> {
    fn close_from(&self, _lowest: Fd) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    fn getdents(&self, _directory: Fd, _records: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }

    /// No action of this C library needs the list. So it counts as trusted.
    fn is_on_procfs(&self, _fd: Fd) -> Result<bool, Errno> {
        self.instead("is_on_procfs", || Ok(true))
    }

    fn class_id(&self, _name: &CStr) -> Result<i32, Errno> {
        Err(Errno::NOSYS)
    }

    fn attribute(&self, _call: forkexec_solaris::AttributeCall) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }
}
