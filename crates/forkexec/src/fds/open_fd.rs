//! The list of open descriptors, with what each is.

use super::socket::{SocketAddress, addresses};
use crate::sys::{backend, open_fds, system};
use forkexec_core::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{FileStat, SFlag, fstat};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, IsTerminal};
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;

/// An open descriptor of this process, as it was when [`list`] saw it. It is a description and owns nothing.
///
/// # Examples
///
/// See [`list`].
#[derive(Clone, Debug)]
pub struct OpenFd {
    number: RawFd,
    kind: FdKind,
    target: Option<OsString>,
    local: Option<SocketAddress>,
    peer: Option<SocketAddress>,
    cloexec: Option<bool>,
    flags: Option<OFlag>,
    /// Device and inode.
    file: Option<(u64, u64)>,
}

/// The kind of object that a descriptor refers to.
///
/// # Examples
///
/// See [`list`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FdKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A pipe, or a FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// A terminal.
    Terminal,
    /// A character device that is no terminal, such as `/dev/null`.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A symbolic link, opened with `O_PATH`.
    Symlink,
    /// An object of the kernel that has no file, by the name that Linux has for it: `eventfd`, `eventpoll`, `timerfd`,
    /// `signalfd`, `inotify`, `pidfd`, `io_uring`, a namespace such as `net`, and others.
    Anonymous(String),
    /// Anything else, such as a kqueue on some systems.
    Other,
}

impl fmt::Display for FdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Pipe => "pipe",
            Self::Socket => "socket",
            Self::Terminal => "terminal",
            Self::CharDevice => "character device",
            Self::BlockDevice => "block device",
            Self::Symlink => "symbolic link",
            Self::Anonymous(name) => name,
            Self::Other => "other",
        })
    }
}

/// Lists the open descriptors of this process, in the order of their numbers.
///
/// The list is one of a moment: other threads may open and close descriptors meanwhile. A descriptor that is closed while
/// the list is made may be missing, or described by what has its number next. The descriptor through which the list is
/// read is not in it. The call changes no descriptor.
///
/// # Platform-specific behavior
///
/// All systems tell number, kind, inode, flags and socket addresses. Linux, Solaris, illumos, macOS, NetBSD and DragonFly
/// also tell paths, unless `/proc` is missing. Names of anonymous objects are known on Linux only.
///
/// # Errors
///
/// - Returns `EOVERFLOW` if the system has no list that can be trusted, and the limit of descriptors is too high to try
///   each number.
/// - Returns the errno of fstat(2) if there is no list, and both fcntl(2) and fstat(2) are refused.
///
/// # Examples
///
/// ```
/// use forkexec::fds::{self, FdKind};
/// use std::fs::File;
/// use std::os::fd::AsRawFd;
///
/// let hosts = File::open("/etc/hosts")?;
/// let fds = fds::list()?;
/// let listed = fds.iter().find(|fd| fd.number() == hosts.as_raw_fd()).ok_or("it is open")?;
/// assert_eq!((listed.kind(), listed.is_cloexec()), (&FdKind::File, Some(true)));
/// println!("{listed}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn list() -> io::Result<Vec<OpenFd>> {
    let numbers = open_fds::list().map_err(|errno| io::Error::from_raw_os_error(errno.raw()))?;
    Ok(numbers.into_iter().filter_map(OpenFd::look).collect())
}

impl OpenFd {
    /// Describes a descriptor, or returns `None` if it is not open.
    fn look(number: RawFd) -> Option<Self> {
        let cloexec = match backend::is_cloexec(number) {
            Ok(cloexec) => Some(cloexec),
            Err(Errno::BADF) => return None,
            Err(_) => None,
        };
        // SAFETY: the number is that of an open descriptor, so it is not -1. If other code has closed it meanwhile, the calls
        // below fail, or describe what has the number now. None of them changes a descriptor.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        let stat = match fstat(fd) {
            Err(nix::errno::Errno::EBADF) => return None,
            answer => answer.ok(),
        };
        let target = system::fd_target(number);
        let kind = FdKind::of(target.as_deref(), stat.as_ref(), fd);
        let [local, peer] = if kind == FdKind::Socket { addresses(number) } else { [None, None] };
        let flags = fcntl(fd, FcntlArg::F_GETFL).ok().map(OFlag::from_bits_retain);
        let file = stat.map(|stat| file_id(&stat));
        Some(Self { number, kind, target, local, peer, cloexec, flags, file })
    }

    /// Returns the number of the descriptor.
    ///
    /// # Examples
    ///
    /// See [`list`].
    pub fn number(&self) -> RawFd {
        self.number
    }

    /// Returns what the descriptor refers to.
    ///
    /// # Examples
    ///
    /// See [`list`].
    pub fn kind(&self) -> &FdKind {
        &self.kind
    }

    /// Returns what the system calls the descriptor's target: a path, or on Linux also a text such as `pipe:[42]`. `None`
    /// if the system does not tell.
    ///
    /// # Examples
    ///
    /// ```
    /// for fd in forkexec::fds::list()? {
    ///     println!("{} {:?}", fd.number(), fd.target());
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn target(&self) -> Option<&OsStr> {
        self.target.as_deref()
    }

    /// Returns the path of the file, if it has one and the system tells it. Linux appends ` (deleted)` to the path of a
    /// file that has been deleted (proc_pid_fd(5)).
    ///
    /// # Examples
    ///
    /// ```
    /// let fds = forkexec::fds::list()?;
    /// for path in fds.iter().filter_map(|fd| fd.path()) {
    ///     println!("{}", path.display());
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn path(&self) -> Option<&Path> {
        self.target().map(Path::new).filter(|path| path.is_absolute())
    }

    /// Returns the address of the socket. `None` if it is no socket, or one of another family.
    ///
    /// # Examples
    ///
    /// See [`SocketAddress`].
    pub fn local_address(&self) -> Option<&SocketAddress> {
        self.local.as_ref()
    }

    /// Returns the address of the socket's peer. `None` if it is not connected, or no socket of a known family.
    ///
    /// # Examples
    ///
    /// See [`SocketAddress`].
    pub fn peer_address(&self) -> Option<&SocketAddress> {
        self.peer.as_ref()
    }

    /// Returns whether exec closes the descriptor. `None` if fcntl(2) is refused.
    ///
    /// # Examples
    ///
    /// See [`list`].
    pub fn is_cloexec(&self) -> Option<bool> {
        self.cloexec
    }

    /// Returns the access mode and the status flags of the open file, as `F_GETFL` of fcntl(2) does: `O_RDWR`, `O_APPEND`,
    /// `O_NONBLOCK` and others. `None` if fcntl(2) is refused.
    ///
    /// # Examples
    ///
    /// ```
    /// let fds = forkexec::fds::list()?;
    /// let blocking = fds.iter().filter_map(|fd| fd.status_flags()).filter(|flags| flags & libc::O_NONBLOCK == 0);
    /// println!("{} descriptors block", blocking.count());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn status_flags(&self) -> Option<i32> {
        self.flags.map(|flags| flags.bits())
    }

    /// Returns the inode of the file. Two descriptors with the same device and inode refer to the same file. `None` if
    /// fstat(2) is refused.
    ///
    /// # Examples
    ///
    /// See [`device`](Self::device).
    pub fn inode(&self) -> Option<u64> {
        self.file.map(|(_, inode)| inode)
    }

    /// Returns the number of the device of the file. `None` if fstat(2) is refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::fs::File;
    /// use std::os::fd::AsRawFd;
    ///
    /// let both = [File::open("/etc/hosts")?, File::open("/etc/hosts")?];
    /// let fds = forkexec::fds::list()?;
    /// let file = |number| fds.iter().find(|fd| fd.number() == number).map(|fd| (fd.device(), fd.inode()));
    /// assert_eq!(file(both[0].as_raw_fd()), file(both[1].as_raw_fd()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn device(&self) -> Option<u64> {
        self.file.map(|(device, _)| device)
    }
}

impl fmt::Display for OpenFd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.kind)?;
        match (&self.local, &self.peer, &self.target) {
            (Some(local), Some(peer), _) => write!(f, " {local} -> {peer}")?,
            (Some(local), None, _) => write!(f, " {local}")?,
            (None, _, Some(target)) => write!(f, " {:?}", target.to_string_lossy())?,
            (None, _, None) => {}
        }
        if self.cloexec == Some(true) { f.write_str(" (close-on-exec)") } else { Ok(()) }
    }
}

impl FdKind {
    fn of(target: Option<&OsStr>, stat: Option<&FileStat>, fd: BorrowedFd<'_>) -> Self {
        if let Some(name) = target.and_then(OsStr::to_str).and_then(anonymous_name) {
            return Self::Anonymous(name.to_owned());
        }
        let Some(stat) = stat else { return Self::Other };
        match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFREG => Self::File,
            SFlag::S_IFDIR => Self::Directory,
            SFlag::S_IFIFO => Self::Pipe,
            SFlag::S_IFSOCK => Self::Socket,
            SFlag::S_IFCHR if fd.is_terminal() => Self::Terminal,
            SFlag::S_IFCHR => Self::CharDevice,
            SFlag::S_IFBLK => Self::BlockDevice,
            SFlag::S_IFLNK => Self::Symlink,
            _ => Self::Other,
        }
    }
}

/// Returns the name in `anon_inode:[eventfd]`, `anon_inode:inotify`, `pidfd:[42]` or `net:[4026531840]`.
fn anonymous_name(link: &str) -> Option<&str> {
    if let Some(name) = link.strip_prefix("anon_inode:") {
        return Some(name.trim_matches(['[', ']']));
    }
    let (name, number) = link.strip_suffix(']')?.split_once(":[")?;
    let is_anonymous =
        !name.contains('/') && name != "pipe" && name != "socket" && number.parse::<u64>().is_ok();
    is_anonymous.then_some(name)
}

#[expect(clippy::allow_attributes, reason = "the types differ by system")]
#[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, clippy::cast_lossless, clippy::useless_conversion)]
fn file_id(stat: &FileStat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

#[cfg(test)]
mod tests {
    use super::{FdKind, anonymous_name};
    use nix::sys::stat::{SFlag, fstat};
    use rstest::rstest;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[rstest]
    #[case::file(SFlag::S_IFREG, FdKind::File)]
    #[case::character_device(SFlag::S_IFCHR, FdKind::CharDevice)]
    #[case::block_device(SFlag::S_IFBLK, FdKind::BlockDevice)]
    #[case::link(SFlag::S_IFLNK, FdKind::Symlink)]
    #[case::none(SFlag::empty(), FdKind::Other)]
    fn type_of_the_file_is_the_kind(#[case] file_type: SFlag, #[case] kind: FdKind) {
        let file = File::open("/dev/null").expect("it is there");
        let mut stat = fstat(&file).expect("it is open");
        stat.st_mode = file_type.bits();
        assert_eq!(FdKind::of(None, Some(&stat), file.as_fd()), kind);
    }

    #[rstest]
    #[case::in_brackets("anon_inode:[eventfd]", Some("eventfd"))]
    #[case::without_brackets("anon_inode:inotify", Some("inotify"))]
    #[case::process("pidfd:[42]", Some("pidfd"))]
    #[case::namespace("net:[4026531840]", Some("net"))]
    #[case::pipe("pipe:[42]", None)]
    #[case::socket("socket:[42]", None)]
    #[case::file_by_such_a_name("/tmp/net:[42]", None)]
    #[case::no_number("net:[x]", None)]
    #[case::file("/tmp/file", None)]
    fn only_an_object_without_a_path_is_anonymous(#[case] link: &str, #[case] name: Option<&str>) {
        assert_eq!(anonymous_name(link), name);
    }
}
