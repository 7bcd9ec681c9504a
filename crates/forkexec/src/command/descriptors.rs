//! Which descriptors a child gets beside 0, 1 and 2.

use super::Command;
use crate::config::source::FdSource;
use crate::exec::listen_vars::FIRST;
use forkexec_core::CloseStrategy;
use std::os::fd::RawFd;

impl<'fd> Command<'fd> {
    /// Gives the child a descriptor under the number that it has here.
    ///
    /// The child's copy survives exec; the parent's keeps its flags. A descriptor may be kept twice, and 0, 1 and 2
    /// may be kept, which is what they are anyway.
    ///
    /// A command that owns a descriptor holds it until it is dropped, because it may be started again. Whoever reads
    /// the other end of a pipe will not see it end before that.
    ///
    /// # Errors
    ///
    /// When the command is started: [`InputError::NotOpen`](crate::InputError::NotOpen), and
    /// [`InputError::ClaimedTwice`](crate::InputError::ClaimedTwice) if something else is to have this number.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::net::TcpListener;
    /// use std::os::fd::AsRawFd;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let script = format!("test -S /dev/fd/{}", listener.as_raw_fd());
    /// let status = Command::new("sh").args(["-c", &script]).keep_fd(&listener).status()?;
    /// assert!(status.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep_fd(&mut self, fd: impl Into<FdSource<'fd>>) -> &mut Self {
        self.settings.keep.push(fd.into());
        self
    }

    /// Gives the child `source` under the descriptor number `target`.
    ///
    /// All mappings of a command take effect at once: two of them may swap numbers, one source may have many targets, and
    /// no target hits a number that another mapping still has to read. The child's copy survives exec; the
    /// parent's descriptor keeps its number and its flags. What is said of ownership at [`keep_fd`](Self::keep_fd) holds
    /// here, too.
    ///
    /// # Errors
    ///
    /// When the command is started:
    /// - [`InputError::ClaimedTwice`](crate::InputError::ClaimedTwice) if another mapping, a kept descriptor or a
    ///   standard stream that was set has the same number;
    /// - [`InputError::TargetOutOfRange`](crate::InputError::TargetOutOfRange) if `target` is negative or not below
    ///   the soft descriptor limit of the parent, under which it is put in place;
    /// - [`InputError::NotOpen`](crate::InputError::NotOpen).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::io::Read;
    ///
    /// let (mut reader, writer) = std::io::pipe()?;
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "echo ready >&7"]).map_fd(writer, 7);
    /// command.status()?;
    ///
    /// drop(command); // held the last writer
    /// let mut said = String::new();
    /// reader.read_to_string(&mut said)?;
    /// assert_eq!(said, "ready\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_fd(&mut self, source: impl Into<FdSource<'fd>>, target: RawFd) -> &mut Self {
        self.settings.mappings.push((source.into(), target));
        self
    }

    /// Hands a listening socket over as systemd does (socket activation, `sd_listen_fds(3)`): the first one under number 3, the
    /// next under 4, and so on. `LISTEN_FDS` says how many, `LISTEN_FDNAMES` their names, and `LISTEN_PID` that they are
    /// meant for this child: the child itself writes its process id there.
    ///
    /// The other side is [`listen_fds`](crate::listen_fds), or what the program's language has for it. Connected
    /// sockets, FIFOs and other files are handed over in the same way. It is a mapping: what is said at
    /// [`map_fd`](Self::map_fd) holds here, too. These variables come before what [`env`](Self::env) sets.
    ///
    /// # Errors
    ///
    /// When the command is started: those of [`map_fd`](Self::map_fd), and
    /// [`InputError::BadSocketName`](crate::InputError::BadSocketName) if the name is more than 255 bytes long or holds
    /// anything but printable ASCII, or a colon.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    /// use std::net::TcpListener;
    ///
    /// let http = TcpListener::bind("127.0.0.1:0")?;
    /// let mut command = Command::new("sh");
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

    /// Leaves every descriptor of the parent's that is not close-on-exec open in the child, as std does.
    pub fn inherit_all(&mut self) -> &mut Self {
        self.settings.close = None;
        self
    }

    /// Closes every descriptor that was not given, which is the default, with this link of the chain or a later one:
    /// the earlier ones are not asked. It is there for tests, and for a system call that must not be made.
    pub fn close_strategy(&mut self, link: CloseStrategy) -> &mut Self {
        self.settings.close = Some(link);
        self
    }
}
