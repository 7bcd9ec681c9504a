//! A child that runs its program.

pub(crate) mod close_method;
pub(crate) mod communicate;
pub(crate) mod process;
pub(crate) mod reaper;
pub(crate) mod tree;

use crate::child::close_method::CloseMethod;
use crate::child::process::Process;
use crate::child::tree::{KillReport, TreeHandle};
use crate::config::settings::Settings;
use crate::error::Error;
use crate::sys::exit_fd::ExitFd;
use crate::sys::usage::ResourceUsage;
use crate::sys::wait::Handle;
use crate::sys::{backend, system};
use forkexec_core::Stage;
use forkexec_core::{Closer, Launched, SpawnMethod, Timeline};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::time::Duration;

/// A child that runs its program, as [`std::process::Child`].
///
/// Dropping it neither ends the child nor waits for it, unless [`Command::on_drop`](crate::Command::on_drop) said
/// otherwise. A child that is left to itself so leaves no zombie when it ends: [`OnDrop::Leave`](crate::OnDrop::Leave).
#[derive(Debug)]
pub struct Child {
    /// The writing end of its standard input, if that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// The reading end of its standard output, if that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// The reading end of its standard error, if that is a pipe.
    pub stderr: Option<ChildStderr>,
    process: Process,
    method: SpawnMethod,
    closer: Closer,
    timeline: Option<Timeline>,
}

impl Child {
    #[expect(clippy::needless_pass_by_value, reason = "whoever has it has the descriptor in it")]
    pub(crate) fn new(
        launched: Launched,
        [stdin, stdout, stderr]: [Option<OwnedFd>; 3],
        settings: &Settings<'_>,
        held: TreeHandle,
    ) -> Self {
        let Launched { pid, pidfd, method, closed, timeline } = launched;
        // SAFETY: a `Launcher` promises that its caller owns the descriptor, and `launched` ends here.
        let pidfd = pidfd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        let is_pidfd = pidfd.is_some();
        let fd = pidfd.or_else(|| settings.pidfd.then(|| system::watch::from_birth(pid)).flatten());
        let handle = Handle { pid, fd: fd.map(ExitFd::new), is_pidfd };
        Self {
            stdin: stdin.map(Into::into),
            stdout: stdout.map(Into::into),
            stderr: stderr.map(Into::into),
            process: Process::new(handle, held, settings.on_drop),
            method,
            closer: closed.by,
            timeline,
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.handle().pid.unsigned_abs()
    }

    /// A descriptor that refers to the child (pidfd_open(2)) and is readable when it has ended, where the system gives one
    /// with the child: Linux 5.2 and later, where it is born with the child; a forked child gets one at once (5.3).
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.process.handle().pidfd()
    }

    /// A descriptor that is readable when the child has ended, for any event loop: on Linux the [`pidfd`](Self::pidfd), on the
    /// BSDs and macOS a queue of events. `None` on Solaris and illumos, where the system refuses one, and where
    /// [`Command::create_pidfd`](crate::Command::create_pidfd) says no.
    ///
    /// It is readable also if other code took the child's status, or `SIGCHLD` is ignored.
    pub fn exit_fd(&self) -> Option<&ExitFd> {
        self.process.handle().fd.as_ref()
    }

    /// Sets what becomes of it when it is dropped, and gives what was to become of it.
    #[cfg(feature = "tokio")]
    pub(crate) fn replace_on_drop(&mut self, policy: crate::OnDrop) -> crate::OnDrop {
        self.process.replace_on_drop(policy)
    }

    /// How the child was started.
    pub fn method(&self) -> SpawnMethod {
        self.method
    }

    /// The method that closed the descriptors that the child was not given, on the running release.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{CloseMethod, CloseStrategy, Command};
    ///
    /// let mut child = Command::new("true").close_strategy(CloseStrategy::Loop).spawn()?;
    /// assert_eq!(child.close_method(), CloseMethod::Loop);
    /// child.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn close_method(&self) -> CloseMethod {
        let enumerators = backend::capabilities().enumerators;
        match self.closer {
            Closer::Nothing => CloseMethod::None,
            Closer::Bulk => CloseMethod::Bulk(backend::bulk_closer().unwrap_or("bulk")),
            Closer::Enumerator(index) => {
                CloseMethod::Enumerate(enumerators.get(usize::from(index)).copied().unwrap_or("enumerator"))
            }
            Closer::Loop => CloseMethod::Loop,
        }
    }

    /// When each stage of the child began, counted from its start, if
    /// [`Command::time_stages`](crate::Command::time_stages) asked for it.
    pub fn stage_times(&self) -> Option<impl Iterator<Item = (Stage, Duration)>> {
        let timeline = self.timeline?;
        let start = timeline.began(Stage::Start)?;
        Some(Stage::ORDER.into_iter().filter_map(move |stage| {
            let began = timeline.began(stage)?;
            Some((stage, Duration::from_nanos(began.saturating_sub(start))))
        }))
    }

    /// Closes standard input and waits for the child to end. Called again, it gives the same status.
    ///
    /// A child that writes more than a pipe holds, while nobody reads it, waits for ever:
    /// [`wait_with_output`](Self::wait_with_output) reads it.
    ///
    /// # Errors
    ///
    /// [`Error::StatusLost`] if other code waited for the child, or `SIGCHLD` is ignored.
    pub fn wait(&mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        self.process.wait()
    }

    /// Closes standard input and waits for the child to end: what it used, too. Called again, or after
    /// [`wait`](Self::wait), it gives the same.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and [`Error::Unsupported`] where the system does not tell of a single child: Solaris and
    /// illumos. The status can be waited for then.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut child = Command::new("sh").args(["-c", "exit 3"]).spawn()?;
    /// let (status, usage) = child.wait_usage()?;
    /// assert_eq!(status.code(), Some(3));
    /// assert!(usage.minor_faults() > 0);
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn wait_usage(&mut self) -> Result<(ExitStatus, ResourceUsage), Error> {
        drop(self.stdin.take());
        self.process.wait_usage()
    }

    /// The child's status if it has ended.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.process.try_wait()
    }

    /// Closes standard input and waits for the child to end, but not longer than this: `None` if it still runs then.
    ///
    /// Nothing is asked again and again: it waits for [`exit_fd`](Self::exit_fd), and where no such descriptor is to be had, a
    /// thread waits for the child.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and [`Error::Child`] where that thread cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::time::Duration;
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// assert_eq!(child.wait_timeout(Duration::from_millis(10))?, None);
    /// let status = child.terminate_then_kill(Duration::from_secs(5))?;
    /// assert!(!status.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<ExitStatus>, Error> {
        drop(self.stdin.take());
        self.process.wait_timeout(timeout)
    }

    /// Sends `SIGTERM`, and `SIGCONT` for a child that is stopped. Gives the child so long to end by itself, then sends
    /// `SIGKILL`, and waits for it. If the end cannot be waited for with a limit of time, `SIGKILL` follows at once.
    ///
    /// # Errors
    ///
    /// Those of [`send_signal`](Self::send_signal) and of [`wait`](Self::wait).
    pub fn terminate_then_kill(&mut self, grace: Duration) -> Result<ExitStatus, Error> {
        self.terminate()?;
        match self.wait_timeout(grace) {
            Ok(Some(status)) => return Ok(status),
            Err(error @ Error::StatusLost { .. }) => return Err(error),
            Ok(None) | Err(_) => {}
        }
        self.kill()?;
        self.wait()
    }

    /// Ends the child and all that descends from it with `SIGKILL`, and waits until they have ended: what held, and so who may be
    /// left. The child itself is still to be waited for.
    ///
    /// [`Command::containment`](crate::Command::containment) says at the start what is to hold the tree together. Where it said nothing, the
    /// child's session or process group does, if it leads one, and it must not have been waited for. Where processes
    /// are listed (Linux), those who descend from the child are looked for, too: each is stopped before it can start
    /// another, until nobody new is found, and nobody is signalled by number. That takes some tens of microseconds for each
    /// process of the system; a control group needs none of it.
    ///
    /// # Errors
    ///
    /// [`Error::Child`] if a control group, a process group or the child may not be signalled.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut child = Command::new("sh").args(["-c", "sleep 600 & sleep 600 & wait"]).process_group(0).spawn()?;
    /// let killed = child.kill_tree()?;
    /// assert!(!killed.coverage().is_complete(), "an orphan may have left the process group");
    /// assert!(!child.wait()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn kill_tree(&mut self) -> Result<KillReport, Error> {
        self.process.kill_tree(true)
    }

    /// Sends `SIGTERM`, and `SIGCONT` for a child that is stopped.
    pub(crate) fn terminate(&self) -> Result<(), Error> {
        self.process.terminate()
    }

    /// As [`kill_tree`](Self::kill_tree), without waiting for the ends.
    #[cfg(feature = "tokio")]
    pub(crate) fn start_kill_tree(&mut self) -> Result<KillReport, Error> {
        self.process.kill_tree(false)
    }

    /// Closes standard input, sends `SIGTERM` to the child and all that descends from it, and `SIGCONT` for those that are
    /// stopped. Gives them so long to end by themselves, then does what [`kill_tree`](Self::kill_tree) does, and waits for the
    /// child. It comes to that whatever failed before: [`KillReport::failure`] tells.
    ///
    /// # Errors
    ///
    /// Those of [`kill_tree`](Self::kill_tree) and of [`wait`](Self::wait).
    pub fn terminate_tree_then_kill(&mut self, grace: Duration) -> Result<(ExitStatus, KillReport), Error> {
        drop(self.stdin.take());
        self.process.terminate_tree_then_kill(grace)
    }

    /// Sends `SIGKILL`. A child that was waited for has no process any more, and nothing is sent to whoever has its
    /// number now.
    ///
    /// # Errors
    ///
    /// [`Error::Child`] if the signal may not be sent: the child changed its user. [`Error::StatusLost`] if waiting for
    /// the child gave that.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.send_signal(libc::SIGKILL)
    }

    /// Sends a signal, as [`kill`](Self::kill) does.
    ///
    /// # Errors
    ///
    /// [`Error::Child`] if the signal may not be sent, or there is none with this number. [`Error::StatusLost`] as for
    /// [`kill`](Self::kill).
    pub fn send_signal(&mut self, signal: i32) -> Result<(), Error> {
        self.process.signal(signal)
    }
}
