//! The descriptors that are new at each start: the pipes of the standard streams.

use crate::SpawnError;
use crate::layout::{Layout, STREAMS, duplicate, failed};
use forkexec_core::{Fd, Plan};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// How many there may be: what a plan's `ends` have room for.
const ROOM: usize = 3;

/// The descriptors of one start. Dropping it closes, in the parent, what only the child needs.
pub(crate) struct Ends {
    /// The child's end of each stream's pipe, by the stream's number.
    numbers: [Fd; ROOM],
    childs: [Option<OwnedFd>; 3],
    parents: [Option<OwnedFd>; 3],
}

impl Ends {
    /// Opens the pipes of the layout. The child's ends get numbers that `plan` does not claim, because its moves were
    /// put in order without knowing them.
    pub(crate) fn open(layout: &Layout, plan: &Plan<'_>) -> Result<Self, SpawnError> {
        let mut ends =
            Self { numbers: [NONE; ROOM], childs: [None, None, None], parents: [None, None, None] };
        for index in (0..3).filter(|&index| layout.piped[index]) {
            let (childs, parents) = pipe(index)?;
            let childs = off_the_targets(childs, plan)?;
            ends.numbers[index] = childs.as_raw_fd();
            ends.childs[index] = Some(childs);
            ends.parents[index] = Some(parents);
        }
        Ok(ends)
    }

    /// What a plan's `ends` are.
    pub(crate) fn numbers(&self) -> &[Fd] {
        &self.numbers
    }

    /// The parent's ends of the pipes.
    pub(crate) fn take_parents(&mut self) -> [Option<OwnedFd>; 3] {
        std::mem::take(&mut self.parents)
    }
}

const NONE: Fd = -1;

/// The child's and the parent's end: the child reads standard input, and writes the others.
fn pipe(index: usize) -> Result<(OwnedFd, OwnedFd), SpawnError> {
    let (reader, writer) = io::pipe().map_err(|error| failed(STREAMS[index], &error))?;
    Ok(if index == 0 { (reader.into(), writer.into()) } else { (writer.into(), reader.into()) })
}

fn off_the_targets(mut fd: OwnedFd, plan: &Plan<'_>) -> Result<OwnedFd, SpawnError> {
    while plan.claims(fd.as_raw_fd()) {
        fd = duplicate(fd.as_raw_fd(), fd.as_raw_fd() + 1)?;
    }
    Ok(fd)
}
