//! Signals that `run` forwards, and their recipients.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use forkexec_tests::isolate::{isolated_for, skip};
use forkexec_tests::process::state;
use nix::sys::signal::Signal;
use rstest::rstest;

use crate::pty::code;
use crate::start_with::{blocking, ignoring};
use crate::wrappers::{OURS, Wrapper};
use crate::{run, signed};

const LIMIT: Duration = Duration::from_secs(180);

/// A script that waits for a signal, and ends at once when a handler runs.
const WAITS: &str = "echo ready; sleep 600 & wait; kill $!; exit 1";

/// A script that exits with 9 if it gets this signal.
fn exits_with_9_by(signal: i32) -> String {
    format!("trap 'kill $!; exit 9' {signal}; {WAITS}")
}

/// Starts a command and waits for its line "ready". The output has a reader until the second value is dropped.
fn ready(mut command: Command) -> (Child, BufReader<impl Read>) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut output = BufReader::new(child.stdout.take().expect("it is a pipe"));
    let mut line = String::new();
    output.read_line(&mut line).expect("it is text");
    assert_eq!(line, "ready\n");
    (child, output)
}

/// Sends a signal. nix has no real-time signals.
fn send(pid: u32, signal: i32) {
    // SAFETY: kill(2) accesses no memory. The child was not waited for.
    assert_eq!(unsafe { libc::kill(signed(pid), signal) }, 0);
}

/// Waits until a process sleeps. A signal that arrives before timeout(1) returns from fork would end it.
fn await_sleep(pid: u32) {
    while state(pid).expect("it was not waited for") != 'S' {
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to the wrapper while the program waits, and returns the wrapper's exit status.
fn end_by(mut wrapped: Command, signal: i32) -> ExitStatus {
    wrapped.stdin(Stdio::null());
    let (mut child, _output) = ready(wrapped);
    await_sleep(child.id());
    send(child.id(), signal);
    child.wait().expect("it was not waited for")
}

/// Returns the signals that can be forwarded, without those that the C library reserves.
fn forwardable() -> impl Iterator<Item = i32> {
    let stay = [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGCHLD,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGSYS,
    ];
    (1..=64).filter(move |signal| !stay.contains(signal) && !(32..=34).contains(signal))
}

/// Faults: C2, C3
#[rstest]
#[case::forkexec(OURS, i32::MAX, &[])]
// tini ignores these, to write messages to a terminal.
#[case::tini(Wrapper(&["tini", "-s", "--"]), i32::MAX, &[libc::SIGTTIN, libc::SIGTTOU, libc::SIGABRT])]
#[case::dumb_init(Wrapper(&["dumb-init", "--single-child"]), 31, &[libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU])]
fn each_forwardable_signal_is_forwarded(
    #[case] wrapper: Wrapper,
    #[case] highest: i32,
    #[case] without: &[i32],
) {
    isolated_for(LIMIT, || {
        for signal in forwardable().filter(|signal| *signal <= highest && !without.contains(signal)) {
            let Some(command) = wrapper.around(&exits_with_9_by(signal)) else { return };
            assert_eq!(code(end_by(command, signal)), 9, "signal {signal}");
        }
    });
}

/// Faults: C2
#[rstest]
#[case::forkexec(OURS)]
#[case::forkexec_with_a_deadline(Wrapper(&["forkexec", "run", "--timeout", "600"]))]
#[case::forkexec_with_a_tree(Wrapper(&["forkexec", "run", "--timeout", "600", "--kill-tree"]))]
#[case::timeout(Wrapper(&["timeout", "600"]))]
#[case::timeout_in_the_foreground(Wrapper(&["timeout", "--foreground", "600"]))]
fn signal_from_a_process_is_forwarded(
    #[case] wrapper: Wrapper,
    #[values(libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP)] signal: i32,
) {
    isolated_for(LIMIT, || {
        let Some(command) = wrapper.around(&exits_with_9_by(signal)) else { return };
        assert_eq!(code(end_by(command, signal)), 9);
    });
}

/// The shell waits for its child, so the child must get the signal, too.
#[rstest]
#[case::forkexec(Wrapper(&["forkexec", "run", "--timeout", "600", "--kill-tree"]))]
#[case::tini(Wrapper(&["tini", "-s", "-g", "--"]))]
#[case::dumb_init(Wrapper(&["dumb-init"]))]
#[case::timeout(Wrapper(&["timeout", "600"]))]
fn kill_tree_forwards_signals_to_the_group(#[case] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let script = "trap : TERM; sh -c 'trap \"exit 5\" TERM; echo ready; sleep 600 & wait'; exit $?";
        let Some(command) = wrapper.around(script) else { return };
        assert_eq!(code(end_by(command, libc::SIGTERM)), 5);
    });
}

/// Faults: C3
#[rstest]
#[case::forkexec(OURS)]
#[case::tini(Wrapper(&["tini", "-s", "--"]))]
#[case::dumb_init(Wrapper(&["dumb-init", "--single-child"]))]
fn signal_blocked_at_start_is_forwarded(#[case] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        // The script unblocks the signal itself, because tini lets it inherit the mask.
        let script = format!(
            "exec env --block-signal= sh -c \"{}\"",
            exits_with_9_by(libc::SIGTERM).replace('$', "\\$")
        );
        let Some(mut command) = wrapper.around(&script) else { return };
        blocking(&mut command, Signal::SIGUSR2);
        assert_eq!(code(end_by(command, libc::SIGTERM)), 9);
        if wrapper.0 == OURS.0 {
            let mut command = OURS.around(&exits_with_9_by(libc::SIGUSR2)).expect("it is there");
            blocking(&mut command, Signal::SIGUSR2);
            assert_eq!(code(end_by(command, libc::SIGUSR2)), 9);
        }
    });
}

/// nohup(1) starts programs in this state.
///
/// Faults: C3
#[test]
fn signal_ignored_at_start_stays_ignored() {
    isolated_for(LIMIT, || {
        let mut command = OURS.around(WAITS).expect("it is there");
        ignoring(&mut command, Signal::SIGHUP);
        let (mut child, _output) = ready(command);
        send(child.id(), libc::SIGHUP);
        send(child.id(), libc::SIGTERM);
        assert_eq!(code(child.wait().expect("it was not waited for")), 128 + libc::SIGTERM);
    });
}

/// The wrapper handles the signal before the program runs. The signal ends the program, however early it arrives.
///
/// Faults: C3
#[rstest]
fn signal_during_the_start_is_not_lost(#[values(libc::SIGTERM, libc::SIGUSR1)] signal: i32) {
    isolated_for(LIMIT, || {
        for _ in 0..20 {
            let mut child = OURS.around("exec sleep 600").expect("it is there").spawn().expect("it starts");
            while !handles(child.id(), signal) {
                thread::yield_now();
            }
            send(child.id(), signal);
            assert_eq!(child.wait().expect("it was not waited for").code(), Some(128 + signal));
        }
    });
}

fn handles(pid: u32, signal: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it was not waited for");
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("the kernel tells");
    let caught = u64::from_str_radix(caught.trim(), 16).expect("it is a set");
    caught >> (signal - 1) & 1 == 1
}

#[test]
fn no_signal_is_forwarded_while_the_tree_is_killed() {
    isolated_for(LIMIT, || {
        let wrapper = Wrapper(&["forkexec", "run", "--timeout", "3", "--kill-after", "1", "--kill-tree"]);
        let script = "trap 'echo ready' TERM; trap 'exit 9' USR1; while :; do sleep 0.05; done";
        let command = wrapper.around(script).expect("it is there");
        assert_eq!(code(end_by(command, libc::SIGUSR1)), 137);
    });
}

/// Otherwise, a shell's `kill 0` would cause signals without end.
///
/// Faults: C11
#[rstest]
fn signals_from_the_program_are_not_sent_back(
    #[values("kill -USR1 $PPID", "trap '' USR1; kill -USR1 0; trap 'exit 9' USR1")] sends: &str,
) {
    isolated_for(LIMIT, || {
        let script = format!("trap 'exit 9' USR1; trap 'kill $!; exit 7' USR2; {sends}; {WAITS}");
        // Its own group, so that the signal reaches no other process.
        let mut command = Command::new("setsid");
        command.args(["--wait", env!("CARGO_BIN_EXE_forkexec"), "run", "sh", "-c"]);
        command.arg(format!("echo $PPID; {script}"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
        let mut line = || lines.next().expect("it says more").expect("it is text");
        let wrapper: u32 = line().parse().expect("it is a number");
        assert_eq!(line(), "ready");
        send(wrapper, libc::SIGUSR2);
        assert_eq!(child.wait().expect("it was not waited for").code(), Some(7));
    });
}

/// Faults: C7
#[test]
fn program_is_signalled_by_pidfd() {
    isolated_for(LIMIT, || {
        let list = tempfile::NamedTempFile::new().expect("a file can be made");
        let mut strace = Command::new("strace");
        strace
            .args(["-qq", "-e", "trace=kill,tkill,tgkill,pidfd_send_signal,wait4,waitid", "-o"])
            .arg(list.path());
        strace.args([env!("CARGO_BIN_EXE_forkexec"), "run", "sh", "-c"]);
        strace.arg(format!("echo $PPID; {}", exits_with_9_by(libc::SIGUSR1)));
        let Ok(mut child) = strace.stdout(Stdio::piped()).spawn() else { return skip("strace does not run") };
        let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
        let Some(Ok(wrapper)) = lines.next() else { return skip("strace may not trace") };
        assert_eq!(lines.next().expect("it says more").expect("it is text"), "ready");
        send(wrapper.parse().expect("it is a number"), libc::SIGUSR1);
        assert_eq!(child.wait().expect("it was not waited for").code(), Some(9));
        let calls = fs::read_to_string(list.path()).expect("it is text");
        let sent: Vec<_> =
            calls.lines().filter(|line| line.contains("kill(") || line.contains("_signal(")).collect();
        assert!(matches!(sent[..], [one] if one.starts_with("pidfd_send_signal(")), "{calls}");
    });
}

/// The parent must see the signal: then a shell stops its script.
///
/// Faults: C10
#[rstest]
#[case::forkexec(OURS)]
#[case::timeout(Wrapper(&["timeout", "600"]))]
fn interrupted_program_ends_the_wrapper_by_sigint(#[case] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let Some(mut command) = wrapper.around("kill -INT $$") else { return };
        assert_eq!(command.status().expect("it starts").signal(), Some(libc::SIGINT));
    });
}

#[test]
fn exit_code_shows_the_interrupt_under_ignored_sigint() {
    isolated_for(LIMIT, || {
        let mut command = run(&["--ignored-signals", "restore-all"], &["kill", "2"]);
        let status = ignoring(&mut command, Signal::SIGINT).status().expect("it starts");
        assert_eq!(status.code(), Some(130));
    });
}

/// The exit codes are those of a shell.
#[rstest]
#[case::success("exit 0", 0)]
#[case::failure("exit 3", 3)]
#[case::killed("kill -KILL $$", 137)]
#[case::terminated("kill -TERM $$", 143)]
#[case::not_found("exec /no/such/program", 127)]
fn each_wrapper_exits_as_the_program_does(
    #[case] script: &str,
    #[case] expected: i32,
    #[values(
        OURS,
        Wrapper(&["tini", "-s", "--"]),
        Wrapper(&["dumb-init", "--single-child"]),
        Wrapper(&["timeout", "600"])
    )]
    wrapper: Wrapper,
) {
    isolated_for(LIMIT, || {
        let Some(mut command) = wrapper.around(script) else { return };
        assert_eq!(code(command.stderr(Stdio::null()).status().expect("it starts")), expected);
    });
}

/// dumb-init exits with 2 in both cases.
#[rstest]
#[case::not_found("/no/such/program", 127)]
#[case::cannot_be_run("/etc/passwd", 126)]
fn failed_start_exits_126_or_127(
    #[case] program: &str,
    #[case] expected: i32,
    #[values(OURS, Wrapper(&["tini", "-s", "--"]), Wrapper(&["timeout", "600"]), Wrapper(&["env"]), Wrapper(&["nohup"]))]
    wrapper: Wrapper,
) {
    isolated_for(LIMIT, || {
        let Some(words) = wrapper.words() else { return };
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .arg(program)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert_eq!(command.status().expect("it starts").code(), Some(expected));
    });
}
