//! Signals that come to this command while the program runs, and the end of the program.

use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

use forkexec::{Child, Command, Error};
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::started;

/// Whom signals are passed on to; 0 is nobody yet, or nobody any more.
static CHILD: AtomicI32 = AtomicI32::new(0);

/// The last signal that came before there was a child.
static EARLY: AtomicI32 = AtomicI32::new(0);

/// Starts the program, with this process ready for signals.
///
/// `is_apart` says that the terminal's signals reach only one of the two, `keeps_ignored` that what this process was
/// started with is to reach the program: Rust's runtime ignores SIGPIPE, and waiting needs SIGCHLD.
///
/// # Errors
///
/// Those of [`Command::spawn`].
pub(super) fn spawn(command: &mut Command<'_>, is_apart: bool, keeps_ignored: bool) -> Result<Child, Error> {
    let ignored_sigchld = started::ignores(libc::SIGCHLD);
    act(Signal::SIGCHLD, SigHandler::SigDfl);
    if keeps_ignored && ignored_sigchld {
        command.ignore_signal(libc::SIGCHLD);
    }
    let undoes_sigpipe = keeps_ignored && !started::ignored_sigpipe();
    if undoes_sigpipe {
        act(Signal::SIGPIPE, SigHandler::SigDfl);
    }
    let of_terminal = if is_apart { pass_on } else { leave_to_the_child };
    heed(&[Signal::SIGTERM, Signal::SIGHUP], pass_on);
    heed(&[Signal::SIGINT, Signal::SIGQUIT], of_terminal);
    let child = command.spawn();
    if undoes_sigpipe {
        act(Signal::SIGPIPE, SigHandler::SigIgn);
    }
    let child = child?;
    CHILD.store(child.id().cast_signed(), SeqCst);
    match EARLY.swap(0, SeqCst) {
        0 => {}
        early => pass_on(early),
    }
    Ok(child)
}

/// Passes nothing on any more: the program has ended.
pub(super) fn ended() {
    CHILD.store(0, SeqCst);
}

/// Sets a handler, except where the signal is ignored: that is for the program to inherit.
fn heed(signals: &[Signal], handler: extern "C" fn(i32)) {
    for &signal in signals {
        if !started::ignores(signal as i32) {
            act(signal, SigHandler::Handler(handler));
        }
    }
}

fn act(signal: Signal, handler: SigHandler) {
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handlers are the two below, which make one call that is async-signal-safe, or none.
    // It cannot fail: each of these signals may be handled.
    let _ = unsafe { sigaction(signal, &action) };
}

extern "C" fn pass_on(signal: i32) {
    let interrupted = Errno::last_raw();
    match CHILD.load(SeqCst) {
        0 => EARLY.store(signal, SeqCst),
        child => {
            // SAFETY: no memory is passed, and it is async-signal-safe (signal-safety(7)).
            unsafe { libc::kill(child, signal) };
        }
    }
    Errno::set_raw(interrupted);
}

/// The terminal sends it to the whole process group; how the program ends says what it made of it.
extern "C" fn leave_to_the_child(_: i32) {}
