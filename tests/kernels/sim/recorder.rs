//! The child's end of the way to a parent that writes everything down.

use std::sync::Mutex;

use forkexec_core::{Closed, Errno, Fd, Report, Reporter, Stage};

use super::SimKernel;

/// A reporter that records each stage, and sets the kernel's current stage.
pub(crate) struct Recorder<'k> {
    kernel: &'k SimKernel,
    channel: Option<Fd>,
    intact: Result<(), Errno>,
    /// The stage that cannot be reported.
    mute: Option<(Stage, Errno)>,
    entered: Mutex<Vec<(Stage, Option<u64>)>>,
    closed: Mutex<Option<Closed>>,
}

impl<'k> Recorder<'k> {
    pub(crate) fn new(kernel: &'k SimKernel) -> Self {
        Self {
            kernel,
            channel: None,
            intact: Ok(()),
            mute: None,
            entered: Mutex::new(Vec::new()),
            closed: Mutex::new(None),
        }
    }

    pub(crate) fn with_channel(self, channel: Fd) -> Self {
        Self { channel: Some(channel), ..self }
    }

    pub(crate) fn replaced(self, errno: Errno) -> Self {
        Self { intact: Err(errno), ..self }
    }

    pub(crate) fn mute_at(self, stage: Stage, errno: Errno) -> Self {
        Self { mute: Some((stage, errno)), ..self }
    }

    /// The stages that began, with their times.
    pub(crate) fn entered(&self) -> Vec<(Stage, Option<u64>)> {
        self.entered.lock().expect("nothing here panics").clone()
    }

    pub(crate) fn how_closed(&self) -> Option<Closed> {
        *self.closed.lock().expect("nothing here panics")
    }
}

// SAFETY: it is for a simulated kernel, which makes no process.
unsafe impl Reporter for Recorder<'_> {
    fn enter(&self, stage: Stage, at: Option<u64>) -> Result<(), Errno> {
        self.kernel.enter(stage);
        self.entered.lock().expect("nothing here panics").push((stage, at));
        match self.mute {
            Some((mute, errno)) if mute == stage => Err(errno),
            _ => Ok(()),
        }
    }

    fn closed(&self, closed: Closed) {
        *self.closed.lock().expect("nothing here panics") = Some(closed);
    }

    fn intact(&self) -> Result<(), Errno> {
        self.intact
    }

    fn fail(&self, report: Report) {
        panic!("child_exec hands {report:?} back and does not report it itself");
    }

    fn channel(&self) -> Option<Fd> {
        self.channel
    }
}
