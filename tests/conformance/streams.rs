//! Standard streams: merged, with a capacity, and out of non-blocking mode.

use crate::start::{memory_file, probe, report};
use forkexec::{BorrowingCommand, Command, Error, InputError, Pipeline, Stage, Stdio};
use forkexec_tests::isolate::isolated;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use rstest::rstest;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

/// Writes to both streams in turn.
const IN_TURN: &str = "echo 1; echo 2 >&2; echo 3; echo 4 >&2";
const ORDERED: &str = "1\n2\n3\n4\n";

fn in_turn() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", IN_TURN]).stderr_to_stdout();
    command
}

#[test]
fn merged_output_is_captured_in_order() {
    let output = in_turn().output().expect("it starts");
    assert_eq!((output.stdout, output.stderr), (ORDERED.into(), Vec::new()));
}

#[test]
fn merged_stream_has_no_pipe_of_its_own() {
    let mut child = in_turn().stdout(Stdio::piped()).spawn().expect("it starts");
    assert!(child.stderr.is_none());
    let mut text = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut text).expect("it ends");
    assert_eq!(text, ORDERED);
    assert!(child.wait().expect("it ends").success());
}

#[rstest]
#[case::of_a_stream(|command: &mut Command, file: File| { command.stdout(file); })]
#[case::of_a_mapping(|command: &mut Command, file: File| { command.fd(1, file); })]
fn merged_stream_shares_the_offset(#[case] set: fn(&mut Command, File)) {
    let mut file = tempfile::NamedTempFile::new().expect("a file can be made");
    let mut command = in_turn();
    set(&mut command, file.reopen().expect("it can be opened"));
    assert!(command.status().expect("it starts").success());
    let mut text = String::new();
    file.read_to_string(&mut text).expect("it is text");
    assert_eq!(text, ORDERED);
}

/// The child sees the same file on both.
#[rstest]
#[case::null(Stdio::null)]
#[case::inherited(Stdio::inherit)]
fn merged_stream_follows(#[case] stdout: fn() -> Stdio) {
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec 8>&1 9>&2; for fd in 8 9; do readlink /proc/$$/fd/$fd; done >&7"])
        .stdout(stdout())
        .stderr_to_stdout();
    command.fd(7, file.reopen().expect("it can be opened"));
    assert!(command.status().expect("it starts").success());
    let text = fs::read_to_string(file.path()).expect("it is text");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0] == lines[1], "{text}");
}

#[test]
fn merged_stream_of_a_closed_one_is_closed() {
    let mut command = Command::new("sh");
    command.args(["-c", "test ! -e /dev/fd/1 && test ! -e /dev/fd/2"]);
    assert!(command.stdout(Stdio::closed()).stderr_to_stdout().status().expect("it starts").success());
}

#[test]
fn merged_stream_has_the_descriptors_of_any_child() {
    let seen = report(probe(&[]).stderr_to_stdout().fd(7, memory_file()));
    assert_eq!(seen.fds, [0, 1, 2, 7]);
}

#[test]
fn later_stream_replaces_a_merged_one() {
    let output = in_turn().stderr(Stdio::null()).output().expect("it starts");
    assert_eq!(output.stdout, b"1\n3\n");
}

#[test]
fn mapping_to_a_merged_stream_is_refused() {
    let error = in_turn().fd(2, memory_file()).spawn().expect_err("two claim 2");
    assert!(matches!(error, Error::Input(InputError::ClaimedTwice { target: 2 })), "{error}");
}

/// As `|&` of a shell: what the first command writes to standard error is input of the second.
#[test]
fn merged_command_of_a_pipeline_feeds_both() {
    let output = Pipeline::new(in_turn()).pipe(Command::new("cat")).output().expect("it starts");
    assert_eq!((output.stdout, output.stderr), (ORDERED.into(), Vec::new()));
}

/// As `{ a | b; } 2>&1` of a shell.
#[rstest]
#[case::captured(None)]
#[case::piped(Some(Stdio::piped as fn() -> Stdio))]
fn merged_pipeline_has_one_output(#[case] stdout: Option<fn() -> Stdio>) {
    isolated(move || {
        let shell = |script| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let pipeline = Pipeline::new(shell("echo one >&2; echo two")).pipe(shell("cat; echo three >&2"));
        let pipeline = pipeline.stderr_to_stdout();
        let text = match stdout {
            None => pipeline.output().expect("it starts").stdout,
            Some(stdout) => {
                let children = pipeline.stdout(stdout()).spawn().expect("it starts");
                assert!(children.stderr.is_none());
                children.wait_with_output().expect("it ends").stdout
            }
        };
        assert_eq!(text, b"one\ntwo\nthree\n");
    });
}

#[test]
fn merged_pipeline_refuses_a_pipe_of_the_last_command() {
    let mut last = Command::new("cat");
    let pipeline = Pipeline::new(Command::new("true")).pipe(last.stdout(Stdio::piped())).stderr_to_stdout();
    let error = pipeline.spawn().expect_err("they contradict each other");
    assert!(error.to_string().contains("output"), "{error}");
}

#[test]
fn pipe_has_the_capacity_that_was_asked_for() {
    let bytes = 131_072;
    let mut command = Command::new("true");
    command.stdout(Stdio::piped_with_capacity(bytes)).stdin(Stdio::piped_with_capacity(1));
    let mut child = command.spawn().expect("it starts");
    let capacity = |pipe: &dyn AsFd| fcntl(pipe.as_fd(), FcntlArg::F_GETPIPE_SZ).expect("it is a pipe");
    assert_eq!(capacity(child.stdout.as_ref().expect("it is piped")), 131_072);
    assert_eq!(capacity(child.stdin.as_ref().expect("it is piped")), 4096, "one page");
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn capacity_that_the_kernel_refuses_is_an_error() {
    let mut command = Command::new("true");
    let error = command.stdout(Stdio::piped_with_capacity(usize::MAX)).spawn().expect_err("it is too large");
    let failure = error.as_spawn().expect("a call failed");
    assert_eq!((failure.stage(), failure.errno().raw()), (Stage::Setup, libc::EINVAL), "{error}");
    assert!(error.to_string().starts_with("cannot set the capacity of a pipe: "), "{error}");
}

fn is_nonblocking(fd: &impl AsFd) -> bool {
    let flags = fcntl(fd, FcntlArg::F_GETFL).expect("it is open");
    OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK)
}

/// Each way to hand over a descriptor.
#[rstest]
#[case::stream(|command: &mut Command, fd: UnixStream| { command.stdin(fd); })]
#[case::mapping(|command: &mut Command, fd: UnixStream| { command.fd(9, fd); })]
#[case::kept(|command: &mut Command, fd: UnixStream| { command.keep_fd(fd); })]
fn nonblocking_mode_is_cleared_if_asked(#[case] set: fn(&mut Command, UnixStream)) {
    let (_ours, theirs) = UnixStream::pair().expect("a pair can be made");
    theirs.set_nonblocking(true).expect("it can be set");
    let mine = theirs.try_clone().expect("it can be duplicated");
    let number = theirs.as_raw_fd();
    let mut command = Command::new("true");
    set(&mut command, theirs);
    assert_eq!(command.nonblocking_fds(), [number]);

    assert!(command.status().expect("it starts").success());
    assert!(is_nonblocking(&mine), "nothing asks for it");

    assert!(command.clear_nonblocking().status().expect("it starts").success());
    assert!(!is_nonblocking(&mine));
    assert!(command.nonblocking_fds().is_empty());
}

/// The parent's own stream is not handed over if the child has `/dev/null` or a pipe.
#[test]
fn nonblocking_mode_of_a_stream_that_stays_is_kept() {
    isolated(|| {
        let (_ours, theirs) = UnixStream::pair().expect("a pair can be made");
        theirs.set_nonblocking(true).expect("it can be set");
        let saved = std::io::stdin().as_fd().try_clone_to_owned().expect("it can be duplicated");
        nix::unistd::dup2_stdin(&theirs).expect("it can be placed");
        let mut command = BorrowingCommand::new("true");
        command.clear_nonblocking().stdin(Stdio::null());
        assert!(command.status().expect("it starts").success());
        assert!(is_nonblocking(&theirs));
        assert!(command.stdin(Stdio::inherit()).status().expect("it starts").success());
        assert!(!is_nonblocking(&theirs));
        nix::unistd::dup2_stdin(&saved).expect("it can be placed");
    });
}
