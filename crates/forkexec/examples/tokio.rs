//! Runs four jobs at a time under a tokio runtime, each with a time limit. A job that exceeds it is
//! terminated.
//!
//! Run it with `cargo run --features tokio --example tokio`.

use forkexec::tokio::Command;
use forkexec::{Error, OnDrop};
use std::process::ExitStatus;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_millis(500);
const GRACE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut waiting = ["0.1", "60", "0.2", "0", "60", "0.1", "0", "0.3"].into_iter();
    let mut running = JoinSet::new();
    for seconds in waiting.by_ref().take(4) {
        running.spawn(job(seconds));
    }
    let mut late = 0;
    while let Some(ended) = running.join_next().await {
        let (seconds, status) = ended.expect("no job panics")?;
        println!("sleep {seconds}: {status}");
        late += i32::from(!status.success());
        if let Some(seconds) = waiting.next() {
            running.spawn(job(seconds));
        }
    }
    assert_eq!(late, 2, "those that sleep for a minute");
    Ok(())
}

/// Runs one job. If the task is aborted, its child is killed.
async fn job(seconds: &'static str) -> Result<(&'static str, ExitStatus), Error> {
    let mut child = Command::new("sleep").arg(seconds).on_drop(OnDrop::KillAndWait).spawn()?;
    let status = match timeout(LIMIT, child.wait()).await {
        Ok(ended) => ended?,
        Err(_) => child.terminate_then_kill(GRACE).await?,
    };
    Ok((seconds, status))
}
