//! The system calls of a spawn.
//!
//! strace traces this binary, which runs a test that starts one child.

use std::collections::BTreeSet;
use std::env;
use std::os::fd::RawFd;

use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::trace::{self, Call};
use forkexec_tests::{android, probe, world};
use rstest::rstest;

use crate::ground::{bulk_closer, capabilities, is_emulated};
use crate::start::high_memory_file;

/// The numbers that the traced test opens and keeps, separated by commas.
const KEEP: &str = "FORKEXEC_CONFORMANCE_KEEP";

#[rstest]
#[case::nothing("")]
#[case::first_number("3")]
#[case::two_adjacent_first_numbers("3,4")]
// Faults: D1
#[case::adjacent_pair("20,21")]
// Faults: D1
#[case::run("3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20")]
// Faults: D1
#[case::highest_number("last")]
fn closing_makes_one_close_range_per_gap_or_one_close_per_fd(#[case] keep: &str) {
    isolated(|| {
        if capabilities().bulk_closer.is_none() {
            return skip("this backend has no bulk closer");
        }
        let Some(calls) = calls_of_a_child(keep) else { return };
        let closing: Vec<_> = calls.iter().filter(|call| closes(call) && !is_own(&calls, call)).collect();
        assert!(!closing.is_empty(), "{calls:?}");
        match bulk_closer() {
            Some(_) => assert!(closing.iter().all(|call| is_good_range(call)), "{closing:?}"),
            None => assert_closed_one_by_one(&closing),
        }
    });
}

/// Checks the next strategy: a refusal costs one call for each use, and then only open descriptors are closed. On an
/// Android release that traps the call, no such call is made.
fn assert_closed_one_by_one(closing: &[&Call]) {
    let (refused, closed): (Vec<&Call>, Vec<&Call>) =
        closing.iter().copied().partition(|call| call.name() == "close_range");
    let uses: BTreeSet<_> = refused.iter().map(|call| &call.text).collect();
    assert!(
        refused.len() == uses.len() && refused.is_empty() != android::lets(libc::SYS_close_range),
        "{closing:?}"
    );
    assert!(refused.iter().all(|call| is_refused(call)), "{closing:?}");
    assert!(!closed.is_empty() && closed.iter().all(|call| is_good_close(call)), "{closing:?}");
}

/// A number above the standard streams' that was closed.
fn is_good_close(call: &Call) -> bool {
    let number =
        call.text.strip_prefix("close(").and_then(|rest| rest.split(')').next()?.parse::<RawFd>().ok());
    number.is_some_and(|number| number > 2) && call.text.ends_with("= 0")
}

/// Faults: Q-android
#[rstest]
#[case::nothing("")]
#[case::adjacent_pair("20,21")]
fn spawn_on_android_makes_only_expected_calls_before_exec(#[case] keep: &str) {
    isolated(|| {
        if capabilities().bulk_closer.is_none() {
            return skip("this backend lists");
        }
        let Some(calls) = calls_of_a_child(keep) else { return };
        let unwanted = |call: &&Call| call.name().starts_with("getdents") || is_refused(call);
        let mut unwanted: Vec<_> = calls.iter().filter(unwanted).map(Call::name).collect();
        unwanted.dedup();
        // Without the call the first child learns so, and lists.
        let expected: &[&str] = match bulk_closer() {
            Some(_) => &[],
            None if android::lets(libc::SYS_close_range) => &["close_range", "getdents64"],
            None => &["getdents64"],
        };
        assert_eq!(unwanted, expected, "{calls:?}");
    });
}

#[test]
#[ignore = "is traced by the others"]
fn starts_one_child() {
    let list = env::var(KEEP).unwrap_or_default();
    let numbers = list.split(',').filter(|number| !number.is_empty()).map(|number| match number {
        "last" => last_number(),
        number => number.parse().expect("a list of numbers"),
    });
    let file = high_memory_file();
    let open: Vec<_> = numbers.map(|number| world::place(&file, number)).collect();
    let mut command = probe::command(&["true"]);
    for fd in &open {
        command.keep_fd(fd);
    }
    let status = command.status().expect("the probe can be started");
    assert!(status.success());
}

/// The calls of the child that the traced test starts, from the first to exec. `None` after a skip.
fn calls_of_a_child(keep: &str) -> Option<Vec<Call>> {
    if is_emulated("makes calls of its own, which strace sees") {
        return None;
    }
    let me = env::current_exe().expect("a process knows its program");
    let keep = format!("{KEEP}={keep}");
    let test = ["strace::starts_one_child", "--exact", "--ignored", "--test-threads=1"];
    let args = [keep.as_ref(), me.as_os_str()].into_iter().chain(test.map(AsRef::as_ref));
    let calls = trace::syscalls_of("env", args)?;
    let exec = calls.iter().position(|call| call.name() == "execve" && is_probe(call));
    let exec = exec.unwrap_or_else(|| panic!("no child executes the probe: {calls:?}"));
    let child = calls[exec].pid;
    Some(calls[..exec].iter().filter(|call| call.pid == child).cloned().collect())
}

fn is_probe(call: &Call) -> bool {
    call.text.contains(&format!("{:?}", probe::path()))
}

fn closes(call: &Call) -> bool {
    matches!(call.name(), "close" | "close_range")
}

/// A descriptor that the child opened itself, to take a high one from its parent.
fn is_own(calls: &[Call], closing: &Call) -> bool {
    let number = closing.text.strip_prefix("close(").and_then(|rest| rest.split(')').next());
    let opened = |call: &Call| call.name().starts_with("pidfd_") && call.text.rsplit(' ').next() == number;
    number.is_some() && calls.iter().any(opened)
}

/// A range with its first number not above its last, that was closed.
fn is_good_range(call: &Call) -> bool {
    let Some(arguments) = call.text.strip_prefix("close_range(") else { return false };
    let mut numbers = arguments.split(',').map(|number| number.trim().parse::<u32>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => first <= last && call.text.ends_with("= 0"),
        _ => false,
    }
}

/// Calls about the C library's own signals are refused, which is no harm.
fn is_refused(call: &Call) -> bool {
    call.text.contains("= -1 ") && call.name() != "rt_sigaction"
}

fn last_number() -> RawFd {
    let (soft, _) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
    RawFd::try_from(soft - 1).unwrap_or(RawFd::MAX)
}
