//! Every combination of refused and trapped calls, over each operation.
//!
//! The filter is installed in the child, right before the operation. The expected outcome is computed from the steps of
//! the chain and the calls of each.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use rstest::rstest;

use forkexec::CloseStrategy;
use forkexec::fds::{AllFds, InheritOnly, KeptFds};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, isolated_for};
use forkexec_tests::{probe, world};

use crate::all_fds::{CHANGES, Change, open};
use crate::child::{Outcome, in_child, own_table, table_of};

/// The calls that the chain needs besides close(2), which cannot be refused: nothing could close then.
const CALLS: [libc::c_long; 4] =
    [libc::SYS_close_range, libc::SYS_openat, libc::SYS_getdents64, libc::SYS_fcntl];

/// The filter's answer to a call.
#[derive(Clone, Copy, Debug)]
enum How {
    Errno(i32),
    Trap,
}

const HOWS: [How; 3] = [How::Errno(libc::EPERM), How::Errno(libc::ENOSYS), How::Trap];

/// A set of calls, and what happens to them.
#[derive(Clone, Debug)]
struct Filter {
    calls: BTreeSet<libc::c_long>,
    how: How,
}

impl Filter {
    /// Each set of calls.
    fn all(how: How) -> impl Iterator<Item = Self> {
        (0..1_usize << CALLS.len()).map(move |set| {
            let calls = CALLS.iter().enumerate().filter(|(index, _)| set & (1 << index) != 0);
            Self { calls: calls.map(|(_, &call)| call).collect(), how }
        })
    }

    fn install(&self) -> io::Result<()> {
        if self.calls.is_empty() {
            return Ok(());
        }
        let deny = self.calls.iter().fold(Deny::new(), |deny, &call| match self.how {
            How::Errno(errno) => deny.errno(call, errno),
            How::Trap => deny.trap(call),
        });
        deny.install()
    }

    /// Returns the outcome of a step that makes these calls, or `None` if it succeeds.
    fn meets(&self, calls: &[libc::c_long]) -> Option<Refused> {
        calls.iter().find(|call| self.calls.contains(call)).map(|_| match self.how {
            How::Errno(errno) => Refused::Errno(errno),
            How::Trap => Refused::Trap,
        })
    }

    /// Returns the outcome of a change that begins with this step, or `None` if it succeeds.
    fn refuses(&self, change: Change, first: CloseStrategy) -> Option<Refused> {
        let of_each: &[libc::c_long] = match change {
            Change::Close => &[],
            Change::Cloexec(_) => &[libc::SYS_fcntl],
        };
        let list = [&[libc::SYS_openat, libc::SYS_getdents64], of_each].concat();
        let has_bulk = has_bulk() && !matches!(change, Change::Cloexec(false));
        let bulk = (has_bulk && first == CloseStrategy::Bulk).then(|| vec![libc::SYS_close_range]);
        let list = (first <= CloseStrategy::Enumerate).then_some(list);
        let mut refused = None;
        for calls in [bulk, list, Some(of_each.to_vec())].into_iter().flatten() {
            match self.meets(&calls) {
                Some(Refused::Errno(errno)) => refused = Some(Refused::Errno(errno)),
                answer => return answer,
            }
        }
        refused
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Errno(i32),
    Trap,
}

/// Returns whether this kernel and this backend have close_range(2) with its flag.
fn has_bulk() -> bool {
    // SAFETY: the range has numbers that are never open.
    let known = unsafe { libc::syscall(libc::SYS_close_range, u32::MAX - 1, u32::MAX, 4) } == 0;
    known && !cfg!(forkexec_backend = "posix")
}

/// The errno is that of the last step. A trapped call ends the child before anything counts as done.
///
/// Faults: F1, F2, F16
#[rstest]
fn refused_calls_never_leave_another_table(
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop)] first: CloseStrategy,
) {
    isolated_for(std::time::Duration::from_mins(5), || {
        if !Deny::new().errno(libc::SYS_acct, libc::EPERM).installed() {
            return;
        }
        let _open = open(&[(3, false), (4, true), (9, false), (60, true), (1_000, false)].into());
        let (before, keep) = (own_table(), BTreeSet::from([9, 60]));
        let fds = AllFds::starting_at(3).except(keep.iter().copied()).close_strategy(first);
        for filter in HOWS.into_iter().flat_map(Filter::all) {
            for change in CHANGES {
                let outcome = in_child(|| {
                    filter.install()?;
                    // SAFETY: this child runs the operation alone.
                    unsafe { change.make(&fds) }
                });
                let expected = match filter.refuses(change, first) {
                    None => Outcome::Done(change.of(&before, 3, &keep)),
                    Some(Refused::Errno(errno)) => Outcome::Failed(errno),
                    Some(Refused::Trap) => Outcome::Died(libc::SIGSYS),
                };
                assert_eq!(outcome, expected, "{change:?} from {first:?} under {filter:?}");
            }
        }
    });
}

/// The program runs with exactly its descriptors, or not at all.
///
/// Faults: F1, F2, F16
#[rstest]
fn std_child_is_exact_or_does_not_run(#[values(false, true)] keeps: bool) {
    isolated(|| {
        if !Deny::new().errno(libc::SYS_acct, libc::EPERM).installed() {
            return;
        }
        let _open = open(&[(50, false), (60, true), (1_000, false)].into());
        for filter in HOWS.into_iter().flat_map(Filter::all) {
            let kept = keeps.then(|| world::place(File::open("/dev/null").expect("it is there"), 70));
            let numbers: Vec<RawFd> = kept.iter().map(AsRawFd::as_raw_fd).collect();
            let kept = kept.into_iter().fold(KeptFds::new(), KeptFds::keep);
            let mut command = Command::new(probe::path());
            command.arg("sleep-on-stdin").stdin(Stdio::piped());
            let installed = filter.clone();
            // SAFETY: the child has one thread, and no lock is held: the harness waits.
            unsafe { command.pre_exec(move || installed.install()) };
            command.inherit_only(kept);
            let refused = filter.refuses(Change::Cloexec(true), CloseStrategy::Bulk);
            let refused = refused.or_else(|| keeps.then(|| filter.meets(&[libc::SYS_fcntl])).flatten());
            match (refused, command.spawn()) {
                (None, Ok(mut child)) => {
                    let process = i32::try_from(child.id()).expect("it is a process id");
                    let open: Vec<RawFd> = table_of(process).into_keys().collect();
                    assert_eq!(open, [&[0, 1, 2][..], &numbers].concat(), "under {filter:?}");
                    drop(child.stdin.take());
                    assert!(child.wait().expect("it ends").success());
                }
                (Some(Refused::Errno(errno)), Err(error)) => {
                    assert_eq!(error.raw_os_error(), Some(errno), "under {filter:?}");
                }
                (Some(Refused::Trap), Ok(mut child)) => {
                    let status = child.wait().expect("it ends");
                    assert_eq!(status.signal(), Some(libc::SIGSYS), "under {filter:?}");
                }
                (expected, spawned) => panic!("{spawned:?} and not {expected:?} under {filter:?}"),
            }
        }
    });
}

/// The list needs fcntl(2) only for the flags that it shows.
#[rstest]
#[case::everything(&CALLS, false)]
#[case::fcntl(&[libc::SYS_fcntl], false)]
#[case::list(&[libc::SYS_getdents64], true)]
#[case::directory(&[libc::SYS_openat], true)]
#[case::bulk(&[libc::SYS_close_range], true)]
fn list_is_whole_whatever_is_refused(
    #[case] calls: &'static [libc::c_long],
    #[case] has_flags: bool,
    #[values(libc::EPERM, libc::ENOSYS)] errno: i32,
) {
    isolated(|| {
        let _open = open(&[(50, false), (60, true), (1_000, false)].into());
        let before = own_table();
        if !Deny::new().errno(libc::SYS_acct, libc::EPERM).installed() {
            return;
        }
        let filter = Filter { calls: calls.iter().copied().collect(), how: How::Errno(errno) };
        let flags = |fd| has_flags.then(|| before[&fd]);
        let expected: Vec<_> = before.keys().map(|&fd| (fd, flags(fd))).collect();
        let listed = in_child(|| {
            filter.install()?;
            let listed = forkexec::fds::list()?;
            let listed: Vec<_> = listed.iter().map(|fd| (fd.number(), fd.is_cloexec())).collect();
            if listed == expected { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EDOM)) }
        });
        assert_eq!(listed, Outcome::Done(before.clone()));
    });
}
