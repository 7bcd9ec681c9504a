//! A child with a time limit under smol's reactor, which needs only a descriptor to watch.
//!
//! Run it with `cargo run --example smol`.

use async_io::{Async, Timer};
use forkexec::{Child, Command, OnDrop};
use futures_lite::future;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

fn main() -> io::Result<()> {
    let mut command = Command::new("sleep");
    let mut child = command.arg("60").on_drop(OnDrop::KillAndWait).spawn()?;
    let status = async_io::block_on(async {
        if let Some(status) = wait(&mut child, Duration::from_millis(200)).await? {
            return Ok(status);
        }
        println!("sleep is late: it is killed");
        child.kill()?;
        child.wait().map_err(io::Error::from)
    })?;
    println!("it ended with {status}");
    assert!(!status.success());
    Ok(())
}

/// Returns the status of a child if it ends within this time. One thread can wait for any number of children.
async fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let Some(handle) = child.exit_fd() else { return Ok(child.wait_timeout(limit)?) };
    let ended = Async::new_nonblocking(handle)?; // anything that is `AsFd`
    let late = async {
        Timer::after(limit).await;
        Ok(())
    };
    future::or(ended.readable(), late).await?;
    drop(ended);
    Ok(child.try_wait()?)
}
