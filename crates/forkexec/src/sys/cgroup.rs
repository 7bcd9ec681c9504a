//! A control group (version 2, cgroups(7)) of a child's own.
//!
//! A process leaves its group by a write to `cgroup.procs` of another group. The kernel permits it if the
//! process may write to that file of the other group and of the nearest common ancestor of both groups
//! ("Delegation Containment" in `Documentation/admin-guide/cgroup-v2.rst`). So a child can leave if its user
//! may write to `cgroup.procs` of any group above its own.

mod refusal;

use super::poll::{is_readable_until, is_ready_until};
use super::system::pidfd;
use forkexec_core::Cgroup;
use nix::poll::PollFlags;
pub(crate) use refusal::{cgroup_failed, of_cgroup};
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Returns the directory of this process's own group, if the hierarchy of version 2 is mounted.
pub(crate) fn own() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| place_of(line, group))
}

/// Returns the path of a group below a mount, if it is a mount of the version 2 hierarchy:
/// proc_pid_mountinfo(5).
fn place_of(mount: &str, group: &str) -> Option<PathBuf> {
    let (place, kind) = mount.split_once(" - ")?;
    if kind.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = place.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    // The name of a group outside the mounted part begins with `/..`.
    let rest = Path::new(group).strip_prefix(root).ok()?;
    let is_seen = rest.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    // The kernel writes a blank, a tab or a backslash as an octal escape.
    (is_seen && !point.contains('\\')).then(|| Path::new(point).join(rest))
}

/// A group that was created for one child. The drop removes it if it is empty.
#[derive(Debug)]
pub(crate) struct ChildCgroup {
    path: PathBuf,
    /// The child could not leave when it started.
    is_sealed: bool,
    /// It was killed, and no process of it may live on.
    is_killed: AtomicBool,
}

/// The ids with which a child opens files.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// `None` if the list is not known; then any group is assumed.
    pub(crate) groups: Option<Vec<u32>>,
}

impl Identity {
    /// Returns true if the mode of a file lets this user write to it. The superuser always may.
    fn may_write(&self, file: &Metadata) -> bool {
        let is_listed = |gid| self.groups.as_ref().is_none_or(|groups| groups.contains(&gid));
        let in_group = file.gid() == self.gid || is_listed(file.gid());
        let allows = |bit| file.mode() & bit != 0;
        let is_owner = file.uid() == self.uid;
        self.uid == 0 || allows(0o002) || is_owner && allows(0o200) || in_group && allows(0o020)
    }

    /// Returns true if this user may write to `cgroup.procs` of a group or of one above it, or if that is not
    /// known.
    fn may_leave_for(&self, base: &Path) -> bool {
        let mut files = base.ancestors().map(|group| group.join("cgroup.procs").metadata());
        let first = files.next().into_iter();
        let above = files.take_while(|file| !matches!(file, Err(error) if is_removed(error)));
        first.chain(above).any(|file| file.map_or(true, |file| self.may_write(&file)))
    }
}

/// The descriptors by which the child is created in its group, or enters it.
pub(crate) struct CgroupFds {
    pub(crate) directory: OwnedFd,
    pub(crate) procs: OwnedFd,
}

impl CgroupFds {
    pub(crate) fn numbers(&self) -> Cgroup {
        Cgroup { directory: self.directory.as_raw_fd(), procs: self.procs.as_raw_fd() }
    }
}

impl ChildCgroup {
    /// Creates a group below `base`, for a child with this identity. Without one the child has the parent's
    /// ids. The parent can put processes into groups, so such a child can leave.
    pub(crate) fn make(base: &Path, identity: Option<&Identity>) -> io::Result<(Self, CgroupFds)> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let path = loop {
            let number = COUNT.fetch_add(1, Relaxed);
            let path = base.join(format!("forkexec-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Ok(()) => break path,
                // An earlier process with this pid was killed before it removed its group.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let is_sealed = identity.is_some_and(|identity| !identity.may_leave_for(base));
        let cgroup = Self { path, is_sealed, is_killed: AtomicBool::new(false) };
        let directory = File::open(&cgroup.path)?.into();
        let procs = File::options().write(true).open(cgroup.path.join("cgroup.procs"))?.into();
        Ok((cgroup, CgroupFds { directory, procs }))
    }

    /// A directory with the files of a group.
    #[cfg(test)]
    pub(crate) fn simulated(path: PathBuf) -> Self {
        Self { path, is_sealed: true, is_killed: AtomicBool::new(false) }
    }

    /// As [`simulated`](Self::simulated), and writes the list of members and the state.
    #[cfg(test)]
    pub(crate) fn simulated_with(path: &Path, members: &[u32], events: &str) -> Self {
        let members: Vec<_> = members.iter().map(u32::to_string).collect();
        fs::write(path.join("cgroup.procs"), members.join("\n")).expect("it can be written");
        fs::write(path.join("cgroup.events"), events).expect("it can be written");
        Self::simulated(path.to_owned())
    }

    /// Returns true if the child could not leave when it started.
    pub(crate) fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// Kills all processes in the group and below it, including those that start meanwhile, and returns how
    /// many there were a moment before. Waits until the group is empty if `waits` is set.
    pub(crate) fn end(&self, waits: bool) -> io::Result<usize> {
        let members = self.members()?;
        if !waits {
            return self.kill(members.len());
        }
        // The kernel updates `cgroup.events` at most every ten milliseconds, so the last exit may show late.
        // Pidfds of the members show it at once. They are not needed if there are many members, and not used
        // if a pid was reused meanwhile.
        let own: Vec<OwnedFd> = members.iter().take(FEW).filter_map(|&pid| pidfd::open(pid).ok()).collect();
        let remain = self.members()?;
        let are_theirs = members.iter().all(|pid| remain.contains(pid));
        let found = self.kill(members.len())?;
        let end = Instant::now() + PAUSE;
        for process in own.iter().filter(|_| are_theirs) {
            is_readable_until(process.as_fd(), Some(end))?;
        }
        self.await_empty()?;
        Ok(found)
    }

    /// Kills all processes in the group and below it.
    ///
    /// One write to `cgroup.kill` can miss a process that is being created at this moment: its parent gets the
    /// signal too late to cancel fork(2), and the process joins the group behind the kernel's walk through it
    /// (seen on Linux 6.18). So the group is frozen first. Such a process never runs, and
    /// [`await_empty`](Self::await_empty) and [`remove`](Self::remove) kill it. `SIGKILL` also ends frozen
    /// processes.
    fn kill(&self, count: usize) -> io::Result<usize> {
        let freeze = |state| fs::write(self.path.join("cgroup.freeze"), state);
        let frozen = freeze("1");
        let written = File::options().write(true).open(self.path.join("cgroup.kill"));
        let killed = match written.and_then(|mut file| file.write_all(b"1")) {
            Ok(()) => Ok(count),
            // `cgroup.kill` exists since Linux 5.14.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.path.exists() => {
                frozen.and_then(|()| self.wait_for("frozen 1", None)).and_then(|_| self.signal(libc::SIGKILL))
            }
            Err(error) => Err(error),
        };
        if killed.is_err() {
            // The processes that could not be killed run on, and the caller gets the error.
            let _ = freeze("0");
        }
        self.is_killed.store(killed.is_ok(), Relaxed);
        killed
    }

    /// Sends a signal to all processes in the group and below it now, and returns their number.
    ///
    /// # Errors
    ///
    /// Returns the first error. All other processes have got the signal then.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<usize> {
        let mut count = 0;
        let mut failed = None;
        for pid in self.members()? {
            match self.signal_one(pid, signal) {
                Ok(()) => count += 1,
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(count), Err)
    }

    fn signal_one(&self, pid: i32, signal: i32) -> io::Result<()> {
        let process = pidfd::open(pid)?;
        // If the pid was reused meanwhile, the group does not list it any more.
        if !self.members()?.contains(&pid) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        pidfd::signal(process.as_fd(), pid, signal)
    }

    /// Waits until the group is empty or the time is over, and returns whether it is empty.
    pub(crate) fn is_empty_by(&self, end: Option<Instant>) -> io::Result<bool> {
        self.wait_for("populated 0", end)
    }

    /// Waits until the group is empty. Kills it again meanwhile if it was killed.
    pub(crate) fn await_empty(&self) -> io::Result<()> {
        let end = || self.is_killed.load(Relaxed).then(|| Instant::now() + PAUSE);
        while !self.is_empty_by(end())? {
            self.kill(0)?;
        }
        Ok(())
    }

    /// Opens the file that reports when the group is empty: see [`wait_for`](Self::wait_for).
    pub(crate) fn events(&self) -> io::Result<File> {
        File::open(self.path.join("cgroup.events"))
    }

    /// Waits for a line of `cgroup.events`. poll(2) reports that the file changed since the last read.
    fn wait_for(&self, line: &str, end: Option<Instant>) -> io::Result<bool> {
        let mut events = self.events()?;
        loop {
            if has_line(&mut events, line)? {
                return Ok(true);
            }
            if !is_ready_until(events.as_fd(), PollFlags::POLLPRI, end)? {
                return Ok(false);
            }
        }
    }

    /// Returns the processes in the group and below it.
    fn members(&self) -> io::Result<Vec<i32>> {
        let mut members = Vec::new();
        for group in groups(&self.path, below)? {
            let listed = match fs::read_to_string(group.join("cgroup.procs")) {
                // A group that was removed meanwhile was empty.
                Err(error) if group != self.path && is_removed(&error) => continue,
                listed => listed?,
            };
            members.extend(listed.lines().filter_map(|line| line.parse::<i32>().ok()));
        }
        Ok(members)
    }

    /// Removes the group if it is empty, and returns true if it is gone. Kills it again if it was killed and is
    /// not empty.
    pub(crate) fn remove(&self) -> bool {
        let is_empty = self.events().and_then(|mut events| has_line(&mut events, "populated 0"));
        if is_empty.is_ok_and(|is_empty| !is_empty) {
            if self.is_killed.load(Relaxed) {
                let _ = self.kill(0);
            }
            return false;
        }
        if let Ok(groups) = groups(&self.path, below) {
            // The list has each group before those below it.
            groups.iter().rev().for_each(|group| drop(fs::remove_dir(group)));
        }
        !self.path.exists()
    }
}

/// For example after a start that failed: the group is empty.
impl Drop for ChildCgroup {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The maximum number of pidfds that are opened to wait for the end of processes.
const FEW: usize = 16;

/// The time until a killed group that is not empty yet is killed again.
const PAUSE: Duration = Duration::from_millis(20);

/// Reads an open file from its start, and returns true if it has this line.
pub(crate) fn has_line(file: &mut File, line: &str) -> io::Result<bool> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text.lines().any(|found| found == line))
}

/// Returns the group and all groups below it. `below` returns those directly below one.
fn groups(path: &Path, below: impl Fn(&Path) -> io::Result<Vec<PathBuf>>) -> io::Result<Vec<PathBuf>> {
    let mut groups = vec![path.to_owned()];
    let mut next = 0;
    while let Some(group) = groups.get(next) {
        match below(group) {
            Ok(below) => groups.extend(below),
            Err(error) if next > 0 && is_removed(&error) => {}
            Err(error) => return Err(error),
        }
        next += 1;
    }
    Ok(groups)
}

/// Returns the groups directly below one.
fn below(group: &Path) -> io::Result<Vec<PathBuf>> {
    let mut below = Vec::new();
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            below.push(entry.path());
        }
    }
    Ok(below)
}

/// Returns true for an error of a removed group: `ENODEV` if it was removed while its file was open.
fn is_removed(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}

#[cfg(test)]
mod tests {
    use super::{ChildCgroup, Identity, groups, is_removed, own, pidfd, place_of};
    use nix::sys::stat::Mode;
    use nix::unistd::{geteuid, getpid, mkfifo};
    use rstest::rstest;
    use std::fs::{self, File, Permissions};
    use std::io::{self, Read};
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
    use std::os::unix::process::ExitStatusExt;
    use std::path::{Path, PathBuf};
    use std::process::{self, Command};
    use std::thread;

    /// Some containers mount a part of the hierarchy that the process is not in.
    #[test]
    fn own_group_lists_this_process() {
        let groups = fs::read_to_string("/proc/self/cgroup").expect("Linux has it");
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("Linux has it");
        let Some(own) = own() else {
            let is_in_it = groups.lines().any(|line| line.starts_with("0::/") && !line.starts_with("0::/.."));
            let is_whole = |line: &str| line.contains(" / ") && line.contains(" - cgroup2 ");
            assert!(!is_in_it || !mounts.lines().any(is_whole), "{groups}{mounts}");
            return;
        };
        let listed = fs::read_to_string(own.join("cgroup.procs")).expect("it is a group");
        assert!(listed.lines().any(|line| line == process::id().to_string()), "{listed}");
    }

    /// A directory with the files of a group on a kernel before 5.14, which has no `cgroup.kill`.
    fn simulated(members: &[u32], events: &str) -> (tempfile::TempDir, ChildCgroup) {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let cgroup = ChildCgroup::simulated_with(directory.path(), members, events);
        (directory, cgroup)
    }

    /// Without pidfds, no process of a group can be signalled.
    fn has_pidfds() -> bool {
        pidfd::open(getpid().as_raw()).is_ok()
    }

    #[test]
    fn processes_are_killed_one_by_one_without_the_file_for_it() {
        if !has_pidfds() {
            return;
        }
        let mut child = Command::new("sleep").arg("1000").spawn().expect("it starts");
        let (directory, cgroup) = simulated(&[child.id()], "populated 1\nfrozen 1\n");
        assert_eq!(cgroup.end(false).expect("it is ours"), 1);
        assert_eq!(child.wait().expect("it is ours").signal(), Some(libc::SIGKILL));
        let state = fs::read_to_string(directory.path().join("cgroup.freeze"));
        assert_eq!(state.expect("it was written"), "1", "no process is thawed before it has ended");
    }

    /// Opening the file fails for another reason than that there is none.
    #[test]
    fn failed_kill_leaves_the_processes_running() {
        let mut child = Command::new("sleep").arg("1000").spawn().expect("it starts");
        let (directory, cgroup) = simulated(&[child.id()], "populated 1\nfrozen 1\n");
        fs::create_dir(directory.path().join("cgroup.kill")).expect("it can be made");
        let error = cgroup.end(false).expect_err("a directory cannot be written");
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        let state = fs::read_to_string(directory.path().join("cgroup.freeze"));
        assert_eq!(state.expect("it was written"), "0");
        assert_eq!(child.try_wait().expect("it is ours"), None);
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
    }

    /// The kernel lists 0 for a process that this pid namespace does not have (cgroups(7)).
    #[rstest]
    #[case::that_ended(i32::MAX.unsigned_abs(), Ok(0))]
    #[case::of_another_namespace(0, Err(io::ErrorKind::InvalidInput))]
    fn process_that_has_ended_needs_no_signal(
        #[case] pid: u32,
        #[case] expected: Result<usize, io::ErrorKind>,
    ) {
        if !has_pidfds() {
            return;
        }
        let (_directory, cgroup) = simulated(&[pid], "populated 1\n");
        assert_eq!(cgroup.signal(libc::SIGTERM).map_err(|error| error.kind()), expected);
    }

    /// Only a group below may be removed meanwhile: the group itself is this library's.
    #[rstest]
    #[case::none("", libc::ENOENT, Ok(3))]
    #[case::removed("top/a", libc::ENOENT, Ok(3))]
    #[case::unreadable("top/a", libc::EACCES, Err(libc::EACCES))]
    #[case::itself("top", libc::ENOENT, Err(libc::ENOENT))]
    fn groups_are_listed_without_removed_ones(
        #[case] failing: &str,
        #[case] errno: i32,
        #[case] expected: Result<usize, i32>,
    ) {
        let found = groups(Path::new("top"), |group| match group {
            group if group == Path::new(failing) => Err(io::Error::from_raw_os_error(errno)),
            group if group == Path::new("top") => Ok(vec![PathBuf::from("top/a"), PathBuf::from("top/b")]),
            _ => Ok(Vec::new()),
        });
        let found = found.map(|groups| groups.len()).map_err(|error| error.raw_os_error().unwrap_or(0));
        assert_eq!(found, expected);
    }

    /// rmdir(2) removes an empty directory as it removes an empty group.
    #[test]
    fn nested_groups_are_removed_from_the_bottom_up() {
        let above = tempfile::tempdir().expect("a directory can be made");
        let cgroup = ChildCgroup::simulated(above.path().join("cgroup"));
        fs::create_dir_all(cgroup.path.join("a/b")).expect("they can be made");
        assert!(cgroup.remove());
    }

    /// A simulated group of a process that survives the first kill, because it was being created.
    ///
    /// Faults: W21
    #[rstest]
    fn process_that_a_kill_missed_is_frozen_and_killed_again(#[values(true, false)] waits: bool) {
        let above = tempfile::tempdir().expect("a directory can be made");
        let cgroup = ChildCgroup::simulated_with(above.path(), &[], "populated 1\nfrozen 0\n");
        let file = |name: &str| above.path().join(name);
        let [mut freezes, mut kills] = [("freeze", libc::O_NONBLOCK), ("kill", 0)].map(|(name, flags)| {
            let path = file(&format!("cgroup.{name}"));
            mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("it can be made");
            // A FIFO that is open for both never blocks its writers and never ends.
            File::options().read(true).write(true).custom_flags(flags).open(path).expect("it is there")
        });
        let was_frozen = thread::scope(|scope| {
            let kernel = scope.spawn(|| {
                let was_frozen = [(); 2].map(|()| {
                    kills.read_exact(&mut [0]).expect("it is killed");
                    freezes.read_exact(&mut [0]).is_ok()
                });
                fs::write(file("cgroup.events"), "populated 0\nfrozen 0\n").expect("it can be written");
                was_frozen
            });
            assert_eq!(cgroup.end(waits).expect("it is killed"), 0);
            let events = fs::read_to_string(file("cgroup.events")).expect("it can be read");
            assert_eq!(events.contains("populated 0"), waits, "a second kill empties the group");
            while !kernel.is_finished() {
                cgroup.remove();
                thread::yield_now();
            }
            kernel.join().expect("it has both")
        });
        assert_eq!(was_frozen, [true; 2]);
    }

    /// Faults: W21
    #[test]
    fn group_that_was_not_killed_is_left_alone_while_it_has_members() {
        let above = tempfile::tempdir().expect("a directory can be made");
        fs::write(above.path().join("cgroup.events"), "populated 1\nfrozen 0\n").expect("it can be written");
        fs::create_dir(above.path().join("below")).expect("it can be made");
        assert!(!ChildCgroup::simulated(above.path().to_owned()).remove());
        let left = fs::read_dir(above.path()).expect("it is there");
        assert_eq!(left.count(), 2, "neither a group is removed nor a file is made");
    }

    /// A file with this mode. It is not the superuser's.
    fn file_with(path: &Path, mode: u32) {
        fs::write(path, "").expect("it can be written");
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
        if geteuid().is_root() {
            chown(path, Some(1_000), Some(1_000)).expect("the superuser may");
        }
    }

    /// Each bit of the mode applies to some users (path_resolution(7)). A group that is not known may be the file's.
    #[rstest]
    #[case::owner(0o200, true, false, Some(false), true)]
    #[case::owner_without_the_bit(0o022, true, false, Some(false), true)]
    #[case::owner_with_no_bit(0, true, true, Some(true), false)]
    #[case::bit_of_the_owner_for_others(0o200, false, true, Some(true), false)]
    #[case::group(0o020, false, true, Some(false), true)]
    #[case::listed_group(0o020, false, false, Some(true), true)]
    #[case::group_that_is_not_known(0o020, false, false, None, true)]
    #[case::other_groups(0o020, false, false, Some(false), false)]
    #[case::others(0o002, false, false, Some(false), true)]
    #[case::reading_alone(0o444, true, true, Some(true), false)]
    fn mode_decides_who_may_write(
        #[case] mode: u32,
        #[case] is_owner: bool,
        #[case] has_gid: bool,
        #[case] lists_gid: Option<bool>,
        #[case] expected: bool,
    ) {
        let above = tempfile::tempdir().expect("a directory can be made");
        let path = above.path().join("cgroup.procs");
        file_with(&path, mode);
        let file = path.metadata().expect("it is there");
        let own = |is_own, id: u32| if is_own { id } else { id + 1 };
        let identity = Identity {
            uid: own(is_owner, file.uid()),
            gid: own(has_gid, file.gid()),
            groups: lists_gid.map(|is_listed| vec![file.gid() + 2, own(is_listed, file.gid())]),
        };
        assert_eq!(identity.may_write(&file), expected);
        assert!(Identity { uid: 0, ..identity }.may_write(&file), "the superuser may");
    }

    /// The files of the group and of the two above it, from below. The highest directory has none: it is not of the hierarchy.
    #[rstest]
    #[case::none([Some(0), Some(0), Some(0)], false)]
    #[case::own([Some(0o222), Some(0), Some(0)], true)]
    #[case::highest([Some(0), Some(0), Some(0o222)], true)]
    #[case::missing_at_first([None, Some(0), Some(0)], true)]
    #[case::end_of_the_hierarchy([Some(0), None, Some(0o222)], false)]
    fn child_may_leave_if_it_may_write_above(#[case] modes: [Option<u32>; 3], #[case] expected: bool) {
        let above = tempfile::tempdir().expect("a directory can be made");
        let base = above.path().join("c/b/a");
        fs::create_dir_all(&base).expect("they can be made");
        for (group, mode) in base.ancestors().zip(modes) {
            if let Some(mode) = mode {
                file_with(&group.join("cgroup.procs"), mode);
            }
        }
        let identity = Identity { uid: 4_321, gid: 4_321, groups: Some(Vec::new()) };
        assert_eq!(identity.may_leave_for(&base), expected);
    }

    /// A group that was removed meanwhile has no list.
    #[test]
    fn members_are_those_of_all_groups_that_are_left() {
        let above = tempfile::tempdir().expect("a directory can be made");
        let cgroup = ChildCgroup::simulated(above.path().to_owned());
        let is_gone = |error: io::Error| is_removed(&error);
        assert_eq!(cgroup.members().map_err(is_gone), Err(true), "its own list is missing");
        for (name, list) in [(".", "1\n2\n"), ("a", "3\n"), ("a/b", "4\n")] {
            fs::create_dir_all(above.path().join(name)).expect("it can be made");
            fs::write(above.path().join(name).join("cgroup.procs"), list).expect("it can be written");
        }
        fs::create_dir(above.path().join("removed")).expect("it can be made");
        let mut members = cgroup.members().expect("there are lists");
        members.sort_unstable();
        assert_eq!(members, [1, 2, 3, 4]);
        fs::create_dir_all(above.path().join("odd/cgroup.procs")).expect("it can be made");
        assert_eq!(cgroup.members().map_err(is_gone), Err(false), "a directory is no list");
    }

    #[rstest]
    #[case::no_file(libc::ENOENT, true)]
    #[case::no_group(libc::ENODEV, true)]
    #[case::refused(libc::EACCES, false)]
    fn removed_group_has_two_errors(#[case] errno: i32, #[case] expected: bool) {
        assert_eq!(is_removed(&io::Error::from_raw_os_error(errno)), expected);
    }

    /// Those of an earlier process with this number. A plain directory has no list, so the group itself is not made.
    #[test]
    fn taken_names_are_passed_over() {
        let base = tempfile::tempdir().expect("a directory can be made");
        for number in 0..1_000 {
            let name = format!("forkexec-{}-{number}", process::id());
            fs::create_dir(base.path().join(name)).expect("it can be made");
        }
        let made = ChildCgroup::make(base.path(), None);
        assert_eq!(made.err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
    }

    #[rstest]
    #[case::root("30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw", "/", Some("/sys/fs/cgroup"))]
    #[case::below_it(
        "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 none rw",
        "/a/b",
        Some("/sys/fs/cgroup/a/b")
    )]
    #[case::part_is_mounted("30 23 0:26 /a /mnt rw - cgroup2 none rw", "/a/b", Some("/mnt/b"))]
    #[case::another_part_is_mounted("30 23 0:26 /c /mnt rw - cgroup2 none rw", "/a/b", None)]
    #[case::outside_of_the_namespace("30 23 0:26 / /mnt rw - cgroup2 none rw", "/../b", None)]
    #[case::version_1("30 23 0:26 / /mnt rw - cgroup cgroup rw,cpu", "/", None)]
    #[case::blank_in_the_name(r"30 23 0:26 / /a\040b rw - cgroup2 none rw", "/", None)]
    #[case::nonsense("30", "/", None)]
    fn cgroup_path_lies_below_its_mount(
        #[case] mount: &str,
        #[case] group: &str,
        #[case] place: Option<&str>,
    ) {
        assert_eq!(place_of(mount, group).as_deref(), place.map(Path::new));
    }
}
