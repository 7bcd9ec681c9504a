//! The module `tokio::process`, which has the names of tokio's own: children that end, and that are killed.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use forkexec::tokio::process::{Child, Command};
use forkexec::{OnDrop, Stdio};
use rstest::rstest;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::ground::{Threads, in_runtime};

fn reading() -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "read code; exit $code"]).stdin(Stdio::piped()).on_drop(OnDrop::KillAndWait);
    command.spawn().expect("it starts")
}

#[rstest]
fn child_has_a_number_until_it_is_waited_for(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let mut child = reading();
        assert!(child.id().is_some_and(|id| id > 1));
        assert_eq!(child.try_wait().expect("it is ours"), None);
        child.stdin.as_mut().expect("it is piped").write_all(b"3\n").await.expect("it reads");
        assert_eq!(child.wait().await.expect("it ends").code(), Some(3));
        assert_eq!(child.id(), None);
        let again = child.try_wait().expect("it is known");
        assert_eq!(again.and_then(|status| status.code()), Some(3));
    });
}

#[rstest]
fn child_is_killed_with_and_without_a_wait(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let mut child = reading();
        child.start_kill().expect("it is ours");
        while child.try_wait().expect("it is ours").is_none() {
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(child.wait().await.expect("it is known").signal(), Some(libc::SIGKILL));
        let mut child = reading();
        child.kill().await.expect("it is ours");
        assert_eq!(child.id(), None, "it was waited for");
    });
}
