//! Job control: the terminal, stop and continue, keys.

use std::fs;
use std::time::{Duration, Instant};

use forkexec_tests::isolate::{isolated_for, skip};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use tempfile::TempDir;

use crate::pty::{INTERRUPT, SUSPEND, Session, code};
use crate::wrappers::{OURS, Wrapper};

const LIMIT: Duration = Duration::from_secs(120);
const APART: Wrapper = Wrapper(&["forkexec", "run", "--pgroup", "0", "--foreground", "0"]);
const GROUP: Wrapper = Wrapper(&["forkexec", "run", "--pgroup", "0"]);
const SESSION: Wrapper = Wrapper(&["forkexec", "run", "--setsid"]);
const TREE: Wrapper = Wrapper(&["forkexec", "run", "--timeout", "600", "--kill-tree"]);
const LEAKS: Wrapper = Wrapper(&["forkexec", "leaks", "--"]);
const TIMEOUT: Wrapper = Wrapper(&["timeout", "--foreground", "600"]);

/// Waits until the shell is stopped, and then for long enough that the wrapper has seen it.
const AWAITS_STOP: &str = "until grep -q \"^State:.T\" /proc/$$/status; do sleep 0.05; done; sleep 0.3";

/// Faults: C4, C5
#[rstest]
#[case::shared_group(OURS)]
// Faults: C4
#[case::foreground(APART)]
// Faults: C5
#[case::tree(TREE)]
#[case::timeout(TIMEOUT)]
#[case::tini_as_a_shell_s_job(Wrapper(&["tini", "-s", "--"]))]
fn program_and_then_shell_read_the_terminal(#[case] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let Some(line) = wrapper.line() else { return };
        // tini does not give the terminal back. A shell with job control takes it.
        let job_control = if line.starts_with("tini") { "set -m; " } else { "" };
        let program = "read x; echo program=$x";
        let mut session =
            Session::script("sh", &format!("{job_control}{line} sh -c '{program}'; read y; echo shell=$y"));
        session.press("one\n");
        session.until("program=one");
        session.press("two\n");
        session.until("shell=two");
        assert_eq!(code(session.end().1), 0);
    });
}

/// The child's group is in the foreground before the exec fails.
///
/// Faults: C12
#[rstest]
fn failed_start_gives_the_terminal_back(#[values(OURS, APART, TREE)] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let Some(line) = wrapper.line() else { return };
        let mut session =
            Session::script("sh", &format!("{line} /no/such; echo code=$?; read x; echo shell=$x"));
        session.until("code=127");
        session.press("one\n");
        session.until("shell=one");
        session.end();
    });
}

/// A process that the program leaves behind is in the group that has the foreground.
#[test]
fn terminal_is_given_back_before_the_last_of_the_group_ends() {
    isolated_for(LIMIT, || {
        let line = APART.line().expect("it is there");
        let program = "sleep 600 & echo left=$!=";
        let mut session = Session::script("sh", &format!("{line} sh -c '{program}'; read x; echo shell=$x"));
        session.until("left=");
        let left = session.up_to("=").parse().expect("it is a number");
        session.press("one\n");
        session.until("shell=one");
        kill(Pid::from_raw(left), Signal::SIGKILL).expect("it sleeps");
        session.end();
    });
}

/// The program is a shell, and its job kills it.
#[test]
fn job_of_the_program_keeps_the_foreground() {
    isolated_for(LIMIT, || {
        let line = APART.line().expect("it is there");
        let directory = TempDir::new().expect("a directory can be made");
        let over = directory.path().join("over").display().to_string();
        let job = format!(
            "kill -KILL \\$PPID; while kill -0 \\$WRAPPER; do sleep 0.05; done 2>/dev/null; \
             read x; echo got=\\$x; : >{over}"
        );
        let program = format!("set -m; export WRAPPER=$PPID; sh -c \"{job}\"; true");
        let wait = format!("until test -e {over}; do sleep 0.05; done");
        let mut session = Session::script("sh", &format!("{line} sh -c '{program}'; echo code=$?; {wait}"));
        session.until("code=137");
        session.press("one\n");
        session.until("got=one");
        session.end();
    });
}

/// With `stty tostop`, the terminal stops processes that write from the background.
///
/// Faults: C9
#[test]
fn wrapper_in_the_background_writes_to_the_terminal() {
    isolated_for(LIMIT, || {
        let line = Wrapper(&["forkexec", "run", "--timeout", "600", "--kill-tree", "--report", "--progress"]);
        let line = line.line().expect("it is there");
        let program = "sleep 1.5; read x; echo got=$x";
        let mut session =
            Session::script("sh", &format!("stty tostop; {line} sh -c '{program}'; echo then=$?"));
        session.until("started process");
        session.until("forkexec: run: sh: ");
        session.press("one\n");
        session.until("got=one");
        session.until("exited with 0");
        session.until("then=0");
        session.end();
    });
}

/// Faults: C4, C5
#[rstest]
#[case::shared_group(OURS, 128 + libc::SIGTSTP)]
#[case::foreground(APART, 128 + libc::SIGTSTP)]
#[case::tree(TREE, 128 + libc::SIGTSTP)]
#[case::leaks(LEAKS, 128 + libc::SIGTSTP)]
#[case::timeout(TIMEOUT, 128 + libc::SIGTSTP)]
#[case::dumb_init(Wrapper(&["dumb-init", "--single-child"]), 128 + libc::SIGSTOP)]
fn job_is_suspended_and_continued(#[case] wrapper: Wrapper, #[case] stopped: i32) {
    isolated_for(LIMIT, || {
        let Some(line) = wrapper.line() else { return };
        let directory = TempDir::new().expect("a directory can be made");
        let pid = directory.path().join("pid").display().to_string();
        let program = format!("echo $$ > {pid}; echo ready; read x; echo got=$x");
        // Other wrappers may stop before the program does.
        let wait = format!("read pid < {pid}; until grep -q \"^State:.[tT]\" /proc/$pid/status; do :; done");
        let shell = format!(
            "set -m; {line} sh -c '{program}'; echo first=$?; {wait}; echo stopped; read y; echo shell=$y; fg; echo then=$?"
        );
        let mut session = Session::script("sh", &shell);
        session.until("ready");
        session.press(SUSPEND);
        session.until(&format!("first={stopped}"));
        session.until("stopped");
        session.press("one\n");
        session.until("shell=one");
        session.press("two\n");
        session.until("got=two");
        session.until("then=0");
        session.end();
    });
}

/// Full-screen programs do this, to restore the terminal before they stop.
///
/// Faults: C5
#[rstest]
fn wrapper_stops_with_a_program_that_stops_itself(#[values(OURS, APART, TREE, SESSION)] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let Some(line) = wrapper.line() else { return };
        let program =
            "trap \"kill -STOP \\$\\$\" TSTP; echo ready; while :; do read x && break; done; echo got=$x";
        let shell = format!("set -m; {line} sh -c '{program}'; echo first=$?; fg; echo then=$?");
        let mut session = Session::script("sh", &shell);
        session.until("ready");
        session.press(SUSPEND);
        session.until("first=148");
        session.press("one\n");
        session.until("got=one");
        session.until("then=0");
        session.end();
    });
}

/// A background program that reads stops, and so does its wrapper. In the foreground, both continue.
///
/// Faults: C5
#[rstest]
fn background_job_stops_when_it_reads(#[values(OURS, TREE)] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let Some(line) = wrapper.line() else { return };
        let program = "read x; echo got=$x";
        // A subshell, as in a pipe, would not see the new state of the job.
        let directory = TempDir::new().expect("a directory can be made");
        let jobs = directory.path().join("jobs").display().to_string();
        let wait = format!("until jobs > {jobs}; grep -q Stopped {jobs}; do sleep 0.05; done");
        let mut session = Session::script(
            "sh",
            &format!("set -m; {line} sh -c '{program}' & {wait}; echo seen; fg; echo then=$?"),
        );
        session.until("seen");
        session.press("one\n");
        session.until("got=one");
        session.until("then=0");
        session.end();
    });
}

/// No shell could continue the program, so the kernel discards the signal of the key.
#[rstest]
fn suspend_key_without_a_shell_has_no_effect(#[values(OURS, TREE)] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let command = wrapper.around("echo ready; read x; echo got=$x").expect("it is there");
        let mut session = Session::start(command);
        session.until("ready");
        session.press(SUSPEND);
        session.press("one\n");
        session.until("got=one");
        assert_eq!(code(session.end().1), 0);
    });
}

/// The signal was not that of a key.
#[rstest]
fn stopped_program_stays_stopped_without_a_shell(#[values(OURS, TREE)] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let script = format!("({AWAITS_STOP}; echo before; kill -CONT $$) & kill -STOP $$; echo after; wait");
        let mut session = Session::start(wrapper.around(&script).expect("it is there"));
        session.until("before");
        session.until("after");
        assert_eq!(code(session.end().1), 0);
    });
}

/// The terminal belongs to the shell, so no key has stopped the program.
#[rstest]
fn wrapper_in_the_background_does_not_stop_with_the_program(#[values(OURS, TREE, SESSION)] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let line = wrapper.line().expect("it is there");
        let program = format!("({AWAITS_STOP}; kill -CONT $$) & kill -STOP $$; exit 5");
        let mut session =
            Session::script("sh", &format!("set -m; {line} sh -c '{program}' & wait $!; echo code=$?"));
        session.until("code=5");
        session.end();
    });
}

/// It did not have the terminal before.
#[rstest]
#[case::background_group_of_its_own(GROUP, "")]
#[case::background_job(TREE, "& wait $!")]
fn continued_program_does_not_take_the_terminal(#[case] wrapper: Wrapper, #[case] rest: &str) {
    isolated_for(LIMIT, || {
        let line = wrapper.line().expect("it is there");
        // The eighth field is the foreground group (proc_pid_stat(5)).
        let program = "show() { set -- $(cat /proc/$$/stat); echo group=$8=; }; trap \"show; exit 3\" CONT; \
            show; (kill -CONT $PPID); while :; do sleep 0.05; done";
        let mut session =
            Session::script("sh", &format!("set -m; {line} sh -c '{program}' {rest}; echo code=$?"));
        let mut group = || {
            session.until("group=");
            session.up_to("=")
        };
        assert_eq!(group(), group());
        session.until("code=3");
        session.end();
    });
}

/// The terminal signals both processes. A shell's handler does not count signals, so strace checks the wrapper's calls.
///
/// Faults: C2
#[rstest]
#[case::shared_group("run")]
#[case::leaks("leaks")]
fn key_reaches_the_program_once(#[case] subcommand: &str) {
    isolated_for(LIMIT, || {
        if Wrapper(&["strace"]).words().is_none() {
            return;
        }
        let directory = TempDir::new().expect("a directory can be made");
        let list = directory.path().join("list").display().to_string();
        let command = env!("CARGO_BIN_EXE_forkexec");
        // leaks traces the program itself, so strace cannot.
        let trace = format!("strace -qq -f -e trace=kill,pidfd_send_signal -e signal=none -o {list}");
        let line =
            if subcommand == "run" { format!("{trace} {command} run") } else { format!("{command} leaks") };
        let program = "trap \"echo hit\" INT; trap \"kill \\$!; echo done; exit\" USR1; echo of=$PPID=; \
            sleep 600 & echo ready; while :; do wait; done";
        let mut session = Session::script("sh", &format!("trap : INT; {line} sh -c '{program}'"));
        session.until("of=");
        let wrapper: i32 = session.up_to("=").parse().expect("it is a number");
        session.until("ready");
        session.press(INTERRUPT);
        session.until("hit");
        // A forwarded key would arrive before this signal: signals are delivered and forwarded in the order of their
        // numbers.
        // SAFETY: kill(2) accesses no memory, and the program has printed the pid of its running parent.
        assert_eq!(unsafe { libc::kill(wrapper, libc::SIGUSR1) }, 0);
        session.until("done");
        let (heard, _) = session.end();
        assert_eq!(heard.matches("hit").count(), 1, "{heard}");
        if subcommand == "run" {
            let calls = fs::read_to_string(list).expect("strace wrote it");
            assert!(calls.contains("SIGUSR1") && !calls.contains("SIGINT"), "{calls}");
        }
    });
}

/// The group of the program is in the foreground, and that of the wrapper is not.
#[rstest]
#[case::tree(TREE)]
#[case::tini(Wrapper(&["tini", "-s", "--"]))]
fn key_reaches_the_foreground_group(#[case] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let Some(line) = wrapper.line() else { return };
        let program = "trap \"kill \\$!; echo hit; exit 3\" INT; sleep 600 & echo ready; wait; exit 1";
        let mut session = Session::script("sh", &format!("{line} sh -c '{program}'; echo then=$?"));
        session.until("ready");
        session.press(INTERRUPT);
        session.until("hit");
        session.until("then=3");
        session.end();
    });
}

/// bash continues a script only if its child handled the key.
///
/// Faults: C10
#[rstest]
#[case::shared_group(OURS)]
#[case::foreground(APART)]
#[case::tree(TREE)]
#[case::leaks(LEAKS)]
#[case::timeout(TIMEOUT)]
fn interrupt_ends_the_script_around_the_wrapper(#[case] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let Some(line) = wrapper.line() else { return };
        if !std::path::Path::new("/bin/bash").exists() {
            return skip("there is no bash");
        }
        // A signal that arrives before timeout(1) returns from fork would end it.
        let program =
            "until grep -q \"^State:.S\" /proc/$PPID/status; do :; done; echo ready; exec sleep 600";
        let mut session = Session::script(
            "bash",
            &format!("for i in 1 2; do {line} sh -c '{program}'; done; echo went on"),
        );
        session.until("ready");
        session.press(INTERRUPT);
        let (heard, status) = session.end();
        assert_eq!((heard.contains("went on"), code(status)), (false, 130), "{heard}");
    });
}

/// A key would have interrupted the shell, too.
#[rstest]
#[case::of_the_program("--pgroup 0", "kill -INT $$", "")]
#[case::forwarded("--pgroup 0 --foreground 0", "(kill -INT $PPID); exec sleep 600", "")]
#[case::on_a_terminal_without_keys("--pty", "kill -INT $$", "</dev/null")]
fn interrupt_by_a_process_does_not_reach_the_shell(
    #[case] options: &str,
    #[case] program: &str,
    #[case] input: &str,
) {
    isolated_for(LIMIT, || {
        let line = OURS.line().expect("it is there");
        let mut session = Session::script(
            "sh",
            &format!("trap \"echo hit\" INT; {line} {options} sh -c '{program}' {input}; echo code=$?"),
        );
        session.until("code=130");
        let (heard, _) = session.end();
        assert!(!heard.contains("hit"), "{heard}");
    });
}

/// The kernel signals only the leader of the session.
#[rstest]
#[case::forkexec(OURS)]
#[case::forkexec_with_a_tree(TREE)]
#[case::tini(Wrapper(&["tini", "-s", "--"]))]
fn hangup_reaches_the_program(#[case] wrapper: Wrapper) {
    isolated_for(LIMIT, || {
        let directory = TempDir::new().expect("a directory can be made");
        let said = directory.path().join("said");
        let script = format!(
            "trap 'kill $!; echo hup > {}; exit 3' HUP; echo ready; sleep 600 & wait; wait",
            said.display()
        );
        let Some(command) = wrapper.around(&script) else { return };
        let mut session = Session::start(command);
        session.until("ready");
        let status = session.hang_up();
        assert_eq!(code(status), 3);
        assert_eq!(fs::read_to_string(said).expect("it was written"), "hup\n");
    });
}

/// Faults: C6
#[rstest]
#[case::program(&["--timeout", "1"])]
#[case::tree(&["--timeout", "1", "--kill-tree"])]
fn stopped_job_does_not_exceed_its_time(#[case] options: &[&str]) {
    isolated_for(LIMIT, || {
        let line = [&[env!("CARGO_BIN_EXE_forkexec"), "run"], options].concat().join(" ");
        let program = "trap \"echo told; exit 3\" TERM; kill -STOP $$; sleep 600 & wait";
        let shell = format!("set -m; {line} sh -c '{program}'; echo first=$?; read x; echo over");
        let started = Instant::now();
        let mut session = Session::script("sh", &shell);
        session.until("first=148");
        session.until("told");
        assert!(started.elapsed() < Duration::from_secs(9), "it was killed after the grace");
        session.press("\n");
        session.until("over");
        session.end();
    });
}
