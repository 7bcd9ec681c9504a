//! The expected result of a spawn if a call fails: the error, or `None` if it succeeds by an alternative.

use forkexec_core::{CHANNEL_REPLACED, Errno, FIRST_HIGH, Fd, LaunchError, Move, Report, Source, Stage};

use super::plans::Row;
use crate::failing::Side;
use crate::script::Call;

/// Returns the expected error if this call of a spawn fails with this errno.
pub(super) fn told(row: &Row, calls: &[Call], call: &Call, errno: Errno) -> Option<LaunchError> {
    if call.side == Side::Parent {
        return told_of_the_parent(call, errno);
    }
    let stage = call.stage.expect("every call of a child belongs to a stage");
    if stage == Stage::Exec && call.name == "execve" {
        return told_of_exec(row, calls, call, errno).map(LaunchError::Child);
    }
    if has_an_answer(row, calls, call, stage, errno) {
        return None;
    }
    let errno = match stage {
        _ if is_about_the_limit(call, errno) => Errno::MFILE,
        // No kernel has the last capability that the child asks for.
        Stage::Capabilities if is_control(calls, call, stage) => Errno::PERM,
        _ => errno,
    };
    Some(LaunchError::Child(Report { stage, errno, operand: operand(row, calls, call, stage) }))
}

fn told_of_the_parent(call: &Call, errno: Errno) -> Option<LaunchError> {
    let [pidfd, cgroup] = call.numbers;
    let is_about_the_pidfd = pidfd != 0 && matches!(errno, Errno::MFILE | Errno::NFILE);
    let (stage, errno) = match call.name {
        "start" if errno.is_refusal() || cgroup != 0 || is_about_the_pidfd => return None,
        "start" | "fork" => (Stage::Start, errno),
        "dup_min" if errno == Errno::INVAL => (Stage::Setup, Errno::MFILE),
        "map_private" | "forbid" | "block_signals" | "map_shared" | "pipe" | "dup_min" | "file_id" => {
            (Stage::Setup, errno)
        }
        _ => return None,
    };
    Some(LaunchError::Parent { stage, errno })
}

/// If the pipe cannot be read, the parent kills the child, unless the child has reported already.
pub(super) fn is_unreadable(call: &Call, errno: Errno) -> bool {
    call.side == Side::Parent && call.name == "read" && errno != Errno::INTR
}

fn has_an_answer(row: &Row, calls: &[Call], call: &Call, stage: Stage, errno: Errno) -> bool {
    let number = call.numbers[0];
    match (stage, call.name) {
        // After `TakeFds`, another child copies the table.
        (Stage::Close | Stage::TakeFds, _)
        | (Stage::UnshareFiles, "close_range_unshare" | "file_id")
        | (Stage::Limits, "descriptor_limit") => true,
        // Another child copies the table.
        (Stage::UnshareFiles, _) => errno.is_refusal(),
        (Stage::DupFds, "close") => errno == Errno::BADF && row.plan.moves.contains(&Move::Close(number)),
        (Stage::DupFds, "dup2") => matches!(errno, Errno::INTR | Errno::BUSY),
        (Stage::Signals, "disposition") => errno == Errno::INVAL && is_untouchable(number),
        (Stage::Signals, "set_disposition") => {
            let looks = calls.iter().any(|call| call.name == "disposition");
            errno == Errno::INVAL && is_untouchable(number) && !looks && !row.plan.ignore.contains(number)
        }
        (Stage::Exec | Stage::Seccomp, "write") => errno == Errno::INTR,
        (Stage::Landlock | Stage::Seccomp, "attribute") => is_control(calls, call, stage),
        (Stage::Capabilities, "attribute") => errno == Errno::INVAL && is_control(calls, call, stage),
        _ => false,
    }
}

/// A call that fails on a kernel which answers itself: the first of a filter, and the last of the other stages.
fn is_control(calls: &[Call], call: &Call, stage: Stage) -> bool {
    let mut same = calls.iter().filter(|it| it.stage == Some(stage) && it.name == "attribute");
    let control = if stage == Stage::Seccomp { same.next() } else { same.next_back() };
    call.name == "attribute" && control.is_some_and(|control| control.index == call.index)
}

/// No call touches it, or it is one of those of which the C library keeps some.
fn is_untouchable(signal: i32) -> bool {
    matches!(signal, libc::SIGKILL | libc::SIGSTOP | 32..)
}

/// The free number that a ring is saved under was found, and the next one is above the limit.
fn is_about_the_limit(call: &Call, errno: Errno) -> bool {
    (call.name, errno) == ("dup_min", Errno::INVAL) && call.numbers[1] > 0
}

fn operand(row: &Row, calls: &[Call], call: &Call, stage: Stage) -> i32 {
    let [first, second] = call.numbers;
    match (stage, call.name) {
        (Stage::DupFds, "dup2") => {
            let is_copy = row.plan.moves.contains(&Move::Copy { from: Source::Fd(first), to: second });
            if is_copy { first } else { taken(row, second).unwrap_or(second) }
        }
        (Stage::DupFds, "close") => number_on_the_way(calls, call),
        (Stage::KeepFds | Stage::DupFds | Stage::Signals, _) | (_, "fchdir") => first,
        (Stage::Limits, _) => {
            let earlier = calls.iter().filter(|it| it.name == "set_limit" && it.index < call.index);
            i32::try_from(earlier.count()).expect("there are few")
        }
        (Stage::PreExec, _) => CHANNEL_REPLACED,
        _ => 0,
    }
}

/// The source of a move to this target, under the number that it has in the parent.
fn taken(row: &Row, target: Fd) -> Option<Fd> {
    row.plan.moves.iter().find_map(|step| match *step {
        Move::Copy { from: Source::Fd(from), to } if to == target && from >= FIRST_HIGH => Some(from),
        _ => None,
    })
}

/// The report names a saved copy that has to move by its source, and a restored one by its own number.
fn number_on_the_way(calls: &[Call], call: &Call) -> Fd {
    let before = &calls[..call.index];
    let is_restored = before.iter().any(|it| it.name == "dup2" && it.numbers[0] == call.numbers[0]);
    let saved = before.iter().rev().find(|it| it.name == "dup_min" && it.stage == Some(Stage::DupFds));
    match saved {
        Some(saved) if !is_restored && is_between(before, saved) => saved.numbers[0],
        _ => call.numbers[0],
    }
}

fn is_between(before: &[Call], saved: &Call) -> bool {
    before.last().is_some_and(|last| last.index == saved.index)
}

/// Tries the candidates as documented, with one attempt that fails.
fn told_of_exec(row: &Row, calls: &[Call], failing: &Call, errno: Errno) -> Option<Report> {
    let attempts = calls.iter().filter(|call| call.name == "execve" && call.index < failing.index);
    let (failing, mut attempt) = (attempts.count(), 0);
    // A busy program is tried again, and is not busy any more.
    let mut execve = |natural: Option<Errno>| {
        attempt += 1;
        if attempt - 1 == failing && errno != Errno::TXTBSY { Some(errno) } else { natural }
    };
    let mut reported: Option<Report> = None;
    for (operand, natural) in (0..).zip(row.answers) {
        let errno = execve(*natural)?;
        if errno == Errno::NOEXEC && row.plan.exec.shell.is_some() {
            execve(None)?;
        }
        let is_missing = |report: &Report| matches!(report.errno, Errno::NOENT | Errno::NOTDIR);
        if reported.as_ref().is_none_or(is_missing) {
            reported = Some(Report { stage: Stage::Exec, errno, operand });
        }
    }
    reported
}
