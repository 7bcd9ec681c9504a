//! Who gets which end of which pipe.

use crate::config::settings::Settings;
use crate::config::stdio::{Kind, Stdio};
use crate::error::{InputError, SpawnError, failed};
use crate::prepare::Defaults;
use crate::sys::fd::duplicate;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ChildStderr;

/// All ends that the commands get, and the parent's of the pipe that all of them write errors to.
pub(super) struct Plumbing {
    /// For each command what its streams are that it does not set itself.
    pub(super) streams: Vec<Defaults>,
    pub(super) stderr: Option<ChildStderr>,
}

impl Plumbing {
    /// Makes the pipes for so many commands. `set` is what was said of the pipeline's streams, `defaults` what they are
    /// without a word.
    pub(super) fn lay(
        count: usize,
        set: &[Option<Stdio>; 3],
        defaults: &Defaults,
    ) -> Result<Self, SpawnError> {
        let [first, last, all] =
            [0, 1, 2].map(|index| set[index].as_ref().map_or(&defaults[index], |stdio| &stdio.0));
        let (errors, stderr) = errors(all)?;
        let mut input = again(first)?;
        let mut streams = Vec::with_capacity(count);
        for _ in 1..count {
            let (reader, writer) = pipe()?;
            streams.push([input, Kind::Fd(writer), again(&errors)?]);
            input = Kind::Fd(reader);
        }
        streams.push([input, again(last)?, errors]);
        Ok(Self { streams, stderr })
    }
}

/// What standard error of all commands is: of a pipe the end that they share. The other one is the parent's.
fn errors(all: &Kind) -> Result<(Kind, Option<ChildStderr>), SpawnError> {
    let Kind::Piped = all else { return Ok((again(all)?, None)) };
    let (reader, writer) = pipe()?;
    Ok((Kind::Fd(writer), Some(reader.into())))
}

/// The same for one command more.
fn again(kind: &Kind) -> Result<Kind, SpawnError> {
    Ok(match kind {
        Kind::Inherit => Kind::Inherit,
        Kind::Null => Kind::Null,
        Kind::Piped => Kind::Piped,
        Kind::Closed => Kind::Closed,
        Kind::Parent(fd) => Kind::Parent(*fd),
        Kind::Fd(fd) => Kind::Fd(duplicate(fd, FIRST)?),
    })
}

/// An end must not look like a stream of the parent's that was closed: a command that inherits that would get it.
const FIRST: i32 = 3;

fn pipe() -> Result<(OwnedFd, OwnedFd), SpawnError> {
    let (reader, writer) = io::pipe().map_err(|error| failed("a pipe of a pipeline", &error))?;
    Ok((raised(reader.into())?, raised(writer.into())?))
}

fn raised(fd: OwnedFd) -> Result<OwnedFd, SpawnError> {
    if fd.as_raw_fd() < FIRST { duplicate(fd, FIRST) } else { Ok(fd) }
}

/// Refuses a command that puts something in the place of a pipe to its neighbour.
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
