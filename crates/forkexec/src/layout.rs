//! Who has which descriptor in the child: the pipes of this one start, and the steps that put all in place.

use crate::fd_plan::{self, Mappings};
use crate::operand::Operand;
use crate::prepare::{Prepared, PreparedDirectory, Stream};
use crate::{FdSource, SpawnError};
use forkexec_core::{Errno, Fd, Move, Stage};
use nix::fcntl::{FcntlArg, fcntl};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The descriptors of one start. Dropping it closes, in the parent, what only the child needs.
pub(crate) struct Layout {
    pub(crate) moves: Vec<Move>,
    /// The working directory, if it is an open one.
    pub(crate) directory: Option<Fd>,
    pub(crate) terminal: Option<Fd>,
    pub(crate) foreground: Option<Fd>,
    /// The parent's ends of the pipes.
    pub(crate) parents: [Option<OwnedFd>; 3],
    held: Vec<OwnedFd>,
}

const STREAMS: [&str; 3] =
    ["the pipe of standard input", "the pipe of standard output", "the pipe of standard error"];

impl Layout {
    /// Opens what the streams need, and solves the moves.
    pub(crate) fn new(prepared: &Prepared<'_>) -> Result<Self, SpawnError> {
        let mut layout = Self {
            moves: Vec::new(),
            directory: None,
            terminal: None,
            foreground: None,
            parents: [None, None, None],
            held: Vec::new(),
        };
        let mut mappings: Mappings =
            prepared.settings.mappings.iter().map(|(source, target)| (*target, source.as_raw_fd())).collect();
        let mut vacated = Vec::new();
        for (index, fd) in [0, 1, 2].into_iter().enumerate() {
            match &prepared.streams[index] {
                Stream::Stay | Stream::Mapped => {}
                Stream::Share => drop(mappings.insert(fd, fd)),
                Stream::Vacate => vacated.push(fd),
                Stream::Null => drop(mappings.insert(fd, layout.open_null()?)),
                Stream::Piped => drop(mappings.insert(fd, layout.open_pipe(index)?)),
                Stream::From(source) => drop(mappings.insert(fd, source.as_raw_fd())),
            }
        }
        layout.place_tools(prepared, &mappings, &vacated)?;
        layout.moves = fd_plan::order(&mappings);
        layout.moves.extend(vacated.into_iter().map(Move::Vacate));
        Ok(layout)
    }

    fn open_null(&mut self) -> Result<Fd, SpawnError> {
        let null = File::options().read(true).write(true).open("/dev/null");
        let null = null.map_err(|error| failed("/dev/null", &error))?;
        Ok(self.hold(null.into()))
    }

    /// The child reads standard input, and writes the others.
    fn open_pipe(&mut self, index: usize) -> Result<Fd, SpawnError> {
        let (reader, writer) = io::pipe().map_err(|error| failed(STREAMS[index], &error))?;
        let (childs, parents): (OwnedFd, OwnedFd) =
            if index == 0 { (reader.into(), writer.into()) } else { (writer.into(), reader.into()) };
        self.parents[index] = Some(parents);
        Ok(self.hold(childs))
    }

    fn hold(&mut self, fd: OwnedFd) -> Fd {
        let number = fd.as_raw_fd();
        self.held.push(fd);
        number
    }

    /// Directory and terminals are used after descriptors were put in place: none of them may lie under a target.
    fn place_tools(
        &mut self,
        prepared: &Prepared<'_>,
        mappings: &Mappings,
        vacated: &[Fd],
    ) -> Result<(), SpawnError> {
        let moving = mappings.iter().filter(|(to, from)| to != from).map(|(&to, _)| to);
        let overwritten: BTreeSet<Fd> = moving.chain(vacated.iter().copied()).collect();
        let settings = prepared.settings;
        if let Some(PreparedDirectory::Fd(fd)) = prepared.directory {
            self.directory = Some(self.tool(prepared, &overwritten, fd)?);
        }
        self.terminal = self.tool_of(prepared, &overwritten, settings.terminal.as_ref())?;
        self.foreground = self.tool_of(prepared, &overwritten, settings.foreground.as_ref())?;
        Ok(())
    }

    fn tool_of(
        &mut self,
        prepared: &Prepared<'_>,
        overwritten: &BTreeSet<Fd>,
        source: Option<&FdSource<'_>>,
    ) -> Result<Option<Fd>, SpawnError> {
        source.map(|source| self.tool(prepared, overwritten, source.as_raw_fd())).transpose()
    }

    fn tool(
        &mut self,
        prepared: &Prepared<'_>,
        overwritten: &BTreeSet<Fd>,
        fd: Fd,
    ) -> Result<Fd, SpawnError> {
        if !overwritten.contains(&fd) {
            return Ok(fd);
        }
        let mut copy = duplicate(fd, 3)?;
        while prepared.open.binary_search(&copy.as_raw_fd()).is_ok() {
            copy = duplicate(fd, copy.as_raw_fd() + 1)?;
        }
        Ok(self.hold(copy))
    }
}

/// The lowest free number from `lowest` up that refers to the same file.
fn duplicate(fd: Fd, lowest: Fd) -> Result<OwnedFd, SpawnError> {
    // SAFETY: the settings that own or borrow the descriptor are borrowed all the while, and were found to be open.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let copy = fcntl(fd.as_fd(), FcntlArg::F_DUPFD_CLOEXEC(lowest))
        .map_err(|errno| failed("a copy of a descriptor", &errno.into()))?;
    // SAFETY: the number is new, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

fn failed(what: &'static str, error: &io::Error) -> SpawnError {
    let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw);
    SpawnError { stage: Stage::Setup, operand: Operand::Thing(what), errno, cause: None }
}
