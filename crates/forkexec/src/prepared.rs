//! Starting a prepared command.

use crate::child::Child;
use crate::child::dropped;
use crate::child::tree::TreeHandle;
use crate::child_fds::layout::Layout;
use crate::error::{Error, ExecError};
use crate::mode::Blocking;
use crate::prepare::CAPTURED;
use crate::prepare::checked::CheckedCommand;
use crate::spawn::{Spawned, in_place, spawn};
use std::fmt;
use std::marker::PhantomData;
use std::process::{ExitStatus, Output};

/// A command that is checked, resolved and laid out, so that only system calls are left for a start.
///
/// [`Command::prepare`](crate::Command::prepare) returns one that borrows the command,
/// [`Command::into_prepared`](crate::Command::into_prepared) one that owns its settings. It can be started
/// many times, and by many threads at once. A start allocates no memory unless it fails, passes sockets with
/// [`listen_fd`](crate::Command::listen_fd), sets a [`watchdog`](crate::Command::watchdog), or creates a
/// control group for [`containment`](crate::Command::containment).
///
/// These are resolved when the command is prepared, and do not change afterwards:
///
/// - The environment, and the `PATH` in which the program is searched. The program itself is looked up at
///   each start, in the directories of that `PATH`.
/// - For streams that the child inherits: whether 0, 1 and 2 are open in the parent, and close-on-exec.
/// - `/dev/null` for a stream that uses it, and a duplicate of a directory or a terminal whose number the
///   child uses for something else. These descriptors stay open, close-on-exec, as long as the value lives.
/// - The soft descriptor limit, below which targets must lie.
/// - On FreeBSD, DragonFly and macOS, the effective group id of the parent, if the command sets supplementary
///   groups and no group id.
///
/// A relative working directory or program is resolved from the parent's working directory at each start.
/// Descriptors that the command borrows stay borrowed, and those that it owns stay open.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Prepared, Stdio};
/// use std::io::Read;
/// use std::thread;
///
/// let mut command = Command::new("echo");
/// command.arg("hello").stdout(Stdio::piped());
/// let prepared: Prepared<'static> = command.into_prepared()?;
///
/// thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| {
///             let child = prepared.spawn().expect("echo can be started");
///             assert_eq!(child.wait_with_output().expect("it ends").stdout, b"hello\n");
///         });
///     }
/// });
/// # Ok::<(), forkexec::Error>(())
/// ```
pub struct Prepared<'fd, M = Blocking> {
    pub(crate) checked: CheckedCommand<'fd>,
    mode: PhantomData<fn() -> M>,
}

/// Starting a child, and blocking the thread while it runs.
impl Prepared<'_> {
    /// Starts the program, as [`Command::spawn`](crate::Command::spawn) does.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Spawn`] or [`Error::Died`] if a system call or the child fails before the child
    /// executes the program. Then no program runs, and nothing is left behind.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let command = Command::new("true");
    /// let prepared = command.prepare()?;
    /// let mut children = [prepared.spawn()?, prepared.spawn()?];
    /// for child in &mut children {
    ///     assert!(child.wait()?.success());
    /// }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn spawn(&self) -> Result<Child, Error> {
        self.start()
    }

    /// Starts the program and waits for it to end, as [`Command::status`](crate::Command::status) does.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn) and of [`Child::wait`].
    ///
    /// # Examples
    ///
    /// See [`Command::prepare`](crate::Command::prepare).
    pub fn status(&self) -> Result<ExitStatus, Error> {
        self.spawn()?.wait()
    }

    /// Starts the program, waits for it to end and collects its output, as
    /// [`Command::output`](crate::Command::output) does. The first call prepares the streams that it needs
    /// beyond those of [`spawn`](Self::spawn).
    ///
    /// # Errors
    ///
    /// - Returns the errors of [`spawn`](Self::spawn) and of [`Child::wait_with_output`].
    /// - Returns [`Error::Spawn`] if `/dev/null` cannot be opened.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut command = Command::new("echo");
    /// let prepared = command.arg("hello").prepare()?;
    /// assert_eq!(prepared.output()?.stdout, b"hello\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn output(&self) -> Result<Output, Error> {
        self.start_captured()?.wait_with_output()
    }
}

impl<'fd, M> Prepared<'fd, M> {
    pub(crate) fn of(checked: CheckedCommand<'fd>) -> Self {
        Self { checked, mode: PhantomData }
    }

    /// Replaces this process by the program, as [`Command::exec`](crate::Command::exec). Returns only if that failed.
    pub fn exec(&self) -> ExecError {
        in_place::exec(&self.checked)
    }

    /// Starts the program with the default streams of [`spawn`](Prepared::spawn).
    pub(crate) fn start(&self) -> Result<Child, Error> {
        start(&self.checked, &self.checked.layout)
    }

    /// Starts the program with the default streams of [`output`](Prepared::output).
    pub(crate) fn start_captured(&self) -> Result<Child, Error> {
        let layout = if let Some(layout) = self.checked.capturing.get() {
            layout
        } else {
            let layout = or_reap(|| self.checked.layout_with(&CAPTURED))?;
            self.checked.capturing.set(layout)
        };
        start(&self.checked, layout)
    }
}

/// Starts a checked command.
pub(crate) fn start(checked: &CheckedCommand<'_>, layout: &Layout) -> Result<Child, Error> {
    dropped::reap_some();
    let Spawned { launched, pipes, tree } = or_reap(|| spawn(checked, layout))?;
    Ok(Child::new(launched, pipes, &checked.settings, TreeHandle(tree)))
}

/// Runs `work`, which prepares or starts a command. If it lacks descriptors or processes, reaps all dropped children that have
/// ended, and runs it again.
pub(crate) fn or_reap<T>(work: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    match work() {
        Err(error) if is_shortage(&error) && dropped::reap_all() => work(),
        done => done,
    }
}

/// Returns true if the start failed for lack of descriptors or processes, which dropped children may hold.
fn is_shortage(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN))
}

/// Formats the command as [`Command`](crate::Command) does.
impl<M> fmt::Debug for Prepared<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.checked.settings.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Prepared, is_shortage};
    use crate::error::Error;
    use rstest::rstest;
    use std::io;

    /// Dropped children may hold descriptors and processes, and nothing else.
    #[rstest]
    #[case::of_descriptors(libc::EMFILE, true)]
    #[case::of_files(libc::ENFILE, true)]
    #[case::of_processes(libc::EAGAIN, true)]
    #[case::of_memory(libc::ENOMEM, false)]
    #[case::of_permission(libc::EACCES, false)]
    fn start_is_repeated_after_some_shortages(#[case] errno: i32, #[case] expected: bool) {
        let error = Error::Child { what: "start", error: io::Error::from_raw_os_error(errno) };
        assert_eq!(is_shortage(&error), expected);
    }

    #[test]
    fn prepared_command_can_be_shared_by_threads() {
        fn is_shared<T: Send + Sync>() {}
        is_shared::<Prepared<'_>>();
    }
}
