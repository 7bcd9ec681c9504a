//! The state in which the command starts: with closed streams, ignored or blocked signals, or a filter.

use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use forkexec_tests::deny::Deny;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

/// Starts the command with these descriptors closed.
pub(crate) fn without<'c>(command: &'c mut Command, numbers: &'static [RawFd]) -> &'c mut Command {
    before_exec(command, || numbers.iter().try_for_each(|&fd| Ok(nix::unistd::close(fd)?)))
}

/// Starts the command with a signal ignored.
pub(crate) fn ignoring(command: &mut Command, which: Signal) -> &mut Command {
    before_exec(command, move || {
        // SAFETY: ignoring a signal installs no handler.
        unsafe { signal(which, SigHandler::SigIgn) }?;
        Ok(())
    })
}

/// Starts the command with a signal blocked.
pub(crate) fn blocking(command: &mut Command, which: Signal) -> &mut Command {
    before_exec(command, move || Ok(SigSet::from(which).thread_block()?))
}

/// Starts the command under a filter that denies these calls. The filter allocates, so call this only in a process with one
/// thread.
pub(crate) fn denied(command: &mut Command, deny: impl Fn() -> Deny + Send + Sync + 'static) -> &mut Command {
    before_exec(command, move || deny().install())
}

fn before_exec(
    command: &mut Command,
    setup: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) -> &mut Command {
    // SAFETY: the closures above make async-signal-safe calls, except that of `denied`, whose callers have one thread.
    unsafe { command.pre_exec(setup) }
}
