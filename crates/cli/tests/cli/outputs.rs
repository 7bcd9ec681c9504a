//! Standard output and standard error in one file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use forkexec_tests::isolate::isolated;
use rstest::rstest;
use tempfile::TempDir;

use crate::start_with::without;
use crate::{forkexec, said};

const BOTH: &str = "echo out; echo error >&2; echo more";
const ALL: &str = "out\nerror\nmore\n";

/// Makes a directory with a file `log`, which has one line, and the links `soft` and `hard` to it.
fn directory() -> TempDir {
    let directory = TempDir::new().expect("a directory can be made");
    let path = |name: &str| directory.path().join(name);
    fs::write(path("log"), "old\n").expect("a file can be made");
    symlink("log", path("soft")).expect("a link can be made");
    fs::hard_link(path("log"), path("hard")).expect("a link can be made");
    directory
}

fn run_in(directory: &Path, options: &[&str]) -> (Option<i32>, String, String) {
    let mut command = forkexec(&["run"]);
    let output = command.args(options).args(["sh", "-c", BOTH]).current_dir(directory).output();
    said(&output.expect("it starts"))
}

/// Faults: C1
#[rstest]
#[case::same_path("file:log", "file:log", ALL)]
#[case::other_spelling("file:log", "file:./log", ALL)]
#[case::symbolic_link("file:soft", "file:log", ALL)]
#[case::hard_link("file:log", "file:hard", ALL)]
#[case::word_stdout("file:log", "stdout", ALL)]
#[case::word_stderr("stderr", "file:log", ALL)]
#[case::appended("append:log", "append:hard", "old\nout\nerror\nmore\n")]
#[case::appended_by_a_word("append:log", "stdout", "old\nout\nerror\nmore\n")]
fn outputs_to_one_file_share_it(#[case] out: &str, #[case] err: &str, #[case] content: &str) {
    let directory = directory();
    let said = run_in(directory.path(), &["--stdout", out, "--stderr", err]);
    assert_eq!(said, (Some(0), String::new(), String::new()));
    assert_eq!(fs::read_to_string(directory.path().join("log")).expect("it is there"), content);
}

/// Faults: C1
#[rstest]
#[case::new_file(&["--stdout", "file:new", "--stderr", "file:new"])]
#[case::new_file_appended(&["--stdout", "append:new", "--stderr", "append:./new"])]
fn outputs_share_a_new_file(#[case] options: &[&str]) {
    let directory = directory();
    run_in(directory.path(), options);
    assert_eq!(fs::read_to_string(directory.path().join("new")).expect("it was made"), ALL);
}

/// Faults: C1
#[rstest]
#[case::inherited(&["--stderr", "stdout"], ALL, "")]
#[case::inherited_error(&["--stdout", "stderr"], "", ALL)]
#[case::named_as_inherited(&["--stdout", "inherit", "--stderr", "stdout"], ALL, "")]
#[case::mapped(&["--map", "2:1", "--stderr", "stdout"], "", ALL)]
#[case::nowhere(&["--stdout", "null", "--stderr", "stdout"], "", "")]
fn output_can_be_the_other_one(#[case] options: &[&str], #[case] out: &str, #[case] err: &str) {
    let directory = directory();
    assert_eq!(run_in(directory.path(), options), (Some(0), out.to_owned(), err.to_owned()));
}

/// Faults: C1
#[rstest]
#[case::by_word(&["--stdout", "closed", "--stderr", "stdout"], &[])]
#[case::closed_at_start(&["--stderr", "stdout"], &[1])]
fn duplicate_of_a_closed_output_is_closed(#[case] options: &[&str], #[case] numbers: &'static [i32]) {
    isolated(|| {
        let directory = directory();
        let script = "exec 3> seen; for fd in 1 2; do [ -e /proc/self/fd/$fd ] && echo $fd >&3; done; exit 0";
        let mut command = forkexec(&["run"]);
        command.args(options).args(["sh", "-c", script]).current_dir(directory.path());
        let status = without(&mut command, numbers).status().expect("it starts");
        assert_eq!(status.code(), Some(0));
        assert_eq!(fs::read_to_string(directory.path().join("seen")).expect("it was made"), "");
    });
}

#[rstest]
#[case::both_ways(&["--stdout", "file:log", "--stderr", "append:soft"], "--stdout, --stderr: cannot open one file both to truncate and to append")]
#[case::each_other(&["--stdout", "stderr", "--stderr", "stdout"], "--stdout stderr, --stderr stdout: cannot open the streams: each names the other")]
#[case::read_and_truncated(&["--stdin", "file:log", "--stdout", "file:hard"], "--stdin, --stdout: cannot use one file for both: it would be truncated")]
#[case::read_and_truncated_by_errors(&["--stdin", "file:log", "--stderr", "file:./log"], "--stdin, --stderr: cannot use one file for both")]
fn contradicting_streams_are_refused(#[case] options: &[&str], #[case] message: &str) {
    let directory = directory();
    let (code, _, complaint) = run_in(directory.path(), options);
    assert_eq!(code, Some(125), "{complaint}");
    assert!(complaint.contains(message), "{complaint}");
    if options.contains(&"--stdin") {
        assert_eq!(fs::read_to_string(directory.path().join("log")).expect("it is there"), "old\n");
    }
}

#[rstest]
#[case::read_and_appended(&["--stdin", "file:log", "--stdout", "append:log"])]
#[case::device(&["--stdin", "file:/dev/null", "--stdout", "file:/dev/null", "--stderr", "file:/dev/null"])]
fn file_can_be_input_and_output_unless_truncated(#[case] options: &[&str]) {
    let directory = directory();
    let (code, _, complaint) = run_in(directory.path(), options);
    assert_eq!(code, Some(0), "{complaint}");
}
