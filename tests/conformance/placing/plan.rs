//! A plan of descriptors as data: the parent's table, the requested table of the child, and the result.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use forkexec::{BorrowingCommand, Child, Command, Errno, Error, Stage, Stdio};
use forkexec_tests::guard::Snapshot;
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::world::{self, Reopen};

use crate::start::{Identity, high_memory_file, high_pipe, identity, set_cloexec, written};

/// The parent's table, and the requested table of the child.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Each is a different file. Those of 0, 1 and 2 that are not here are closed.
    pub(super) open: BTreeSet<RawFd>,
    pub(super) cloexec: BTreeSet<RawFd>,
    /// From an open number to a target.
    pub(super) mappings: Vec<(RawFd, RawFd)>,
    pub(super) keep: Vec<RawFd>,
    pub(super) streams: [Option<Stream>; 3],
    pub(super) inherit_all: bool,
    /// The descriptor to which the child writes its report.
    pub(super) report: RawFd,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    Inherit,
    Null,
    Piped,
    Closed,
    /// The parent's descriptor with this number.
    Own(RawFd),
}

/// The file behind a descriptor of the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    /// The file that the parent has under this number.
    Fd(RawFd),
    Null,
    /// The other end of the pipe that the parent got for this stream.
    Pipe(usize),
    Report,
    Unknown,
}

pub(super) type Table = BTreeMap<RawFd, Is>;

/// The report's number where a plan has no other wish.
pub(super) const REPORT: RawFd = 60;

impl Plan {
    /// A parent with these numbers open, and 0, 1 and 2.
    pub(super) fn with_open(numbers: impl IntoIterator<Item = RawFd>) -> Self {
        Self { open: [0, 1, 2].into_iter().chain(numbers).collect(), report: REPORT, ..Self::default() }
    }

    /// Returns the table that the child must get.
    pub(super) fn expected(&self) -> Table {
        let mut table = Table::new();
        if self.inherit_all {
            let inherited = self.open.difference(&self.cloexec).filter(|&&fd| fd > 2);
            table.extend(inherited.map(|&fd| (fd, Is::Fd(fd))));
        }
        for (index, fd) in [0, 1, 2].into_iter().enumerate() {
            match self.streams[index].unwrap_or(Stream::Inherit) {
                Stream::Inherit if self.open.contains(&fd) => table.insert(fd, Is::Fd(fd)),
                Stream::Inherit | Stream::Closed => None,
                Stream::Null => table.insert(fd, Is::Null),
                Stream::Piped => table.insert(fd, Is::Pipe(index)),
                Stream::Own(source) => table.insert(fd, Is::Fd(source)),
            };
        }
        table.extend(self.keep.iter().map(|&fd| (fd, Is::Fd(fd))));
        table.extend(self.mappings.iter().map(|&(source, target)| (target, Is::Fd(source))));
        table.insert(self.report, Is::Report);
        table
    }

    /// Starts the child. Returns its table, and the differences in the parent afterwards.
    ///
    /// A panic cannot be printed while 0, 1 and 2 belong to the plan, so failures are returned as text.
    pub(super) fn carry_out(&self) -> Result<(Table, Vec<String>), String> {
        let mut files = Files::open(self);
        let before = Snapshot::take();
        let mut command = Command::new(probe::path());
        command.args(["report", "--to", &self.report.to_string()]);
        self.apply(&mut command, &mut files);
        let mut child = command.spawn().map_err(|error| format!("the start fails: {error}"))?;
        let pipes = pipes_of(&child);
        let status = child.wait().map_err(|error| format!("it cannot be waited for: {error}"))?;
        if !status.success() {
            return Err(format!("the probe fails: {status}"));
        }
        let table = files.seen().facts.into_iter();
        let table = table.map(|(fd, facts)| (fd, files.which((facts.dev, facts.ino), &pipes))).collect();
        drop((child, command));
        Ok((table, files.differences(&before)))
    }

    /// Makes the same spawn fail for lack of a program. Returns the error, and the differences in the parent
    /// afterwards. `None` if it does not fail.
    pub(super) fn miss(&self) -> Option<(Stage, Errno, Vec<String>)> {
        let mut files = Files::open(self);
        let before = Snapshot::take();
        let mut command = Command::new("/no/such/program");
        self.apply(&mut command, &mut files);
        match command.spawn() {
            Err(Error::Spawn(failure)) => {
                drop(command);
                Some((failure.stage(), failure.errno(), files.differences(&before)))
            }
            Err(other) => Some((Stage::Setup, Errno::IO, vec![other.to_string()])),
            Ok(mut child) => child.wait().ok().and(None),
        }
    }

    fn apply(&self, command: &mut BorrowingCommand<'_>, files: &mut Files) {
        for (index, stream) in self.streams.iter().enumerate() {
            let stdio = stream.map(|stream| match stream {
                Stream::Inherit => Stdio::inherit(),
                Stream::Null => Stdio::null(),
                Stream::Piped => Stdio::piped(),
                Stream::Closed => Stdio::closed(),
                Stream::Own(fd) => files.lend(fd).into(),
            });
            match (index, stdio) {
                (0, Some(stdio)) => command.stdin(stdio),
                (1, Some(stdio)) => command.stdout(stdio),
                (_, Some(stdio)) => command.stderr(stdio),
                (_, None) => continue,
            };
        }
        for &fd in &self.keep {
            command.keep_fd(borrow(fd));
        }
        for &(source, target) in &self.mappings {
            command.fd(target, borrow(source));
        }
        command.fd(self.report, borrow(files.report.as_raw_fd()));
        if self.inherit_all {
            command.inherit_all();
        }
    }
}

/// The plan's open descriptors.
///
/// They are closed before 0, 1 and 2 come back.
struct Files {
    open: BTreeMap<RawFd, OwnedFd>,
    identities: BTreeMap<RawFd, Identity>,
    report: File,
    /// The reading end of the report, if it is a pipe. A pipe can get a low number for the spawn, a regular file
    /// cannot.
    reader: Option<File>,
    _stdio: Reopen,
}

impl Files {
    fn open(plan: &Plan) -> Self {
        let (reader, report) = if is_pipe(plan.report) {
            let (reader, writer) = high_pipe();
            (Some(reader), writer)
        } else {
            (None, high_memory_file())
        };
        let stdio = world::close_stdio(&[0, 1, 2]);
        // The plan's numbers may be reserved by the library, which then takes others.
        let is_reserved = forkexec::low_fds().iter().any(|fd| plan.open.contains(fd));
        if is_reserved {
            forkexec::reserve_low_fds(0).expect("closing cannot fail");
        }
        let open: BTreeMap<_, _> = plan.open.iter().map(|&fd| (fd, open_at(fd))).collect();
        if is_reserved {
            forkexec::reserve_low_fds(4).expect("a pipe can be made");
        }
        open.iter().filter(|(fd, _)| plan.cloexec.contains(fd)).for_each(|(_, file)| set_cloexec(file));
        let identities = plan.open.iter().map(|&fd| (fd, identity_of(fd))).collect();
        Self { open, identities, report, reader, _stdio: stdio }
    }

    /// Returns the report of the probe, which has ended.
    fn seen(&mut self) -> Seen {
        let Some(reader) = &mut self.reader else { return written(&self.report) };
        let mut text = Vec::new();
        let end = reader.read_to_end(&mut text).expect_err("the parent has the writing end");
        assert_eq!(end.kind(), io::ErrorKind::WouldBlock);
        Seen::of(&text)
    }

    /// Returns the file with this number, or a copy if the command owns it already.
    fn lend(&mut self, fd: RawFd) -> OwnedFd {
        let lent = self.open.remove(&fd);
        lent.unwrap_or_else(|| borrow(fd).try_clone_to_owned().expect("it is open"))
    }

    fn which(&self, it: Identity, pipes: &[Option<Identity>; 3]) -> Is {
        let null = fs::metadata("/dev/null").map(|about| (about.dev(), about.ino()));
        if null.is_ok_and(|null| null == it) {
            return Is::Null;
        }
        if identity(&self.report) == it {
            return Is::Report;
        }
        let pipe = pipes.iter().position(|pipe| *pipe == Some(it)).map(Is::Pipe);
        let fd = self.identities.iter().find(|(_, identity)| **identity == it).map(|(&fd, _)| Is::Fd(fd));
        pipe.or(fd).unwrap_or(Is::Unknown)
    }

    /// On drop, a command closes the descriptors that it owns, and no others.
    fn differences(&self, before: &Snapshot) -> Vec<String> {
        let is_lent = |line: &String| line.starts_with("descriptor ") && line.contains(": is gone");
        let lent = self.identities.len() - self.open.len();
        let (gone, mut changed): (Vec<_>, Vec<_>) =
            before.differences(&Snapshot::take()).into_iter().partition(is_lent);
        if gone.len() != lent {
            changed.extend(gone);
        }
        changed
    }
}

/// A new file under this number, that exec leaves open.
fn open_at(number: RawFd) -> OwnedFd {
    let high = if is_pipe(number) { high_pipe().0 } else { high_memory_file() };
    world::place(&high, number)
}

/// Under even numbers there are pipes.
fn is_pipe(number: RawFd) -> bool {
    number % 2 == 0
}

fn pipes_of(child: &Child) -> [Option<Identity>; 3] {
    [
        child.stdin.as_ref().map(identity),
        child.stdout.as_ref().map(identity),
        child.stderr.as_ref().map(identity),
    ]
}

fn identity_of(fd: RawFd) -> Identity {
    identity(borrow(fd).as_fd())
}

fn borrow<'fd>(fd: RawFd) -> BorrowedFd<'fd> {
    // SAFETY: the descriptors of a plan stay open until its child was waited for.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
