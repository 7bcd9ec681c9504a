//! What a child is to do, flat and ready: the parent's `prepare` makes it, [`child_exec`](crate::child_exec) walks it.
//!
//! A plan holds no order: that is [`Stage::ORDER`](crate::Stage::ORDER). An operation that is not asked for is `None`,
//! `false` or an empty slice.

use crate::{CStrArray, CloseStrategy, Errno, Fd, KeepList, Limit, Pid, PidVariable, Signal, SignalSet};
use core::ffi::CStr;

/// Everything a child does between its start and exec.
///
/// A plan names descriptors by number and owns none of them. Before the child touches one, it has a descriptor table of its
/// own, so that a plan closes and replaces nothing in the parent. A launcher over a real kernel hands the named
/// descriptors to the child: the promise of that kernel's constructor covers them.
#[expect(clippy::struct_excessive_bools, reason = "each is an operation that is asked for or not")]
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// The descriptors from 3 up that the program gets: kept ones and the targets of mappings.
    pub keep: KeepList<'a>,
    /// The kept ones among them, which lose close-on-exec. A mapping's target has none.
    pub inherit: &'a [Fd],
    /// How descriptors come to their places, solved by the parent.
    pub moves: &'a [Move],
    /// The descriptors that are other ones at each start: what [`Source::SpawnFd`] counts in.
    pub ends: &'a [Fd],
    /// The targets of moves among `keep`, sorted. What the parent has open there is not needed, unless a move reads it.
    /// One that is missing here costs time, and nothing else.
    pub placed: &'a [Fd],
    /// A control group to enter.
    pub cgroup: Option<Cgroup>,
    /// A new root directory.
    pub root: Option<&'a CStr>,
    /// A new working directory, entered with the parent's ids. A path is seen from the new root.
    pub early_directory: Option<WorkingDirectory<'a>>,
    /// A new working directory, entered with the child's ids. A path is seen from the new root, a relative one from
    /// `early_directory`.
    pub directory: Option<WorkingDirectory<'a>>,
    /// A new file mode creation mask.
    pub umask: Option<u32>,
    /// Signals that get their default action, if they are ignored now. Handled ones always do.
    pub reset: SignalSet,
    /// Signals to be ignored.
    pub ignore: SignalSet,
    /// Whether to start a session.
    pub session: bool,
    /// The process group to join; 0 is a new one.
    pub process_group: Option<Pid>,
    /// The terminal that becomes the controlling one.
    pub terminal: Option<Fd>,
    /// The terminal whose foreground group the child's becomes.
    pub foreground: Option<Fd>,
    /// Resource limits, set in this order.
    pub limits: &'a [Limit],
    /// The nice value.
    pub nice: Option<i32>,
    /// The supplementary groups.
    pub groups: Option<&'a [u32]>,
    /// The group id.
    pub gid: Option<u32>,
    /// The user id.
    pub uid: Option<u32>,
    /// Whether to give up the privileges that an exec could grant.
    pub no_new_privs: bool,
    /// The signal to get when the parent dies.
    pub die_with_parent: Option<Signal>,
    /// The signal mask of the program.
    pub mask: Mask,
    /// The caller's own code.
    pub hook: Option<Hook<'a>>,
    /// From which link on the other descriptors are closed; `None` leaves them open.
    pub close: Option<CloseStrategy>,
    /// Whether the parent is to have a descriptor of the child from its birth, where the system can give one.
    pub pidfd: bool,
    /// Whether the time of each stage is recorded.
    pub timed: bool,
    /// A variable among the environment of `exec` that gets the program's own process id.
    pub own_pid: Option<&'a PidVariable>,
    /// What to exec.
    pub exec: Exec<'a>,
}

impl<'a> Plan<'a> {
    /// A plan that closes everything from 3 up and execs.
    pub const fn new(exec: Exec<'a>) -> Self {
        Self {
            keep: KeepList::EMPTY,
            inherit: &[],
            moves: &[],
            ends: &[],
            placed: &[],
            cgroup: None,
            root: None,
            early_directory: None,
            directory: None,
            umask: None,
            reset: SignalSet::EMPTY,
            ignore: SignalSet::EMPTY,
            session: false,
            process_group: None,
            terminal: None,
            foreground: None,
            limits: &[],
            nice: None,
            groups: None,
            gid: None,
            uid: None,
            no_new_privs: false,
            die_with_parent: None,
            mask: Mask::Inherit,
            hook: None,
            close: Some(CloseStrategy::Bulk),
            pidfd: true,
            timed: false,
            own_pid: None,
            exec,
        }
    }

    /// Whether the program is to find `fd` open, or the plan writes to that number on the way: nothing private may
    /// have it.
    pub fn claims(&self, fd: Fd) -> bool {
        (0..=2).contains(&fd) || self.keep.contains(fd)
    }

    /// The highest descriptor that the program gets under the number that it has in the parent. Two sorted lists are
    /// walked from their ends.
    pub fn highest_unmoved(&self) -> Option<Fd> {
        let mut placed = self.placed.iter().rev().copied().peekable();
        self.keep.as_slice().iter().rev().copied().find(|&kept| {
            while placed.next_if(|&target| target > kept).is_some() {}
            placed.peek() != Some(&kept)
        })
    }
}

/// One step of putting descriptors in place. The parent orders them so that no source is overwritten before its last
/// use; a cycle is broken by the one saved copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Duplicates `from` onto `to`. One that has this number already is given under it.
    Copy {
        /// The source, still open under its own number.
        from: Source,
        /// The target.
        to: Fd,
    },
    /// Gives the program the descriptor under its own number.
    ClearCloexec(Fd),
    /// Saves a copy of the descriptor under some free number that the plan does not claim.
    SaveTemp(Source),
    /// Duplicates the saved copy onto the target, and closes it.
    RestoreTemp(Fd),
    /// Closes a number that the program is to find closed, if it is open.
    Close(Fd),
    /// Closes a descriptor that must be open.
    CloseOpen(Fd),
}

impl Move {
    /// Duplicates the descriptor `from` onto `to`.
    pub const fn copy(from: Fd, to: Fd) -> Self {
        Self::Copy { from: Source::Fd(from), to }
    }

    /// Saves a copy of the descriptor `from`.
    pub const fn save(from: Fd) -> Self {
        Self::SaveTemp(Source::Fd(from))
    }

    /// Where the step reads from a descriptor of the parent's.
    pub const fn source(self) -> Option<Source> {
        match self {
            Self::Copy { from, .. } | Self::SaveTemp(from) => Some(from),
            Self::ClearCloexec(fd) | Self::CloseOpen(fd) => Some(Source::Fd(fd)),
            Self::RestoreTemp(_) | Self::Close(_) => None,
        }
    }
}

/// What a [`Move`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// This descriptor.
    Fd(Fd),
    /// The descriptor at this place among the plan's [`ends`](Plan::ends).
    SpawnFd(u8),
}

impl Source {
    /// The descriptor. A place beyond the end is a number that nothing has.
    pub fn number(self, ends: &[Fd]) -> Fd {
        match self {
            Self::Fd(fd) => fd,
            Self::SpawnFd(place) => ends.get(usize::from(place)).copied().unwrap_or(NO_FD),
        }
    }
}

const NO_FD: Fd = -1;

/// A control group of Linux, version 2 (cgroups(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// Its directory, for a child that is born in it.
    pub directory: Fd,
    /// Its `cgroup.procs`, open for writing, for one that enters it.
    pub procs: Fd,
}

/// Where the program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkingDirectory<'a> {
    /// A path.
    Path(&'a CStr),
    /// An open directory.
    Fd(Fd),
}

/// The signal mask that the program starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// The one of the thread that starts it.
    Inherit,
    /// This one.
    Set(SignalSet),
}

/// A closure that runs in the child before the other descriptors are closed.
#[derive(Clone, Copy)]
pub struct Hook<'a>(&'a (dyn Fn() -> Result<(), HookError> + Sync + 'a));

impl<'a> Hook<'a> {
    /// Wraps the closure for a plan.
    ///
    /// # Safety
    ///
    /// The closure runs in a child of fork(2), before exec. It does not allocate, lock or unwind, and calls only
    /// async-signal-safe functions (signal-safety(7)). It upholds what other code relies on for each descriptor and all
    /// memory that it touches.
    pub const unsafe fn new(closure: &'a (dyn Fn() -> Result<(), HookError> + Sync + 'a)) -> Self {
        Self(closure)
    }

    pub(crate) fn call(self) -> Result<(), HookError> {
        (self.0)()
    }
}

/// How a [`Hook`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookError {
    /// It returned an error.
    Errno(Errno),
    /// It returned an error that has no errno.
    NoErrno,
    /// It panicked.
    Panicked,
}

/// What to exec: the candidates are tried in order.
#[derive(Clone, Copy)]
pub struct Exec<'a> {
    /// The paths to try.
    pub candidates: &'a [&'a CStr],
    /// The arguments, the zeroth among them.
    pub argv: CStrArray<'a>,
    /// The environment, or that of the process.
    pub env: Option<CStrArray<'a>>,
    /// Who runs a file that the kernel does not recognise.
    pub shell: Option<ShellFallback<'a>>,
}

/// Runs a candidate that the kernel answers with `ENOEXEC` through a shell, as execvp(3) does.
#[derive(Clone, Copy)]
pub struct ShellFallback<'a> {
    /// The shell's path.
    pub shell: &'a CStr,
    /// For each candidate the shell's arguments: its own name, the candidate, and the program's arguments.
    pub argvs: &'a [CStrArray<'a>],
}

#[cfg(test)]
mod tests {
    use super::{Exec, Fd, Move, Plan, Source};
    use crate::{CStrArray, KeepList};
    use rstest::rstest;

    #[rstest]
    #[case::descriptor(Source::Fd(7), 7)]
    #[case::first_end(Source::SpawnFd(0), 40)]
    #[case::last_end(Source::SpawnFd(1), 41)]
    #[case::no_end(Source::SpawnFd(2), -1)]
    fn source_has_its_own_number_or_none(#[case] source: Source, #[case] fd: Fd) {
        assert_eq!(source.number(&[40, 41]), fd);
    }

    #[rstest]
    #[case::copied(Move::copy(3, 9), Some(Source::Fd(3)))]
    #[case::saved(Move::save(3), Some(Source::Fd(3)))]
    #[case::shared(Move::ClearCloexec(3), Some(Source::Fd(3)))]
    #[case::restored(Move::RestoreTemp(3), None)]
    #[case::vacated(Move::Close(3), None)]
    #[case::closed(Move::CloseOpen(3), Some(Source::Fd(3)))]
    fn move_reads_from_a_descriptor_of_the_parent_or_none(
        #[case] step: Move,
        #[case] source: Option<Source>,
    ) {
        assert_eq!(step.source(), source);
    }

    #[rstest]
    #[case::nothing(&[], &[], None)]
    #[case::all_stay(&[5, 9], &[], Some(9))]
    #[case::all_are_placed(&[5, 9], &[5, 9], None)]
    #[case::highest_fd_is_placed(&[5, 9], &[9], Some(5))]
    #[case::low_fd_is_placed(&[5, 9], &[5], Some(9))]
    #[case::placed_below_the_list(&[5, 9], &[0, 1, 9], Some(5))]
    #[case::placed_between(&[5, 9, 12], &[0, 9, 12], Some(5))]
    #[case::placed_and_not_kept(&[5], &[4, 7, 8], Some(5))]
    fn kept_fds_stay_unless_they_are_targets(
        #[case] keep: &[Fd],
        #[case] placed: &[Fd],
        #[case] highest: Option<Fd>,
    ) {
        let exec = Exec { candidates: &[], argv: CStrArray::EMPTY, env: None, shell: None };
        let plan = Plan { keep: KeepList::new(keep).unwrap(), placed, ..Plan::new(exec) };
        assert_eq!(plan.highest_unmoved(), highest);
    }
}
