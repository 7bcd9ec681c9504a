//! Signals that `run` ignores, blocks and forwards.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use forkexec_tests::isolate::{isolated, isolated_for};
use forkexec_tests::probe::Seen;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;

use crate::pty::code;
use crate::start_with::{blocking, ignoring};
use crate::{reported, run, seen, signed};

/// Returns the ignored signals without those that the C library reserves: glibc's posix_spawn, which may have started the
/// test, ignores them.
fn ignored_by(seen: &Seen) -> Vec<i32> {
    seen.ignored.iter().copied().filter(|signal| !(32..=34).contains(signal)).collect()
}

#[rstest]
#[case::some_by_default(&[], vec![libc::SIGHUP])]
#[case::some(&["--ignored-signals", "restore"], vec![libc::SIGHUP])]
#[case::none(&["--ignored-signals", "restore-all"], vec![])]
#[case::all(&["--ignored-signals", "keep"], vec![libc::SIGHUP, libc::SIGPIPE, libc::SIGCHLD])]
fn ignored_signals_follow_the_policy(#[case] options: &[&str], #[case] ignored: Vec<i32>) {
    isolated(|| {
        let mut command = run(options, &["report"]);
        for signal in [Signal::SIGHUP, Signal::SIGPIPE, Signal::SIGCHLD] {
            ignoring(&mut command, signal);
        }
        assert_eq!(ignored_by(&reported(&mut command)), ignored);
    });
}

/// Rust's runtime ignores SIGPIPE in the command itself.
#[test]
fn signal_ignored_by_rusts_runtime_is_not_kept() {
    isolated(|| assert_eq!(ignored_by(&seen(&["--ignored-signals", "keep"])), Vec::<i32>::new()));
}

/// With an ignored `SIGCHLD`, the kernel would discard the program's status.
#[test]
fn exit_code_arrives_with_ignored_sigchld() {
    isolated(|| {
        let mut command = run(&["--ignored-signals", "keep"], &["exit", "7"]);
        let status = ignoring(&mut command, Signal::SIGCHLD).status().expect("it starts");
        assert_eq!(status.code(), Some(7));
    });
}

#[test]
fn signal_options_reach_the_program() {
    isolated(|| {
        let seen = seen(&[
            "--ignore-signal",
            "USR1",
            "--ignore-signal",
            "40",
            "--block-signals",
            "TERM,sigint",
            "--die-with-parent",
            "9",
        ]);
        assert_eq!(ignored_by(&seen), [libc::SIGUSR1, 40]);
        assert_eq!(seen.blocked, [libc::SIGINT, libc::SIGTERM]);
        assert_eq!(seen.pdeathsig, libc::SIGKILL);
    });
}

#[rstest]
#[case::none_by_default(&[], vec![])]
#[case::none(&["--block-signals", "none"], vec![])]
#[case::ours(&["--block-signals", "inherit"], vec![libc::SIGUSR2])]
fn blocked_signals_are_inherited_only_on_request(#[case] options: &[&str], #[case] blocked: Vec<i32>) {
    isolated(|| {
        let mut command = run(options, &["report"]);
        assert_eq!(reported(blocking(&mut command, Signal::SIGUSR2)).blocked, blocked);
    });
}

/// Starts a program that waits for the end of its input. The report has a reader until the second value is dropped.
fn waiting(options: &[&str]) -> (Child, impl Iterator<Item = String>) {
    let options = [&["--report"], options].concat();
    let mut command = run(&options, &["sleep-on-stdin"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let report = BufReader::new(child.stderr.take().expect("it is a pipe"));
    let mut lines = report.lines().map(|line| line.expect("it is text"));
    assert!(lines.any(|line| line.ends_with(" exec")), "it has no report");
    (child, lines)
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(signed(child.id())), signal).expect("it was not waited for");
}

const LIMIT: Duration = Duration::from_secs(30);

#[rstest]
#[case::term(&[], Signal::SIGTERM)]
#[case::hup(&[], Signal::SIGHUP)]
#[case::int_of_another_group(&["--pgroup", "0"], Signal::SIGINT)]
#[case::quit_of_another_session(&["--setsid", "--limit", "core=0"], Signal::SIGQUIT)]
fn signal_is_forwarded_to_the_program(#[case] options: &[&str], #[case] signal: Signal) {
    isolated_for(LIMIT, || {
        let (mut child, _report) = waiting(options);
        let input = child.stdin.take(); // keeps the input open, so that the program waits
        send(&child, signal);
        assert_eq!(code(child.wait().expect("it ends")), 128 + signal as i32);
        drop(input);
    });
}
