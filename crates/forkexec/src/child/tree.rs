//! The tree of a child: the child and its descendants. Its containment is chosen when the child starts. When
//! the tree is killed, the report tells which guarantee held.
//!
//! - `cgroup`: a control group of the child's own
//! - `reaper`: a process that inherits orphans, on FreeBSD
//! - `group`: a process group, or a session
//! - `walk`: the system's list of processes, the last resort

mod group;
pub(crate) mod reaper;
pub(crate) mod walk;

use crate::sys::cgroup::ChildCgroup;
use crate::sys::orphans::Calls;
use crate::sys::system::{self, pidfd};
use crate::sys::tree_means::{Leads, TreeMeans};
use forkexec_core::Errno;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;
use walk::Walk;

/// The guarantee that held when a tree was killed. It tells which processes may have survived.
///
/// Values are ordered from the weakest to the strongest guarantee.
///
/// # Examples
///
/// See [`Child::kill_tree`](crate::Child::kill_tree).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Coverage {
    /// No process was signalled: the child was waited for, its pid may belong to another process, and its
    /// tree has no other containment.
    Nothing,
    /// Only the child was signalled: its descendants are not known.
    Child,
    /// The processes that could be found by descent from the child, or from a descendant that was alive. A
    /// survivor is possible: an orphan whose parent had ended before, and which is in no process group or
    /// session of such a process.
    Walk,
    /// The child's process group and, where the system lists processes, those that could be found by descent.
    /// An orphan that had joined another group may have survived.
    Group,
    /// The child's session, and the processes that could be found by descent. An orphan that had started
    /// another session may have survived.
    Session,
    /// All processes in the child's control group. The child's user may write to a group above, so a
    /// descendant may have moved out and survived.
    Cgroup,
    /// All descendants of the child, whatever they did: this process is their reaper.
    Reaper,
    /// All descendants of the child: they were in a control group, and when the child started, its user could
    /// not write to any group above. A survivor is possible only if a descendant gained privilege, for
    /// example by a set-user-id program ([`Command::no_new_privs`](crate::Command::no_new_privs) prevents
    /// that), or if another process moved it.
    SealedCgroup,
}

impl Coverage {
    /// Returns true if no descendant can have survived by its own doing, except those that
    /// [refused](KillReport::refused) the signal.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Coverage;
    ///
    /// assert!(Coverage::SealedCgroup.is_complete());
    /// assert!(!Coverage::Cgroup.is_complete());
    /// ```
    pub fn is_complete(self) -> bool {
        matches!(self, Self::SealedCgroup | Self::Reaper)
    }
}

/// The result of killing a tree: [`Child::kill_tree`](crate::Child::kill_tree).
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Containment};
///
/// let mut job = Command::new("sh").args(["-c", "sleep 600 & wait"]).containment(Containment::Group).spawn()?;
/// let report = job.kill_tree()?;
/// assert!(report.found() >= 1);
/// assert_eq!((report.refused(), report.failure()), (0, None));
/// job.wait()?;
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KillReport {
    pub(crate) coverage: Coverage,
    pub(crate) found: usize,
    pub(crate) refused: usize,
    pub(crate) failure: Option<Errno>,
}

impl KillReport {
    /// Returns the guarantee that held.
    ///
    /// # Examples
    ///
    /// See [`KillReport`].
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// Returns the number of processes in the tree, counted a moment before the kill.
    ///
    /// If the system does not list processes, it is 1 for a process group, because the number of its members
    /// is not known.
    ///
    /// # Examples
    ///
    /// See [`KillReport`].
    pub fn found(&self) -> usize {
        self.found
    }

    /// Returns the number of processes that could not be signalled, mostly because they changed their user.
    /// They survived.
    ///
    /// If the kernel names only the first of them ([`Containment::Reaper`](crate::Containment::Reaper)), it
    /// is 1.
    ///
    /// # Examples
    ///
    /// See [`KillReport`].
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// Returns the first error of the call, if there was one. Every process that was found before the error
    /// was killed. Descendants that were not found may have survived, or it is unknown whether all processes
    /// have ended.
    ///
    /// One such error is `EMFILE`: [`Coverage::Walk`] needs at least two free descriptors.
    ///
    /// # Examples
    ///
    /// See [`KillReport`].
    pub fn failure(&self) -> Option<Errno> {
        self.failure
    }
}

/// The containment of one child's tree, and the operations that kill the tree.
#[derive(Debug, Default)]
pub(crate) struct TreeHandle(pub(crate) TreeMeans);

impl TreeHandle {
    /// Returns true if the policy for a dropped child applies to its tree.
    pub(crate) fn is_chosen(&self) -> bool {
        self.0.is_chosen
    }

    /// Returns true if only the child's pid identifies the tree, so that the pid must not be reused.
    pub(crate) fn needs_number(&self) -> bool {
        self.0.needs_number()
    }

    /// Kills all processes of the tree, and waits for their end if `waits` is set. `is_ours` tells whether
    /// `root` is still the child's pid.
    pub(crate) fn kill(&self, root: i32, is_ours: bool, waits: bool) -> io::Result<KillReport> {
        let killed = |coverage, found| KillReport { coverage, found, refused: 0, failure: None };
        if let Some(cgroup) = &self.0.cgroup {
            let coverage = if cgroup.is_sealed() { Coverage::SealedCgroup } else { Coverage::Cgroup };
            if let Some(found) = unless_gone(cgroup.end(waits))? {
                return Ok(killed(coverage, found));
            }
        }
        if !is_ours {
            return Ok(killed(Coverage::Nothing, 0));
        }
        if self.0.reaps {
            let reaper::Killed { found, refused } = reaper::kill(&system::reaper::Kernel, root)?;
            return Ok(KillReport { refused, ..killed(Coverage::Reaper, found) });
        }
        self.kill_by_number(root, waits)
    }

    /// Kills what the pidfd of a child that the kernel reaps identifies: the process group that the child leads, or the child.
    /// The caller also kills the child.
    pub(crate) fn kill_by_pidfd(&self, child: BorrowedFd<'_>) -> io::Result<KillReport> {
        let killed = |coverage| KillReport { coverage, found: 1, refused: 0, failure: None };
        match self.0.leads {
            Leads::Nothing => Ok(killed(Coverage::Child)),
            Leads::Group | Leads::Session => match pidfd::signal_group(child, libc::SIGKILL) {
                Err(error) if error.raw_os_error() != Some(libc::ESRCH) => Err(error),
                _ => Ok(killed(Coverage::Group)),
            },
        }
    }

    /// Sends `SIGTERM`, then `SIGCONT`, to the process group of such a child, if it leads one. Returns true if it got them.
    pub(crate) fn terminate_by_pidfd(&self, child: BorrowedFd<'_>) -> bool {
        let signals = [libc::SIGTERM, libc::SIGCONT];
        self.0.leads != Leads::Nothing
            && signals.into_iter().all(|signal| pidfd::signal_group(child, signal).is_ok())
    }

    fn kill_by_number(&self, root: i32, waits: bool) -> io::Result<KillReport> {
        // A stopped process starts no other, so the number of processes to find does not grow.
        let _ = self.signal_group(root, libc::SIGSTOP);
        let mut walk = Walk::stopping(&system::processes::Kernel, root);
        let killed = self.signal_group(root, libc::SIGKILL);
        walk.signal(libc::SIGKILL);
        let (found, refused) = (walk.count(), walk.refused());
        let coverage = match self.0.leads {
            Leads::Session if walk.is_settled() => Coverage::Session,
            Leads::Group | Leads::Session => Coverage::Group,
            Leads::Nothing if found == 0 => Coverage::Child,
            Leads::Nothing => Coverage::Walk,
        };
        if found == 0 {
            killed?;
        }
        let waited = if waits && refused == 0 { walk.have_ended(None).map(drop) } else { Ok(()) };
        let failure = walk.failure().or(waited.err()).and_then(|error| errno(&error));
        Ok(KillReport { coverage, found: found.max(1), refused, failure })
    }

    /// Signals the group or session that the child leads, if it leads one.
    fn signal_group(&self, root: i32, signal: i32) -> io::Result<()> {
        if self.0.leads == Leads::Nothing { Ok(()) } else { group::signal(root, signal) }
    }

    /// Sends `SIGTERM` to every process that can be found now, and returns what to wait with. A stopped
    /// process gets `SIGTERM` only when it continues, so `SIGCONT` follows.
    pub(crate) fn terminate(&self, root: i32, is_ours: bool) -> Signalled<'_> {
        let mut signalled = Signalled { cgroup: None, walk: None, found: 0, failure: None };
        if let Some(cgroup) = &self.0.cgroup {
            match unless_gone(cgroup.signal(libc::SIGTERM)) {
                Ok(Some(found)) => {
                    signalled.note(cgroup.signal(libc::SIGCONT));
                    return Signalled { cgroup: Some(cgroup), found, ..signalled };
                }
                Ok(None) => {}
                Err(error) => {
                    signalled.note::<()>(Err(error));
                    signalled.note(cgroup.signal(libc::SIGCONT));
                    return Signalled { cgroup: Some(cgroup), ..signalled };
                }
            }
        }
        if !is_ours {
            return signalled;
        }
        if self.0.reaps {
            let kernel = &system::reaper::Kernel;
            let sent = signalled.note(kernel.signal(root, libc::SIGTERM));
            signalled.note(kernel.signal(root, libc::SIGCONT));
            return Signalled { found: sent.map_or(0, |sent| sent.count), ..signalled };
        }
        // The list comes first, and each process is signalled once: some programs react differently to a
        // second signal.
        let mut walk = Walk::signalling(&system::processes::Kernel, root, libc::SIGTERM);
        if walk.count() > walk.refused() {
            walk.signal(libc::SIGCONT);
            return Signalled { found: walk.count(), walk: Some(walk), ..signalled };
        }
        // Without pidfd_open(2) every process of the list is refused, and without free descriptors there is no list. The
        // group and the child can still be signalled.
        signalled.note(walk.failure().map_or(Ok(()), Err));
        if self.0.leads != Leads::Nothing {
            let sent = signalled.note(self.signal_group(root, libc::SIGTERM));
            signalled.note(self.signal_group(root, libc::SIGCONT));
            signalled.found = usize::from(sent.is_some());
        }
        signalled
    }

    /// Returns the control group, which must be removed after the child is dropped.
    pub(crate) fn into_cgroup(self) -> Option<ChildCgroup> {
        self.0.cgroup
    }

    /// Reaps orphans that this process inherited.
    pub(crate) fn collect_orphans(&self, root: i32) {
        if self.0.reaps {
            reaper::collect(&system::reaper::Kernel, root);
        }
    }
}

/// Turns `ENOENT` into `None`: the group is gone.
fn unless_gone<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}

/// Returns the errno. An error of this library has none.
fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

/// The processes that got `SIGTERM`.
pub(crate) struct Signalled<'a> {
    cgroup: Option<&'a ChildCgroup>,
    walk: Option<Walk<'static, system::processes::Kernel>>,
    /// Their number. If it is 0, not even the child was signalled.
    pub(crate) found: usize,
    failure: Option<io::Error>,
}

impl Signalled<'_> {
    /// Records an error of the system other than `ESRCH`.
    fn note<T>(&mut self, done: io::Result<T>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(error) => {
                let is_failure = error.raw_os_error().is_some_and(|errno| errno != libc::ESRCH);
                self.failure = self.failure.take().or(is_failure.then_some(error));
                None
            }
        }
    }

    /// Waits until they have ended or the time is over, and returns whether they have, as far as it is known.
    /// Returns `None` if it cannot wait.
    pub(crate) fn have_ended(&mut self, end: Option<Instant>) -> Option<bool> {
        let ended = match (self.cgroup, &mut self.walk) {
            (Some(cgroup), _) => cgroup.is_empty_by(end),
            (None, Some(walk)) => walk.have_ended(end),
            (None, None) => return None,
        };
        self.note(ended)
    }

    /// Returns the first error.
    pub(crate) fn failure(self) -> Option<Errno> {
        let failure = self.failure.or_else(|| self.walk.and_then(Walk::failure));
        failure.and_then(|error| errno(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::sys::process_list::Calls as _;
    use crate::sys::system::pidfd;
    use rstest::rstest;
    use std::fs;
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process;
    use std::time::Duration;

    /// The portable backend and some systems cannot list processes and signal them safely.
    fn finds_processes() -> bool {
        pidfd::open(process::id().try_into().expect("it is a pid")).is_ok()
            && system::processes::Kernel.all().is_ok()
    }

    /// A shell that waits for a child of its own. Both run when this returns.
    fn family(leads: Leads) -> crate::Child {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 2>&- & echo; wait"]).stdout(crate::Stdio::piped());
        match leads {
            Leads::Nothing => {}
            Leads::Group => _ = command.process_group(0),
            Leads::Session => _ = command.setsid(),
        }
        let mut child = command.spawn().expect("it starts");
        child.stdout.take().expect("it is piped").read_exact(&mut [0]).expect("it runs");
        child
    }

    fn led(leads: Leads) -> TreeHandle {
        TreeHandle(TreeMeans { leads, ..TreeMeans::default() })
    }

    #[rstest]
    #[case::nothing(Coverage::Nothing, false)]
    #[case::group(Coverage::Group, false)]
    #[case::cgroup(Coverage::Cgroup, false)]
    #[case::reaper(Coverage::Reaper, true)]
    #[case::sealed_cgroup(Coverage::SealedCgroup, true)]
    fn some_coverages_are_complete(#[case] coverage: Coverage, #[case] expected: bool) {
        assert_eq!(coverage.is_complete(), expected);
    }

    #[test]
    fn report_has_what_was_counted() {
        let failure = Some(Errno::MFILE);
        let report = KillReport { coverage: Coverage::Walk, found: 3, refused: 2, failure };
        let seen = (report.coverage(), report.found(), report.refused(), report.failure());
        assert_eq!(seen, (Coverage::Walk, 3, 2, failure));
    }

    #[rstest]
    #[case::of_no_group(Leads::Nothing, Coverage::Walk)]
    #[case::of_a_group(Leads::Group, Coverage::Group)]
    #[case::of_a_session(Leads::Session, Coverage::Session)]
    fn running_tree_is_found_by_the_number_of_its_root(#[case] leads: Leads, #[case] coverage: Coverage) {
        if !finds_processes() {
            return;
        }
        let mut child = family(leads);
        let killed = led(leads).kill(child.pid(), true, true).expect("it is ours");
        assert_eq!(killed, KillReport { coverage, found: 2, refused: 0, failure: None });
        child.wait().expect("it was killed");
    }

    /// Its number is known, and no process of the tree is.
    #[rstest]
    #[case::of_no_group(Leads::Nothing, Coverage::Child)]
    #[case::of_a_group(Leads::Group, Coverage::Group)]
    fn tree_that_has_ended_counts_its_root(#[case] leads: Leads, #[case] coverage: Coverage) {
        let mut command = Command::new("true");
        if leads == Leads::Group {
            command.process_group(0);
        }
        let mut child = command.spawn().expect("it starts");
        assert!(child.ends_within(Duration::from_secs(60)).expect("it is ours"));
        let killed = led(leads).kill(child.pid(), true, false).expect("it is ours");
        assert_eq!((killed.coverage, killed.found), (coverage, 1));
        let lost = led(leads).kill(child.pid(), false, false).expect("nothing is done");
        assert_eq!((lost.coverage, lost.found), (Coverage::Nothing, 0));
        child.wait().expect("it has ended");
    }

    #[test]
    fn each_process_of_a_tree_is_asked_to_end() {
        if !finds_processes() {
            return;
        }
        let mut child = family(Leads::Nothing);
        let tree = led(Leads::Nothing);
        let mut signalled = tree.terminate(child.pid(), true);
        assert_eq!(signalled.found, 2);
        // The shell ends first, and the other one is an orphan then.
        assert!(signalled.walk.is_some());
        child.wait().expect("it gets the signal");
        assert_eq!(signalled.have_ended(Some(Instant::now() + Duration::from_secs(60))), Some(true));
        assert_eq!(signalled.failure(), None);
    }

    /// Opens a pidfd, if the kernel signals groups by pidfds: Linux 6.9.
    fn leader(child: &crate::Child) -> Option<OwnedFd> {
        pidfd::open(child.pid()).ok().filter(|leader| pidfd::signal_group(leader.as_fd(), 0).is_ok())
    }

    #[rstest]
    #[case::of_no_group(Leads::Nothing, false)]
    #[case::of_a_group(Leads::Group, true)]
    fn only_a_group_that_the_child_leads_is_asked_to_end(#[case] leads: Leads, #[case] is_asked: bool) {
        let mut child = family(Leads::Group);
        if let Some(leader) = leader(&child) {
            assert_eq!(led(leads).terminate_by_pidfd(leader.as_fd()), is_asked);
            if is_asked {
                let status = child.wait_timeout(Duration::from_secs(30)).expect("it is ours");
                assert_eq!(status.and_then(|status| status.signal()), Some(libc::SIGTERM));
                return;
            }
        }
        led(Leads::Group).kill(child.pid(), true, true).expect("it is ours");
        assert_eq!(child.wait().expect("it was killed").signal(), Some(libc::SIGKILL));
    }

    #[test]
    fn signal_to_a_group_that_is_gone_is_no_error_and_others_are() {
        let mut child = Command::new("true").process_group(0).spawn().expect("it starts");
        let leader = leader(&child);
        child.wait().expect("it ends");
        if let Some(leader) = leader {
            let killed = led(Leads::Group).kill_by_pidfd(leader.as_fd()).expect("it is gone");
            assert_eq!((killed.coverage, killed.found), (Coverage::Group, 1));
        }
        let other = File::open("/dev/null").expect("it is there");
        led(Leads::Group).kill_by_pidfd(other.as_fd()).expect_err("it is no process");
        assert!(!led(Leads::Group).terminate_by_pidfd(other.as_fd()));
    }

    #[rstest]
    #[case::is_gone(io::Error::from_raw_os_error(libc::ESRCH), None)]
    #[case::is_unsupported(io::ErrorKind::Unsupported.into(), None)]
    #[case::is_refused(io::Error::from_raw_os_error(libc::EPERM), Some(Errno::PERM))]
    fn only_errors_of_the_system_count_as_failures(
        #[case] error: io::Error,
        #[case] expected: Option<Errno>,
    ) {
        let mut signalled = Signalled { cgroup: None, walk: None, found: 0, failure: None };
        assert_eq!(signalled.note::<()>(Err(error)), None);
        assert_eq!(signalled.note(Ok(7)), Some(7));
        assert_eq!(signalled.failure(), expected);
    }

    #[rstest]
    #[case::one(true, 1)]
    #[case::none(false, 0)]
    fn members_of_a_cgroup_are_asked_to_end(#[case] is_member: bool, #[case] found: usize) {
        if !finds_processes() {
            return;
        }
        let directory = tempfile::tempdir().expect("a directory can be made");
        let mut child = Command::new("sleep").arg("600").spawn().expect("it starts");
        let members: &[u32] = if is_member { &[child.id()] } else { &[] };
        let cgroup = ChildCgroup::simulated_with(directory.path(), members, "populated 0\n");
        let tree = TreeHandle(TreeMeans { cgroup: Some(cgroup), ..TreeMeans::default() });
        let mut signalled = tree.terminate(child.pid(), true);
        assert_eq!((signalled.found, signalled.cgroup.is_some()), (found, true));
        assert_eq!(signalled.have_ended(None), Some(true), "by its file");
        assert_eq!(signalled.failure(), None);
        led(Leads::Nothing).kill(child.pid(), true, false).expect("it is ours");
        child.wait().expect("it has ended");
        assert!(tree.into_cgroup().is_some());
    }

    /// Then the group is still that of the tree, and the caller gets the error.
    #[test]
    fn cgroup_that_is_gone_is_no_error_and_an_unreadable_one_is() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let tree = |path: &Path| {
            let cgroup = Some(ChildCgroup::simulated(path.to_owned()));
            TreeHandle(TreeMeans { cgroup, ..TreeMeans::default() })
        };
        let gone = tree(&directory.path().join("gone"));
        let signalled = gone.terminate(0, false);
        assert_eq!((signalled.cgroup.is_some(), signalled.failure()), (false, None));
        fs::create_dir(directory.path().join("cgroup.procs")).expect("it can be made");
        let odd = tree(directory.path());
        let signalled = odd.terminate(0, false);
        assert_eq!((signalled.cgroup.is_some(), signalled.failure()), (true, Some(Errno::ISDIR)));
    }
}
