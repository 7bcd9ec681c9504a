//! Children that cannot be started in a runtime, or that no runtime watches: none is left.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use forkexec::tokio::{Child, Command, Communicator};
use forkexec::{Error, OnDrop, Stage, Stdio};
use forkexec_tests::deny::Deny;
use forkexec_tests::isolate::isolated;
use rstest::rstest;
use tokio::runtime::Builder;

use crate::ground::{Threads, has_no_children, in_runtime, probe};

#[test]
fn spawn_outside_of_a_runtime_starts_nothing() {
    isolated(|| {
        let mut command = probe(&["true"]);
        let prepared = command.prepare().expect("it means something").spawn().err();
        let errors = [prepared, command.spawn().err()];
        for error in errors {
            let Some(Error::Child { what, .. }) = error else { panic!("{error:?}") };
            assert_eq!(what, "register the child with tokio");
        }
        assert!(has_no_children());
    });
}

#[test]
fn runtime_without_io_leaves_no_child() {
    isolated(|| {
        let runtime = Builder::new_current_thread().build().expect("a runtime can be made");
        let _entered = runtime.enter();
        let mut command = probe(&["sleep-on-stdin"]);
        command.stdin(Stdio::piped()).on_drop(OnDrop::Leave);
        let caught = catch_unwind(AssertUnwindSafe(|| command.spawn()));
        assert!(caught.is_err() && has_no_children());
    });
}

#[rstest]
fn failure_to_watch_leaves_no_child(#[values(Stdio::inherit, Stdio::piped)] stream: fn() -> Stdio) {
    isolated(move || {
        let runtime = Threads::One.runtime();
        let _entered = runtime.enter();
        if !Deny::new().errno(libc::SYS_epoll_ctl, libc::ENOSPC).installed() {
            return;
        }
        let mut command = Command::new("sleep");
        let started = command.arg("600").stdout(stream()).spawn();
        let Err(Error::Child { what: "register the child with tokio", error: source }) = started else {
            panic!("{started:?}")
        };
        assert_eq!(source.raw_os_error(), Some(libc::ENOSPC));
        assert!(has_no_children());
    });
}

/// As on Linux 5.2.
#[test]
fn child_with_a_pidfd_that_cannot_be_watched_is_awaited() {
    isolated(|| {
        let runtime = Threads::One.runtime();
        let entered = runtime.enter();
        if !Deny::new().errno(libc::SYS_epoll_ctl, libc::EPERM).installed() {
            return;
        }
        let child = probe(&["exit", "3"]).spawn();
        drop(entered);
        let status = runtime.block_on(async { child?.wait().await });
        assert_eq!(status.expect("it ends").code(), Some(3));
    });
}

#[rstest]
fn failed_spawn_is_reported_as_usual(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let error = Command::new("/no/such/program").spawn().expect_err("there is none");
        assert_eq!(error.as_spawn().map(forkexec::SpawnError::stage), Some(Stage::Exec));
        let error = Command::new("/no/such/program").output().await.expect_err("there is none");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
        assert!(has_no_children());
    });
}

#[rstest]
fn status_of_a_command_is_that_of_its_child(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        assert_eq!(probe(&["exit", "3"]).status().await.expect("it ends").code(), Some(3));
        let prepared = probe(&["exit", "4"]).into_prepared().expect("it means something");
        assert_eq!(prepared.status().await.expect("it ends").code(), Some(4));
    });
}

/// The child of the future starts when that is made, not when it is polled.
#[rstest]
fn unawaited_status_still_starts_a_child(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let status = probe(&["sleep-on-stdin"]).stdin(Stdio::piped()).status();
        assert!(!has_no_children());
        drop(status);
        assert!(has_no_children());
    });
}

#[rstest]
fn prepared_command_can_spawn_repeatedly(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let command = probe(&["write", "1", "hello"]).into_prepared().expect("it means something");
        let outputs = [command.output(), command.output()];
        for output in outputs {
            assert_eq!(output.await.expect("it ends").stdout, b"hello");
        }
        assert!(command.status().await.expect("it ends").success());
    });
}

/// A child of another thread's, which is no runtime's, can be given to one.
#[rstest]
fn runtime_can_adopt_a_child_of_another_thread(#[values(Threads::One, Threads::Many)] threads: Threads) {
    in_runtime(threads, async {
        let started = tokio::task::spawn_blocking(|| {
            forkexec_tests::probe::command(&["echo"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
        });
        let child = started.await.expect("it does not panic").expect("it starts");
        let id = child.id();
        let child = Child::new(child).expect("it can be watched");
        assert_eq!((child.id(), child.get_ref().id()), (Some(id), id));
        assert_eq!(child.communicate(b"hello").await.expect("it ends").stdout, b"hello");
    });
}

#[test]
fn children_and_their_futures_can_move_to_other_threads() {
    fn goes<T: Send>(_: &T) {}
    fn is_shared<T: Send + Sync>() {}
    fn futures(child: &mut Child, conversation: &mut Communicator<'_>, [first, second]: [Child; 2]) {
        goes(&child.wait());
        goes(&child.kill());
        goes(&child.terminate_then_kill(std::time::Duration::ZERO));
        goes(&conversation.finish());
        goes(&first.wait_with_output());
        goes(&second.communicate(&[]));
        goes(&probe(&[]).status());
        goes(&probe(&[]).output());
    }
    is_shared::<Child>();
    is_shared::<Communicator<'_>>();
    let _ = futures;
}
