//! Copies of commands, and the ways to hand over a descriptor.

use crate::start::{memory_file, probe, report};
use forkexec::{BorrowingCommand, Command, Pipeline, Stdio};
use forkexec_tests::isolate::isolated;
use rstest::rstest;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

#[test]
fn copy_has_all_settings_and_changes_apart() {
    let mut first = Command::new("sh");
    first.args(["-c", "echo $0 $A; pwd", "one"]).env("A", "1").current_dir("/").fd(7, memory_file());
    let mut second = first.clone();
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    second.env("A", "2").current_dir("/dev");
    assert_eq!(first.output().expect("it starts").stdout, b"one 1\n/\n");
    assert_eq!(second.output().expect("it starts").stdout, b"one 2\n/dev\n");
}

/// The copy has no descriptor of its own: one number in the parent serves both, and stays open for the one that is left.
#[test]
fn copies_share_an_open_file() {
    let count = || fs::read_dir("/proc/self/fd").expect("it is there").count();
    isolated(move || {
        // The first start reserves low numbers.
        assert_eq!(report(&mut probe(&[])).fds, [0, 1, 2]);
        let mut first = probe(&[]);
        first.fd(7, memory_file()).stdin(memory_file());
        let before = count();
        let mut second = first.clone();
        assert_eq!(count(), before);
        drop(first);
        assert_eq!(report(&mut second).fds, [0, 1, 2, 7]);
        drop(second);
        assert_eq!(count(), before - 2);
    });
}

/// The last end of the pipe is closed when the last copy is dropped.
#[test]
fn end_of_a_pipe_lives_as_long_as_a_copy() {
    isolated(|| {
        let (mut reader, writer) = std::io::pipe().expect("a pipe can be made");
        let mut command = Command::new("sh");
        command.args(["-c", "echo x >&7"]).fd(7, writer);
        let mut copy = command.clone();
        assert!(command.status().expect("it starts").success());
        drop(command);
        assert!(copy.status().expect("it starts").success());
        drop(copy);
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it ends");
        assert_eq!(text, "x\nx\n");
    });
}

#[rstest]
#[case::arc(|file: File| Stdio::from(Arc::new(OwnedFd::from(file))))]
#[case::raw(|file: File| {
    // SAFETY: the file gives up its descriptor here, and nothing else owns it.
    unsafe { Stdio::from_raw_fd(file.into_raw_fd()) }
})]
#[case::os_pipe(|_: File| {
    let (reader, writer) = os_pipe::pipe().expect("a pipe can be made");
    drop(writer);
    Stdio::from(reader)
})]
fn stream_can_be_made_from(#[case] make: fn(File) -> Stdio) {
    let mut command = Command::new("cat");
    let output = command.stdin(make(memory_file())).output().expect("it starts");
    assert!(output.status.success() && output.stdout.is_empty());
}

#[test]
fn one_stream_serves_two_numbers() {
    let file = tempfile::tempfile().expect("a file can be made");
    let log = Stdio::from(file.try_clone().expect("it can be duplicated"));
    let mut command = Command::new("sh");
    command.args(["-c", "echo out; echo err >&2"]).stdout(log.clone()).stderr(log);
    assert!(command.status().expect("it starts").success());
    let text = fs::read_to_string(format!("/proc/self/fd/{}", file.as_raw_fd())).expect("it is readable");
    assert_eq!(text, "out\nerr\n", "the two share one offset");
}

#[test]
fn descriptor_can_be_shared_by_an_arc() {
    let file = Arc::new(OwnedFd::from(memory_file()));
    let mut command = probe(&[]);
    command.fd(7, Arc::clone(&file)).fd(8, file);
    assert_eq!(report(&mut command).fds, [0, 1, 2, 7, 8]);
}

#[test]
fn pipeline_of_copies_outlives_its_commands() {
    fn pipeline() -> Pipeline {
        let mut first = Command::new("printf");
        let mut second = Command::new("tr");
        Pipeline::new(first.arg("abc")).pipe(second.args(["a-z", "A-Z"]))
    }
    assert_eq!(pipeline().output().expect("it starts").stdout, b"ABC");
}

#[test]
fn iterators_know_their_length_and_print_a_list() {
    let mut command = Command::new("ls");
    command.args::<[&str; 2], &str>(["-l", "/"]).env::<&str, &str>("A", "1").env_remove::<&str>("B");
    assert_eq!((command.get_args().len(), command.get_envs().len()), (2, 2));
    assert_eq!(format!("{:?}", command.get_args()), r#"["-l", "/"]"#);
    assert_eq!(format!("{:?}", command.get_envs()), r#"[("A", Some("1")), ("B", None)]"#);
}

#[test]
fn directory_can_be_read_back_if_it_is_a_path() {
    let mut command = Command::new("ls");
    assert_eq!(command.get_current_dir(), None);
    assert_eq!(command.current_dir("/bin").get_current_dir(), Some(Path::new("/bin")));
    let directory = File::open("/").expect("it is there");
    assert_eq!(command.current_dir_fd(directory).get_current_dir(), None);
}

/// A function may return a command, take one, and hold one in a field, without naming a lifetime.
#[test]
fn owned_command_needs_no_lifetime() {
    struct Job {
        command: Command,
    }
    impl From<&Command> for Job {
        fn from(command: &Command) -> Self {
            Self { command: command.clone() }
        }
    }
    fn borrows(command: &mut BorrowingCommand<'_>) -> bool {
        command.status().is_ok_and(|status| status.success())
    }
    let mut job = Job::from(&Command::new("true"));
    assert!(borrows(&mut job.command));
}
