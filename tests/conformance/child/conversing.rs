//! Communication: limits of size and time, line callbacks, and a run that stops early.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::time::Duration;

use forkexec::{BorrowingCommand, Child, CommunicateOutput, Communicator, Error, OnDrop, Stdio, StopReason};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::probe;
use rstest::rstest;

use crate::ground::check;
use crate::held::Acting;

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_mins(1);

fn command<'fd>(program: &str, args: &[&str]) -> BorrowingCommand<'fd> {
    let mut command = BorrowingCommand::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn shell(script: &str) -> Child {
    command("sh", &["-c", script]).spawn().expect("it starts")
}

fn spewing(out: usize, err: usize) -> Child {
    let args = ["spew", &out.to_string(), &err.to_string()];
    command(probe::path().to_str().expect("it is ASCII"), &args).spawn().expect("it starts")
}

#[track_caller]
fn run(talk: &mut Communicator<'_>) -> CommunicateOutput {
    talk.run().expect("it is no error")
}

#[test]
fn output_before_the_deadline_is_returned_and_the_rest_later() {
    isolated(|| {
        let mut child = shell("echo early; echo oops >&2; read line; echo $line; exit 3");
        let mut talk = child.communicator();
        talk.keep_stdin_open(true).timeout(SHORT);
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        while (stdout.len(), stderr.len()) != (6, 5) {
            let mut heard = run(&mut talk);
            assert_eq!((heard.stopped, heard.status), (StopReason::Timeout, None));
            stdout.append(&mut heard.stdout);
            stderr.append(&mut heard.stderr);
        }
        assert_eq!((stdout.as_slice(), stderr.as_slice()), (b"early\n".as_slice(), b"oops\n".as_slice()));
        let heard = run(talk.input(b"late\n").timeout(LONG));
        assert_eq!((heard.stopped, heard.written), (StopReason::Ended, 5));
        assert_eq!(heard.stdout, b"late\n");
        assert_eq!(heard.status.and_then(|status| status.code()), Some(3));
    });
}

/// The outputs have ended, and the child has not.
#[rstest]
fn wait_for_the_exit_counts_toward_the_timeout(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let mut command = command("sh", &["-c", "exec >/dev/null 2>&1; exec sleep 600"]);
        let mut child = command.create_pidfd(pidfd).spawn().expect("it starts");
        let mut talk = child.communicator();
        let heard = run(talk.timeout(Duration::from_millis(200)));
        assert_eq!((heard.stopped, heard.status), (StopReason::Timeout, None));
        talk.partner().kill().expect("it is ours");
        let heard = run(talk.timeout(Duration::MAX));
        assert!(heard.stopped == StopReason::Ended && heard.status.is_some());
    });
}

/// Faults: W8
#[rstest]
#[case::none(Duration::ZERO)]
#[case::less_than_poll_can_count(Duration::from_nanos(1))]
fn short_deadline_still_reads_available_output(#[case] time: Duration) {
    isolated(|| {
        let mut child = spewing(300_000, 0);
        let mut talk = child.communicator();
        let mut length = 0;
        loop {
            let heard = run(talk.timeout(time));
            length += heard.stdout.len();
            match heard.stopped {
                StopReason::Timeout => {}
                stopped => break assert_eq!((stopped, length), (StopReason::Ended, 300_000)),
            }
        }
    });
}

#[test]
fn communicate_sleeps_while_it_waits() {
    isolated(|| {
        let mut child = shell("exec sleep 600");
        let before = switches();
        let heard = run(child.communicator().timeout(Duration::from_millis(500)).drain_limit(SHORT));
        let after = switches();
        assert_eq!(heard.stopped, StopReason::Timeout);
        assert!(after - before < 20, "it went to sleep {} times", after - before);
        child.kill().and_then(|()| child.wait()).expect("it is ours");
    });
}

/// getrusage(2), which the libc crate has incompletely for Android.
const RUSAGE_THREAD: i32 = 1;

/// Returns how often this thread gave up the processor.
fn switches() -> i64 {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the structure is written.
    check(unsafe { libc::getrusage(RUSAGE_THREAD, usage.as_mut_ptr()) });
    // SAFETY: the call succeeded.
    let usage = unsafe { usage.assume_init() };
    #[expect(clippy::allow_attributes, reason = "a number of 32 bits on some architectures")]
    #[allow(clippy::useless_conversion)]
    i64::from(usage.ru_nvcsw)
}

#[rstest]
#[case::of_both([Some(100_000), None, None], 100_000)]
#[case::of_standard_output([None, Some(70_000), None], 300_000)]
#[case::of_standard_error([None, None, Some(1)], 300_000)]
#[case::of_all([Some(100_000), Some(90_000), Some(80_000)], 100_000)]
fn run_reads_no_more_than_its_limit(#[case] limits: [Option<usize>; 3], #[case] most: usize) {
    isolated(|| {
        let mut child = spewing(200_000, 100_000);
        let mut talk = child.communicator();
        talk.limit(limits[0]).stdout_limit(limits[1]).stderr_limit(limits[2]);
        let (mut out, mut err, mut runs) = (0, 0, 0);
        loop {
            let heard = run(&mut talk);
            let (heard_out, heard_err) = (heard.stdout.len(), heard.stderr.len());
            assert!(heard_out <= limits[1].unwrap_or(most) && heard_err <= limits[2].unwrap_or(most));
            assert!(heard_out + heard_err <= limits[0].unwrap_or(most));
            (out, err, runs) = (out + heard_out, err + heard_err, runs + 1);
            match heard.stopped {
                StopReason::Limit if runs == 100 => talk.limit(None).stdout_limit(None).stderr_limit(None),
                StopReason::Limit => continue,
                stopped => break assert_eq!(stopped, StopReason::Ended),
            };
            (out, err) = (out + run(&mut talk).stdout.len(), 100_000);
            break;
        }
        assert!(runs > 1);
        assert_eq!((out, err), (200_000, 100_000));
    });
}

#[rstest]
#[case::none(0)]
#[case::some(100_000)]
fn run_with_output_of_exactly_the_limit_has_ended(#[case] length: usize) {
    isolated(|| {
        let mut child = spewing(length, 0);
        let heard = run(child.communicator().limit(length));
        assert_eq!((heard.stopped, heard.stdout.len()), (StopReason::Ended, length));
    });
}

/// With a limit of zero the pipe is left as it is.
#[test]
fn unread_output_stays_in_the_pipe() {
    isolated(|| {
        let mut child = shell("cat; echo bye");
        let heard = run(child.communicator().keep_stdin_open(true).input(b"hello\n").limit(0).timeout(LONG));
        assert_eq!((heard.stopped, heard.written), (StopReason::Limit, 6));
        let mut stdin = child.stdin.take().expect("it was given back");
        let mut stdout = child.stdout.take().expect("it was given back");
        for fd in [stdin.as_raw_fd(), stdout.as_raw_fd()] {
            // SAFETY: the command takes no argument.
            let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) });
            assert_eq!(flags & libc::O_NONBLOCK, 0, "it waits, as it did before");
        }
        stdin.write_all(b"again\n").expect("it reads");
        drop(stdin);
        let mut text = String::new();
        stdout.read_to_string(&mut text).expect("it is ASCII");
        assert_eq!(text, "hello\nagain\nbye\n");
        child.wait().expect("it ends");
    });
}

/// The output of the child itself is read completely: the pipes are full when it ends.
///
/// Faults: W4
#[rstest]
fn drain_limit_ends_the_wait_for_a_pipe_held_by_others(
    #[values(true, false)] pidfd: bool,
    #[values(Duration::ZERO, SHORT)] limit: Duration,
) {
    isolated(|| {
        let script = format!("sleep 600 & exec '{}' spew 65536 65536", probe::path().display());
        let mut command = command("sh", &["-c", &script]);
        let mut child = command.create_pidfd(pidfd).spawn().expect("it starts");
        let mut talk = child.communicator();
        let heard = run(talk.drain_limit(limit).timeout(LONG));
        assert_eq!((heard.stdout.len(), heard.stderr.len()), (65_536, 65_536));
        assert_eq!(heard.stopped, StopReason::DrainLimit);
        assert!(heard.status.is_some_and(|status| status.success()));
        let heard = run(talk.drain_limit(None).timeout(SHORT));
        assert_eq!(heard.stopped, StopReason::Timeout, "somebody holds it still");
    });
}

/// More than one read takes, and all of it was written by the child.
///
/// Faults: W4
#[rstest]
#[case::standard_output(300_000, 0)]
#[case::standard_error(0, 300_000)]
#[case::both(300_000, 200_000)]
fn output_left_in_a_large_pipe_is_read_completely(#[case] out: usize, #[case] err: usize) {
    isolated(|| {
        let script = format!("read line; sleep 600 & exec '{}' spew {out} {err}", probe::path().display());
        let mut child = shell(&script);
        let stdout = child.stdout.as_ref().expect("it is a pipe").as_raw_fd();
        let stderr = child.stderr.as_ref().expect("it is a pipe").as_raw_fd();
        for pipe in [stdout, stderr] {
            // SAFETY: the command takes an int.
            check(unsafe { libc::fcntl(pipe, libc::F_SETPIPE_SZ, 1 << 20) });
        }
        child.stdin.take().expect("it is a pipe").write_all(b"go\n").expect("it reads");
        child.wait().expect("it ends, since all of it has room");
        let heard = run(child.communicator().drain_limit(Duration::ZERO));
        assert_eq!(heard.stopped, StopReason::DrainLimit);
        assert_eq!((heard.stdout.len(), heard.stderr.len()), (out, err));
    });
}

#[rstest]
fn drain_limit_costs_no_time_if_the_pipe_is_closed(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let mut command = command("sh", &["-c", "echo hi; exit 4"]);
        let mut child = command.create_pidfd(pidfd).spawn().expect("it starts");
        let heard = run(child.communicator().drain_limit(Duration::from_mins(9)));
        assert_eq!((heard.stopped, heard.stdout.as_slice()), (StopReason::Ended, b"hi\n".as_slice()));
        assert_eq!(heard.status.and_then(|status| status.code()), Some(4));
    });
}

/// A descendant holds both pipes. The line that the run waits for is the unfinished one of standard output.
#[test]
fn drain_limit_yields_partial_lines_of_both_outputs() {
    isolated(|| {
        let (out, err) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let mut child = shell("sleep 600 & printf out; printf err >&2");
        let mut talk = child.communicator();
        talk.drain_limit(Duration::ZERO).until_stdout_line(|line| {
            out.borrow_mut().extend_from_slice(line);
            true
        });
        talk.on_stderr_line(|line| err.borrow_mut().extend_from_slice(line));
        assert_eq!(run(&mut talk).stopped, StopReason::Line);
        assert_eq!((out.take().as_slice(), err.take().as_slice()), (b"out".as_slice(), b"err".as_slice()));
    });
}

#[test]
fn callbacks_get_lines_as_they_arrive_and_none_is_collected() {
    isolated(|| {
        let (out, err) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let mut child = shell("printf 'to be\\n\\nor'; printf 'not\\nto be' >&2; exit 1");
        let mut talk = child.communicator();
        talk.on_stdout_line(|line| out.borrow_mut().push(line.to_vec()));
        talk.on_stderr_line(|line| err.borrow_mut().push(line.to_vec()));
        let heard = run(&mut talk);
        assert!(heard.stdout.is_empty() && heard.stderr.is_empty());
        assert_eq!(*out.borrow(), [b"to be".as_slice(), b"", b"or"]);
        assert_eq!(*err.borrow(), [b"not".as_slice(), b"to be"]);
    });
}

#[test]
fn pieces_of_both_outputs_are_told_and_collected() {
    isolated(|| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut child = spewing(100_000, 70_000);
        let mut talk = child.communicator();
        talk.on_stdout(|piece| out.extend_from_slice(piece)).on_stderr(|piece| err.extend_from_slice(piece));
        let heard = run(&mut talk);
        drop(talk);
        assert_eq!((heard.stdout.len(), heard.stderr.len()), (100_000, 70_000));
        assert!(out == heard.stdout && err == heard.stderr, "{} and {}", out.len(), err.len());
    });
}

#[test]
fn endless_line_arrives_in_pieces_and_can_be_collected() {
    isolated(|| {
        let mut lengths = Vec::new();
        let mut child = spewing(10_000, 0);
        let mut talk = child.communicator();
        talk.on_stdout_line(|line| lengths.push(line.len())).line_limit(4_000).collect_lines(true);
        assert_eq!(run(&mut talk).stdout.len(), 10_000);
        drop(talk);
        assert_eq!(lengths, [4_000, 4_000, 2_000]);
    });
}

#[test]
fn run_stops_at_the_awaited_line() {
    isolated(|| {
        let told = RefCell::new(Vec::new());
        let mut child = shell("printf 'a\\nready\\nb\\nready\\nc'");
        let mut talk = child.communicator();
        talk.until_stdout_line(|line| {
            told.borrow_mut().push(String::from_utf8_lossy(line).into_owned());
            line == b"ready"
        });
        assert_eq!(run(&mut talk).stopped, StopReason::Line);
        assert_eq!(told.take(), ["a", "ready"]);
        assert_eq!(run(&mut talk).stopped, StopReason::Line);
        assert_eq!(told.take(), ["b", "ready"]);
        assert_eq!(run(&mut talk).stopped, StopReason::Ended);
        assert_eq!(told.take(), ["c"]);
    });
}

/// The guard sees whether a descriptor or the child is left.
#[test]
fn panic_in_a_line_callback_leaves_the_child_to_its_policy() {
    isolated(|| {
        let mut command = command("sh", &["-c", "echo boo; exec sleep 600"]);
        command.on_drop(OnDrop::KillAndWait);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let mut child = command.spawn().expect("it starts");
            child.communicator().on_stdout_line(|line| panic!("at {line:?}")).run()
        }));
        assert!(caught.is_err());
    });
}

#[test]
fn communication_resumes_after_a_panic_in_a_line_callback() {
    isolated(|| {
        let mut child = shell("echo boo; read line; echo $line");
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let mut talk = child.communicator();
            talk.keep_stdin_open(true).on_stdout_line(|line| panic!("at {line:?}")).run()
        }));
        assert!(caught.is_err());
        assert_eq!(run(child.communicator().input(b"on\n")).stdout, b"on\n");
    });
}

#[test]
fn unread_input_of_the_child_is_reported() {
    isolated(|| {
        let input = vec![b'.'; 1 << 20];
        let mut child = shell("head -c 1000 >/dev/null; exec <&-; echo closed");
        let heard = run(child.communicator().input(&input));
        assert!(heard.written < input.len() && heard.stopped == StopReason::Ended, "{}", heard.written);
        // `head` may read more than it needs, and no more than it was given.
        let left = heard.left_unread.expect("Linux tells");
        assert!((1_000..=heard.written).contains(&(heard.written - left)), "{left} of {}", heard.written);
    });
}

#[rstest]
fn output_is_kept_if_the_status_is_lost(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let _acting = Acting::new(libc::SIGCHLD, libc::SIG_IGN);
        let mut command = command("echo", &["hi"]);
        let mut child = command.create_pidfd(pidfd).spawn().expect("it starts");
        let heard = run(child.communicator().drain_limit(LONG).timeout(LONG));
        assert_eq!((heard.stdout.as_slice(), heard.stopped), (b"hi\n".as_slice(), StopReason::Ended));
        assert_eq!(heard.status, None);
        assert!(matches!(child.wait(), Err(Error::StatusLost { .. })));
    });
}

#[rstest]
fn dropped_communicator_leaves_the_child_running(#[values(true, false)] pidfd: bool) {
    isolated(|| {
        let mut command = command("cat", &[]);
        let mut child = command.create_pidfd(pidfd).spawn().expect("it starts");
        drop(child.communicator());
        let heard = run(child.communicator().keep_stdin_open(true).timeout(SHORT).drain_limit(SHORT));
        assert_eq!(heard.stopped, StopReason::Timeout);
        let output = child.communicate(b"still there").expect("it is no error");
        assert_eq!(output.stdout, b"still there");
    });
}

/// The reading end of a pseudoterminal fails with `EIO` when the other end is closed.
///
/// Faults: W14
#[rstest]
fn output_before_an_error_is_returned_by_the_next_run(#[values(true, false)] of_stdout: bool) {
    isolated(|| {
        let Some((parents, childs)) = terminal() else { return };
        let mut command = command("sh", &["-c", "printf early; printf oops >&2; exit 3"]);
        if of_stdout {
            command.stdout(childs)
        } else {
            command.stderr(childs)
        };
        let mut child = command.spawn().expect("it starts");
        drop(command);
        if of_stdout {
            child.stdout = Some(parents.into());
        } else {
            child.stderr = Some(parents.into());
        }
        let mut talk = child.communicator();
        let error = talk.timeout(LONG).run().expect_err("no terminal is left");
        assert!(matches!(error, Error::Child { .. }), "{error:?}");
        let heard = run(&mut talk);
        assert_eq!((heard.stdout.as_slice(), heard.stderr.as_slice()), (&b"early"[..], &b"oops"[..]));
        assert_eq!((heard.stopped, heard.status.and_then(|it| it.code())), (StopReason::Ended, Some(3)));
        drop(talk);
        assert_eq!([child.stdout.is_some(), child.stderr.is_some()], [of_stdout, !of_stdout]);
    });
}

/// Faults: W14
#[test]
fn input_error_is_reported_once() {
    isolated(|| {
        let mut child = shell("printf early; exit 3");
        let null: OwnedFd = File::open("/dev/null").expect("it is there").into();
        child.stdin = Some(null.into());
        let mut talk = child.communicator();
        talk.input(b"never".as_slice()).timeout(LONG).run().expect_err("it is open for reading");
        let heard = run(&mut talk);
        assert_eq!((heard.stdout.as_slice(), heard.written), (&b"early"[..], 0));
        assert_eq!((heard.stopped, heard.status.and_then(|it| it.code())), (StopReason::Ended, Some(3)));
    });
}

/// Opens both ends of a pseudoterminal. Skips the test if there is none.
fn terminal() -> Option<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    let [parents, childs] = &mut ends;
    let none = ptr::null_mut();
    // SAFETY: two descriptors are written, and the other results are not requested.
    if unsafe { libc::openpty(parents, childs, none, ptr::null(), ptr::null()) } != 0 {
        skip(&format!("no pseudoterminal is to be had: {}", io::Error::last_os_error()));
        return None;
    }
    // SAFETY: each descriptor is new, and nothing else has it.
    let [parents, childs] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    // SAFETY: the command takes an int.
    check(unsafe { libc::fcntl(parents.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) });
    Some((parents, childs))
}
