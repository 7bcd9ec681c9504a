//! From settings to what a plan needs: everything that allocates, searches or can be refused.

pub(crate) mod checked;
pub(crate) mod checks;
mod groups;
mod identity;
pub(crate) mod nonblocking;
pub(crate) mod tree_setup;

use crate::child_fds::layout::{Descriptors, Layout, Stream};
use crate::child_fds::low_fds;
use crate::config::c_path::c_path;
use crate::config::environment::Variables;
use crate::config::settings::{Directory, EnoexecFallback, IgnoredSignals, Settings};
use crate::config::stdio::Kind;
use crate::error::{Error, InputError, PathRole, SignalUse};
use crate::exec::c_array::{CStringArray, CStringArrays, CStrings, Strings};
use crate::exec::envp::envp;
use crate::exec::{listen_vars, notify_vars, search};
use crate::prepare::checked::{CheckedCommand, SettingsRef};
use crate::prepare::tree_setup::TreeSetup;
use crate::sys::backend::capabilities;
use crate::sys::fd;
use crate::sys::per_process::Published;
use forkexec_core::{Fd, SignalSet};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

/// The sources of standard streams that were not set.
pub(crate) type Defaults = [Kind; 3];

/// The defaults of `spawn` and `status`.
pub(crate) static INHERITED: Defaults = [Kind::Inherit, Kind::Inherit, Kind::Inherit];

/// The defaults of `output`.
pub(crate) static CAPTURED: Defaults = [Kind::Null, Kind::Piped(None), Kind::Piped(None)];

/// The shell that runs a file which the kernel does not recognize.
pub(crate) const SHELL: &CStr = c"/bin/sh";

impl<'a> CheckedCommand<'a> {
    /// Checks the settings, and lays out the descriptors. `defaults` are the standard streams that were not
    /// set.
    pub(crate) fn new(settings: SettingsRef<'a>, defaults: &Defaults) -> Result<Self, Error> {
        let settings = identity::resolve(settings)?;
        checks::attributes(&settings)?;
        let descriptors = checks::descriptors(&settings)?;
        settings.env.check()?;
        let mut variables = settings.env.resolve();
        listen_vars::announce(&settings, &mut variables);
        notify_vars::announce(&settings.supervision, &mut variables);
        let (candidates, searched) = candidates(&settings, &variables)?;
        let argv = arguments(&settings.args)?;
        let shell_argvs = match settings.enoexec_fallback {
            EnoexecFallback::Refuse => Vec::new(),
            EnoexecFallback::Shell => {
                candidates.iter().map(|candidate| shell_argv(candidate, &argv)).collect()
            }
        };
        let root = settings.root.as_deref().map(|path| c_path(PathRole::RootDirectory, path)).transpose()?;
        let directory = directory(&settings)?;
        let limits = checks::limits(&settings.limits)?;
        let ignore = checks::signals(&settings.ignore, SignalUse::Ignored)?;
        let mask =
            settings.mask.as_ref().map(|mask| checks::signals(mask, SignalUse::Blocked)).transpose()?;
        let streams = streams(&settings, defaults)?;
        checks::directories(&settings)?;
        nonblocking::clear(&settings, defaults)?;
        Ok(Self {
            layout: lay_out(&settings, &descriptors, &streams)?,
            capturing: Published::new(),
            descriptors,
            candidates: CStrings::new(candidates),
            searched,
            argv,
            env: envp(variables),
            shell_argvs: CStringArrays::new(shell_argvs),
            root,
            directory,
            limits,
            drops_groups: checks::drops_groups(&settings),
            reset: reset(settings.ignored),
            ignore,
            mask,
            group_list: groups::list(&settings, capabilities().group_list),
            encoded: settings.attributes.encode()?,
            trees: TreeSetup::new(&settings),
            settings,
        })
    }

    /// Lays out the descriptors of the same command with other defaults.
    pub(crate) fn layout_with(&self, defaults: &Defaults) -> Result<Layout, Error> {
        lay_out(&self.settings, &self.descriptors, &streams(&self.settings, defaults)?)
    }

    /// Returns the size of the arguments and the environment as execve(2) counts it, and that of the longest
    /// string, in bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        let strings = || self.argv.strings().chain(self.env.strings());
        let bytes: usize = strings().map(|string| string.count_bytes() + 1).sum();
        let longest = strings().map(CStr::count_bytes).max().unwrap_or(0);
        (bytes + strings().count() * size_of::<*const u8>(), longest)
    }
}

fn lay_out(
    settings: &Settings<'_>,
    descriptors: &Descriptors,
    streams: &[Stream; 3],
) -> Result<Layout, Error> {
    low_fds::or_give_up(|| Ok(Layout::new(settings, descriptors, streams)?))
}

fn streams(settings: &Settings<'_>, defaults: &Defaults) -> Result<[Stream; 3], InputError> {
    let stream = |index: usize, fd: Fd| {
        let set = settings.streams[index].as_ref().map(|stdio| &stdio.0);
        let mapped = settings.mappings.iter().any(|(_, target)| *target == fd);
        match (set, mapped) {
            (Some(_), true) => Err(InputError::ClaimedTwice { target: fd }),
            (None, true) => Ok(Stream::Mapped),
            (None, false) if settings.pty.is_some() => Ok(Stream::Pty),
            (set, false) => Ok(match set.unwrap_or(&defaults[index]) {
                Kind::Inherit => inherited(fd),
                Kind::Null => Stream::Null,
                Kind::Piped(capacity) => Stream::Piped(*capacity),
                Kind::Merged => Stream::Merged,
                Kind::Closed => Stream::Vacate,
                Kind::Fd(source) => Stream::From(source.as_raw_fd()),
                Kind::Parent(source) if fd::cloexec(*source).is_none() => {
                    return Err(InputError::NotOpen { fd: *source });
                }
                Kind::Parent(source) => Stream::From(*source),
            }),
        }
    };
    Ok([stream(0, 0)?, stream(1, 1)?, stream(2, 2)?])
}

fn inherited(fd: Fd) -> Stream {
    match fd::cloexec(fd) {
        None => Stream::Vacate,
        Some(true) => Stream::Share,
        Some(false) => Stream::Stay,
    }
}

/// Returns the paths to try, and the list of directories if the program is searched.
fn candidates(
    settings: &Settings<'_>,
    variables: &Variables,
) -> Result<(Vec<CString>, Option<OsString>), InputError> {
    let program = &settings.program;
    if settings.executable.is_some() {
        return Ok((Vec::new(), None));
    }
    if program.is_empty() {
        return Err(InputError::EmptyProgram);
    }
    let path = CString::new(program.as_bytes()).map_err(|error| InputError::NulInProgram {
        program: program.clone(),
        position: error.nul_position(),
    })?;
    if program.as_bytes().contains(&b'/') {
        return Ok((vec![path], None));
    }
    let list = settings.search.list(variables);
    match search::candidates(program, &list) {
        Ok(paths) => Ok((paths, Some(list))),
        Err(_) => Err(InputError::NulInSearchPath { list }),
    }
}

fn arguments(args: &[OsString]) -> Result<CStringArray, InputError> {
    let mut strings = Strings::with_capacity(args.len(), args.iter().map(|argument| argument.len()).sum());
    for (index, argument) in args.iter().enumerate() {
        if let Some(position) = nul(argument) {
            return Err(InputError::NulInArgument { index, argument: argument.clone(), position });
        }
        strings.push(&[argument.as_bytes()]);
    }
    Ok(strings.into_array())
}

/// Builds `sh PROGRAM ARGUMENTS…`, without the zeroth argument of the program.
fn shell_argv(candidate: &CStr, argv: &CStringArray) -> CStringArray {
    let mut strings = Strings::with_capacity(0, 0);
    for string in [SHELL, candidate].into_iter().chain(argv.strings().skip(1)) {
        strings.push(&[string.to_bytes()]);
    }
    strings.into_array()
}

/// Returns the path of the working directory, if it was set by path.
fn directory(settings: &Settings<'_>) -> Result<Option<CString>, InputError> {
    match &settings.directory {
        Some(Directory::Path(path)) => c_path(PathRole::WorkingDirectory, path).map(Some),
        _ => Ok(None),
    }
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
