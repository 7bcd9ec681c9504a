//! The way in which `subprocess` is told what failed in a child: a text on a pipe. A forked child writes it. For one that
//! shares memory its parent does, which knows what failed as soon as it goes on.

use forkexec_core::{Closed, Errno, Fd, Report, Reporter, Stage, Sys};

/// The child's end of it.
pub(crate) struct ErrorPipe<'a, S> {
    pub(crate) sys: &'a S,
    /// Where the text goes.
    pub(crate) fd: Fd,
    /// Whether it has to be there until exec, when other descriptors are closed.
    pub(crate) survives: bool,
    /// Whether it is not among the descriptors to keep: then it is gone before exec.
    pub(crate) closes_before_exec: bool,
    /// Whether a failed chdir is told from other failures.
    pub(crate) names_chdir: bool,
}

impl<S: Sys> ErrorPipe<'_, S> {
    /// The parent's report of a child that failed: nothing, where the child would have had no pipe any more.
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

/// Writes on where a signal or a full pipe interrupted it. Nobody can be told that the telling failed.
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

/// A report as `subprocess` reads it.
pub(crate) struct Text {
    bytes: [u8; LONGEST],
    length: usize,
}

/// More than `OSError:`, eight digits, `:` and `noexec:chdir`, and than the text of a failed `preexec_fn`.
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
