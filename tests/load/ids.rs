//! Threads that change the ids of their process while others start children with ids of their own.
//!
//! To the kernel ids are a thread's. The C library tells all threads of a change, by a signal that it waits for, and a thread
//! that starts a child blocks all signals for that long.

use std::fs;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use forkexec::{Command, Stdio};
use forkexec_tests::isolate::isolated_for;
use forkexec_tests::probe::{Ids, Seen};
use forkexec_tests::world;

use crate::ground::{NOBODY, check, is_privileged};
use crate::{in_threads, rounds};

/// The ids of each thread of this process, as the kernel has them.
fn ids_of_threads() -> Vec<String> {
    let threads = fs::read_dir("/proc/self/task").expect("a process can list its threads");
    let status = |thread: std::io::Result<fs::DirEntry>| {
        let status = thread.map(|thread| thread.path().join("status")).and_then(fs::read_to_string);
        let status = status.expect("the thread is still there");
        let lines =
            status.lines().filter(|line| ["Uid:", "Gid:", "Groups:"].iter().any(|it| line.starts_with(it)));
        lines.map(str::trim_end).collect::<Vec<_>>().join(" ")
    };
    threads.map(status).collect()
}

/// Returns true if a child with requested ids has other ids.
fn has_others(probe: &std::path::Path, round: usize) -> bool {
    let id = NOBODY - u32::try_from(round % 100).expect("it is small");
    let mut command = Command::new(probe);
    command.arg("report").uid(id).gid(id - 1).groups([id - 2]).current_dir("/").stdin(Stdio::null());
    let output = command.output().expect("it can be started");
    let seen = Seen::of(&output.stdout);
    (seen.uids, seen.gids, &seen.groups[..]) != (Ids::all(id), Ids::all(id - 1), &[id - 2])
}

/// Faults: M5
#[test]
fn change_of_ids_reaches_all_threads_and_no_child() {
    isolated_for(Duration::from_mins(10), || {
        if !is_privileged() {
            return;
        }
        let directory = world::empty_chroot();
        let probe = directory.path().join("probe");
        let before = ids_of_threads();
        let (rounds, done) = (rounds() / 50, AtomicBool::new(false));
        thread::scope(|scope| {
            let change = || {
                let mut changes = 0_usize;
                while !done.load(Ordering::Relaxed) {
                    for group in [NOBODY, 0] {
                        // SAFETY: changes the calling process alone, which is the test's own.
                        check(unsafe { libc::setresgid(0, group, 0) });
                        changes += 1;
                    }
                    thread::sleep(Duration::from_micros(200));
                }
                changes
            };
            let changing = scope.spawn(change);
            let count = |_, numbers: Range<usize>| numbers.filter(|round| has_others(&probe, *round)).count();
            let wrong = in_threads(rounds, count);
            done.store(true, Ordering::Relaxed);
            let changes = changing.join().expect("it does not panic");
            println!("{rounds} children while the group changed {changes} times");
            assert_eq!(wrong, 0, "of {rounds}");
            assert!(changes > 0);
        });
        let after = ids_of_threads();
        assert!(after.iter().all(|ids| *ids == before[0]), "{before:?}: {after:?}");
    });
}
