//! The window size of a terminal.

use crate::error::Error;
use crate::sys::terminal;
use std::os::fd::AsFd;

/// The window size of a terminal. The default is 24 rows of 80 columns.
///
/// # Examples
///
/// ```
/// use forkexec::WindowSize;
/// use std::io::{IsTerminal, stdout};
///
/// if stdout().is_terminal() {
///     let WindowSize { rows, columns, .. } = WindowSize::of(stdout())?;
///     println!("{rows} rows, {columns} columns");
/// }
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowSize {
    /// The number of rows, or 0 if it is unknown.
    pub rows: u16,
    /// The number of columns, or 0 if it is unknown.
    pub columns: u16,
    /// The width in pixels, or 0 if it is unknown.
    pub pixel_width: u16,
    /// The height in pixels, or 0 if it is unknown.
    pub pixel_height: u16,
}

impl WindowSize {
    /// Creates a size in characters. The size in pixels is unknown.
    pub const fn new(rows: u16, columns: u16) -> Self {
        Self { rows, columns, pixel_width: 0, pixel_height: 0 }
    }

    /// Returns the size of a terminal.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Terminal`] if the descriptor is not a terminal (`ENOTTY`), or the terminal is gone.
    pub fn of(terminal: impl AsFd) -> Result<Self, Error> {
        let size = terminal::window_size(terminal.as_fd());
        size.map(Self::from).map_err(|error| Error::Terminal { what: "get the window size", error })
    }
}

impl Default for WindowSize {
    fn default() -> Self {
        Self::new(24, 80)
    }
}

impl From<libc::winsize> for WindowSize {
    fn from(size: libc::winsize) -> Self {
        let libc::winsize { ws_row, ws_col, ws_xpixel, ws_ypixel } = size;
        Self { rows: ws_row, columns: ws_col, pixel_width: ws_xpixel, pixel_height: ws_ypixel }
    }
}

impl From<WindowSize> for libc::winsize {
    fn from(size: WindowSize) -> Self {
        let WindowSize { rows, columns, pixel_width, pixel_height } = size;
        Self { ws_row: rows, ws_col: columns, ws_xpixel: pixel_width, ws_ypixel: pixel_height }
    }
}
