//! The plan of a child, flat and ready. `prepare` makes it in the parent, and [`child_exec`](crate::child_exec) executes it.
//!
//! A plan has no order of its own: that is [`Stage::ORDER`](crate::Stage::ORDER). An operation that is not requested is
//! `None`, `false` or an empty slice.

use crate::{
    Attribute, CStrArray, CloseStrategy, Errno, FIRST_HIGH, Fd, KeepList, Limit, NamespaceSet, Namespaces,
    Pid, PidVariable, Signal, SignalSet,
};
use core::ffi::CStr;

/// All that a child does between its start and exec.
///
/// A plan names descriptors by number and owns none of them. Before the child touches one, it has a descriptor table of its
/// own, so a plan closes and replaces nothing in the parent. The child of a launcher over a real kernel uses the named
/// descriptors, which the caller of that kernel's constructor answers for.
#[expect(clippy::struct_excessive_bools, reason = "each is an operation that is requested or not")]
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// The descriptors from 3 up that the program gets: kept ones and the targets of mappings.
    pub keep: KeepList<'a>,
    /// The kept ones among them, which lose close-on-exec. The target of a mapping has no close-on-exec.
    pub inherit: &'a [Fd],
    /// The steps that put descriptors in place, in an order that the parent found.
    pub moves: &'a [Move],
    /// The descriptors that differ at each start. [`Source::SpawnFd`] is an index into them.
    pub ends: &'a [Fd],
    /// The targets of moves among `keep`, sorted. The child does not need the parent's descriptor of that number, unless a move
    /// reads it. A missing entry costs time only.
    pub placed: &'a [Fd],
    /// The descriptors whose file the child may open anew, because nothing shares their open file description with it: its
    /// position and its status flags.
    pub reopen: &'a [Reopen],
    /// A control group to enter.
    pub cgroup: Option<Cgroup>,
    /// Namespaces to join and to create.
    pub namespaces: Namespaces<'a>,
    /// A new root directory.
    pub root: Option<&'a CStr>,
    /// A new working directory, entered with the IDs of the parent. A path is relative to the new root.
    pub early_directory: Option<WorkingDirectory<'a>>,
    /// A new working directory, entered with the IDs of the child. An absolute path starts at the new root, a relative one at
    /// `early_directory`.
    pub directory: Option<WorkingDirectory<'a>>,
    /// A new file mode creation mask.
    pub umask: Option<u32>,
    /// Ignored signals that get their default action. Handled ones always do.
    pub reset: SignalSet,
    /// The signals to ignore.
    pub ignore: SignalSet,
    /// Starts a session.
    pub session: bool,
    /// The process group to join; 0 is a new one.
    pub process_group: Option<Pid>,
    /// The new controlling terminal.
    pub terminal: Option<Fd>,
    /// The terminal whose foreground process group becomes that of the child.
    pub foreground: Option<Fd>,
    /// Resource limits, set in this order.
    pub limits: &'a [Limit],
    /// The nice value.
    pub nice: Option<i32>,
    /// The supplementary groups.
    pub groups: Option<&'a [u32]>,
    /// The group ID.
    pub gid: Option<u32>,
    /// The user ID.
    pub uid: Option<u32>,
    /// Attributes that only some systems have, at most one of each kind. The list orders those of one stage only.
    pub attributes: &'a [Attribute<'a>],
    /// Gives up the privileges that an exec could grant.
    pub no_new_privs: bool,
    /// The signal to request for the death of the parent.
    pub die_with_parent: Option<Signal>,
    /// The signal mask of the program.
    pub mask: Mask,
    /// The caller's own code.
    pub hook: Option<Hook<'a>>,
    /// The step with which closing of the other descriptors begins. `None` leaves them open.
    pub close: Option<CloseStrategy>,
    /// Returns a descriptor of the child, if the system can create one with the child.
    pub pidfd: bool,
    /// Lets the kernel reap the child, if it can: see [`Autoreap`].
    pub autoreap: Option<Autoreap>,
    /// Records the time of each stage.
    pub timed: bool,
    /// The open file of the program. It takes the place of the candidates of `exec`.
    pub executable: Option<Fd>,
    /// Variables in the environment of `exec` that get the process ID of the program.
    pub own_pids: &'a [PidVariable],
    /// The program.
    pub exec: Exec<'a>,
}

impl<'a> Plan<'a> {
    /// A plan that closes everything from 3 up and executes a program.
    pub const fn new(exec: Exec<'a>) -> Self {
        Self {
            keep: KeepList::EMPTY,
            inherit: &[],
            moves: &[],
            ends: &[],
            placed: &[],
            reopen: &[],
            cgroup: None,
            namespaces: Namespaces { join: &[], new: NamespaceSet::EMPTY, maps: None },
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
            attributes: &[],
            no_new_privs: false,
            die_with_parent: None,
            mask: Mask::Inherit,
            hook: None,
            close: Some(CloseStrategy::Bulk),
            pidfd: true,
            autoreap: None,
            timed: false,
            executable: None,
            own_pids: &[],
            exec,
        }
    }

    /// Returns whether the program gets `fd`, or the plan uses that number on the way. No descriptor of the launcher may have
    /// such a number.
    pub fn claims(&self, fd: Fd) -> bool {
        (0..=2).contains(&fd) || self.keep.contains(fd)
    }

    /// The descriptors that the program gets under the numbers that they have in the parent, the highest first. The search
    /// walks two sorted lists from their ends.
    pub fn unmoved(&self) -> impl Iterator<Item = Fd> {
        let mut placed = self.placed.iter().rev().copied().peekable();
        self.keep.as_slice().iter().rev().copied().filter(move |&kept| {
            while placed.next_if(|&target| target > kept).is_some() {}
            placed.peek() != Some(&kept)
        })
    }

    /// The descriptors that the moves and later stages of a child read. A child in a control group does not enter it.
    pub(crate) fn read(&self, in_cgroup: bool) -> impl Iterator<Item = Fd> {
        let directories = [self.early_directory, self.directory].map(|directory| match directory {
            Some(WorkingDirectory::Fd(fd)) => Some(fd),
            _ => None,
        });
        let procs = self.cgroup.filter(|_| !in_cgroup).map(|cgroup| cgroup.procs);
        let tools = [procs, self.terminal, self.foreground, self.ruleset(), self.executable];
        let moved = self.moves.iter().filter_map(|step| step.source()).map(|source| source.number(self.ends));
        let joined = self.namespaces.join.iter().copied();
        moved.chain(tools.into_iter().chain(directories).flatten()).chain(joined)
    }

    /// The descriptor of the Landlock ruleset.
    pub(crate) fn ruleset(&self) -> Option<Fd> {
        self.attributes.iter().find_map(|attribute| match attribute {
            Attribute::Landlock(fd) => Some(*fd),
            _ => None,
        })
    }

    /// Returns whether the child installs a seccomp filter.
    pub(crate) fn is_filtered(&self) -> bool {
        self.attributes.iter().any(|attribute| matches!(attribute, Attribute::Seccomp(_)))
    }

    /// Returns whether the program starts stopped. Then the launcher waits for the stop, and ends the tracing of the child.
    pub fn is_suspended(&self) -> bool {
        self.attributes.contains(&Attribute::Suspended)
    }

    /// Returns whether a child may need any descriptor: none is closed, or a closure runs.
    pub(crate) const fn needs_any_fd(&self) -> bool {
        self.close.is_none() || self.hook.is_some()
    }

    /// Returns whether the child needs a descriptor with a high number, and knows which.
    pub fn needs_high_fds(&self) -> bool {
        let mut needed = self.unmoved().take(1).chain(self.read(false));
        !self.needs_any_fd() && needed.any(|fd| fd >= FIRST_HIGH)
    }

    /// The access with which the child may open the file of a descriptor anew, if it may.
    pub(crate) fn access_to(&self, fd: Fd) -> Option<Access> {
        self.reopen.iter().find(|reopen| reopen.fd == fd).map(|reopen| reopen.access)
    }
}

/// The kernel reaps the child when it ends (`CLONE_AUTOREAP` of clone3(2), Linux 7.1). The pidfd has its status.
///
/// A launcher that cannot do this starts an ordinary child for [`Reap`](Self::Reap). For [`ReapAndKill`](Self::ReapAndKill) the
/// Linux launcher returns [`LaunchError::Parent`](crate::LaunchError::Parent) with [`Stage::DieWithParent`](crate::Stage) and
/// starts no child. Only a backend with [`Operation::Autoreap`](crate::Operation::Autoreap) may be asked for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Autoreap {
    /// The kernel reaps the child.
    Reap,
    /// It also kills the child when the last copy of the pidfd is closed (`CLONE_PIDFD_AUTOKILL`). That takes the place of
    /// [`Plan::die_with_parent`].
    ReapAndKill,
}

/// One step that puts a descriptor in place. The parent orders the steps so that no step overwrites a source before its last
/// use. One saved copy breaks each cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Duplicates `from` onto `to`. If they have the same number, clears close-on-exec.
    Copy {
        /// The source, still open under its number.
        from: Source,
        /// The target.
        to: Fd,
    },
    /// Clears close-on-exec, so that the program gets the descriptor under its number.
    ClearCloexec(Fd),
    /// Saves a copy of the descriptor under a free number that the plan does not claim.
    SaveTemp(Source),
    /// Duplicates the saved copy onto the target, and closes it.
    RestoreTemp(Fd),
    /// Closes the number, if it is open.
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

    /// The descriptor that the step reads, if any.
    pub const fn source(self) -> Option<Source> {
        match self {
            Self::Copy { from, .. } | Self::SaveTemp(from) => Some(from),
            Self::ClearCloexec(fd) | Self::CloseOpen(fd) => Some(Source::Fd(fd)),
            Self::RestoreTemp(_) | Self::Close(_) => None,
        }
    }
}

/// The source of a [`Move`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The descriptor with this number.
    Fd(Fd),
    /// The descriptor with this index in [`Plan::ends`].
    SpawnFd(u8),
}

impl Source {
    /// Returns the number. For an index beyond the end it is -1, which no descriptor has.
    pub fn number(self, ends: &[Fd]) -> Fd {
        match self {
            Self::Fd(fd) => fd,
            Self::SpawnFd(place) => ends.get(usize::from(place)).copied().unwrap_or(NO_FD),
        }
    }
}

const NO_FD: Fd = -1;

/// A descriptor whose file the child may open anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reopen {
    /// The descriptor.
    pub fd: Fd,
    /// The access that the program gets.
    pub access: Access,
}

/// The access mode of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `O_RDONLY`.
    Read,
    /// `O_WRONLY`.
    Write,
    /// `O_RDWR`.
    ReadWrite,
}

/// A control group of Linux, version 2 (cgroups(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// Its directory, for a child that is created in it.
    pub directory: Fd,
    /// Its `cgroup.procs`, open for writing, for a child that enters it.
    pub procs: Fd,
}

/// The working directory of the program.
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
    /// The mask of the thread that starts the program.
    Inherit,
    /// This mask.
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

/// The failure of a [`Hook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookError {
    /// It returned an error with this errno.
    Errno(Errno),
    /// It returned an error without an errno.
    NoErrno,
    /// It panicked.
    Panicked,
}

/// The program to execute. The candidates are tried in order.
#[derive(Clone, Copy)]
pub struct Exec<'a> {
    /// The paths to try.
    pub candidates: &'a [&'a CStr],
    /// The arguments, including the zeroth.
    pub argv: CStrArray<'a>,
    /// The environment, or `None` for that of the process.
    pub env: Option<CStrArray<'a>>,
    /// The shell for a file that the kernel does not recognise.
    pub shell: Option<ShellFallback<'a>>,
}

/// Runs a candidate through a shell if execve(2) fails with `ENOEXEC`, as execvp(3) does.
#[derive(Clone, Copy)]
pub struct ShellFallback<'a> {
    /// The path of the shell.
    pub shell: &'a CStr,
    /// The arguments of the shell for each candidate: its name, the candidate, and the arguments of the program.
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
        assert_eq!(plan.unmoved().next(), highest);
    }
}
