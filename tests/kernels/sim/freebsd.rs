//! FreeBSD and DragonFly: the calls that only they have, on the simulated kernel.

use std::ffi::c_ulong;

use forkexec_core::{Errno, Fd, Pid, ProcessEntry, Signal};
use forkexec_freebsd::{AttributeCall, FreebsdSys, System};

use super::attributes::PROCESSORS;
use super::directory::OpenDirectory;
use super::process::GroupVector;
use super::rich::JAIL;
use super::{Call, SimKernel, State};

/// `kern.osreldate` of 12.2, the first release with close_range(2).
pub(crate) const WITH_CLOSE_RANGE: i32 = 1_202_000;

/// `kern.osreldate` from which setgroups(2) takes supplementary groups only, in a program that is linked for it.
///
/// Source: setgroups(2) of FreeBSD 15.0, HISTORY; commit 9da2fe96ff2e.
pub(crate) const RELEASE_15_0: i32 = 1_500_000;

/// `kern.osreldate` of 14.0, the first release that is known to have `no_new_privs` and `CLOSE_RANGE_CLOEXEC`.
const RELEASE_13_0: i32 = 1_300_139;
const RELEASE_14_0: i32 = 1_400_097;

/// The system and its release.
pub(super) struct Machine {
    system: System,
    release: i32,
}

impl Machine {
    /// FreeBSD 14.3.
    pub(super) const NEW: Self = Self { system: System::FreeBsd, release: 1_403_000 };

    /// getdirentries(2): the records of either system.
    fn dirent(&self) -> fn(&[u8]) -> Vec<u8> {
        match self.system {
            System::FreeBsd => freebsd_dirent,
            System::DragonFly => dragonfly_dirent,
        }
    }

    /// EINVAL before FreeBSD 14.0, ENOSYS on DragonFly, where the binding makes no call.
    ///
    /// Source: procctl(2) of FreeBSD 14.0, ERRORS; seen on FreeBSD 12.1-RELEASE amd64.
    fn knows_no_new_privs(&self) -> Result<(), Errno> {
        match self.system {
            System::DragonFly => Err(Errno::NOSYS),
            System::FreeBsd if self.release < RELEASE_14_0 => Err(Errno::INVAL),
            System::FreeBsd => Ok(()),
        }
    }

    /// EINVAL before FreeBSD 13.0, ENOSYS on DragonFly, where the binding makes no call.
    ///
    /// Source: procctl(2) of FreeBSD 13.0, ERRORS and `PROC_ASLR_CTL`.
    fn knows_aslr(&self) -> Result<(), Errno> {
        match self.system {
            System::DragonFly => Err(Errno::NOSYS),
            System::FreeBsd if self.release < RELEASE_13_0 => Err(Errno::INVAL),
            System::FreeBsd => Ok(()),
        }
    }

    /// The sizes of a set of processors that cpuset_setaffinity(2) takes, in bytes. ERANGE for another one.
    ///
    /// Source: `kern_cpuset_setaffinity` of sys/kern/kern_cpuset.c, `CPU_MAXSIZE` of sys/sys/_cpuset.h.
    fn has_set_of(&self, size: usize) -> Result<(), Errno> {
        let sizes = if self.release < RELEASE_14_0 { 32..=32 } else { 32..=128 };
        if sizes.contains(&size) { Ok(()) } else { Err(Errno::from_raw(libc::ERANGE)) }
    }

    /// `sys/rtprio.h` of each system: real-time, normal, idle, and the type that runs until it waits.
    fn classes(&self) -> &'static [u16] {
        match self.system {
            System::FreeBsd => &[2, 3, 4, 10],
            System::DragonFly => &[0, 1, 2],
        }
    }

    /// EINVAL before FreeBSD 14.0, whose manual names the flag.
    ///
    /// Source: closefrom(2) of FreeBSD 14.0, ERRORS.
    fn knows_cloexec_flag(&self) -> Result<(), Errno> {
        if self.release < RELEASE_14_0 { Err(Errno::INVAL) } else { Ok(()) }
    }

    /// intro(2): SIGSYS for a system call that is not there, which kills.
    fn knows(&self, call: &str) {
        let has_close_range =
            (WITH_CLOSE_RANGE..1_300_000).contains(&self.release) || self.release >= 1_300_139;
        let is_there = match (self.system, call) {
            (System::DragonFly, "closefrom") => true,
            (System::DragonFly, _) => false,
            (System::FreeBsd, "close_range") => has_close_range,
            // Newer kernels have it for older programs, if they were built so.
            (System::FreeBsd, _) => self.release >= 800_107 && !has_close_range,
        };
        assert!(is_there, "{call} is not there: SIGSYS kills the child");
    }
}

impl SimKernel {
    /// FreeBSD of this `kern.osreldate`.
    pub(crate) fn freebsd(release: i32) -> Self {
        let vector = if release < RELEASE_15_0 { GroupVector::FirstOfBsd } else { GroupVector::Separate };
        Self::new()
            .with(|state| state.freebsd = Machine { system: System::FreeBsd, release })
            .with_process(|process| process.vector = vector)
    }

    /// DragonFly.
    pub(crate) fn dragonfly() -> Self {
        Self::new()
            .with(|state| state.freebsd = Machine { system: System::DragonFly, release: 600_400 })
            .with_process(|process| process.vector = GroupVector::FirstOfBsd)
    }
}

impl State {
    /// Source: cpuset_setaffinity(2), rtprio(2), procctl(2), jail_attach(2).
    fn bsd_attribute(&mut self, call: AttributeCall<'_>) -> Result<(), Errno> {
        let is_root = self.process.uid == 0;
        let attributes = &mut self.process.attributes;
        match call {
            // EINVAL for a processor that is not in the set of the process (`cpuset_testshadow` of sys/kern/kern_cpuset.c).
            // DragonFly ignores such a processor, and returns EPERM for a set without any other (`sys_lwp_setaffinity` of
            // sys/kern/kern_usched.c).
            AttributeCall::SetAffinity(mask) if self.freebsd.system == System::DragonFly => {
                let there = mask.first().map_or(0, |first| first & PROCESSORS);
                attributes.affinity = if there == 0 { return Err(Errno::PERM) } else { there };
            }
            AttributeCall::SetAffinity(mask) => {
                self.freebsd.has_set_of(size_of_val(mask))?;
                let [first, others @ ..] = mask else { return Err(Errno::INVAL) };
                if first & !PROCESSORS != 0 || others.iter().any(|&word| word != 0) {
                    return Err(Errno::INVAL);
                }
                attributes.affinity = *first;
            }
            // EINVAL for an unknown type or a priority above 31, EPERM without privilege but for the normal type.
            AttributeCall::SetPriority(class, priority) => {
                let classes = self.freebsd.classes();
                if !classes.contains(&class) || priority > 31 {
                    return Err(Errno::INVAL);
                }
                if !is_root && class != classes[1] {
                    return Err(Errno::PERM);
                }
                attributes.scheduler = (class.into(), priority.into());
            }
            AttributeCall::DisableAslr => {
                self.freebsd.knows_aslr()?;
                attributes.personality = 2;
            }
            // EPERM without privilege, EINVAL if there is no such jail. The root and the working directory are those of the jail.
            AttributeCall::AttachJail(id) => {
                if !is_root {
                    return Err(Errno::PERM);
                }
                if id != JAIL {
                    return Err(Errno::INVAL);
                }
                attributes.jail = Some(id);
            }
        }
        Ok(())
    }

    /// Source: getdirentries(2) of FreeBSD; `fdesc_readdir` of fdesc_vnops.c of either system.
    fn getdirentries(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        let file = self.table.get(fd)?.file;
        let directory = self.positions.get_mut(&file).ok_or(Errno::INVAL)?;
        directory.read_as(self.freebsd.dirent(), &self.table, buffer)
    }

    /// The name in `VFS_SET` of the file system.
    fn file_system(&self, fd: Fd) -> Result<[u8; 16], Errno> {
        let file = self.table.get(fd)?.file;
        let lists = self.positions.get(&file).is_some_and(OpenDirectory::is_on_procfs);
        let name: &[u8] = match (lists, self.freebsd.system) {
            (true, System::FreeBsd) => b"fdescfs",
            (true, System::DragonFly) => b"fdesc",
            (false, _) => b"devfs",
        };
        let mut filled = [0; 16];
        filled[..name.len()].copy_from_slice(name);
        Ok(filled)
    }
}

// SAFETY: the simulated kernel makes no process, and its descriptors are entries of its own table.
unsafe impl FreebsdSys for SimKernel {
    fn system(&self) -> System {
        self.state().freebsd.system
    }

    /// Source: `kern.osreldate` of sysctl(3); sys/sys/param.h.
    fn release(&self) -> Result<i32, Errno> {
        self.call(Call::new("release"), |state| Ok(state.freebsd.release))
    }

    /// DragonFly has no entry for a zombie.
    ///
    /// Source: `kern.proc.pid` of sysctl(3); `pfind` of sys/kern/kern_proc.c of DragonFly at f071b5e.
    fn process_entry(&self, process: Pid) -> Result<ProcessEntry, Errno> {
        self.call(Call::on("process_entry", process), |state| {
            let entry = state.process_entry(process)?;
            let is_hidden = entry.has_ended && state.freebsd.system == System::DragonFly;
            if is_hidden { Err(Errno::SRCH) } else { Ok(entry) }
        })
    }

    /// Source: seen on FreeBSD 12.1-RELEASE amd64.
    fn open_count(&self) -> Result<u32, Errno> {
        self.call(Call::new("open_count"), |state| match state.freebsd.system {
            System::FreeBsd => Ok(u32::try_from(state.table.fds().len()).expect("they are few")),
            System::DragonFly => Err(Errno::NOSYS),
        })
    }

    fn close_range(&self, first: u32, last: u32) -> Result<(), Errno> {
        self.call(Call::on_two("close_range", first, last), |state| {
            state.freebsd.knows("close_range");
            state.table.close_range(first, last)
        })
    }

    /// `CLOSE_RANGE_CLOEXEC` of closefrom(2) of FreeBSD 14.0: EINVAL for a flag that the release does not know.
    fn close_range_cloexec(&self, first: u32, last: u32) -> Result<(), Errno> {
        self.call(Call::on_two("close_range_cloexec", first, last), |state| {
            state.freebsd.knows("close_range");
            state.freebsd.knows_cloexec_flag()?;
            state.table.mark_range(first, last)
        })
    }

    /// closefrom(2): EINVAL below 0 on DragonFly.
    fn closefrom(&self, first: Fd) -> Result<(), Errno> {
        self.call(Call::on("closefrom", first), |state| {
            state.freebsd.knows("closefrom");
            let first = u32::try_from(first).map_err(|_| Errno::INVAL)?;
            state.table.close_range(first, u32::MAX)
        })
    }

    /// Source: getdirentries(2) of FreeBSD; `fdesc_readdir` of fdesc_vnops.c of either system.
    fn getdirentries(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno> {
        self.call(Call::on("getdirentries", directory), |state| state.getdirentries(directory, records))
    }

    fn file_system(&self, fd: Fd) -> Result<[u8; 16], Errno> {
        self.call(Call::on("file_system", fd), |state| state.file_system(fd))
    }

    fn set_parent_death_signal(&self, signal: Signal) -> Result<(), Errno> {
        let call = Call::on("set_parent_death_signal", signal);
        self.call(call, |state| state.process.set_death_signal(signal))
    }

    /// `PROC_NO_NEW_PRIVS_STATUS` of procctl(2): EINVAL for a command that the release does not know.
    ///
    /// Source: procctl(2) of FreeBSD 14.0, ERRORS; seen on FreeBSD 12.1-RELEASE amd64.
    fn no_new_privs(&self) -> Result<bool, Errno> {
        self.call(Call::new("no_new_privs"), |state| {
            state.freebsd.knows_no_new_privs()?;
            Ok(state.process.no_new_privs)
        })
    }

    /// `PROC_ASLR_STATUS` of procctl(2): EINVAL for a command that the release does not know.
    ///
    /// Source: procctl(2) of FreeBSD 13.0, ERRORS.
    fn aslr(&self) -> Result<(), Errno> {
        self.call(Call::new("aslr"), |state| state.freebsd.knows_aslr())
    }

    /// Source: `kern_cpuset_getaffinity` of sys/kern/kern_cpuset.c, and `sys_lwp_getaffinity` of sys/kern/kern_usched.c of DragonFly.
    fn affinity(&self, mask: &mut [c_ulong]) -> Result<(), Errno> {
        self.call(Call::new("getaffinity"), |state| {
            if state.freebsd.system == System::FreeBsd {
                state.freebsd.has_set_of(size_of_val(mask))?;
            }
            *mask.first_mut().ok_or(Errno::INVAL)? = state.process.attributes.affinity;
            Ok(())
        })
    }

    /// Source: cpuset_setaffinity(2), rtprio(2), procctl(2), jail_attach(2).
    fn attribute(&self, call: AttributeCall<'_>) -> Result<(), Errno> {
        let (name, number) = match call {
            AttributeCall::SetAffinity(mask) => {
                ("cpuset_setaffinity", i64::try_from(mask.len()).unwrap_or(-1))
            }
            AttributeCall::SetPriority(class, _) => ("rtprio", class.into()),
            AttributeCall::DisableAslr => ("disable_aslr", 0),
            AttributeCall::AttachJail(id) => ("jail_attach", id.into()),
        };
        self.call(Call::on(name, number), |state| state.bsd_attribute(call))
    }

    /// Source: as for `no_new_privs`.
    fn set_no_new_privs(&self) -> Result<(), Errno> {
        self.call(Call::new("set_no_new_privs"), |state| {
            state.freebsd.knows_no_new_privs()?;
            state.process.no_new_privs = true;
            Ok(())
        })
    }
}

/// `struct dirent` of FreeBSD 12: inode, offset, length, type, padding, length of the name, padding, name. fdescfs gives
/// all of them the same length.
pub(crate) fn freebsd_dirent(name: &[u8]) -> Vec<u8> {
    const LONGEST_NAME: usize = 10;
    let length = (24 + LONGEST_NAME.max(name.len()) + 1).next_multiple_of(8);
    let mut record = vec![0xff; 16];
    record.extend(half(length));
    record.extend([2, 0]);
    record.extend(half(name.len()));
    record.extend([0xff; 2]);
    record.extend(name);
    record.resize(length, 0);
    record
}

/// `struct dirent` of DragonFly: inode, length of the name, type, padding, name.
pub(crate) fn dragonfly_dirent(name: &[u8]) -> Vec<u8> {
    let mut record = vec![0xff; 8];
    record.extend(half(name.len()));
    record.extend([0xff; 6]);
    record.extend(name);
    record.resize((record.len() + 1).next_multiple_of(8), 0);
    record
}

fn half(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("names are short").to_ne_bytes()
}
