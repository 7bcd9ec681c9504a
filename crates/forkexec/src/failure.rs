//! From a child's report to an error that a person can act on: the operand's name, and the cause.

use crate::cause::{self, View};
use crate::operand::{self, Operand};
use crate::prepare::checks;
use crate::prepared::Prepared;
use crate::settings::Directory;
use crate::{Cause, Error, FdSource, SpawnError};
use forkexec_core::{CHANNEL_REPLACED, Errno, HOOK_PANICKED, LaunchError, Report, Stage};
use std::ffi::{CStr, OsStr};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// What a launcher's error means for this command.
pub(crate) fn explain(prepared: &Prepared<'_>, error: LaunchError) -> Error {
    match error {
        LaunchError::Parent { stage, errno } => {
            let what =
                if stage == Stage::Setup { Operand::Thing("the report channel") } else { Operand::None };
            SpawnError { stage, operand: what, errno, cause: None }.into()
        }
        LaunchError::NotFast(obstacle) => Error::NotFast { obstacle },
        LaunchError::Child(report) => of_report(prepared, report).into(),
        LaunchError::Died { stage, status } => {
            Error::Died { stage, status: status.map(ExitStatus::from_raw) }
        }
        _ => unreachable!("a kind of launch error that this version does not know"),
    }
}

fn of_report(prepared: &Prepared<'_>, report: Report) -> SpawnError {
    let Report { stage, errno, .. } = report;
    match stage {
        Stage::Exec => of_exec(prepared, report),
        Stage::PreExec => SpawnError { stage, operand: Operand::None, errno, cause: of_hook(report) },
        _ => SpawnError { stage, operand: of_stage(prepared, report), errno, cause: None },
    }
}

fn of_hook(report: Report) -> Option<Cause> {
    match report.operand {
        HOOK_PANICKED => Some(Cause::Panicked),
        CHANNEL_REPLACED => Some(Cause::ChannelReplaced),
        _ => None,
    }
}

fn of_stage(prepared: &Prepared<'_>, report: Report) -> Operand {
    let settings = &prepared.settings;
    let number = |id: Option<u32>| id.map_or(Operand::None, |id| Operand::Number(id.into()));
    let signed = |id: Option<i32>| id.map_or(Operand::None, |id| Operand::Number(id.into()));
    // As the caller knows it, wherever it was moved.
    let fd = |fd: Option<&FdSource<'_>>| fd.map_or(Operand::None, |fd| Operand::Fd(fd.as_raw_fd()));
    match report.stage {
        Stage::Keep | Stage::ParentEnds | Stage::Place => Operand::Fd(report.operand),
        Stage::Signals => Operand::Number(report.operand.into()),
        Stage::Cgroup => settings.cgroup.clone().map_or(Operand::None, Operand::Path),
        Stage::Root => prepared.root.as_deref().map_or(Operand::None, path),
        Stage::EarlyDirectory => fd(checks::directory_fd(settings)),
        Stage::Directory => prepared.directory.as_deref().map_or(Operand::None, path),
        Stage::ProcessGroup => signed(settings.process_group),
        Stage::Terminal => fd(settings.terminal.as_ref()),
        Stage::Foreground => fd(settings.foreground.as_ref()),
        Stage::Limits => limit(prepared, report.operand),
        Stage::Nice => signed(settings.nice),
        Stage::Groups => settings.groups.clone().map_or(Operand::None, Operand::Groups),
        Stage::Gid => number(settings.gid),
        Stage::Uid => number(settings.uid),
        Stage::DieWithParent => signed(settings.die_with_parent),
        _ => Operand::None,
    }
}

fn limit(prepared: &Prepared<'_>, index: i32) -> Operand {
    let limit = usize::try_from(index).ok().and_then(|index| prepared.settings.limits.get(index));
    limit.map_or(Operand::None, |limit| Operand::Limit {
        name: operand::resource_name(limit.resource),
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

fn of_exec(prepared: &Prepared<'_>, report: Report) -> SpawnError {
    let errno = report.errno;
    if errno == Errno::NOENT {
        return of_missing(prepared);
    }
    let tried =
        usize::try_from(report.operand).ok().and_then(|index| prepared.candidates.strings().get(index));
    let path = tried.map_or_else(|| PathBuf::from(&prepared.settings.program), |path| path_buf(path));
    let cause = match errno {
        Errno::TOOBIG => {
            let (total, longest) = prepared.size();
            Some(Cause::TooLarge { total, longest })
        }
        errno => view(prepared).and_then(|view| cause::of_exec(&view, &path, errno)),
    };
    SpawnError { stage: Stage::Exec, operand: Operand::Path(path), errno, cause }
}

/// No candidate was there, or one was and what it needs was not: that one is to be named.
fn of_missing(prepared: &Prepared<'_>) -> SpawnError {
    let view = view(prepared);
    let looked_at = prepared.candidates.strings().iter().filter_map(|candidate| {
        let path = path_buf(candidate);
        let cause = cause::of_exec(view.as_ref()?, &path, Errno::NOENT)?;
        Some((path, cause))
    });
    let there = looked_at.into_iter().find(|(_, cause)| !matches!(cause, Cause::ProgramMissing { .. }));
    let (path, cause) = match there {
        Some((path, cause)) => (path, Some(cause)),
        None => (
            PathBuf::from(&prepared.settings.program),
            view.map(|_| Cause::ProgramMissing { searched: prepared.searched.clone() }),
        ),
    };
    SpawnError { stage: Stage::Exec, operand: Operand::Path(path), errno: Errno::NOENT, cause }
}

/// Where the child saw its paths from, unless the parent cannot look from there.
fn view<'a>(prepared: &'a Prepared<'_>) -> Option<View<'a>> {
    let directory = match &prepared.settings.directory {
        Some(Directory::Path(path)) => Some(path.as_path()),
        // A relative program seen from an open directory: its path is not known.
        Some(Directory::Fd(_)) if is_relative(prepared) => return None,
        _ => None,
    };
    Some(View { root: prepared.settings.root.as_deref(), directory })
}

fn is_relative(prepared: &Prepared<'_>) -> bool {
    prepared
        .candidates
        .strings()
        .iter()
        .any(|candidate| Path::new(OsStr::from_bytes(candidate.to_bytes())).is_relative())
}
