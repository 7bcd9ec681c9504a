//! Signals that arrive at this process: a handler writes each, with its sender, into a pipe that the main loop reads.
//!
//! The handler sends no signal. The code that reaps the program forwards each signal, before it reaps.

use std::io;
use std::mem;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use libc::{c_int, c_void, siginfo_t};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;

use super::forward::{self, STOPS};
use crate::started;
use crate::system;
use crate::system::Sender;

/// A signal that arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) signal: i32,
    pub(super) sender: Sender,
}

/// What the handler writes: signal, `si_code`, `si_pid`. It is shorter than `PIPE_BUF`, so it is written whole or not at all.
type Record = [c_int; 3];

/// The writing end of the pipe, which stays open to the end of this process.
static WRITER: AtomicI32 = AtomicI32::new(-1);

/// How often this process was continued.
static CONTINUED: AtomicU32 = AtomicU32::new(0);

/// The reading end of the pipe.
pub(super) struct Arrivals {
    reader: OwnedFd,
    /// None of the signals of job control is ignored, so that this process can stop and notice that it was continued.
    pub(super) can_stop: bool,
}

impl Arrivals {
    /// Handles every signal that can be forwarded, and `SIGCHLD`, from now on.
    ///
    /// A signal that is ignored stays so: the program inherits that.
    ///
    /// # Errors
    ///
    /// There is no pipe.
    pub(super) fn begin() -> io::Result<Self> {
        let (reader, writer) = nix::unistd::pipe()?;
        for end in [&reader, &writer] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        WRITER.store(writer.into_raw_fd(), SeqCst);
        forward::candidates().filter(|&signal| !is_ignored(signal)).for_each(handle);
        handle(libc::SIGCHLD);
        let can_stop = STOPS.into_iter().chain([libc::SIGCONT]).all(|signal| !started::ignores(signal));
        Ok(Self { reader, can_stop })
    }

    /// The next one, if it arrives within this time.
    ///
    /// # Errors
    ///
    /// Those of poll(2).
    pub(super) fn next(&self, timeout: Option<Duration>) -> io::Result<Option<Arrival>> {
        // A part of a millisecond is waited for as a whole one.
        let millis =
            timeout.map_or(-1, |time| i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)], timeout) {
            // A handler ran, so there is something to read.
            Ok(0) => Ok(None),
            Ok(_) | Err(Errno::EINTR) => Ok(self.read()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn read(&self) -> Option<Arrival> {
        let mut bytes = [0; size_of::<Record>()];
        let read = nix::unistd::read(&self.reader, &mut bytes).ok()?;
        if read < bytes.len() {
            return None;
        }
        let mut numbers = bytes.chunks_exact(size_of::<c_int>());
        let mut number =
            || numbers.next().and_then(|four| four.try_into().ok()).map_or(0, c_int::from_ne_bytes);
        let (signal, code, pid) = (number(), number(), number());
        Some(Arrival { signal, sender: system::sender(code, pid) })
    }
}

/// Rust's runtime ignores `SIGPIPE`; what counts is how this process was started.
fn is_ignored(signal: i32) -> bool {
    if signal == libc::SIGPIPE { started::ignored_sigpipe() } else { started::ignores(signal) }
}

/// Unblocks all signals. Signals that were sent meanwhile arrive now.
pub(super) fn unblock() {
    // An empty set is valid, so this cannot fail.
    let _ = SigSet::empty().thread_set_mask();
}

/// Stops this process by one of the signals of job control, until it is continued. Returns false if it did not stop: the kernel
/// discards the signal in a process group that no shell can continue.
pub(super) fn stop(signal: i32) -> bool {
    let before = CONTINUED.load(SeqCst);
    set(signal, libc::SIG_DFL, 0);
    // SAFETY: raise(3) takes no memory.
    unsafe { libc::raise(signal) };
    handle(signal);
    CONTINUED.load(SeqCst) != before
}

/// Ends this process by a signal, so that its parent sees that. Returns if the system does not let it: it is PID 1.
pub(super) fn end_by(signal: i32) {
    set(signal, libc::SIG_DFL, 0);
    unblock();
    // SAFETY: raise(3) takes no memory.
    unsafe { libc::raise(signal) };
}

fn handle(signal: i32) {
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = note;
    set(signal, handler as *const () as usize, libc::SA_SIGINFO | libc::SA_RESTART);
}

/// The system refuses numbers that are no signal, and the C library those that it keeps for itself: nothing is set for them.
fn set(signal: i32, action: libc::sighandler_t, flags: c_int) {
    // SAFETY: all zeroes are a `sigaction`.
    let mut new: libc::sigaction = unsafe { mem::zeroed() };
    new.sa_sigaction = action;
    new.sa_flags = flags;
    // SAFETY: sigfillset fills the set.
    unsafe { libc::sigfillset(&raw mut new.sa_mask) };
    // SAFETY: `new` is valid, and the action is the default or the handler below, which takes these arguments.
    unsafe { libc::sigaction(signal, &raw const new, ptr::null_mut()) };
}

extern "C" fn note(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    let interrupted = Errno::last_raw();
    if signal == libc::SIGCONT {
        CONTINUED.fetch_add(1, SeqCst);
    }
    // SAFETY: with SA_SIGINFO the system passes what it knows of the signal, for as long as the handler runs.
    let info = unsafe { &*info };
    // SAFETY: any bytes are a number.
    let record: Record = [signal, info.si_code, unsafe { info.si_pid() }];
    // SAFETY: write(2) is async-signal-safe and reads the record. Only `begin` makes the descriptor, and nothing closes it.
    unsafe { libc::write(WRITER.load(SeqCst), record.as_ptr().cast(), size_of::<Record>()) };
    Errno::set_raw(interrupted);
}
