//! The handle to a running child.

pub(crate) mod autoreap;
pub(crate) mod close_method;
pub(crate) mod communicate;
pub(crate) mod dropped;
pub(crate) mod many;
pub(crate) mod process;
mod reaper;
pub(crate) mod signaler;
pub(crate) mod tree;

use crate::child::close_method::CloseMethod;
use crate::child::process::Process;
use crate::child::tree::{KillReport, TreeHandle};
use crate::config::settings::Settings;
use crate::error::Error;
use crate::sys::change::ChildChange;
use crate::sys::exit_fd::ExitFd;
use crate::sys::fd::is_scarce;
use crate::sys::system;
use crate::sys::usage::ResourceUsage;
use crate::sys::wait::Handle;
use forkexec_core::Stage;
use forkexec_core::{Closer, HighFds, Launched, SpawnMethod, Timeline};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::time::Duration;

/// A running or ended child process, as [`std::process::Child`].
///
/// By default, dropping a `Child` neither kills the child nor waits for it. A child that was dropped is
/// reaped after it has ended, at the next start, wait or drop. [`Command::on_drop`](crate::Command::on_drop)
/// sets another policy: see [`OnDrop`](crate::OnDrop).
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Stdio};
/// use std::io::{Read, Write};
///
/// let mut child = Command::new("tr").args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// child.stdin.take().ok_or("stdin is piped")?.write_all(b"hello\n")?; // closed at the end of this line
/// let mut text = String::new();
/// child.stdout.take().ok_or("stdout is piped")?.read_to_string(&mut text)?;
/// assert_eq!(text, "HELLO\n");
/// assert!(child.wait()?.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`communicate`](Self::communicate) does this without the danger of a deadlock.
#[derive(Debug)]
pub struct Child {
    /// The writing end of the child's standard input, if it is a pipe. Take it to write to the child and to
    /// close it.
    pub stdin: Option<ChildStdin>,
    /// The reading end of the child's standard output, if it is a pipe.
    pub stdout: Option<ChildStdout>,
    /// The reading end of the child's standard error, if it is a pipe.
    pub stderr: Option<ChildStderr>,
    process: Process,
    method: SpawnMethod,
    closer: Closer,
    high_fds: HighFds,
    timeline: Option<Timeline>,
    /// The command has a parent-death signal.
    has_death_signal: bool,
    /// The child has no `exit_fd`, because descriptors are scarce.
    #[cfg(feature = "tokio")]
    is_spared: bool,
}

impl Child {
    #[expect(clippy::needless_pass_by_value, reason = "the value owns the descriptor in it")]
    pub(crate) fn new(
        launched: Launched,
        [stdin, stdout, stderr]: [Option<OwnedFd>; 3],
        settings: &Settings<'_>,
        held: TreeHandle,
    ) -> Self {
        let Launched { pid, pidfd, autoreap, method, closed, high_fds, timeline } = launched;
        // SAFETY: the contract of `Launcher` makes its caller the owner of the descriptor, and `launched` is
        // consumed here.
        let pidfd = pidfd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        let is_pidfd = pidfd.is_some();
        let wants_fd = settings.pidfd != Some(false);
        let mut fd = pidfd.or_else(|| wants_fd.then(|| system::watch::at_spawn(pid)).flatten());
        let is_needed = settings.pidfd == Some(true) || held.needs_number() || autoreap.is_some();
        let is_spared = !is_needed && fd.as_ref().is_some_and(is_scarce);
        if is_spared {
            fd = None;
        }
        let handle = Handle::new(pid, fd, is_pidfd && !is_spared, autoreap);
        Self {
            stdin: stdin.map(Into::into),
            stdout: stdout.map(Into::into),
            stderr: stderr.map(Into::into),
            process: Process::new(handle, held, settings.on_drop, settings.reaper_thread),
            method,
            closer: closed.by,
            high_fds,
            timeline,
            has_death_signal: settings.die_with_parent.is_some(),
            #[cfg(feature = "tokio")]
            is_spared,
        }
    }

    /// Opens the descriptor that the child does not have because descriptors are scarce.
    #[cfg(feature = "tokio")]
    pub(crate) fn open_spared(&mut self) {
        if self.is_spared {
            self.process.open_descriptor();
        }
    }

    /// Returns the process id of the child.
    ///
    /// If the child was waited for, the id may belong to another process. The methods of this type account
    /// for that, other code cannot.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut child = Command::new("true").spawn()?;
    /// println!("the child has process id {}", child.id());
    /// child.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn id(&self) -> u32 {
        self.pid().unsigned_abs()
    }

    /// Returns the process id as the system's type.
    pub(crate) fn pid(&self) -> i32 {
        self.process.handle().pid
    }

    /// Returns a descriptor that refers to the child (pidfd_open(2)). It is readable when the child has
    /// ended.
    ///
    /// # Platform-specific behavior
    ///
    /// Linux 5.2 and later: the kernel creates the descriptor together with the child. If the child is
    /// started by fork(2), the parent opens it right after the fork (Linux 5.3). Elsewhere, with
    /// [`create_pidfd(false)`](crate::Command::create_pidfd), and if few descriptors are left, this is `None`.
    ///
    /// # Examples
    ///
    /// See [`exit_fd`](Self::exit_fd), which is used in the same way.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.process.handle().pidfd()
    }

    /// Returns a descriptor that is readable when the child has ended, for use with any event loop. It also
    /// becomes readable if other code reaps the child, or if `SIGCHLD` is ignored.
    ///
    /// # Platform-specific behavior
    ///
    /// On Linux this is the [`pidfd`](Self::pidfd), on the BSDs and macOS a kqueue(2) descriptor. It is
    /// `None` on Solaris and illumos, if the system cannot open another descriptor or few are left, and with
    /// [`create_pidfd(false)`](crate::Command::create_pidfd).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    /// use std::os::fd::AsFd;
    ///
    /// let mut child = Command::new("sleep").arg("0.1").spawn()?;
    /// if let Some(fd) = child.exit_fd() {
    ///     poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
    ///     assert!(child.try_wait()?.is_some_and(|status| status.success()));
    /// }
    /// # child.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn exit_fd(&self) -> Option<&ExitFd> {
        self.process.handle().fd.as_ref()
    }

    /// Returns true if a wait has returned the status of the child.
    #[cfg(feature = "tokio")]
    pub(crate) fn was_waited_for(&self) -> bool {
        self.process.was_waited_for()
    }

    /// Sets the policy for a dropped child, and returns the previous one.
    #[cfg(feature = "tokio")]
    pub(crate) fn replace_on_drop(&mut self, policy: crate::OnDrop) -> crate::OnDrop {
        self.process.replace_on_drop(policy)
    }

    /// Returns the method by which the child was started.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, SpawnMethod, SpawnPolicy};
    ///
    /// let mut child = Command::new("true").spawn_policy(SpawnPolicy::Fork).spawn()?;
    /// assert_eq!(child.method(), SpawnMethod::Fork);
    /// child.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn method(&self) -> SpawnMethod {
        self.method
    }

    /// Returns how the child got the descriptors that it needs and whose numbers are from 64 up in this process. Only
    /// [`HighFds::Copied`] takes time in proportion to what this process has open. [`probe`](fn@crate::probe) tells which
    /// means to take a descriptor the system refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, HighFds, SpawnMethod};
    ///
    /// let mut child = Command::new("true").spawn()?;
    /// if child.method() == SpawnMethod::Shared {
    ///     assert_eq!(child.high_fds(), HighFds::NotNeeded);
    /// }
    /// child.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn high_fds(&self) -> HighFds {
        self.high_fds
    }

    /// Returns the method by which the child closed the descriptors that it does not inherit, on the running
    /// release.
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
        CloseMethod::of(self.closer)
    }

    /// Returns when each stage of the child began, counted from the start of the child. It is `None` unless
    /// [`Command::time_stages`](crate::Command::time_stages) was called.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stage};
    ///
    /// let mut child = Command::new("true").time_stages().spawn()?;
    /// let stages: Vec<_> = child.stage_times().ok_or("they are recorded")?.collect();
    /// assert!(stages.iter().any(|(stage, _)| *stage == Stage::Exec));
    /// child.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stage_times(&self) -> Option<impl Iterator<Item = (Stage, Duration)>> {
        let timeline = self.timeline?;
        let start = timeline.began(Stage::Start)?;
        Some(Stage::ORDER.into_iter().filter_map(move |stage| {
            let began = timeline.began(stage)?;
            Some((stage, Duration::from_nanos(began.saturating_sub(start))))
        }))
    }

    /// Closes standard input, waits for the child to end and returns its exit status. A later call returns
    /// the same status.
    ///
    /// The call does not read the child's output. If the child writes more to a pipe than the pipe holds, it
    /// waits for a reader and never ends; use [`wait_with_output`](Self::wait_with_output) for such a child.
    ///
    /// # Errors
    ///
    /// Returns [`Error::StatusLost`] if other code reaped the child, or if `SIGCHLD` is ignored.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut child = Command::new("sh").args(["-c", "exit 3"]).spawn()?;
    /// assert_eq!(child.wait()?.code(), Some(3));
    /// assert_eq!(child.wait()?.code(), Some(3));
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn wait(&mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        self.process.wait()
    }

    /// Closes standard input, waits for the child to end, and returns its exit status and its resource usage.
    /// A later call returns the same, also after [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// - Returns the errors of [`wait`](Self::wait).
    /// - Returns [`Error::Unsupported`] if the system does not report the usage of a single child (Solaris
    ///   and illumos). [`wait`](Self::wait) still returns the status.
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

    /// Returns the exit status of the child if it has ended, without blocking.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// assert_eq!(child.try_wait()?, None);
    /// child.kill()?;
    /// child.wait()?;
    /// assert!(child.try_wait()?.is_some());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.process.try_wait()
    }

    /// Closes standard input and waits for the child to end, at most for `timeout`. Returns `None` if the
    /// child still runs then.
    ///
    /// The call does not poll at intervals. It waits on the [`exit_fd`](Self::exit_fd). If there is none, a
    /// thread waits for the child.
    ///
    /// # Errors
    ///
    /// - Returns the errors of [`wait`](Self::wait).
    /// - Returns [`Error::Child`] if that thread cannot be started.
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

    /// Returns true if the child has ended or does so within `timeout`. The status stays in place, and
    /// standard input stays open.
    ///
    /// Unlike the other waits, this method takes `&self`, so that several threads can wait for the child.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::thread;
    /// use std::time::Duration;
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// assert!(!child.ends_within(Duration::ZERO)?);
    /// thread::scope(|scope| {
    ///     let threads = [(); 2].map(|()| scope.spawn(|| child.ends_within(Duration::MAX)));
    ///     child.kill()?;
    ///     for thread in threads {
    ///         assert!(thread.join().expect("it does not panic")?);
    ///     }
    ///     Ok::<(), forkexec::Error>(())
    /// })?;
    /// child.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn ends_within(&self, timeout: Duration) -> Result<bool, Error> {
        self.process.ends_within(timeout)
    }

    /// Closes standard input and waits until the child is stopped, is continued or has ended, for shells and
    /// supervisors with job control. A later [`wait`](Self::wait) still returns the exit status.
    ///
    /// Each stop is returned once. If several changes happened since the last call, the call returns the last
    /// one. If this process traces the child (ptrace(2)), the stops of the trace are among them; a stop that
    /// another tracer holds is not.
    ///
    /// There is no time limit, because no descriptor shows that a child has stopped. A program that waits for
    /// other events as well calls [`try_wait_change`](Self::try_wait_change) on `SIGCHLD`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{ChildChange, Command};
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// child.send_signal(libc::SIGSTOP)?;
    /// assert_eq!(child.wait_change()?, ChildChange::Stopped(libc::SIGSTOP));
    /// child.send_signal(libc::SIGCONT)?;
    /// assert_eq!(child.wait_change()?, ChildChange::Continued);
    /// child.kill()?;
    /// let status = child.wait()?;
    /// assert_eq!(child.wait_change()?, ChildChange::Exited(status));
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn wait_change(&mut self) -> Result<ChildChange, Error> {
        drop(self.stdin.take());
        self.process.wait_change()
    }

    /// Returns the last change of the child's state without blocking, or `None` if there is none since the
    /// last call. The end of the child is returned by each call, as by [`try_wait`](Self::try_wait).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{ChildChange, Command};
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// assert_eq!(child.try_wait_change()?, None);
    /// child.kill()?;
    /// let status = child.wait()?;
    /// assert_eq!(child.try_wait_change()?, Some(ChildChange::Exited(status)));
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn try_wait_change(&mut self) -> Result<Option<ChildChange>, Error> {
        self.process.try_wait_change()
    }

    /// Sends `SIGTERM`, waits for the child to end, and sends `SIGKILL` if it still runs after `grace`.
    /// Returns its exit status.
    ///
    /// `SIGCONT` follows `SIGTERM`, because a stopped child gets a signal only when it continues. If the call
    /// cannot wait with a time limit, it sends `SIGKILL` at once.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`send_signal`](Self::send_signal) and of [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// See [`wait_timeout`](Self::wait_timeout).
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

    /// Kills the child and its descendants with `SIGKILL`, waits until they have ended, and reports which
    /// guarantee held. The child itself must still be waited for.
    ///
    /// [`Command::containment`](crate::Command::containment) chooses at the start how the tree is kept
    /// together. If it was not set, the call uses the child's session or process group, if the child leads
    /// one and was not waited for.
    ///
    /// On systems that list processes (Linux), the call also searches for the descendants of the child. It
    /// stops each one before that can start another, and repeats until it finds no new one. Every signal goes
    /// to a pidfd, never to a process id. The search takes some tens of microseconds for each process of the
    /// system. A control group does not need it.
    ///
    /// If no pidfd of a descendant can be opened (Linux before 5.3, Android before 11), the call still kills the
    /// members of a process group. It counts them as [refused](KillReport::refused), and does not wait for them.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Child`] if a signal to a control group, a process group or the child is not
    /// permitted.
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

    /// Sends `SIGTERM`, then `SIGCONT` in case the child is stopped.
    pub(crate) fn terminate(&self) -> Result<(), Error> {
        self.process.terminate()
    }

    /// Kills the tree as [`kill_tree`](Self::kill_tree) does, without waiting until it has ended.
    #[cfg(feature = "tokio")]
    pub(crate) fn start_kill_tree(&mut self) -> Result<KillReport, Error> {
        self.process.kill_tree(false)
    }

    /// Closes standard input, sends `SIGTERM` to the child and its descendants, waits for them to end, and
    /// kills those that still run after `grace`. Returns the exit status of the child and a report.
    ///
    /// `SIGCONT` follows `SIGTERM` for processes that are stopped. The kill is that of
    /// [`kill_tree`](Self::kill_tree), and happens even if an earlier step failed; [`KillReport::failure`]
    /// returns that error.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`kill_tree`](Self::kill_tree) and of [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::time::Duration;
    ///
    /// let mut server = Command::new("sh").args(["-c", "sleep 600 & wait"]).process_group(0).spawn()?;
    /// let (status, report) = server.terminate_tree_then_kill(Duration::from_secs(5))?;
    /// assert!(!status.success() && report.refused() == 0);
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn terminate_tree_then_kill(&mut self, grace: Duration) -> Result<(ExitStatus, KillReport), Error> {
        drop(self.stdin.take());
        self.process.terminate_tree_then_kill(grace)
    }

    /// Sends `SIGKILL` to the child. If the child was waited for, nothing is sent, because another process
    /// may have its id.
    ///
    /// Unlike std's, this method takes `&self`, so that several threads can call it. To send a signal while
    /// another thread waits, use a [`signaler`](Self::signaler).
    ///
    /// # Errors
    ///
    /// - Returns [`Error::Child`] if the signal is not permitted, because the child changed its user.
    /// - Returns [`Error::StatusLost`] if waiting for the child returned it.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::os::unix::process::ExitStatusExt;
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// child.kill()?;
    /// assert_eq!(child.wait()?.signal(), Some(9));
    /// child.kill()?; // no effect
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn kill(&self) -> Result<(), Error> {
        self.send_signal(libc::SIGKILL)
    }

    /// Sends a signal to the child. If the child was waited for, nothing is sent, as with
    /// [`kill`](Self::kill).
    ///
    /// # Errors
    ///
    /// - Returns [`Error::Child`] if the signal is not permitted, or if there is no signal with this number.
    /// - Returns [`Error::StatusLost`] if waiting for the child returned it.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::os::unix::process::ExitStatusExt;
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// child.send_signal(libc::SIGTERM)?;
    /// assert_eq!(child.wait()?.signal(), Some(libc::SIGTERM));
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn send_signal(&self, signal: i32) -> Result<(), Error> {
        self.process.signal(signal)
    }

    /// Continues a child that was [started suspended](crate::Command::start_suspended), or that is stopped for another reason
    /// (`SIGCONT`). If the child runs or was waited for, this has no effect.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`send_signal`](Self::send_signal).
    ///
    /// # Examples
    ///
    /// See [`Command::start_suspended`](crate::Command::start_suspended).
    pub fn resume(&self) -> Result<(), Error> {
        self.send_signal(libc::SIGCONT)
    }
}
