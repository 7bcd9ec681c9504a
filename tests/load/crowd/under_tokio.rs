//! The same by a runtime: a task for each child.

use std::process::ExitStatus;
use std::time::Instant;

use forkexec::tokio::{Child, Command};
use forkexec_tests::isolate::isolated;
use rstest::rstest;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout_at};

use super::{CHILDREN, Inputs, QUIET, ended_as_expected, judge, limit_of, make_room, processor_time};

/// In which all tasks have begun to wait.
const SETTLING: Duration = Duration::from_millis(300);

#[rstest]
#[case::of_one_thread(Builder::new_current_thread())]
#[case::of_many_threads(Builder::new_multi_thread())]
fn runtime_waits_for_many_children_without_cpu_time(#[case] mut builder: Builder) {
    isolated(move || {
        make_room();
        let runtime = builder.enable_all().build().expect("a runtime can be made");
        runtime.block_on(wait_for_a_crowd());
    });
}

async fn wait_for_a_crowd() {
    let (inputs, ends) = Inputs::new();
    let start = |number| (number, Command::from(inputs.command(number)).spawn().expect("it can be started"));
    let children: Vec<(usize, Child)> = (0..CHILDREN).map(start).collect();
    let quiet = Instant::now() + SETTLING + QUIET;
    let mut tasks = JoinSet::new();
    for (number, child) in children {
        tasks.spawn(async move { (number, wait_with_limit(child, limit_of(number, quiet)).await) });
    }
    sleep(SETTLING).await;

    let (began, before) = (Instant::now(), processor_time());
    sleep(quiet.saturating_duration_since(began)).await;
    judge("tokio", before, began);
    assert_eq!(tasks.len(), CHILDREN);

    drop(ends);
    while let Some(task) = tasks.join_next().await {
        let (number, status) = task.expect("it does not panic");
        assert!(ended_as_expected(number, status), "child {number}: {status}");
    }
}

/// Kills it if it is late.
async fn wait_with_limit(mut child: Child, limit: Instant) -> ExitStatus {
    match timeout_at(limit.into(), child.wait()).await {
        Ok(status) => status.expect("it is ours"),
        Err(_) => child.kill().await.expect("it is ours"),
    }
}
