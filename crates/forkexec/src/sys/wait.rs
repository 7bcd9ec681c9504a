//! Waiting for a child and signalling it.
//!
//! If the child has a descriptor, both go by the descriptor. It refers to this child only, even if other code
//! reaps the child and its pid is reused. Otherwise they go by the pid, which is the child's until the child
//! is waited for.

use super::change::Change;
use super::end_thread::{EndThread, wait_for_any};
use super::poll::is_readable_until;
use super::waitid::{Ending, await_change, await_end, is_child};
use crate::error::Error;
use crate::sys::exit_fd::ExitFd;
use crate::sys::system::{pidfd, watch};
use forkexec_core::Autoreap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// The identifiers of a child.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) pid: i32,
    /// Readable when the child has ended.
    pub(crate) fd: Option<ExitFd>,
    /// True if `fd` refers to the child itself, so that the child can be waited for and signalled by it.
    pub(crate) is_pidfd: bool,
    /// The kernel reaps the child, so that its pid may belong to another process as soon as it has ended. `fd` has its status.
    autoreap: Option<Autoreap>,
    /// Waits for the child, if it has no descriptor.
    thread: OnceLock<EndThread>,
}

/// The effect of a wait on the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Takes it: the child is reaped, and its pid can be reused.
    Take,
    /// Leaves it in place: the child stays a zombie and keeps its pid.
    Leave,
}

impl Status {
    fn options(self) -> i32 {
        if self == Self::Leave { libc::WNOWAIT } else { 0 }
    }
}

/// Options of a wait for children that were stopped or continued, as well as for those that have ended.
const CHANGES: i32 = libc::WUNTRACED | libc::WCONTINUED;

impl Handle {
    pub(crate) fn new(pid: i32, fd: Option<OwnedFd>, is_pidfd: bool, autoreap: Option<Autoreap>) -> Self {
        Self { pid, fd: fd.map(ExitFd::new), is_pidfd, autoreap, thread: OnceLock::new() }
    }

    /// Returns what the kernel does at the end of the child and of this process.
    pub(crate) fn autoreap(&self) -> Option<Autoreap> {
        self.autoreap
    }

    /// Returns the descriptor of a child that the kernel reaps.
    pub(crate) fn autoreaped(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd().filter(|_| self.autoreap.is_some())
    }

    /// Returns true if a dropped handle must be kept until the child has ended: to reap the child, or because closing the
    /// descriptor kills it.
    pub(crate) fn outlives_drop(&self) -> bool {
        self.autoreap != Some(Autoreap::Reap)
    }

    /// Returns the descriptor, if it is a pidfd.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().filter(|_| self.is_pidfd).map(AsFd::as_fd)
    }

    /// Returns true if a status can be left in place.
    pub(crate) fn leaves_status(&self) -> bool {
        pidfd::LEAVES_STATUS && self.is_pidfd
    }

    /// Opens a descriptor that is readable when the child has ended, unless there is one, and returns true if
    /// there is one now. The child was not waited for, so the pid is still its own.
    pub(crate) fn open_descriptor(&mut self) -> bool {
        if self.fd.is_none() {
            self.fd = watch::open(self.pid).ok().map(ExitFd::new);
            self.is_pidfd = pidfd::LEAVES_STATUS;
        }
        self.fd.is_some()
    }

    /// Returns true if the child exists, possibly as a zombie, and other code did not reap it: the pid is its
    /// own.
    pub(crate) fn is_ours(&self) -> bool {
        if self.autoreap.is_some() {
            return false;
        }
        let looked = self.ending_by_pidfd(libc::WNOHANG | libc::WNOWAIT);
        looked.map_or_else(|| is_child(self.pid), |looked| looked.is_ok())
    }

    /// Waits for the child to end.
    pub(crate) fn wait(&self, status: Status) -> Result<Ending, Error> {
        loop {
            if let Some(ending) = self.try_wait_with(status.options())? {
                return Ok(ending);
            }
            // The child stopped, and this process traces it. The report of the stop stays in place as well.
            if status == Status::Leave {
                thread::sleep(TRACE_STOP);
            }
        }
    }

    /// Returns how the child ended, if it has.
    pub(crate) fn try_wait(&self, status: Status) -> Result<Option<Ending>, Error> {
        self.try_wait_with(libc::WNOHANG | status.options())
    }

    /// A tracer is told of stops although it does not ask for them. They are not the end.
    fn try_wait_with(&self, options: i32) -> Result<Option<Ending>, Error> {
        let ending = self.ending(options)?;
        Ok(ending.filter(|ending| ending.status.stopped_signal().is_none()))
    }

    /// Waits for the child to end, and leaves its status in place.
    pub(crate) fn await_end(&self) -> Result<(), Error> {
        if self.leaves_status() {
            return self.wait(Status::Leave).map(drop);
        }
        // If other code reaped the child, it has ended, too. The caller finds that when it takes the status.
        await_end(self.pid).map_err(unwaited)
    }

    /// Waits until the child is stopped, is continued or has ended, and leaves the report in place.
    pub(crate) fn await_change(&self) -> Result<(), Error> {
        match self.pidfd().map(|child| pidfd::ending(child, CHANGES | libc::WNOWAIT)) {
            Some(Ok(_)) => Ok(()),
            // The caller reads the end from the descriptor.
            Some(Err(error)) if is_gone(&error) && self.autoreap.is_some() => Ok(()),
            Some(Err(error)) if is_gone(&error) => Err(self.lost()),
            // `EINVAL` and `EAGAIN` are those of `ending`. After `EINTR` the call is repeated as well.
            Some(Err(_)) | None => match await_change(self.pid) {
                Err(error) if is_gone(&error) => Err(self.lost()),
                seen => seen.map_err(unwaited),
            },
        }
    }

    /// Returns the last change of the child's state, if it was not returned before.
    pub(crate) fn try_change(&self, status: Status) -> Result<Option<Change>, Error> {
        let options = libc::WNOHANG | CHANGES;
        if let Some(child) = self.autoreaped() {
            return match pidfd::ending(child, options) {
                Ok(seen) => Ok(seen.map(Change::from)),
                // It has ended. The status follows at once.
                Err(error) if is_gone(&error) => Ok(self.ending(0)?.map(Change::Ended)),
                Err(error) => Err(unwaited(error)),
            };
        }
        loop {
            let seen = self.ending(options | status.options())?.map(Change::from);
            match seen {
                Some(Change::Stopped(_) | Change::Continued) if status == Status::Leave => {}
                seen => return Ok(seen),
            }
            // The report of a stop was left in place. If the child has ended since, there is none any more.
            match pidfd::change(self.pid, options) {
                Ok(None) => {}
                Ok(taken) => return Ok(taken.map(Change::from)),
                Err(error) if matches!(error.raw_os_error(), Some(libc::ECHILD | libc::EINTR)) => {}
                Err(error) => return Err(unwaited(error)),
            }
        }
    }

    /// Waits for the child to end, at most for `timeout`, and returns whether it has ended. Its status stays
    /// in place.
    pub(crate) fn ends_within(&self, timeout: Duration) -> Result<bool, Error> {
        let end = Instant::now().checked_add(timeout);
        let ends = match &self.fd {
            Some(fd) => is_readable_until(fd.as_fd(), end),
            // The child was not waited for yet, so the pid is its own.
            None => match watch::open(self.pid) {
                Ok(fd) => is_readable_until(fd.as_fd(), end),
                Err(_) => self.thread().and_then(|thread| Ok(wait_for_any(&[thread], end)?.is_some())),
            },
        };
        ends.map_err(unwaited)
    }

    /// Returns the thread that waits for the child. The first call starts it.
    pub(crate) fn thread(&self) -> io::Result<&EndThread> {
        if let Some(thread) = self.thread.get() {
            return Ok(thread);
        }
        let started = EndThread::start(self.pid)?;
        Ok(self.thread.get_or_init(|| started))
    }

    fn lost(&self) -> Error {
        Error::StatusLost { pid: self.pid.unsigned_abs() }
    }

    fn ending(&self, options: i32) -> Result<Option<Ending>, Error> {
        loop {
            let error = match self.ending_once(options) {
                Ok(ending) => return Ok(ending),
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::ECHILD) => return Err(self.lost()),
                // A reactor made the descriptor non-blocking, which waitid(2) with `P_PIDFD` reports.
                Some(libc::EAGAIN) if options & libc::WNOHANG == 0 => drop(self.ends_within(Duration::MAX)?),
                Some(libc::EAGAIN) => return Ok(None),
                _ => return Err(unwaited(error)),
            }
        }
    }

    fn ending_once(&self, options: i32) -> io::Result<Option<Ending>> {
        if let Some(child) = self.autoreaped() {
            return pidfd::autoreaped_ending(child, options & libc::WNOHANG == 0);
        }
        self.ending_by_pidfd(options).unwrap_or_else(|| pidfd::ending_by_number(self.pid, options))
    }

    /// Returns `None` if there is no pidfd, or the kernel cannot wait for one: Linux 5.2 and 5.3.
    fn ending_by_pidfd(&self, options: i32) -> Option<io::Result<Option<Ending>>> {
        let ending = pidfd::ending(self.pidfd()?, options);
        let is_refused = |error: &io::Error| error.raw_os_error() == Some(libc::EINVAL);
        Some(ending).filter(|ending| !ending.as_ref().is_err_and(is_refused))
    }

    /// Sends a signal. `ESRCH` is not an error: other code reaped the child.
    pub(crate) fn signal(&self, signal: i32) -> Result<(), Error> {
        let sent = match self.pidfd() {
            Some(child) if self.autoreap.is_some() => pidfd::send(child, signal),
            Some(child) => pidfd::signal(child, self.pid, signal),
            None if self.is_known_to_have_ended() => Ok(()),
            None => signal_by_pid(self.pid, signal),
        };
        match sent {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                Err(Error::Child { what: "signal the child", error })
            }
            _ => Ok(()),
        }
    }

    /// Returns true if the descriptor shows that the child has ended. This holds even if other code reaped it
    /// and its pid was reused.
    fn is_known_to_have_ended(&self) -> bool {
        let readable = |fd: &ExitFd| is_readable_until(fd.as_fd(), Some(Instant::now()));
        self.fd.as_ref().is_some_and(|fd| readable(fd).unwrap_or(false))
    }
}

/// Returns true if there is no such child any more.
fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ECHILD)
}

/// Signals a child by its pid. The caller has not waited for the child, so the pid is its own, unless other
/// code reaped it.
fn signal_by_pid(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: the process is a child of the handle, and `Process` signals no pid after it took the status.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The time between two looks at a traced child.
const TRACE_STOP: Duration = Duration::from_millis(10);

fn unwaited(error: io::Error) -> Error {
    Error::Child { what: "wait for the child", error }
}

#[cfg(test)]
mod tests {
    use super::{Autoreap, Handle, Status};
    use crate::error::Error;
    use crate::sys::change::Change;
    use crate::sys::fd::{pipe, set_nonblocking};
    use rstest::rstest;
    use std::fs::File;
    use std::os::fd::{AsFd, AsRawFd};
    use std::process::{Child, Command};
    use std::thread;
    use std::time::Duration;

    /// A child that ends with the test.
    struct Own(Child);

    impl Own {
        fn start(script: &str) -> Self {
            Self(Command::new("sh").args(["-c", script]).spawn().expect("it starts"))
        }

        /// Starts a child, and takes its status as other code may do.
        fn reaped() -> Self {
            let mut child = Self::start("exit 3");
            child.0.wait().expect("it is ours");
            child
        }

        fn pid(&self) -> i32 {
            i32::try_from(self.0.id()).expect("a pid")
        }

        fn handle(&self, autoreap: Option<Autoreap>) -> Handle {
            Handle::new(self.pid(), None, false, autoreap)
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            // If the status was taken, the number may be that of another process.
            if let Ok(None) = self.0.try_wait() {
                let _ = self.0.kill();
                let _ = self.0.wait();
            }
        }
    }

    /// Opens a descriptor. Returns true if the kernel can wait by it.
    fn opens_pidfd(handle: &mut Handle) -> bool {
        handle.open_descriptor() && handle.ending_by_pidfd(libc::WNOHANG | libc::WNOWAIT).is_some()
    }

    /// Chooses how a handle waits.
    type Means = fn(&mut Handle);

    const BY_NUMBER: Means = |_| ();
    const BY_DESCRIPTOR: Means = |handle| {
        handle.open_descriptor();
    };
    /// As a reactor may do it.
    const BY_NONBLOCKING: Means = |handle| {
        handle.open_descriptor();
        if let Some(fd) = &handle.fd {
            // Only a pidfd must have the mode.
            assert!(set_nonblocking(fd.as_fd(), true).is_ok() || !handle.is_pidfd);
        }
    };

    #[rstest]
    fn handle_returns_what_it_was_made_of(
        #[values(None, Some(Autoreap::Reap))] autoreap: Option<Autoreap>,
        #[values(false, true)] is_pidfd: bool,
    ) {
        let file = File::open("/dev/null").expect("it is there");
        let number = file.as_raw_fd();
        let handle = Handle::new(1, Some(file.into()), is_pidfd, autoreap);
        assert_eq!(handle.autoreap(), autoreap);
        assert_eq!(handle.pidfd().map(|fd| fd.as_raw_fd()), is_pidfd.then_some(number));
        let expected = (is_pidfd && autoreap.is_some()).then_some(number);
        assert_eq!(handle.autoreaped().map(|fd| fd.as_raw_fd()), expected);
    }

    /// Linux 5.2 refuses it as it refuses unknown options.
    #[test]
    fn wait_by_pidfd_that_the_kernel_refuses_counts_as_none() {
        let child = Own::start("exit 3");
        let mut handle = child.handle(None);
        if opens_pidfd(&mut handle) {
            let unknown = 1 << 20;
            assert!(handle.ending_by_pidfd(unknown).is_none());
        }
        let file = File::open("/dev/null").expect("it is there");
        let other = Handle::new(child.pid(), Some(file.into()), true, None);
        assert!(other.ending_by_pidfd(libc::WNOHANG).is_some_and(|ending| ending.is_err()));
    }

    #[rstest]
    fn wait_for_the_end_lasts_until_the_end(
        #[values(BY_NUMBER, BY_DESCRIPTOR, BY_NONBLOCKING)] choose: Means,
    ) {
        let child = Own::start("sleep 0.1; exit 3");
        let mut handle = child.handle(None);
        choose(&mut handle);
        handle.await_end().expect("it is ours");
        let ending = handle.try_wait(Status::Take).expect("it is ours").expect("it has ended");
        assert_eq!(ending.status.code(), Some(3));
    }

    #[rstest]
    fn wait_for_a_change_lasts_until_the_change(
        #[values(BY_NUMBER, BY_DESCRIPTOR, BY_NONBLOCKING)] choose: Means,
    ) {
        let child = Own::start("sleep 0.1; kill -STOP $$");
        let mut handle = child.handle(None);
        choose(&mut handle);
        handle.await_change().expect("it is ours");
        let changed = handle.try_change(Status::Take);
        assert!(matches!(changed, Ok(Some(Change::Stopped(libc::SIGSTOP)))), "{changed:?}");
    }

    #[rstest]
    fn each_wait_reports_a_lost_status(#[values(BY_NUMBER, BY_DESCRIPTOR)] choose: Means) {
        let mut child = Own::start("exit 3");
        let mut handle = child.handle(None);
        choose(&mut handle);
        child.0.wait().expect("it is ours");
        let waits = [
            handle.await_change(),
            handle.try_change(Status::Take).map(drop),
            handle.wait(Status::Take).map(drop),
        ];
        for waited in waits {
            assert!(matches!(waited, Err(Error::StatusLost { .. })), "{waited:?}");
        }
        assert!(!handle.is_ours());
    }

    #[test]
    fn other_child_of_the_same_number_is_not_the_lost_one() {
        let mut lost = Own::start("exit 3");
        let mut handle = lost.handle(None);
        if !opens_pidfd(&mut handle) {
            return;
        }
        lost.0.wait().expect("it is ours");
        let next = Own::start("exit 4");
        next.handle(None).await_end().expect("it is ours");
        let handle = Handle { pid: next.pid(), ..handle };
        let waited = handle.await_change();
        assert!(matches!(waited, Err(Error::StatusLost { .. })), "{waited:?}");
        assert!(!handle.is_ours());
    }

    /// The kernel has reaped the child. Its descriptor has the status, from Linux 6.15 on.
    #[test]
    fn end_of_an_autoreaped_child_is_a_change() {
        let mut child = Own::start("exit 3");
        let mut handle = child.handle(Some(Autoreap::Reap));
        if !opens_pidfd(&mut handle) {
            return;
        }
        child.0.wait().expect("it is ours");
        handle.await_change().expect("it has ended");
        if let Ok(Some(ending)) = handle.ending(libc::WNOHANG) {
            let changed = handle.try_change(Status::Take);
            let Ok(Some(Change::Ended(seen))) = changed else { panic!("it has ended: {changed:?}") };
            assert_eq!((seen.status, seen.status.code()), (ending.status, Some(3)));
        }
    }

    /// The stop is seen. Then the child ends, and there is no report of the stop any more.
    #[test]
    fn end_right_after_a_stop_is_the_change() {
        let mut child = Own::start("kill -STOP $$");
        let mut handle = child.handle(None);
        if !opens_pidfd(&mut handle) {
            return;
        }
        handle.await_change().expect("it is ours");
        let handle = Handle { pid: Own::reaped().pid(), ..handle };
        let changed = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(50));
                child.0.kill().expect("it is ours");
            });
            // A child that was killed is for a moment neither stopped nor at its end.
            loop {
                match handle.try_change(Status::Leave) {
                    Ok(None) => thread::yield_now(),
                    changed => break changed,
                }
            }
        });
        assert!(matches!(changed, Ok(Some(Change::Ended(_)))), "{changed:?}");
    }

    /// The others are reaped, or closing their pidfd kills them.
    #[rstest]
    #[case::ordinary(None, true)]
    #[case::reaped(Some(Autoreap::Reap), false)]
    #[case::killed(Some(Autoreap::ReapAndKill), true)]
    fn dropped_handle_is_kept_unless_the_kernel_reaps(
        #[case] autoreap: Option<Autoreap>,
        #[case] kept: bool,
    ) {
        let child = Own::start("exec sleep 600");
        let handle = child.handle(autoreap);
        assert_eq!((handle.outlives_drop(), handle.autoreaped().is_some()), (kept, false));
        // The pid may already be that of another process.
        assert_eq!(handle.is_ours(), autoreap.is_none());
    }

    /// The kernel answers at once if a reactor made the descriptor non-blocking.
    #[rstest]
    fn wait_without_a_limit_never_returns_before_the_end(
        #[values(BY_NUMBER, BY_DESCRIPTOR, BY_NONBLOCKING)] choose: Means,
    ) {
        let child = Own::start("sleep 0.1; exit 3");
        let mut handle = child.handle(None);
        choose(&mut handle);
        assert!(matches!(handle.ending(libc::WNOHANG), Ok(None)), "it runs");
        let ending = handle.ending(0).expect("it is ours").expect("it has ended");
        assert_eq!(ending.status.code(), Some(3));
    }

    /// As on a kernel that reaps the child: the descriptor has its status, from Linux 6.15 on.
    #[test]
    fn wait_for_a_child_that_the_kernel_reaps_lasts_until_its_end() {
        let mut child = Own::start("sleep 0.1; exit 3");
        let mut handle = child.handle(Some(Autoreap::Reap));
        if !opens_pidfd(&mut handle) || handle.ending(libc::WNOHANG).is_err() {
            return;
        }
        assert!(matches!(handle.ending(libc::WNOHANG), Ok(None)), "it runs");
        let ending = thread::scope(|scope| {
            // Either takes the status first.
            scope.spawn(|| drop(child.0.wait()));
            handle.ending(0)
        });
        let ending = ending.expect("its descriptor has the status").expect("it has ended");
        assert_eq!(ending.status.code(), Some(3));
    }

    /// Other code reaped the child, and its pid was reused. A pipe without writers is readable, as a descriptor of its end.
    #[test]
    fn signal_for_a_child_that_has_ended_reaches_no_other() {
        let other = Own::start("exec sleep 600");
        let (reader, _) = pipe().expect("a pipe can be made");
        let handle = Handle::new(other.pid(), Some(reader.into()), false, None);
        handle.signal(libc::SIGKILL).expect("nothing is to be signalled");
        let has_ended = other.handle(None).ends_within(Duration::from_millis(200));
        assert!(!has_ended.expect("it is ours"));
    }
}
