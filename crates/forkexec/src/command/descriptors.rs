//! The descriptors that a child inherits besides 0, 1 and 2.

use super::CommandBuilder;
use crate::config::source::FdSource;
use crate::exec::listen_vars::FIRST;
use crate::prepare::INHERITED;
use crate::prepare::nonblocking::nonblocking;
use forkexec_core::CloseStrategy;
use std::os::fd::{AsRawFd, RawFd};

impl<'fd, M> CommandBuilder<'fd, M> {
    /// Passes a descriptor to the child under its number in the parent.
    ///
    /// The child's copy survives exec, and the parent's descriptor keeps its flags. The same descriptor can
    /// be passed twice. Passing 0, 1 or 2 has no effect, because the child inherits them anyway.
    ///
    /// A command holds the descriptors that it owns until it is dropped, because it can be started again. A
    /// reader of a pipe sees the end of file only after the command that owns the writing end is dropped.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::NotOpen`](crate::InputError::NotOpen) if the descriptor is not open.
    /// - The start returns [`InputError::ClaimedTwice`](crate::InputError::ClaimedTwice) if a mapping or a
    ///   standard stream claims the same number.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::BorrowingCommand;
    /// use std::net::TcpListener;
    /// use std::os::fd::AsRawFd;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let script = format!("test -S /dev/fd/{}", listener.as_raw_fd());
    /// let status = BorrowingCommand::new("sh").args(["-c", &script]).keep_fd(&listener).status()?;
    /// assert!(status.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep_fd<F: Into<FdSource<'fd>>>(&mut self, fd: F) -> &mut Self {
        self.settings.keep.push(fd.into());
        self
    }

    /// Passes `old_fd` to the child under the number `new_fd`. Name and order are those of the method that std has
    /// [accepted](https://github.com/rust-lang/rust/issues/144989).
    ///
    /// All mappings of a command take effect at once. Two mappings can swap their numbers, a source can have
    /// several targets, and a target does not overwrite a number that another mapping still reads. The
    /// child's copy survives exec, and the parent's descriptor keeps its number and its flags. A command
    /// holds the descriptors that it owns, as with [`keep_fd`](Self::keep_fd).
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::ClaimedTwice`](crate::InputError::ClaimedTwice) if another mapping,
    ///   a kept descriptor or a standard stream that was set claims the same number.
    /// - The start returns [`InputError::TargetOutOfRange`](crate::InputError::TargetOutOfRange) if `new_fd`
    ///   is negative, or not below the soft descriptor limit of the parent, which holds while the child puts
    ///   descriptors in place.
    /// - The start returns [`InputError::NotOpen`](crate::InputError::NotOpen) if `old_fd` is not open.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::io::Read;
    /// use std::os::unix::net::UnixStream;
    ///
    /// let (mut reader, writer) = UnixStream::pair()?;
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "echo ready >&7"]).fd(7, writer);
    /// command.status()?;
    ///
    /// drop(command); // held the last writer
    /// let mut said = String::new();
    /// reader.read_to_string(&mut said)?;
    /// assert_eq!(said, "ready\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fd<F: Into<FdSource<'fd>>>(&mut self, new_fd: RawFd, old_fd: F) -> &mut Self {
        self.settings.mappings.push((old_fd.into(), new_fd));
        self
    }

    /// Passes a listening socket to the child as systemd does (socket activation, `sd_listen_fds(3)`).
    ///
    /// The first socket gets number 3, the next one 4, and so on. The variable `LISTEN_FDS` holds their
    /// count, and `LISTEN_FDNAMES` their names. The child writes its own process id to `LISTEN_PID`.
    /// [`env`](Self::env) can override these variables.
    ///
    /// The receiving side is [`listen_fds`](crate::listen_fds), or its counterpart in the program's language.
    /// Connected sockets, FIFOs and other files can be passed in the same way. Each socket is a mapping as
    /// with [`fd`](Self::fd), with the same rules.
    ///
    /// # Errors
    ///
    /// - Returns the errors of [`fd`](Self::fd) when the command is started.
    /// - The start returns [`InputError::BadSocketName`](crate::InputError::BadSocketName) if the name is
    ///   longer than 255 bytes, or contains a colon or anything but printable ASCII.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::BorrowingCommand;
    /// use std::net::TcpListener;
    ///
    /// let http = TcpListener::bind("127.0.0.1:0")?;
    /// let mut command = BorrowingCommand::new("sh");
    /// command.args(["-c", "test $LISTEN_PID = $$ && echo $LISTEN_FDS:$LISTEN_FDNAMES"]).listen_fd(&http, "http");
    /// assert_eq!(command.output()?.stdout, b"1:http\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn listen_fd(&mut self, socket: impl Into<FdSource<'fd>>, name: impl Into<String>) -> &mut Self {
        let target = self.settings.sockets.len().try_into().ok().and_then(|index| FIRST.checked_add(index));
        self.settings.mappings.push((socket.into(), target.unwrap_or(RawFd::MAX)));
        self.settings.sockets.push(name.into());
        self
    }

    /// Takes every descriptor that the child gets out of non-blocking mode (`O_NONBLOCK`), in the parent, when the
    /// command is prepared or started: standard streams, kept and mapped descriptors.
    ///
    /// Few programs expect `EAGAIN` from a standard stream. The mode belongs to the open file, not to the descriptor. So
    /// it also changes for the parent, and for all other processes that share the open file.
    ///
    /// # Errors
    ///
    /// The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Setup`](crate::Stage::Setup) if fcntl(2) fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::os::unix::net::UnixStream;
    ///
    /// let (ours, theirs) = UnixStream::pair()?;
    /// theirs.set_nonblocking(true)?;
    /// let mut command = Command::new("true");
    /// command.fd(7, theirs);
    /// assert_eq!(command.nonblocking_fds().len(), 1);
    /// command.clear_nonblocking().status()?;
    /// assert!(command.nonblocking_fds().is_empty());
    /// # drop(ours);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear_nonblocking(&mut self) -> &mut Self {
        self.settings.clear_nonblocking = true;
        self
    }

    /// Returns the parent's descriptors that the child gets from [`spawn`](crate::Command::spawn) and that are in
    /// non-blocking mode, so that a program can warn of them.
    ///
    /// # Examples
    ///
    /// See [`clear_nonblocking`](Self::clear_nonblocking).
    pub fn nonblocking_fds(&self) -> Vec<RawFd> {
        nonblocking(&self.settings, &INHERITED).iter().map(AsRawFd::as_raw_fd).collect()
    }

    /// Lets the child inherit every descriptor of the parent that is not close-on-exec, as std does.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{CloseMethod, Command};
    ///
    /// let mut child = Command::new("true").inherit_all().spawn()?;
    /// assert_eq!(child.close_method(), CloseMethod::None);
    /// child.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn inherit_all(&mut self) -> &mut Self {
        self.settings.close = None;
        self
    }

    /// Closes the descriptors that the child does not inherit, starting with this strategy. Strategies that
    /// come earlier in the fallback chain are skipped, later ones are used if this one fails.
    ///
    /// The default is [`CloseStrategy::Bulk`], the first in the chain. Other values exist for tests, and for
    /// programs that must not make a certain system call.
    ///
    /// # Examples
    ///
    /// See [`Child::close_method`](crate::Child::close_method).
    pub fn close_strategy(&mut self, strategy: CloseStrategy) -> &mut Self {
        self.settings.close = Some(strategy);
        self
    }
}
