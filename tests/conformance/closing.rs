//! Each strategy closes all descriptors that the child is not to inherit.
//!
//! `random` has the property that all strategies leave the same table.

mod random;

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use forkexec::{BorrowingCommand, CloseStrategy, Errno, Operand, Resource, Stage, Stdio};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe::Seen;
use forkexec_tests::world;
use rstest::rstest;

use crate::ground::{as_root, bulk_closer, capabilities, check};
use crate::start::{
    high_memory_file, identity, is_cloexec, memory_file, path_descriptor, probe, report, seen, set_cloexec,
};

#[rstest]
fn child_sees_only_kept_fds_of_ten_thousand(
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop)] link: CloseStrategy,
) {
    isolated(|| {
        let limit = raise_limit();
        if limit < 10_100 {
            return skip("the hard descriptor limit is below 10,100");
        }
        let many = world::open_many(10_000);
        let highest = world::place(&many[0], limit - 1);
        let kept = [&many[50], &many[200], &many[201], &highest];
        let numbers = kept.map(AsRawFd::as_raw_fd);
        let (seen, closer) = report_closing(link, kept);
        assert_eq!((seen.fds, closer), ([&[0, 1, 2], &numbers[..]].concat(), closer_of(link)));
    });
}

#[rstest]
#[case::nothing(&[])]
#[case::first_number(&[3])]
#[case::two_adjacent_first_numbers(&[3, 4])]
// Faults: D1
#[case::adjacent_pair(&[20, 21])]
#[case::around_a_gap_of_one(&[20, 22])]
#[case::run(&[3, 4, 5, 6, 7, 8, 9, 10, 11, 12])]
#[case::last_open_number(&[40])]
#[case::all(&[3, 4, 5, 20, 21, 22, 40])]
fn any_keep_list_is_kept_exactly(
    #[case] keep: &[RawFd],
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop)] link: CloseStrategy,
) {
    isolated(|| {
        let open = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 20, 21, 22, 40];
        let files = place_each(&open);
        let kept = files.iter().filter(|file| keep.contains(&file.as_raw_fd()));
        let (seen, _) = report_closing(link, kept);
        let expected: Vec<_> = [0, 1, 2].iter().chain(keep).copied().collect();
        assert_eq!(seen.fds, expected);
    });
}

/// Faults: D7
#[rstest]
fn child_has_exact_fds_after_the_parent_lowers_its_limit(
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop)] link: CloseStrategy,
) {
    isolated(|| {
        let files = place_each(&[30, 300, 500]);
        world::set_limit(libc::RLIMIT_NOFILE, 64, 64).expect("a limit can be lowered");
        assert_eq!(report_closing(link, [&files[1]]).0.fds, [0, 1, 2, 300]);
    });
}

#[rstest]
fn child_has_exact_fds_after_it_lowers_its_limit(
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop)] link: CloseStrategy,
) {
    isolated(|| {
        let files = place_each(&[30, 300, 500]);
        let mut command = probe(&["report"]);
        command.close_strategy(link).rlimit(Resource::NOFILE, Some(64), Some(64)).keep_fd(&files[1]);
        assert_eq!(seen(&mut command).fds, [0, 1, 2, 300]);
    });
}

/// Faults: F3
#[test]
fn close_loop_needs_no_proc() {
    isolated(|| {
        let files = place_each(&[30, 300, 500]);
        if let Err(reason) = world::without_proc() {
            return skip(&reason);
        }
        let (seen, closer) = report_closing(CloseStrategy::Enumerate, [&files[1]]);
        assert_eq!((seen.fds, closer), (vec![0, 1, 2, 300], "loop"));
    });
}

/// Faults: F4
#[test]
fn false_proc_is_not_trusted() {
    isolated(|| {
        let files = place_each(&[30, 300, 500]);
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        if let Err(reason) = world::false_proc(directory.path()) {
            return skip(&reason);
        }
        let (seen, closer) = report_closing(CloseStrategy::Enumerate, [&files[1]]);
        assert_eq!((seen.fds, closer), (vec![0, 1, 2, 300], "loop"));
    });
}

/// Faults: D13
#[test]
fn path_descriptor_can_be_kept() {
    isolated(|| {
        let root = path_descriptor();
        let seen = report(probe(&[]).keep_fd(&root));
        let facts = seen.facts[&root.as_raw_fd()];
        assert_eq!(((facts.dev, facts.ino), facts.flags & libc::O_PATH), (identity(&root), libc::O_PATH));
    });
}

#[test]
fn kept_fd_stays_close_on_exec_in_the_parent() {
    isolated(|| {
        let file = memory_file();
        let seen = report(probe(&[]).keep_fd(&file));
        assert_eq!((seen.fds, is_cloexec(&file)), (vec![0, 1, 2, file.as_raw_fd()], true));
    });
}

/// Faults: N5
#[test]
fn descriptor_kept_twice_is_kept_once() {
    isolated(|| {
        let file = memory_file();
        let seen = report(probe(&[]).keep_fd(&file).keep_fd(&file));
        assert_eq!(seen.fds, [0, 1, 2, file.as_raw_fd()]);
    });
}

/// Faults: N6
#[test]
fn kept_standard_streams_stay_the_same() {
    isolated(|| {
        let (stdin, stderr) = (io::stdin(), io::stderr());
        let seen = report(probe(&[]).stdin(Stdio::inherit()).keep_fd(&stdin).keep_fd(&stderr));
        assert_eq!(seen.fds, [0, 1, 2]);
    });
}

#[test]
fn inherit_all_keeps_each_fd_that_exec_keeps() {
    isolated(|| {
        let files = place_each(&[30, 31, 500]);
        set_cloexec(&files[1]);
        let mut command = probe(&["report"]);
        let child = command.inherit_all().stdout(Stdio::piped()).spawn().expect("it can be started");
        let closer = child.close_method().name();
        let output = child.wait_with_output().expect("it can be waited for");
        let seen = Seen::of(&output.stdout);
        assert_eq!((seen.fds, closer), (vec![0, 1, 2, 30, 500], "nothing"));
    });
}

/// Faults: D11
#[test]
fn child_has_no_descriptor_that_another_thread_opens() {
    isolated(|| {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    drop(world::open_many(3));
                }
            });
            let tables: Vec<_> = (0..60).map(|_| report(&mut probe(&[])).fds).collect();
            done.store(true, Ordering::Relaxed);
            assert!(tables.iter().all(|fds| fds == &[0, 1, 2]), "{tables:?}");
        });
    });
}

/// Faults: D16
#[test]
fn record_lock_of_the_parent_outlives_its_children() {
    isolated(|| {
        let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        lock(file.as_file());
        for _ in 0..20 {
            probe(&["true"]).status().expect("it can be started");
        }
        assert!(is_locked(&file.reopen().expect("it is there")));
    });
}

#[test]
fn command_gives_each_child_the_same_fds() {
    isolated(|| {
        let file = memory_file();
        let mut command: BorrowingCommand<'_> = probe(&["report"]);
        command.keep_fd(&file).fd(60, &file);
        let tables = [(); 3].map(|()| seen(&mut command).fds);
        assert_eq!(tables, [(); 3].map(|()| vec![0, 1, 2, file.as_raw_fd(), 60]));
    });
}

/// The number is borrowed by its value alone, as code does that has nothing but numbers.
///
/// Faults: D9
#[test]
fn error_names_a_kept_fd_that_was_closed_meanwhile() {
    isolated(|| {
        let file = world::place(memory_file(), 60);
        // SAFETY: nothing reads or writes it; that it is closed before the start is the point.
        let number = unsafe { BorrowedFd::borrow_raw(60) };
        let mut command = probe(&["true"]);
        command.keep_fd(number);
        let prepared = command.prepare().expect("it is open");
        drop(file);
        let error = prepared.spawn().expect_err("it is closed");
        let told = error.as_spawn().map(|error| (error.stage(), error.operand(), error.errno()));
        assert_eq!(told, Some((Stage::KeepFds, &Operand::Fd(60), Errno::BADF)));
    });
}

/// Faults: D12
#[rstest]
fn descriptor_at_the_limit_is_closed(
    #[values(CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop)] link: CloseStrategy,
) {
    isolated(|| {
        let highest = raise_limit() - 1;
        let _highest = world::place(memory_file(), highest);
        let seen = report_closing(link, []).0;
        assert!(seen.scanned >= highest, "the probe looks at {} at most", seen.scanned);
        assert_eq!(seen.fds, [0, 1, 2]);
    });
}

/// A child without privileges reads its own list through a `/proc` that hides the processes of other users.
///
/// Faults: F12
#[test]
fn child_of_another_user_has_exact_fds_under_hidepid() {
    as_root(|| {
        let root = world::empty_chroot();
        let files = place_each(&[50, 60, 500]);
        if let Err(reason) = world::hiding_proc() {
            return skip(&reason);
        }
        if !Deny::new().errno(libc::SYS_close_range, libc::EPERM).installed() {
            return;
        }
        let mut command = BorrowingCommand::new(root.path().join("probe"));
        command.uid(1234).gid(1234).groups([]).keep_fd(&files[1]);
        let seen = report(&mut command);
        assert_eq!((seen.fds, seen.uids.effective), (vec![0, 1, 2, 60], 1234));
    });
}

/// Faults: N4
#[test]
fn unsorted_keep_list_is_kept() {
    isolated(|| {
        let files = place_each(&[60, 61]);
        assert_eq!(report(probe(&[]).keep_fd(&files[1]).keep_fd(&files[0])).fds, [0, 1, 2, 60, 61]);
    });
}

/// Faults: N8
#[test]
fn keep_list_of_a_hundred_thousand_entries_is_kept() {
    isolated(|| {
        if raise_limit() < 5_100 {
            return skip("the hard descriptor limit is below 5,100");
        }
        let many = world::open_many(5_000);
        let mut command = probe(&[]);
        for fd in many.iter().cycle().take(100_000) {
            command.keep_fd(fd);
        }
        assert_eq!(report(&mut command).fds.len(), 5_003);
    });
}

/// Starts a probe that keeps these descriptors. Returns its report, and what closed the others.
fn report_closing<'fd>(
    link: CloseStrategy,
    keep: impl IntoIterator<Item = &'fd OwnedFd>,
) -> (Seen, &'static str) {
    let mut command = probe(&["report"]);
    command.close_strategy(link).stdout(Stdio::piped());
    for fd in keep {
        command.keep_fd(fd);
    }
    let child = command.spawn().expect("the probe can be started");
    let closer = child.close_method().name();
    let output = child.wait_with_output().expect("it can be waited for");
    (Seen::of(&output.stdout), closer)
}

/// Opens files that survive exec under these numbers.
fn place_each(numbers: &[RawFd]) -> Vec<OwnedFd> {
    let file = high_memory_file();
    numbers.iter().map(|&number| world::place(&file, number)).collect()
}

/// Raises the soft descriptor limit to the hard one, and returns it.
fn raise_limit() -> RawFd {
    let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
    let limit = hard.min(1 << 20);
    world::set_limit(libc::RLIMIT_NOFILE, limit, hard).expect("a soft limit can be raised");
    RawFd::try_from(limit).expect("it is at most 2^20")
}

/// Returns what closes descriptors if the chain begins with this strategy.
fn closer_of(link: CloseStrategy) -> &'static str {
    match (link, bulk_closer()) {
        (CloseStrategy::Bulk, Some(bulk)) => bulk,
        (CloseStrategy::Bulk | CloseStrategy::Enumerate, _) => capabilities().enumerators[0],
        (CloseStrategy::Loop, _) => "loop",
    }
}

fn lock(file: &File) {
    // SAFETY: all zeroes are a range of the whole file.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = i16::try_from(libc::F_WRLCK).expect("a small number");
    // SAFETY: the range outlives the call.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const range) });
}

/// Returns true if a lock of this process blocks the open file description.
fn is_locked(file: &File) -> bool {
    // SAFETY: all zeroes are a range of the whole file.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = i16::try_from(libc::F_WRLCK).expect("a small number");
    // SAFETY: the range outlives the call.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut range) });
    i32::from(range.l_type) != libc::F_UNLCK
}
