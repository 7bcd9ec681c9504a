//! macOS: the calls that only this system has, on the simulated kernel.
//!
//! File names are those of Apple's xnu.

use std::collections::BTreeSet;
use std::ffi::CStr;

use forkexec_apple::{AppleSys, AttributeCall, Attributes, Feature};
use forkexec_core::{CStrArray, Errno, Fd, Pid, ProcessEntry};

use super::directory::OpenDirectory;
use super::process::GroupVector;
use super::spawn::{SimAction, SimSpawn};
use super::{Call, Executed, File, Outcome, Process, SimKernel, State, Table, strings};

/// `OPEN_MAX` of `bsd/sys/syslimits.h`.
pub(crate) const OPEN_MAX: Fd = 10_240;

/// Differences between machines.
pub(super) struct Machine {
    /// True if a list ends at the number of entries that its buffer holds, as in macOS 10.13.
    lists_low_numbers: bool,
    /// The claimed length of each list, whatever is written.
    claimed_length: Option<usize>,
    files_per_process: u64,
    /// False before macOS 10.15.
    has_directory_actions: bool,
}

impl Machine {
    pub(super) const NEW: Self = Self {
        lists_low_numbers: false,
        claimed_length: None,
        files_per_process: 184_320,
        has_directory_actions: true,
    };

    /// Source: libuv/libuv#3064; spawn.h of macOS 10.15.
    pub(super) fn has(&self, _: Feature) -> bool {
        self.has_directory_actions
    }

    /// EBADF for a number that is negative or not below `OPEN_MAX`, ENAMETOOLONG for a path of `PATH_MAX` bytes.
    ///
    /// Source: xnu libsyscall/wrappers/spawn/posix_spawn.c at e3723e1.
    pub(super) fn accepts(&self, action: &SimAction) -> Result<(), Errno> {
        if !action.numbers().iter().all(|fd| (0..OPEN_MAX).contains(fd)) {
            return Err(Errno::BADF);
        }
        match action {
            SimAction::CloseFrom(_) => Err(Errno::NOSYS),
            SimAction::Chdir(_) | SimAction::Fchdir(_) if !self.has_directory_actions => Err(Errno::NOSYS),
            SimAction::Chdir(path) if path.count_bytes() >= PATH_MAX => Err(Errno::NAMETOOLONG),
            _ => Ok(()),
        }
    }
}

/// `PATH_MAX` of `bsd/sys/syslimits.h`.
pub(crate) const PATH_MAX: usize = 1_024;

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

    /// Makes it macOS before 10.15.
    pub(crate) fn before_directory_actions(self) -> Self {
        self.with(|state| state.apple.has_directory_actions = false)
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

    /// posix_spawn(2): EINVAL if there are more actions than the descriptor limit (`proc_limitgetcur_nofile`). Then the file
    /// actions in order, the program, and the attributes. The caller's table and process do not change.
    ///
    /// Source: xnu `posix_spawn` of bsd/kern/kern_exec.c at e3723e1.
    pub(super) fn spawned_by_xnu(
        &self,
        spawn: &SimSpawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Executed, Errno> {
        let SimSpawn { attributes, actions } = spawn;
        let limit = self.process.descriptor_limit().0.min(self.apple.files_per_process);
        if u64::try_from(actions.len()).expect("they are few") > limit {
            return Err(Errno::INVAL);
        }
        let mut table = self.copied_table(attributes.replace);
        let mut process = self.process.clone();
        for action in actions {
            self.act(action, &mut table, &mut process, limit)?;
        }
        if self.outcome(path)? != Outcome::Program {
            return Err(Errno::ACCES);
        }
        let named = named(actions);
        let mut files = table.after_exec();
        files.retain(|fd, _| !attributes.close_others || named.contains(fd));
        let process = self.with_attributes(process.after_exec(), attributes)?;
        Ok(Executed { files, path: path.to_owned(), argv: strings(argv), env: env.map(strings), process })
    }

    /// The table of the new process: with close-on-exec descriptors, unless the new process replaces the caller.
    ///
    /// Source: xnu `fdt_fork` of bsd/kern/kern_descrip.c at e3723e1.
    fn copied_table(&self, replace: bool) -> Table {
        let mut table = self.table.clone();
        let is_left_out = |fd: &Fd| replace && table.entries()[fd].cloexec;
        for fd in self.table.fds().into_iter().filter(is_left_out).collect::<Vec<_>>() {
            table.close(fd).expect("it is open");
        }
        table
    }

    /// One file action.
    ///
    /// Source: xnu `exec_handle_file_actions` of bsd/kern/kern_exec.c at e3723e1.
    fn act(
        &self,
        action: &SimAction,
        table: &mut Table,
        process: &mut Process,
        limit: u64,
    ) -> Result<(), Errno> {
        match action {
            SimAction::Inherit(fd) => table.set_cloexec(*fd, false),
            SimAction::Dup2(from, to) => dup2(table, *from, *to, limit),
            SimAction::Close(fd) => table.close(*fd).map(drop),
            SimAction::CloseFrom(_) => unreachable!("no function adds it"),
            SimAction::Chdir(path) => {
                self.directory(path)?;
                process.directory.clone_from(path);
                Ok(())
            }
            // `file_vnode` of bsd/kern/kern_descrip.c takes the table of the calling process.
            SimAction::Fchdir(fd) => match self.table.get(*fd)?.kind {
                File::Directory => {
                    c"(descriptor)".clone_into(&mut process.directory);
                    Ok(())
                }
                _ => Err(Errno::NOTDIR),
            },
        }
    }

    /// The process group comes before the session. A kernel before macOS 10.15 ignores the flag of a session
    /// (libuv/libuv#3064). There are 31 signals, and two that no mask blocks.
    ///
    /// Source: xnu `posix_spawn` and `exec_mach_imgact` of bsd/kern/kern_exec.c at e3723e1.
    fn with_attributes(&self, mut process: Process, attributes: &Attributes) -> Result<Process, Errno> {
        if let Some(group) = attributes.group {
            process.set_process_group(group)?;
        }
        if attributes.session && self.apple.has_directory_actions {
            process.setsid()?;
        }
        if let Some(mask) = attributes.mask {
            process.mask = mask.without(libc::SIGKILL).without(libc::SIGSTOP);
        }
        for signal in attributes.default.iter().take_while(|&signal| signal < NSIG) {
            process.dispositions.remove(&signal);
        }
        if attributes.fixed_addresses {
            process.attributes.personality |= P_DISABLE_ASLR;
        }
        process.attributes.is_stopped = attributes.suspended;
        Ok(process)
    }
}

/// `bsd/sys/proc.h`
pub(crate) const P_DISABLE_ASLR: u32 = 0x1000;

/// `NSIG` of bsd/sys/signal.h.
const NSIG: i32 = 32;

/// EBADF for the source first, then for a target out of range. Two equal numbers change nothing, not even close-on-exec.
///
/// Source: xnu `dup2` of bsd/kern/kern_descrip.c at e3723e1.
fn dup2(table: &mut Table, from: Fd, to: Fd, limit: u64) -> Result<(), Errno> {
    table.get(from)?;
    if u64::from(to.cast_unsigned()) >= limit {
        return Err(Errno::BADF);
    }
    if from == to { Ok(()) } else { table.dup2(from, to, limit) }
}

/// The descriptors that `POSIX_SPAWN_CLOEXEC_DEFAULT` keeps.
///
/// Source: xnu `exec_handle_file_actions` of bsd/kern/kern_exec.c at e3723e1.
fn named(actions: &[SimAction]) -> BTreeSet<Fd> {
    let named = |action: &SimAction| match action {
        SimAction::Inherit(fd) | SimAction::Dup2(_, fd) => Some(*fd),
        SimAction::Close(_) | SimAction::CloseFrom(_) | SimAction::Chdir(_) | SimAction::Fchdir(_) => None,
    };
    actions.iter().filter_map(named).collect()
}

// SAFETY: the simulated kernel makes no process, and its descriptors are entries of its own table.
unsafe impl AppleSys for SimKernel {
    /// Source: setpriority(2), `iopolicysys_disk` of bsd/kern/kern_resource.c: EINVAL for an unknown value.
    fn attribute(&self, call: AttributeCall) -> Result<(), Errno> {
        let (name, number) = match call {
            AttributeCall::SetBackground(priority) => ("set_background", priority),
            AttributeCall::SetIoPolicy(policy) => ("set_io_policy", policy),
        };
        self.call(Call::on(name, number), |state| {
            let attributes = &mut state.process.attributes;
            match call {
                AttributeCall::SetBackground(priority @ (0 | 0x1000)) => attributes.scheduler = (priority, 0),
                AttributeCall::SetIoPolicy(policy @ 0..=5) => attributes.io_priority = policy.unsigned_abs(),
                _ => return Err(Errno::INVAL),
            }
            Ok(())
        })
    }

    fn exec_spawn(
        &self,
        spawn: &SimSpawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Executed, Errno> {
        assert!(spawn.attributes.replace, "it would start a child");
        self.call(Call::at("exec_spawn", path), |state| state.spawned_by_xnu(spawn, path, argv, env))
    }

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

    /// Source: xnu `proc_pidinfo` of bsd/kern/proc_info.c at e3723e1.
    fn process_entry(&self, process: Pid) -> Result<ProcessEntry, Errno> {
        self.call(Call::on("process_entry", process), |state| state.process_entry(process))
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
