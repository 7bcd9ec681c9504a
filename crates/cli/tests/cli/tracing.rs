//! A traced program behaves as without tracing: its status, signals, threads and children.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::{isolated, isolated_for, skip};
use forkexec_tests::{leaky, probe, world};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use serde_json::Value;

use crate::pty::code;
use crate::start_with::{denied, without};
use crate::{answer, forkexec, reported, said, signed};

const FILE: &str = "/etc/passwd";
const LIMIT: Duration = Duration::from_secs(60);

fn probe_path() -> &'static str {
    probe::path().to_str().expect("it is text")
}

fn leaky_path() -> &'static str {
    leaky::path().to_str().expect("it is text")
}

fn leaks(program: &[&str]) -> (Option<i32>, String, String) {
    answer(&[&["leaks", "--"], program].concat())
}

#[rstest]
#[case::success(&["true"], 0)]
#[case::failure(&["exit", "7"], 7)]
#[case::killed(&["kill", "9"], 137)]
#[case::by_a_real_time_signal(&["kill", "40"], 168)]
fn exit_code_is_that_of_the_program(#[case] probe: &[&str], #[case] code: i32) {
    assert_eq!(leaks(&[&[probe_path()], probe].concat()), (Some(code), String::new(), String::new()));
}

#[rstest]
#[case::missing("/no/such", 127, "cannot execute \"/no/such\": No such file or directory")]
// A closure runs before exec here, so the library names no cause.
#[case::not_executable(FILE, 126, "Permission denied (os error 13)")]
fn failed_start_names_the_program(#[case] program: &str, #[case] code: i32, #[case] message: &str) {
    let (got, _, complaint) = leaks(&[program]);
    assert_eq!((got, complaint.lines().count()), (Some(code), 1), "{complaint}");
    assert!(complaint.contains(message), "{complaint}");
}

/// The program gets no descriptor of the tracer, no blocked signals, and no stream that was closed.
#[test]
fn traced_program_starts_as_from_run() {
    isolated(|| {
        let seen = reported(&mut forkexec(&["leaks", "--", probe_path(), "report"]));
        assert_eq!((seen.fds, seen.blocked), (vec![0, 1, 2], vec![]));
        let mut command = forkexec(&["leaks", "--", probe_path(), "report"]);
        assert_eq!(reported(without(&mut command, &[0, 2])).fds, [1]);
    });
}

#[test]
fn any_thread_can_exec() {
    isolated_for(LIMIT, || {
        assert_eq!(leaks(&[leaky_path(), "execs-in-a-thread", probe_path(), "exit", "5"]).0, Some(5));
    });
}

#[test]
fn child_stops_and_continues() {
    isolated_for(LIMIT, || {
        let script = "kill -STOP $$; exit 4";
        assert_eq!(
            leaks(&[leaky_path(), "continues", "sh", "-c", script]),
            (Some(4), String::new(), String::new())
        );
    });
}

/// A new task can stop before its creator reports it.
#[test]
fn many_threads_start_many_children() {
    isolated_for(LIMIT, || {
        let program = [leaky_path(), "starts", "8", "25", probe_path(), "true"];
        let (code, _, report) = answer(&[&["leaks", "--json", "--"][..], &program].concat());
        let report: Value = serde_json::from_str(&report).expect("it is JSON");
        assert_eq!((code, &report["execs"]), (Some(0), &201.into()));
        assert_eq!(report["leaks"], Value::Array(vec![]));
    });
}

#[test]
fn handled_signal_arrives() {
    let script = "trap 'exit 6' USR1; kill -USR1 $$; exit 1";
    assert_eq!(leaks(&["sh", "-c", script]).0, Some(6));
}

/// Starts a script and waits for its line "ready".
fn waiting(script: &str) -> (Child, BufReader<ChildStdout>) {
    let script = script.replace("PROBE", probe_path());
    let mut command = forkexec(&["leaks", "--", "sh", "-c", &script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("it is a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("it is text");
    assert_eq!(line, "ready\n");
    (child, out)
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(signed(child.id())), signal).expect("it was not waited for");
}

/// Faults: C2, C3
#[rstest]
fn signal_is_forwarded_to_the_program(
    #[values(Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1, Signal::SIGALRM)]
    signal: Signal,
) {
    isolated_for(LIMIT, || {
        let (mut child, _out) = waiting("echo ready; exec PROBE sleep-on-stdin");
        let input = child.stdin.take();
        send(&child, signal);
        assert_eq!(code(child.wait().expect("it ends")), 128 + signal as i32);
        drop(input);
    });
}

/// `leaks` keeps the program's exit code until all descendants have ended. They get the signals in the meantime.
#[test]
fn descendants_are_traced_after_the_program_ends() {
    isolated_for(LIMIT, || {
        let (mut child, mut out) = waiting("PROBE sleep-on-stdin <&0 >&- & echo ready; exit 3");
        let input = child.stdin.take();
        out.read_to_end(&mut Vec::new()).expect("the program ends");
        let status = loop {
            // Until `leaks` sees the program's end, it signals only the program.
            send(&child, Signal::SIGTERM);
            match child.try_wait().expect("it is ours") {
                Some(status) => break status,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!(status.code(), Some(3));
        drop(input);
    });
}

#[test]
fn killed_tracer_kills_all_tracees() {
    isolated_for(LIMIT, || {
        let (mut child, mut out) = waiting("PROBE sleep-on-stdin <&0 & echo ready; PROBE sleep-on-stdin");
        let input = child.stdin.take();
        child.kill().expect("it is ours");
        out.read_to_end(&mut Vec::new()).expect("all writers are gone");
        child.wait().expect("it ends");
        drop(input);
    });
}

/// Without a filter, all calls stop.
#[test]
fn leak_is_found_without_a_filter() {
    isolated_for(LIMIT, || {
        let mut command =
            forkexec(&["leaks", "--json", "--", leaky_path(), "leaks", FILE, probe_path(), "true"]);
        denied(&mut command, || Deny::new().errno(libc::SYS_seccomp, libc::ENOSYS));
        let (code, _, report) = said(&command.output().expect("it starts"));
        let report: Value = serde_json::from_str(&report).expect("it is JSON");
        let leak = &report["leaks"][0];
        assert_eq!(
            (code, &leak["target"], &leak["opened"]["call"]),
            (Some(0), &FILE.into(), &"openat".into())
        );
    });
}

#[test]
fn denied_tracing_is_reported() {
    isolated_for(LIMIT, || {
        let mut command = forkexec(&["leaks", "--", probe_path(), "true"]);
        denied(&mut command, || Deny::new().errno(libc::SYS_ptrace, libc::EPERM));
        let (code, _, complaint) = said(&command.output().expect("it starts"));
        let expected = "forkexec: leaks: cannot trace the program: Operation not permitted (os error 1)\n";
        assert_eq!((code, complaint.as_str()), (Some(125), expected));
    });
}

#[test]
fn untraceable_process_is_reported() {
    isolated_for(LIMIT, || {
        if let Err(reason) = world::without_proc() {
            return skip(&reason);
        }
        let (code, _, report) = leaks(&[probe_path(), "exit", "2"]);
        assert_eq!(code, Some(2));
        assert!(report.starts_with("forkexec: leaks: cannot list the descriptors of "), "{report}");
    });
}
