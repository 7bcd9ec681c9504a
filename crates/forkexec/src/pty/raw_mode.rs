//! Raw mode of a terminal, for a while.

use crate::error::Error;
use crate::sys::terminal;
use forkexec_core::Pid;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::os::fd::AsFd;

/// A guard that has set a terminal to raw mode, and restores its modes when it is dropped.
///
/// In raw mode (`cfmakeraw` of termios(3)) each key is input at once, without echo, and no key sends a signal.
/// Output is not changed either, so that a line ends with `"\r\n"`.
///
/// The drop also gives the foreground of the terminal back as [`Foreground`](crate::Foreground) does. If
/// another process group has the foreground by then, the drop changes nothing: such a group has modes of its
/// own.
///
/// A process that is killed by a signal drops nothing. Handle the signals that may end it.
///
/// # Examples
///
/// ```
/// use forkexec::RawMode;
/// use std::io::{IsTerminal, Read, stdin};
///
/// if stdin().is_terminal() {
///     let raw = RawMode::enter(stdin())?;
///     let mut key = [0];
///     stdin().read_exact(&mut key)?;
///     drop(raw);
///     println!("key {}", key[0]);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "the guard restores the modes when it is dropped"]
pub struct RawMode<T: AsFd> {
    terminal: T,
    modes: Termios,
    /// The foreground process group. `None` if this is not the controlling terminal.
    foreground: Option<Pid>,
}

impl<T: AsFd> RawMode<T> {
    /// Sets a terminal to raw mode.
    ///
    /// If this process is in the background of its terminal, the kernel stops it with `SIGTTOU` first, as any
    /// program that changes the modes.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Terminal`] if the descriptor is not a terminal (`ENOTTY`), or the terminal is gone.
    pub fn enter(terminal: T) -> Result<Self, Error> {
        let failed = |what| move |errno: nix::Error| Error::Terminal { what, error: errno.into() };
        let modes = tcgetattr(&terminal).map_err(failed("get the modes of the terminal"))?;
        let foreground = terminal::foreground(terminal.as_fd()).ok();
        let mut raw = modes.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&terminal, SetArg::TCSADRAIN, &raw).map_err(failed("set the modes of the terminal"))?;
        Ok(Self { terminal, modes, foreground })
    }
}

impl<T: AsFd> Drop for RawMode<T> {
    fn drop(&mut self) {
        let terminal = self.terminal.as_fd();
        terminal::restore_modes(terminal, self.foreground, &self.modes);
        if let Some(before) = self.foreground {
            terminal::restore_foreground(terminal, before, None);
        }
    }
}
