//! posix_spawn(3C) of illumos and Solaris.
//!
//! File names are those of illumos-gate.

use std::ffi::CStr;

use forkexec_core::{CStrArray, Errno, Fd};
use forkexec_solaris::{Attributes, Feature};

use super::directory::OpenDirectory;
use super::solaris::dirent64;
use super::spawn::{SimAction, SimSpawn};
use super::{Executed, File, Outcome, Process, SimKernel, State, Table, strings};

/// A release, as far as posix_spawn(3C) differs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SunRelease {
    /// libc closes from a list in a child of vfork(2). Otherwise the kernel closes.
    closes_from_list: bool,
    has: &'static [Feature],
}

impl SunRelease {
    /// Source: illumos libc/port/threads/spawn.c at 3a656e4.
    pub(crate) const ILLUMOS: Self = Self { closes_from_list: true, has: &[] };

    /// Source: illumos libc/port/threads/spawn.c and uts/common/os/spawn.c at ac2250c.
    pub(crate) const ILLUMOS_WITH_SPAWN: Self =
        Self { closes_from_list: false, has: &[Feature::Session, Feature::Chdir, Feature::Fchdir] };

    /// The number of the flag of a session is not published, so it counts as missing.
    ///
    /// Source: posix_spawn_file_actions_addchdir_np(3C) of Solaris 11.4; coregrind/m_syswrap/syswrap-solaris.c of Valgrind.
    pub(crate) const SOLARIS_11_4: Self = Self { closes_from_list: false, has: &[Feature::Chdir] };

    pub(super) fn has(self, feature: Feature) -> bool {
        self.has.contains(&feature)
    }

    /// Source: illumos `posix_spawnattr_setflags` of libc/port/threads/spawn.c at 3a656e4.
    pub(super) fn knows(self, attributes: &Attributes) -> bool {
        !attributes.replace && !attributes.close_others && (self.has(Feature::Session) || !attributes.session)
    }

    /// EBADF for a negative number.
    ///
    /// Source: illumos `posix_spawn_file_actions_addclose` and its neighbours in libc/port/threads/spawn.c at 3a656e4.
    pub(super) fn accepts(self, action: &SimAction) -> Result<(), Errno> {
        match action {
            SimAction::Inherit(_) => Err(Errno::NOSYS),
            SimAction::Chdir(_) if !self.has(Feature::Chdir) => Err(Errno::NOSYS),
            SimAction::Fchdir(_) if !self.has(Feature::Fchdir) => Err(Errno::NOSYS),
            action if action.numbers().iter().any(|&fd| fd < 0) => Err(Errno::BADF),
            _ => Ok(()),
        }
    }
}

impl SimKernel {
    /// Makes posix_spawn(3C) that of this release.
    pub(crate) fn with_spawn_of(self, release: SunRelease) -> Self {
        self.with(|state| state.spawn.sun = Some(release))
    }
}

impl State {
    /// The attributes, the file actions, the program. The child has a copy of all descriptors, also of those that are
    /// close-on-exec, and its handlers are reset before it runs. If a step fails, it ends without a trace.
    ///
    /// Source: illumos `posix_spawn` of libc/port/threads/spawn.c at 3a656e4, `spawn_main` of uts/common/os/spawn.c at ac2250c;
    /// `cfork` of uts/common/os/fork.c, `proc_exit` of uts/common/os/exit.c.
    pub(super) fn spawned_by_sun(
        &self,
        release: SunRelease,
        spawn: &SimSpawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Executed, Errno> {
        let mut process = with_attributes(self.process.after_exec(), &spawn.attributes)?;
        let mut table = self.table.clone();
        for action in &spawn.actions {
            self.act_by_sun(release, action, &mut table, &mut process)?;
        }
        if self.outcome(path)? != Outcome::Program {
            return Err(Errno::ACCES);
        }
        let files = table.after_exec();
        Ok(Executed { files, path: path.to_owned(), argv: strings(argv), env: env.map(strings), process })
    }

    /// One file action, on the table of the child. A closed descriptor may be closed.
    ///
    /// Source: illumos `perform_file_actions` of libc/port/threads/spawn.c at 3a656e4, `spawn_factions_apply` of
    /// uts/common/os/spawn.c at ac2250c.
    fn act_by_sun(
        &self,
        release: SunRelease,
        action: &SimAction,
        table: &mut Table,
        process: &mut Process,
    ) -> Result<(), Errno> {
        let limit = process.descriptor_limit().0;
        match action {
            SimAction::Inherit(_) => unreachable!("no function adds it"),
            SimAction::Dup2(from, to) => dup2(table, *from, *to, limit),
            SimAction::Close(fd) => {
                let _ = table.close(*fd);
                Ok(())
            }
            SimAction::CloseFrom(lowest) if release.closes_from_list => {
                self.close_from_list(table, *lowest, limit)
            }
            SimAction::CloseFrom(lowest) => table.close_range(lowest.cast_unsigned(), u32::MAX),
            SimAction::Chdir(path) => {
                self.directory(path)?;
                process.directory.clone_from(path);
                Ok(())
            }
            SimAction::Fchdir(fd) => match table.get(*fd)?.kind {
                File::Directory => {
                    c"(descriptor)".clone_into(&mut process.directory);
                    Ok(())
                }
                _ => Err(Errno::NOTDIR),
            },
        }
    }

    /// The number itself first, then what `/proc/self/fd` lists. It is not checked what that is, and an error while it is read
    /// counts as the end.
    ///
    /// Source: illumos `spawn_closefrom` of libc/port/threads/spawn.c at 3a656e4.
    fn close_from_list(&self, table: &mut Table, lowest: Fd, limit: u64) -> Result<(), Errno> {
        let _ = table.close(lowest);
        let listing = self.listings.get(c"/proc/self/fd").ok_or(Errno::NOENT)?;
        let (list, _) = table.open(File::Directory, false, limit)?;
        let mut directory = OpenDirectory::new(listing, table);
        let mut records = [0; DIRBUF];
        while let Ok(length @ 1..) = directory.read_as(dirent64, table, &mut records) {
            for fd in listed(&records[..length]).filter(|&fd| fd > lowest && fd != list) {
                let _ = table.close(fd);
            }
        }
        table.close(list).map(drop)
    }
}

/// `DIRBUF` of dirent.h.
const DIRBUF: usize = 8_192;

/// The numbers among the names of these records.
fn listed(mut records: &[u8]) -> impl Iterator<Item = Fd> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes([*records.get(16)?, *records.get(17)?]));
        let (record, rest) = records.split_at(length);
        records = rest;
        Some(CStr::from_bytes_until_nul(&record[18..]).ok().and_then(|name| name.to_str().ok()?.parse().ok()))
    })
    .flatten()
}

/// EBADF for the source first, then for a target out of range. Two equal numbers change nothing, not even close-on-exec.
///
/// Source: illumos `F_DUP2FD` of uts/common/syscall/fcntl.c at 019c3c4.
fn dup2(table: &mut Table, from: Fd, to: Fd, limit: u64) -> Result<(), Errno> {
    table.get(from)?;
    if from == to { Ok(()) } else { table.dup2(from, to, limit) }
}

/// The mask comes first, and may contain each signal but two. The session comes before the process group.
///
/// Source: illumos `perform_flag_actions` of libc/port/threads/spawn.c at 3a656e4, `spawn_attrs_apply` of uts/common/os/spawn.c at
/// ac2250c.
fn with_attributes(mut process: Process, attributes: &Attributes) -> Result<Process, Errno> {
    if let Some(mask) = attributes.mask {
        process.mask = mask.without(libc::SIGKILL).without(libc::SIGSTOP);
    }
    for signal in attributes.default.iter() {
        process.dispositions.remove(&signal);
    }
    if attributes.session {
        process.setsid()?;
    }
    if let Some(group) = attributes.group {
        process.set_process_group(group)?;
    }
    Ok(process)
}
