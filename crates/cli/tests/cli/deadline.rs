//! `run --timeout`.

use std::process::Stdio;
use std::time::Duration;

use forkexec_tests::isolate::isolated_for;
use rstest::rstest;
use serde_json::Value;

use crate::{answer, forkexec, run, said};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs a program that waits for the end of its input, which does not come. Returns the exit code and standard error.
fn run_waiting_program(options: &[&str]) -> (Option<i32>, String) {
    let mut command = run(options, &["sleep-on-stdin"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let input = child.stdin.take(); // keeps the input open, so that the program waits
    let (code, _, complaint) = said(&child.wait_with_output().expect("it ends"));
    drop(input);
    (code, complaint)
}

#[rstest]
#[case::terminated(&["--timeout", "50ms"], 124)]
#[case::terminated_in_time(&["--timeout", "0.05", "--kill-after", "1h"], 124)]
#[case::own_exit_code(&["--timeout", "50ms", "--preserve-status"], 143)]
#[case::killed(&["--timeout", "50ms", "--kill-after", "50ms", "--ignore-signal", "TERM"], 137)]
fn timeout_ends_the_program(#[case] options: &[&str], #[case] code: i32) {
    isolated_for(LIMIT, || assert_eq!(run_waiting_program(options), (Some(code), String::new())));
}

#[rstest]
#[case::with_time_left(&["--timeout", "1h"])]
#[case::without_a_limit(&["--timeout", "0"])]
#[case::with_all_the_time_there_is(&["--timeout", "99999999999999d", "--kill-after", "1"])]
fn program_within_its_time_keeps_its_exit_code(#[case] options: &[&str]) {
    let output = run(options, &["exit", "3"]).output().expect("it starts");
    assert_eq!(said(&output), (Some(3), String::new(), String::new()));
}

#[rstest]
#[case::as_timeout_does(&[], 124)]
#[case::as_it_does(&["--preserve-status"], 5)]
fn program_can_handle_the_timeout_signal(#[case] options: &[&str], #[case] code: i32) {
    isolated_for(LIMIT, || {
        // The child of the shell gets no signal; the shell does not wait for it.
        let script = "trap 'kill $!; exit 5' TERM; sleep 600 & wait; exit 1";
        let words = [&["run", "--timeout", "200ms"], options, &["sh", "-c", script]].concat();
        assert_eq!(answer(&words).0, Some(code));
    });
}

/// The program is continued, so that it handles the signal. If it were killed after the grace period, the code would be 137.
///
/// Faults: C6
#[rstest]
#[case::program(&["--timeout", "1"])]
#[case::tree(&["--timeout", "1", "--kill-tree"])]
fn timeout_ends_a_stopped_program(#[case] options: &[&str]) {
    isolated_for(LIMIT, || {
        let script = "trap 'exit 3' TERM; kill -STOP $$; sleep 5; exit 1";
        let (code, ..) = answer(&[&["run"], options, &["sh", "-c", script]].concat());
        assert_eq!(code, Some(124));
    });
}

/// `answer` returns at the end of the output pipe, when no process has it open.
#[rstest]
#[case::waiting_shell("sleep 600 & sleep 600", &[], 124)]
#[case::orphan("(sleep 600 &); sleep 600", &[], 124)]
#[case::ignored_sigterm("trap '' TERM; sleep 600 & sleep 600", &["--kill-after", "100ms"], 137)]
fn kill_tree_leaves_no_process(#[case] script: &str, #[case] options: &[&str], #[case] code: i32) {
    isolated_for(LIMIT, || {
        let words = [&["run", "--timeout", "200ms", "--kill-tree"], options, &["sh", "-c", script]].concat();
        assert_eq!(answer(&words), (Some(code), String::new(), String::new()));
    });
}

#[test]
fn report_shows_the_timeout() {
    isolated_for(LIMIT, || {
        let (_, report) = run_waiting_program(&["--timeout", "50ms", "--report=json"]);
        let report: Value = serde_json::from_str(&report).expect("it is JSON");
        assert_eq!((&report["overdue"], &report["signal"]), (&"terminated".into(), &"SIGTERM".into()));
        let (_, report) = run_waiting_program(&["--timeout", "50ms", "--report"]);
        assert!(report.contains("was killed by SIGTERM (timed out) after "), "{report}");
    });
}

#[rstest]
#[case::no_duration(&["--timeout", "soon"], "\"soon\" is not a number with one of the units ns, us, ms, s, m, h and d")]
#[case::tree_alone(&["--kill-tree"], "--timeout <DURATION>")]
#[case::alone(&["--kill-after", "1"], "--timeout <DURATION>")]
#[case::status_alone(&["--preserve-status"], "--timeout <DURATION>")]
fn invalid_deadline_is_refused(#[case] options: &[&str], #[case] message: &str) {
    let output = forkexec(&["run"]).args(options).arg("true").output().expect("it starts");
    let (code, _, complaint) = said(&output);
    assert_eq!(code, Some(125), "{complaint}");
    assert!(complaint.contains(message), "{complaint}");
}
