//! The crate command-fds, on top of std.

use super::std_command::{command, finished, lead_session};
use super::{Refusal, SpawnMethod};
use crate::bench::job::{Job, TARGET, Task};
use command_fds::{CommandFdExt as _, FdMapping};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

pub(super) const METHOD: SpawnMethod = SpawnMethod::peer("command-fds", "command-fds", |job| {
    if matches!(job.task, Task::Plain | Task::Captured) {
        return Err(Refusal::Unable("without a mapping it is the same as std"));
    }
    let job = job.clone();
    Ok(Box::new(move || {
        let mut command = command(&job);
        map(&mut command, &job)?;
        finished(&mut command)
    }))
});

fn map(command: &mut Command, job: &Job) -> Result<(), Refusal> {
    let mappings = if job.task == Task::Full {
        // SAFETY: setsid only makes a system call.
        unsafe { command.pre_exec(lead_session) };
        vec![mapping(job.source, TARGET)?]
    } else {
        let [a, b] = if job.task == Task::Kept { job.kept } else { [TARGET, TARGET + 1] };
        vec![mapping(job.kept[0], a)?, mapping(job.kept[1], b)?]
    };
    command.fd_mappings(mappings).map(|_| ()).map_err(|error| Refusal::Failed(error.to_string()))
}

/// Duplicates the source, because the crate takes ownership.
fn mapping(source: RawFd, target: RawFd) -> Result<FdMapping, Refusal> {
    // SAFETY: a worker never closes the descriptors that it has opened.
    let borrowed = unsafe { BorrowedFd::borrow_raw(source) };
    Ok(FdMapping { parent_fd: borrowed.try_clone_to_owned()?, child_fd: target })
}
