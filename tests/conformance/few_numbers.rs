//! A pid namespace of a test's own, in which pids are few, so that each is soon reused.

use std::env;
use std::fs;
use std::process;
use std::thread;
use std::time::Duration;

use forkexec_tests::isolate::{isolated_for, skip};

use crate::ground::{is_emulated, is_privileged};

const INSIDE: &str = "FORKEXEC_TEST_OWN_NUMBERS";

/// Runs the test as the first process of a pid namespace, where a number comes round after a few hundred others.
pub(crate) fn with_few_numbers(test: impl FnOnce()) {
    with_few_numbers_for(Duration::from_mins(2), test);
}

/// As [`with_few_numbers`], with another time limit.
pub(crate) fn with_few_numbers_for(limit: Duration, test: impl FnOnce()) {
    isolated_for(limit, || {
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
        fs::write("/proc/sys/kernel/pid_max", HIGHEST.to_string()).expect("it is this namespace's own");
    }
    // The first numbers, up to 299, are given once and never again.
    while short_lived() <= FIRST {}
}

/// `RESERVED_PIDS` of the kernel.
pub(crate) const FIRST: u32 = 300;

/// The number after the last one.
pub(crate) const HIGHEST: u32 = 400;

/// The number of a process that has ended.
fn short_lived() -> u32 {
    let mut process = process::Command::new("true").spawn().expect("it starts");
    process.wait().expect("it is ours");
    process.id()
}
