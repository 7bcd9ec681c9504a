//! Low numbers that stand in for high ones: a parent with many descriptors, and children that get some of them.
//!
//! They are used if a child may not take descriptors from its parent. With and without low numbers, the child must see the same descriptors, and the parent must keep its own.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::thread;

use forkexec::{BorrowingCommand, SpawnMethod, SpawnPolicy, Stdio, low_fds, reserve_low_fds};
use forkexec_core::SharingSys;
use forkexec_linux::Kernel;
use forkexec_tests::deny::Deny;
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::{isolated, isolated_if, skip};
use forkexec_tests::probe::Seen;
use forkexec_tests::world;
use rstest::rstest;

use crate::ground::{check, method, takes_fds};
use crate::start::{Identity, identity, memory_file, probe, report, seen, table};

/// The parent's descriptors: three pipes with the lowest numbers, many descriptors, and pipes with the highest numbers.
struct Parent {
    /// The low ones first.
    pipes: Vec<OwnedFd>,
    crowd: Vec<OwnedFd>,
}

const LOW: usize = 3;
const CROWD: usize = 1_100;
const HIGH: usize = 20;

impl Parent {
    fn new() -> Self {
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        world::set_limit(libc::RLIMIT_NOFILE, hard.min(4_000), hard).expect("within the hard limit");
        let mut pipes: Vec<_> = (0..LOW).map(|_| pipe()).collect();
        let crowd = world::open_many(CROWD);
        pipes.extend((0..HIGH).map(|_| pipe()));
        Self { pipes, crowd }
    }

    fn number(&self, to: To) -> RawFd {
        match to {
            Number(number) => number,
            NumberOf(index) => self.pipes[index].as_raw_fd(),
        }
    }
}

/// One end of a pipe, which no other descriptor is.
fn pipe() -> OwnedFd {
    let (reader, _) = io::pipe().expect("a pipe can be made");
    reader.into()
}

#[derive(Clone, Copy, Debug)]
enum To {
    Number(RawFd),
    /// The number that this pipe of the parent's has.
    NumberOf(usize),
}
use To::{Number, NumberOf};

/// Returns true if low numbers help the children here. Skips the test if not.
fn has_slots() -> bool {
    // SAFETY: the only call checks what is linked.
    let is_sanitized = unsafe { Kernel::new() }.is_sanitized();
    let has = !cfg!(forkexec_backend = "posix") && !is_sanitized && world::has_close_range();
    if !has {
        skip("no table is shared here, so that no low number is lent");
    }
    has
}

/// Reserves low numbers, and lets no child take descriptors from here on. With 0, children take them.
fn reserve(slots: usize) {
    reserve_low_fds(slots).expect("a pipe can be made");
    if slots > 0 {
        refuse_taking();
    }
}

/// Children of this process may neither duplicate its descriptors nor open its pipes for writing.
fn refuse_taking() {
    let deny = Deny::new().errno(libc::SYS_pidfd_getfd, libc::EPERM);
    deny.errno_with(libc::SYS_openat, 2, libc::O_WRONLY, libc::EACCES).installed();
}

const RING: &[(usize, To)] = &[(3, NumberOf(4)), (4, NumberOf(5)), (5, NumberOf(3))];
const MIXED_RING: &[(usize, To)] = &[(0, NumberOf(4)), (4, NumberOf(1)), (1, NumberOf(0))];
const ONTO_SLOTS: &[(usize, To)] = &[(3, Number(48)), (4, Number(49)), (5, Number(50)), (6, Number(51))];

#[rstest]
#[case::captured_output_alone(&[], &[])]
#[case::kept(&[3], &[])]
#[case::two_adjacent_kept(&[3, 4], &[])]
#[case::low_and_high_kept(&[0, 3], &[])]
#[case::high_to_low(&[], &[(3, Number(3)), (4, Number(7))])]
#[case::low_to_high(&[], &[(0, Number(2_000)), (1, NumberOf(3))])]
#[case::swap_of_low_and_high(&[], &[(0, NumberOf(3)), (3, NumberOf(0))])]
#[case::ring_of_high_numbers(&[], RING)]
#[case::ring_of_low_and_high_numbers(&[], MIXED_RING)]
#[case::two_rings(&[], &[(3, NumberOf(4)), (4, NumberOf(3)), (0, NumberOf(1)), (1, NumberOf(0))])]
#[case::kept_and_mapped(&[3], &[(3, Number(9)), (3, Number(1_999))])]
#[case::to_itself(&[], &[(3, NumberOf(3)), (4, Number(5))])]
#[case::onto_the_low_numbers(&[4], ONTO_SLOTS)]
#[case::more_than_low_numbers(&[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21], &[])]
fn child_gets_exactly_the_kept_and_mapped_fds(
    #[case] keep: &[usize],
    #[case] mappings: &[(usize, To)],
    #[values(0, 4, 16)] slots: usize,
) {
    isolated(|| {
        reserve(slots);
        let parent = Parent::new();
        let mut command = probe(&["report"]);
        let mut expected: Vec<(RawFd, Identity)> = Vec::new();
        for &index in keep {
            command.keep_fd(&parent.pipes[index]);
            expected.push((parent.number(NumberOf(index)), identity(&parent.pipes[index])));
        }
        for &(source, to) in mappings {
            command.fd(parent.number(to), &parent.pipes[source]);
            expected.push((parent.number(to), identity(&parent.pipes[source])));
        }
        expected.sort_unstable();
        let before = (Snapshot::take(), low_fds());
        for launch in [SpawnPolicy::Auto, SpawnPolicy::Auto, SpawnPolicy::Fork] {
            assert_eq!(table(&seen(command.spawn_policy(launch)))[3..], expected);
        }
        let after = (Snapshot::take(), low_fds());
        assert_eq!((before.0.differences(&after.0), before.1.len()), (vec![], after.1.len()));
    });
}

#[rstest]
fn directory_and_streams_are_right_at_any_fd_number(#[values(0, 16)] slots: usize) {
    isolated(|| {
        reserve(slots);
        let _parent = Parent::new();
        let root = std::fs::File::open("/").expect("it is there");
        let (input, error) = (pipe(), pipe());
        let expected = (identity(&input), identity(&error));
        let mut command = probe(&[]);
        command.current_dir_fd(&root).stdin(input).stderr(error);
        let seen = report(&mut command);
        let found = table(&seen);
        assert_eq!((found[0].1, found[2].1, seen.cwd), (expected.0, expected.1, Some("/".into())));
    });
}

#[test]
fn command_after_a_refusal_reserves_low_numbers() {
    isolated_if(
        || has_slots() && takes_fds(),
        || {
            // The second child benefits from what the first one found out.
            let [_, method] = [method(), method()];
            let high = world::place(pipe(), 200);
            let kept = || seen(probe(&["report"]).keep_fd(&high)).fds;
            assert_eq!((kept(), kept(), low_fds()), (vec![0, 1, 2, 200], vec![0, 1, 2, 200], vec![]));
            if !Deny::new().errno(libc::SYS_pidfd_getfd, libc::EPERM).installed() {
                return;
            }
            assert_eq!((kept(), low_fds()), (vec![0, 1, 2, 200], vec![]));
            assert_eq!(kept(), [0, 1, 2, 200]);
            if method != SpawnMethod::Shared {
                // No table is shared here, so no low number is needed.
                return assert_eq!(low_fds(), [0; 0]);
            }
            // Four, and the files that they duplicate.
            assert_eq!(low_fds(), [48, 49, 50, 51, 64]);
            assert_eq!((reserve_low_fds(2).ok(), reserve_low_fds(99).ok()), (Some(4), Some(16)));
            assert_eq!((reserve_low_fds(0).ok(), low_fds()), (Some(0), vec![]));
            assert_eq!(kept(), [0, 1, 2, 200]);
            assert_eq!(low_fds(), [0; 0]);
            assert_eq!((reserve_low_fds(1).ok(), low_fds().len()), (Some(1), 2));
        },
    );
}

/// Below 128, a process has few descriptors that a child does not reach at once.
#[rstest]
#[case::with_many_numbers(129, 5)]
#[case::with_few_numbers(128, 0)]
fn low_numbers_are_reserved_only_with_many_numbers(#[case] limit: u64, #[case] expected: usize) {
    isolated_if(
        || has_slots() && takes_fds(),
        || {
            let shares_table = method() == SpawnMethod::Shared;
            let high = world::place(pipe(), 100);
            let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
            world::set_limit(libc::RLIMIT_NOFILE, limit, hard).expect("within the hard limit");
            refuse_taking();
            for _ in 0..2 {
                assert_eq!(seen(probe(&["report"]).keep_fd(&high)).fds, [0, 1, 2, 100]);
            }
            assert_eq!(low_fds().len(), if shares_table { expected } else { 0 });
        },
    );
}

/// The child could not get the number back.
#[test]
fn number_above_a_limit_that_was_lowered_is_kept() {
    isolated_if(has_slots, || {
        reserve(4);
        let high = world::place(pipe(), 200);
        let mut command = probe(&["report"]);
        let prepared = command.keep_fd(&high).stdout(Stdio::piped()).prepare().expect("it can be prepared");
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        world::set_limit(libc::RLIMIT_NOFILE, 150, hard).expect("within the hard limit");
        for _ in 0..2 {
            let output = prepared.spawn().expect("it starts").wait_with_output().expect("it ends");
            assert_eq!(Seen::of(&output.stdout).fds, [0, 1, 2, 200]);
        }
    });
}

#[test]
fn low_numbers_that_a_program_closed_are_reserved_again() {
    isolated_if(has_slots, || {
        reserve(4);
        for fd in low_fds() {
            // SAFETY: the library recognises its own descriptors, even if the number is reused.
            check(unsafe { libc::close(fd) });
        }
        assert_eq!(low_fds(), [0; 0]);
        assert_eq!((reserve_low_fds(4).ok(), low_fds().len()), (Some(4), 5));
    });
}

/// Descriptors that a program closed although they were not its own, and the numbers are others' by now.
#[test]
fn reused_low_numbers_are_left_alone() {
    isolated_if(has_slots, || {
        reserve(4);
        let parent = Parent::new();
        let lost = low_fds();
        for &fd in &lost {
            // SAFETY: the library recognises its own descriptors, even if the number is reused.
            check(unsafe { libc::close(fd) });
        }
        let file = memory_file();
        let foreign: Vec<OwnedFd> =
            lost.iter().filter(|&&fd| fd != file.as_raw_fd()).map(|&fd| world::place(&file, fd)).collect();
        let kept = [&parent.pipes[5], &parent.pipes[6]];
        let mut command = probe(&["report"]);
        command.keep_fd(kept[0]).keep_fd(kept[1]);
        let expected = kept.map(|pipe| (pipe.as_raw_fd(), identity(pipe)));
        assert_eq!(table(&seen(&mut command))[3..], expected);
        assert!(foreign.iter().all(|fd| identity(fd) == identity(&file)));
        assert!(low_fds().iter().all(|fd| !lost.contains(fd)));
    });
}

/// Locks of fcntl(2) are lost with any descriptor of the file that is closed.
#[rstest]
fn spawn_drops_no_record_lock_of_the_parent(#[values(0, 16)] slots: usize) {
    isolated(|| {
        reserve(slots);
        let _parent = Parent::new();
        let file = memory_file();
        // SAFETY: all zeroes are a lock of a whole file.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = 1; // F_WRLCK, whose type is another one in each C library.
        // SAFETY: the lock outlives the call.
        check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) });
        let mut command = probe(&["report"]);
        command.keep_fd(&file).fd(5, &file);
        assert_eq!(seen(&mut command).fds, [0, 1, 2, 5, file.as_raw_fd()]);
        // A lock of an open file description conflicts with the process's own.
        // SAFETY: the lock outlives the call, which writes it.
        check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) });
        assert_eq!(lock.l_type, 1);
    });
}

#[test]
fn reserved_numbers_are_released_when_descriptors_run_out() {
    isolated(|| {
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        world::set_limit(libc::RLIMIT_NOFILE, 300, hard).expect("within the hard limit");
        // By clone(2), the first child shows that a table can be shared, and nothing is reserved before that.
        assert!(probe(&["true"]).status().expect("it can be started").success());
        reserve_low_fds(16).expect("a pipe can be made");
        let null = std::fs::File::open("/dev/null").expect("it is there");
        let mut crowd = Vec::new();
        while let Ok(another) = null.as_fd().try_clone_to_owned() {
            crowd.push(another);
        }
        let answer = probe(&["true"]).stdin(Stdio::piped()).stdout(Stdio::piped()).status();
        let reserved = low_fds();
        drop(crowd);
        if has_slots() {
            assert!(answer.expect("it can be started").success());
            assert_eq!(reserved, [0; 0]);
        }
    });
}

/// No descriptor can be placed above the limit, but a kept one is there already.
#[rstest]
fn kept_fd_above_the_limit_stays_in_place(#[values(0, 16)] slots: usize) {
    isolated(|| {
        reserve(slots);
        let mut parent = Parent::new();
        // The report of a forked child needs numbers below the limit.
        parent.crowd.drain(..8);
        let kept = &parent.pipes[4];
        let mut command = probe(&["true"]);
        command.keep_fd(kept);
        let prepared = command.prepare().expect("it means something");
        world::set_limit(libc::RLIMIT_NOFILE, 1_000, 4_000).expect("a limit can be lowered");
        let mut later = probe(&["true"]);
        later.keep_fd(kept);
        let statuses = [prepared.status(), later.status()].map(|status| status.is_ok_and(|it| it.success()));
        assert_eq!(statuses, [true; 2]);
    });
}

#[rstest]
fn threads_share_the_low_numbers_without_mixing_fds(#[values(1, 4, 16)] slots: usize) {
    const ROUNDS: usize = 25;
    isolated(|| {
        reserve(slots);
        let parent = Parent::new();
        let before = low_fds();
        thread::scope(|scope| {
            for pipe in &parent.pipes[LOW..LOW + 8] {
                scope.spawn(move || {
                    let expected = [(7, identity(pipe)), (pipe.as_raw_fd(), identity(pipe))];
                    let mut command = probe(&["report"]);
                    command.keep_fd(pipe).fd(7, pipe);
                    for _ in 0..ROUNDS {
                        assert_eq!(table(&seen(&mut command))[3..], expected);
                    }
                });
            }
        });
        assert_eq!(low_fds(), before);
    });
}

/// A forked process has a copy of the parent's low numbers, and uses it independently.
#[test]
fn forked_process_uses_its_own_low_numbers() {
    isolated(|| {
        reserve(4);
        let parent = Parent::new();
        let start = || {
            let mut command = BorrowingCommand::new(forkexec_tests::probe::path());
            let status = command.arg("true").keep_fd(&parent.pipes[5]).stdout(Stdio::piped()).status();
            status.is_ok_and(|status| status.success())
        };
        // SAFETY: the other thread of this process waits for this one, and holds no lock.
        let child = check(unsafe { libc::fork() });
        if child == 0 {
            let worked = start() && start();
            // SAFETY: ends the child.
            unsafe { libc::_exit(i32::from(!worked)) };
        }
        assert_eq!((world::wait_for(child).success(), start()), (true, true));
    });
}
