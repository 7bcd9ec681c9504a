//! The system calls of the simulated kernel, and the rule of each.

use std::ffi::{CStr, c_ulong};

use forkexec_core::{Access, CStrArray, Disposition, Errno, Fd, FileId, Limit, Pid, Signal, SignalSet, Sys};
use forkexec_linux::{AttributeCall, CapabilityMasks, LinuxSys, Release};
use forkexec_posix::PosixSys;

use super::attributes::record;
use super::directory::OpenDirectory;
use super::process::HIGHEST_SIGNAL;
use super::table::Entry;
use super::{Call, Executed, File, Listing, Outcome, SimKernel, State, strings};

impl State {
    /// The soft limit bounds new numbers (getrlimit(2)).
    pub(super) fn limit(&self) -> u64 {
        self.process.descriptor_limit().0
    }

    /// path_resolution(7): ENOENT for a missing path.
    pub(super) fn outcome(&self, path: &CStr) -> Result<Outcome, Errno> {
        match self.files.get(path) {
            Some(Outcome::Fails(errno)) => Err(*errno),
            Some(outcome) => Ok(*outcome),
            None => Err(Errno::NOENT),
        }
    }

    /// chdir(2), chroot(2): ENOTDIR if it is no directory, EACCES without search permission for the effective user. The
    /// superuser has that permission by CAP_DAC_READ_SEARCH (capabilities(7)), which no process has here: an NFS server
    /// that squashes root refuses it, too (exports(5)).
    pub(super) fn directory(&self, path: &CStr) -> Result<(), Errno> {
        match self.outcome(path)? {
            Outcome::Directory => Ok(()),
            Outcome::DirectoryOf(user) if user == self.process.uid => Ok(()),
            Outcome::DirectoryOf(_) => Err(Errno::ACCES),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// open(2): ENOENT for a missing path. A directory that lists no descriptors is empty here.
    fn open_directory(&mut self, path: &CStr) -> Result<Fd, Errno> {
        let listing = match self.listings.get(path) {
            Some(listing) => listing.clone(),
            None => self.directory(path).map(|()| Listing::Raw(Vec::new()))?,
        };
        let limit = self.limit();
        let (fd, entry) = self.table.open(File::Directory, true, limit)?;
        self.positions.insert(entry.file, OpenDirectory::new(&listing, &self.table));
        Ok(fd)
    }

    /// getdents(2): ENOTDIR if it is no directory.
    fn read_directory(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        let file = self.table.get(fd)?.file;
        let directory = self.positions.get_mut(&file).ok_or(Errno::NOTDIR)?;
        directory.read(&self.table, buffer)
    }

    /// unshare(2): the parent keeps its table.
    fn own_table(&mut self) {
        self.parents.get_or_insert_with(|| self.table.clone());
    }
}

// SAFETY: the simulated kernel makes no process, and its descriptors are entries of its own table.
unsafe impl Sys for SimKernel {
    type Executed = Executed;

    fn close(&self, fd: Fd) -> Result<(), Errno> {
        self.call(Call::on("close", fd), |state| state.table.close(fd).map(drop))
    }

    fn dup2(&self, from: Fd, to: Fd) -> Result<(), Errno> {
        self.call(Call::on_two("dup2", from, to), |state| {
            let limit = state.limit();
            state.table.dup2(from, to, limit)
        })
    }

    fn dup_min(&self, fd: Fd, lowest: Fd) -> Result<Fd, Errno> {
        self.call(Call::on_two("dup_min", fd, lowest), |state| {
            let limit = state.limit();
            state.table.dup_min(fd, lowest, limit)
        })
    }

    /// Source: `F_GETFD` of fcntl(2).
    fn is_cloexec(&self, fd: Fd) -> Result<bool, Errno> {
        self.call(Call::on("is_cloexec", fd), |state| Ok(state.table.get(fd)?.cloexec))
    }

    fn set_cloexec(&self, fd: Fd, cloexec: bool) -> Result<(), Errno> {
        self.call(Call::on_two("set_cloexec", fd, cloexec), |state| state.table.set_cloexec(fd, cloexec))
    }

    /// Nothing here reads.
    /// Source: write(2), proc_pid_oom_score_adj(5), user_namespaces(7), time_namespaces(7).
    fn write(&self, fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
        self.call(Call::on("write", fd), |state| {
            match state.table.get(fd)?.kind {
                File::OomScore => state.write_oom_score(bytes)?,
                File::Autogroup => state.write_autogroup(bytes)?,
                File::ClockOffsets => state.write_clock_offsets(bytes)?,
                file @ (File::Setgroups | File::GroupMap | File::UserMap) => state.write_map(file, bytes)?,
                _ => {}
            }
            Ok(bytes.len())
        })
    }

    /// Source: fstat(2).
    fn file_id(&self, fd: Fd) -> Result<FileId, Errno> {
        self.call(Call::on("file_id", fd), |state| state.table.get(fd).map(Entry::id))
    }

    fn open_directory(&self, path: &CStr) -> Result<Fd, Errno> {
        self.call(Call::at("open_directory", path), |state| state.open_directory(path))
    }

    fn set_limit(&self, limit: Limit) -> Result<(), Errno> {
        self.call(Call::on("set_limit", limit.resource.0), |state| state.process.set_limit(limit))
    }

    /// Source: getrlimit(2).
    fn descriptor_limit(&self) -> Result<u64, Errno> {
        self.call(Call::new("descriptor_limit"), |state| Ok(state.process.descriptor_limit().1))
    }

    fn open_max(&self) -> Option<u64> {
        self.state().open_max
    }

    fn chroot(&self, path: &CStr) -> Result<(), Errno> {
        self.call(Call::at("chroot", path), |state| {
            state.directory(path)?;
            state.process.chroot(path)
        })
    }

    fn chdir(&self, path: &CStr) -> Result<(), Errno> {
        self.call(Call::at("chdir", path), |state| {
            state.directory(path)?;
            path.clone_into(&mut state.process.directory);
            Ok(())
        })
    }

    /// fchdir(2): ENOTDIR if it is no directory. The descriptor stands for its path here.
    fn fchdir(&self, directory: Fd) -> Result<(), Errno> {
        self.call(Call::on("fchdir", directory), |state| match state.table.get(directory)?.kind {
            File::Directory => {
                c"(descriptor)".clone_into(&mut state.process.directory);
                Ok(())
            }
            _ => Err(Errno::NOTDIR),
        })
    }

    fn set_umask(&self, mask: u32) {
        let set = self.call(Call::on("set_umask", mask), |state| {
            state.process.umask = mask & 0o777;
            Ok(())
        });
        set.expect("umask(2) always succeeds");
    }

    fn disposition(&self, signal: Signal) -> Result<Disposition, Errno> {
        self.call(Call::on("disposition", signal), |state| state.process.disposition(signal))
    }

    fn set_disposition(&self, signal: Signal, ignored: bool) -> Result<(), Errno> {
        let call = Call::on_two("set_disposition", signal, ignored);
        self.call(call, |state| state.process.set_disposition(signal, ignored))
    }

    /// sigprocmask(2): that SIGKILL and SIGSTOP cannot be blocked makes no difference here.
    fn set_mask(&self, mask: SignalSet) -> Result<(), Errno> {
        self.call(Call::new("set_mask"), |state| {
            state.process.mask = mask;
            Ok(())
        })
    }

    fn highest_signal(&self) -> Signal {
        HIGHEST_SIGNAL
    }

    fn getpid(&self) -> Pid {
        let own = self.call(Call::new("process"), |state| Ok(state.process.pid));
        own.expect("getpid(2) always succeeds")
    }

    fn getppid(&self) -> Pid {
        let parent = self.call(Call::new("parent"), |state| Ok(state.process.parent));
        parent.expect("getppid(2) always succeeds")
    }

    fn setsid(&self) -> Result<(), Errno> {
        self.call(Call::new("setsid"), |state| state.process.setsid())
    }

    fn set_process_group(&self, group: Pid) -> Result<(), Errno> {
        self.call(Call::on("set_process_group", group), |state| state.process.set_process_group(group))
    }

    fn set_controlling_tty(&self, terminal: Fd) -> Result<(), Errno> {
        self.call(Call::on("set_controlling_tty", terminal), |state| {
            let entry = state.table.get(terminal)?;
            state.process.set_controlling_tty(entry)
        })
    }

    fn tcsetpgrp(&self, terminal: Fd) -> Result<(), Errno> {
        self.call(Call::on("tcsetpgrp", terminal), |state| {
            let entry = state.table.get(terminal)?;
            state.process.tcsetpgrp(entry)
        })
    }

    fn set_nice(&self, nice: i32) -> Result<(), Errno> {
        self.call(Call::on("set_nice", nice), |state| state.process.set_nice(nice))
    }

    fn set_groups(&self, groups: &[u32]) -> Result<(), Errno> {
        self.call(Call::new("set_groups"), |state| state.process.set_groups(groups))
    }

    fn set_gid(&self, gid: u32) -> Result<(), Errno> {
        self.call(Call::on("set_gid", gid), |state| state.process.set_gid(gid))
    }

    fn set_uid(&self, uid: u32) -> Result<(), Errno> {
        self.call(Call::on("set_uid", uid), |state| state.process.set_uid(uid))
    }

    /// execve(2): EACCES if it is no regular file, or if unveil(2) forbids it.
    fn execve(
        &self,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Executed, Errno> {
        self.call(Call::at("execve", path), |state| {
            state.process.attributes.may_execute(path)?;
            match state.outcome(path)? {
                Outcome::Program => Ok(Executed {
                    path: path.to_owned(),
                    argv: strings(argv),
                    env: env.map(strings),
                    files: state.table.after_exec(),
                    process: state.process.after_exec(),
                }),
                _ => Err(Errno::ACCES),
            }
        })
    }

    fn pause(&self, milliseconds: u8) {
        // poll(2) of nothing only waits. A failure in its place changes nothing.
        let _ = self.call(Call::on("pause", milliseconds), |_| Ok(()));
    }

    fn now(&self) -> u64 {
        let mut state = self.state();
        state.clock += 1;
        state.clock
    }
}

// SAFETY: the simulated kernel makes no process, and its descriptors are entries of its own table.
unsafe impl LinuxSys for SimKernel {
    fn close_range(&self, first: u32, last: u32) -> Result<(), Errno> {
        self.call(Call::on_two("close_range", first, last), |state| state.table.close_range(first, last))
    }

    /// close_range(2), `CLOSE_RANGE_UNSHARE`: checks the range, unshares the table, closes the range.
    fn close_range_unshare(&self, first: u32, last: u32) -> Result<(), Errno> {
        self.call(Call::on_two("close_range_unshare", first, last), |state| {
            if first > last {
                return Err(Errno::INVAL);
            }
            state.own_table();
            state.table.close_range(first, last)
        })
    }

    fn close_range_cloexec(&self, first: u32, last: u32) -> Result<(), Errno> {
        self.call(Call::on_two("close_range_cloexec", first, last), |state| {
            state.table.mark_range(first, last)
        })
    }

    fn unshare_files(&self) -> Result<(), Errno> {
        self.call(Call::new("unshare_files"), |state| {
            state.own_table();
            Ok(())
        })
    }

    fn getdents64(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno> {
        self.call(Call::on("getdents64", directory), |state| state.read_directory(directory, records))
    }

    /// Source: fstatfs(2).
    fn is_on_procfs(&self, fd: Fd) -> Result<bool, Errno> {
        self.call(Call::on("is_on_procfs", fd), |state| {
            let Entry { file, kind, .. } = state.table.get(fd)?;
            Ok(kind.is_written_on_procfs()
                || state.positions.get(&file).is_some_and(OpenDirectory::is_on_procfs))
        })
    }

    /// There is one file here that can be read, and it may be missing.
    ///
    /// Source: proc_pid_stat(5).
    fn read_file(&self, path: &CStr, bytes: &mut [u8]) -> Result<usize, Errno> {
        self.call(Call::at("read_file", path), |state| {
            let stat = state.stat.ok_or(Errno::NOENT)?.as_bytes();
            let length = stat.len().min(bytes.len());
            bytes[..length].copy_from_slice(&stat[..length]);
            Ok(length)
        })
    }

    fn path_id(&self, path: &CStr) -> Result<FileId, Errno> {
        self.call(Call::at("path_id", path), |state| state.path_id(path))
    }

    fn open_file(&self, path: &CStr, access: Access) -> Result<Fd, Errno> {
        self.call(Call::at("open_file", path), |state| state.open_file(path, access))
    }

    fn open_pidfd_of(&self, thread: Pid, leads: bool) -> Result<Fd, Errno> {
        self.call(Call::on_two("open_pidfd_of", thread, leads), |state| state.open_pidfd_of(thread, leads))
    }

    fn pidfd_getfd(&self, pidfd: Fd, fd: Fd) -> Result<Fd, Errno> {
        self.call(Call::on_two("pidfd_getfd", pidfd, fd), |state| state.pidfd_getfd(pidfd, fd))
    }

    /// setpgid(2): a process without children.
    fn join_no_group(&self, child: Pid) -> Result<(), Errno> {
        self.call(Call::on("join_no_group", child), |_| Err(Errno::SRCH))
    }

    fn set_parent_death_signal(&self, signal: Signal) -> Result<(), Errno> {
        let call = Call::on("set_parent_death_signal", signal);
        self.call(call, |state| state.process.set_death_signal(signal))
    }

    /// Source: `PR_SET_NO_NEW_PRIVS` of prctl(2).
    fn set_no_new_privs(&self) -> Result<(), Errno> {
        self.call(Call::new("set_no_new_privs"), |state| {
            state.process.no_new_privs = true;
            Ok(())
        })
    }

    /// Source: execveat(2): EBADF, and EACCES if the file is no program.
    fn execveat(
        &self,
        program: Fd,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Executed, Errno> {
        self.call(Call::on("execveat", program), |state| {
            if state.table.get(program)?.kind != File::Program {
                return Err(Errno::ACCES);
            }
            Ok(Executed {
                path: c"/dev/fd".to_owned(),
                argv: strings(argv),
                env: env.map(strings),
                files: state.table.after_exec(),
                process: state.process.after_exec(),
            })
        })
    }

    fn affinity(&self, mask: &mut [c_ulong]) -> Result<usize, Errno> {
        self.call(Call::new("affinity"), |state| state.affinity(mask))
    }

    fn memory_policy(&self, nodes: &mut [c_ulong]) -> Result<i32, Errno> {
        self.call(Call::new("memory_policy"), |state| state.memory_policy(nodes))
    }

    /// Source: capget(2).
    fn capget(&self) -> Result<CapabilityMasks, Errno> {
        self.call(Call::new("capget"), |state| Ok(state.process.attributes.masks))
    }

    /// Source: prctl(2), and the page of each other call: see `State::attribute`.
    fn attribute(&self, call: AttributeCall<'_>) -> Result<u64, Errno> {
        let record = record(call);
        let pretends = self.state().pretended == Some(record.name);
        self.call(record, |state| if pretends { Ok(0) } else { state.attribute(call) })
    }

    /// `ro.build.version.sdk` of Android, no call of the kernel.
    fn release(&self) -> Release {
        self.state().release
    }

    /// uname(2).
    fn kernel_release(&self) -> Result<[u8; 65], Errno> {
        self.call(Call::new("kernel_release"), |state| {
            let mut padded = [0; 65];
            padded[..state.kernel_release.len()].copy_from_slice(state.kernel_release.as_bytes());
            Ok(padded)
        })
    }

    /// The filter that bionic installs for apps (libc/seccomp/seccomp_policy.cpp).
    ///
    /// Source: `PR_GET_SECCOMP` of prctl(2).
    fn is_filtered(&self) -> Result<bool, Errno> {
        Ok(self.state().release != Release::Linux)
    }
}

// SAFETY: the simulated kernel makes no process, and its descriptors are entries of its own table.
unsafe impl PosixSys for SimKernel {
    fn read_directory(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno> {
        self.call(Call::on("read_directory", directory), |state| state.read_directory(directory, records))
    }
}
