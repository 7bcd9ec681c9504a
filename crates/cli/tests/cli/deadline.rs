//! `run --timeout`.

use std::process::Stdio;
use std::time::Duration;

use forkexec_tests::isolate::isolated_for;
use rstest::rstest;
use serde_json::Value;

use crate::{answer, forkexec, run, said};

const LIMIT: Duration = Duration::from_mins(1);

/// Exit code and complaints of a program that waits for the end of its input, which does not come.
fn of_a_program_that_waits(options: &[&str]) -> (Option<i32>, String) {
    let mut command = run(options, &["sleep-on-stdin"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let input = child.stdin.take(); // or its end would end the program
    let (code, _, complaint) = said(&child.wait_with_output().expect("it ends"));
    drop(input);
    (code, complaint)
}

#[rstest]
#[case::terminated(&["--timeout", "50ms"], 124)]
#[case::terminated_in_time(&["--timeout", "0.05", "--kill-after", "1h"], 124)]
#[case::its_own_end(&["--timeout", "50ms", "--preserve-status"], 143)]
#[case::killed(&["--timeout", "50ms", "--kill-after", "50ms", "--ignore-signal", "TERM"], 137)]
fn a_program_whose_time_is_over_is_ended(#[case] options: &[&str], #[case] code: i32) {
    isolated_for(LIMIT, || assert_eq!(of_a_program_that_waits(options), (Some(code), String::new())));
}

#[rstest]
#[case::with_time_left(&["--timeout", "1h"])]
#[case::without_a_limit(&["--timeout", "0"])]
#[case::with_all_the_time_there_is(&["--timeout", "99999999999999d", "--kill-after", "1"])]
fn a_program_that_ends_in_time_exits_as_it_does(#[case] options: &[&str]) {
    let output = run(options, &["exit", "3"]).output().expect("it starts");
    assert_eq!(said(&output), (Some(3), String::new(), String::new()));
}

#[rstest]
#[case::as_timeout_does(&[], 124)]
#[case::as_it_does(&["--preserve-status"], 5)]
fn a_program_may_do_something_about_it(#[case] options: &[&str], #[case] code: i32) {
    isolated_for(LIMIT, || {
        // The child of the shell gets no signal; the shell does not wait for it.
        let script = "trap 'kill $!; exit 5' TERM; sleep 600 & wait; exit 1";
        let words = [&["run", "--timeout", "200ms"], options, &["sh", "-c", script]].concat();
        assert_eq!(answer(&words).0, Some(code));
    });
}

/// It is continued, so that it acts on the signal: killed after the grace, it would be 137.
///
/// Faults: C6
#[rstest]
#[case::program(&["--timeout", "1"])]
#[case::tree(&["--timeout", "1", "--kill-tree"])]
fn a_program_that_is_stopped_is_ended_too(#[case] options: &[&str]) {
    isolated_for(LIMIT, || {
        let script = "trap 'exit 3' TERM; kill -STOP $$; sleep 5; exit 1";
        let (code, ..) = answer(&[&["run"], options, &["sh", "-c", script]].concat());
        assert_eq!(code, Some(124));
    });
}

/// The pipe of the output ends when nobody has it any more.
#[rstest]
#[case::who_waits("sleep 600 & sleep 600", &[], 124)]
#[case::who_was_left("(sleep 600 &); sleep 600", &[], 124)]
#[case::who_does_not_listen("trap '' TERM; sleep 600 & sleep 600", &["--kill-after", "100ms"], 137)]
fn kill_tree_leaves_no_process(#[case] script: &str, #[case] options: &[&str], #[case] code: i32) {
    isolated_for(LIMIT, || {
        let words = [&["run", "--timeout", "200ms", "--kill-tree"], options, &["sh", "-c", script]].concat();
        assert_eq!(answer(&words), (Some(code), String::new(), String::new()));
    });
}

#[test]
fn the_report_says_what_became_of_it() {
    isolated_for(LIMIT, || {
        let (_, report) = of_a_program_that_waits(&["--timeout", "50ms", "--report=json"]);
        let report: Value = serde_json::from_str(&report).expect("it is JSON");
        assert_eq!((&report["overdue"], &report["signal"]), (&"terminated".into(), &"SIGTERM".into()));
        let (_, report) = of_a_program_that_waits(&["--timeout", "50ms", "--report"]);
        assert!(report.contains("was killed by SIGTERM, as its time was over, after "), "{report}");
    });
}

#[rstest]
#[case::no_duration(&["--timeout", "soon"], "\"soon\" is no number with one of the units ms, s, m, h and d")]
#[case::tree_alone(&["--kill-tree"], "--timeout <DURATION>")]
#[case::alone(&["--kill-after", "1"], "--timeout <DURATION>")]
#[case::status_alone(&["--preserve-status"], "--timeout <DURATION>")]
fn invalid_deadline_is_refused(#[case] options: &[&str], #[case] message: &str) {
    let output = forkexec(&["run"]).args(options).arg("true").output().expect("it starts");
    let (code, _, complaint) = said(&output);
    assert_eq!(code, Some(125), "{complaint}");
    assert!(complaint.contains(message), "{complaint}");
}
