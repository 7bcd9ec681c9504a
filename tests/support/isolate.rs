//! Tests that fail, hang, are skipped or are not there.

use std::env;
use std::fs;
use std::io::{self, Read};
use std::process::{self, Command};
use std::thread;
use std::time::Duration;

use forkexec_tests::isolate::{ANNOUNCEMENTS, is_inside, isolated, isolated_for, skip};
use forkexec_tests::world;

use crate::{complaint_of, probe, seen};

/// Set for the run of `skips_if_asked` within `skip_is_printed_and_logged_once`.
const ASKED: &str = "FORKEXEC_SUPPORT_SKIP";

#[test]
fn test_runs_in_another_process() {
    isolated(|| assert!(is_inside()));
}

#[test]
fn process_has_only_the_standard_descriptors() {
    if env::var_os("NEXTEST").is_some() {
        return skip("nextest hands on what it was given");
    }
    isolated(|| assert_eq!(seen(&mut probe(&["report"])).fds, [0, 1, 2]));
}

#[test]
fn soft_descriptor_limit_is_1024() {
    isolated(|| {
        let (soft, _) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        assert_eq!(soft, 1_024);
    });
}

/// Faults: D21
#[test]
fn low_soft_limit_of_the_host_changes_no_test() {
    let said = said_after("ulimit -Sn 64", "soft_descriptor_limit_is_1024");
    assert!(said.contains("1 passed") && !said.contains("SKIPPED"), "{said}");
}

/// Faults: D21
#[test]
fn low_hard_limit_of_the_host_skips_a_test_visibly() {
    let said = said_after("ulimit -n 64", "soft_descriptor_limit_is_1024");
    assert!(said.contains("1 passed") && said.contains("SKIPPED isolate::soft_"), "{said}");
}

#[test]
fn nothing_is_announced() {
    if env::var_os("NEXTEST").is_some() {
        return skip("nextest hands on what it was given");
    }
    isolated(|| assert_eq!(ANNOUNCEMENTS.map(env::var_os), [const { None }; ANNOUNCEMENTS.len()]));
}

/// As in a recipe of make, or in a unit of systemd.
///
/// Faults: D21
#[test]
fn announcement_to_the_runner_changes_no_test() {
    let announced = ANNOUNCEMENTS.map(|name| format!("{name}=7")).join(" ");
    let said = said_after(&format!("export {announced}"), "nothing_is_announced");
    assert!(said.contains("1 passed") && !said.contains("SKIPPED"), "{said}");
}

/// The output of a test of this module after a command of a shell.
fn said_after(command: &str, test: &str) -> String {
    let program = env::current_exe().expect("a process knows its program");
    let output = Command::new("sh")
        .args(["-c", &format!("{command} && exec \"$@\" 2>&1"), "sh"])
        .arg(program)
        .args([&format!("isolate::{test}"), "--exact"])
        .env_remove("FORKEXEC_SKIPPED_LOG")
        .output()
        .expect("a shell can be started");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn failure_is_reported_with_its_output() {
    let complaint = complaint_of(|| {
        isolated(|| {
            println!("before the end");
            panic!("the true reason");
        });
    });
    assert!(complaint.contains("the true reason"), "{complaint}");
}

#[test]
fn hanging_test_is_killed_and_reported() {
    if env::var_os("NEXTEST").is_some() {
        return skip("nextest has time limits of its own");
    }
    let complaint = complaint_of(|| {
        isolated_for(Duration::from_millis(500), || {
            let (mut reader, _writer) = io::pipe().expect("a pipe can be made");
            let _ = reader.read(&mut [0]);
        });
    });
    assert!(complaint.contains("did not end within 500ms, and was killed"), "{complaint}");
    let hung = complaint.lines().find(|line| line.contains("(support-")).expect("it is listed");
    assert!(hung.contains(" S "), "{hung}");
}

#[test]
fn test_that_ends_its_process_fails() {
    if env::var_os("NEXTEST").is_some() {
        return skip("nextest judges the exit status itself");
    }
    let complaint = complaint_of(|| isolated(|| process::exit(0)));
    assert!(complaint.contains("did not pass"), "{complaint}");
}

#[test]
fn name_of_no_test_fails() {
    if is_inside() {
        return skip("nothing is started again in a process of its own");
    }
    let thread = thread::Builder::new().name("isolate::no_such_test".to_owned());
    let complaint =
        thread.spawn(|| complaint_of(|| isolated(|| ()))).expect("a thread can be started").join();
    let complaint = complaint.expect("the complaint is caught");
    assert!(complaint.contains("isolate::no_such_test") && complaint.contains("did not pass"), "{complaint}");
}

#[test]
fn skip_is_printed_and_logged_once() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let log = directory.path().join("skipped");
    let output = Command::new(env::current_exe().expect("a process knows its program"))
        .args(["isolate::skips_if_asked", "--exact"])
        .env(ASKED, "1")
        .env("FORKEXEC_SKIPPED_LOG", &log)
        .output()
        .expect("the test binary can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    let line = "SKIPPED isolate::skips_if_asked: by request";
    assert!(said.lines().any(|it| it == line), "{said}");
    assert_eq!(fs::read_to_string(&log).expect("the log is there"), format!("{line}\n"));
}

#[test]
fn skips_if_asked() {
    isolated(|| {
        if env::var_os(ASKED).is_some() {
            skip("by request");
        }
    });
}
