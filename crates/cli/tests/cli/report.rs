//! `run --report`.

use rstest::rstest;
use serde_json::Value;

use crate::{answer, run, said};

/// What closes descriptors first here.
fn first_closer() -> String {
    let (_, json, _) = answer(&["doctor", "--json"]);
    let found: Value = serde_json::from_str(&json).expect("it is JSON");
    found["trials"][0]["name"].as_str().expect("it is a name").to_owned()
}

#[rstest]
#[case::exits(&["exit", "3"], 3, "exited with 3 after ")]
#[case::is_killed(&["kill", "9"], 137, "was killed by SIGKILL after ")]
fn the_text_tells_start_stages_and_end(#[case] probe: &[&str], #[case] code: i32, #[case] end: &str) {
    let (got, out, report) = said(&run(&["--report"], probe).output().expect("it starts"));
    assert_eq!((got, out.as_str()), (Some(code), ""));
    let lines: Vec<&str> = report
        .lines()
        .map(|line| line.strip_prefix("forkexec: run: ").expect("it says who says it"))
        .collect();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    assert!(first.starts_with("started process "), "{report}");
    assert!(first.ends_with(&format!("; others were closed by {}", first_closer())), "{report}");
    assert!(last.starts_with(end), "{report}");
    let stages: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once(" µs  ")).map(|(_, stage)| stage).collect();
    assert_eq!((stages.first(), stages.last()), (Some(&"table"), Some(&"exec")), "{report}");
}

#[test]
fn the_json_is_one_object() {
    let mut command = run(&["--report=json", "--close-from", "loop"], &["kill", "15"]);
    let (code, _, report) = said(&command.output().expect("it starts"));
    assert_eq!((code, report.lines().count()), (Some(143), 1), "{report}");
    let report: Value = serde_json::from_str(&report).expect("it is JSON");
    assert_eq!(
        (&report["closer"], &report["code"], &report["signal"]),
        (&"loop".into(), &Value::Null, &"SIGTERM".into())
    );
    assert!(report["pid"].as_u64().is_some_and(|pid| pid > 1), "{report}");
    assert!(report["method"].is_string() && report["took_us"].is_number(), "{report}");
    let stages = report["stages"].as_array().expect("it is a list");
    let began: Vec<f64> = stages.iter().filter_map(|stage| stage["began_us"].as_f64()).collect();
    assert!(began.len() == stages.len() && began.is_sorted(), "{report}");
}

#[test]
fn a_program_that_does_not_start_has_none() {
    let (code, _, said) = answer(&["run", "--report=json", "/no/such"]);
    assert_eq!((code, said.lines().count()), (Some(127), 1), "{said}");
}
