//! Closing and marking, judged by `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use rstest::rstest;

use forkexec::CloseStrategy;
use forkexec::fds::AllFds;
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;

use crate::child::{Outcome, Table, in_child, own_table};

const STRATEGIES: [CloseStrategy; 3] = [CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop];

/// The change of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Close,
    Cloexec(bool),
}

pub(crate) const CHANGES: [Change; 3] = [Change::Close, Change::Cloexec(true), Change::Cloexec(false)];

impl Change {
    /// Applies it in a child. Returns what is left.
    pub(crate) fn apply(self, fds: &AllFds) -> Outcome {
        // SAFETY: the child runs the operation alone, and stops.
        in_child(|| unsafe { self.make(fds) })
    }

    /// # Safety
    ///
    /// The process is a forked child that runs nothing else.
    pub(crate) unsafe fn make(self, fds: &AllFds) -> std::io::Result<forkexec::CloseMethod> {
        match self {
            // SAFETY: the caller's promise.
            Self::Close => unsafe { fds.close() },
            // SAFETY: the caller's promise.
            Self::Cloexec(cloexec) => unsafe { fds.set_cloexec(cloexec) },
        }
    }

    /// The model: a kept descriptor stays as it was.
    pub(crate) fn of(self, before: &Table, first: RawFd, keep: &BTreeSet<RawFd>) -> Table {
        let mut after = before.clone();
        match self {
            Self::Close => after.retain(|fd, _| *fd < first || keep.contains(fd)),
            Self::Cloexec(cloexec) => {
                let others = after.iter_mut().filter(|(fd, _)| **fd >= first && !keep.contains(fd));
                others.for_each(|(_, flag)| *flag = cloexec);
            }
        }
        after
    }
}

/// Opens descriptors under these numbers, unless they are taken. The value is the close-on-exec flag.
pub(crate) fn open(wanted: &BTreeMap<RawFd, bool>) -> Vec<OwnedFd> {
    let taken = own_table();
    // A number that no test wants.
    let null = world::place(std::fs::File::open("/dev/null").expect("every system has it"), 1_016);
    let free = wanted.iter().filter(|(fd, _)| !taken.contains_key(fd));
    free.map(|(&fd, &cloexec)| {
        let placed = world::place(&null, fd);
        if cloexec {
            // SAFETY: the descriptor is open, and the call changes its flag alone.
            assert_eq!(unsafe { libc::fcntl(placed.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
        }
        placed
    })
    .collect()
}

/// Numbers that lie close together, and some that lie high.
fn number() -> impl Strategy<Value = RawFd> {
    prop_oneof![6 => 3..40, 2 => 40..200, 1 => 200..1_000, 1 => 1_018..1_024]
}

#[test]
fn random_tables_change_as_the_model_says() {
    isolated(|| {
        let cases = (
            btree_map(number(), any::<bool>(), 0..60),
            btree_set(number(), 0..20),
            prop_oneof![3 => Just(3), 1 => 0..60_i32, 1 => 0..1_100_i32],
            select(&CHANGES[..]),
            select(&STRATEGIES[..]),
        );
        let config = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
        let held = TestRunner::new(config).run(&cases, |(wanted, keep, first, change, strategy)| {
            let _open = open(&wanted);
            let before = own_table();
            let fds = AllFds::starting_at(first).except(keep.iter().copied()).close_strategy(strategy);
            prop_assert_eq!(change.apply(&fds), Outcome::Done(change.of(&before, first, &keep)));
            prop_assert_eq!(own_table(), before, "the parent's table changes");
            Ok(())
        });
        held.expect("the model is right");
    });
}

/// Faults: D1, D12
#[rstest]
#[case::adjacent(&[10, 11])]
#[case::first(&[3])]
#[case::highest_possible(&[RawFd::MAX])]
#[case::not_open(&[7, 900])]
#[case::negative_and_twice(&[-1, 10, 10])]
fn any_exception_is_possible(#[case] except: &[RawFd]) {
    isolated(|| {
        let wanted = [3, 4, 10, 11, 12, 1_023].map(|fd| (fd, false)).into();
        let _open = open(&wanted);
        let (before, keep) = (own_table(), except.iter().copied().collect());
        for change in CHANGES {
            for strategy in STRATEGIES {
                let fds = AllFds::starting_at(3).except(except.iter().copied()).close_strategy(strategy);
                let after = change.of(&before, 3, &keep);
                assert_eq!(change.apply(&fds), Outcome::Done(after), "{change:?} from {strategy:?}");
            }
        }
    });
}

/// Faults: F6, D7
#[test]
fn limit_below_open_fds_hides_none() {
    isolated(|| {
        let wanted = [3, 60, 1_000].map(|fd| (fd, false)).into();
        let _open = open(&wanted);
        let before = own_table();
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        world::set_limit(libc::RLIMIT_NOFILE, 16, hard).expect("a limit can be lowered");
        for change in CHANGES {
            for strategy in STRATEGIES {
                let fds = AllFds::starting_at(3).close_strategy(strategy);
                let after = change.of(&before, 3, &BTreeSet::new());
                assert_eq!(change.apply(&fds), Outcome::Done(after), "{change:?} from {strategy:?}");
            }
        }
    });
}

/// Faults: F3, F4
#[rstest]
fn neither_missing_nor_false_proc_hides_an_fd(#[values(false, true)] is_false: bool) {
    isolated(|| {
        let wanted = [3, 60, 1_000].map(|fd| (fd, false)).into();
        let open = open(&wanted);
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let done = if is_false { world::false_proc(directory.path()) } else { world::without_proc() };
        if let Err(reason) = done {
            return forkexec_tests::isolate::skip(&reason);
        }
        // `/proc` cannot judge here. The flags of the numbers that were opened can.
        let flags = || wanted.keys().map(|&fd| cloexec(fd)).collect::<Vec<_>>();
        let fds = AllFds::starting_at(3).close_strategy(CloseStrategy::Enumerate);
        // SAFETY: the test's process starts nothing, and the flags are of its own descriptors.
        let by = unsafe { fds.set_cloexec(true) }.expect("the loop needs no list");
        assert_eq!((by, flags()), (forkexec::CloseMethod::Loop, vec![Some(true); 3]));
        // SAFETY: as above.
        unsafe { fds.set_cloexec(false) }.expect("the loop needs no list");
        assert_eq!(flags(), [Some(false); 3]);
        drop(open);
    });
}

fn cloexec(fd: RawFd) -> Option<bool> {
    // SAFETY: the call reads a flag.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    (flags != -1).then_some(flags & libc::FD_CLOEXEC != 0)
}

/// A thread may hold the allocator's lock when the child is forked: the operations need no memory.
#[test]
fn forked_child_of_many_threads_needs_no_lock() {
    isolated(|| {
        let _open = open(&(3..60).map(|fd| (fd, false)).collect());
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                        std::hint::black_box(vec![0_u8; 4_000]);
                    }
                });
            }
            let before = own_table();
            for (change, strategy) in CHANGES.into_iter().zip(STRATEGIES).cycle().take(60) {
                let fds = AllFds::starting_at(3).except([5]).close_strategy(strategy);
                let after = change.of(&before, 3, &BTreeSet::from([5]));
                assert_eq!(change.apply(&fds), Outcome::Done(after));
            }
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    });
}
