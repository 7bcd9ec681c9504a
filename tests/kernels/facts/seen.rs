//! Behaviour of real kernels, as data, that no backend relies on yet.

use forkexec_core::Errno;

/// The behaviour of one kernel.
pub(crate) struct Facts {
    pub(crate) source: &'static str,
    pub(crate) vfork: Vfork,
    /// System call numbers are masked by this before they are looked up.
    pub(crate) call_mask: u32,
    /// A synchronous fault whose signal is blocked ends the process. Otherwise the instruction faults endlessly.
    pub(crate) blocked_fault_ends: bool,
    /// The result of kevent(2) with `NOTE_EXIT` for a child that has ended and was not reaped.
    pub(crate) watch_of_ended: Result<(), Errno>,
    /// The same of a running child that executed a set-user-ID program of another user.
    pub(crate) watch_of_set_uid: Result<(), Errno>,
}

/// The state that a child of vfork(2) shares with its parent, which is suspended until the child executes a program or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an observation of its own")]
pub(crate) struct Vfork {
    pub(crate) memory: bool,
    /// The parent's errno is the child's afterwards.
    pub(crate) errno: bool,
    /// Another thread's fork(2), and its malloc(3), wait for the child.
    pub(crate) holds_fork_locks: bool,
    /// A stack without `MAP_STACK` kills the child.
    pub(crate) needs_map_stack: bool,
}

pub(crate) const FREEBSD: Facts = Facts {
    source: "seen on FreeBSD 12.1-RELEASE amd64",
    vfork: Vfork { memory: true, errno: true, holds_fork_locks: false, needs_map_stack: false },
    call_mask: u32::MAX,
    blocked_fault_ends: true,
    watch_of_ended: Ok(()),
    watch_of_set_uid: Ok(()),
};

pub(crate) const OPENBSD: Facts = Facts {
    source: "seen on OpenBSD 7.3 amd64",
    vfork: Vfork { memory: false, errno: false, holds_fork_locks: true, needs_map_stack: true },
    call_mask: u32::MAX,
    blocked_fault_ends: true,
    watch_of_ended: Err(Errno::SRCH),
    watch_of_set_uid: Ok(()),
};

pub(crate) const NETBSD: Facts = Facts {
    source: "seen on NetBSD 7.0 amd64",
    vfork: Vfork { memory: true, errno: true, holds_fork_locks: false, needs_map_stack: false },
    call_mask: 511,
    blocked_fault_ends: false,
    watch_of_ended: Err(Errno::SRCH),
    watch_of_set_uid: Err(Errno::ACCES),
};

/// The disposition of SIGSYS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sigsys {
    Default,
    Ignored,
    Blocked,
}

/// The result of a system call with a number that the kernel lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    Killed,
    /// `ENOSYS`. A pending signal kills as soon as it is unblocked.
    Fails {
        pending: bool,
    },
    /// The number is masked, and the call with the remaining bits runs.
    OtherCall(u32),
}

impl Facts {
    /// A system call with a number that the kernel does not have.
    ///
    /// Source: seen on FreeBSD 12.1-RELEASE amd64, OpenBSD 7.3 amd64 and NetBSD 7.0 amd64.
    pub(crate) fn unknown_call(&self, number: u32, sigsys: Sigsys) -> Unknown {
        let masked = number & self.call_mask;
        match sigsys {
            _ if masked != number => Unknown::OtherCall(masked),
            Sigsys::Default => Unknown::Killed,
            Sigsys::Ignored => Unknown::Fails { pending: false },
            Sigsys::Blocked => Unknown::Fails { pending: true },
        }
    }
}
