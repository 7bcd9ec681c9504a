//! The list of open descriptors, and what it says of each.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use rstest::rstest;

use forkexec::fds::{self, FdKind, OpenFd, SocketAddress};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::world;

use crate::all_fds::open;
use crate::child::own_table;

/// Owns a descriptor that a system call returned.
fn owned(fd: libc::c_int) -> OwnedFd {
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: the call just opened it, and nothing else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn listed(fd: &impl AsRawFd) -> OpenFd {
    let fds = fds::list().expect("they can be listed");
    fds.into_iter().find(|listed| listed.number() == fd.as_raw_fd()).expect("it is open")
}

fn anonymous(name: &str) -> FdKind {
    FdKind::Anonymous(name.to_owned())
}

#[test]
fn kind_of_each_fd_is_listed() {
    isolated(|| {
        let (reader, writer) = io::pipe().expect("a pipe can be made");
        let (one, other) = UnixStream::pair().expect("a pair can be made");
        // SAFETY: it only makes a descriptor, as do the calls below.
        let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        // SAFETY: as above.
        let poll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        // SAFETY: as above.
        let timer = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) };
        // SAFETY: as above.
        let inotify = unsafe { libc::inotify_init1(libc::IN_CLOEXEC) };
        // SAFETY: as above. The name is a C string.
        let memory = unsafe { libc::memfd_create(c"text".as_ptr(), libc::MFD_CLOEXEC) };
        // SAFETY: as above.
        let terminal = unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) };
        let made = [
            (event, anonymous("eventfd")),
            (poll, anonymous("eventpoll")),
            (timer, anonymous("timerfd")),
            (inotify, anonymous("inotify")),
            (memory, FdKind::File),
            (terminal, FdKind::Terminal),
        ];
        let made = made.map(|(fd, kind)| (owned(fd), kind));
        let files = ["/etc/passwd", "/dev/null", "/"].map(|path| File::open(path).expect("it is there"));
        let kinds = [FdKind::File, FdKind::CharDevice, FdKind::Directory];
        for (fd, kind) in made.iter().map(|(fd, kind)| (fd.as_raw_fd(), kind.clone())).chain(
            files.iter().map(AsRawFd::as_raw_fd).zip(kinds).chain([
                (reader.as_raw_fd(), FdKind::Pipe),
                (writer.as_raw_fd(), FdKind::Pipe),
                (one.as_raw_fd(), FdKind::Socket),
                (other.as_raw_fd(), FdKind::Socket),
            ]),
        ) {
            assert_eq!(*listed(&fd).kind(), kind, "{:?}", listed(&fd));
        }
    });
}

#[test]
fn facts_of_a_file_are_listed() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("file\n");
        let file = File::options().append(true).create(true).open(&path).expect("it can be made");
        let fd = listed(&file);
        assert_eq!((fd.path(), fd.target()), (Some(path.as_path()), Some(path.as_os_str())));
        assert_eq!(fd.is_cloexec(), Some(true));
        let flags = fd.status_flags().expect("fcntl(2) tells");
        assert_eq!(flags & (libc::O_ACCMODE | libc::O_APPEND), libc::O_WRONLY | libc::O_APPEND);
        let about = fs::metadata(&path).expect("it is there");
        assert_eq!((fd.device(), fd.inode()), (Some(about.dev()), Some(about.ino())));
        assert_eq!(fd.to_string(), format!("{} file {:?} (close-on-exec)", file.as_raw_fd(), path));
        fs::remove_file(&path).expect("it is there");
        assert!(listed(&file).path().expect("it has a target").to_string_lossy().ends_with(" (deleted)"));
    });
}

#[test]
fn addresses_of_sockets_are_listed() {
    isolated(|| {
        let listener = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a local address can be bound");
        let address = listener.local_addr().expect("it is bound");
        let stream = TcpStream::connect(address).expect("it listens");
        let fd = listed(&listener);
        assert!(matches!(fd.local_address(), Some(SocketAddress::Internet(local)) if *local == address));
        assert!(fd.peer_address().is_none() && fd.path().is_none());
        let fd = listed(&stream);
        assert!(matches!(fd.peer_address(), Some(SocketAddress::Internet(peer)) if *peer == address));
        assert!(fd.to_string().ends_with(&format!(" -> {address} (close-on-exec)")), "{fd}");

        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).expect("a path can be bound");
        let stream = UnixStream::connect(&path).expect("it listens");
        let name = |address: Option<&SocketAddress>| match address {
            Some(SocketAddress::Unix(address)) => address.as_pathname().map(ToOwned::to_owned),
            other => panic!("{other:?}"),
        };
        assert_eq!(name(listed(&listener).local_address()), Some(path.clone()));
        assert_eq!(name(listed(&stream).peer_address()), Some(path.clone()));
        assert_eq!(name(listed(&stream).local_address()), None);
        let datagrams = UnixDatagram::unbound().expect("a socket can be made");
        assert!(listed(&datagrams).peer_address().is_none());
        // SAFETY: the call only makes a descriptor.
        let netlink =
            owned(unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) });
        let fd = listed(&netlink);
        assert!(*fd.kind() == FdKind::Socket && fd.local_address().is_none(), "{fd:?}");
        assert!(fd.target().is_some_and(|target| target.to_string_lossy().starts_with("socket:[")));
    });
}

#[test]
fn path_descriptor_is_listed() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/nowhere", &link).expect("a link can be made");
        let flags = libc::O_PATH | libc::O_NOFOLLOW;
        let file = File::options().read(true).custom_flags(flags).open(&link).expect("it is there");
        let fd = listed(&file);
        assert_eq!((fd.kind(), fd.path()), (&FdKind::Symlink, Some(link.as_path())));
        assert_eq!(fd.status_flags().map(|flags| flags & libc::O_PATH), Some(libc::O_PATH));
    });
}

fn numbers() -> Vec<RawFd> {
    fds::list().expect("they can be listed").iter().map(OpenFd::number).collect()
}

#[test]
fn list_has_exactly_the_open_fds() {
    isolated(|| {
        let many: Vec<_> = (0..900).map(|_| File::open("/dev/null").expect("the limit allows it")).collect();
        assert_eq!(numbers(), own_table().into_keys().collect::<Vec<_>>());
        drop(many);
        let _open = open(&[(60, true), (1_023, false)].into());
        assert_eq!(numbers(), [0, 1, 2, 60, 1_023]);
        let flags: Vec<_> = fds::list().expect("they can be listed").iter().map(OpenFd::is_cloexec).collect();
        assert_eq!(flags, own_table().into_values().map(Some).collect::<Vec<_>>());
    });
}

/// If no number is free for the list's own descriptor, each number is tried.
#[test]
fn list_needs_no_free_number() {
    isolated(|| {
        let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
        let _open = open(&[(60, true)].into());
        world::set_limit(libc::RLIMIT_NOFILE, 3, hard).expect("a limit can be lowered");
        assert_eq!(numbers(), [0, 1, 2, 60]);
    });
}

/// Faults: F3, F4
#[rstest]
fn list_needs_no_proc(#[values(false, true)] is_false: bool) {
    isolated(|| {
        let _open = open(&[(60, true), (1_000, false)].into());
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let done = if is_false { world::false_proc(directory.path()) } else { world::without_proc() };
        if let Err(reason) = done {
            return skip(&reason);
        }
        let fds = fds::list().expect("each number is tried");
        assert_eq!(numbers(), [0, 1, 2, 60, 1_000]);
        let fd = &fds[3];
        assert_eq!((fd.kind(), fd.target(), fd.is_cloexec()), (&FdKind::CharDevice, None, Some(true)));
    });
}

/// Other threads open and close all the time. Descriptors that stay open are in every list.
#[test]
fn list_has_what_stays_open_while_others_change() {
    isolated(|| {
        let _open = open(&[(60, true), (1_000, false)].into());
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                        drop(io::pipe().expect("a pipe can be made"));
                    }
                });
            }
            for _ in 0..300 {
                let fds = fds::list().expect("they can be listed");
                let stay = fds.iter().filter(|fd| [0, 1, 2, 60, 1_000].contains(&fd.number()));
                let null = OsStr::new("/dev/null");
                assert_eq!(stay.clone().count(), 5);
                assert!(stay.filter(|fd| fd.number() >= 60).all(|fd| fd.target() == Some(null)));
            }
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    });
}
