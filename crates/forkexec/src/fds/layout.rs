//! Who has which descriptor in the child: the steps that put all in place, solved once for all starts.
//!
//! What is another descriptor at each start is a place in the plan's `ends`: the child's ends of pipes, and sources that
//! may be lifted to a low number. Such a descriptor never has a number that the plan claims, so that no step overwrites
//! it; a source that is not lifted has its own, with which the moves were solved.

mod relocation;

use crate::config::settings::Settings;
use crate::config::source::FdSource;
use crate::error::{SpawnError, failed};
use crate::fds::moves::{self, Mappings};
use crate::sys::cgroup::cgroup_failed;
use crate::sys::fd::duplicate;
use crate::sys::system;
use forkexec_core::{Cgroup, Fd, Move, Source};
pub(crate) use relocation::Relocation;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// What becomes of one of 0, 1 and 2.
pub(crate) enum Stream {
    /// The parent's own is open, and survives exec as it is.
    Stay,
    /// The parent's own is open, but close-on-exec.
    Share,
    /// It is closed.
    Vacate,
    /// A mapping puts something there.
    Mapped,
    Null,
    Piped,
    From(Fd),
}

/// Which numbers the program finds open, beside what becomes of 0, 1 and 2.
pub(crate) struct Descriptors {
    /// Kept under the number that they have in the parent, sorted.
    pub(crate) kept: Vec<Fd>,
    /// What is open from 3 up: kept ones and targets, sorted.
    pub(crate) open: Vec<Fd>,
}

/// How many descriptors one start may bring: as many as there can be slots.
pub(crate) const ROOM: usize = 16;

/// The places of the streams' pipes come first, by the streams' numbers.
pub(crate) const FIRST_SOURCE: usize = 3;
pub(crate) const ROOM_FOR_SOURCES: usize = ROOM - FIRST_SOURCE;

/// How the descriptors of a command come to their places, whenever it is started.
pub(crate) struct Layout {
    pub(crate) moves: Vec<Move>,
    /// The targets of moves from 3 up, sorted.
    pub(crate) placed: Vec<Fd>,
    /// Kept descriptors that no move brings. Whether one is close-on-exec may change until a start, so none is passed over.
    pub(crate) inherit: Vec<Fd>,
    /// The working directory, if it is an open one.
    pub(crate) directory: Option<Source>,
    pub(crate) terminal: Option<Source>,
    pub(crate) foreground: Option<Source>,
    pub(crate) cgroup: Option<Cgroup>,
    /// Which of the streams are pipes. The place of a pipe among the ends is the stream's number.
    pub(crate) piped: [bool; 3],
    /// What is lifted to low numbers, if a start may do that.
    pub(crate) lift: Option<Relocation>,
    /// What the sources need to stay open.
    _held: Vec<OwnedFd>,
}

impl Layout {
    /// Opens what the streams need at every start, and solves the moves.
    pub(crate) fn new(
        settings: &Settings<'_>,
        descriptors: &Descriptors,
        streams: &[Stream; 3],
    ) -> Result<Self, SpawnError> {
        let mut draft = Draft::new(settings, descriptors);
        for (index, stream) in streams.iter().enumerate() {
            draft.place_stream(index, stream)?;
        }
        let directory = draft.tool(settings.directory_fd())?;
        let terminal = draft.tool(settings.terminal.as_ref())?;
        let foreground = draft.tool(settings.foreground.as_ref())?;
        draft.open_cgroup(settings.cgroup.as_deref())?;
        let may_lift = system::shares_table() && settings.needs_only_what_it_names();
        let lift = may_lift.then(|| Relocation::choose(&draft, &[directory, terminal, foreground]));
        Ok(draft.solve([directory, terminal, foreground], lift))
    }

    /// The sources that a start takes from its ends, each at its place from [`FIRST_SOURCE`](crate::spawn_fds) on.
    pub(crate) fn sources(&self) -> &[Fd] {
        self.lift.as_ref().map_or(&[], |lift| &lift.sources)
    }
}

/// What is known before the moves are solved.
struct Draft<'d> {
    descriptors: &'d Descriptors,
    mappings: Mappings,
    vacated: Vec<Fd>,
    piped: [bool; 3],
    null: Option<Fd>,
    cgroup: Option<Cgroup>,
    held: Vec<OwnedFd>,
}

impl<'d> Draft<'d> {
    fn new(settings: &Settings<'_>, descriptors: &'d Descriptors) -> Self {
        let mappings = settings.mappings.iter().map(|(source, target)| (*target, source.as_raw_fd()));
        Self {
            descriptors,
            mappings: mappings.collect(),
            vacated: Vec::new(),
            piped: [false; 3],
            null: None,
            cgroup: None,
            held: Vec::new(),
        }
    }

    fn place_stream(&mut self, index: usize, stream: &Stream) -> Result<(), SpawnError> {
        let fd = STANDARD[index];
        let source = match stream {
            Stream::Stay | Stream::Mapped => return Ok(()),
            Stream::Vacate => {
                self.vacated.push(fd);
                return Ok(());
            }
            Stream::Share => fd,
            Stream::Null => self.null()?,
            Stream::Piped => {
                self.piped[index] = true;
                stand_in(fd)
            }
            Stream::From(source) => *source,
        };
        self.mappings.insert(fd, source);
        Ok(())
    }

    /// One serves all streams. It stays open, so it must not look like a stream of the parent's that was closed.
    fn null(&mut self) -> Result<Fd, SpawnError> {
        if let Some(null) = self.null {
            return Ok(null);
        }
        let null = File::options().read(true).write(true).open("/dev/null");
        let mut null: OwnedFd = null.map_err(|error| failed("/dev/null", &error))?.into();
        if STANDARD.contains(&null.as_raw_fd()) {
            null = duplicate(null, 3)?;
        }
        let null = self.hold(null);
        self.null = Some(null);
        Ok(null)
    }

    fn hold(&mut self, fd: OwnedFd) -> Fd {
        let number = fd.as_raw_fd();
        self.held.push(fd);
        number
    }

    /// Directory and terminals are used after descriptors were put in place: none of them may lie under a target.
    fn tool(&mut self, source: Option<&FdSource<'_>>) -> Result<Option<Fd>, SpawnError> {
        let Some(source) = source else { return Ok(None) };
        if !self.overwrites(source.as_raw_fd()) {
            return Ok(Some(source.as_raw_fd()));
        }
        let copy = duplicate(source, 3)?;
        self.hold_off_the_targets(copy).map(Some)
    }

    fn hold_off_the_targets(&mut self, mut fd: OwnedFd) -> Result<Fd, SpawnError> {
        let is_target = |fd: Fd| STANDARD.contains(&fd) || self.descriptors.open.binary_search(&fd).is_ok();
        while is_target(fd.as_raw_fd()) {
            fd = duplicate(&fd, fd.as_raw_fd() + 1)?;
        }
        Ok(self.hold(fd))
    }

    /// The control group and the file by which a child enters it are used after descriptors were put in place, too.
    fn open_cgroup(&mut self, path: Option<&Path>) -> Result<(), SpawnError> {
        let Some(path) = path else { return Ok(()) };
        let failed = |error: io::Error| cgroup_failed(path.to_owned(), &error);
        let directory = File::open(path).map_err(failed)?;
        let procs = File::options().write(true).open(path.join("cgroup.procs")).map_err(failed)?;
        let directory = self.hold_off_the_targets(directory.into())?;
        let procs = self.hold_off_the_targets(procs.into())?;
        self.cgroup = Some(Cgroup { directory, procs });
        Ok(())
    }

    fn overwrites(&self, fd: Fd) -> bool {
        self.mappings.get(&fd).is_some_and(|&from| from != fd) || self.vacated.contains(&fd)
    }

    fn solve(mut self, tools: [Option<Fd>; 3], lift: Option<Relocation>) -> Layout {
        let is_lifted = |fd: Fd| lift.as_ref().and_then(|lift| lift.place(fd)).is_some();
        let (brought, stay): (Vec<Fd>, Vec<Fd>) =
            self.descriptors.kept.iter().copied().partition(|&fd| is_lifted(fd));
        self.mappings.extend(brought.into_iter().map(|fd| (fd, fd)));
        let source = |fd| source(fd, lift.as_ref());
        let [directory, terminal, foreground] = tools.map(|tool| tool.map(source));
        Layout {
            moves: self.moves(source),
            placed: self.mappings.keys().copied().filter(|&to| to > 2).collect(),
            inherit: stay,
            directory,
            terminal,
            foreground,
            cgroup: self.cgroup,
            piped: self.piped,
            lift,
            _held: self.held,
        }
    }

    fn moves(&self, source: impl Fn(Fd) -> Source) -> Vec<Move> {
        let solved = moves::order(&self.mappings).into_iter().map(|step| match step {
            Move::Copy { from: Source::Fd(from), to } => Move::Copy { from: source(from), to },
            Move::SaveTemp(Source::Fd(from)) => Move::SaveTemp(source(from)),
            Move::ClearCloexec(fd) => match source(fd) {
                Source::Fd(_) => step,
                from @ Source::SpawnFd(_) => Move::Copy { from, to: fd },
            },
            other => other,
        });
        solved.chain(self.vacated.iter().copied().map(Move::Close)).collect()
    }
}

const STANDARD: [Fd; 3] = [0, 1, 2];

/// The number that stands for a stream's pipe while the moves are solved: no descriptor has it.
const fn stand_in(stream: Fd) -> Fd {
    -1 - stream
}

/// What a number of the solved moves stands for.
fn source(fd: Fd, lift: Option<&Relocation>) -> Source {
    let stream = u8::try_from(-1 - fd).ok();
    let place = stream.or_else(|| lift.and_then(|lift| lift.place(fd)));
    place.map_or(Source::Fd(fd), Source::SpawnFd)
}
