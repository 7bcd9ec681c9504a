//! The pipes of a pipeline, and the ends that each command gets.

use crate::config::settings::Settings;
use crate::config::stdio::{Kind, Stdio};
use crate::error::{InputError, SpawnError, failed};
use crate::prepare::Defaults;
use crate::sys::fd::duplicate;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ChildStderr;
use std::sync::Arc;

/// The ends for all commands, and the parent's end of their shared standard error.
pub(super) struct Plumbing {
    /// For each command, the sources of the streams that it does not set itself.
    pub(super) streams: Vec<Defaults>,
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
        let (errors, stderr) = errors(all)?;
        let mut input = first.clone();
        let mut streams = Vec::with_capacity(count);
        for _ in 1..count {
            let (reader, writer) = pipe()?;
            streams.push([input, Kind::Fd(writer), errors.clone()]);
            input = Kind::Fd(Arc::new(reader));
        }
        streams.push([input, last.clone(), errors]);
        Ok(Self { streams, stderr })
    }
}

/// Returns the source of standard error of all commands. For a pipe it is the shared writing end; the other
/// end is the parent's.
fn errors(all: &Kind) -> Result<(Kind, Option<ChildStderr>), SpawnError> {
    let Kind::Piped = all else { return Ok((all.clone(), None)) };
    let (reader, writer) = pipe()?;
    Ok((Kind::Fd(writer), Some(reader.into())))
}

/// An end must not have the number of a closed stream of the parent: a command that inherits that stream
/// would get it.
const FIRST: i32 = 3;

fn pipe() -> Result<(OwnedFd, Arc<OwnedFd>), SpawnError> {
    let (reader, writer) = io::pipe().map_err(|error| failed("create a pipe of the pipeline", &error))?;
    Ok((above_standard(reader.into())?, Arc::new(above_standard(writer.into())?)))
}

fn above_standard(fd: OwnedFd) -> Result<OwnedFd, SpawnError> {
    if fd.as_raw_fd() < FIRST { duplicate(fd, FIRST) } else { Ok(fd) }
}

/// Refuses a command that replaces a pipe to its neighbor.
pub(super) fn refuse_streams(
    command: &Settings<'_>,
    is_first: bool,
    is_last: bool,
) -> Result<(), InputError> {
    let taken = [("input", !is_first), ("output", !is_last)];
    for ((stream, is_piped), (set, number)) in taken.into_iter().zip(command.streams.iter().zip(0..)) {
        let is_mapped = command.mappings.iter().any(|(_, target)| *target == number);
        if is_piped && (is_mapped || set.is_some()) {
            return Err(InputError::StreamInPipeline { stream });
        }
    }
    Ok(())
}
