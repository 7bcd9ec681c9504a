//! This library.

use super::{Kind, Refusal, SpawnMethod, Spawner, succeeded};
use crate::bench::job::{ID, Job, TARGET, Task};
use forkexec::{Child, Command, Error, SpawnPolicy, Stdio};
use std::io::Read as _;
use std::os::fd::BorrowedFd;

pub(super) const COMMAND: SpawnMethod = SpawnMethod {
    id: "ours",
    title: "forkexec: a new Command each time",
    kind: Kind::Ours,
    worker: "native",
    prepare: |job| {
        let job = job.clone();
        Ok(Box::new(move || finished(command(&job).spawn()?, job.task)))
    },
};

pub(super) const PREPARED: SpawnMethod = SpawnMethod {
    id: "ours-prepared",
    title: "forkexec: Prepared, checked once",
    kind: Kind::Ours,
    worker: "native",
    prepare: |job| prepared(job, |command| command),
};

pub(super) const WITHOUT_PIDFD: SpawnMethod = SpawnMethod {
    id: "ours-prepared-without-pidfd",
    title: "forkexec: Prepared, create_pidfd(false)",
    kind: Kind::Ours,
    worker: "native",
    prepare: |job| prepared(job, |command| command.create_pidfd(false)),
};

/// Not one of ours, whose targets it cannot meet.
pub(super) const FORK: SpawnMethod =
    SpawnMethod::peer("fork", "forkexec: Prepared, SpawnPolicy::Fork", |job| {
        prepared(job, |command| command.spawn_policy(SpawnPolicy::Fork))
    });

fn prepared(job: &Job, set: fn(&mut Command) -> &mut Command) -> Result<Spawner, Refusal> {
    let task = job.task;
    let mut command = command(job);
    set(&mut command);
    let prepared = command.into_prepared()?;
    Ok(Box::new(move || finished(prepared.spawn()?, task)))
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

fn command(job: &Job) -> Command {
    let mut command = Command::new(&job.program);
    command.args(&job.arguments);
    match job.task {
        Task::Plain => {}
        Task::Captured => {
            command.stdout(Stdio::piped());
        }
        Task::Kept => {
            command.keep_fd(borrowed(job.kept[0])).keep_fd(borrowed(job.kept[1]));
        }
        Task::Mapped => {
            command.fd(TARGET, borrowed(job.kept[0])).fd(TARGET + 1, borrowed(job.kept[1]));
        }
        Task::Full => {
            command.uid(ID).gid(ID).groups([]).current_dir("/").setsid();
            command.fd(TARGET, borrowed(job.source));
        }
    }
    command
}

fn borrowed(fd: i32) -> BorrowedFd<'static> {
    // SAFETY: a worker never closes the descriptors that it has opened.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Reads captured output, and waits.
fn finished(mut child: Child, task: Task) -> Result<(), Refusal> {
    if task == Task::Captured {
        let mut stdout = child.stdout.take().ok_or_else(|| Refusal::Failed("no stdout".to_owned()))?;
        stdout.read_to_end(&mut Vec::new())?;
    }
    succeeded(child.wait()?)
}
