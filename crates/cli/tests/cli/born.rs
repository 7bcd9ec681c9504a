//! How the command is born: without some streams, with signals ignored or blocked, under a filter.

use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use forkexec_tests::deny::Deny;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

/// Lets the command start with these descriptors closed.
pub(crate) fn without<'c>(command: &'c mut Command, numbers: &'static [RawFd]) -> &'c mut Command {
    before_exec(command, || numbers.iter().try_for_each(|&fd| Ok(nix::unistd::close(fd)?)))
}

/// Lets the command start with a signal ignored.
pub(crate) fn ignoring(command: &mut Command, which: Signal) -> &mut Command {
    before_exec(command, move || {
        // SAFETY: no handler of ours is set.
        unsafe { signal(which, SigHandler::SigIgn) }?;
        Ok(())
    })
}

/// Lets the command start with a signal blocked.
pub(crate) fn blocking(command: &mut Command, which: Signal) -> &mut Command {
    before_exec(command, move || Ok(SigSet::from(which).thread_block()?))
}

/// Lets the command start where these calls are denied. Call it in a process of its own: the filter allocates.
pub(crate) fn denied(command: &mut Command, deny: impl Fn() -> Deny + Send + Sync + 'static) -> &mut Command {
    before_exec(command, move || deny().install())
}

fn before_exec(
    command: &mut Command,
    life: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) -> &mut Command {
    // SAFETY: the lives above make async-signal-safe calls. The one that allocates says where it may be used.
    unsafe { command.pre_exec(life) }
}
