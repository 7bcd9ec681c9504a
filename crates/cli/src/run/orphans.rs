//! Orphans: processes whose parent has ended, and that fall to this process because it is PID 1 or was told `--reap`.

use std::mem::MaybeUninit;

use clap::Args;

use crate::exit::Failure;
use crate::system;

// No doc comment: clap would take it for the description of the subcommand.
#[derive(Args)]
#[group(skip)]
pub(super) struct Options {
    /// Adopt and reap the program's orphans, as PID 1 does (Linux, FreeBSD)
    ///
    /// Without it they fall to the next process above that adopts orphans. As PID 1, forkexec reaps them in any case.
    #[arg(long, help_heading = "Signals")]
    reap: bool,
}

impl Options {
    /// Adopts orphans, if that was asked for.
    ///
    /// # Errors
    ///
    /// The system cannot.
    pub(super) fn apply(&self) -> Result<(), Failure> {
        if !self.reap {
            return Ok(());
        }
        system::adopt_orphans()
            .map_err(|error| Failure::refused("--reap: cannot adopt orphans").because(error))
    }
}

/// Reaps every child that has ended, but not the program.
pub(super) fn reap(program: i32) {
    while let Some(child) = ended().filter(|&child| child != program) {
        // SAFETY: the child was just seen to have ended, and only this thread reaps.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), libc::WNOHANG) };
    }
}

/// A child that has ended. Its status is left.
fn ended() -> Option<i32> {
    changed(libc::P_ALL, 0, libc::WEXITED | libc::WNOWAIT).map(|info| {
        // SAFETY: waitid fills the field for a child that it reports.
        unsafe { info.si_pid() }
    })
}

/// The signal by which a child has stopped, once for each stop.
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
    // SAFETY: all zeroes are one, too.
    let info = unsafe { info.assume_init() };
    // SAFETY: with WNOHANG the field is 0 if no child changed.
    (waited == 0 && unsafe { info.si_pid() } != 0).then_some(info)
}
