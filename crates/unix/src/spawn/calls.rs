//! The bindings of posix_spawn(2). A backend has them by a macro: not every C library that this crate is built for has the call.

use crate::{Action, Attributes, Feature, Kernel, SpawnSys, System};
use core::ffi::CStr;
use forkexec_core::{CStrArray, Errno, ParentSys, Pid, SignalSet, Sys};

/// A system that has posix_spawn(2).
///
/// # Safety
///
/// The requirements are those of [`SpawnSys`], whose functions these are.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that `SpawnSys` names"
)]
pub unsafe trait SpawnSystem: System {
    /// [`SpawnSys::Spawn`].
    type Spawn: Sync;

    /// [`SpawnSys::has`].
    fn has(feature: Feature) -> bool;
    /// [`SpawnSys::spawn`].
    fn spawn(attributes: &Attributes) -> Result<Self::Spawn, Errno>;
    /// [`SpawnSys::add`].
    fn add(spawn: &mut Self::Spawn, action: Action<'_>) -> Result<(), Errno>;
    /// [`SpawnSys::spawn_child`]. No thread changes the environment of the process meanwhile.
    fn spawn_child(
        spawn: &Self::Spawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Pid, Errno>;
    /// [`SpawnSys::may_execute`].
    fn may_execute(path: &CStr) -> Result<(), Errno>;
}

// SAFETY: each method makes the calls that the trait names, as `SpawnSystem` promises. `Kernel::new` promises that no thread changes the
// environment during a launch without one.
unsafe impl<T: SpawnSystem> SpawnSys for Kernel<T> {
    type Spawn = T::Spawn;

    fn has(&self, feature: Feature) -> bool {
        T::has(feature)
    }

    fn spawn(&self, attributes: &Attributes) -> Result<T::Spawn, Errno> {
        T::spawn(attributes)
    }

    fn add(&self, spawn: &mut T::Spawn, action: Action<'_>) -> Result<(), Errno> {
        T::add(spawn, action)
    }

    fn spawn_child(
        &self,
        spawn: &T::Spawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Pid, Errno> {
        T::spawn_child(spawn, path, argv, env)
    }

    fn signal_mask(&self) -> Result<SignalSet, Errno> {
        let mask = self.block_signals()?;
        self.set_mask(mask)?;
        Ok(mask)
    }

    fn may_execute(&self, path: &CStr) -> Result<(), Errno> {
        T::may_execute(path)
    }
}

/// Defines `Spawn`, the attributes and file actions of posix_spawn(2) by the C library of the system that the calling crate is built
/// for, and functions for [`SpawnSystem`](crate::SpawnSystem). The type of both objects is a pointer there.
///
/// The calling crate depends on `errno`, `forkexec-core` and `libc`.
#[macro_export]
macro_rules! posix_spawn_calls {
    () => {
        /// Attributes and file actions of posix_spawn(2).
        pub struct Spawn {
            attributes: ::libc::posix_spawnattr_t,
            actions: ::libc::posix_spawn_file_actions_t,
        }

        // SAFETY: both are pointers to memory that the structure owns. It is from malloc(3), so any thread may use and free it.
        unsafe impl Send for Spawn {}
        // SAFETY: no method writes through a shared reference, and posix_spawn only reads.
        unsafe impl Sync for Spawn {}

        impl Drop for Spawn {
            fn drop(&mut self) {
                // SAFETY: they are initialised, and not used afterwards. A null one was never initialised, and is left alone.
                unsafe { ::libc::posix_spawn_file_actions_destroy(&raw mut self.actions) };
                // SAFETY: as above. A null one gives `EINVAL`.
                unsafe { ::libc::posix_spawnattr_destroy(&raw mut self.attributes) };
            }
        }

        /// posix_spawn(2) and its related functions return the error as their result.
        fn code(result: ::core::ffi::c_int) -> Result<(), ::forkexec_core::Errno> {
            if result == 0 { Ok(()) } else { Err(::forkexec_core::Errno::from_raw(result)) }
        }

        /// The address of a function of the C library. Runs in the parent.
        fn symbol(name: &::core::ffi::CStr) -> Option<*mut ::core::ffi::c_void> {
            // SAFETY: the name is a C string, borrowed for the call.
            let address = unsafe { ::libc::dlsym(::libc::RTLD_DEFAULT, name.as_ptr()) };
            (!address.is_null()).then_some(address)
        }

        impl Spawn {
            fn new(
                flags: ::core::ffi::c_short,
                attributes: &$crate::Attributes,
            ) -> Result<Self, ::forkexec_core::Errno> {
                let mut spawn =
                    Self { attributes: ::core::ptr::null_mut(), actions: ::core::ptr::null_mut() };
                let set = &raw mut spawn.attributes;
                // SAFETY: the call writes the pointer, and dropping `spawn` frees it.
                code(unsafe { ::libc::posix_spawnattr_init(set) })?;
                // SAFETY: the attributes are initialised.
                code(unsafe { ::libc::posix_spawnattr_setflags(set, flags) })?;
                if let Some(group) = attributes.group {
                    // SAFETY: as above.
                    code(unsafe { ::libc::posix_spawnattr_setpgroup(set, group) })?;
                }
                let default = $crate::sigset(attributes.default);
                // SAFETY: as above. The set is borrowed for the call.
                code(unsafe { ::libc::posix_spawnattr_setsigdefault(set, &raw const default) })?;
                if let Some(mask) = attributes.mask.map($crate::sigset) {
                    // SAFETY: as above. The set is borrowed for the call.
                    code(unsafe { ::libc::posix_spawnattr_setsigmask(set, &raw const mask) })?;
                }
                // SAFETY: as for the attributes.
                code(unsafe { ::libc::posix_spawn_file_actions_init(&raw mut spawn.actions) })?;
                Ok(spawn)
            }

            /// Adds an action. The function of a directory has the first of its names that the C library has. Fails with `ENOSYS` for
            /// an action that only some systems have.
            fn add(
                &mut self,
                action: $crate::Action<'_>,
                enter_path: [&::core::ffi::CStr; 2],
                enter_open: [&::core::ffi::CStr; 2],
            ) -> Result<(), ::forkexec_core::Errno> {
                use $crate::Action;

                let actions = &raw mut self.actions;
                code(match action {
                    // SAFETY: the actions are initialised, because `new` returns no others.
                    Action::Dup2(from, to) => unsafe {
                        ::libc::posix_spawn_file_actions_adddup2(actions, from, to)
                    },
                    // SAFETY: as above.
                    Action::Close(fd) => unsafe { ::libc::posix_spawn_file_actions_addclose(actions, fd) },
                    Action::Chdir(path) => adds_path(enter_path).map_or(::libc::ENOSYS, |add| {
                        // SAFETY: as above. The path is a C string, which the call copies.
                        unsafe { add(actions, path.as_ptr()) }
                    }),
                    Action::Fchdir(fd) => adds_number(enter_open).map_or(::libc::ENOSYS, |add| {
                        // SAFETY: as above.
                        unsafe { add(actions, fd) }
                    }),
                    Action::Inherit(_) | Action::CloseFrom(_) => ::libc::ENOSYS,
                })
            }

            /// posix_spawn(2). Without `env` it passes the environment of the process. Writes the process ID unless the pointer
            /// is null.
            fn start(
                &self,
                pid: *mut ::forkexec_core::Pid,
                path: &::core::ffi::CStr,
                argv: ::forkexec_core::CStrArray<'_>,
                env: Option<::forkexec_core::CStrArray<'_>>,
            ) -> Result<(), ::forkexec_core::Errno> {
                // SAFETY: `Kernel::new` promises that no thread changes the environment meanwhile.
                let own = || unsafe { <Facts as $crate::System>::environment() };
                let env = env.map_or_else(own, ::forkexec_core::CStrArray::as_ptr).cast();
                let (actions, attributes) = (&raw const self.actions, &raw const self.attributes);
                // SAFETY: path and arrays are C strings and null-terminated arrays, borrowed for the call, which writes to none of
                // them. The pointer for the process ID is null or borrowed for the call.
                code(unsafe {
                    ::libc::posix_spawn(pid, path.as_ptr(), actions, attributes, argv.as_ptr().cast(), env)
                })
            }

            fn start_child(
                &self,
                path: &::core::ffi::CStr,
                argv: ::forkexec_core::CStrArray<'_>,
                env: Option<::forkexec_core::CStrArray<'_>>,
            ) -> Result<::forkexec_core::Pid, ::forkexec_core::Errno> {
                let mut pid = 0;
                self.start(&raw mut pid, path, argv, env)?;
                Ok(pid)
            }
        }

        /// faccessat(2) with `X_OK` and `AT_EACCESS`.
        fn may_execute(path: &::core::ffi::CStr) -> Result<(), ::forkexec_core::Errno> {
            // SAFETY: the path is a C string, borrowed for the call.
            match unsafe {
                ::libc::faccessat(::libc::AT_FDCWD, path.as_ptr(), ::libc::X_OK, ::libc::AT_EACCESS)
            } {
                0 => Ok(()),
                _ => Err(::forkexec_core::Errno::from_raw(::errno::errno().0)),
            }
        }

        type Actions = *mut ::libc::posix_spawn_file_actions_t;

        /// The function that adds the action of a path, under the first of these names that the C library has.
        fn adds_path(
            names: [&::core::ffi::CStr; 2],
        ) -> Option<unsafe extern "C" fn(Actions, *const ::core::ffi::c_char) -> ::core::ffi::c_int> {
            type Adds = unsafe extern "C" fn(Actions, *const ::core::ffi::c_char) -> ::core::ffi::c_int;
            let address = names.into_iter().find_map(symbol)?;
            // SAFETY: the caller names functions of this type.
            Some(unsafe { ::core::mem::transmute::<*mut ::core::ffi::c_void, Adds>(address) })
        }

        /// The function that adds the action of a number, under the first of these names that the C library has.
        fn adds_number(
            names: [&::core::ffi::CStr; 2],
        ) -> Option<unsafe extern "C" fn(Actions, ::core::ffi::c_int) -> ::core::ffi::c_int> {
            type Adds = unsafe extern "C" fn(Actions, ::core::ffi::c_int) -> ::core::ffi::c_int;
            let address = names.into_iter().find_map(symbol)?;
            // SAFETY: the caller names functions of this type.
            Some(unsafe { ::core::mem::transmute::<*mut ::core::ffi::c_void, Adds>(address) })
        }
    };
}
