//! This library.

use super::{Kind, Method, Refusal, succeeded};
use crate::bench::job::{ID, Job, TARGET, Task};
use forkexec::{Child, Command, Error, Stdio};
use std::io::Read as _;
use std::os::fd::BorrowedFd;

pub(super) const COMMAND: Method = Method {
    id: "ours",
    title: "forkexec: Command, made anew each time",
    kind: Kind::Ours,
    worker: "native",
    prepare: |job| {
        let job = job.clone();
        Ok(Box::new(move || {
            let mut command = command(&job, keep);
            finished(command.spawn()?, job.task)
        }))
    },
};

pub(super) const MAPPED: Method = Method {
    id: "ours-mapped",
    title: "forkexec: Command, the two mapped to 3 and 4",
    kind: Kind::Ours,
    worker: "native",
    prepare: |job| {
        let job = job.clone();
        if job.task != Task::High {
            return Err(Refusal::Unable("the same as without"));
        }
        Ok(Box::new(move || {
            let mut command = command(&job, map);
            finished(command.spawn()?, job.task)
        }))
    },
};

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The command of a job; `hand` says how the two descriptors of [`Task::High`] are handed over.
fn command(job: &Job, hand: fn(&mut Command<'static>, &Job)) -> Command<'static> {
    let mut command = Command::new(&job.program);
    command.args(&job.arguments);
    match job.task {
        Task::Plain => {}
        Task::Captured => {
            command.stdout(Stdio::piped());
        }
        Task::High => hand(&mut command, job),
        Task::Full => {
            command.uid(ID).gid(ID).groups([]).current_dir("/").setsid();
            command.map_fd(borrowed(job.source), TARGET);
        }
    }
    command
}

fn keep(command: &mut Command<'static>, job: &Job) {
    for fd in job.kept {
        command.keep_fd(borrowed(fd));
    }
}

fn map(command: &mut Command<'static>, job: &Job) {
    for (fd, target) in job.kept.into_iter().zip(TARGET..) {
        command.map_fd(borrowed(fd), target);
    }
}

fn borrowed(fd: i32) -> BorrowedFd<'static> {
    // SAFETY: a worker never closes what it has opened.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Reads what there is to read, and waits.
fn finished(mut child: Child, task: Task) -> Result<(), Refusal> {
    if task == Task::Captured {
        let mut stdout = child.stdout.take().ok_or_else(|| Refusal::Failed("no stdout".to_owned()))?;
        stdout.read_to_end(&mut Vec::new())?;
    }
    succeeded(child.wait()?)
}
