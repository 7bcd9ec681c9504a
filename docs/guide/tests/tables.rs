//! The tables and the differences of the migration chapters, beside the libraries that they name.
//!
//! If one of these tests fails, the other library has changed, and its chapter with it.

#![cfg(target_os = "linux")]

use command_fds::{CommandFdExt, FdMapping};
use duct::cmd;
use forkexec::{BorrowingCommand, Command, Error, InputError, Pipeline, PipelineStatus, Stdio};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, process};
use subprocess::{Exec, Redirection};

/// Prints the file that is standard input.
const STDIN: [&str; 2] = ["readlink", "/proc/self/fd/0"];

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("the program prints text").trim_end().to_owned()
}

fn own_stdin() -> String {
    fs::read_link("/proc/self/fd/0").expect("standard input is open").to_string_lossy().into_owned()
}

macro_rules! shell {
    ($script:expr) => {{
        let mut command = Command::new("sh");
        command.args(["-c", $script]);
        command
    }};
}

fn runs(pid: u32) -> bool {
    kill(Pid::from_raw(i32::try_from(pid).expect("a process id")), None).is_ok()
}

fn pipeline(scripts: [&str; 3]) -> PipelineStatus {
    let [first, second, third] = scripts.map(|script| shell!(script));
    Pipeline::new(first).pipe(second).pipe(third).status().expect("sh can be started")
}

/// Runs the methods that std and forkexec have in common. Returns the output, and the line that shows a command.
macro_rules! methods_of_std {
    ($library:ident) => {{
        use $library::{Command, Stdio};
        let directory = Path::new("/");
        let mut command = Command::new("sh");
        command.arg("-c").args(["echo $0 $A $B $C $PWD; cat; exec kill -9 $$", "zero"]).arg0("shell");
        command.env("A", "1").envs([("B", "2"), ("C", "3")]).env_remove("C").current_dir(directory);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).process_group(0);
        assert_eq!((command.get_program(), command.get_args().len()), ("sh".as_ref(), 3));
        assert_eq!((command.get_envs().count(), command.get_current_dir()), (3, Some(directory)));

        let child = command.spawn().unwrap();
        assert!(child.id() > 0 && child.stdin.is_none() && child.stdout.is_some());
        let output = child.wait_with_output().unwrap();
        assert_eq!(command.status().unwrap().signal(), Some(9));
        let file = File::open("/etc/hosts").unwrap();
        let read =
            Command::new("cat").stdin(Stdio::from(file)).env_clear().env("PATH", "/bin").output().unwrap();
        assert_eq!(read.stdout, fs::read("/etc/hosts").unwrap());

        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        let line =
            format!("{:?}", Command::new("ls").arg("a b").env("A", "1").env_remove("B").current_dir("/"));
        (output, line)
    }};
}

#[test]
fn std_methods_do_the_same() {
    let theirs = {
        use std::os::unix::process::CommandExt;
        methods_of_std!(process)
    };
    assert_eq!(methods_of_std!(forkexec), theirs);
    assert_eq!(theirs.0.stdout, b"zero 1 2 /\n");
}

#[test]
fn duct_status_of_a_pipeline_is_pipefail() {
    for scripts in [
        ["exit 0"; 3],
        ["exit 1", "exit 0", "exit 0"],
        ["exit 1", "exit 2", "exit 0"],
        ["exit 0", "exit 0", "exit 3"],
    ] {
        let [first, second, third] = scripts.map(|script| cmd!("sh", "-c", script));
        let theirs = first.pipe(second).pipe(third).unchecked().run().unwrap().status;
        assert_eq!(pipeline(scripts).pipefail().code(), theirs.code(), "{scripts:?}");
    }
}

#[test]
fn duct_full_env_is_env_clear_and_envs() {
    let theirs = cmd!("/usr/bin/env").full_env([("A", "1")]).read().unwrap();
    let ours = Command::new("/usr/bin/env").env_clear().envs([("A", "1")]).output().unwrap();
    assert_eq!(text(ours.stdout), theirs);
}

#[test]
fn duct_read_inherits_standard_input_and_output_does_not() {
    assert_eq!(cmd(STDIN[0], &STDIN[1..]).read().unwrap(), own_stdin());
    let ours = || Command::new(STDIN[0]).arg(STDIN[1]).stdout(Stdio::piped()).spawn();
    assert_eq!(text(ours().unwrap().wait_with_output().unwrap().stdout), own_stdin());
    assert_eq!(text(Command::new(STDIN[0]).arg(STDIN[1]).output().unwrap().stdout), "/dev/null");
}

#[test]
fn duct_reports_a_failed_program_and_forkexec_its_status() {
    assert!(cmd!("false").run().is_err());
    assert_eq!(Command::new("false").status().unwrap().code(), Some(1));
}

#[test]
fn duct_resolves_a_program_from_the_parents_directory() {
    let directory = tempfile::tempdir().unwrap();
    symlink("/bin/true", directory.path().join("here")).unwrap();
    assert!(cmd!("./here").dir(directory.path()).run().is_err());
    assert!(Command::new("./here").current_dir(directory.path()).status().unwrap().success());
}

#[test]
fn duct_takes_a_path_for_a_file_in_the_directory() {
    assert!(cmd!(Path::new("true")).run().is_err());
    assert!(Command::new(Path::new("true")).status().unwrap().success());
}

#[test]
fn duct_leaves_a_pipeline_that_cannot_start_to_its_end() {
    let mark = tempfile::tempdir().unwrap();
    let [theirs, ours] = ["theirs", "ours"].map(|name| mark.path().join(name));
    let script = |path: &Path| format!("sleep 0.3; : >{}", path.display());
    assert!(cmd!("sh", "-c", script(&theirs)).pipe(cmd!("/missing")).run().is_err());
    let error = Pipeline::new(shell!(&script(&ours))).pipe(Command::new("/missing")).spawn().unwrap_err();
    assert!(matches!(error, Error::InPipeline { index: 1, .. }));

    let end = Instant::now() + Duration::from_secs(20);
    while !theirs.exists() {
        assert!(Instant::now() < end, "duct's first program was ended");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!ours.exists());
}

#[test]
fn subprocess_capture_inherits_standard_input() {
    let theirs = Exec::cmd(STDIN[0]).arg(STDIN[1]).capture().unwrap();
    assert_eq!(text(theirs.stdout), own_stdin());
}

#[test]
fn subprocess_status_of_a_pipeline_is_last() {
    for scripts in [["exit 1", "exit 2", "exit 0"], ["exit 0", "exit 1", "exit 2"]] {
        let [first, second, third] = scripts.map(|script| Exec::cmd("sh").args(["-c", script]));
        let theirs = (first | second | third).join().unwrap();
        assert_eq!(pipeline(scripts).last().code(), theirs.code().map(u32::cast_signed), "{scripts:?}");
    }
}

#[test]
fn subprocess_waits_for_a_dropped_job() {
    let theirs = Exec::cmd("sleep").arg("0.2").start().unwrap();
    let pid = theirs.pid();
    drop(theirs);
    assert!(!runs(pid));

    let ours = Command::new("sleep").arg("5").spawn().unwrap();
    let pid = ours.id();
    drop(ours);
    assert!(runs(pid));
}

#[test]
fn subprocess_reports_a_timeout_as_an_error() {
    let job = Exec::cmd("sleep").arg("60").stdout(Redirection::Pipe).start().unwrap();
    let process = job.processes[0].clone();
    let error = job.capture_timeout(Duration::from_millis(50));
    process.kill().unwrap();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
}

/// Swaps two descriptors in the child.
#[test]
fn command_fds_mappings_become_calls_of_fd() {
    let directory = tempfile::tempdir().unwrap();
    let files = ["a", "b"].map(|name| {
        fs::write(directory.path().join(name), name).unwrap();
        File::open(directory.path().join(name)).unwrap()
    });
    let [first, second] = files.each_ref().map(AsRawFd::as_raw_fd);
    let script = format!("readlink /proc/self/fd/{first} /proc/self/fd/{second}");
    let expected = format!("{0}/b\n{0}/a", directory.path().display());

    let ours = shell!(&script).fd(second, &files[0]).fd(first, &files[1]).output().unwrap();
    assert_eq!(text(ours.stdout), expected);

    let [a, b] = files;
    let mapping = |file: File, child_fd| FdMapping { parent_fd: file.into(), child_fd };
    let mut theirs = process::Command::new("sh");
    theirs.args(["-c", &script]).fd_mappings(vec![mapping(a, second), mapping(b, first)]).unwrap();
    assert_eq!(text(theirs.output().unwrap().stdout), expected);
}

#[test]
fn command_fds_collision_is_claimed_twice() {
    let null = || File::open("/dev/null").unwrap();
    let mapping = |child_fd| FdMapping { parent_fd: null().into(), child_fd };
    assert!(process::Command::new("true").fd_mappings(vec![mapping(5), mapping(5)]).is_err());
    let twice = [null(), null(), null()];
    let error = BorrowingCommand::new("true").fd(5, &twice[0]).fd(5, &twice[1]).spawn().unwrap_err();
    assert!(matches!(error, Error::Input(InputError::ClaimedTwice { target: 5 })));
    let error = BorrowingCommand::new("true").stdout(Stdio::null()).fd(1, &twice[2]).spawn().unwrap_err();
    assert!(matches!(error, Error::Input(InputError::ClaimedTwice { target: 1 })));
}

#[test]
fn others_leave_what_is_inheritable_to_the_child() {
    let file = File::open("/etc/passwd").unwrap();
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let null = || File::open("/dev/null").unwrap().into();
    let mut mapped = process::Command::new("test");
    mapped.args(["-e", &path]).fd_mappings(vec![FdMapping { parent_fd: null(), child_fd: 100 }]).unwrap();

    assert!(mapped.status().unwrap().success());
    assert!(cmd!("test", "-e", &path).run().is_ok());
    assert!(Exec::cmd("test").args(["-e", &path]).join().unwrap().success());
    assert!(!Command::new("test").args(["-e", &path]).status().unwrap().success());
}

#[test]
fn duct_merges_streams_as_one_pipe_does() {
    let script = "echo out; echo err >&2";
    let theirs = cmd!("sh", "-c", script).stderr_to_stdout().read().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = shell!(script);
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    assert!(command.status().unwrap().success());
    drop(command);
    let mut ours = String::new();
    reader.read_to_string(&mut ours).unwrap();
    assert_eq!(ours.trim_end(), theirs);
    let merged = Exec::cmd("sh").args(["-c", script]).stderr(Redirection::Merge).capture().unwrap();
    assert_eq!(text(merged.stdout), theirs);
}

#[test]
fn an_empty_element_of_path_is_no_directory() {
    let directory = tempfile::tempdir().unwrap();
    symlink("/bin/true", directory.path().join("only-here")).unwrap();
    let path = env::join_paths(["", "/bin"]).unwrap();
    let start = |path| Command::new("only-here").env("PATH", path).current_dir(directory.path()).status();
    assert!(start(path).is_err());
    assert!(start(env::join_paths([".", "/bin"]).unwrap()).unwrap().success());
}

#[cfg(feature = "tokio")]
mod tokio {
    use super::runs;
    use forkexec::Stdio;
    use forkexec::tokio::Command;
    use std::os::unix::process::ExitStatusExt;
    use std::time::{Duration, Instant};
    use tokio::io::AsyncReadExt;
    use tokio::process;

    fn ends(pid: u32) -> bool {
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end {
            forkexec::reap_dropped();
            if !runs(pid) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    #[tokio::test]
    async fn tokio_kill_on_drop_is_on_drop() {
        let ours = Command::new("sleep").arg("60").kill_on_drop(true).spawn().unwrap();
        let pid = ours.id().unwrap();
        drop(ours);
        assert!(ends(pid));

        let mut theirs = process::Command::new("sleep");
        let theirs = theirs.arg("60").kill_on_drop(true).spawn().unwrap();
        let id = theirs.id().unwrap();
        drop(theirs);
        // It is a zombie until tokio reaps it.
        let stat = || std::fs::read_to_string(format!("/proc/{id}/stat"));
        let end = Instant::now() + Duration::from_secs(20);
        while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[tokio::test]
    async fn tokio_forgets_the_number_of_an_ended_child() {
        let mut theirs = process::Command::new("true").spawn().unwrap();
        theirs.wait().await.unwrap();
        assert_eq!(theirs.id(), None);

        let mut ours = Command::new("true").spawn().unwrap();
        ours.wait().await.unwrap();
        assert_eq!(ours.id(), None);
    }

    #[tokio::test]
    async fn tokio_kill_returns_the_status() {
        let mut ours = Command::new("sleep").arg("60").spawn().unwrap();
        assert_eq!(ours.kill().await.unwrap().signal(), Some(9));
    }

    #[tokio::test]
    async fn tokio_output_of_a_child_can_be_input_of_another() {
        let mut first = Command::new("echo").arg("a").stdout(Stdio::piped()).spawn().unwrap();
        let stdout = first.stdout.take().unwrap().into_blocking_fd().unwrap();
        let mut second = Command::new("cat");
        let mut second = second.stdin(stdout).stdout(Stdio::piped()).spawn().unwrap();
        let mut text = String::new();
        second.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "a\n");
        assert!(first.wait().await.unwrap().success());
        assert!(second.wait().await.unwrap().success());
    }
}
