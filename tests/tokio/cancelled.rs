//! Futures that are dropped at each of their awaits. The child follows its policy, and no descriptor and no zombie is
//! left.
//!
//! A future is polled a number of times and then dropped, for each number until it ends.

use std::future::poll_fn;
use std::io::{self, PipeReader};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use forkexec::tokio::{Child, Command};
use forkexec::{Error, OnDrop, Stdio};
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::isolated;
use rstest::rstest;
use tokio::time::timeout;

use crate::ground::{Threads, await_threads, has_no_children, in_runtime, probe, threads};

/// More than any of them is polled.
const MOST: usize = 10_000;
const LONG: Duration = Duration::from_mins(1);

/// A future that owns a child.
type Owning = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The operation on a child that another task owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Wait,
    WaitWithOutput,
    Communicate,
    Talk,
    Kill,
    TerminateThenKill,
    /// No time is given, so that both signals are sent.
    TerminateAndKill,
}

impl Doing {
    fn with(self, mut child: Child) -> Owning {
        let input = vec![b'.'; 200_000];
        Box::pin(async move {
            match self {
                Self::Wait => drop(child.wait().await),
                Self::WaitWithOutput => drop(child.wait_with_output().await),
                Self::Communicate => drop(child.communicate(&input).await),
                Self::Talk => drop(child.communicator(input).finish().await),
                Self::Kill => drop(child.kill().await),
                Self::TerminateThenKill => drop(child.terminate_then_kill(LONG).await),
                Self::TerminateAndKill => drop(child.terminate_then_kill(Duration::ZERO).await),
            }
        })
    }

    fn kills(self) -> bool {
        matches!(self, Self::Kill | Self::TerminateAndKill)
    }
}

/// Polls a future at most so often. Returns true if it ended.
async fn polled(times: usize, future: impl Future) -> bool {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A child that talks in both directions, and ends with its input.
fn started(policy: OnDrop, pidfd: bool) -> Child {
    talking(probe(&["echo"]), policy, pidfd)
}

/// A child that also reports its end, unless it was killed.
fn witness(policy: OnDrop, pidfd: bool, by_thread: bool) -> (Child, PipeReader) {
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    let mut command = Command::new("sh");
    command.args(["-c", "cat; echo alive >&3"]).ignore_signal(libc::SIGTERM).fd(3, writer);
    command.reaper_thread(by_thread);
    (talking(command, policy, pidfd), reader)
}

fn talking(mut command: Command, policy: OnDrop, pidfd: bool) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.on_drop(policy).create_pidfd(pidfd).spawn().expect("it starts")
}

#[rstest]
fn child_follows_its_policy_wherever_its_owner_is_cancelled(
    #[values(Threads::One, Threads::Many)] kind: Threads,
    #[values(OnDrop::Leave, OnDrop::Kill, OnDrop::KillAndWait)] policy: OnDrop,
    #[values(true, false)] pidfd: bool,
    #[values(true, false)] by_thread: bool,
    #[values(
        Doing::Wait,
        Doing::WaitWithOutput,
        Doing::Communicate,
        Doing::Talk,
        Doing::Kill,
        Doing::TerminateThenKill,
        Doing::TerminateAndKill
    )]
    doing: Doing,
) {
    in_runtime(kind, async move {
        for times in 0..MOST {
            let (before, count) = (Snapshot::take(), threads());
            let (child, says) = witness(policy, pidfd, by_thread);
            let ended = polled(times, doing.with(child)).await;
            // Neither of these is an await of a task's that this thread has to run.
            let lived = io::read_to_string(says).expect("it is text") == "alive\n";
            if policy == OnDrop::Leave && !doing.kills() {
                assert!(lived, "it was to be left, and was killed after {times} polls");
            }
            await_threads(count);
            assert!(has_no_children(), "after {times} polls");
            let differences = before.differences(&Snapshot::take());
            assert!(differences.is_empty(), "after {times} polls:\n{}", differences.join("\n"));
            if ended {
                assert!(times > 0);
                return;
            }
        }
        panic!("it never ended");
    });
}

#[rstest]
fn status_is_not_lost_wherever_a_wait_is_cancelled(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
) {
    in_runtime(threads, async move {
        for times in 0..MOST {
            let mut command = probe(&["exit", "3"]);
            let mut child = command.create_pidfd(pidfd).spawn().expect("it starts");
            let ended = polled(times, child.wait()).await;
            let status = timeout(LONG, child.wait()).await.expect("it has ended").expect("it is ours");
            assert_eq!(status.code(), Some(3), "after {times} polls");
            if ended {
                return;
            }
        }
        panic!("it never ended");
    });
}

#[rstest]
fn no_byte_is_lost_wherever_communication_is_cancelled(
    #[values(Threads::One, Threads::Many)] threads: Threads,
) {
    in_runtime(threads, async move {
        let input: Vec<u8> = (0..=u8::MAX).cycle().take(400_000).collect();
        for times in 0..MOST {
            let mut conversation = started(OnDrop::KillAndWait, true).communicator(input.as_slice());
            let ended = polled(times, async {
                drop(poll_to_end(&mut conversation).await);
            })
            .await;
            if ended {
                return;
            }
            let output = conversation.finish().await.expect("it ends");
            assert!(output.status.success() && output.stdout == input, "after {times} polls");
        }
        panic!("it never ended");
    });
}

async fn poll_to_end(conversation: &mut forkexec::tokio::Communicator<'_>) -> Result<(), Error> {
    conversation.finish().await.map(drop)
}

/// The futures of a status and of an output own the child from the start.
#[rstest]
fn cancelled_output_or_status_future_leaves_no_child(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
) {
    in_runtime(threads, async move {
        for times in 0..MOST {
            let mut command = probe(&["spew", "200000", "200000"]);
            let ended = polled(times, command.create_pidfd(pidfd).output()).await;
            assert!(has_no_children(), "after {times} polls");
            if ended {
                break;
            }
        }
        for times in 0..MOST {
            let mut command = probe(&["true"]);
            let ended = polled(times, command.create_pidfd(pidfd).status()).await;
            assert!(has_no_children(), "after {times} polls");
            if ended {
                return;
            }
        }
        panic!("it never ended");
    });
}

#[rstest]
fn aborted_task_leaves_no_child(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
) {
    in_runtime(threads, async move {
        let task = tokio::spawn(async move {
            let mut child = started(OnDrop::KillAndWait, pidfd);
            let _stdin = child.stdin.take();
            child.wait().await
        });
        while has_no_children() {
            tokio::task::yield_now().await;
        }
        task.abort();
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        assert!(has_no_children());
    });
}

#[rstest]
fn runtime_shutdown_ends_the_children_of_its_tasks(
    #[values(Threads::One, Threads::Many)] threads: Threads,
    #[values(true, false)] pidfd: bool,
) {
    isolated(move || {
        let runtime = threads.runtime();
        let (says, hears) = tokio::sync::oneshot::channel();
        runtime.spawn(async move {
            let mut child = started(OnDrop::KillAndWait, pidfd);
            let _stdin = child.stdin.take();
            let _ = says.send(());
            child.wait().await
        });
        runtime.block_on(hears).expect("it starts");
        drop(runtime);
        assert!(has_no_children());
    });
}
