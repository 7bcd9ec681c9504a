//! The descendants of a child, found in the system's list of processes: the last resort.
//!
//! A pid in that list may belong to another process a moment later. So no signal is sent to a pid. The walk
//! opens a pidfd, checks the pid in the list again, and signals the pidfd if it is still the same process.
//!
//! The walk stops each process that it finds, and repeats until it finds no new one, because a stopped
//! process starts no other. Only then does it kill them. The pidfd of a stopped process stays open until
//! then, so that a lack of descriptors leaves no process stopped.

use crate::sys::process_list::{Calls, Entry};
use nix::unistd::getpid;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Instant;

/// A process that was found.
#[derive(Debug)]
struct Found<P> {
    entry: Entry,
    /// Open from the first signal on, while at most [`HELD`] are open.
    process: Option<P>,
}

/// The processes that were found, and the result of signalling them.
#[derive(Debug)]
pub(crate) struct Walk<'c, C: Calls> {
    calls: &'c C,
    found: BTreeMap<i32, Found<C::Process>>,
    /// The number of them whose descriptor is open.
    held: usize,
    refused: usize,
    /// The last pass found no new process.
    settled: bool,
    failure: Option<io::Error>,
}

/// The maximum number of passes. Each pass stops what it finds, so the next one is about the few processes
/// that those not seen before have started.
const LOOKS: usize = 100;

/// The maximum number of pidfds that are kept open.
const HELD: usize = 64;

impl<'c, C: Calls> Walk<'c, C> {
    fn new(calls: &'c C) -> Self {
        Self { calls, found: BTreeMap::new(), held: 0, refused: 0, settled: false, failure: None }
    }

    /// Stops the child and the descendants that can be found, until nothing new appears or a pass
    /// [fails](Self::failure).
    pub(crate) fn stopping(calls: &'c C, root: i32) -> Self {
        let mut walk = Self::new(calls);
        for _ in 0..LOOKS {
            let new = walk.look(root, libc::SIGSTOP);
            walk.settled = matches!(new, Ok(0));
            if !walk.goes_on(new) {
                break;
            }
        }
        walk
    }

    /// Sends a signal to the child and the descendants that can be found now.
    pub(crate) fn signalling(calls: &'c C, root: i32, signal: i32) -> Self {
        let mut walk = Self::new(calls);
        let new = walk.look(root, signal);
        walk.goes_on(new);
        walk
    }

    /// Records an error. Processes that were found before it are still signalled.
    fn goes_on(&mut self, new: io::Result<usize>) -> bool {
        match new {
            Ok(new) => new > 0,
            Err(error) => {
                self.failure.get_or_insert(error);
                false
            }
        }
    }

    /// Sends the signal to the processes that are new, and returns their number.
    fn look(&mut self, root: i32, signal: i32) -> io::Result<usize> {
        let listed = self.with_room(C::all)?;
        if !listed.iter().any(|entry| entry.pid == root) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        let is_known = |entry: &Entry| self.found.get(&entry.pid).is_some_and(|it| it.entry.is_same(entry));
        let mut new = descendants(&listed, root, is_known);
        new.retain(|entry| !is_known(entry));
        for &entry in &new {
            let before = self.found.insert(entry.pid, Found { entry, process: None });
            self.held -= usize::from(before.is_some_and(|it| it.process.is_some()));
            self.send(entry.pid, signal);
        }
        Ok(new.len())
    }

    /// Sends a signal to all processes that were found. Those with an open pidfd come first, so that it can
    /// be closed afterwards to make room.
    pub(crate) fn signal(&mut self, signal: i32) {
        self.refused = 0;
        let is_open = |it: &Found<C::Process>| it.process.is_some();
        let (open, others): (Vec<_>, Vec<_>) =
            self.found.iter().map(|(&pid, it)| (pid, is_open(it))).partition(|&(_, is_open)| is_open);
        for (pid, _) in open.into_iter().chain(others) {
            self.send(pid, signal);
        }
    }

    fn send(&mut self, pid: i32, signal: i32) {
        let sent = self.open(pid).and_then(|process| {
            self.calls.signal(&process, signal)?;
            self.hold(pid, process);
            Ok(())
        });
        match sent {
            // `ESRCH` is success: the process is gone.
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                self.refused += 1;
                self.failure.get_or_insert(error);
            }
            _ => {}
        }
    }

    /// Takes the pidfd of a process that was found, or opens one.
    fn open(&mut self, pid: i32) -> io::Result<C::Process> {
        let gone = || io::Error::from_raw_os_error(libc::ESRCH);
        let found = self.found.get_mut(&pid).ok_or_else(gone)?;
        if let Some(process) = found.process.take() {
            self.held -= 1;
            return Ok(process);
        }
        let entry = found.entry;
        self.with_room(|calls| calls.open(&entry))
    }

    fn hold(&mut self, pid: i32, process: C::Process) {
        let found = self.found.get_mut(&pid).filter(|_| self.held < HELD);
        if let Some(found) = found {
            found.process = Some(process);
            self.held += 1;
        }
    }

    /// Makes a call that needs descriptors. If none is free, closes held ones until the call succeeds.
    fn with_room<T>(&mut self, call: impl Fn(&C) -> io::Result<T>) -> io::Result<T> {
        loop {
            match call(self.calls) {
                Err(error) if lacks_descriptors(&error) && self.close_one() => {}
                done => return done,
            }
        }
    }

    fn close_one(&mut self) -> bool {
        let closed = self.found.values_mut().any(|it| it.process.take().is_some());
        self.held -= usize::from(closed);
        closed
    }

    /// Waits until all processes that were found have ended, or the time is over. Returns whether they have.
    pub(crate) fn have_ended(&mut self, end: Option<Instant>) -> io::Result<bool> {
        for pid in self.found.keys().copied().collect::<Vec<_>>() {
            match self.open(pid) {
                Ok(process) if self.calls.has_ended(&process, end)? => {}
                Ok(_) => return Ok(false),
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// The number of processes that were found.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// The number of processes that the last signal could not be sent to.
    pub(crate) fn refused(&self) -> usize {
        self.refused
    }

    /// Returns true if the last pass found nothing new.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// The first error, if there was one. Processes that were not found, or that refused a signal, may have
    /// survived.
    pub(crate) fn failure(self) -> Option<io::Error> {
        self.failure
    }
}

fn lacks_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Returns `root` and its descendants. A process descends from a parent in the family, or is in a process
/// group or session that a member of the family leads. The kernel does not reuse the pid of a leader while
/// its group or session has members, so those members were started by the leader or by its descendants. A
/// known process that is now a zombie may still be a leader.
fn descendants(listed: &[Entry], root: i32, is_known: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let mut family: BTreeSet<i32> =
        listed.iter().filter(|entry| is_known(entry)).map(|entry| entry.pid).collect();
    family.insert(root);
    loop {
        let before = family.len();
        for entry in listed {
            if [entry.parent, entry.group, entry.session].iter().any(|ancestor| family.contains(ancestor)) {
                family.insert(entry.pid);
            }
        }
        if family.len() == before {
            break;
        }
    }
    // This process may have joined such a group, but it is not a descendant of its own child.
    let own = getpid().as_raw();
    let is_to_end = |entry: &&Entry| family.contains(&entry.pid) && !entry.ended && entry.pid != own;
    listed.iter().filter(is_to_end).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::{Calls, Entry, HELD, Walk, descendants, lacks_descriptors};
    use rstest::rstest;
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;
    use std::io;
    use std::time::Instant;

    const ROOT: i32 = 100;

    fn entry(pid: i32, parent: i32, group: i32, session: i32) -> Entry {
        Entry { pid, parent, group, session, started: i64::from(pid), ended: false }
    }

    fn found(others: &[Entry], known: &[Entry]) -> Vec<i32> {
        let mut listed = vec![entry(1, 0, 1, 1), entry(50, 1, 50, 50), entry(ROOT, 50, ROOT, 50)];
        listed.extend(others);
        let is_known = |entry: &Entry| known.iter().any(|it| it.is_same(entry));
        descendants(&listed, ROOT, is_known).into_iter().map(|entry| entry.pid).collect()
    }

    #[rstest]
    #[case::no_other(&[], &[ROOT])]
    #[case::its_children_and_grandchildren(&[entry(102, 101, 50, 50), entry(101, ROOT, 50, 50)], &[ROOT, 101, 102])]
    #[case::orphan_of_its_group(&[entry(101, 1, ROOT, 50)], &[ROOT, 101])]
    #[case::orphan_of_a_session_of_its_child(&[entry(101, ROOT, 101, 101), entry(102, 1, 102, 101)], &[ROOT, 101, 102])]
    #[case::not_its_siblings(&[entry(101, 50, 50, 50), entry(102, 1, 50, 50)], &[ROOT])]
    #[case::not_an_orphan_that_left(&[entry(101, 1, 101, 101)], &[ROOT])]
    fn descent_is_by_parent_group_or_session(#[case] others: &[Entry], #[case] expected: &[i32]) {
        let mut found = found(others, &[]);
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn zombie_is_not_killed_but_is_still_a_parent() {
        let zombie = Entry { ended: true, ..entry(101, ROOT, 101, 101) };
        assert_eq!(found(&[zombie, entry(102, 1, 102, 101)], &[]), [ROOT, 102]);
    }

    #[test]
    fn known_process_is_an_elder_unless_its_pid_was_reused() {
        let [orphan, grandchild] = [entry(101, 1, 50, 50), entry(102, 101, 50, 50)];
        assert_eq!(found(&[orphan, grandchild], &[orphan]), [ROOT, 101, 102]);
        let reused = Entry { started: 9, ..orphan };
        assert_eq!(found(&[orphan, grandchild], &[reused]), [ROOT]);
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum State {
        Runs,
        Stopped,
        Killed,
    }

    /// A simulated kernel. A running process starts another whenever the processes are listed.
    struct Kernel {
        processes: RefCell<BTreeMap<i32, (Entry, State)>>,
        pending: Cell<usize>,
        calls: Cell<usize>,
        /// The number of the call that fails, and its errno.
        fails: Option<(usize, i32)>,
        open: Cell<usize>,
        /// The descriptor limit.
        limit: usize,
    }

    /// A descriptor.
    struct Open<'k>(&'k Kernel, i32);

    impl<'k> Open<'k> {
        fn new(kernel: &'k Kernel, pid: i32) -> io::Result<Self> {
            if kernel.open.get() == kernel.limit {
                return Err(io::Error::from_raw_os_error(libc::EMFILE));
            }
            kernel.open.set(kernel.open.get() + 1);
            Ok(Self(kernel, pid))
        }
    }

    impl Drop for Open<'_> {
        fn drop(&mut self) {
            self.0.open.set(self.0.open.get() - 1);
        }
    }

    impl Kernel {
        fn new(count: i32, pending: usize) -> Self {
            let tree = (0..count).map(|child| entry(ROOT + child, ROOT - 1 + child, 50, 50));
            let processes = tree.map(|it| (it.pid, (it, State::Runs))).collect();
            Self {
                processes: RefCell::new(processes),
                pending: Cell::new(pending),
                calls: Cell::new(0),
                fails: None,
                open: Cell::new(0),
                limit: usize::MAX,
            }
        }

        fn call(&self) -> io::Result<()> {
            let number = self.calls.replace(self.calls.get() + 1);
            match self.fails {
                Some((at, errno)) if at == number => Err(io::Error::from_raw_os_error(errno)),
                _ => Ok(()),
            }
        }

        fn count(&self, state: State) -> usize {
            self.processes.borrow().values().filter(|it| it.1 == state).count()
        }

        /// Kills the tree, and returns true if a failure was reported.
        fn kill(&self) -> bool {
            let calls = self;
            let mut walk = Walk::stopping(&calls, ROOT);
            walk.signal(libc::SIGKILL);
            walk.have_ended(None).is_err() || walk.failure().is_some()
        }
    }

    impl<'k> Calls for &'k Kernel {
        type Process = Open<'k>;

        fn all(&self) -> io::Result<Vec<Entry>> {
            self.call()?;
            let [_directory, _line] = [Open::new(self, 0)?, Open::new(self, 0)?];
            let mut processes = self.processes.borrow_mut();
            let listed = processes.values().filter(|it| it.1 != State::Killed).map(|it| it.0).collect();
            let parent = processes.values().find(|it| it.1 == State::Runs).map(|it| it.0.pid);
            if let Some(parent) = parent.filter(|_| self.pending.get() > 0) {
                self.pending.set(self.pending.get() - 1);
                let pid = processes.keys().next_back().expect("there is the root") + 1;
                processes.insert(pid, (entry(pid, parent, 50, 50), State::Runs));
            }
            Ok(listed)
        }

        fn open(&self, entry: &Entry) -> io::Result<Open<'k>> {
            self.call()?;
            let opened = Open::new(self, entry.pid)?;
            let _line = Open::new(self, 0)?;
            match self.processes.borrow().get(&entry.pid) {
                Some((_, State::Killed)) | None => Err(io::Error::from_raw_os_error(libc::ESRCH)),
                Some(_) => Ok(opened),
            }
        }

        fn signal(&self, process: &Open<'k>, signal: i32) -> io::Result<()> {
            let state = if signal == libc::SIGKILL { State::Killed } else { State::Stopped };
            self.processes.borrow_mut().get_mut(&process.1).expect("it was opened").1 = state;
            Ok(())
        }

        fn has_ended(&self, process: &Open<'k>, _end: Option<Instant>) -> io::Result<bool> {
            Ok(self.processes.borrow()[&process.1].1 == State::Killed)
        }
    }

    #[test]
    fn all_are_killed_with_those_that_start_meanwhile() {
        let kernel = Kernel::new(10, 7);
        assert!(!kernel.kill());
        assert_eq!((kernel.count(State::Killed), kernel.open.get()), (10 + 7, 0));
    }

    /// Faults: W12
    #[rstest]
    fn no_failing_call_leaves_a_descendant_stopped(
        #[values(libc::EMFILE, libc::ENOMEM, libc::EIO)] errno: i32,
    ) {
        for at in 0.. {
            let kernel = Kernel { fails: Some((at, errno)), ..Kernel::new(10, 3) };
            let is_reported = kernel.kill();
            assert_eq!(kernel.count(State::Stopped), 0, "call {at}");
            assert!(is_reported || kernel.count(State::Runs) == 0, "call {at}");
            if kernel.calls.get() <= at {
                assert!(!is_reported && at > 15, "call {at}");
                break;
            }
        }
    }

    /// Faults: W12
    #[rstest]
    #[case::none(0, false)]
    #[case::too_few_for_a_look(1, false)]
    #[case::as_many_as_a_look_takes(2, true)]
    #[case::three(3, true)]
    #[case::fewer_than_processes(50, true)]
    #[case::as_many_as_are_held(64, true)]
    fn few_descriptors_are_enough_to_kill_many(#[case] limit: usize, #[case] is_enough: bool) {
        let kernel = Kernel { limit, ..Kernel::new(200, 3) };
        assert_eq!(!kernel.kill(), is_enough);
        let states = [State::Runs, State::Stopped].map(|state| kernel.count(state));
        assert_eq!(states, if is_enough { [0, 0] } else { [200, 0] });
        assert_eq!(kernel.open.get(), 0);
    }

    #[rstest]
    #[case::of_this_process(libc::EMFILE, true)]
    #[case::of_the_system(libc::ENFILE, true)]
    #[case::no_such_process(libc::ESRCH, false)]
    #[case::no_memory(libc::ENOMEM, false)]
    fn some_errors_are_a_lack_of_descriptors(#[case] errno: i32, #[case] expected: bool) {
        assert_eq!(lacks_descriptors(&io::Error::from_raw_os_error(errno)), expected);
    }

    /// The number that are open at the end is that of the last look, which closes two if none is free.
    #[rstest]
    #[case::one(1, usize::MAX, 1)]
    #[case::as_many_as_are_held(64, usize::MAX, HELD)]
    #[case::more_than_are_held(200, usize::MAX, HELD)]
    #[case::more_than_can_be_open(200, 50, 48)]
    fn open_descriptors_are_counted(#[case] count: i32, #[case] limit: usize, #[case] held: usize) {
        let kernel = Kernel { limit, ..Kernel::new(count, 0) };
        let calls = &kernel;
        let mut walk = Walk::stopping(&calls, ROOT);
        assert_eq!((walk.held, kernel.open.get()), (held, held));
        walk.signal(libc::SIGCONT);
        assert_eq!(walk.held, kernel.open.get());
        assert!(walk.held >= held);
    }

    #[test]
    fn descriptor_of_a_reused_pid_is_not_counted() {
        let kernel = Kernel::new(3, 0);
        let calls = &kernel;
        let mut walk = Walk::stopping(&calls, ROOT);
        if let Some((entry, _)) = kernel.processes.borrow_mut().get_mut(&(ROOT + 1)) {
            entry.started = 9;
        }
        assert_eq!(walk.look(ROOT, libc::SIGSTOP).expect("nothing fails"), 1);
        assert_eq!((walk.count(), walk.held, kernel.open.get()), (3, 3, 3));
    }

    #[test]
    fn process_that_is_gone_does_not_count_as_refused() {
        for at in 1..=3 {
            let kernel = Kernel { fails: Some((at, libc::ESRCH)), ..Kernel::new(3, 0) };
            let calls = &kernel;
            let walk = Walk::signalling(&calls, ROOT, libc::SIGTERM);
            assert_eq!((walk.count(), walk.refused(), kernel.count(State::Stopped)), (3, 0, 2), "call {at}");
            assert!(walk.failure().is_none(), "call {at}");
        }
    }

    /// The list may be that of a moment after another process got the pid of the tree's root.
    #[test]
    fn tree_whose_root_is_not_listed_gets_no_signal() {
        let kernel = Kernel::new(3, 0);
        kernel.processes.borrow_mut().remove(&ROOT);
        let calls = &kernel;
        let walk = Walk::signalling(&calls, ROOT, libc::SIGTERM);
        assert_eq!((walk.count(), kernel.count(State::Runs)), (0, 2));
        assert_eq!(walk.failure().and_then(|error| error.raw_os_error()), Some(libc::ESRCH));
    }

    /// It is opened again by the call that fails.
    #[rstest]
    #[case::gone(libc::ESRCH, Some(true))]
    #[case::unknown(libc::EIO, None)]
    fn process_that_cannot_be_opened_has_ended_only_if_gone(
        #[case] errno: i32,
        #[case] expected: Option<bool>,
    ) {
        let kernel = Kernel { fails: Some((2, errno)), ..Kernel::new(1, 0) };
        let calls = &kernel;
        let mut walk = Walk::signalling(&calls, ROOT, libc::SIGTERM);
        assert!(!walk.have_ended(None).expect("the descriptor is open"));
        assert_eq!(walk.have_ended(None).ok(), expected);
    }
}
