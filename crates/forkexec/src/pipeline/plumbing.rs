//! The pipes of a pipeline, and the ends that each command gets.

use crate::child_fds::spawn_fds::set_capacity;
use crate::config::settings::Settings;
use crate::config::stdio::{Kind, Stdio};
use crate::error::{InputError, SpawnError, failed};
use crate::prepare::Defaults;
use crate::sys::fd::{self, cloexec, duplicate};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{ChildStderr, ChildStdout};
use std::sync::Arc;

/// The ends for all commands, and the parent's ends of those that they share.
pub(super) struct Plumbing {
    /// For each command, the sources of the streams that it does not set itself.
    pub(super) streams: Vec<Defaults>,
    /// The parent's end of the last command's standard output, if all commands share it as standard error.
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
}

impl Plumbing {
    /// Creates the pipes for `count` commands. `set` are the streams of the pipeline, `defaults` those that
    /// are not set.
    pub(super) fn build(
        count: usize,
        set: &[Option<Stdio>; 3],
        defaults: &Defaults,
    ) -> Result<Self, SpawnError> {
        let [first, last, all] =
            [0, 1, 2].map(|index| set[index].as_ref().map_or(&defaults[index], |stdio| &stdio.0));
        let Ends { last, errors, stdout, stderr } = ends(last, all)?;
        let mut input = first.clone();
        let mut streams = Vec::with_capacity(count);
        for _ in 1..count {
            let (reader, writer) = pipe(None)?;
            streams.push([input, Kind::Fd(writer), errors.clone()]);
            input = Kind::Fd(Arc::new(reader));
        }
        streams.push([input, last, errors]);
        Ok(Self { streams, stdout, stderr })
    }
}

/// The outputs of a pipeline.
struct Ends {
    /// Standard output of the last command.
    last: Kind,
    /// Standard error of all commands. For a pipe it is the shared writing end.
    errors: Kind,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

fn ends(last: &Kind, all: &Kind) -> Result<Ends, SpawnError> {
    match (last, all) {
        (Kind::Piped(capacity), Kind::Merged) => {
            let (reader, writer) = pipe(*capacity)?;
            let shared = Kind::Fd(writer);
            Ok(Ends { last: shared.clone(), errors: shared, stdout: Some(reader.into()), stderr: None })
        }
        (Kind::Inherit, Kind::Merged) => {
            let own = if cloexec(1).is_some() { Kind::Parent(1) } else { Kind::Closed };
            Ok(Ends { last: Kind::Inherit, errors: own, stdout: None, stderr: None })
        }
        (last, Kind::Piped(capacity)) => {
            let (reader, writer) = pipe(*capacity)?;
            Ok(Ends {
                last: last.clone(),
                errors: Kind::Fd(writer),
                stdout: None,
                stderr: Some(reader.into()),
            })
        }
        (last, all) => {
            let errors = if matches!(all, Kind::Merged) { last } else { all };
            Ok(Ends { last: last.clone(), errors: errors.clone(), stdout: None, stderr: None })
        }
    }
}

/// An end must not have the number of a closed stream of the parent: a command that inherits that stream
/// would get it.
const FIRST: i32 = 3;

fn pipe(capacity: Option<usize>) -> Result<(OwnedFd, Arc<OwnedFd>), SpawnError> {
    let (reader, writer) = fd::pipe().map_err(|error| failed("create a pipe of the pipeline", &error))?;
    if let Some(bytes) = capacity {
        set_capacity(&writer, bytes)?;
    }
    Ok((above_standard(reader.into())?, Arc::new(above_standard(writer.into())?)))
}

fn above_standard(fd: OwnedFd) -> Result<OwnedFd, SpawnError> {
    if fd.as_raw_fd() < FIRST { duplicate(fd, FIRST) } else { Ok(fd) }
}

/// Refuses a command that replaces a pipe to its neighbor, or the pipe that `errors` shares with it.
pub(super) fn refuse_streams(
    command: &Settings<'_>,
    is_first: bool,
    is_last: bool,
    errors: Option<&Stdio>,
) -> Result<(), InputError> {
    let own_pipe = matches!(command.streams[1], Some(Stdio(Kind::Piped(_))));
    if own_pipe && is_last && matches!(errors, Some(Stdio(Kind::Merged))) {
        return Err(InputError::StreamInPipeline { stream: "output" });
    }
    let taken = [("input", !is_first), ("output", !is_last)];
    for ((stream, is_piped), (set, number)) in taken.into_iter().zip(command.streams.iter().zip(0..)) {
        let is_mapped = command.mappings.iter().any(|(_, target)| *target == number);
        if is_piped && (is_mapped || set.is_some()) {
            return Err(InputError::StreamInPipeline { stream });
        }
    }
    Ok(())
}
