//! Trees of processes that fork without a pause, killed in the middle of it.

use std::io::Read;
use std::ptr;
use std::time::Duration;

use forkexec::{Containment, Coverage, Stdio};
use forkexec_core::Operation;
use forkexec_tests::isolate::{isolated_for, skip};
use forkexec_tests::probe;
use forkexec_tests::world::Cgroup;

use crate::ground::{check, has, is_emulated};
use crate::killing::rounds;

/// The processes of one tree that fork.
const FORKERS: usize = 8;

/// One write to `cgroup.kill` misses a process of one in some thousand of these trees (Linux 6.18). It would fork on.
///
/// Faults: W21
#[test]
fn tree_kill_ends_processes_that_fork_without_pause() {
    isolated_for(Duration::from_hours(1), || {
        if !has(Operation::Cgroup) || is_emulated("makes nobody the parent of orphans") {
            return;
        }
        let world = match Cgroup::new() {
            Ok(world) => world,
            Err(reason) => return skip(&reason),
        };
        // SAFETY: changes the calling process alone, which is the test's own.
        check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) });
        for round in 0..rounds() / 10 {
            let mut command = probe::command(&["forkers", &FORKERS.to_string()]);
            command.cgroup(world.path()).containment(Containment::Cgroup).stdout(Stdio::piped());
            let mut child = command.spawn().expect("it starts");
            let mut stdout = child.stdout.take().expect("it was piped");
            stdout.read_exact(&mut [0; FORKERS]).expect("each says that it forks");
            let killed = child.kill_tree().expect("they are ours");
            assert_eq!(
                (killed.coverage(), killed.failure()),
                (Coverage::Cgroup, None),
                "round {round}: {killed:?}"
            );
            assert!(world.is_empty(), "round {round}");
            child.wait().expect("it is ours");
            // SAFETY: nothing is written. All that fell to this process have ended.
            while unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) } > 0 {}
        }
    });
}
