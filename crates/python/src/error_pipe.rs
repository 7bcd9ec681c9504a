//! The error report that `subprocess` reads: a text on a pipe. A forked child writes it. If the child shared memory, the
//! parent writes it, because it knows the error as soon as it continues.

use forkexec_core::{Closed, Errno, Fd, Report, Reporter, Stage, Sys};

/// The writing end of the error pipe.
pub(crate) struct ErrorPipe<'a, S> {
    pub(crate) sys: &'a S,
    /// The descriptor to which the text is written.
    pub(crate) fd: Fd,
    /// True if it stays open when other descriptors are closed.
    pub(crate) survives: bool,
    /// True if it is not in the keep list, and is closed before exec.
    pub(crate) closes_before_exec: bool,
    /// True if the text distinguishes a failed chdir.
    pub(crate) names_chdir: bool,
}

impl<S: Sys> ErrorPipe<'_, S> {
    /// Writes the parent's report of a failed child. Writes nothing if a child would have closed the pipe before.
    pub(crate) fn fail_for_child(&self, report: Report) {
        if !(self.closes_before_exec && report.stage == Stage::Exec) {
            self.fail(report);
        }
    }
}

// SAFETY: each method calls `S`, which meets the requirements of `Sys`, and composes its text on the stack.
unsafe impl<S: Sys> Reporter for ErrorPipe<'_, S> {
    fn enter(&self, stage: Stage, _at: Option<u64>) -> Result<(), Errno> {
        if stage == Stage::Exec && self.closes_before_exec {
            let _ = self.sys.close(self.fd);
        }
        Ok(())
    }

    fn closed(&self, _closed: Closed) {}

    fn intact(&self) -> Result<(), Errno> {
        Ok(())
    }

    fn fail(&self, report: Report) {
        let text = Text::of(report, self.names_chdir);
        write_all(text.as_bytes(), |rest| self.sys.write(self.fd, rest));
    }

    fn channel(&self) -> Option<Fd> {
        self.survives.then_some(self.fd)
    }
}

/// Writes all bytes, and continues after a signal or a partial write. Other errors end it: there is no way to report them.
pub(crate) fn write_all(mut text: &[u8], write: impl Fn(&[u8]) -> Result<usize, Errno>) {
    while !text.is_empty() {
        match write(text) {
            Ok(0) => return,
            Ok(written) => text = text.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// A report in the form that `subprocess` reads.
pub(crate) struct Text {
    bytes: [u8; LONGEST],
    length: usize,
}

/// Room for `OSError:`, eight digits, `:` and `noexec:chdir`, and for the text of a failed `preexec_fn`.
const LONGEST: usize = 64;

impl Text {
    pub(crate) fn of(report: Report, names_chdir: bool) -> Self {
        let mut text = Self { bytes: [0; LONGEST], length: 0 };
        if report.stage == Stage::PreExec {
            text.push(b"SubprocessError:0:Exception occurred in preexec_fn.");
            return text;
        }
        text.push(b"OSError:");
        text.push_hex(report.errno.raw().unsigned_abs());
        text.push(b":");
        if report.stage < Stage::PreExec {
            text.push(b"noexec");
        }
        if report.stage == Stage::EarlyChdir && names_chdir {
            text.push(b":chdir");
        }
        text
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
                self.length = self.length.wrapping_add(1);
            }
        }
    }

    fn push_hex(&mut self, number: u32) {
        let digits = (0..u32::BITS / 4).rev().map(|place| number >> (place * 4));
        let digits = digits.skip_while(|&digit| digit == 0);
        for digit in digits {
            let digit = (digit & 0xf) as u8;
            self.push(&[if digit < 10 { b'0' | digit } else { digit.wrapping_add(b'a' - 10) }]);
        }
    }
}
