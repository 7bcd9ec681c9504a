//! Commands that start the probe, and their results.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;

use forkexec::{BorrowingCommand, Errno, Error, SpawnError};
use forkexec_tests::probe::Seen;
pub(crate) use forkexec_tests::probe::{command as probe, seen};

use crate::ground::check;

/// A device and an inode, which identify a file.
pub(crate) type Identity = (u64, u64);

/// Adds the verb `report` to the command, runs it, and returns the report.
#[track_caller]
pub(crate) fn report(command: &mut BorrowingCommand<'_>) -> Seen {
    seen(command.arg("report"))
}

/// The C library's words for an errno, as an error shows them: `Permission denied (os error 13)`. Each library has its own.
pub(crate) fn words(errno: Errno) -> String {
    io::Error::from_raw_os_error(errno.raw()).to_string()
}

/// The failed call of a command that cannot be started.
#[track_caller]
pub(crate) fn failure(command: &mut BorrowingCommand<'_>) -> SpawnError {
    match command.spawn() {
        Err(Error::Spawn(failure)) => failure,
        Err(other) => panic!("it failed otherwise: {other}"),
        Ok(child) => panic!("it was started, as process {}", child.id()),
    }
}

/// A path descriptor of the root directory. C libraries differ on whether `O_PATH` is an access mode, and std drops it
/// where it is.
pub(crate) fn path_descriptor() -> OwnedFd {
    // SAFETY: the path is a C string.
    let fd = check(unsafe { libc::open(c"/".as_ptr(), libc::O_PATH | libc::O_CLOEXEC) });
    // SAFETY: the descriptor is new and has no other owner.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A file in memory, closed by exec.
pub(crate) fn memory_file() -> File {
    // SAFETY: the name is a C string.
    let fd = check(unsafe { libc::memfd_create(c"conformance".as_ptr(), libc::MFD_CLOEXEC) });
    // SAFETY: the descriptor is new and has no other owner.
    unsafe { File::from_raw_fd(fd) }
}

/// A file in memory, close-on-exec, with a number above those that tests choose.
pub(crate) fn high_memory_file() -> File {
    high(&memory_file())
}

/// The reading end of a pipe, which does not wait, and the writing end, both with numbers as [`high_memory_file`].
pub(crate) fn high_pipe() -> (File, File) {
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    // SAFETY: the command takes an int.
    check(unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) });
    (high(&reader), high(&writer))
}

fn high(low: &impl AsRawFd) -> File {
    // SAFETY: the command takes an int.
    let high = check(unsafe { libc::fcntl(low.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 880) });
    // SAFETY: the descriptor is new and has no other owner.
    unsafe { File::from_raw_fd(high) }
}

/// The report that a probe wrote into a file.
#[track_caller]
pub(crate) fn written(file: &File) -> Seen {
    let length = file.metadata().expect("it is open").len();
    let mut text = vec![0; usize::try_from(length).expect("a report fits into memory")];
    file.read_exact_at(&mut text, 0).expect("it can be read");
    Seen::of(&text)
}

/// Returns the identity of the file behind a descriptor.
#[track_caller]
pub(crate) fn identity(fd: impl AsFd) -> Identity {
    let mut about = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `about` has room for the answer.
    check(unsafe { libc::fstat(fd.as_fd().as_raw_fd(), about.as_mut_ptr()) });
    // SAFETY: fstat succeeded, so it has filled it.
    let about = unsafe { about.assume_init() };
    #[expect(clippy::allow_attributes, reason = "a number of 32 bits on some architectures")]
    #[allow(clippy::useless_conversion)]
    (about.st_dev.into(), about.st_ino.into())
}

/// Returns the file behind each descriptor of the child.
pub(crate) fn table(seen: &Seen) -> Vec<(RawFd, Identity)> {
    seen.facts.iter().map(|(&fd, facts)| (fd, (facts.dev, facts.ino))).collect()
}

/// Returns true if exec closes the descriptor.
pub(crate) fn is_cloexec(fd: &impl AsRawFd) -> bool {
    // SAFETY: the command takes no argument.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) });
    flags & libc::FD_CLOEXEC != 0
}

/// Lets exec close a descriptor.
pub(crate) fn set_cloexec(fd: &impl AsRawFd) {
    // SAFETY: the command takes an int.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) });
}

/// Sets nothing on a command.
pub(crate) fn nothing_said(_: &mut BorrowingCommand<'_>) {}
