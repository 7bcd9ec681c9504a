//! posix_spawn(2) by the rules of XNU, or by those of illumos and Solaris.

use std::ffi::{CStr, CString};

use forkexec_core::{CStrArray, Errno, Fd, Pid, SignalSet};
use forkexec_unix::{Action, Attributes, Feature, SpawnSys};

use super::sun::SunRelease;
use super::{Call, Executed, Outcome, SimKernel, State};

/// The rules, and the children.
pub(super) struct Machine {
    /// The release whose rules hold in place of those of XNU.
    pub(super) sun: Option<SunRelease>,
    /// The children that posix_spawn(2) has started.
    spawned: Vec<Executed>,
}

impl Machine {
    pub(super) const NEW: Self = Self { sun: None, spawned: Vec::new() };
}

/// Attributes and actions of posix_spawn(2).
#[derive(Clone, Debug)]
pub(crate) struct SimSpawn {
    pub(super) attributes: Attributes,
    pub(super) actions: Vec<SimAction>,
}

/// An action with a path of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SimAction {
    Inherit(Fd),
    Dup2(Fd, Fd),
    Close(Fd),
    CloseFrom(Fd),
    Chdir(CString),
    Fchdir(Fd),
}

impl SimAction {
    fn new(action: Action<'_>) -> Self {
        match action {
            Action::Inherit(fd) => Self::Inherit(fd),
            Action::Dup2(from, to) => Self::Dup2(from, to),
            Action::Close(fd) => Self::Close(fd),
            Action::CloseFrom(fd) => Self::CloseFrom(fd),
            Action::Chdir(path) => Self::Chdir(path.to_owned()),
            Action::Fchdir(fd) => Self::Fchdir(fd),
        }
    }

    /// The numbers that it names.
    pub(super) fn numbers(&self) -> Vec<Fd> {
        match *self {
            Self::Dup2(from, to) => vec![from, to],
            Self::Inherit(fd) | Self::Close(fd) | Self::CloseFrom(fd) | Self::Fchdir(fd) => vec![fd],
            Self::Chdir(_) => Vec::new(),
        }
    }
}

/// The process ID of each child that posix_spawn(2) starts.
pub(crate) const SPAWNED: Pid = 4_711;

impl SimKernel {
    /// The children that posix_spawn(2) has started.
    pub(crate) fn spawned(&self) -> Vec<Executed> {
        self.state().spawn.spawned.clone()
    }
}

impl State {
    /// The errno with which a step fails, or the child. Neither changes the parent.
    ///
    /// Source: posix_spawn(2) of macOS, posix_spawn(3C) of illumos.
    fn child(
        &self,
        spawn: &SimSpawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Executed, Errno> {
        match self.spawn.sun {
            Some(release) => self.spawned_by_sun(release, spawn, path, argv, env),
            None => self.spawned_by_xnu(spawn, path, argv, env),
        }
    }
}

// SAFETY: the simulated kernel makes no process, and its descriptors are entries of its own table.
unsafe impl SpawnSys for SimKernel {
    type Spawn = SimSpawn;

    fn has(&self, feature: Feature) -> bool {
        let state = self.state();
        state.spawn.sun.map_or_else(|| state.apple.has(feature), |release| release.has(feature))
    }

    /// EINVAL for a flag that the C library does not know.
    ///
    /// Source: posix_spawnattr_init(3) of macOS; illumos `posix_spawnattr_setflags` of libc/port/threads/spawn.c at 3a656e4.
    fn spawn(&self, attributes: &Attributes) -> Result<SimSpawn, Errno> {
        let spawn = SimSpawn { attributes: *attributes, actions: Vec::new() };
        self.call(Call::new("spawn"), |state| match state.spawn.sun {
            Some(release) if !release.knows(attributes) => Err(Errno::INVAL),
            _ => Ok(spawn),
        })
    }

    /// Source: posix_spawn_file_actions_adddup2(3) of macOS, posix_spawn_file_actions_addclosefrom_np(3C) of illumos.
    fn add(&self, spawn: &mut SimSpawn, action: Action<'_>) -> Result<(), Errno> {
        let call = match action {
            Action::Inherit(fd) => Call::on("inherit", fd),
            Action::Dup2(from, to) => Call::on_two("add_dup2", from, to),
            Action::Close(fd) => Call::on("add_close", fd),
            Action::CloseFrom(fd) => Call::on("add_closefrom", fd),
            Action::Chdir(path) => Call::at("add_chdir", path),
            Action::Fchdir(fd) => Call::on("add_fchdir", fd),
        };
        let action = SimAction::new(action);
        self.call(call, |state| {
            match state.spawn.sun {
                Some(release) => release.accepts(&action)?,
                None => state.apple.accepts(&action)?,
            }
            spawn.actions.push(action);
            Ok(())
        })
    }

    fn spawn_child(
        &self,
        spawn: &SimSpawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Pid, Errno> {
        assert!(!spawn.attributes.replace, "it would replace the parent");
        self.call(Call::at("spawn_child", path), |state| {
            let executed = state.child(spawn, path, argv, env)?;
            state.spawn.spawned.push(executed);
            Ok(SPAWNED)
        })
    }

    /// Source: pthread_sigmask(3).
    fn signal_mask(&self) -> Result<SignalSet, Errno> {
        self.call(Call::new("signal_mask"), |state| Ok(state.process.mask))
    }

    /// The errnos of exec alone are none of faccessat(2).
    ///
    /// Source: faccessat(2) of macOS, illumos and Solaris.
    fn may_execute(&self, path: &CStr) -> Result<(), Errno> {
        self.call(Call::at("may_execute", path), |state| match state.outcome(path) {
            Ok(Outcome::DirectoryOf(user)) if user != state.process.uid => Err(Errno::ACCES),
            Err(errno) if OF_PATHS.contains(&errno) => Err(errno),
            _ => Ok(()),
        })
    }
}

/// The errnos with which a path cannot be resolved.
const OF_PATHS: [Errno; 5] = [Errno::NOENT, Errno::NOTDIR, Errno::ACCES, Errno::LOOP, Errno::NAMETOOLONG];
