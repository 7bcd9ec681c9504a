//! A process to which orphans fall, instead of to init: `PROC_REAP_ACQUIRE` of FreeBSD's procctl(2).
//!
//! The kernel keeps in mind from which child of the reaper a process descends, also when all in between have ended.

use std::collections::BTreeSet;
use std::io;

/// What the kernel is asked.
pub(crate) trait Calls {
    /// Makes this process a reaper, if it is none yet.
    fn acquire(&self) -> io::Result<()>;
    /// Sends a signal to all that descend from this child, itself included: to how many.
    fn signal(&self, child: i32, signal: i32) -> io::Result<usize>;
    /// All that fell to this process or descend from it.
    fn descendants(&self) -> io::Result<Vec<Descendant>>;
    /// Waits for the end of a child, and leaves its status.
    fn await_end(&self, child: i32) -> io::Result<()>;
    /// Takes the status of a child that has ended. That it is gone, or runs, is no error.
    fn take_status(&self, child: i32) -> io::Result<()>;
}

/// A process below a reaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descendant {
    pub(crate) pid: i32,
    /// The child of the reaper from which it descends.
    pub(crate) subtree: i32,
    /// It is the reaper's to wait for.
    pub(crate) is_child: bool,
}

/// Kills all that descend from a child, and takes the status of each but the child's own: how many there were.
///
/// Whoever is on the top of those that are left is this process's own child, by birth or as an orphan. Its end leaves its
/// children on top, so that each round ends one at least. A signal that misses one which is being born finds it in the next.
pub(crate) fn kill(calls: &impl Calls, root: i32) -> io::Result<usize> {
    let mut seen: BTreeSet<i32> = family(calls, root)?.iter().map(|it| it.pid).collect();
    loop {
        match calls.signal(root, libc::SIGKILL) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => return Err(error),
            _ => {}
        }
        calls.await_end(root)?;
        let left = orphans(calls, root)?;
        if left.is_empty() {
            return Ok(seen.len());
        }
        seen.extend(left.iter().map(|it| it.pid));
        for orphan in left.iter().filter(|orphan| orphan.is_child) {
            calls.await_end(orphan.pid)?;
            calls.take_status(orphan.pid)?;
        }
    }
}

/// Takes the status of those that ended before their tree did.
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

/// The child, if it is there, and all that descend from it.
fn family(calls: &impl Calls, root: i32) -> io::Result<Vec<Descendant>> {
    let mut all = calls.descendants()?;
    all.retain(|it| it.subtree == root);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::{Calls, Descendant, collect, kill};
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::io;

    const ROOT: i32 = 100;
    const REAPER: i32 = 1;

    #[derive(Clone, Copy)]
    struct Process {
        parent: i32,
        subtree: i32,
        /// Signalled, and dead when somebody waits for it or its parent.
        killed: bool,
        zombie: bool,
    }

    /// A kernel on paper that knows what a reaper knows. One descendant starts another whenever it is looked at.
    struct Kernel {
        processes: RefCell<BTreeMap<i32, Process>>,
        /// So many are born half-way through a signal, and are missed by it.
        unborn: RefCell<usize>,
    }

    impl Kernel {
        fn new(parents: &[(i32, i32)], unborn: usize) -> Self {
            let mut processes = BTreeMap::new();
            for &(pid, parent) in parents {
                let subtree = if parent == REAPER { pid } else { subtree_of(&processes, parent) };
                processes.insert(pid, Process { parent, subtree, killed: false, zombie: false });
            }
            Self { processes: RefCell::new(processes), unborn: RefCell::new(unborn) }
        }

        fn end(&self, pid: i32) {
            let mut processes = self.processes.borrow_mut();
            for child in processes.values_mut().filter(|it| it.parent == pid) {
                child.parent = REAPER;
            }
            let process = processes.get_mut(&pid).expect("it is there");
            assert!(process.killed || process.zombie, "{pid} is waited for, and would never end");
            process.zombie = true;
        }

        fn left(&self) -> Vec<i32> {
            self.processes.borrow().keys().copied().collect()
        }
    }

    fn subtree_of(processes: &BTreeMap<i32, Process>, pid: i32) -> i32 {
        processes[&pid].subtree
    }

    impl Calls for Kernel {
        fn acquire(&self) -> io::Result<()> {
            Ok(())
        }

        fn signal(&self, child: i32, signal: i32) -> io::Result<usize> {
            assert_eq!(signal, libc::SIGKILL);
            let mut processes = self.processes.borrow_mut();
            let mut count = 0;
            for process in processes.values_mut().filter(|it| it.subtree == child && !it.zombie) {
                process.killed = true;
                count += 1;
            }
            if *self.unborn.borrow() > 0 {
                let last = *processes.keys().next_back().expect("somebody is left");
                *self.unborn.borrow_mut() -= 1;
                let born = Process { parent: last, subtree: child, killed: false, zombie: false };
                processes.insert(last + 1, born);
            }
            if count == 0 { Err(io::Error::from_raw_os_error(libc::ESRCH)) } else { Ok(count) }
        }

        fn descendants(&self) -> io::Result<Vec<Descendant>> {
            let describe = |(&pid, process): (&i32, &Process)| Descendant {
                pid,
                subtree: process.subtree,
                is_child: process.parent == REAPER,
            };
            Ok(self.processes.borrow().iter().map(describe).collect())
        }

        fn await_end(&self, child: i32) -> io::Result<()> {
            if self.processes.borrow().contains_key(&child) {
                self.end(child);
            }
            Ok(())
        }

        fn take_status(&self, child: i32) -> io::Result<()> {
            let mut processes = self.processes.borrow_mut();
            if processes.get(&child).is_some_and(|it| it.zombie && it.parent == REAPER) {
                processes.remove(&child);
            }
            Ok(())
        }
    }

    #[test]
    fn none_is_left_but_the_child_to_be_waited_for_and_other_trees() {
        let tree = [(ROOT, REAPER), (101, ROOT), (102, 101), (103, REAPER), (104, 103)];
        let kernel = Kernel::new(&tree, 0);
        assert_eq!(kill(&kernel, ROOT).expect("nothing fails"), 3);
        assert_eq!(kernel.left(), [ROOT, 103, 104]);
    }

    #[test]
    fn who_is_born_meanwhile_goes_in_the_next_round() {
        let kernel = Kernel::new(&[(ROOT, REAPER), (101, ROOT)], 7);
        assert_eq!(kill(&kernel, ROOT).expect("nothing fails"), 2 + 7);
        assert_eq!(kernel.left(), [ROOT]);
    }

    #[test]
    fn a_child_that_was_waited_for_leaves_orphans_that_are_found() {
        let kernel = Kernel::new(&[(ROOT, REAPER), (101, ROOT), (102, 101)], 0);
        kernel.processes.borrow_mut().get_mut(&ROOT).expect("it is there").killed = true;
        kernel.end(ROOT);
        kernel.take_status(ROOT).expect("nothing fails");
        assert_eq!(kill(&kernel, ROOT).expect("nothing fails"), 2);
        assert_eq!(kernel.left(), [0; 0]);
    }

    #[test]
    fn orphans_that_ended_before_are_collected_and_others_are_not() {
        let kernel = Kernel::new(&[(ROOT, REAPER), (101, ROOT), (102, 101), (103, 101)], 0);
        for pid in [101, 102] {
            kernel.processes.borrow_mut().get_mut(&pid).expect("it is there").killed = true;
            kernel.end(pid);
        }
        kernel.processes.borrow_mut().get_mut(&102).expect("it is there").parent = REAPER;
        collect(&kernel, ROOT);
        assert_eq!(kernel.left(), [ROOT, 101, 103]);
    }
}
