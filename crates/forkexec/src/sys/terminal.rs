//! The window size, the modes and the foreground process group of a terminal.

use forkexec_core::Pid;
use nix::errno::Errno;
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
    Errno::result(done)?;
    Ok(size)
}

/// Sets the window size. If it changes, the foreground process group gets `SIGWINCH`.
pub(crate) fn set_window_size(terminal: BorrowedFd<'_>, size: libc::winsize) -> io::Result<()> {
    // SAFETY: the call reads the structure, and the descriptor is borrowed.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ as _, &raw const size) };
    Errno::result(done)?;
    Ok(())
}

/// The owner of the foreground of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
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
    // If the terminal is gone, no foreground is to be restored.
    let Ok(now) = foreground(terminal) else { return };
    if set == Some(now) || owner(now, Some(before)) == Owner::Children {
        // This fails if the terminal or the group is gone by now.
        let _ = set_foreground(terminal, before);
    }
}

/// Sets the modes, unless a process group has the foreground that neither belongs to this process nor
/// consists of children of it: such a group has modes of its own.
pub(crate) fn restore_modes(terminal: BorrowedFd<'_>, before: Option<Pid>, modes: &Termios) {
    // The foreground of a terminal that is not the controlling terminal of this process is unknown.
    let is_others = foreground(terminal).is_ok_and(|now| owner(now, before) == Owner::Other);
    if !is_others {
        // This fails if the terminal is gone, and its modes with it.
        let _ = undisturbed(|| tcsetattr(terminal, SetArg::TCSADRAIN, modes));
    }
}

fn owner(foreground: Pid, before: Option<Pid>) -> Owner {
    if before == Some(foreground) || foreground == getpgrp().as_raw() {
        Owner::Own
    } else if is_empty(foreground) || has_child(foreground) {
        Owner::Children
    } else {
        Owner::Other
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

fn is_empty(group: Pid) -> bool {
    nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group), None) == Err(Errno::ESRCH)
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

#[cfg(test)]
mod tests {
    use super::{Owner, owner, set_window_size, window_size};
    use nix::unistd::getpgrp;
    use std::fs::File;
    use std::io::{self, Read};
    use std::os::fd::AsFd;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    #[test]
    fn file_that_is_no_terminal_has_no_size() {
        let file = File::open("/dev/null").expect("it is there");
        let errno = |error: io::Error| error.raw_os_error();
        assert_eq!(window_size(file.as_fd()).map(drop).map_err(errno), Err(Some(libc::ENOTTY)));
        let size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        assert_eq!(set_window_size(file.as_fd(), size).map_err(errno), Err(Some(libc::ENOTTY)));
    }

    #[test]
    fn foreground_belongs_to_this_process_its_children_or_others() {
        assert_eq!(owner(getpgrp().as_raw(), None), Owner::Own);
        assert_eq!(owner(i32::MAX, None), Owner::Children, "the group has no process");

        // The shell leads the group, and leaves a process in it that ends with its input.
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec 3<&0; cat <&3 &"]).process_group(0);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let (input, output) = (shell.stdin.take(), shell.stdout.take());
        let group = i32::try_from(shell.id()).expect("a pid");
        assert_eq!(owner(group, None), Owner::Children);
        assert!(shell.wait().expect("it is ours").success());
        assert_eq!(owner(group, None), Owner::Other);
        assert_eq!(owner(group, Some(group)), Owner::Own, "this process had it from the group");
        drop(input);
        output.expect("it is a pipe").read_to_end(&mut Vec::new()).expect("it can be read");
    }
}
