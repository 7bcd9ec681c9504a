//! Leaks that `leaks` finds in programs, and programs without leaks.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world::place;
use forkexec_tests::{leaky, probe};
use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

use crate::{answer, forkexec, said};

const FILE: &str = "/etc/passwd";

/// Returns the report of `leaks --json` with these options. The program must succeed.
fn traced(options: &[&str], program: &[&str]) -> Value {
    let (code, out, report) = answer(&[&["leaks", "--json"], options, &["--"], program].concat());
    assert_eq!((code, out.as_str()), (Some(0), ""), "{report}");
    serde_json::from_str(&report).expect("it is JSON, and nothing else")
}

fn leaks(program: &[&str]) -> Vec<Value> {
    list(&traced(&[], program)["leaks"]).clone()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("it is a list")
}

/// Returns the only leak.
fn one(leaks: &[Value]) -> &Value {
    let [leak] = leaks else { panic!("it is not one: {leaks:#?}") };
    leak
}

fn path(path: &Path) -> &str {
    path.to_str().expect("it is text")
}

fn probe_path() -> &'static str {
    path(probe::path())
}

fn leaky_path() -> &'static str {
    path(leaky::path())
}

/// Returns the command line of a shell that runs `script`, with `PROBE` and `FILE` replaced.
fn shell<'a>(shell: &'a str, script: &'a str) -> [String; 3] {
    let script = script.replace("PROBE", probe_path()).replace("FILE", FILE);
    [shell, "-c", &script].map(str::to_owned)
}

fn of_shell(name: &str, script: &str) -> Vec<Value> {
    let words = shell(name, script);
    leaks(&words.each_ref().map(String::as_str))
}

fn is_there(program: &str) -> bool {
    let nothing = if program == "python3" { "pass" } else { "true" };
    Command::new(program).args(["-c", nothing]).output().is_ok_and(|output| output.status.success())
}

/// Returns the file, the calls, and the programs of the opener and the inheritor.
fn summary(leak: &Value) -> [&str; 5] {
    let text = |value: &'_ Value| -> String { value.as_str().unwrap_or_default().to_owned() };
    [
        &leak["target"],
        &leak["opened"]["call"],
        &leak["then"]["call"],
        &leak["opened"]["program"],
        &leak["inherited_by"][0]["program"],
    ]
    .map(|value| text(value).leak() as &str)
}

#[test]
fn leak_of_a_rust_program_is_found() {
    let leaks = leaks(&[leaky_path(), "leaks", FILE, probe_path(), "true"]);
    let leak = one(&leaks);
    assert_eq!(summary(leak), [FILE, "openat", "fcntl(F_SETFD)", leaky_path(), probe_path()]);
    assert_eq!(leak["inherited_by"][0]["args"], Value::from(vec![probe_path(), "true"]));
}

#[test]
fn clean_rust_program_has_no_leak() {
    let traced = traced(&[], &[leaky_path(), "keeps", FILE, probe_path(), "true"]);
    assert_eq!((&traced["execs"], &traced["leaks"]), (&2.into(), &Value::Array(vec![])));
}

/// Leaks a file and a socket with an address.
const PLANTED_IN_PYTHON: &str = "
import os, socket, subprocess, sys
held = open(sys.argv[1])
os.set_inheritable(held.fileno(), True)
server = socket.create_server(('127.0.0.1', 0))
server.set_inheritable(True)
subprocess.run([sys.argv[2], 'true'], close_fds=False, check=True)
";

const CLEAN_IN_PYTHON: &str = "
import os, subprocess, sys
held = open(sys.argv[1])
subprocess.run([sys.argv[2], 'true'], close_fds=False, check=True)
os.set_inheritable(held.fileno(), True)
subprocess.run([sys.argv[2], 'true'], check=True)
subprocess.run([sys.argv[2], 'true'], pass_fds=[held.fileno()], check=True)
";

#[test]
fn leak_of_a_python_program_is_found() {
    isolated(|| {
        if !is_there("python3") {
            return skip("there is no python3");
        }
        let leaks = leaks(&["python3", "-c", PLANTED_IN_PYTHON, FILE, probe_path()]);
        let [file, socket] = leaks.as_slice() else { panic!("{leaks:#?}") };
        let [target, opened, .., inheritor] = summary(file);
        assert_eq!((target, opened, inheritor), (FILE, "openat", probe_path()));
        let [address, opened, ..] = summary(socket);
        assert!(address.starts_with("tcp 127.0.0.1:") && opened == "socket", "{socket}");
        assert!(file["opened"]["program"].as_str().is_some_and(|path| path.contains("python")), "{file}");
    });
}

#[test]
fn clean_python_program_has_no_leak() {
    isolated(|| {
        if !is_there("python3") {
            return skip("there is no python3");
        }
        assert_eq!(leaks(&["python3", "-c", CLEAN_IN_PYTHON, FILE, probe_path()]), [Value::Null; 0]);
    });
}

/// All children of a shell inherit what the shell opened for itself.
#[rstest]
#[case::descriptor_for_the_rest("exec 7<FILE; PROBE true; PROBE true; exit 0", 7)]
#[case::one_for_a_loop("for i in 1 2; do PROBE true; done 7<FILE; exit 0", 7)]
fn leak_of_a_shell_is_found(#[values("sh", "bash")] name: &str, #[case] script: &str, #[case] fd: i32) {
    isolated(|| {
        if !is_there(name) {
            return skip(&format!("there is no {name}"));
        }
        let leaks = of_shell(name, script);
        let leak = one(&leaks);
        let [target, opened, then, _, inheritor] = summary(leak);
        assert_eq!((target, opened, then, inheritor), (FILE, "openat", "dup2", probe_path()));
        assert_eq!((&leak["fd"], &leak["inherited_by"][0]["times"]), (&fd.into(), &2.into()));
    });
}

/// The script has redirections for one command, pipes and substitutions.
#[rstest]
fn clean_shell_has_no_leak(#[values("sh", "bash")] name: &str) {
    isolated(|| {
        if !is_there(name) {
            return skip(&format!("there is no {name}"));
        }
        let script = "PROBE true 7<FILE; PROBE true 7<FILE 8<FILE; PROBE echo <FILE | PROBE echo >/dev/null
            x=$(PROBE echo <FILE); (exec 7<FILE; exec PROBE true); PROBE true 7<FILE; exit 0";
        assert_eq!(of_shell(name, script), [Value::Null; 0]);
    });
}

#[test]
fn process_substitution_is_no_leak() {
    isolated(|| {
        if !is_there("bash") {
            return skip("there is no bash");
        }
        assert_eq!(of_shell("bash", "PROBE report <(PROBE echo <FILE) >/dev/null; exit 0").len(), 0);
    });
}

#[test]
fn descriptor_named_in_the_environment_is_no_leak() {
    assert_eq!(of_shell("sh", "exec 7<FILE; SOME_FD=7 PROBE true; exit 0").len(), 0);
    assert_eq!(of_shell("sh", "exec 3<FILE; LISTEN_FDS=1 PROBE true; exit 0").len(), 0);
    assert_eq!(of_shell("sh", "exec 7<FILE; SOME_FD=8 PROBE true; exit 0").len(), 1);
}

/// Descendants of an inheritor inherit the descriptor, too, with the same opener.
#[test]
fn several_inheritors_are_one_leak() {
    let leaks = of_shell("sh", "exec 7<FILE; sh -c 'PROBE true; PROBE true; exit 0'; exit 0");
    let inheritors = list(&one(&leaks)["inherited_by"]);
    let seen: Vec<_> = inheritors
        .iter()
        .map(|inheritor| (inheritor["args"][0].as_str(), inheritor["times"].as_u64()))
        .collect();
    assert_eq!(seen, [(Some("sh"), Some(1)), (Some(probe_path()), Some(2))]);
}

#[test]
fn program_can_leak_a_descriptor_that_it_got() {
    let leaks = of_shell("sh", "sh -c 'PROBE true; exit 0' 7<FILE; exit 0");
    assert_eq!(list(&one(&leaks)["inherited_by"]).len(), 1);
}

/// The child of `run` shares the descriptor table of its parent until it has its own.
#[test]
fn start_by_run_has_no_leak() {
    let run = env!("CARGO_BIN_EXE_forkexec");
    let script = format!("exec 6<FILE; {run} run --keep 5 --map 5:9 PROBE true 5<FILE; exit 0");
    let leaks = of_shell("sh", &script);
    let inheritors = list(&one(&leaks)["inherited_by"]);
    assert_eq!((inheritors.len(), &leaks[0]["fd"], &inheritors[0]["args"][0]), (1, &6.into(), &run.into()));
}

#[rstest]
#[case::by_number(&["--allow", "3,6-8"])]
#[case::by_kind(&["--ignore-kind", "pipe,file"])]
fn allowed_descriptor_is_not_reported(#[case] options: &[&str]) {
    let words = shell("sh", "exec 7<FILE; PROBE true; exit 0");
    let traced = traced(options, &words.each_ref().map(String::as_str));
    assert_eq!(traced["leaks"], Value::Array(vec![]));
}

#[test]
fn program_gets_kept_fd_and_can_leak_it() {
    isolated(|| {
        let _held = place(File::open(FILE).expect("it is there"), 9);
        assert_eq!(leaks(&[probe_path(), "true"]).len(), 0);
        let report = traced(&["--keep", "9"], &["sh", "-c", "test -e /dev/fd/9"]);
        assert_eq!(report["leaks"], Value::Array(vec![]));
        let script = format!("{} true; exit 0", probe_path());
        let report = traced(&["--keep", "9"], &["sh", "-c", &script]);
        let leak = one(list(&report["leaks"]));
        assert_eq!((&leak["fd"], &leak["opened"]), (&9.into(), &Value::Null));
        assert_eq!(leak["held_by"]["args"][0], "sh");
    });
}

#[test]
fn text_names_opener_and_inheritor() {
    let (code, out, report) = answer(&["leaks", "--", leaky_path(), "leaks", FILE, probe_path(), "true"]);
    assert_eq!((code, out.as_str()), (Some(0), ""));
    let lines: Vec<_> = report.lines().collect();
    assert!(
        lines[0].starts_with("forkexec: leaks: ") && lines[0].ends_with(" r file /etc/passwd"),
        "{report}"
    );
    for (line, start) in lines[1..].iter().zip(["opened by     ", "then by       ", "inherited by  "]) {
        assert!(line.trim_start().starts_with(start), "{report}");
    }
    let clean = answer(&["leaks", "--", leaky_path(), "keeps", FILE, probe_path(), "true"]);
    assert_eq!(clean, (Some(0), String::new(), String::new()));
}

#[test]
fn report_goes_to_a_file() {
    let directory = TempDir::new().expect("a directory can be made");
    let file = directory.path().join("report");
    let written = |program: &[&str]| {
        let options = ["leaks", "--color", "always", "--output", path(&file), "--"];
        assert_eq!(answer(&[&options, program].concat()), (Some(0), String::new(), String::new()));
        fs::read_to_string(&file).expect("it was made")
    };
    let report = written(&[leaky_path(), "leaks", FILE, probe_path(), "true"]);
    assert!(report.starts_with("forkexec: leaks: ") && !report.contains('\u{1b}'), "{report}");
    assert_eq!(written(&[probe_path(), "true"]), "");
    let (code, _, complaint) = answer(&["leaks", "--output", "/no/such", "--", probe_path(), "true"]);
    assert_eq!(code, Some(125), "{complaint}");
}

#[rstest]
#[case::leak(&["--fail"], "leaks", "0", 123)]
#[case::leak_that_may_be(&[], "leaks", "0", 0)]
#[case::no_leak(&["--fail"], "keeps", "0", 0)]
#[case::another_failure(&["--fail"], "leaks", "4", 4)]
fn leak_is_a_failure_on_request(
    #[case] options: &[&str],
    #[case] verb: &str,
    #[case] exits: &str,
    #[case] code: i32,
) {
    let program = [leaky_path(), verb, FILE, probe_path(), "exit", exits];
    let (got, _, report) = answer(&[&["leaks"], options, &["--"], &program].concat());
    assert_eq!(got, Some(code), "{report}");
}

#[rstest]
#[case::kind(&["--ignore-kind", "files"], "there is no kind \"files\"")]
#[case::number(&["--allow", "x"], "\"x\" is not a file descriptor number")]
#[case::closed(&["--keep", "77"], "--keep 77: cannot use fd 77: it is not open")]
fn impossible_option_is_refused(#[case] options: &[&str], #[case] message: &str) {
    let (code, _, complaint) = answer(&[&["leaks"], options, &["--", probe_path(), "true"]].concat());
    assert_eq!(code, Some(125), "{complaint}");
    assert!(complaint.contains(message), "{complaint}");
}

#[test]
fn descriptor_from_a_socket_is_reported_with_its_holder() {
    isolated(|| {
        if !is_there("python3") {
            return skip("there is no python3");
        }
        let script = "
import os, socket, subprocess, sys
ours, tinheritors = socket.socketpair()
held = os.open(sys.argv[1], os.O_RDONLY)
socket.send_fds(ours, [b'x'], [held])
os.close(held)
_, [got], _, _ = socket.recv_fds(tinheritors, 1, 1)
os.set_inheritable(got, True)
subprocess.run([sys.argv[2], 'true'], close_fds=False, check=True)
";
        let words = ["leaks", "--json", "--", "python3", "-c", script, FILE, probe_path()];
        let (_, _, report) = said(&forkexec(&words).output().expect("it starts"));
        let report: Value = serde_json::from_str(&report).expect("it is JSON");
        let leak = one(list(&report["leaks"]));
        assert_eq!(
            (&leak["target"], &leak["inherited_by"][0]["program"]),
            (&FILE.into(), &probe_path().into())
        );
        assert!(leak["held_by"]["program"].as_str().is_some_and(|path| path.contains("python")), "{leak}");
    });
}
