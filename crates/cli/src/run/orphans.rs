//! Orphans: processes whose parent has ended. They become children of this process if it is PID 1 or `--reap` is given.

use std::mem::MaybeUninit;

use clap::Args;

use crate::exit::Failure;
use crate::system;

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args)]
#[group(skip)]
pub(super) struct Options {
    /// Adopt and reap orphaned descendants of the program, as PID 1 does (Linux, FreeBSD)
    ///
    /// Without it, the nearest ancestor that adopts orphans gets them. As PID 1, forkexec always reaps orphans.
    #[arg(long, help_heading = "Signals")]
    reap: bool,
}

impl Options {
    /// Makes this process adopt orphans, if `--reap` is given.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses, or has no such operation.
    pub(super) fn apply(&self) -> Result<(), Failure> {
        if !self.reap {
            return Ok(());
        }
        system::adopt_orphans()
            .map_err(|error| Failure::refused("--reap: cannot adopt orphans").because(error))
    }
}

/// Reaps each child that has ended, except the program.
pub(super) fn reap(program: i32) {
    while let Some(child) = ended().filter(|&child| child != program) {
        // SAFETY: waitpid writes no status to a null pointer. The child has ended, and only this thread reaps.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), libc::WNOHANG) };
    }
}

/// Returns a child that has ended, without reaping it.
fn ended() -> Option<i32> {
    changed(libc::P_ALL, 0, libc::WEXITED | libc::WNOWAIT).map(|info| {
        // SAFETY: waitid fills the field for a child that it reports.
        unsafe { info.si_pid() }
    })
}

/// Returns the signal that stopped a child, once for each stop.
pub(super) fn stopped(child: i32) -> Option<i32> {
    changed(libc::P_PID, child, libc::WSTOPPED).map(|info| {
        // SAFETY: waitid fills the field for a child that it reports.
        unsafe { info.si_status() }
    })
}

fn changed(kind: libc::idtype_t, id: i32, options: i32) -> Option<libc::siginfo_t> {
    #[expect(clippy::allow_attributes, reason = "an id has 64 bits on some systems, and a sign on others")]
    #[allow(clippy::cast_lossless, clippy::cast_possible_wrap)]
    let id = id.unsigned_abs() as libc::id_t;
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: waitid fills a `siginfo_t`.
    let waited = unsafe { libc::waitid(kind, id, info.as_mut_ptr(), options | libc::WNOHANG) };
    // SAFETY: a `siginfo_t` of zeroes is valid.
    let info = unsafe { info.assume_init() };
    // SAFETY: with WNOHANG the field is 0 if no child changed.
    (waited == 0 && unsafe { info.si_pid() } != 0).then_some(info)
}
