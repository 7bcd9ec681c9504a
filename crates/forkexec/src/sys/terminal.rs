//! The window size, the modes and the foreground process group of a terminal.

use forkexec_core::Pid;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{SetArg, Termios, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp, tcsetpgrp};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Returns the window size.
pub(crate) fn window_size(terminal: BorrowedFd<'_>) -> io::Result<libc::winsize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the call writes the structure, and the descriptor is borrowed.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ as _, &raw mut size) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(size) }
}

/// Sets the window size. If it changes, the foreground process group gets `SIGWINCH`.
pub(crate) fn set_window_size(terminal: BorrowedFd<'_>, size: libc::winsize) -> io::Result<()> {
    // SAFETY: the call reads the structure, and the descriptor is borrowed.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ as _, &raw const size) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The owner of the foreground of a terminal, as far as this process may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The terminal is not the controlling terminal of this process, or is gone.
    Unknown,
    /// The process group that is to have the foreground, or that of this process.
    Own,
    /// A process group of children of this process, or one that has no process.
    Children,
    /// Another process group.
    Other,
}

/// Returns the foreground process group.
pub(crate) fn foreground(terminal: BorrowedFd<'_>) -> io::Result<Pid> {
    Ok(tcgetpgrp(terminal)?.as_raw())
}

/// Sets the foreground process group, also from the background.
pub(crate) fn set_foreground(terminal: BorrowedFd<'_>, group: Pid) -> io::Result<()> {
    Ok(undisturbed(|| tcsetpgrp(terminal, nix::unistd::Pid::from_raw(group)))?)
}

/// Makes `before` the foreground process group again, unless a group has the foreground that neither belongs
/// to this process, nor is `set`, nor has children of this process.
pub(crate) fn restore_foreground(terminal: BorrowedFd<'_>, before: Pid, set: Option<Pid>) {
    let is_set = || set.is_some() && foreground(terminal).ok() == set;
    if owner(terminal, before) == Owner::Children || is_set() {
        // This fails if the terminal or the group is gone. Then no foreground is to be restored.
        let _ = set_foreground(terminal, before);
    }
}

/// Sets the modes, unless a process group has the foreground that neither belongs to this process nor
/// consists of children of it: such a group has modes of its own.
pub(crate) fn restore_modes(terminal: BorrowedFd<'_>, before: Option<Pid>, modes: &Termios) {
    if owner(terminal, before.unwrap_or(-1)) != Owner::Other {
        // This fails if the terminal is gone, and its modes with it.
        let _ = undisturbed(|| tcsetattr(terminal, SetArg::TCSADRAIN, modes));
    }
}

fn owner(terminal: BorrowedFd<'_>, before: Pid) -> Owner {
    match tcgetpgrp(terminal) {
        Err(_) => Owner::Unknown,
        Ok(group) if group.as_raw() == before => Owner::Own,
        Ok(group) if group == getpgrp() => Owner::Own,
        Ok(group) if is_empty(group) || has_child(group.as_raw()) => Owner::Children,
        Ok(_) => Owner::Other,
    }
}

/// Runs `change` with `SIGTTOU` blocked, which would stop a process in the background.
fn undisturbed(change: impl FnOnce() -> nix::Result<()>) -> nix::Result<()> {
    let stop = SigSet::from(Signal::SIGTTOU);
    let before = stop.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK);
    let changed = change();
    if let Ok(before) = before {
        // This cannot fail: the mask is one that the thread had.
        let _ = before.thread_set_mask();
    }
    changed
}

fn is_empty(group: nix::unistd::Pid) -> bool {
    nix::sys::signal::killpg(group, None) == Err(nix::Error::ESRCH)
}

/// Returns true if this process has a child in the group that was not waited for.
fn has_child(group: Pid) -> bool {
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    #[expect(clippy::allow_attributes, reason = "an id has 64 bits on some systems, and a sign on others")]
    #[allow(clippy::cast_lossless, clippy::cast_possible_wrap)]
    let id = group.unsigned_abs() as libc::id_t;
    // SAFETY: waitid(2) writes a `siginfo_t`, for which `info` has room.
    unsafe { libc::waitid(libc::P_PGID, id, info.as_mut_ptr(), options) == 0 }
}
