//! `fork_exec` itself: from its arguments to the child's pid.

use crate::arguments::Arguments;
use crate::checks;
use crate::descriptors::Descriptors;
use crate::error_pipe::ErrorPipe;
use crate::gc;
use crate::guard::guard;
use crate::ids::Identity;
use crate::memory::NoMemory;
use crate::optional;
use crate::pipe;
use crate::preexec::{self, Callable};
use crate::py::{self, Object, Owned, Raised, Result, imported, raise_errno, without_lock};
use crate::strings::Strings;
use crate::version::Version;
use core::ffi::CStr;
use forkexec::raw;
use forkexec_core::{
    Backend, CStrArray, CloseStrategy, Errno, Exec, Fd, Hook, LaunchError, Pid, Plan, SignalSet,
    WorkingDirectory,
};
use std::sync::atomic::{AtomicU8, Ordering};

/// Starts a child, and returns its pid.
pub(crate) fn fork_exec(tuple: Object<'_>) -> Result<Owned> {
    let version = Version::running();
    let arguments = Arguments::parse(tuple, version)?;
    let keep = checks::check(&arguments, version)?;
    let paused = arguments.preexec_fn.map(|_| gc::pause(version)).transpose()?;
    // After an error or a panic, the garbage collector is enabled again, too.
    let started = guard(|| start(&arguments, &convert(&arguments, version)?, &keep, version));
    let resumed = paused.map_or(Ok(()), gc::Paused::resume);
    let pid = started?;
    resumed?;
    Owned::int(pid.into())
}

/// The converted arguments, in the order of their errors.
struct Converted {
    executables: Strings,
    args: Option<Strings>,
    env: Option<Strings>,
    cwd: Option<Owned>,
    identity: Identity,
}

fn convert(arguments: &Arguments<'_>, version: Version) -> Result<Converted> {
    Ok(Converted {
        executables: Strings::of_bytes(arguments.executables)?,
        args: arguments.args.some().map(Strings::of_arguments).transpose()?,
        env: arguments.env.some().map(Strings::of_bytes).transpose()?,
        cwd: arguments.cwd.some().map(Object::fs_encoded).transpose()?,
        identity: match arguments.ids {
            Some(ids) => Identity::new(ids, version)?,
            None => Identity::default(),
        },
    })
}

fn start(arguments: &Arguments<'_>, converted: &Converted, keep: &[Fd], version: Version) -> Result<Pid> {
    if version.audits() {
        let event = [arguments.executables, arguments.args, arguments.env];
        optional::audit(c"_posixsubprocess.fork_exec", event)?;
    }
    let pipes = arguments.pipes;
    let is_kept = keep.binary_search(&pipes.errpipe_write).is_ok();
    // SAFETY: the error pipe writes to and closes only `errpipe_write`, which the caller passed for that. `preexec` forks a
    // child, which executes a program or exits.
    let backend = unsafe { raw::backend() };
    let reporter = ErrorPipe {
        sys: backend.sys(),
        fd: pipes.errpipe_write,
        survives: arguments.close_fds,
        closes_before_exec: arguments.close_fds && !is_kept,
        names_chdir: converted.cwd.is_some() && names_chdir(version),
    };
    let argv = converted.args.as_ref().map(Strings::array).transpose()?;
    let env = converted.env.as_ref().map(Strings::array).transpose()?;
    let candidates = converted.executables.strings()?;
    let exec = Exec {
        candidates: &candidates,
        argv: argv.as_deref().and_then(CStrArray::new).unwrap_or(CStrArray::EMPTY),
        env: env.as_deref().and_then(CStrArray::new),
        shell: None,
    };
    let directory = converted.cwd.as_ref().map(|cwd| cwd.get().c_str()).transpose()?;
    if let Some(callable) = arguments.preexec_fn.map(Callable) {
        let descriptors = Descriptors::for_fork(pipes, keep).map_err(NoMemory::raise)?;
        let hook = || callable.call();
        // SAFETY: the child holds the interpreter's lock, and `PyOS_AfterFork_Child` made the interpreter usable in it. The
        // interpreter guarantees no more to a `preexec_fn`.
        let hook = unsafe { Hook::new(&hook) };
        let plan = plan(arguments, &descriptors, &converted.identity, directory, exec);
        return preexec::fork(backend, &Plan { hook: Some(hook), ..plan }, &reporter);
    }
    let shares = may_share_memory(arguments, version) && pipe::takes_a_report(pipes);
    let launch = || -> core::result::Result<Pid, Failure> {
        if shares {
            let descriptors = if arguments.close_fds {
                Descriptors::for_sharing(pipes, keep)?
            } else {
                Descriptors::for_fork(pipes, keep)?
            };
            let plan = plan(arguments, &descriptors, &converted.identity, directory, exec);
            // SAFETY: the caller of `fork_exec` owns the descriptors that it passes by number, until the call returns. If the
            // child gets the environment of this process, the launch holds the interpreter's lock, as in the interpreter.
            match unsafe { raw::spawn_unreaped(&plan) } {
                Err(LaunchError::ForkRequired(_)) => {}
                started => {
                    let (pid, failure) = started?;
                    if let Some(report) = failure {
                        reporter.fail_for_child(report);
                    }
                    return Ok(pid);
                }
            }
        }
        let descriptors = Descriptors::for_fork(pipes, keep)?;
        let plan = plan(arguments, &descriptors, &converted.identity, directory, exec);
        // SAFETY: as above.
        Ok(unsafe { raw::fork_unreaped(&plan, &reporter) }?)
    };
    // Without the lock, other threads could change the environment of the process.
    let keeps_lock = converted.env.is_none() && !version.releases_lock();
    let launched = if keeps_lock { launch() } else { without_lock(launch) };
    launched.map_err(Failure::raise)
}

fn plan<'a>(
    arguments: &Arguments<'_>,
    descriptors: &'a Descriptors,
    identity: &'a Identity,
    directory: Option<&'a CStr>,
    exec: Exec<'a>,
) -> Plan<'a> {
    let restored = [libc::SIGPIPE, libc::SIGXFSZ].into_iter().filter(|_| arguments.restore_signals);
    Plan {
        keep: descriptors.keep(),
        inherit: &descriptors.inherit,
        moves: &descriptors.moves,
        placed: &descriptors.placed,
        // CPython changes the directory before the ids.
        early_directory: directory.map(WorkingDirectory::Path),
        umask: identity.umask,
        reset: restored.collect::<SignalSet>(),
        session: arguments.setsid,
        process_group: (arguments.process_group >= 0).then_some(arguments.process_group),
        groups: identity.groups.as_deref(),
        gid: identity.gid,
        uid: identity.uid,
        close: arguments.close_fds.then_some(CloseStrategy::Bulk),
        pidfd: false,
        ..Plan::new(exec)
    }
}

/// Returns true unless the caller forbids shared memory. 3.10 has the flag in `subprocess`, and does not pass it.
fn may_share_memory(arguments: &Arguments<'_>, version: Version) -> bool {
    if version != Version(10) {
        return arguments.allow_vfork;
    }
    let Some(subprocess) = imported(c"subprocess") else { return true };
    let flag = subprocess.get().attribute(c"_USE_VFORK").and_then(|flag| flag.get().is_true());
    flag.unwrap_or_else(|_| {
        py::clear();
        true
    })
}

/// Returns true if the `subprocess` that reads the report knows `noexec:chdir`. Releases of one version differ.
fn names_chdir(version: Version) -> bool {
    const UNKNOWN: u8 = 0;
    const NO: u8 = 1;
    const YES: u8 = 2;
    static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);
    if KNOWN.load(Ordering::Relaxed) == UNKNOWN {
        let Some(subprocess) = imported(c"subprocess") else { return version.names_chdir() };
        let path = [c"Popen", c"_execute_child", c"__code__", c"co_consts"];
        let constants = path.into_iter().try_fold(subprocess, |object, name| object.get().attribute(name));
        let found = constants.and_then(|constants| constants.get().contains(c"noexec:chdir"));
        let found = found.unwrap_or_else(|_| {
            py::clear();
            version.names_chdir()
        });
        KNOWN.store(if found { YES } else { NO }, Ordering::Relaxed);
    }
    KNOWN.load(Ordering::Relaxed) == YES
}

/// The reason why there is no child.
enum Failure {
    NoMemory(NoMemory),
    SpawnPolicy(LaunchError),
}

impl From<NoMemory> for Failure {
    fn from(refused: NoMemory) -> Self {
        Self::NoMemory(refused)
    }
}

impl From<LaunchError> for Failure {
    fn from(error: LaunchError) -> Self {
        Self::SpawnPolicy(error)
    }
}

impl Failure {
    fn raise(self) -> Raised {
        match self {
            Self::NoMemory(refused) => NoMemory::raise(refused),
            Self::SpawnPolicy(LaunchError::Parent { errno, .. }) => raise_errno(errno.raw()),
            Self::SpawnPolicy(_) => raise_errno(Errno::AGAIN.raw()),
        }
    }
}
