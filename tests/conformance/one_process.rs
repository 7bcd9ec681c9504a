//! A spawn makes one process, and so does the first spawn of a program.
//!
//! strace traces this binary, with a test that starts one child. Threads (`CLONE_THREAD`), such as the spawner thread
//! and the reaper, are not processes. They exist only if a command needs them.

use std::env;
use std::fs::File;
use std::thread;

use forkexec::{BorrowingCommand, CloseStrategy, Namespace, SpawnMethod, SpawnPolicy};
use forkexec_tests::android;
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::trace::{self, Call};
use forkexec_tests::world;
use rstest::rstest;

use crate::ground::{capabilities, has, is_emulated, is_privileged};
use crate::start::probe;

/// Names the spawn below that the traced test makes.
const START: &str = "FORKEXEC_CONFORMANCE_FIRST_START";

/// A spawn, with flags that the call for its process must have, and flags that it must lack.
struct Start {
    name: &'static str,
    deny: fn(Deny) -> Deny,
    ask: fn(&mut BorrowingCommand<'_>),
    has: &'static [&'static str],
    lacks: &'static [&'static str],
}

const START_ONE: Start = Start { name: "", deny: |deny| deny, ask: |_| {}, has: &[], lacks: &[] };

const STARTS: [Start; 13] = [
    Start { name: "shared table", has: &["CLONE_VFORK", "CLONE_FILES"], ..START_ONE },
    Start {
        name: "own table",
        ask: |command| {
            command.inherit_all();
        },
        has: &["CLONE_VFORK"],
        lacks: &["CLONE_FILES"],
        ..START_ONE
    },
    Start {
        name: "closure",
        ask: |command| {
            // SAFETY: the closure does nothing.
            unsafe { command.pre_exec(|| Ok(())) };
        },
        lacks: &["CLONE_VM"],
        ..START_ONE
    },
    Start {
        name: "fork",
        ask: |command| {
            command.spawn_policy(SpawnPolicy::Fork);
        },
        lacks: &["CLONE_VM"],
        ..START_ONE
    },
    Start {
        name: "no clone3",
        deny: |deny| deny.errno(libc::SYS_clone3, libc::ENOSYS),
        has: &["CLONE_VFORK"],
        lacks: &["CLONE_FILES"],
        ..START_ONE
    },
    Start {
        name: "no shared memory",
        deny: |deny| {
            let deny = deny.errno(libc::SYS_clone3, libc::EPERM);
            #[cfg(target_arch = "x86_64")]
            let deny = deny.errno(libc::SYS_vfork, libc::EPERM);
            deny.errno_with(libc::SYS_clone, 0, libc::CLONE_VFORK, libc::EPERM)
        },
        lacks: &["CLONE_VM"],
        ..START_ONE
    },
    Start {
        name: "no close_range",
        deny: |deny| deny.errno(libc::SYS_close_range, libc::ENOSYS),
        has: &["CLONE_VFORK"],
        ..START_ONE
    },
    Start {
        name: "listing",
        ask: |command| {
            command.close_strategy(CloseStrategy::Enumerate);
        },
        has: &["CLONE_VFORK"],
        lacks: &["CLONE_FILES"],
        ..START_ONE
    },
    Start {
        name: "group",
        ask: |command| {
            command.process_group(0);
        },
        has: &["CLONE_VFORK"],
        ..START_ONE
    },
    Start {
        name: "dies with parent",
        ask: |command| {
            command.die_with_parent(libc::SIGKILL);
        },
        has: &["CLONE_VFORK"],
        ..START_ONE
    },
    Start {
        name: "failing child",
        ask: |command| {
            command.process_group(4_194_000);
        },
        ..START_ONE
    },
    Start { name: "other thread", has: &["CLONE_VFORK"], ..START_ONE },
    // The child does not try to take the descriptor from a parent that it does not see.
    Start {
        name: NEW_PIDS,
        ask: |command| {
            let high = world::place(File::open("/dev/null").expect("there is a null device"), 900);
            command.unshare([Namespace::Pid]).keep_fd(high);
        },
        has: &["CLONE_VFORK", "CLONE_FILES", "CLONE_NEWPID"],
        ..START_ONE
    },
];

const NEW_PIDS: &str = "high descriptor in a new pid namespace";

/// Faults: F15
#[rstest]
fn first_spawn_makes_one_process(#[values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)] index: usize) {
    isolated(|| {
        let start = &STARTS[index];
        if start.name == "dies with parent" && !capabilities().has(forkexec_core::Operation::DieWithParent) {
            return skip("this backend has no such operation");
        }
        if start.name == NEW_PIDS && !(has(forkexec_core::Operation::Namespaces) && is_privileged()) {
            return;
        }
        let Some(made) = processes(start.name) else { return };
        assert_eq!(made.len(), 1, "{}: {made:?}", start.name);
        let text = &made[0].text;
        // vfork(2) has no flags, and means two of those of clone(2).
        let has = |flag: &str| {
            text.contains(flag) || text.starts_with("vfork(") && matches!(flag, "CLONE_VM" | "CLONE_VFORK")
        };
        let launchers = capabilities().launchers;
        // clone(2) shares no table before a child has shown that memory is shared.
        let shares_table = launchers.contains(&SpawnMethod::Shared) && android::lets(libc::SYS_clone3);
        let comes_later = |flag: &str| flag == "CLONE_FILES" && !shares_table;
        if launchers.len() > 1 {
            assert!(start.has.iter().all(|flag| has(flag) || comes_later(flag)), "{}: {text}", start.name);
        }
        assert!(!start.lacks.iter().any(|flag| has(flag)), "{}: {text}", start.name);
    });
}

#[test]
#[ignore = "is traced by the other test"]
fn starts_its_first_child() {
    let name = env::var(START).unwrap_or_default();
    let start = STARTS.iter().find(|start| start.name == name).expect("a start of the list");
    let deny = (start.deny)(Deny::new());
    deny.install().expect("a filter is taken");
    let spawn = || {
        let mut command = probe(&["true"]);
        (start.ask)(&mut command);
        command.status()
    };
    let status = if name == "other thread" {
        thread::spawn(spawn).join().expect("it does not panic")
    } else {
        spawn()
    };
    assert_eq!(status.is_ok_and(|status| status.success()), name != "failing child");
}

/// The calls with which the traced test made processes. `None` after a skip.
fn processes(start: &str) -> Option<Vec<Call>> {
    if is_emulated("makes calls of its own, which strace sees") {
        return None;
    }
    let me = env::current_exe().expect("a process knows its program");
    let variable = format!("{START}={start}");
    let test = ["one_process::starts_its_first_child", "--exact", "--ignored", "--test-threads=1"];
    let args = [variable.as_ref(), me.as_os_str()].into_iter().chain(test.map(AsRef::as_ref));
    let calls = trace::syscalls_of("env", args)?;
    assert!(
        calls.iter().any(|call| call.text.contains("CLONE_THREAD")),
        "the test runs on a thread: {calls:?}"
    );
    Some(calls.into_iter().filter(makes_a_process).collect())
}

fn makes_a_process(call: &Call) -> bool {
    let is_start = matches!(call.name(), "clone" | "clone3" | "fork" | "vfork");
    let answer =
        call.text.rsplit(" = ").next().and_then(|answer| answer.split(' ').next()?.parse::<i32>().ok());
    is_start && !call.text.contains("CLONE_THREAD") && answer.is_some_and(|pid| pid > 0)
}
