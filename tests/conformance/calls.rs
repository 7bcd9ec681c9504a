//! The system calls of a spawn: a constant, and what each operation adds.
//!
//! strace traces this binary, which runs a test that starts two children.

use std::env;

use forkexec::{SpawnMethod, SpawnPolicy};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::starts::{self, Known, LOOKS, OPERATIONS, Operation, STARTS, Start, Traced};
use forkexec_tests::world;
use rstest::rstest;

use crate::ground::{bulk_closer, is_emulated, is_privileged, method, takes_fds};

/// Faults: M11
#[test]
fn operation_makes_exactly_the_documented_calls() {
    isolated(|| {
        let mut skips_privileged = false;
        for operation in OPERATIONS {
            skips_privileged |= operation.is_privileged && !is_privileged();
            if operation.is_privileged && skips_privileged {
                continue;
            }
            if operation.name == "landlock" && world::ruleset().is_err() {
                skip("there is no Landlock");
                continue;
            }
            let asked = &[operation.name];
            let start = Start { title: "", asked, gaps: operation.gaps, launch: SpawnPolicy::NoFork };
            let Some(traced) = traced(&start) else { return };
            assert_start(&traced, &start);
        }
    });
}

#[rstest]
#[case::nothing(0)]
#[case::captured(1)]
#[case::captured_with_a_high_number(2)]
#[case::kept(3)]
#[case::everything(4)]
#[case::attributes_of_linux(5)]
#[case::by_fork(6)]
fn all_operations_together_make_the_sum_of_their_calls(#[case] index: usize) {
    isolated(|| {
        let start = &STARTS[index];
        if start.asked.iter().any(|name| Operation::named(name).is_privileged) && !is_privileged() {
            return;
        }
        let Some(mut seen) = traced(start) else { return };
        // A parent makes more calls if its forked child takes long to exec. An undisturbed spawn makes none of them.
        for _ in 0..5 {
            if start.launch != SpawnPolicy::Fork || !seen.start.parent.iter().any(|name| name == "fstatfs") {
                break;
            }
            seen = traced(start).expect("it was traced before");
        }
        assert_start(&seen, start);
    });
}

#[test]
#[ignore = "is traced by the others"]
fn starts_two_children() {
    starts::perform();
}

/// `None` after a skip.
fn traced(start: &Start<'_>) -> Option<Traced> {
    if is_emulated("makes calls of its own, which strace sees") || !takes_fds() {
        return None;
    }
    if method() != SpawnMethod::Shared || bulk_closer().is_none() {
        skip("what is written down is for a kernel with close_range that lets children share the table");
        return None;
    }
    let me = env::current_exe().expect("a process knows its program");
    let test = ["calls::starts_two_children", "--exact", "--ignored", "--test-threads=1"];
    let traced = starts::trace(start, me.as_os_str(), test)?;
    let is_by_clone = traced.start.parent.iter().any(|name| name == "clone");
    if is_by_clone {
        skip("what is written down is for a kernel and a processor with clone3");
    }
    (!is_by_clone).then_some(traced)
}

#[track_caller]
fn assert_start(traced: &Traced, start: &Start<'_>) {
    let is_forked = start.launch == SpawnPolicy::Fork;
    let looked = traced.start.child.iter().filter(|name| *name == "rt_sigaction").count();
    assert!(!is_forked || (LOOKS..=2 * LOOKS).contains(&looked), "{looked} times a signal's disposition");
    // A C library may block signals around fork.
    let counts = |name: &&str| !is_forked || !matches!(*name, "rt_sigprocmask" | "rt_sigaction");
    let sorted = |names: Vec<&str>| {
        let mut names: Vec<_> = names.into_iter().filter(counts).map(str::to_owned).collect();
        names.sort_unstable();
        names
    };
    let made = |names: &[String]| sorted(names.iter().map(String::as_str).collect());
    let written = |known: &[Known]| sorted(known.iter().map(|(name, _)| *name).collect());
    let [parent, child] = start.expected();
    assert_eq!(made(&traced.start.parent), written(&parent), "the parent, {:?}", start.asked);
    assert_eq!(made(&traced.start.child), written(&child), "the child, {:?}", start.asked);
}
