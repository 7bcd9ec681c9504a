//! `run --report`, `--summary` and `--progress`.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use forkexec_tests::isolate::isolated_for;
use rstest::rstest;
use serde_json::Value;

use crate::settings::terminal;
use crate::{answer, run, said};

/// Returns the close method that a start tries first.
fn first_closer() -> String {
    let (_, json, _) = answer(&["doctor", "--json"]);
    let found: Value = serde_json::from_str(&json).expect("it is JSON");
    found["trials"][0]["name"].as_str().expect("it is a name").to_owned()
}

#[rstest]
#[case::exits(&["exit", "3"], 3, "exited with 3 after ")]
#[case::is_killed(&["kill", "9"], 137, "was killed by SIGKILL after ")]
fn text_report_has_start_stages_and_end(#[case] probe: &[&str], #[case] code: i32, #[case] end: &str) {
    let (got, out, report) = said(&run(&["--report"], probe).output().expect("it starts"));
    assert_eq!((got, out.as_str()), (Some(code), ""));
    let lines: Vec<&str> = report
        .lines()
        .map(|line| line.strip_prefix("forkexec: run: ").expect("the prefix names the command"))
        .collect();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    assert!(first.starts_with("started process "), "{report}");
    assert!(first.ends_with(&format!(", close method {}", first_closer())), "{report}");
    assert!(last.starts_with(end), "{report}");
    let stages: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once(" µs  ")).map(|(_, stage)| stage).collect();
    assert_eq!((stages.first(), stages.last()), (Some(&"unshare-files"), Some(&"exec")), "{report}");
}

#[test]
fn json_report_is_one_object() {
    let mut command = run(&["--report=json", "--close-strategy", "loop"], &["kill", "15"]);
    let (code, _, report) = said(&command.output().expect("it starts"));
    assert_eq!((code, report.lines().count()), (Some(143), 1), "{report}");
    let report: Value = serde_json::from_str(&report).expect("it is JSON");
    assert_eq!(
        (&report["close_method"], &report["code"], &report["signal"]),
        (&"loop".into(), &Value::Null, &"SIGTERM".into())
    );
    assert!(report["pid"].as_u64().is_some_and(|pid| pid > 1), "{report}");
    assert!(report["method"].is_string() && report["took_us"].is_number(), "{report}");
    assert!(report["user_us"].is_number() && report["system_us"].is_number(), "{report}");
    assert!(report["max_rss_kib"].as_u64().is_some_and(|kib| kib > 0), "{report}");
    assert_eq!(report["overdue"], Value::Null);
    let stages = report["stages"].as_array().expect("it is a list");
    let began: Vec<f64> = stages.iter().filter_map(|stage| stage["began_us"].as_f64()).collect();
    assert!(began.len() == stages.len() && began.is_sorted(), "{report}");
}

#[test]
fn failed_start_has_no_report() {
    let (code, _, said) = answer(&["run", "--report=json", "/no/such"]);
    assert_eq!((code, said.lines().count()), (Some(127), 1), "{said}");
}

/// The summary has time and memory. For a pipe, it is printed only on request.
#[test]
fn summary_is_for_a_terminal_or_on_request() {
    for options in [&["--summary"][..], &["--summary=auto", "--progress"], &["--progress"]] {
        let output = run(options, &["exit", "3"]).output().expect("it starts");
        assert_eq!(said(&output), (Some(3), String::new(), String::new()));
    }
    let (code, _, line) = said(&run(&["--summary=always"], &["exit", "3"]).output().expect("it starts"));
    assert_eq!((code, line.lines().count()), (Some(3), 1), "{line}");
    assert!(line.starts_with("forkexec: run: ") && line.contains(" exited with 3 after 0."), "{line}");
    assert!(line.contains("; user 0.") && line.contains(", system ") && line.ends_with(" MiB\n"), "{line}");
}

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn terminal_shows_progress_and_then_a_summary() {
    isolated_for(LIMIT, || {
        let (ours, theirs) = terminal().expect("a terminal can be made");
        let mut command = run(&["--summary", "--progress"], &["sleep-on-stdin"]);
        let mut child = command.stdin(Stdio::piped()).stderr(theirs).spawn().expect("it starts");
        drop(command); // with its copy of the terminal
        let mut shown = Vec::new();
        let mut input = child.stdin.take();
        let mut terminal = File::from(ours);
        let mut block = [0; 4096];
        // The read fails when no process has the other end open.
        while let Ok(count @ 1..) = terminal.read(&mut block) {
            shown.extend_from_slice(&block[..count]);
            if shown.starts_with(b"\r\x1b[Kforkexec: run: ") {
                input = None; // the program ends now
            }
        }
        assert!(input.is_none(), "{shown:?}");
        assert!(child.wait().expect("it ends").success());
        let shown = String::from_utf8(shown).expect("it is text");
        let (_, summary) = shown.rsplit_once("\r\x1b[K").expect("the line was drawn and erased");
        assert!(summary.contains(" exited with 0 after ") && summary.ends_with(" MiB\r\n"), "{shown:?}");
    });
}
