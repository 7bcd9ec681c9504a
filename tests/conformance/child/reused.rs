//! A number that is another process's by now: in a pid namespace of the test's own, where numbers are few.

use std::env;
use std::fs;
use std::process;
use std::ptr;
use std::thread;

use forkexec::{Child, Command, Coverage, OnDrop};
use forkexec_tests::isolate::{isolated, skip};
use rstest::rstest;

use crate::ground::{check, is_emulated, is_privileged};

const INSIDE: &str = "FORKEXEC_TEST_OWN_NUMBERS";

/// Runs the test as the first process of a pid namespace, where a number comes round after a few hundred others.
fn with_few_numbers(test: impl FnOnce()) {
    isolated(|| {
        if env::var_os(INSIDE).is_some() {
            make_numbers_few();
            return test();
        }
        if !is_privileged() || is_emulated("gives out numbers of its own") {
            return;
        }
        // SAFETY: the test's thread starts no other after this.
        if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
            return skip("no pid namespace is to be had");
        }
        let thread = thread::current();
        let name = thread.name().expect("a test's thread has the test's name");
        let program = env::current_exe().expect("the system knows which program this is");
        let again = process::Command::new(program)
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(INSIDE, "1")
            .status();
        assert!(again.expect("it starts").success());
    });
}

/// Since Linux 6.14 each namespace has its own highest PID. Before, this would change the whole system.
fn make_numbers_few() {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("it can be read");
    let mut parts = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    if (parts.next(), parts.next()) >= (Some(6), Some(14)) {
        fs::write("/proc/sys/kernel/pid_max", "400").expect("it is this namespace's own");
    }
    // The first numbers, up to 299, are given once and never again.
    while short_lived() <= FIRST {}
}

/// `RESERVED_PIDS` of the kernel.
const FIRST: u32 = 300;

/// The number of a process that has ended.
fn short_lived() -> u32 {
    let mut process = process::Command::new("true").spawn().expect("it starts");
    process.wait().expect("it is ours");
    process.id()
}

/// Takes the status of a child as other code does that waits for all children.
fn take_status(pid: u32) {
    // SAFETY: the process is the test's own, and was not waited for.
    check(unsafe { libc::kill(pid.cast_signed(), libc::SIGTERM) });
    // SAFETY: nothing is written.
    check(unsafe { libc::waitpid(pid.cast_signed(), ptr::null_mut(), 0) });
}

/// Starts other processes until one has this PID.
fn stranger_with(pid: u32) -> process::Child {
    for _ in 0..40_000 {
        let mut stranger = process::Command::new("sleep").arg("600").spawn().expect("it starts");
        if stranger.id() == pid {
            return stranger;
        }
        stranger.kill().expect("it is ours");
        stranger.wait().expect("it is ours");
    }
    panic!("number {pid} did not come round");
}

fn runs(stranger: &mut process::Child) -> bool {
    stranger.try_wait().expect("it is ours").is_none()
}

fn end(mut stranger: process::Child) {
    stranger.kill().expect("it is ours");
    stranger.wait().expect("it is ours");
}

/// Faults: W1
#[test]
fn std_kills_another_process_with_a_reused_pid() {
    use std::os::unix::process::ExitStatusExt;
    with_few_numbers(|| {
        #[expect(clippy::zombie_processes, reason = "other code waits for it, which is the point")]
        let mut child = process::Command::new("sleep").arg("600").spawn().expect("it starts");
        take_status(child.id());
        let mut stranger = stranger_with(child.id());
        child.kill().expect("std does not know better");
        assert_eq!(stranger.wait().expect("it is ours").signal(), Some(libc::SIGKILL));
    });
}

/// No operation on the child signals the other process.
///
/// Faults: W1
#[rstest]
#[case::kill(|mut child: Child| drop(child.kill()))]
#[case::signal(|mut child: Child| drop(child.send_signal(libc::SIGTERM)))]
#[case::terminate(|mut child: Child| drop(child.terminate_then_kill(std::time::Duration::ZERO)))]
#[case::drop(|child: Child| drop(child))]
#[case::kill_tree(|mut child: Child| {
    assert_eq!(child.kill_tree().expect("nobody is there").coverage(), Coverage::Nothing);
})]
#[case::terminate_tree(|mut child: Child| drop(child.terminate_tree_then_kill(std::time::Duration::ZERO)))]
#[case::communicate(|child: Child| drop(child.communicate(b"nobody reads this")))]
fn no_signal_reaches_another_process_with_a_reused_pid(#[case] end_it: fn(Child)) {
    with_few_numbers(|| {
        let mut command = Command::new("sleep");
        command.arg("600").process_group(0).on_drop(OnDrop::KillAndWait);
        let child = command.spawn().expect("it starts");
        let is_known = child.pidfd().is_some();
        take_status(child.id());
        if !is_known {
            return skip("a child has no descriptor here");
        }
        let mut stranger = stranger_with(child.id());
        end_it(child);
        assert!(runs(&mut stranger));
        end(stranger);
    });
}
