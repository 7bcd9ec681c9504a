//! std::process::Command: without additions, with a pre_exec closure that closes descriptors, and with a user.

use super::{Refusal, SpawnMethod, Spawner, succeeded};
use crate::bench::job::{ID, Job, TARGET, Task};
use std::io::{self, Read as _};
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

pub(super) const PLAIN: SpawnMethod =
    SpawnMethod::peer("std", "Rust std::process::Command", |job| match job.task {
        Task::Plain | Task::Captured => Ok(run(job, |_, _| ())),
        Task::Kept | Task::Mapped | Task::Full => Err(Refusal::Unable("it has no such operation")),
    });

pub(super) const PRE_EXEC: SpawnMethod =
    SpawnMethod::peer("std-pre-exec", "Rust std + pre_exec that closes", |job| Ok(run(job, close_in_child)));

pub(super) const UID: SpawnMethod =
    SpawnMethod::peer("std-uid", "Rust std + .uid(0)", |job| match job.task {
        Task::Plain | Task::Captured => Ok(run(job, |command, _| {
            command.uid(0);
        })),
        Task::Kept | Task::Mapped | Task::Full => Err(Refusal::Unable("it has no such operation")),
    });

fn run(job: &Job, more: fn(&mut Command, &Job)) -> Spawner {
    let job = job.clone();
    Box::new(move || {
        let mut command = command(&job);
        more(&mut command, &job);
        finished(&mut command)
    })
}

/// Makes the command of a job, without the attributes that std lacks.
pub(super) fn command(job: &Job) -> Command {
    let mut command = Command::new(&job.program);
    command.args(&job.arguments);
    if job.task == Task::Captured {
        command.stdout(Stdio::piped());
    }
    if job.task == Task::Full {
        // As root, std also drops all supplementary groups.
        command.uid(ID).gid(ID).current_dir("/");
    }
    command
}

/// Spawns, reads captured output, and waits.
pub(super) fn finished(command: &mut Command) -> Result<(), Refusal> {
    let mut child = command.spawn()?;
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut Vec::new())?;
    }
    succeeded(child.wait()?)
}

/// Makes all descriptors close-on-exec in the child, except the passed ones.
fn close_in_child(command: &mut Command, job: &Job) {
    let (task, kept, source) = (job.task, job.kept, job.source);
    let close = move || {
        // SAFETY: the calls take only numbers, and the child has its own descriptor table.
        check(unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) })?;
        match task {
            Task::Plain | Task::Captured => Ok(()),
            Task::Kept => kept.into_iter().try_for_each(survive_exec),
            Task::Mapped => kept.into_iter().zip(TARGET..).try_for_each(duplicate),
            Task::Full => lead_session_with(source),
        }
    };
    // SAFETY: the closure only makes system calls.
    unsafe { command.pre_exec(close) };
}

/// Starts a session, and maps the descriptor.
pub(super) fn lead_session_with(source: RawFd) -> io::Result<()> {
    lead_session()?;
    duplicate((source, TARGET))
}

/// Starts a session.
pub(super) fn lead_session() -> io::Result<()> {
    // SAFETY: the call takes no arguments.
    check(unsafe { libc::setsid() }.into())
}

fn duplicate((source, target): (RawFd, RawFd)) -> io::Result<()> {
    // SAFETY: the call takes only numbers.
    check(unsafe { libc::dup2(source, target) }.into())
}

fn survive_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: the call takes only numbers.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) }.into())
}

fn check(result: i64) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
