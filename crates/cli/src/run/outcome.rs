//! From the library's answers to ours: exit codes, and messages that name options.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use forkexec::{Cause, Errno, Error, InputError, PathRole, SignalUse, SpawnError, Stage};

use super::deadline::Overdue;
use super::{Options, arrivals, watch};
use crate::exit::{Code, Failure};
use crate::{signal, started};

/// With what to exit: as timeout(1) does where the time was over, else as the program did.
pub(super) fn code_of_run(options: &Options, status: ExitStatus, overdue: Option<Overdue>) -> ExitCode {
    match overdue.filter(|_| !options.deadline.preserves_status()) {
        None => code(status),
        Some(Overdue::Terminated) => Code::TimedOut.into(),
        Some(Overdue::Killed) => ExitCode::from(KILLED),
    }
}

/// 128 and `SIGKILL`, whatever the program's own end was.
const KILLED: u8 = 137;

/// The program's own code, or 128 + n if signal n killed it.
pub(crate) fn code(status: ExitStatus) -> ExitCode {
    let signalled = || status.signal().map(|signal| 128 + signal);
    let code = status.code().or_else(signalled).and_then(|code| u8::try_from(code).ok());
    code.map_or(Code::Refused.into(), ExitCode::from)
}

/// Whether the program was killed by `SIGINT`.
pub(crate) fn is_interrupt(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGINT)
}

/// Ends this process by `SIGINT`, as the program was: a shell that runs a script stops the script only if it sees that. With
/// `group`, all of this process's group gets the signal, which the terminal sent to the program's group alone.
///
/// Returns if the signal is ignored here, or this is PID 1. Then the exit code says it.
pub(crate) fn interrupt(group: bool) {
    if started::ignores(libc::SIGINT) {
        return;
    }
    if group {
        watch::interrupt_group();
    }
    arrivals::end_by(libc::SIGINT);
}

/// Why no program runs, in the words of the command line.
pub(super) fn failure(options: &Options, error: &Error) -> Failure {
    let text = match error {
        Error::Input(input) => blame(options, input),
        error => error.to_string(),
    };
    Failure::new(code_of_start(error), text)
}

/// With what to exit where no program runs.
pub(crate) fn code_of_start(error: &Error) -> Code {
    match error {
        Error::Input(InputError::EmptyProgram) => Code::NotFound,
        Error::Spawn(spawn) if spawn.stage() == Stage::Exec => code_of_exec(spawn),
        _ => Code::Refused,
    }
}

/// A program was found if it is there, although something that it needs is missing.
fn code_of_exec(error: &SpawnError) -> Code {
    let may_be_missing = matches!(error.cause(), None | Some(Cause::ProgramMissing { .. }));
    if error.errno() == Errno::NOENT && may_be_missing { Code::NotFound } else { Code::CannotRun }
}

/// Names the options that asked for what cannot be.
fn blame(options: &Options, error: &InputError) -> String {
    let option = match error {
        InputError::ClaimedTwice { target } => {
            let claims = options.descriptors.claims(*target).chain(options.streams.claims(*target));
            return format!("{error}: by {}", claims.collect::<Vec<_>>().join(" and "));
        }
        InputError::UserWithoutGroup { .. } => {
            let user = options.identity.typed_user();
            return format!("--user {user} would keep our group: add --group, or --keep-groups");
        }
        InputError::TargetOutOfRange { target, .. } => {
            let claims = options.descriptors.claims(*target).collect::<Vec<_>>();
            return format!("{}: {error}", claims.join(" and "));
        }
        InputError::BadSignal { signal, verb } => {
            let option = match verb {
                SignalUse::Blocked => "--block-signals",
                SignalUse::Ignored => "--ignore-signal",
                _ => "--die-with-parent",
            };
            return format!("{option}: {} cannot be {verb}", signal::name(*signal));
        }
        InputError::EqualsInEnvName { .. } | InputError::EmptyEnvName => "--unset",
        InputError::EmptyPath { what: PathRole::RootDirectory } => "--chroot",
        InputError::EmptyPath { .. } => "--chdir",
        InputError::TooManyGroups { .. } => "--groups",
        InputError::SessionInOtherGroup { .. } => "--pgroup with --setsid",
        _ => return error.to_string(),
    };
    format!("{option}: {error}")
}
