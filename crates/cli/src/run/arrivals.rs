//! Arriving signals: a handler writes each signal and its sender into a pipe, which the main loop reads.
//!
//! The handler sends no signal. The code that reaps the program also forwards signals, so that it forwards none to a reaped
//! process.

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

/// The record that the handler writes: signal, `si_code`, `si_pid`. It is shorter than `PIPE_BUF`, so the write is atomic.
type Record = [c_int; 3];

/// The writing end of the pipe, which stays open until this process ends.
static WRITER: AtomicI32 = AtomicI32::new(-1);

/// The number of times that this process was continued.
static CONTINUED: AtomicU32 = AtomicU32::new(0);

/// The reading end of the pipe.
pub(super) struct Arrivals {
    reader: OwnedFd,
    /// True if no job control signal is ignored, so that this process can stop and detect that it was continued.
    pub(super) can_stop: bool,
}

impl Arrivals {
    /// Installs the handler for `SIGCHLD` and all signals that can be forwarded.
    ///
    /// Ignored signals stay ignored, because the program inherits that.
    ///
    /// # Errors
    ///
    /// Fails if the pipe cannot be created.
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

    /// Waits for the next signal, at most for `timeout`.
    ///
    /// # Errors
    ///
    /// Returns the errors of poll(2).
    pub(super) fn next(&self, timeout: Option<Duration>) -> io::Result<Option<Arrival>> {
        // Rounds up to whole milliseconds.
        let millis =
            timeout.map_or(-1, |time| i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)], timeout) {
            // After EINTR, the handler has written a record.
            Ok(0) => Ok(None),
            Ok(_) | Err(Errno::EINTR) => Ok(self.read()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn read(&self) -> Option<Arrival> {
        let mut bytes = [0; size_of::<Record>()];
        let read = nix::unistd::read(&self.reader, &mut bytes).ok()?;
        if read != bytes.len() {
            return None;
        }
        let mut numbers = bytes.chunks_exact(size_of::<c_int>());
        let mut number =
            || numbers.next().and_then(|four| four.try_into().ok()).map_or(0, c_int::from_ne_bytes);
        let (signal, code, pid) = (number(), number(), number());
        Some(Arrival { signal, sender: system::sender(code, pid) })
    }
}

/// Returns true if `signal` was ignored at the start. Rust's runtime ignores `SIGPIPE`, so its current state does not count.
fn is_ignored(signal: i32) -> bool {
    if signal == libc::SIGPIPE { started::ignored_sigpipe() } else { started::ignores(signal) }
}

/// Unblocks all signals. Pending signals arrive now.
pub(super) fn unblock() {
    // This cannot fail: an empty set is valid.
    let _ = SigSet::empty().thread_set_mask();
}

/// Stops this process with a job control signal, until it is continued. Returns false if it did not stop: in an orphaned
/// process group, which no shell can continue, the kernel discards the signal.
pub(super) fn stop(signal: i32) -> bool {
    let before = CONTINUED.load(SeqCst);
    set(signal, libc::SIG_DFL, 0);
    // SAFETY: raise(3) accesses no memory.
    unsafe { libc::raise(signal) };
    handle(signal);
    CONTINUED.load(SeqCst) != before
}

/// Kills this process with a signal, so that the parent sees the signal. Returns only in PID 1, which the signal cannot kill.
pub(super) fn end_by(signal: i32) {
    set(signal, libc::SIG_DFL, 0);
    unblock();
    // SAFETY: raise(3) accesses no memory.
    unsafe { libc::raise(signal) };
}

fn handle(signal: i32) {
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = note;
    set(signal, handler as *const () as usize, libc::SA_SIGINFO | libc::SA_RESTART);
}

/// Sets the action of a signal. Does nothing for numbers that are not a signal, or that the C library reserves.
fn set(signal: i32, action: libc::sighandler_t, flags: c_int) {
    // SAFETY: a `sigaction` of zeroes is valid.
    let mut new: libc::sigaction = unsafe { mem::zeroed() };
    new.sa_sigaction = action;
    new.sa_flags = flags;
    // SAFETY: sigfillset fills the set.
    unsafe { libc::sigfillset(&raw mut new.sa_mask) };
    // SAFETY: `new` is valid. The action is the default or the handler below, which takes the arguments of SA_SIGINFO.
    unsafe { libc::sigaction(signal, &raw const new, ptr::null_mut()) };
}

/// Wakes the main loop, as the end of a child does.
pub(super) fn wake() {
    write(&[libc::SIGCHLD, 0, 0]);
}

extern "C" fn note(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    let interrupted = Errno::last_raw();
    if signal == libc::SIGCONT {
        CONTINUED.fetch_add(1, SeqCst);
    }
    // SAFETY: with SA_SIGINFO, the system passes a valid `siginfo_t` to the handler.
    let info = unsafe { &*info };
    // SAFETY: the field is an integer, for which any bytes are valid.
    let record: Record = [signal, info.si_code, unsafe { info.si_pid() }];
    write(&record);
    Errno::set_raw(interrupted);
}

fn write(record: &Record) {
    // SAFETY: write(2) is async-signal-safe and reads the record. `begin` opened the descriptor, and nothing closes it.
    unsafe { libc::write(WRITER.load(SeqCst), record.as_ptr().cast(), size_of::<Record>()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sigcont_counts_as_a_continuation() {
        // SAFETY: a `siginfo_t` of zeroes is valid.
        let mut info: siginfo_t = unsafe { mem::zeroed() };
        let counted_by = |signal, info: *mut siginfo_t| {
            let before = CONTINUED.load(SeqCst);
            // There is no pipe, so the record goes nowhere.
            note(signal, info, ptr::null_mut());
            CONTINUED.load(SeqCst) - before
        };
        assert_eq!([libc::SIGCONT, libc::SIGCHLD].map(|signal| counted_by(signal, &raw mut info)), [1, 0]);
    }
}
