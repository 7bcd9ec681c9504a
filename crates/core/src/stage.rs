//! The stages of a child, in the order in which they run.
//!
//! The order is data and stands here, once. It is part of the contract:
//! - the descriptor table is made private before anything touches a descriptor or its flags;
//! - everything that needs privilege comes before the ids are dropped, groups before gid before uid;
//! - a working directory given by its path is entered with the new ids, as in std and Go: an NFS export or a FUSE mount
//!   may admit the new user alone, and root must not enter a directory on behalf of a user that may not. A plan can
//!   also enter one before ([`Stage::EarlyChdir`]): an open directory, for which fchdir(2) checks permission at the
//!   time of the call, or a path in the order of CPython;
//! - what a change of ids would clear again (the parent-death signal) comes after it;
//! - the signal mask is restored after the terminal was taken, or `tcsetpgrp` from a background group would stop the
//!   child with `SIGTTOU`;
//! - descriptors are closed after the pre-exec closure, which may open some.

/// A step of starting a child: where an error happened, or how far the child came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Stage {
    /// In the parent: the pipes, the report channel, the memory shared with the child.
    Setup,
    /// In the parent: the call that makes the child, such as fork(2).
    Start,
    /// The child makes its descriptor table its own.
    UnshareFiles,
    /// Kept descriptors lose close-on-exec.
    KeepFds,
    /// The parent's ends of pipes are closed.
    ParentEnds,
    /// Descriptors 0, 1, 2 and the mapped ones are put in place.
    DupFds,
    /// The child enters a control group, unless it was born there.
    Cgroup,
    /// chroot(2), and chdir(2) to the new root.
    Chroot,
    /// The working directory is entered with the parent's ids: fchdir(2), for one that is given by a descriptor.
    EarlyChdir,
    /// umask(2).
    Umask,
    /// Signals get their dispositions.
    Signals,
    /// setsid(2).
    Session,
    /// setpgid(2).
    ProcessGroup,
    /// The controlling terminal is taken (`TIOCSCTTY`).
    Terminal,
    /// The child's process group becomes the terminal's foreground group.
    Foreground,
    /// setrlimit(2), one for each limit.
    Limits,
    /// setpriority(2).
    Nice,
    /// setgroups(2).
    Groups,
    /// The real, effective and saved group ids.
    Gid,
    /// The real, effective and saved user ids.
    Uid,
    /// The working directory is entered with the child's ids: chdir(2).
    Chdir,
    /// The child can gain no privilege by exec any more.
    NoNewPrivs,
    /// A signal is asked for when the parent dies.
    DieWithParent,
    /// The signal mask is set.
    Mask,
    /// The caller's own code runs.
    PreExec,
    /// All other descriptors are closed.
    Close,
    /// The candidates are tried, one after the other.
    Exec,
}

impl Stage {
    /// What a child does, in this order.
    pub const ORDER: [Self; 25] = [
        Self::UnshareFiles,
        Self::KeepFds,
        Self::ParentEnds,
        Self::DupFds,
        Self::Cgroup,
        Self::Chroot,
        Self::EarlyChdir,
        Self::Umask,
        Self::Signals,
        Self::Session,
        Self::ProcessGroup,
        Self::Terminal,
        Self::Foreground,
        Self::Limits,
        Self::Nice,
        Self::Groups,
        Self::Gid,
        Self::Uid,
        Self::Chdir,
        Self::NoNewPrivs,
        Self::DieWithParent,
        Self::Mask,
        Self::PreExec,
        Self::Close,
        Self::Exec,
    ];

    /// How many values there are: the length of a table indexed by stage.
    pub const COUNT: usize = Self::Exec as usize + 1;

    /// Its name, for logs and programs. It does not change with the wording of messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Start => "start",
            Self::UnshareFiles => "unshare-files",
            Self::KeepFds => "keep-fds",
            Self::ParentEnds => "parent-ends",
            Self::DupFds => "dup-fds",
            Self::Cgroup => "cgroup",
            Self::Chroot => "chroot",
            Self::EarlyChdir => "early-chdir",
            Self::Umask => "umask",
            Self::Signals => "signals",
            Self::Session => "session",
            Self::ProcessGroup => "process-group",
            Self::Terminal => "terminal",
            Self::Foreground => "foreground",
            Self::Limits => "limits",
            Self::Nice => "nice",
            Self::Groups => "groups",
            Self::Gid => "gid",
            Self::Uid => "uid",
            Self::Chdir => "chdir",
            Self::NoNewPrivs => "no-new-privs",
            Self::DieWithParent => "die-with-parent",
            Self::Mask => "mask",
            Self::PreExec => "pre-exec",
            Self::Close => "close",
            Self::Exec => "exec",
        }
    }

    /// What the stage does, as the beginning of an error message.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Setup => "set up",
            Self::Start => "start the child",
            Self::UnshareFiles => "make the descriptor table private",
            Self::KeepFds => "keep descriptor",
            Self::ParentEnds => "close the parent's end",
            Self::DupFds => "place descriptor",
            Self::Cgroup => "enter the control group",
            Self::Chroot => "chroot to",
            Self::EarlyChdir => "enter the directory on descriptor",
            Self::Chdir => "chdir to",
            Self::Umask => "set the umask",
            Self::Signals => "set the disposition of signal",
            Self::Session => "start a session",
            Self::ProcessGroup => "join process group",
            Self::Terminal => "take the controlling terminal on descriptor",
            Self::Foreground => "come to the foreground of the terminal on descriptor",
            Self::Limits => "set the limit",
            Self::Nice => "set the nice value",
            Self::Groups => "set the supplementary groups",
            Self::Gid => "become group",
            Self::Uid => "become user",
            Self::NoNewPrivs => "give up new privileges",
            Self::DieWithParent => "tie its end to the parent's by signal",
            Self::Mask => "set the signal mask",
            Self::PreExec => "run the pre-exec closure",
            Self::Close => "close the other descriptors",
            Self::Exec => "exec",
        }
    }

    /// The stage that a byte of a report stands for.
    pub const fn from_u8(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Setup),
            1 => Some(Self::Start),
            // `ORDER` starts at discriminant 2 and has no hole: a test holds it.
            2..=26 => Some(Self::ORDER[(byte - 2) as usize]),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stage;
    use std::collections::BTreeSet;

    #[test]
    fn each_stage_has_its_own_description() {
        let every = || [Stage::Setup, Stage::Start].into_iter().chain(Stage::ORDER);
        let words: BTreeSet<_> = every().map(Stage::describe).collect();
        assert_eq!(words.len(), Stage::COUNT);
        assert!(words.iter().all(|words| !words.is_empty()));
    }

    /// Faults: E20
    #[test]
    fn each_stage_has_a_name_in_kebab_case() {
        let every = || [Stage::Setup, Stage::Start].into_iter().chain(Stage::ORDER);
        let names: BTreeSet<_> = every().map(Stage::name).collect();
        assert_eq!(names.len(), Stage::COUNT);
        let is_kebab = |name: &str| name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase());
        assert!(names.iter().all(|name| is_kebab(name)), "{names:?}");
        assert_eq!(
            [Stage::ProcessGroup, Stage::NoNewPrivs].map(Stage::name),
            ["process-group", "no-new-privs"]
        );
    }

    #[test]
    fn stages_of_the_parent_have_a_byte() {
        assert_eq!((Stage::from_u8(0), Stage::from_u8(1)), (Some(Stage::Setup), Some(Stage::Start)));
    }

    #[test]
    fn order_follows_the_discriminants_without_a_gap() {
        for (position, &stage) in Stage::ORDER.iter().enumerate() {
            assert_eq!(stage as usize, position + 2);
            assert_eq!(Stage::from_u8(stage as u8), Some(stage));
        }
        assert_eq!(Stage::COUNT, Stage::ORDER.len() + 2);
        assert_eq!(Stage::from_u8(u8::try_from(Stage::COUNT).unwrap()), None);
    }
}
