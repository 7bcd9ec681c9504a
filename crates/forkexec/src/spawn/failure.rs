//! Turns the report of a child into an error: names the operand and finds the cause.

mod exec;
mod permission;
pub(crate) mod program;
mod size;
mod view;

use crate::config::settings::Directory;
use crate::config::source::FdSource;
use crate::error::{Cause, Error, Operand, SpawnError};
use crate::prepare::checked::CheckedCommand;
use crate::spawn::failure::exec::Sight;
use crate::spawn::failure::permission::{Person, of_directory};
use crate::spawn::failure::size::of_size;
use crate::spawn::failure::view::View;
use crate::sys::cgroup::of_cgroup;
use crate::sys::{backend, system};
use forkexec_core::{
    CHANNEL_REPLACED, Errno, HOOK_PANICKED, HOOK_WITHOUT_ERRNO, LaunchError, Limit, Report, Stage,
};
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Weak;

/// Converts a launcher's error into the error of this command.
pub(crate) fn explain(prepared: &CheckedCommand<'_>, error: LaunchError) -> Error {
    match error {
        LaunchError::Parent { stage, errno } => {
            let operand = match stage {
                Stage::Setup => Operand::Setup("create the report channel"),
                Stage::Namespaces => Operand::Value(prepared.settings.namespaces.new.to_string()),
                _ => Operand::None,
            };
            SpawnError::new(stage, operand, errno, None).into()
        }
        LaunchError::ForkRequired(reason) => Error::ForkRequired { reason },
        LaunchError::Child(report) => of_report(prepared, report).into(),
        LaunchError::StageUnknown(errno) => {
            SpawnError::new(Stage::Start, Operand::None, errno, Some(Cause::StageUnknown)).into()
        }
        LaunchError::Died { stage, status } => {
            Error::Died { stage, status: status.map(ExitStatus::from_raw) }
        }
    }
}

fn of_report(prepared: &CheckedCommand<'_>, report: Report) -> SpawnError {
    let Report { stage, errno, .. } = report;
    match stage {
        Stage::Exec => of_exec(prepared, report),
        _ => SpawnError::new(stage, of_stage(prepared, report), errno, of_earlier(prepared, report)),
    }
}

fn of_hook(report: Report) -> Option<Cause> {
    match report.operand {
        HOOK_WITHOUT_ERRNO => Some(Cause::NoErrno),
        HOOK_PANICKED => Some(Cause::Panicked),
        CHANNEL_REPLACED => Some(Cause::ChannelReplaced),
        _ => None,
    }
}

fn of_stage(prepared: &CheckedCommand<'_>, report: Report) -> Operand {
    let settings = &prepared.settings;
    let number = |id: Option<u32>| id.map_or(Operand::None, |id| Operand::Number(id.into()));
    let signed = |id: Option<i32>| id.map_or(Operand::None, |id| Operand::Number(id.into()));
    // The number that the caller knows, even if the child has moved the descriptor.
    let fd = |fd: Option<&FdSource<'_>>| fd.map_or(Operand::None, |fd| Operand::Fd(fd.as_raw_fd()));
    match report.stage {
        Stage::TakeFds | Stage::KeepFds | Stage::DupFds => Operand::Fd(report.operand),
        Stage::Signals => Operand::Number(report.operand.into()),
        Stage::Cgroup => settings.cgroup.clone().map_or(Operand::None, Operand::Path),
        Stage::Namespaces => settings.namespaces.operand(report.operand),
        Stage::Chroot => prepared.root.as_deref().map_or(Operand::None, path),
        Stage::EarlyChdir => fd(settings.directory_fd()),
        Stage::Chdir => prepared.directory.as_deref().map_or(Operand::None, path),
        Stage::ProcessGroup => signed(settings.process_group),
        Stage::Terminal => fd(settings.terminal.as_ref()),
        Stage::Foreground => fd(settings.foreground.as_ref()),
        Stage::Limits => limit(prepared, report.operand),
        Stage::Nice => signed(settings.nice),
        Stage::Groups => prepared.groups().map_or(Operand::None, |groups| Operand::Groups(groups.to_vec())),
        Stage::Gid => number(settings.gid),
        Stage::Uid => number(settings.uid),
        Stage::DieWithParent => signed(settings.die_with_parent),
        stage => settings.attributes.operand(stage, report.operand),
    }
}

fn limit(prepared: &CheckedCommand<'_>, index: i32) -> Operand {
    let limit = usize::try_from(index).ok().and_then(|index| prepared.limits.get(index));
    limit.map_or(Operand::None, |limit| Operand::Limit {
        name: backend::resource_name(limit.resource),
        soft: limit.soft,
        hard: limit.hard,
    })
}

fn path(path: &CStr) -> Operand {
    Operand::Path(path_buf(path))
}

fn path_buf(path: &CStr) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(path.to_bytes()))
}

fn of_exec(prepared: &CheckedCommand<'_>, report: Report) -> SpawnError {
    let Report { errno, .. } = report;
    let settings = &prepared.settings;
    if let Some(executable) = &settings.executable {
        return of_file(prepared, executable, errno);
    }
    if errno == Errno::NOENT {
        return of_missing(prepared);
    }
    let tried =
        usize::try_from(report.operand).ok().and_then(|index| prepared.candidates.strings().get(index));
    let path = tried.map_or_else(|| PathBuf::from(&settings.program), |path| path_buf(path));
    let cause = match errno {
        Errno::TOOBIG => Some(of_size(prepared)),
        Errno::AGAIN => of_process_limit(prepared),
        errno => View::of_exec(settings)
            .and_then(|view| exec::of_other(&view, Person::of_child(prepared).as_ref(), &path, errno)),
    };
    SpawnError::new(Stage::Exec, Operand::Path(path), errno, cause)
}

fn of_file(prepared: &CheckedCommand<'_>, executable: &FdSource<'_>, errno: Errno) -> SpawnError {
    let fd = executable.as_raw_fd();
    let cause = match errno {
        Errno::NOENT if !prepared.descriptors.kept.contains(&fd) => {
            is_script(fd).then_some(Cause::ScriptNotKept)
        }
        Errno::TOOBIG => Some(of_size(prepared)),
        Errno::AGAIN => of_process_limit(prepared),
        _ => None,
    };
    SpawnError::new(Stage::Exec, Operand::Fd(fd), errno, cause)
}

/// Returns true if the file can be read, and begins with an interpreter line.
fn is_script(fd: RawFd) -> bool {
    let head = File::open(format!("/proc/self/fd/{fd}")).and_then(|mut file| program::head(&mut file));
    head.is_ok_and(|head| program::interpreter(&head).is_some())
}

/// Names the first candidate that exists but lacks something. If all candidates are missing, the program is.
fn of_missing(prepared: &CheckedCommand<'_>) -> SpawnError {
    let settings = &prepared.settings;
    let view = View::of_exec(settings);
    let failed = |path, cause| SpawnError::new(Stage::Exec, Operand::Path(path), Errno::NOENT, cause);
    let mut all_missing = true;
    for path in prepared.candidates.strings().iter().map(|candidate| path_buf(candidate)) {
        match view.as_ref().map_or(Sight::Unseen, |view| exec::of_missing(view, &path)) {
            Sight::There(cause) => return failed(path, cause),
            Sight::Missing => {}
            Sight::Unseen => all_missing = false,
        }
    }
    let missing = || Cause::ProgramMissing { searched: prepared.searched.clone(), from: seen_from(prepared) };
    failed(PathBuf::from(&settings.program), all_missing.then(missing))
}

/// Returns the directory that a relative candidate starts at. `None` for the parent's working directory.
fn seen_from(prepared: &CheckedCommand<'_>) -> Option<Operand> {
    let is_relative = |path: &CString| !path.to_bytes().starts_with(b"/");
    if !prepared.candidates.strings().iter().any(is_relative) {
        return None;
    }
    match &prepared.settings.directory {
        Some(Directory::Path(path)) => Some(Operand::Path(path.clone())),
        Some(Directory::Fd(fd)) => Some(Operand::Fd(fd.as_raw_fd())),
        None => prepared.settings.root.is_some().then(|| Operand::Path("/".into())),
    }
}

/// Handles `EAGAIN` of execve(2), which checks the process limit again after a change of the real user.
fn of_process_limit(prepared: &CheckedCommand<'_>) -> Option<Cause> {
    let settings = &prepared.settings;
    let user = settings.uid.filter(|_| settings.hooks.is_empty())?;
    let limit = |limit: &&Limit| system::processes::LIMIT == Some(limit.resource);
    let set = prepared.limits.iter().rev().find(limit).map(|limit| limit.soft);
    (system::processes::is_at_limit(user, set) == Some(true)).then_some(Cause::ProcessLimit)
}

/// Returns the cause of a failure before exec.
fn of_earlier(prepared: &CheckedCommand<'_>, report: Report) -> Option<Cause> {
    let settings = &prepared.settings;
    match (report.stage, report.errno) {
        (Stage::Cgroup, errno) => of_cgroup(settings.cgroup.as_deref()?, errno),
        (Stage::Chdir, Errno::ACCES) => of_directory(prepared, &path_buf(prepared.directory.as_deref()?)),
        (Stage::Terminal, Errno::PERM) => {
            let pty = settings.pty.as_ref().and_then(Weak::upgrade);
            let terminal = settings.terminal.as_ref().map(AsFd::as_fd);
            session_of(terminal.or(pty.as_ref().map(|ends| ends.controller.as_fd()))?)
                .map(Cause::TerminalOfSession)
        }
        (Stage::PreExec, _) => of_hook(report),
        _ => None,
    }
}

/// Returns the session whose controlling terminal this is. Linux reports it only for the caller's own terminal.
fn session_of(terminal: BorrowedFd<'_>) -> Option<i32> {
    // SAFETY: the call takes a number, and the descriptor is borrowed.
    let session = unsafe { libc::tcgetsid(terminal.as_raw_fd()) };
    seen(session)
}

/// Returns `None` for an error, and for a session of another pid namespace, which has no number here.
fn seen(session: i32) -> Option<i32> {
    (session > 0).then_some(session)
}

#[cfg(test)]
mod tests {
    use super::{explain, seen};
    use crate::command::{BorrowingCommand, Command};
    use crate::error::{Cause, Error, Operand, SpawnError};
    use crate::pty::Pty;
    use crate::pty::window_size::WindowSize;
    use crate::sys::{backend, system};
    use forkexec_core::{Errno, LaunchError, Operation, Report, Resource, Stage};
    use nix::sys::termios::tcgetsid;
    use nix::unistd::{Pid, geteuid};
    use rstest::rstest;
    use std::fs::File;
    use std::io::Write;

    /// The error of a start that fails like this.
    fn explained(command: &mut BorrowingCommand<'_>, error: LaunchError) -> SpawnError {
        let prepared = command.prepare().expect("it can be prepared");
        match explain(&prepared.checked, error) {
            Error::Spawn(error) => error,
            other => panic!("{other:?}"),
        }
    }

    fn at(stage: Stage, errno: Errno) -> LaunchError {
        LaunchError::Child(Report { stage, errno, operand: 0 })
    }

    #[test]
    fn setup_that_failed_in_the_parent_is_named() {
        let error = LaunchError::Parent { stage: Stage::Setup, errno: Errno::MFILE };
        let error = explained(&mut Command::new("true"), error);
        assert_eq!(error.operand(), &Operand::Setup("create the report channel"));
    }

    /// A script that is not kept is gone when its interpreter opens it.
    #[rstest]
    #[case::script("#!/bin/sh\n", false, Some(Cause::ScriptNotKept))]
    #[case::kept_script("#!/bin/sh\n", true, None)]
    #[case::other_file("\x7fELF", false, None)]
    fn open_script_must_be_kept(#[case] text: &str, #[case] is_kept: bool, #[case] cause: Option<Cause>) {
        if !backend::has(Operation::ExecuteFile) {
            return;
        }
        let mut file = tempfile::tempfile().expect("it can be made");
        file.write_all(text.as_bytes()).expect("it is ours");
        let mut command = BorrowingCommand::new("program");
        command.executable(&file);
        if is_kept {
            command.keep_fd(&file);
        }
        assert_eq!(explained(&mut command, at(Stage::Exec, Errno::NOENT)).cause(), cause.as_ref());
    }

    #[test]
    fn arguments_of_an_open_file_can_be_too_large() {
        if !backend::has(Operation::ExecuteFile) {
            return;
        }
        let file = File::open("/dev/null").expect("it is there");
        let error =
            explained(BorrowingCommand::new("program").executable(&file), at(Stage::Exec, Errno::TOOBIG));
        assert!(matches!(error.cause(), Some(Cause::TooLarge { .. })), "{error}");
    }

    /// Another limit of the child has no effect on it.
    #[rstest]
    #[case::reached(0, false)]
    #[case::exceeded(4, true)]
    fn size_limit_is_named_only_if_it_is_exceeded(#[case] excess: usize, #[case] is_named: bool) {
        let mut command = Command::new("program");
        command.env_clear().args(vec!["x".repeat(50_000); 4]);
        let size = |command: &mut BorrowingCommand<'_>| {
            let error = explained(command, at(Stage::Exec, Errno::TOOBIG));
            match error.cause() {
                Some(&Cause::TooLarge { total, limit, .. }) => (total, limit),
                _ => panic!("{error}"),
            }
        };
        let (total, _) = size(&mut command);
        let limit = total - excess;
        let stack = 4 * limit as u64;
        if system::most_bytes(Some(stack)) != Some(limit) {
            return;
        }
        command.rlimit_soft(Resource::STACK, Some(stack)).rlimit_soft(Resource::CORE, Some(0));
        assert_eq!(size(&mut command), (total, is_named.then_some(limit)));
    }

    #[test]
    fn user_of_an_open_file_can_have_too_many_processes() {
        let (true, Some(resource)) = (backend::has(Operation::ExecuteFile), system::processes::LIMIT) else {
            return;
        };
        let file = File::open("/dev/null").expect("it is there");
        let user = geteuid().as_raw();
        let mut command = BorrowingCommand::new("program");
        command.executable(&file).uid(user).rlimit_soft(resource, Some(0));
        let error = explained(&mut command, at(Stage::Exec, Errno::AGAIN));
        // The list of processes may be that of another pid namespace.
        let is_at_limit = system::processes::is_at_limit(user, Some(0)) == Some(true);
        assert_eq!(error.cause(), is_at_limit.then_some(&Cause::ProcessLimit));
    }

    #[rstest]
    #[case::error(-1, None)]
    #[case::in_another_pid_namespace(0, None)]
    #[case::number(7, Some(7))]
    fn only_a_number_of_a_session_is_seen(#[case] session: i32, #[case] expected: Option<i32>) {
        assert_eq!(seen(session), expected);
    }

    #[test]
    fn session_that_has_the_terminal_is_named() {
        // A machine may have no pseudo-terminals.
        let Ok(pty) = Pty::open(WindowSize::new(24, 80)) else { return };
        let mut command = Command::new("cat");
        let mut child = command.pty(&pty).spawn().expect("it starts");
        let error = explained(&mut command, at(Stage::Terminal, Errno::PERM));
        let told = tcgetsid(&pty).map(Pid::as_raw);
        child.kill().expect("it is ours");
        child.wait().expect("it was killed");
        assert_eq!(error.cause(), told.ok().map(Cause::TerminalOfSession).as_ref());
        assert!(told.is_err() || told.map(i32::unsigned_abs) == Ok(child.id()), "{told:?}");
    }
}
