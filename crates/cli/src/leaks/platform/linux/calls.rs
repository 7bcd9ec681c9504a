//! The system calls that open descriptors or set their close-on-exec flag, as data.

use libc::{c_int, c_long};

/// The effect of a call on the descriptor table of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Returns a new descriptor.
    Opens,
    /// Writes two new descriptors to the address in this argument.
    OpensTwo(usize),
    /// Returns a duplicate of the descriptor in the first argument, with a free number.
    Duplicates,
    /// Returns a duplicate of the descriptor in the first argument, with the number that the caller chose.
    Places,
    /// fcntl(2) with one of [`COMMANDS`].
    Controls,
    /// ioctl(2) with one of [`REQUESTS`].
    Marks,
    /// Closes a range, or makes it close-on-exec.
    ClosesRange,
    /// Can give the task its own table.
    Unshares,
    /// Can install the filter that makes the other calls stop.
    Filters,
}

/// A call with its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traced {
    pub(super) number: c_long,
    pub(super) name: &'static str,
    pub(super) does: Does,
}

/// Commands of fcntl(2) that duplicate a descriptor, or that set or read its close-on-exec flag.
pub(super) const COMMANDS: [c_int; 4] = [libc::F_DUPFD, libc::F_DUPFD_CLOEXEC, libc::F_SETFD, libc::F_GETFD];

/// Requests of ioctl(2) that set the close-on-exec flag: `FIOCLEX` and `FIONCLEX` of asm-generic/ioctls.h.
pub(super) const REQUESTS: [u64; 2] = [0x5451, MAKE_INHERITABLE];

/// `FIONCLEX`.
pub(super) const MAKE_INHERITABLE: u64 = 0x5450;

/// `CLOSE_RANGE_UNSHARE`.
pub(super) const OWN_TABLE_BEFORE_CLOSING: u64 = 2;

/// `CLONE_FILES`, to unshare(2).
pub(super) const OWN_TABLE: u64 = 0x400;

macro_rules! calls {
    ($($name:ident $number:ident $does:expr;)*) => {
        [$(Traced { number: libc::$number, name: stringify!($name), does: $does }),*]
    };
}

/// The calls that all processors have.
const EVERYWHERE: [Traced; 33] = calls! {
    openat SYS_openat Does::Opens;
    openat2 SYS_openat2 Does::Opens;
    socket SYS_socket Does::Opens;
    socketpair SYS_socketpair Does::OpensTwo(3);
    accept SYS_accept Does::Opens;
    accept4 SYS_accept4 Does::Opens;
    pipe2 SYS_pipe2 Does::OpensTwo(0);
    dup SYS_dup Does::Duplicates;
    dup3 SYS_dup3 Does::Places;
    fcntl SYS_fcntl Does::Controls;
    ioctl SYS_ioctl Does::Marks;
    close_range SYS_close_range Does::ClosesRange;
    unshare SYS_unshare Does::Unshares;
    epoll_create1 SYS_epoll_create1 Does::Opens;
    eventfd2 SYS_eventfd2 Does::Opens;
    signalfd4 SYS_signalfd4 Does::Opens;
    timerfd_create SYS_timerfd_create Does::Opens;
    inotify_init1 SYS_inotify_init1 Does::Opens;
    fanotify_init SYS_fanotify_init Does::Opens;
    memfd_create SYS_memfd_create Does::Opens;
    pidfd_open SYS_pidfd_open Does::Opens;
    pidfd_getfd SYS_pidfd_getfd Does::Opens;
    open_by_handle_at SYS_open_by_handle_at Does::Opens;
    mq_open SYS_mq_open Does::Opens;
    userfaultfd SYS_userfaultfd Does::Opens;
    perf_event_open SYS_perf_event_open Does::Opens;
    io_uring_setup SYS_io_uring_setup Does::Opens;
    landlock_create_ruleset SYS_landlock_create_ruleset Does::Opens;
    open_tree SYS_open_tree Does::Opens;
    fsopen SYS_fsopen Does::Opens;
    fspick SYS_fspick Does::Opens;
    fsmount SYS_fsmount Does::Opens;
    seccomp SYS_seccomp Does::Filters;
};

/// The calls that newer processors do not have.
#[cfg(target_arch = "x86_64")]
const OLD: [Traced; 8] = calls! {
    open SYS_open Does::Opens;
    creat SYS_creat Does::Opens;
    pipe SYS_pipe Does::OpensTwo(0);
    dup2 SYS_dup2 Does::Places;
    epoll_create SYS_epoll_create Does::Opens;
    eventfd SYS_eventfd Does::Opens;
    signalfd SYS_signalfd Does::Opens;
    inotify_init SYS_inotify_init Does::Opens;
};
#[cfg(not(target_arch = "x86_64"))]
const OLD: [Traced; 0] = [];

/// Returns all traced calls.
pub(super) fn all() -> impl Iterator<Item = Traced> {
    EVERYWHERE.into_iter().chain(OLD)
}

/// Returns the traced call with this number.
pub(super) fn by_number(number: c_long) -> Option<Traced> {
    all().find(|call| call.number == number)
}
