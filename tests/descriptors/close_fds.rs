//! The crate `close_fds`, beside `forkexec::fds`: each row of its chapter of the guide.

use std::collections::BTreeSet;
use std::os::fd::RawFd;

use forkexec::fds::AllFds;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;

use crate::all_fds::{Change, open};
use crate::child::{Outcome, Table, in_child, own_table};

/// Their functions and ours, in a child under this filter.
fn theirs_closes(deny: Deny, keep: &[RawFd]) -> Outcome {
    in_child(|| {
        deny.install()?;
        // SAFETY: the child runs this alone, and stops.
        unsafe { close_fds::close_open_fds(3, keep) };
        Ok(())
    })
}

fn theirs_marks(deny: Deny, keep: &[RawFd]) -> Outcome {
    in_child(|| {
        deny.install()?;
        close_fds::set_fds_cloexec(3, keep);
        Ok(())
    })
}

fn ours(deny: Deny, change: Change, keep: &[RawFd]) -> Outcome {
    let fds = AllFds::starting_at(3).except(keep.iter().copied());
    in_child(|| {
        deny.install()?;
        // SAFETY: the child runs this alone, and stops.
        unsafe { change.make(&fds) }
    })
}

/// A filter that refuses nothing that is called. Returns `None`, after a [`skip`], if there are no filters.
fn filters() -> Option<Deny> {
    let deny = Deny::new().errno(libc::SYS_acct, libc::EPERM);
    deny.clone().installed().then_some(deny)
}

const OPEN: [(RawFd, bool); 5] = [(3, false), (9, false), (10, true), (60, false), (1_000, false)];

#[test]
fn both_leave_the_same_if_nothing_is_refused() {
    isolated(|| {
        let Some(deny) = filters() else { return };
        let _open = open(&OPEN.into());
        let before = own_table();
        for keep in [&[][..], &[9], &[9, 10], &[60, 9], &[1_000]] {
            let set: BTreeSet<RawFd> = keep.iter().copied().collect();
            let closed = Outcome::Done(Change::Close.of(&before, 3, &set));
            let answers = (theirs_closes(deny.clone(), keep), ours(deny.clone(), Change::Close, keep));
            assert_eq!(answers, (closed.clone(), closed));
            let marked = Outcome::Done(Change::Cloexec(true).of(&before, 3, &set));
            let ours = ours(deny.clone(), Change::Cloexec(true), keep);
            assert_eq!((theirs_marks(deny.clone(), keep), ours), (marked.clone(), marked));
        }
    });
}

/// A table without numbers above the limit, and with it.
fn survivors(outcome: &Outcome) -> Vec<RawFd> {
    match outcome {
        Outcome::Done(table) => table.keys().copied().filter(|&fd| fd > 2).collect(),
        other => panic!("{other:?}"),
    }
}

/// The loop of `close_fds` ends at the soft limit, or 1,024.
///
/// Faults: F6
#[test]
fn close_fds_leaves_what_is_above_a_lowered_limit() {
    isolated(|| {
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        if hard < 6_000 || world::set_limit(libc::RLIMIT_NOFILE, 6_000, hard).is_err() {
            return skip("needs 6,000 descriptors");
        }
        let _open = open(&[(60, false), (5_000, false)].into());
        world::set_limit(libc::RLIMIT_NOFILE, 64, hard).expect("a limit can be lowered");
        let Some(deny) = filters() else { return };
        let deny = deny.errno(libc::SYS_close_range, libc::EPERM).errno(libc::SYS_getdents64, libc::EPERM);
        let deny = deny.errno(libc::SYS_openat, libc::EPERM);
        assert_eq!(survivors(&theirs_closes(deny.clone(), &[])), [5_000]);
        assert_eq!(survivors(&ours(deny, Change::Close, &[])), [0; 0]);
    });
}

/// `close_fds` asks neither for the file system nor for the list's own descriptor.
///
/// Faults: F4
#[test]
fn close_fds_believes_a_false_proc() {
    isolated(|| {
        let _open = open(&OPEN.into());
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        if let Err(reason) = world::false_proc(directory.path()) {
            return skip(&reason);
        }
        if !Deny::new().errno(libc::SYS_close_range, libc::EPERM).installed() {
            return;
        }
        let flags = || OPEN.map(|(fd, _)| flag(fd));
        close_fds::set_fds_cloexec(3, &[]);
        assert_eq!(flags(), OPEN.map(|(_, cloexec)| cloexec), "close_fds changes no flag");
        // SAFETY: the test's process starts nothing, and the flags are of its own descriptors.
        unsafe { AllFds::starting_at(3).set_cloexec(true) }.expect("the loop needs no list");
        assert_eq!(flags(), [true; OPEN.len()]);
    });
}

fn flag(fd: RawFd) -> bool {
    // SAFETY: the call reads a flag.
    unsafe { libc::fcntl(fd, libc::F_GETFD) & libc::FD_CLOEXEC != 0 }
}

/// `close_fds` has no result.
///
/// Faults: D24
#[test]
fn close_fds_hides_that_a_flag_cannot_be_set() {
    isolated(|| {
        let _open = open(&OPEN.into());
        let before = own_table();
        let Some(deny) = filters() else { return };
        let deny = deny.errno(libc::SYS_close_range, libc::EPERM).errno(libc::SYS_fcntl, libc::EPERM);
        assert_eq!(theirs_marks(deny.clone(), &[]), Outcome::Done(before));
        assert_eq!(ours(deny, Change::Cloexec(true), &[]), Outcome::Failed(libc::EPERM));
    });
}

/// Safe code changes the flags of a descriptor that other code owns.
#[test]
fn close_fds_marks_the_fds_of_others_from_safe_code() {
    isolated(|| {
        let others = open(&[(50, false)].into());
        close_fds::set_fds_cloexec(3, &[]);
        assert_eq!(own_table(), Table::from([(0, false), (1, false), (2, false), (50, true)]));
        drop(others);
    });
}

#[test]
fn close_fds_cannot_clear_the_flag() {
    isolated(|| {
        let _open = open(&[(50, true), (51, true)].into());
        let fds = AllFds::starting_at(3).except([51]);
        let table = [(0, false), (1, false), (2, false), (50, false), (51, true)];
        assert_eq!(Change::Cloexec(false).apply(&fds), Outcome::Done(table.into()));
    });
}
