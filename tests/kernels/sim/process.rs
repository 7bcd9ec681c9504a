//! The state of a process besides its descriptors.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};

use forkexec_core::{Disposition, Errno, Limit, Pid, Resource, Signal, SignalSet};

use super::attributes::Attributes;
use super::table::{Entry, File};

/// A process. The child has it from its parent, and the program from the child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) parent: Pid,
    pub(crate) group: Pid,
    pub(crate) session: Pid,
    /// The controlling terminal, by its file.
    pub(crate) terminal: Option<u64>,
    /// The foreground process group of that.
    pub(crate) foreground: Pid,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) effective_gid: u32,
    /// The result of getgroups(2).
    pub(crate) groups: Vec<u32>,
    pub(crate) vector: GroupVector,
    pub(crate) root: CString,
    pub(crate) directory: CString,
    pub(crate) umask: u32,
    pub(crate) nice: i32,
    pub(crate) mask: SignalSet,
    /// Other signals have their default action.
    pub(crate) dispositions: BTreeMap<Signal, Disposition>,
    /// The signals that sigaction(2) refuses to read and to set, besides SIGKILL and SIGSTOP, which it refuses to set.
    pub(crate) untouchable: Vec<Signal>,
    pub(crate) limits: BTreeMap<i32, (u64, u64)>,
    pub(crate) no_new_privs: bool,
    pub(crate) death_signal: Signal,
    pub(crate) attributes: Attributes,
}

/// The place where a kernel keeps the effective group ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupVector {
    /// Apart from the supplementary groups.
    ///
    /// Source: setgroups(2) of Linux man-pages 6.9.1; seen on OpenBSD 7.3 amd64 and NetBSD 7.0 amd64; setgroups(2) of FreeBSD
    /// 15.0, HISTORY.
    Separate,
    /// It is the first element. setregid(2) overwrites that element, an empty list leaves it alone.
    ///
    /// Source: seen on FreeBSD 12.1-RELEASE amd64; DragonFly `sys_setgroups` and `sys_setregid` of sys/kern/kern_prot.c at
    /// 03c4e78.
    FirstOfBsd,
    /// It is the first element. A change swaps it with the element that has the new value, if there is one. An empty list sets
    /// it to 0.
    ///
    /// Source: xnu `setgroups_internal` of bsd/kern/kern_prot.c at 1031c58, `kauth_cred_change_egid` of
    /// bsd/kern/kern_credential.c.
    FirstOfApple,
}

/// `RLIM_INFINITY`, and the usual limits of descriptors.
const UNLIMITED: u64 = u64::MAX;
const DESCRIPTORS: (u64, u64) = (1_024, 20_000);

impl Process {
    /// A child of root's: all signals blocked, in its parent's process group and session.
    pub(super) fn child_of_root() -> Self {
        Self {
            pid: 101,
            parent: 100,
            group: 100,
            session: 50,
            terminal: None,
            foreground: 0,
            uid: 0,
            gid: 0,
            effective_gid: 0,
            groups: vec![0],
            vector: GroupVector::Separate,
            root: c"/".to_owned(),
            directory: c"/".to_owned(),
            umask: 0o022,
            nice: 0,
            mask: SignalSet::ALL,
            dispositions: BTreeMap::new(),
            untouchable: Vec::new(),
            limits: [(Resource::NOFILE.0, DESCRIPTORS)].into(),
            no_new_privs: false,
            death_signal: 0,
            attributes: Attributes::of_root(),
        }
    }

    pub(super) fn set_descriptor_limit(&mut self, soft: u64, hard: u64) {
        self.limits.insert(Resource::NOFILE.0, (soft, hard));
    }

    /// Soft and hard `RLIMIT_NOFILE`.
    pub(super) fn descriptor_limit(&self) -> (u64, u64) {
        self.limits[&Resource::NOFILE.0]
    }

    /// capabilities(7): only the superuser has any here.
    fn is_privileged(&self, otherwise: Errno) -> Result<(), Errno> {
        if self.uid == 0 { Ok(()) } else { Err(otherwise) }
    }

    /// setrlimit(2): EINVAL for soft above hard, EPERM for raising the hard limit without privilege.
    pub(super) fn set_limit(&mut self, Limit { resource, soft, hard }: Limit) -> Result<(), Errno> {
        if soft > hard {
            return Err(Errno::INVAL);
        }
        let (_, highest) = self.limits.get(&resource.0).copied().unwrap_or((UNLIMITED, UNLIMITED));
        if hard > highest {
            self.is_privileged(Errno::PERM)?;
        }
        self.limits.insert(resource.0, (soft, hard));
        Ok(())
    }

    /// chroot(2): EPERM without privilege; the working directory stays where it is.
    pub(super) fn chroot(&mut self, path: &CStr) -> Result<(), Errno> {
        self.is_privileged(Errno::PERM)?;
        path.clone_into(&mut self.root);
        Ok(())
    }

    /// sigaction(2): EINVAL for an invalid signal, for a change of SIGKILL or SIGSTOP, and for the C library's own
    /// signals (lib/libc/sys/w_sigaction.c of OpenBSD).
    pub(super) fn disposition(&self, signal: Signal) -> Result<Disposition, Errno> {
        is_signal(signal)?;
        if self.untouchable.contains(&signal) {
            return Err(Errno::INVAL);
        }
        Ok(self.dispositions.get(&signal).copied().unwrap_or(Disposition::Default))
    }

    /// Source: sigaction(2).
    pub(super) fn set_disposition(&mut self, signal: Signal, ignored: bool) -> Result<(), Errno> {
        is_signal(signal)?;
        if matches!(signal, libc::SIGKILL | libc::SIGSTOP) || self.untouchable.contains(&signal) {
            return Err(Errno::INVAL);
        }
        self.dispositions.remove(&signal);
        if ignored {
            self.dispositions.insert(signal, Disposition::Ignored);
        }
        Ok(())
    }

    /// setsid(2): EPERM for the leader of a process group; the new session has no terminal.
    pub(super) fn setsid(&mut self) -> Result<(), Errno> {
        if self.group == self.pid {
            return Err(Errno::PERM);
        }
        (self.session, self.group, self.terminal) = (self.pid, self.pid, None);
        Ok(())
    }

    /// setpgid(2): EINVAL below 0; EPERM for the leader of a session, and for a group that is not in it: here only the
    /// parent's is.
    pub(super) fn set_process_group(&mut self, group: Pid) -> Result<(), Errno> {
        if group < 0 {
            return Err(Errno::INVAL);
        }
        let group = if group == 0 { self.pid } else { group };
        if self.session == self.pid || ![self.pid, self.group, self.parent].contains(&group) {
            return Err(Errno::PERM);
        }
        self.group = group;
        Ok(())
    }

    /// `TIOCSCTTY` of ioctl_tty(2): ENOTTY if it is no terminal, EPERM unless the caller leads a session without one.
    pub(super) fn set_controlling_tty(&mut self, entry: Entry) -> Result<(), Errno> {
        if entry.kind != File::Terminal {
            return Err(Errno::NOTTY);
        }
        if self.session != self.pid || self.terminal.is_some() {
            return Err(Errno::PERM);
        }
        (self.terminal, self.foreground) = (Some(entry.file), self.group);
        Ok(())
    }

    /// tcsetpgrp(3): ENOTTY unless it is the controlling terminal. A background group is stopped by SIGTTOU, unless
    /// that is blocked or ignored; such a child never continues.
    pub(super) fn tcsetpgrp(&mut self, entry: Entry) -> Result<(), Errno> {
        if self.terminal != Some(entry.file) {
            return Err(Errno::NOTTY);
        }
        let ignored = self.dispositions.get(&libc::SIGTTOU) == Some(&Disposition::Ignored);
        let is_safe = self.group == self.foreground || ignored || self.mask.contains(libc::SIGTTOU);
        assert!(is_safe, "SIGTTOU stops the child for ever");
        self.foreground = self.group;
        Ok(())
    }

    /// setpriority(2): EACCES for a lower value without privilege; a value out of range is brought into it.
    pub(super) fn set_nice(&mut self, nice: i32) -> Result<(), Errno> {
        let nice = nice.clamp(-20, 19);
        if nice < self.nice {
            self.is_privileged(Errno::ACCES)?;
        }
        self.nice = nice;
        Ok(())
    }

    /// setgroups(2): EPERM without privilege.
    pub(super) fn set_groups(&mut self, groups: &[u32]) -> Result<(), Errno> {
        self.is_privileged(Errno::PERM)?;
        self.groups = match (self.vector, groups) {
            (GroupVector::FirstOfBsd, []) => vec![self.effective_gid],
            (GroupVector::FirstOfApple, []) => vec![0],
            _ => groups.to_vec(),
        };
        if self.vector != GroupVector::Separate {
            self.effective_gid = self.groups[0];
        }
        Ok(())
    }

    /// setresgid(2): EPERM without privilege, unless nothing changes. A change clears the parent-death signal
    /// (prctl(2)).
    pub(super) fn set_gid(&mut self, gid: u32) -> Result<(), Errno> {
        if (gid, gid) != (self.gid, self.effective_gid) {
            self.is_privileged(Errno::PERM)?;
            (self.gid, self.death_signal) = (gid, 0);
            self.set_effective_gid(gid);
        }
        Ok(())
    }

    /// setegid(2), without a look at privileges.
    pub(crate) fn set_effective_gid(&mut self, gid: u32) {
        let old = std::mem::replace(&mut self.effective_gid, gid);
        if self.vector == GroupVector::Separate {
            return;
        }
        let same = self.groups.iter().skip(1).position(|&group| group == gid);
        if let Some(index) = same.filter(|_| self.vector == GroupVector::FirstOfApple) {
            self.groups[index + 1] = old;
        }
        self.groups[0] = gid;
    }

    /// setresuid(2), as above.
    pub(super) fn set_uid(&mut self, uid: u32) -> Result<(), Errno> {
        if uid != self.uid {
            self.is_privileged(Errno::PERM)?;
            if self.uid == 0 {
                self.attributes.after_root();
            }
            (self.uid, self.death_signal) = (uid, 0);
        }
        Ok(())
    }

    /// `PR_SET_PDEATHSIG` of prctl(2): EINVAL for an invalid signal.
    pub(super) fn set_death_signal(&mut self, signal: Signal) -> Result<(), Errno> {
        is_signal(signal)?;
        self.death_signal = signal;
        Ok(())
    }

    /// execve(2): removes handlers. Ignored signals stay ignored.
    pub(super) fn after_exec(&self) -> Self {
        let mut process = self.clone();
        process.attributes.at_exec();
        process.dispositions.retain(|_, disposition| *disposition == Disposition::Ignored);
        process
    }
}

/// signal(7): 1 to 64.
pub(super) const HIGHEST_SIGNAL: Signal = 64;

fn is_signal(signal: Signal) -> Result<(), Errno> {
    if (1..=HIGHEST_SIGNAL).contains(&signal) { Ok(()) } else { Err(Errno::INVAL) }
}
