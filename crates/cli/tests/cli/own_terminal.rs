//! `run --pty`: the program's own terminal, with and without a user at the other end.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use forkexec_tests::isolate::{isolated_for, skip};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use tempfile::TempDir;

use crate::pty::{INTERRUPT, SUSPEND, Session, code};
use crate::{answer, forkexec, text};

const LIMIT: Duration = Duration::from_secs(120);

/// The words of a shell that start a program on its own terminal.
fn line() -> String {
    format!("{} run --pty", env!("CARGO_BIN_EXE_forkexec"))
}

/// Runs a script on its own terminal, with this input, and returns the exit code and the output.
fn run(options: &[&str], script: &str, input: &[u8]) -> (i32, String) {
    let mut command = forkexec(&["run", "--pty"]);
    command.args(options).args(["--", "sh", "-c", script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let input = input.to_vec();
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("it was not waited for");
    writer.join().expect("it does not panic");
    (code(output.status), text(&output.stdout))
}

#[test]
fn program_in_a_pipe_is_on_a_terminal() {
    isolated_for(LIMIT, || {
        let script = "test -t 0 && test -t 1 && test -t 2 && echo all; stty size; \
            set -- $(cat /proc/$$/stat); test $5 = $1 && test $6 = $1 && test $8 = $1 && echo leads; \
            for fd in /proc/$$/fd/*; do echo ${fd##*/}; done";
        let (code, said) = run(&[], script, b"");
        // The last one is of the shell, which opened the list.
        let lines: Vec<_> = said.lines().take(6).collect();
        assert_eq!((code, lines), (0, vec!["all", "24 80", "leads", "0", "1", "2"]), "{said}");
        assert!(!said.contains('\r'), "line ends stay");
    });
}

#[rstest]
#[case::code("exit 7", 7)]
#[case::signal("kill -TERM $$", 143)]
#[case::not_found("exec /no/such", 127)]
fn exit_status_is_that_of_the_program(#[case] script: &str, #[case] expected: i32) {
    isolated_for(LIMIT, || assert_eq!(run(&[], script, b"").0, expected));
}

#[test]
fn program_that_does_not_start_is_an_error() {
    let (code, stdout, stderr) = answer(&["run", "--pty", "/no/such"]);
    assert_eq!((code, stdout.as_str()), (Some(127), ""));
    assert!(stderr.starts_with("forkexec: run: cannot execute \"/no/such\": "), "{stderr}");
}

/// The end of the input is the key for end of file, twice after a line that has no end.
#[rstest]
#[case::lines("a\nb\n")]
#[case::line_without_an_end("a\nb")]
#[case::nothing("")]
fn end_of_input_reaches_the_program(#[case] input: &str) {
    isolated_for(LIMIT, || {
        assert_eq!(run(&[], "cat; echo end", input.as_bytes()), (0, input.to_owned() + "end\n"));
    });
}

/// Nothing is mapped at address 0.
#[test]
fn input_that_cannot_be_read_ends() {
    isolated_for(LIMIT, || {
        let mut command = forkexec(&["run", "--pty", "--", "cat"]);
        command.stdin(File::open("/proc/self/mem").expect("it is ours"));
        let output = command.output().expect("it starts");
        assert_eq!((code(output.status), text(&output.stdout)), (0, String::new()));
    });
}

#[test]
fn input_and_output_of_any_size_are_copied() {
    isolated_for(LIMIT, || {
        let input: String = (0..100_000).flat_map(|number| [number.to_string(), "\n".into()]).collect();
        let (code, output) = run(&[], "cat", input.as_bytes());
        assert_eq!(code, 0);
        assert!(output == input, "{} of {} bytes", output.len(), input.len());
    });
}

/// A slow reader does not make it lose the end.
#[test]
fn output_is_copied_to_its_end() {
    isolated_for(LIMIT, || {
        for _ in 0..20 {
            let mut command = forkexec(&["run", "--pty", "--", "seq", "20000"]);
            let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
            thread::sleep(Duration::from_millis(20));
            let mut output = String::new();
            child.stdout.take().expect("it is a pipe").read_to_string(&mut output).expect("it is text");
            assert_eq!((output.lines().count(), output.lines().last()), (20_000, Some("20000")));
            assert!(child.wait().expect("it was not waited for").success());
        }
    });
}

/// Starts a program with that much output. It has ended when this returns, and one byte of the output was read.
fn with_output_left(count: usize) -> (Child, ChildStdout) {
    let script = format!("head -c {count} /dev/zero | tr '\\0' x");
    let mut command = forkexec(&["run", "--pty", "--", "sh", "-c", &script]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut output = child.stdout.take().expect("it is a pipe");
    output.read_exact(&mut [0]).expect("the program runs");
    let pid = child.id();
    let children = || fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it runs");
    while !children().is_empty() {
        thread::yield_now();
    }
    (child, output)
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("it is a pid"))
}

/// A shell continues a job that runs, too. Such a signal may arrive when the program has already ended.
///
/// Faults: C13
#[rstest]
#[case::continued(Signal::SIGCONT)]
#[case::resized(Signal::SIGWINCH)]
#[case::urgent(Signal::SIGURG)]
#[case::stop(Signal::SIGTSTP)]
fn output_is_complete_whatever_signal_arrives_at_its_end(#[case] signal: Signal) {
    // More than a pipe holds, so that the copying waits for its reader. The rest fits into the terminal's buffer.
    const COUNT: usize = 65_536 + 2_000;
    isolated_for(LIMIT, || {
        let (mut child, mut output) = with_output_left(COUNT);
        let wrapper = pid(&child);
        let mut said = vec![b'x'];
        kill(wrapper, signal).expect("it is ours");
        thread::sleep(Duration::from_millis(50));
        // For the one that the signal stops.
        kill(wrapper, Signal::SIGCONT).expect("it is ours");
        output.read_to_end(&mut said).expect("it can be read");
        assert_eq!((said.len(), code(child.wait().expect("it ends"))), (COUNT, 0));
    });
}

/// The reader of the output may not read on.
#[test]
fn signal_that_ends_a_program_ends_the_copying() {
    isolated_for(LIMIT, || {
        let (mut child, _unread) = with_output_left(70_000);
        kill(pid(&child), Signal::SIGTERM).expect("it is ours");
        assert_eq!(code(child.wait().expect("it ends")), 0, "the program had ended");
    });
}

#[test]
fn lost_output_hangs_the_terminal_up() {
    isolated_for(LIMIT, || {
        let script = format!("({} -- yes </dev/null; echo $? >&2) | head -1", line());
        let output = Command::new("sh").args(["-c", &script]).output().expect("it starts");
        assert_eq!((text(&output.stdout), text(&output.stderr)), ("y\n".into(), "129\n".into()));
    });
}

/// A process in the background does not keep the wrapper, and gets a hang-up.
#[test]
fn terminal_hangs_up_when_the_program_ends() {
    isolated_for(LIMIT, || {
        let started = Instant::now();
        let directory = TempDir::new().expect("a directory can be made");
        let said = directory.path().join("said").display().to_string();
        let background = format!("(trap 'echo hup > {said}; exit' HUP; sleep 100 & wait)");
        let (code, output) = run(&[], &format!("{background} & echo done; sleep 0.2"), b"");
        assert_eq!((code, output.as_str()), (0, "done\n"));
        assert!(started.elapsed() < Duration::from_secs(50), "it waited for the background");
        let end = Instant::now() + Duration::from_secs(50);
        while fs::read_to_string(&said).map_or(true, |said| said != "hup\n") {
            assert!(Instant::now() < end, "there was no hang-up");
            thread::sleep(Duration::from_millis(10));
        }
    });
}

#[test]
fn streams_that_options_set_are_not_on_the_terminal() {
    isolated_for(LIMIT, || {
        let directory = TempDir::new().expect("a directory can be made");
        let file = directory.path().join("errors");
        let option = format!("file:{}", file.display());
        let script = "test -t 0; echo $?; test -t 1; echo $?; echo problem >&2";
        let (code, said) = run(&["--stdin", "null", "--stderr", &option], script, b"unread\n");
        assert_eq!((code, said.as_str()), (0, "1\n0\n"));
        assert_eq!(fs::read_to_string(file).expect("it was written"), "problem\n");
        // Both are the terminal.
        assert_eq!(run(&["--stderr", "stdout"], "echo a; echo b >&2; test -t 2", b""), (0, "a\nb\n".into()));
    });
}

/// It has no foreground that this process could wait for.
///
/// Faults: C15
#[test]
fn input_can_be_the_controller_end_of_another_terminal() {
    isolated_for(LIMIT, || {
        let other = openpty(None, None).expect("there is a pseudo-terminal");
        let mut command = forkexec(&["run", "--pty", "--", "head", "-n", "1"]);
        let child = command.stdin(other.master).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut user = File::from(other.slave);
        user.write_all(b"typed\n").expect("it is open");
        let output = child.wait_with_output().expect("it was not waited for");
        assert!(text(&output.stdout).starts_with("typed"), "{output:?}");
    });
}

/// Otherwise the next program would not get what this one has not read.
#[test]
fn input_is_left_for_others_if_the_program_reads_another() {
    isolated_for(LIMIT, || {
        let script = format!("{} --stdin null -- sleep 0.2; cat", line());
        let mut shell = Command::new("sh");
        let mut shell = shell
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        shell.stdin.take().expect("it is a pipe").write_all(b"unread\n").expect("it is open");
        assert_eq!(text(&shell.wait_with_output().expect("it was not waited for").stdout), "unread\n");
    });
}

#[rstest]
#[case::session("--setsid")]
#[case::group("--pgroup=0")]
#[case::foreground("--foreground=0")]
fn pty_excludes_options_about_sessions(#[case] option: &str) {
    let (code, _, stderr) = answer(&["run", "--pty", option, "true"]);
    assert!(code == Some(125) && stderr.contains("--pty"), "{stderr}");
}

#[test]
fn pty_without_a_descriptor_is_an_error() {
    let mut command = forkexec(&["run", "--limit", "nofile=4", "--", env!("CARGO_BIN_EXE_forkexec")]);
    let output = command.args(["run", "--pty", "true"]).stdin(Stdio::null()).output().expect("it starts");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(125));
    assert!(said.starts_with("forkexec: run: --pty: cannot open "), "{said}");
    assert!(said.trim_end().ends_with("(os error 24)"), "{said}");
}

/// Starts a shell that prints the modes of its terminal before and after the program.
fn around(options: &str, program: &str) -> Session {
    let line = line();
    Session::script(
        "sh",
        &format!(
            "echo before=$(stty -g)=; {line} {options} sh -c '{program}'; echo code=$?; echo after=$(stty -g)="
        ),
    )
}

/// Reads the end of what [`around`] prints, and compares the modes.
fn assert_restored(mut session: Session, before: &str, code: i32) {
    session.until(&format!("code={code}\r\n"));
    session.until("after=");
    assert_eq!(session.up_to("="), before);
    session.end();
}

fn before(session: &mut Session) -> String {
    session.until("before=");
    session.up_to("=")
}

#[test]
fn keys_reach_the_program_through_its_terminal() {
    isolated_for(LIMIT, || {
        let program = "stty -a | grep -q onlcr && echo as-outside; trap \"echo hit\" INT; echo ready; \
            until read x; do :; done; echo got=$x; stty raw; echo; echo off; exit 4";
        let mut session = around("", program);
        let modes = before(&mut session);
        session.until("as-outside\r\n");
        session.until("ready\r\n");
        session.press(INTERRUPT);
        session.until("^Chit\r\n");
        session.press("one\n");
        // One echo: that of the inner terminal.
        assert_eq!(session.up_to("got=one"), "one\r\n");
        session.until("off\n");
        assert_restored(session, &modes, 4);
    });
}

#[rstest]
#[case::forwarded_signal("TERM", 143)]
#[case::hangup("HUP", 129)]
#[case::quit("QUIT", 131)]
fn modes_are_restored_after_a_forwarded_signal(#[case] signal: &str, #[case] expected: i32) {
    isolated_for(LIMIT, || {
        let mut session = around("", "echo of=$PPID=; exec sleep 600");
        let modes = before(&mut session);
        session.until("of=");
        let wrapper = session.up_to("=");
        let sent = Command::new("kill").args([format!("-{signal}"), wrapper]).status();
        assert!(sent.expect("it starts").success());
        assert_restored(session, &modes, expected);
    });
}

#[test]
fn modes_are_restored_when_time_is_over() {
    isolated_for(LIMIT, || {
        let mut session = around("--timeout 0.3 --kill-tree", "sleep 600 & sleep 600");
        let modes = before(&mut session);
        assert_restored(session, &modes, 124);
    });
}

#[test]
fn size_of_the_calling_terminal_is_followed() {
    isolated_for(LIMIT, || {
        let mut session = Session::script(
            "sh",
            &format!(
                "stty rows 30 cols 90; {} sh -c 'stty size; trap \"stty size; exit\" WINCH; echo ready; while :; do sleep 0.05; done'",
                line()
            ),
        );
        session.until("30 90\r\n");
        session.until("ready");
        session.resize(40, 120);
        session.until("40 120\r\n");
        assert_eq!(code(session.end().1), 0);
    });
}

/// The kernel sends this signal for a new size. A process may mean something else by it.
#[test]
fn signal_of_a_new_size_is_forwarded_if_a_process_sent_it() {
    isolated_for(LIMIT, || {
        let script = "trap 'exit 9' WINCH; (kill -WINCH $PPID); for _ in $(seq 600); do sleep 0.05; done";
        assert_eq!(run(&[], script, b"").0, 9);
    });
}

/// In a session of its own, the kernel discards the signal of the key, but not `SIGSTOP`, by which a program stops itself.
#[test]
fn wrapper_stops_with_the_program_and_is_raw_again() {
    isolated_for(LIMIT, || {
        let program = "trap \"echo hit; kill -STOP \\$\\$\" TSTP; echo ready; \
            while :; do read x && break; done; echo got=$x";
        let mut session = Session::script(
            "sh",
            &format!(
                "set -m; echo before=$(stty -g)=; {} sh -c '{program}'; echo first=$?; echo between=$(stty -g)=; \
                 read y; echo shell=$y; fg; echo then=$?; echo after=$(stty -g)=",
                line()
            ),
        );
        let modes = before(&mut session);
        session.until("ready");
        session.press(SUSPEND);
        session.until("hit");
        session.until("first=148");
        session.until("between=");
        assert_eq!(session.up_to("="), modes);
        session.press("one\n");
        session.until("shell=one");
        session.press("two\n");
        session.until("got=two");
        session.until("then=0");
        session.until("after=");
        assert_eq!(session.up_to("="), modes);
        session.end();
    });
}

/// The shell sets its own modes meanwhile. The signal cannot be handled, so the wrapper has restored none.
#[test]
fn wrapper_that_was_stopped_alone_is_raw_again() {
    isolated_for(LIMIT, || {
        let program = "echo ready; read x; trap \"echo continued\" CONT; kill -STOP $PPID; \
            until read x; do :; done; echo got=$x";
        let script = format!(
            "set -m; modes=$(stty -g); {} sh -c '{program}'; echo first=$?; stty $modes; fg; echo then=$?",
            line()
        );
        let mut session = Session::script("sh", &script);
        session.until("ready");
        session.press("zero\n");
        session.until("first=147");
        session.until("continued\r\n");
        session.press("one\n");
        // One echo: that of the inner terminal.
        assert_eq!(session.up_to("got=one"), "one\r\n");
        session.until("then=0");
        session.end();
    });
}

/// In a pipe, the calling terminal keeps its keys: they are about the whole job.
#[test]
fn suspend_key_stops_a_job_with_a_pipe() {
    isolated_for(LIMIT, || {
        let program = "echo ready; read x; echo got=$x";
        let mut session = Session::script(
            "sh",
            &format!("set -m; {} sh -c '{program}' | cat; echo first=$?; fg; echo then=$?", line()),
        );
        session.until("ready\r\n");
        session.press(SUSPEND);
        session.until("first=148");
        session.until("| cat");
        session.press("two\n");
        // The calling terminal echoes, and the inner one does not.
        assert_eq!(session.up_to("got=two\r\n"), "\r\ntwo\r\n");
        session.until("then=0");
        session.end();
    });
}

/// More than the outer terminal holds is on its way when the program stops, and the reader of that terminal is slow.
#[test]
fn wrapper_stops_after_the_output_of_the_program() {
    isolated_for(LIMIT, || {
        let program = "head -c 100000 /dev/zero | tr \"\\\\0\" x; echo end; kill -STOP $$";
        let mut session =
            Session::script("sh", &format!("set -m; {} sh -c '{program}'; echo first=$?; fg", line()));
        thread::sleep(Duration::from_millis(300));
        assert!(session.up_to("first=148").contains("end"), "it stopped before");
        session.end();
    });
}

#[test]
fn background_job_runs_and_reads_in_the_foreground() {
    isolated_for(LIMIT, || {
        let program = "echo started; read x; echo got=$x";
        let mut session = Session::script(
            "sh",
            &format!(
                "set -m; stty tostop; echo before=$(stty -g)=; {} sh -c '{program}' & read y; echo shell=$y; fg; echo then=$?; echo after=$(stty -g)=",
                line()
            ),
        );
        let modes = before(&mut session);
        session.until("started");
        session.press("one\n");
        session.until("shell=one");
        session.press("two\n");
        session.until("got=two");
        session.until("then=0");
        session.until("after=");
        assert_eq!(session.up_to("="), modes);
        session.end();
    });
}

/// bash sends no signal to a job that runs.
#[test]
fn running_job_is_raw_when_it_comes_to_the_foreground() {
    isolated_for(LIMIT, || {
        if !std::path::Path::new("/bin/bash").exists() {
            return skip("there is no bash");
        }
        let program = "echo started; until stty -a <&3 | grep -q -e -icanon; do sleep 0.1; done";
        let script =
            format!("set -m; exec 3<&0; {} --keep 3 sh -c '{program}' & read x; fg; echo then=$?", line());
        let mut session = Session::script("bash", &script);
        session.until("started");
        session.press("\n");
        session.until("then=0");
        session.end();
    });
}

#[test]
fn interrupt_through_the_terminal_ends_the_script() {
    isolated_for(LIMIT, || {
        if !std::path::Path::new("/bin/bash").exists() {
            return skip("there is no bash");
        }
        let script =
            format!("for i in 1 2; do {} sh -c 'echo ready; exec sleep 600'; done; echo went on", line());
        let mut session = Session::script("bash", &script);
        session.until("ready");
        session.press(INTERRUPT);
        let (heard, status) = session.end();
        assert_eq!((heard.contains("went on"), code(status)), (false, 130), "{heard}");
    });
}

#[test]
fn hangup_of_the_calling_terminal_reaches_the_program() {
    isolated_for(LIMIT, || {
        let directory = TempDir::new().expect("a directory can be made");
        let said = directory.path().join("said");
        let script = format!(
            "trap 'echo hup > {}; kill $!; exit 3' HUP; echo ready; sleep 600 & wait",
            said.display()
        );
        let mut command = forkexec(&["run", "--pty", "--", "sh", "-c"]);
        command.arg(script);
        let mut session = Session::start(command);
        session.until("ready");
        assert_eq!(code(session.hang_up()), 3);
        assert_eq!(fs::read_to_string(said).expect("it was written"), "hup\n");
    });
}
