//! macOS: the calls that only this system has, on the simulated kernel.
//!
//! File names are those of Apple's xnu.

use std::collections::BTreeMap;
use std::ffi::CStr;

use forkexec_apple::AppleSys;
use forkexec_core::{CStrArray, Errno, Fd};

use super::directory::OpenDirectory;
use super::process::GroupVector;
use super::{Call, Executed, Outcome, SimKernel, State, strings};

/// `OPEN_MAX` of `bsd/sys/syslimits.h`.
pub(crate) const OPEN_MAX: Fd = 10_240;

/// Differences between machines.
pub(super) struct Machine {
    /// True if a list ends at the number of entries that its buffer holds, as in macOS 10.13.
    lists_low_numbers: bool,
    /// The claimed length of each list, whatever is written.
    claimed_length: Option<usize>,
    files_per_process: u64,
}

impl Machine {
    pub(super) const NEW: Self =
        Self { lists_low_numbers: false, claimed_length: None, files_per_process: 184_320 };
}

/// Attributes and actions of posix_spawn(2).
#[derive(Clone, Debug, Default)]
pub(crate) struct SimSpawn {
    inherited: Vec<Fd>,
}

impl SimKernel {
    /// macOS.
    pub(crate) fn apple() -> Self {
        Self::new().with_process(|process| process.vector = GroupVector::FirstOfApple)
    }

    /// The list of descriptors as in macOS 10.13.
    pub(crate) fn with_old_list(self) -> Self {
        self.with(|state| state.apple.lists_low_numbers = true)
    }

    /// Sets the claimed length of a list in bytes.
    pub(crate) fn with_claimed_length(self, length: usize) -> Self {
        self.with(|state| state.apple.claimed_length = Some(length))
    }

    /// Sets `kern.maxfilesperproc`.
    pub(crate) fn with_files_per_process(self, most: u64) -> Self {
        self.with(|state| state.apple.files_per_process = most)
    }
}

impl State {
    /// `fdt_fork` of `bsd/kern/kern_descrip.c`: the table of a child has room for a multiple of 50 (`NDEXTENT`), at least
    /// 25 (`NDFILE`).
    fn table_room(&self) -> usize {
        let after_last =
            self.table.fds().last().map_or(0, |&fd| usize::try_from(fd).expect("it is open") + 1);
        if after_last <= 25 { 25 } else { after_last.next_multiple_of(50) }
    }

    /// `proc_pidfdlist` of `bsd/kern/proc_info.c`: as many as there is room for.
    ///
    /// Source: xnu `proc_pidfdlist` of bsd/kern/proc_info.c at 0f4c859, and of macOS 10.13 (darwin-xnu 0a798f6).
    fn descriptor_list(&self, list: &mut [u8]) -> usize {
        let room = list.len() / ENTRY;
        let lowest = if self.apple.lists_low_numbers { room } else { usize::MAX };
        let fds = self.table.fds().into_iter().filter(|&fd| usize::try_from(fd).is_ok_and(|fd| fd < lowest));
        let entries: Vec<u8> = fds.take(room).flat_map(entry).collect();
        list[..entries.len()].copy_from_slice(&entries);
        self.apple.claimed_length.unwrap_or(entries.len())
    }

    /// Source: xnu `vnode_readdir64` of bsd/vfs/vfs_syscalls.c.
    fn getdirentries64(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        let file = self.table.get(fd)?.file;
        let directory = self.positions.get_mut(&file).ok_or(Errno::INVAL)?;
        directory.read_as(dirent, &self.table, buffer)
    }

    /// posix_spawn(2) with `POSIX_SPAWN_SETEXEC` and `POSIX_SPAWN_CLOEXEC_DEFAULT` (`bsd/kern/kern_exec.c`): EINVAL if there
    /// are more actions than the descriptor limit. The new process has a copy of the table without close-on-exec
    /// descriptors. An action on a descriptor outside of the copy is EBADF. The program comes next, and then all descriptors
    /// are closed that no action names. The caller's table does not change.
    ///
    /// Source: xnu bsd/kern/kern_exec.c at 1031c58.
    fn exec_spawn(&self, spawn: &SimSpawn, path: &CStr) -> Result<BTreeMap<Fd, u64>, Errno> {
        let (soft, _) = self.process.descriptor_limit();
        if u64::try_from(spawn.inherited.len()).expect("they are few")
            > soft.min(self.apple.files_per_process)
        {
            return Err(Errno::INVAL);
        }
        let copied = self.table.after_exec();
        let file = |fd: &Fd| copied.get(fd).map(|&file| (*fd, file)).ok_or(Errno::BADF);
        let kept = spawn.inherited.iter().map(file).collect::<Result<_, _>>()?;
        if self.outcome(path)? == Outcome::Program { Ok(kept) } else { Err(Errno::ACCES) }
    }
}

// SAFETY: the simulated kernel makes no process, and its descriptors are entries of its own table.
unsafe impl AppleSys for SimKernel {
    type Spawn = SimSpawn;

    /// `proc_pidfdlist`: room for 20 more than the table has.
    ///
    /// Source: xnu `proc_pidfdlist` of bsd/kern/proc_info.c at 0f4c859.
    fn descriptor_list_room(&self) -> Result<usize, Errno> {
        self.call(Call::new("descriptor_list_room"), |state| Ok((state.table_room() + 20) * ENTRY))
    }

    /// Source: xnu `proc_pidfdlist` of bsd/kern/proc_info.c at 0f4c859, and of macOS 10.13 (darwin-xnu 0a798f6).
    fn descriptor_list(&self, list: &mut [u8]) -> Result<usize, Errno> {
        self.call(Call::new("descriptor_list"), |state| Ok(state.descriptor_list(list)))
    }

    /// Source: xnu `vnode_readdir64` of bsd/vfs/vfs_syscalls.c.
    fn getdirentries64(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno> {
        self.call(Call::on("getdirentries64", directory), |state| state.getdirentries64(directory, records))
    }

    /// Source: fstatfs(2) of macOS; bsd/miscfs/devfs/devfs_fdesc_support.c at 5c2921b.
    fn is_on_devfs(&self, fd: Fd) -> Result<bool, Errno> {
        self.call(Call::on("is_on_devfs", fd), |state| {
            let file = state.table.get(fd)?.file;
            Ok(state.positions.get(&file).is_some_and(OpenDirectory::is_on_procfs))
        })
    }

    /// Source: xnu `proc_limitgetcur_nofile` of bsd/kern/kern_resource.c.
    fn files_per_process(&self) -> Result<u64, Errno> {
        self.call(Call::new("files_per_process"), |state| Ok(state.apple.files_per_process))
    }

    /// Source: posix_spawnattr_init(3) of macOS.
    fn spawn(&self) -> Result<SimSpawn, Errno> {
        self.call(Call::new("spawn"), |_| Ok(SimSpawn::default()))
    }

    /// `libsyscall/wrappers/spawn/posix_spawn.c`: EBADF for a number that is negative or not below `OPEN_MAX`.
    fn inherit(&self, spawn: &mut SimSpawn, fd: Fd) -> Result<(), Errno> {
        self.call(Call::on("inherit", fd), |_| {
            if !(0..OPEN_MAX).contains(&fd) {
                return Err(Errno::BADF);
            }
            spawn.inherited.push(fd);
            Ok(())
        })
    }

    /// Source: xnu bsd/kern/kern_exec.c at 1031c58.
    fn exec_spawn(
        &self,
        spawn: &SimSpawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Executed, Errno> {
        self.call(Call::at("exec_spawn", path), |state| {
            Ok(Executed {
                files: state.exec_spawn(spawn, path)?,
                path: path.to_owned(),
                argv: strings(argv),
                env: env.map(strings),
                process: state.process.after_exec(),
            })
        })
    }
}

/// Bytes of `struct proc_fdinfo`.
pub(crate) const ENTRY: usize = 8;

/// `struct proc_fdinfo` of `bsd/sys/proc_info.h`: the number and the kind.
fn entry(fd: Fd) -> [u8; ENTRY] {
    let mut entry = [0xff; ENTRY];
    entry[..4].copy_from_slice(&fd.to_ne_bytes());
    entry
}

/// `struct dirent` of `bsd/sys/dirent.h`, as `vnode_readdir64` of `bsd/vfs/vfs_syscalls.c` fills it: inode, offset, length,
/// length of the name, type, name; padded to eight bytes.
pub(crate) fn dirent(name: &[u8]) -> Vec<u8> {
    const HEADER: usize = 21;
    let length = (HEADER + name.len() + 1).next_multiple_of(8);
    let half = |length: usize| u16::try_from(length).expect("names are short").to_ne_bytes();
    let mut record = vec![0xff; 16];
    record.extend(half(length));
    record.extend(half(name.len()));
    record.push(0);
    record.extend(name);
    record.resize(length, 0);
    record
}
