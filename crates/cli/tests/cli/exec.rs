//! `forkexec exec`: no wrapper remains.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use forkexec_tests::isolate::isolated;
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::world::place;
use rstest::rstest;

use crate::{answer, forkexec, signed};

/// Runs `forkexec exec` with these options and the reporting probe. Returns the pid of forkexec and the report.
fn seen(options: &[&str]) -> (i32, Seen) {
    let mut command = forkexec(&["exec"]);
    command.args(options).arg("--").arg(probe::path()).arg("report").stdout(Stdio::piped());
    let child = command.spawn().expect("forkexec can be started");
    let pid = signed(child.id());
    let output = child.wait_with_output().expect("its output is text");
    assert!(output.status.success(), "{output:?}");
    (pid, Seen::parse(&String::from_utf8(output.stdout).expect("a report is ASCII")))
}

#[test]
fn program_takes_the_place_of_forkexec() {
    isolated(|| {
        let (pid, seen) = seen(&[]);
        assert_eq!((seen.pid, seen.ppid), (pid, signed(std::process::id())));
        assert_eq!((seen.fds, seen.blocked, seen.handled), (vec![0, 1, 2], vec![], vec![]));
        assert!(!seen.ignored.contains(&libc::SIGPIPE), "{:?}", seen.ignored);
    });
}

#[test]
fn options_of_run_apply() {
    isolated(|| {
        let null = std::fs::File::open("/dev/null").expect("every system has it");
        let _held = [place(&null, 6), place(&null, 9)];
        let (pid, seen) = seen(&[
            "--keep", "9", "--map", "6:3", "--chdir", "/", "--umask", "027", "--setsid", "--env", "A=b",
        ]);
        assert_eq!((seen.fds, seen.umask, seen.sid), (vec![0, 1, 2, 3, 9], 0o027, pid));
        assert_eq!(seen.cwd.as_deref(), Some(std::path::Path::new("/")));
        assert_eq!(seen.env.iter().filter(|variable| *variable == "A=b").count(), 1);
    });
}

#[rstest]
#[case::missing(&["/no/such/program"], 127, "exec: cannot execute \"/no/such/program\"")]
#[case::directory(&["/"], 126, "exec: cannot execute \"/\"")]
#[case::claimed_twice(&["--map", "1:3", "--map", "2:3", "true"], 125, "--map 1:3 and --map 2:3")]
#[case::timeout(&["--timeout", "5", "true"], 125, "unexpected argument '--timeout'")]
#[case::report(&["--report", "true"], 125, "unexpected argument '--report'")]
fn failures_have_the_codes_of_run(#[case] args: &[&str], #[case] code: i32, #[case] part: &str) {
    let (exit, out, complaint) = answer(&[&["exec"], args].concat());
    assert_eq!((exit, out.as_str()), (Some(code), ""), "{complaint}");
    assert!(complaint.contains(part), "{complaint}");
}

#[test]
fn signal_that_kills_the_program_is_its_own() {
    let status = forkexec(&["exec", "sh", "-c", "kill -TERM $$"]).status().expect("forkexec can be started");
    assert_eq!(status.signal(), Some(libc::SIGTERM));
}
