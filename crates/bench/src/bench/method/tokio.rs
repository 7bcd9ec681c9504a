//! tokio::process. It has its own worker, because it installs a handler of SIGCHLD.

use super::std_command::lead_session_with;
use super::{Kind, Refusal, SpawnMethod, succeeded};
use crate::bench::job::{Job, Task};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::runtime::Builder;

pub(super) const METHOD: SpawnMethod = SpawnMethod {
    id: "tokio",
    title: "tokio::process",
    kind: Kind::Peer,
    worker: "tokio",
    prepare: |job| {
        if matches!(job.task, Task::Kept | Task::Mapped) {
            return Err(Refusal::Unable("it has no such operation"));
        }
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let job = job.clone();
        Ok(Box::new(move || runtime.block_on(finished(&job))))
    },
};

async fn finished(job: &Job) -> Result<(), Refusal> {
    let mut command = Command::from(super::std_command::command(job));
    if job.task == Task::Full {
        let source = job.source;
        // SAFETY: the closure only makes system calls.
        unsafe { command.pre_exec(move || lead_session_with(source)) };
    }
    let mut child = command.spawn()?;
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut Vec::new()).await?;
    }
    succeeded(child.wait().await?)
}
