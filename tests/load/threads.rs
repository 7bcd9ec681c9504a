//! Children of many threads at once: each has its own descriptors, and each that runs is reported as running.

use std::io::{self, Read};
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use forkexec::{BorrowingCommand, Command, Stdio};
use forkexec_tests::isolate::{isolated, isolated_for};
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::world;

use crate::{THREADS, in_threads, rounds};

const LIMIT: Duration = Duration::from_mins(10);

/// The numbers to which a round maps its pipe, and those that it keeps.
fn targets(round: usize) -> Vec<i32> {
    let spread = [3, 7, 64, 20, 333, 9, 4, 512];
    let first = spread[round % spread.len()];
    (0..=i32::try_from(round % 4).expect("it is small")).map(|step| first + step * 2).collect()
}

/// Starts a child that has one pipe under some numbers and some inherited ones. Returns true if it had anything else.
fn is_mixed_up(kept: &[OwnedFd], round: usize) -> bool {
    const REPORTING: usize = 10;
    let mark = format!("mark-{round}");
    let (mut reader, writer) = io::pipe().expect("a pipe can be made");
    let targets = targets(round);
    let to = targets[0].to_string();
    let kept: Vec<&OwnedFd> = kept.iter().skip(round % 3).step_by(2).collect();
    let reports = round.is_multiple_of(REPORTING);

    let mut command = BorrowingCommand::new(probe::path());
    if reports {
        command.args(["report", "--to", &to, &mark]);
    } else {
        command.args(["write", &to, &mark]);
    }
    command.stdin(Stdio::null());
    for &target in &targets {
        command.fd(target, &writer);
    }
    for fd in &kept {
        command.keep_fd(*fd);
    }
    let mut child = command.spawn().expect("it can be started");
    drop(command);
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("it is ASCII");
    let ended_well = child.wait().expect("it can be waited for").success();
    if !reports {
        return !ended_well || text != mark;
    }
    let mut expected = [vec![0, 1, 2], targets, kept.iter().map(|fd| fd.as_raw_fd()).collect()].concat();
    expected.sort_unstable();
    let seen = Seen::parse(&text);
    !ended_well || seen.fds != expected || seen.args.last() != Some(&mark.into())
}

/// Faults: M7
#[test]
fn children_of_many_threads_have_separate_descriptors() {
    isolated_for(LIMIT, || {
        let null = std::fs::File::open("/dev/null").expect("it is there");
        let kept: Vec<OwnedFd> = (700..706).map(|number| world::place(&null, number)).collect();
        let secrets = world::open_many(100);
        let rounds = rounds() * 2 / 5;
        let count = |_, numbers: Range<usize>| numbers.filter(|round| is_mixed_up(&kept, *round)).count();
        assert_eq!(in_threads(rounds, count), 0, "of {rounds}");
        drop(secrets);
    });
}

/// The parent looks up a child in a new session in `/proc`, possibly at a moment before it counts as having executed a
/// program. The parent must never report its death.
#[test]
fn child_in_its_own_session_is_never_taken_for_dead() {
    isolated_for(LIMIT, || {
        let rounds = rounds() / 5;
        let count = |_, numbers: Range<usize>| {
            let fails = |_: &usize| {
                let status = probe::command(&["true"]).setsid().status();
                !status.is_ok_and(|status| status.success())
            };
            numbers.filter(fails).count()
        };
        assert_eq!(in_threads(rounds, count), 0, "of {rounds}");
    });
}

/// Children that end at once are zombies when the parent looks them up.
#[test]
fn each_thread_gets_its_own_failures() {
    isolated(|| {
        let count = |number: usize, rounds: Range<usize>| {
            let is_wrong = |round: &usize| {
                let missing = format!("/no/such/directory/{number}/{round}");
                let error = Command::new(probe::path()).current_dir(&missing).setsid().spawn();
                !error.is_err_and(|error| error.to_string().contains(&missing))
            };
            rounds.filter(is_wrong).count()
        };
        assert_eq!(in_threads(THREADS * 100, count), 0);
    });
}
