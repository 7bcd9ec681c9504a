//! The layout of the child's descriptors: the steps that put all of them in place, computed once for all
//! starts.
//!
//! A descriptor that differs between starts is an index into the plan's `ends`: the child's end of a pipe, or
//! a source that may be relocated to a low number. Such a descriptor never has a number that the plan claims,
//! so no step overwrites it. A source that is not relocated keeps its own number. The order of the moves
//! holds in both cases.

mod relocation;

use crate::child_fds::moves::{self, Mappings};
use crate::config::pty::PtyEnds;
use crate::config::settings::Settings;
use crate::config::source::FdSource;
use crate::error::{SpawnError, failed};
use crate::sys::cgroup::cgroup_failed;
use crate::sys::fd::duplicate;
use crate::sys::pty::{OPEN_USER, open_user};
use crate::sys::system;
use forkexec_core::{Cgroup, Fd, Move, Source};
pub(crate) use relocation::Relocation;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Weak;

/// The source of one of 0, 1 and 2.
pub(crate) enum Stream {
    /// The parent's stream, which is open and survives exec as it is.
    Stay,
    /// The parent's stream, which is open but close-on-exec.
    Share,
    /// Closed.
    Vacate,
    /// A mapping has this target.
    Mapped,
    Null,
    /// A new pipe, of this capacity if it is set.
    Piped(Option<usize>),
    /// The same as standard output.
    Merged,
    /// The user end of the command's pseudo-terminal.
    Pty,
    From(Fd),
}

/// The numbers that the program finds open, besides 0, 1 and 2.
pub(crate) struct Descriptors {
    /// Kept under their number in the parent, sorted.
    pub(crate) kept: Vec<Fd>,
    /// All open numbers from 3 up: kept ones and targets, sorted.
    pub(crate) open: Vec<Fd>,
}

/// The maximum number of descriptors that one start may add: that of low numbers.
pub(crate) const ROOM: usize = 16;

/// The indices of the streams' pipes come first; each is the stream's number.
pub(crate) const FIRST_SOURCE: usize = 3;
pub(crate) const ROOM_FOR_SOURCES: usize = ROOM - FIRST_SOURCE;

const NO_ENDS: [Fd; ROOM] = [-1; ROOM];

/// The steps that put the descriptors of a command in place, at every start.
pub(crate) struct Layout {
    pub(crate) moves: Vec<Move>,
    /// The targets of moves from 3 up, sorted.
    pub(crate) placed: Vec<Fd>,
    /// Kept descriptors that no move copies. All of them are listed, because close-on-exec may change before
    /// a start.
    pub(crate) inherit: Vec<Fd>,
    /// The working directory, if it was set by descriptor.
    pub(crate) directory: Option<Source>,
    pub(crate) terminal: Option<Source>,
    pub(crate) foreground: Option<Source>,
    /// The Landlock ruleset.
    pub(crate) ruleset: Option<Source>,
    /// The open file of the program.
    pub(crate) executable: Option<Source>,
    /// The namespaces that the child joins.
    pub(crate) join: Vec<Source>,
    /// The pid namespaces, which the thread joins that starts the child.
    pub(crate) pid_namespaces: Vec<Fd>,
    pub(crate) cgroup: Option<Cgroup>,
    /// True for streams that are pipes. The index of a pipe in `ends` is the stream's number.
    pub(crate) piped: [bool; 3],
    /// The capacities of these pipes, in bytes, if they are set.
    pub(crate) capacities: [Option<usize>; 3],
    /// `/dev/null`, if a stream is that file.
    pub(crate) null: Option<Fd>,
    /// The sources to relocate to low numbers, if a start may do that.
    pub(crate) relocation: Option<Relocation>,
    /// Descriptors that must stay open for the sources.
    _held: Vec<OwnedFd>,
}

impl Layout {
    /// Opens what the streams need at every start, and orders the moves.
    pub(crate) fn new(
        settings: &Settings<'_>,
        descriptors: &Descriptors,
        streams: &[Stream; 3],
    ) -> Result<Self, SpawnError> {
        let mut draft = Draft::new(settings, descriptors);
        draft.open_pty(settings.pty.as_ref())?;
        for (index, stream) in (0..).zip(streams) {
            draft.place_stream(index, stream)?;
        }
        let directory = draft.setup_fd(settings.directory_fd())?;
        let terminal = draft.setup_fd(settings.terminal.as_ref())?.or(draft.pty);
        let foreground = draft.setup_fd(settings.foreground.as_ref())?;
        draft.open_cgroup(settings.cgroup.as_deref())?;
        let ruleset = draft.setup_fd(settings.attributes.landlock.as_ref())?;
        let join = settings.namespaces.of_others();
        let join: Vec<Fd> = join.map(|namespace| draft.off_the_moves(namespace)).collect::<Result<_, _>>()?;
        let executable = draft.setup_fd(settings.executable.as_ref())?;
        let setup_fds = [directory, terminal, foreground, ruleset, executable];
        let needed: Vec<Fd> = setup_fds.into_iter().flatten().chain(join.iter().copied()).collect();
        let may_relocate = system::shares_table() && settings.needs_only_named_fds();
        let relocation = may_relocate.then(|| Relocation::choose(&draft, &needed));
        let pid_namespaces = settings.namespaces.of_pids().map(AsRawFd::as_raw_fd).collect();
        Ok(Self { pid_namespaces, ..draft.solve(setup_fds, &join, relocation) })
    }

    /// The numbers of the plan's `ends` that are known before a start. The others are -1.
    pub(crate) fn known_ends(&self) -> [Fd; ROOM] {
        self.relocation.as_ref().map_or(NO_ENDS, Relocation::ends)
    }
}

/// The state before the moves are ordered.
struct Draft<'d> {
    descriptors: &'d Descriptors,
    mappings: Mappings,
    vacated: Vec<Fd>,
    piped: [bool; 3],
    capacities: [Option<usize>; 3],
    null: Option<Fd>,
    pty: Option<Fd>,
    cgroup: Option<Cgroup>,
    held: Vec<OwnedFd>,
}

impl<'d> Draft<'d> {
    fn new(settings: &Settings<'_>, descriptors: &'d Descriptors) -> Self {
        let mappings =
            settings.mappings.iter().map(|(source, target)| (*target, Source::Fd(source.as_raw_fd())));
        Self {
            descriptors,
            mappings: mappings.collect(),
            vacated: Vec::new(),
            piped: [false; 3],
            capacities: [None; 3],
            null: None,
            pty: None,
            cgroup: None,
            held: Vec::new(),
        }
    }

    fn place_stream(&mut self, index: u8, stream: &Stream) -> Result<(), SpawnError> {
        let fd = Fd::from(index);
        let source = match stream {
            Stream::Stay | Stream::Mapped => return Ok(()),
            Stream::Merged if self.vacated.contains(&1) => {
                self.vacated.push(fd);
                return Ok(());
            }
            Stream::Merged => self.mappings.get(&1).copied().unwrap_or(Source::Fd(1)),
            Stream::Vacate => {
                self.vacated.push(fd);
                return Ok(());
            }
            Stream::Share => Source::Fd(fd),
            Stream::Null => Source::Fd(self.null()?),
            Stream::Pty => self.pty.map_or(Source::Fd(fd), Source::Fd),
            Stream::Piped(capacity) => {
                self.piped[usize::from(index)] = true;
                self.capacities[usize::from(index)] = *capacity;
                Source::SpawnFd(index)
            }
            Stream::From(source) => Source::Fd(*source),
        };
        self.mappings.insert(fd, source);
        Ok(())
    }

    /// Opens `/dev/null`, once for all streams. It stays open, so its number must not be that of a closed
    /// stream of the parent.
    fn null(&mut self) -> Result<Fd, SpawnError> {
        if let Some(null) = self.null {
            return Ok(null);
        }
        let null = File::options().read(true).write(true).open("/dev/null");
        let mut null: OwnedFd = null.map_err(|error| failed("open /dev/null", &error))?.into();
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

    /// The child uses these descriptors after it puts the others in place, so none of them may
    /// have the number of a target.
    fn setup_fd(&mut self, source: Option<&FdSource<'_>>) -> Result<Option<Fd>, SpawnError> {
        source.map(|source| self.off_the_moves(source)).transpose()
    }

    fn off_the_moves(&mut self, source: &FdSource<'_>) -> Result<Fd, SpawnError> {
        if !self.overwrites(source.as_raw_fd()) {
            return Ok(source.as_raw_fd());
        }
        let copy = duplicate(source, 3)?;
        self.hold_off_the_targets(copy)
    }

    fn hold_off_the_targets(&mut self, mut fd: OwnedFd) -> Result<Fd, SpawnError> {
        let is_target = |fd: Fd| STANDARD.contains(&fd) || self.descriptors.open.binary_search(&fd).is_ok();
        while is_target(fd.as_raw_fd()) {
            fd = duplicate(&fd, fd.as_raw_fd() + 1)?;
        }
        Ok(self.hold(fd))
    }

    /// Opens the user end of a pseudo-terminal, for the streams and as the controlling terminal.
    fn open_pty(&mut self, pty: Option<&Weak<PtyEnds>>) -> Result<(), SpawnError> {
        let Some(pty) = pty else { return Ok(()) };
        let cannot_open = |error: io::Error| failed(OPEN_USER, &error);
        // The kernel reports a closed controller by the same error.
        let closed = || io::Error::from_raw_os_error(libc::EIO);
        let ends = pty.upgrade().ok_or_else(closed).map_err(cannot_open)?;
        let user = ends.take_user().map_or_else(|| open_user(&ends.controller, ends.path.as_deref()), Ok);
        let user = user.map_err(cannot_open)?;
        self.pty = Some(self.hold_off_the_targets(user)?);
        Ok(())
    }

    /// Opens the control group, and the file by which a child enters it. The child uses both after it puts
    /// descriptors in place.
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
        self.mappings.get(&fd).is_some_and(|&from| from != Source::Fd(fd)) || self.vacated.contains(&fd)
    }

    fn solve(mut self, setup_fds: [Option<Fd>; 5], join: &[Fd], relocation: Option<Relocation>) -> Layout {
        let place = |fd: Fd| relocation.as_ref().and_then(|relocation| relocation.place(fd));
        let source = |fd: Fd| place(fd).map_or(Source::Fd(fd), Source::SpawnFd);
        for from in self.mappings.values_mut() {
            if let Source::Fd(fd) = *from {
                *from = source(fd);
            }
        }
        let (relocated, stay): (Vec<Fd>, Vec<Fd>) =
            self.descriptors.kept.iter().copied().partition(|&fd| place(fd).is_some());
        self.mappings.extend(relocated.into_iter().map(|fd| (fd, source(fd))));
        let known_ends = relocation.as_ref().map_or(NO_ENDS, Relocation::ends);
        let mut moves = moves::order(&self.mappings, &known_ends);
        moves.extend(self.vacated.iter().copied().map(Move::Close));
        let is_kept = |fd: &Fd| self.descriptors.kept.binary_search(fd).is_ok();
        let [directory, terminal, foreground, ruleset, executable] = setup_fds;
        // The interpreter of a script opens the number that the program keeps.
        let executable = executable.map(|fd| if is_kept(&fd) { Source::Fd(fd) } else { source(fd) });
        let [directory, terminal, foreground, ruleset] =
            [directory, terminal, foreground, ruleset].map(|setup_fd| setup_fd.map(source));
        Layout {
            moves,
            placed: self.mappings.keys().copied().filter(|&to| to > 2).collect(),
            inherit: stay,
            directory,
            terminal,
            foreground,
            ruleset,
            executable,
            join: join.iter().copied().map(source).collect(),
            pid_namespaces: Vec::new(),
            cgroup: self.cgroup,
            piped: self.piped,
            capacities: self.capacities,
            null: self.null,
            relocation,
            _held: self.held,
        }
    }
}

const STANDARD: [Fd; 3] = [0, 1, 2];
