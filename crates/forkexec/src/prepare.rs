//! From what a command was told to what a plan needs: everything that allocates, searches or can be refused.

mod checks;

use crate::c_array::CStringArray;
use crate::env;
use crate::path_search;
use crate::settings::{Directory, IgnoredSignals, Settings, WithoutInterpreter};
use crate::stdio::Kind;
use crate::{Error, InputError};
use forkexec_core::{Fd, SignalSet};
use std::ffi::{CString, NulError, OsStr, OsString};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// A command whose every word was checked.
pub(crate) struct Prepared<'a> {
    pub(crate) settings: &'a Settings<'a>,
    pub(crate) candidates: Vec<CString>,
    /// The directories that were searched for the program.
    pub(crate) searched: Option<OsString>,
    pub(crate) argv: CStringArray,
    pub(crate) env: CStringArray,
    /// For each candidate, what the shell is to be called with.
    pub(crate) shell_argvs: Vec<CStringArray>,
    pub(crate) root: Option<CString>,
    pub(crate) directory: Option<PreparedDirectory>,
    pub(crate) streams: [Stream<'a>; 3],
    /// Numbers from 3 up that the program finds open, sorted.
    pub(crate) open: Vec<Fd>,
    /// Kept descriptors that are close-on-exec in the parent.
    pub(crate) inherit: Vec<Fd>,
    pub(crate) reset: SignalSet,
    pub(crate) ignore: SignalSet,
    pub(crate) mask: Option<SignalSet>,
}

pub(crate) enum PreparedDirectory {
    Path(CString),
    Fd(Fd),
}

/// What becomes of one of 0, 1 and 2.
pub(crate) enum Stream<'a> {
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
    From(&'a std::os::fd::OwnedFd),
}

/// Who runs what the kernel does not recognise.
pub(crate) const SHELL: &std::ffi::CStr = c"/bin/sh";

impl<'a> Prepared<'a> {
    /// Checks the settings, with `defaults` for the standard streams that were not set.
    pub(crate) fn new(settings: &'a Settings<'a>, defaults: &'a [Kind; 3]) -> Result<Self, Error> {
        checks::attributes(settings)?;
        let descriptors = checks::descriptors(settings)?;
        let streams = streams(settings, defaults)?;
        settings.env.check()?;
        let variables = settings.env.resolve();
        let (candidates, searched) = candidates(settings, &settings.search.list(&variables))?;
        let argv = CStringArray::new(arguments(&settings.args)?);
        let shell_argvs = match settings.without_interpreter {
            WithoutInterpreter::Refuse => Vec::new(),
            WithoutInterpreter::Shell => {
                candidates.iter().map(|candidate| shell_argv(candidate, argv.strings())).collect()
            }
        };
        let prepared = Self {
            settings,
            candidates,
            searched,
            argv,
            env: CStringArray::new(env::strings(variables)),
            shell_argvs,
            root: settings.root.as_deref().map(|path| c_path("root directory", path)).transpose()?,
            directory: directory(settings)?,
            streams,
            open: descriptors.open,
            inherit: descriptors.inherit,
            reset: reset(settings.ignored),
            ignore: checks::signals(&settings.ignore, "ignored")?,
            mask: settings.mask.as_ref().map(|mask| checks::signals(mask, "blocked")).transpose()?,
        };
        checks::directories(settings)?;
        Ok(prepared)
    }

    /// Bytes of arguments and environment as execve(2) counts them, and of the longest string.
    pub(crate) fn size(&self) -> (usize, usize) {
        let strings = || self.argv.strings().iter().chain(self.env.strings());
        let bytes: usize = strings().map(|string| string.count_bytes() + 1).sum();
        let longest = strings().map(|string| string.count_bytes()).max().unwrap_or(0);
        (bytes + strings().count() * size_of::<*const u8>(), longest)
    }
}

fn streams<'a>(settings: &'a Settings<'a>, defaults: &'a [Kind; 3]) -> Result<[Stream<'a>; 3], InputError> {
    let stream = |index: usize, fd: Fd| {
        let set = settings.streams[index].as_ref().map(|stdio| &stdio.0);
        let mapped = settings.mappings.iter().any(|(_, target)| *target == fd);
        match (set, mapped) {
            (Some(_), true) => Err(InputError::ClaimedTwice { target: fd }),
            (None, true) => Ok(Stream::Mapped),
            (set, false) => Ok(match set.unwrap_or(&defaults[index]) {
                Kind::Inherit => inherited(fd),
                Kind::Null => Stream::Null,
                Kind::Piped => Stream::Piped,
                Kind::Closed => Stream::Vacate,
                Kind::Fd(source) => Stream::From(source),
            }),
        }
    };
    Ok([stream(0, 0)?, stream(1, 1)?, stream(2, 2)?])
}

fn inherited<'a>(fd: Fd) -> Stream<'a> {
    match checks::is_cloexec(fd) {
        None => Stream::Vacate,
        Some(true) => Stream::Share,
        Some(false) => Stream::Stay,
    }
}

/// The paths to try, and the list they come from if the program was searched.
fn candidates(settings: &Settings<'_>, list: &OsStr) -> Result<(Vec<CString>, Option<OsString>), InputError> {
    let program = &settings.program;
    if program.is_empty() {
        return Err(InputError::EmptyProgram);
    }
    if let Some(position) = nul(program) {
        return Err(InputError::NulInProgram { program: program.clone(), position });
    }
    let paths = path_search::candidates(program, list)
        .map_err(|_| InputError::NulInSearchPath { list: list.to_owned() })?;
    let searched = !program.as_bytes().contains(&b'/');
    Ok((paths, searched.then(|| list.to_owned())))
}

fn arguments(args: &[OsString]) -> Result<Vec<CString>, InputError> {
    let argument = |(index, arg): (usize, &OsString)| {
        CString::new(arg.as_bytes()).map_err(|error: NulError| InputError::NulInArgument {
            index,
            argument: arg.clone(),
            position: error.nul_position(),
        })
    };
    args.iter().enumerate().map(argument).collect()
}

/// `sh PROGRAM ARGUMENTS…`, the arguments without the zeroth.
fn shell_argv(candidate: &CString, argv: &[CString]) -> CStringArray {
    let mut strings = vec![SHELL.to_owned(), candidate.clone()];
    strings.extend(argv.iter().skip(1).cloned());
    CStringArray::new(strings)
}

/// Under a new root the working directory is the root itself unless it is set.
fn directory(settings: &Settings<'_>) -> Result<Option<PreparedDirectory>, InputError> {
    match &settings.directory {
        Some(Directory::Path(path)) => Ok(Some(PreparedDirectory::Path(c_path("working directory", path)?))),
        Some(Directory::Fd(fd)) => Ok(Some(PreparedDirectory::Fd(fd.as_raw_fd()))),
        None => Ok(settings.root.as_ref().map(|_| PreparedDirectory::Path(c"/".to_owned()))),
    }
}

fn c_path(what: &'static str, path: &Path) -> Result<CString, InputError> {
    if path.as_os_str().is_empty() {
        return Err(InputError::EmptyPath { what });
    }
    CString::new(path.as_os_str().as_bytes()).map_err(|error| InputError::NulInPath {
        what,
        path: PathBuf::from(OsString::from_vec(error.into_vec())),
    })
}

fn nul(string: &OsStr) -> Option<usize> {
    string.as_bytes().iter().position(|&byte| byte == 0)
}

fn reset(policy: IgnoredSignals) -> SignalSet {
    match policy {
        IgnoredSignals::Restore => [libc::SIGPIPE, libc::SIGXFSZ, libc::SIGCHLD].into_iter().collect(),
        IgnoredSignals::RestoreAll => SignalSet::ALL,
        IgnoredSignals::Keep => SignalSet::EMPTY,
    }
}
