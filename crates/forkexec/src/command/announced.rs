//! Announcements in a child's environment: make's jobserver, and the child's supervisor.

use super::CommandBuilder;
use crate::announced::jobserver::Jobserver;
use crate::announced::notify_socket::NotifySocket;
use std::time::Duration;

impl<M> CommandBuilder<'_, M> {
    /// Passes the jobserver of this process's parent to the child, under the numbers that `MAKEFLAGS` announces.
    ///
    /// Without it, a make below this process warns "jobserver unavailable" and runs one job at a time, and other tools
    /// start as many jobs as they like. The variable itself is inherited, unless the command changes it. A jobserver
    /// with a name needs no descriptor, so the call has no effect.
    ///
    /// Each descriptor is a mapping, with the rules of the other mappings of the command.
    ///
    /// # Errors
    ///
    /// Returns the errors of a mapping when the command is started.
    ///
    /// # Examples
    ///
    /// See [`Jobserver::from_env`].
    pub fn keep_jobserver(&mut self, jobserver: &Jobserver) -> &mut Self {
        let ends = jobserver.ends.iter().map(|(fd, number)| (fd.clone().into(), *number));
        self.settings.mappings.extend(ends);
        self
    }

    /// Tells the child to send its notifications to this socket: sets `NOTIFY_SOCKET` in the child, as systemd does
    /// (`sd_notify(3)`).
    ///
    /// The child inherits no descriptor. The socket need not outlive the command, but messages of the child go to it.
    ///
    /// # Examples
    ///
    /// See [`NotifySocket`].
    pub fn notify_socket(&mut self, socket: impl AsRef<NotifySocket>) -> &mut Self {
        self.settings.supervision.notify_socket = Some(socket.as_ref().address().to_owned());
        self
    }

    /// Asks the child for `WATCHDOG=1` at least once per `interval`, as systemd does (`sd_watchdog_enabled(3)`): sets
    /// `WATCHDOG_USEC` in the child. The child writes its own process id to `WATCHDOG_PID`.
    ///
    /// The child's side is [`watchdog_enabled`](crate::watchdog_enabled), or its counterpart in the program's language.
    /// [`NotifySocket::wait_watchdog`] notices that the message is missing. The command also needs
    /// [`notify_socket`](Self::notify_socket).
    ///
    /// # Errors
    ///
    /// The start returns [`InputError::WatchdogTooShort`](crate::InputError::WatchdogTooShort) if the interval is less than a
    /// microsecond.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::time::Duration;
    ///
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "test $WATCHDOG_PID = $$ && echo $WATCHDOG_USEC"]).watchdog(Duration::from_secs(30));
    /// assert_eq!(command.output()?.stdout, b"30000000\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn watchdog(&mut self, interval: Duration) -> &mut Self {
        self.settings.supervision.watchdog = Some(interval);
        self
    }
}
