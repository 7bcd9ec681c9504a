//! The differences between FreeBSD and DragonFly, as data.

use crate::enumerate;
use forkexec_core::{Capabilities, GroupList, Operation, RecordLayout, RecordLength, Resource};

/// One of the two systems that this backend serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// FreeBSD.
    FreeBsd,
    /// DragonFly BSD.
    DragonFly,
}

impl System {
    pub(crate) const fn capabilities(self) -> &'static Capabilities {
        match self {
            Self::FreeBsd => &CAPABILITIES,
            Self::DragonFly => &DRAGONFLY,
        }
    }

    /// The type of the file system that lists descriptors, with its terminating NUL. It is the name in `VFS_SET` in
    /// `sys/fs/fdescfs/fdesc_vfsops.c`, and in `sys/vfs/fdesc/fdesc_vfsops.c` of DragonFly.
    pub(crate) const fn fdescfs(self) -> &'static [u8] {
        match self {
            Self::FreeBsd => b"fdescfs\0",
            Self::DragonFly => b"fdesc\0",
        }
    }

    /// `struct dirent` of `sys/dirent.h`. FreeBSD from 12.0: inode (8 bytes), offset (8), record length (2), type and
    /// padding (2), name length (2), padding (2), name. DragonFly: inode (8), name length (2), type and padding (6), name,
    /// the whole rounded up to eight bytes (`_DIRENT_RECLEN`).
    pub(crate) const fn dirent(self) -> RecordLayout {
        match self {
            Self::FreeBsd => RecordLayout { length: RecordLength::At(16), name_at: 24 },
            Self::DragonFly => RecordLayout { length: RecordLength::OfNameAt(8), name_at: 16 },
        }
    }
}

/// The capabilities of this backend on FreeBSD.
///
/// FreeBSD has `NoNewPrivs` from 14.0 on at the latest, and `FixedAddresses` from 13.0 on. The parent checks before it starts a child with them
/// ([`Backend::has`](forkexec_core::Backend::has)).
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "FreeBSD",
    bulk_closer: Some("close_range"),
    enumerators: &[enumerate::NAME],
    launchers: forkexec_unix::VFORK_LAUNCHERS,
    operations: &[
        Operation::DieWithParent,
        Operation::NoNewPrivs,
        Operation::CpuAffinity,
        Operation::Scheduler,
        Operation::FixedAddresses,
        Operation::Jail,
    ],
    resources: &FREEBSD_RESOURCES,
    reserved_signals: RESERVED_SIGNALS,
    // setgroups(2) of FreeBSD before 15.0, and of programs that are linked for it. From 15.0 on the list has only supplementary
    // groups, and the effective one in it changes nothing. DragonFly: `sys_setgroups` of `sys/kern/kern_prot.c`.
    group_list: GroupList::EffectiveFirst,
};

/// The capabilities of this backend on DragonFly.
pub const DRAGONFLY: Capabilities = Capabilities {
    system: "DragonFly",
    bulk_closer: Some("closefrom"),
    operations: &[Operation::DieWithParent, Operation::CpuAffinity, Operation::Scheduler, Operation::Jail],
    resources: &DRAGONFLY_RESOURCES,
    ..CAPABILITIES
};

/// `SIGTHR`, with which the thread libraries of both cancel threads. Their sigaction answers `EINVAL`.
const RESERVED_SIGNALS: &[forkexec_core::Signal] = &[32];

/// The resources of getrlimit(2) on FreeBSD. The numbers are those of `sys/resource.h`, because the C library of another host
/// lacks some of the constants.
const FREEBSD_RESOURCES: [(&str, Resource); 15] = [
    ("cpu", Resource(0)),
    ("fsize", Resource(1)),
    ("data", Resource(2)),
    ("stack", Resource(3)),
    ("core", Resource(4)),
    ("rss", Resource(5)),
    ("memlock", Resource(6)),
    ("nproc", Resource(7)),
    ("nofile", Resource(8)),
    ("sbsize", Resource(9)),
    ("as", Resource(10)),
    ("npts", Resource(11)),
    ("swap", Resource(12)),
    ("kqueues", Resource(13)),
    ("umtxp", Resource(14)),
];

/// The resources of getrlimit(2) on DragonFly. The first eleven are the same.
const DRAGONFLY_RESOURCES: [(&str, Resource); 12] = [
    ("cpu", Resource(0)),
    ("fsize", Resource(1)),
    ("data", Resource(2)),
    ("stack", Resource(3)),
    ("core", Resource(4)),
    ("rss", Resource(5)),
    ("memlock", Resource(6)),
    ("nproc", Resource(7)),
    ("nofile", Resource(8)),
    ("sbsize", Resource(9)),
    ("as", Resource(10)),
    ("posixlocks", Resource(11)),
];
