//! A process that inherits orphans instead of init: `PROC_REAP_ACQUIRE` of FreeBSD's procctl(2).
//!
//! The kernel records from which child of the reaper a process descends, even after all processes in between
//! have ended.

use crate::sys::orphans::{Calls, Descendant};
use std::collections::BTreeSet;
use std::io;

/// The result of killing a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Killed {
    pub(crate) found: usize,
    /// Processes that this one may not signal: at least this many.
    pub(crate) refused: usize,
}

/// Kills all descendants of a child, and reaps each of them but the child itself.
///
/// Each survivor has an ancestor that is a child of this process, either its own child or an inherited
/// orphan. When such an ancestor ends, its children become orphans, so each round ends at least one process.
/// A round waits only for processes that were listed before the signal. A process that the signal missed,
/// because it was being created, gets it in the next round.
///
/// The same holds for the descendants of a process that has become a reaper itself. While it lives,
/// `PROC_REAP_GETPIDS` does not list them (procctl(2)). When it ends, the kernel moves them, with their
/// subtree, to this reaper (`reaper_abandon_children` of `sys/kern/kern_exit.c`).
///
/// If a process may not be signalled, the call waits neither for it nor for any other.
pub(crate) fn kill(calls: &impl Calls, root: i32) -> io::Result<Killed> {
    let mut left = family(calls, root);
    let mut seen = BTreeSet::new();
    loop {
        // Processes that cannot be listed can still be killed.
        let refused = signal(calls, root)?;
        let signalled = left?;
        seen.extend(signalled.iter().map(|it| it.pid));
        if refused.is_some() {
            return Ok(Killed { found: seen.len(), refused: 1 });
        }
        calls.await_end(root)?;
        for orphan in signalled.iter().filter(|it| it.is_child && it.pid != root) {
            calls.await_end(orphan.pid)?;
            calls.take_status(orphan.pid)?;
        }
        left = orphans(calls, root);
        if left.as_ref().is_ok_and(Vec::is_empty) {
            return Ok(Killed { found: seen.len(), refused: 0 });
        }
    }
}

/// Sends `SIGKILL` to all, and returns the first process that may not be signalled. An empty tree is not an
/// error.
fn signal(calls: &impl Calls, root: i32) -> io::Result<Option<i32>> {
    match calls.signal(root, libc::SIGKILL) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        sent => sent.map(|sent| sent.refused),
    }
}

/// Reaps the processes that ended before their tree did.
pub(crate) fn collect(calls: &impl Calls, root: i32) {
    let Ok(left) = orphans(calls, root) else { return };
    for orphan in left.iter().filter(|orphan| orphan.is_child) {
        let _ = calls.take_status(orphan.pid);
    }
}

fn orphans(calls: &impl Calls, root: i32) -> io::Result<Vec<Descendant>> {
    let mut family = family(calls, root)?;
    family.retain(|it| it.pid != root);
    Ok(family)
}

/// Returns the child, if it exists, and its descendants.
fn family(calls: &impl Calls, root: i32) -> io::Result<Vec<Descendant>> {
    let mut all = calls.descendants()?;
    all.retain(|it| it.subtree == root);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::{Calls, Descendant, Killed, collect, kill};
    use crate::sys::orphans::Sent;
    use rstest::rstest;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::io;

    const ROOT: i32 = 100;
    const REAPER: i32 = 1;

    #[derive(Clone, Copy)]
    struct Process {
        parent: i32,
        subtree: i32,
        life: Life,
        /// It has become a reaper itself: procctl(2) does not list its descendants.
        reaps: bool,
        /// It belongs to another user: `p_cansignal` of `sys/kern/kern_prot.c`.
        refuses: bool,
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Life {
        Runs,
        /// Signalled: it ends when it or its parent is waited for.
        Killed,
        Zombie,
    }

    const NEW: Process = Process { parent: 0, subtree: 0, life: Life::Runs, reaps: false, refuses: false };

    /// A simulated kernel that tracks reapers. One descendant starts another whenever the tree is signalled.
    struct Kernel {
        processes: RefCell<BTreeMap<i32, Process>>,
        /// The number of processes that are created during a signal and missed by it.
        pending: RefCell<usize>,
    }

    impl Kernel {
        fn new(parents: &[(i32, i32)], pending: usize) -> Self {
            let mut processes = BTreeMap::new();
            for &(pid, parent) in parents {
                let subtree = if parent == REAPER { pid } else { subtree_of(&processes, parent) };
                processes.insert(pid, Process { parent, subtree, ..NEW });
            }
            Self { processes: RefCell::new(processes), pending: RefCell::new(pending) }
        }

        fn end(&self, pid: i32) {
            let mut processes = self.processes.borrow_mut();
            for child in processes.values_mut().filter(|it| it.parent == pid) {
                child.parent = REAPER;
            }
            let process = processes.get_mut(&pid).expect("it is there");
            assert!(process.life != Life::Runs, "{pid} is waited for, and would never end");
            process.life = Life::Zombie;
        }

        fn change(&self, pid: i32, change: impl FnOnce(&mut Process)) {
            change(self.processes.borrow_mut().get_mut(&pid).expect("it is there"));
        }

        fn left(&self) -> Vec<i32> {
            self.processes.borrow().keys().copied().collect()
        }
    }

    fn subtree_of(processes: &BTreeMap<i32, Process>, pid: i32) -> i32 {
        processes[&pid].subtree
    }

    /// The processes that have no other reaper: `p_reaplist` of `sys/sys/proc.h`. A reaper that ended has
    /// passed its own descendants on (`reaper_abandon_children` of `sys/kern/kern_exit.c`).
    fn listed(processes: &BTreeMap<i32, Process>) -> Vec<i32> {
        let has_another = |pid| {
            let parents = std::iter::successors(Some(pid), |pid| processes.get(pid).map(|it| it.parent));
            parents
                .skip(1)
                .any(|pid| processes.get(&pid).is_some_and(|it| it.reaps && it.life != Life::Zombie))
        };
        processes.keys().copied().filter(|&pid| !has_another(pid)).collect()
    }

    impl Calls for Kernel {
        fn acquire(&self) -> io::Result<()> {
            Ok(())
        }

        fn signal(&self, child: i32, signal: i32) -> io::Result<Sent> {
            assert_eq!(signal, libc::SIGKILL);
            let mut processes = self.processes.borrow_mut();
            let (mut count, mut refused) = (0, None);
            for pid in listed(&processes) {
                match processes.get_mut(&pid).filter(|it| it.subtree == child && it.life != Life::Zombie) {
                    Some(process) if process.refuses => refused = refused.or(Some(pid)),
                    Some(process) => {
                        process.life = Life::Killed;
                        count += 1;
                    }
                    None => {}
                }
            }
            if *self.pending.borrow() > 0 {
                let last = *processes.keys().next_back().expect("a process is left");
                *self.pending.borrow_mut() -= 1;
                let created = Process { parent: last, subtree: child, ..NEW };
                processes.insert(last + 1, created);
            }
            // `reap_kill` of `sys/kern/kern_procctl.c`.
            match (count, refused) {
                (0, None) => Err(io::Error::from_raw_os_error(libc::ESRCH)),
                (0, Some(_)) => Err(io::Error::from_raw_os_error(libc::EPERM)),
                _ => Ok(Sent { count, refused }),
            }
        }

        fn descendants(&self) -> io::Result<Vec<Descendant>> {
            let processes = self.processes.borrow();
            let describe = |pid| {
                let Process { parent, subtree, .. } = processes[&pid];
                Descendant { pid, subtree, is_child: parent == REAPER }
            };
            Ok(listed(&processes).into_iter().map(describe).collect())
        }

        fn await_end(&self, child: i32) -> io::Result<()> {
            if self.processes.borrow().contains_key(&child) {
                self.end(child);
            }
            Ok(())
        }

        fn take_status(&self, child: i32) -> io::Result<()> {
            let mut processes = self.processes.borrow_mut();
            if processes.get(&child).is_some_and(|it| it.life == Life::Zombie && it.parent == REAPER) {
                processes.remove(&child);
            }
            Ok(())
        }
    }

    fn all(found: usize) -> Killed {
        Killed { found, refused: 0 }
    }

    /// Faults: W13
    #[rstest]
    #[case::child(ROOT)]
    #[case::its_child(101)]
    fn descendants_of_a_reaper_in_the_tree_are_killed(#[case] reaper: i32) {
        let kernel = Kernel::new(&[(ROOT, REAPER), (101, ROOT), (102, 101), (103, 102)], 0);
        kernel.change(reaper, |it| it.reaps = true);
        assert_eq!(kill(&kernel, ROOT).expect("nothing fails"), all(4));
        assert_eq!(kernel.left(), [ROOT]);
    }

    /// Faults: W12
    #[rstest]
    #[case::child(ROOT)]
    #[case::its_child(101)]
    fn process_of_another_user_is_counted_and_not_waited_for(#[case] other: i32) {
        let kernel = Kernel::new(&[(ROOT, REAPER), (101, ROOT), (102, 101)], 0);
        kernel.change(other, |it| it.refuses = true);
        assert_eq!(kill(&kernel, ROOT).expect("nothing fails"), Killed { found: 3, refused: 1 });
        assert!(kernel.processes.borrow().values().all(|it| (it.life == Life::Runs) == it.refuses));
    }

    #[test]
    fn tree_that_has_ended_is_killed_without_an_error() {
        let kernel = Kernel::new(&[(ROOT, REAPER)], 0);
        kernel.change(ROOT, |it| it.life = Life::Zombie);
        assert_eq!(kill(&kernel, ROOT).expect("nothing fails"), all(1));
        assert_eq!(kernel.left(), [ROOT]);
    }

    #[test]
    fn tree_that_cannot_be_signalled_is_an_error() {
        let kernel = Kernel::new(&[(ROOT, REAPER)], 0);
        kernel.change(ROOT, |it| it.refuses = true);
        let error = kill(&kernel, ROOT).expect_err("it is another user's");
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    }

    #[test]
    fn only_the_child_itself_and_other_trees_are_left() {
        let tree = [(ROOT, REAPER), (101, ROOT), (102, 101), (103, REAPER), (104, 103)];
        let kernel = Kernel::new(&tree, 0);
        assert_eq!(kill(&kernel, ROOT).expect("nothing fails"), all(3));
        assert_eq!(kernel.left(), [ROOT, 103, 104]);
    }

    #[test]
    fn new_process_is_killed_in_the_next_round() {
        let kernel = Kernel::new(&[(ROOT, REAPER), (101, ROOT)], 7);
        assert_eq!(kill(&kernel, ROOT).expect("nothing fails"), all(2 + 7));
        assert_eq!(kernel.left(), [ROOT]);
    }

    #[test]
    fn orphans_of_a_reaped_child_are_found() {
        let kernel = Kernel::new(&[(ROOT, REAPER), (101, ROOT), (102, 101)], 0);
        kernel.change(ROOT, |it| it.life = Life::Killed);
        kernel.end(ROOT);
        kernel.take_status(ROOT).expect("nothing fails");
        assert_eq!(kill(&kernel, ROOT).expect("nothing fails"), all(2));
        assert_eq!(kernel.left(), [0; 0]);
    }

    #[test]
    fn orphans_that_ended_before_are_collected_and_others_are_not() {
        let kernel = Kernel::new(&[(ROOT, REAPER), (101, ROOT), (102, 101), (103, 101)], 0);
        for pid in [101, 102] {
            kernel.change(pid, |it| it.life = Life::Killed);
            kernel.end(pid);
        }
        kernel.change(102, |it| it.parent = REAPER);
        collect(&kernel, ROOT);
        assert_eq!(kernel.left(), [ROOT, 101, 103]);
    }
}
