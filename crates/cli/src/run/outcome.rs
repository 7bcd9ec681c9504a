//! Conversion of the library's results: to exit codes, and to messages that name options.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use forkexec::{Cause, Errno, Error, InputError, PathRole, SignalUse, SpawnError, Stage};

use super::deadline::Overdue;
use super::{Options, arrivals, program, watch};
use crate::exit::{Code, Failure};
use crate::{signal, started};

/// Returns the exit code of `run`: if the time was over, that of timeout(1), else that of the program.
pub(super) fn code_of_run(options: &Options, status: ExitStatus, overdue: Option<Overdue>) -> ExitCode {
    match overdue.filter(|_| !options.deadline.preserves_status()) {
        None => code(status),
        Some(Overdue::Terminated) => Code::TimedOut.into(),
        Some(Overdue::Killed) => ExitCode::from(KILLED),
    }
}

/// 128 + `SIGKILL`, independent of how the program ended.
const KILLED: u8 = 137;

/// Returns the exit code of the program, or 128 + n if signal n killed it.
pub(crate) fn code(status: ExitStatus) -> ExitCode {
    let signalled = || status.signal().map(|signal| 128 + signal);
    let code = status.code().or_else(signalled).and_then(|code| u8::try_from(code).ok());
    code.map_or(Code::Refused.into(), ExitCode::from)
}

/// Returns true if `SIGINT` killed the program.
pub(crate) fn is_interrupt(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGINT)
}

/// Kills this process with `SIGINT`, as the program was: otherwise a shell would not stop its script.
///
/// With `group`, the whole process group gets the signal. The terminal sent it only to the group of the program.
///
/// Returns if this process ignores the signal, or is PID 1. Then the exit code shows the signal.
pub(crate) fn interrupt(group: bool) {
    if started::ignores(libc::SIGINT) {
        return;
    }
    if group {
        watch::interrupt_group();
    }
    arrivals::end_by(libc::SIGINT);
}

/// Converts the error of a failed start to a message that names the options.
pub(crate) fn failure(options: &program::Options, error: &Error) -> Failure {
    let text = match error {
        Error::Input(input) => blame(options, input),
        error => error.to_string(),
    };
    Failure::new(code_of_start(error), text)
}

/// Returns the exit code of a failed start.
pub(crate) fn code_of_start(error: &Error) -> Code {
    match error {
        Error::Input(InputError::EmptyProgram) => Code::NotFound,
        Error::Spawn(spawn) if spawn.stage() == Stage::Exec => code_of_exec(spawn),
        _ => Code::Refused,
    }
}

/// An existing program was found, even if its interpreter or loader is missing.
fn code_of_exec(error: &SpawnError) -> Code {
    let may_be_missing = matches!(error.cause(), None | Some(Cause::ProgramMissing { .. }));
    if error.errno() == Errno::NOENT && may_be_missing { Code::NotFound } else { Code::CannotRun }
}

/// Names the options that caused the error.
fn blame(options: &program::Options, error: &InputError) -> String {
    match error {
        InputError::ClaimedTwice { target } => {
            let claims = options.descriptors.claims(*target).chain(options.streams.claims(*target));
            format!("{error}, by {}", options.descriptors.with_announced(claims.collect(), 2))
        }
        InputError::UserWithoutGroup { .. } => {
            let user = options.identity.typed_user();
            format!(
                "--user {user}: cannot set the user id: the program would keep the group of forkexec; add --group or --keep-groups"
            )
        }
        InputError::TargetOutOfRange { target, .. } => {
            let claims = options.descriptors.claims(*target).collect();
            format!("{}: {error}", options.descriptors.with_announced(claims, 1))
        }
        InputError::BadSignal { signal, verb } => {
            let option = match verb {
                SignalUse::Blocked => "--block-signals",
                SignalUse::Ignored => "--ignore-signal",
                _ => "--die-with-parent",
            };
            let name = signal::name(*signal);
            format!("{option}: cannot {verb} {name}: it is not a signal that a process can {verb}")
        }
        _ => option(error).map_or_else(|| error.to_string(), |option| format!("{option}: {error}")),
    }
}

/// Returns the option whose value the library refused, if the error alone tells it.
fn option(error: &InputError) -> Option<&'static str> {
    Some(match error {
        InputError::EqualsInEnvName { .. } | InputError::EmptyEnvName => "--unset",
        InputError::EmptyPath { what: PathRole::RootDirectory } => "--chroot",
        InputError::EmptyPath { what: PathRole::WorkingDirectory } => "--chdir",
        InputError::SoftAboveHard { .. } => "--limit",
        InputError::NoSuchUser { .. } => "--user",
        InputError::MapWithoutUserNamespace => "--map-user, --map-group",
        InputError::EmptyPath { what: PathRole::Unveiled }
        | InputError::UnveilWithoutPledge
        | InputError::BadUnveilPermissions { .. } => "--unveil",
        InputError::BadPromises { .. } => "--pledge",
        InputError::ClockWithoutTimeNamespace => "--monotonic-offset, --boottime-offset",
        InputError::DieWithParentInPidNamespace { .. } => "--setns with --die-with-parent",
        InputError::TooManyGroups { .. } => "--groups",
        InputError::AttributeOutOfRange { stage: Stage::Seccomp, .. } => "--seccomp",
        InputError::AttributeOutOfRange { stage: Stage::TimerSlack, .. } => "--timer-slack",
        InputError::AttributeOutOfRange { stage: Stage::Scheduler, .. } => "--scheduler",
        InputError::AttributeOutOfRange { stage: Stage::MemoryPolicy, .. } => "--memory-policy",
        InputError::AutogroupWithoutSession => "--autogroup-nice",
        InputError::SessionInOtherGroup { .. } => "--pgroup with --setsid",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn out_of_range(stage: Stage) -> InputError {
        InputError::AttributeOutOfRange { stage, value: 9, lowest: 0, highest: 1 }
    }

    /// Some of these errors are those of other systems, or of values that the parser of the options refuses, too.
    ///
    /// Faults: C16
    #[rstest]
    #[case(InputError::EmptyEnvName, Some("--unset"))]
    #[case(InputError::EmptyPath { what: PathRole::RootDirectory }, Some("--chroot"))]
    #[case(InputError::EmptyPath { what: PathRole::WorkingDirectory }, Some("--chdir"))]
    #[case(InputError::EmptyPath { what: PathRole::Unveiled }, Some("--unveil"))]
    #[case(InputError::UnveilWithoutPledge, Some("--unveil"))]
    #[case(InputError::BadUnveilPermissions { permissions: "z".into() }, Some("--unveil"))]
    #[case(InputError::BadPromises { promises: "a  b".into() }, Some("--pledge"))]
    #[case(InputError::TooManyGroups { count: 9, limit: 1 }, Some("--groups"))]
    #[case(out_of_range(Stage::Seccomp), Some("--seccomp"))]
    #[case(out_of_range(Stage::TimerSlack), Some("--timer-slack"))]
    #[case(out_of_range(Stage::Scheduler), Some("--scheduler"))]
    #[case(out_of_range(Stage::MemoryPolicy), Some("--memory-policy"))]
    #[case(out_of_range(Stage::Nice), None)]
    #[case(InputError::AutogroupWithoutSession, Some("--autogroup-nice"))]
    #[case(InputError::NoProcessor, None)]
    fn error_names_the_option(#[case] error: InputError, #[case] expected: Option<&str>) {
        assert_eq!(option(&error), expected);
    }
}
