//! The candidates of a program: their order, the shell for a file that the kernel does not recognise, and the error that counts.
//!
//! A child tries them by execve(2), and a launcher by a call that starts a child and executes the program in one.

use crate::{CStrArray, Errno, Exec, Sys};
use core::ffi::CStr;

/// The error of candidates none of which runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotExecuted {
    /// The errno that counts. `ENOENT` if there is no candidate.
    pub errno: Errno,
    /// The index of its candidate.
    pub index: i32,
}

/// Tries the candidates in order, until `execute` succeeds for one. It gets a path and the arguments of the program.
///
/// The first error counts that is neither `ENOENT` nor `ENOTDIR`, else the last. So a program without permission is not reported
/// as missing.
///
/// # Errors
///
/// Returns the outer error of `execute`, which ends the search.
pub fn execute_first<T, E>(
    exec: &Exec<'_>,
    mut execute: impl FnMut(&CStr, CStrArray<'_>) -> Result<Result<T, Errno>, E>,
) -> Result<Result<T, NotExecuted>, E> {
    let mut reported: Option<NotExecuted> = None;
    let mut shell_argvs = exec.shell.map(|fallback| (fallback.shell, fallback.argvs.iter()));
    let mut index = 0_i32;
    for candidate in exec.candidates {
        let through_shell = shell_argvs.as_mut().and_then(|(shell, argvs)| Some((*shell, *argvs.next()?)));
        let errno = match execute(candidate, exec.argv)? {
            Ok(executed) => return Ok(Ok(executed)),
            Err(errno) => errno,
        };
        if let (Errno::NOEXEC, Some((shell, argv))) = (errno, through_shell) {
            if let Ok(executed) = execute(shell, argv)? {
                return Ok(Ok(executed));
            }
        }
        if reported.is_none_or(|earlier| is_missing(earlier.errno)) {
            reported = Some(NotExecuted { errno, index });
        }
        index = index.saturating_add(1);
    }
    Ok(Err(reported.unwrap_or(NotExecuted { errno: Errno::NOENT, index: 0 })))
}

/// Retries to execute a program that is busy, for 15 milliseconds in all.
///
/// A program that was just written may be busy: another thread may have forked a child, which has a copy of the writing
/// descriptor until its exec.
///
/// # Errors
///
/// Returns the last error of `execute`.
pub fn retry_busy<S: Sys, T>(sys: &S, execute: impl Fn() -> Result<T, Errno>) -> Result<T, Errno> {
    const PAUSES: [u8; 4] = [1, 2, 4, 8];
    for milliseconds in PAUSES {
        sys.pause(milliseconds);
        match execute() {
            Err(Errno::TXTBSY) => {}
            answer => return answer,
        }
    }
    Err(Errno::TXTBSY)
}

/// Returns whether an errno means that the path leads to nothing.
pub const fn is_missing(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR)
}
