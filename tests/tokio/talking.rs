//! Input and output of any size.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use forkexec::tokio::{Child, Command};
use forkexec::{Error, Stdio};
use forkexec_tests::isolate::skip;
use forkexec_tests::world;
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;

use crate::ground::{Threads, has_no_children, in_runtime, probe};

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(20);
const MEGABYTE: usize = 1_000_000;

fn talker(args: &[&str]) -> Child {
    let mut command = probe(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| u8::try_from(index % 251).expect("it is below")).collect()
}

#[rstest]
fn megabyte_is_echoed(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let input = bytes(MEGABYTE);
        let output = talker(&["echo"]).communicate(&input).await.expect("it ends");
        assert!(output.status.success() && output.stdout == input && output.stderr.is_empty());
    });
}

#[rstest]
fn both_outputs_are_read_at_once(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let output = talker(&["spew", "1000000", "700000"]).wait_with_output().await.expect("it ends");
        assert_eq!((output.stdout.len(), output.stderr.len()), (MEGABYTE, 700_000));
    });
}

#[rstest]
fn child_that_reads_nothing_is_no_error(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let mut conversation = talker(&["exit", "3"]).communicator(bytes(MEGABYTE));
        let output = conversation.finish().await.expect("it ends");
        assert_eq!(output.status.code(), Some(3));
        assert!(conversation.written() < MEGABYTE);
    });
}

/// In a program that is not Rust's the signal is at its default, and ends it.
#[rstest]
fn unread_input_does_not_end_a_parent_with_default_sigpipe(
    #[values(Threads::One, Threads::Many)] threads: Threads,
) {
    in_runtime(threads, async {
        let _acting = AtDefault::new();
        let output = talker(&["exit", "3"]).communicate(&bytes(MEGABYTE)).await.expect("it ends");
        assert_eq!(output.status.code(), Some(3));
    });
}

#[rstest]
fn cancelled_communication_can_be_resumed(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let mut command = Command::new("sh");
        command.args(["-c", "head -c 5; read line; printf %s \"$line\"; cat"]);
        let (reader, mut writer) = std::io::pipe().expect("a pipe can be made");
        let child = command.stdin(reader).stdout(Stdio::piped()).spawn().expect("it starts");
        drop(command);
        let mut conversation = child.communicator(&[]);
        std::io::Write::write_all(&mut writer, b"first").expect("it fits");
        while conversation.stdout() != b"first" {
            assert!(timeout(SHORT, conversation.finish()).await.is_err());
        }
        std::io::Write::write_all(&mut writer, b"second\nthird").expect("it fits");
        drop(writer);
        let output =
            timeout(LONG, conversation.finish()).await.expect("it ends").expect("it can be talked to");
        assert_eq!(output.stdout, b"firstsecondthird");
    });
}

#[rstest]
fn child_takes_its_pipes_back_from_a_communicator(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let mut conversation = talker(&["echo"]).communicator(bytes(2 * MEGABYTE));
        let mut child = {
            // One step: a pipe holds less than the whole input.
            assert!(timeout(Duration::ZERO, conversation.finish()).await.is_err());
            assert!(conversation.written() > 0);
            let (written, mut read) = (conversation.written(), conversation.stdout().to_vec());
            let mut child = conversation.into_child();
            let mut stdin = child.stdin.take().expect("not all was written");
            let stdout = child.stdout.as_mut().expect("it has not ended");
            let rest = async move { stdin.write_all(b"the rest").await };
            let (written_rest, read_rest) = join(rest, stdout.read_to_end(&mut read)).await;
            written_rest.and(read_rest.map(drop)).expect("both go on");
            assert_eq!(read, [&bytes(written)[..], b"the rest"].concat());
            child
        };
        assert!(child.wait().await.expect("it ends").success() && has_no_children());
    });
}

/// The reading end of a pseudoterminal fails with `EIO` when the other end is closed.
///
/// Faults: W14
#[rstest]
fn output_before_an_error_is_returned_when_resumed(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] of_stdout: bool,
) {
    in_runtime(threads, async move {
        let (mut parents, mut childs) = (-1, -1);
        let none = ptr::null_mut();
        // SAFETY: two descriptors are written, and the other results are not requested.
        let made =
            unsafe { libc::openpty(&raw mut parents, &raw mut childs, none, ptr::null(), ptr::null()) };
        if made != 0 {
            return skip("no pseudoterminal is to be had");
        }
        // SAFETY: each descriptor is new, and nothing else has it.
        let [parents, childs] = [parents, childs].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        // SAFETY: the command takes an int.
        let set = unsafe { libc::fcntl(parents.as_raw_fd(), libc::F_SETFL, libc::O_RDWR | libc::O_NONBLOCK) };
        assert_eq!(set, 0);
        let mut command = Command::new("sh");
        command
            .args(["-c", "printf early; printf oops >&2; sleep 0.1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if of_stdout {
            command.stdout(childs)
        } else {
            command.stderr(childs)
        };
        let mut child = command.spawn().expect("it starts");
        drop(command);
        let reader = Receiver::from_owned_fd_unchecked(parents).expect("a terminal can be watched");
        if of_stdout {
            child.stdout = Some(reader);
        } else {
            child.stderr = Some(reader);
        }
        let mut conversation = child.communicator(b"".as_slice());
        let error =
            timeout(LONG, conversation.finish()).await.expect("it ends").expect_err("no terminal is left");
        assert!(matches!(error, Error::Child { .. }), "{error:?}");
        let output =
            timeout(LONG, conversation.finish()).await.expect("it has ended").expect("it is told once");
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"early"[..], &b"oops"[..]));
    });
}

#[rstest]
fn output_is_kept_if_the_status_is_lost(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let mut command = Command::new("sh");
        command.args(["-c", "printf early; printf oops >&2"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("it starts");
        world::wait_for(child.get_ref().id().cast_signed());
        let mut conversation = child.communicator(b"".as_slice());
        let error = timeout(LONG, conversation.finish()).await.expect("it has ended");
        assert!(matches!(error, Err(Error::StatusLost { .. })), "{error:?}");
        assert_eq!((conversation.stdout(), conversation.stderr()), (&b"early"[..], &b"oops"[..]));
    });
}

/// Both, each whenever it can go on.
async fn join<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    use std::pin::pin;
    use std::task::Poll;
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut a, mut b) = (None, None);
    std::future::poll_fn(|context| {
        if a.is_none()
            && let Poll::Ready(answer) = first.as_mut().poll(context)
        {
            a = Some(answer);
        }
        if b.is_none()
            && let Poll::Ready(answer) = second.as_mut().poll(context)
        {
            b = Some(answer);
        }
        match (a.take(), b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (one, other) => {
                (a, b) = (one, other);
                Poll::Pending
            }
        }
    })
    .await
}

/// `SIGPIPE` at its default, until this is dropped.
struct AtDefault(usize);

impl AtDefault {
    fn new() -> Self {
        // SAFETY: the default action touches no memory.
        Self(unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) })
    }
}

impl Drop for AtDefault {
    fn drop(&mut self) {
        // SAFETY: the action was there before.
        unsafe { libc::signal(libc::SIGPIPE, self.0) };
    }
}
