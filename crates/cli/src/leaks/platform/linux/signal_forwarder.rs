//! Forwarding of signals that arrive at this command while it traces.
//!
//! All threads block the signals, and one thread waits for them. So no handler interrupts a call.
//!
//! Job control signals are not forwarded. The program is in the group of this process, so the terminal stops and continues
//! both.

use std::collections::BTreeSet;
use std::io;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::unistd::{getpid, getsid};

use crate::exit::Failure;
use crate::run::forward::{self, Parties, STOPS};
use crate::started;
use crate::system;
use crate::system::Sender;

/// The recipients of signals: the program while it runs, and then all remaining descendants.
#[derive(Default)]
struct Recipients {
    program: Option<i32>,
    rest: BTreeSet<i32>,
    /// Signals that arrived before the program was started.
    early: Vec<(i32, Sender)>,
    has_begun: bool,
}

/// The thread that forwards signals, and the recipients that it reads.
pub(super) struct SignalForwarder {
    recipients: Arc<Mutex<Recipients>>,
}

impl SignalForwarder {
    /// Starts the thread. It must be the first thread that this process starts, because later ones inherit the blocked
    /// signals.
    ///
    /// # Errors
    ///
    /// Fails if the thread cannot be started.
    pub(super) fn begin() -> Result<Self, Failure> {
        let failed = || Failure::refused("cannot handle signals");
        let signals = block().map_err(|error| failed().because(error))?;
        let recipients = Arc::<Mutex<Recipients>>::default();
        let forwarder = Self { recipients: Arc::clone(&recipients) };
        let forward = move || {
            loop {
                if let Some((signal, sender)) = next(&signals) {
                    lock(&recipients).get(signal, sender);
                }
            }
        };
        thread::Builder::new()
            .name("signals".into())
            .spawn(forward)
            .map_err(|error| failed().because(error))?;
        Ok(forwarder)
    }

    /// Forwards to the program from now on, beginning with the signals that arrived earlier.
    pub(super) fn to(&self, program: i32) {
        let mut recipients = lock(&self.recipients);
        recipients.program = Some(program);
        recipients.has_begun = true;
        for (signal, sender) in std::mem::take(&mut recipients.early) {
            recipients.get(signal, sender);
        }
    }

    /// Reaps a process and removes it from the recipients. No signal is sent in between.
    pub(super) fn reap<T>(&self, reaped: impl FnOnce() -> (T, Option<i32>)) -> T {
        let mut recipients = lock(&self.recipients);
        let (result, ended) = reaped();
        if let Some(ended) = ended {
            recipients.program = recipients.program.filter(|&program| program != ended);
            recipients.rest.remove(&ended);
        }
        result
    }

    /// Sets the remaining descendants.
    pub(super) fn leave(&self, rest: BTreeSet<i32>) {
        lock(&self.recipients).rest = rest;
    }
}

impl Recipients {
    fn get(&mut self, signal: i32, sender: Sender) {
        let program = match self.program {
            None if !self.has_begun => return self.early.push((signal, sender)),
            None => return self.rest.iter().for_each(|&pid| send(pid, signal)),
            Some(program) => program,
        };
        let own = getpid();
        let leads_session = getsid(None) == Ok(own);
        let parties = Parties { own: own.as_raw(), program, share_group: true, leads_session };
        if forward::is_forwarded(signal, sender, parties) {
            send(program, signal);
        }
    }
}

/// Sends a signal. nix has no real-time signals.
fn send(pid: i32, signal: i32) {
    // SAFETY: kill(2) accesses no memory. The process was not reaped: reaping needs the lock that the caller holds.
    unsafe { libc::kill(pid, signal) };
}

/// Blocks the signals that are forwarded. Ignored signals stay ignored, because the program inherits that.
fn block() -> io::Result<libc::sigset_t> {
    let is_taken = |signal: &i32| {
        let stays = [libc::SIGPIPE, libc::SIGCONT].contains(signal) || STOPS.contains(signal);
        !stays && !started::ignores(*signal)
    };
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigemptyset fills the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: sigemptyset filled the set.
    let mut set = unsafe { set.assume_init() };
    for signal in forward::candidates().filter(is_taken) {
        // SAFETY: the set is valid. A number that is no signal is refused.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    // SAFETY: the set is valid.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } {
        0 => Ok(set),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Waits for the next of these signals. Returns `None` if a debugger interrupted the wait.
fn next(signals: &libc::sigset_t) -> Option<(i32, Sender)> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // The libc crate has no sigwaitinfo(3) for Android.
    // SAFETY: the set is valid, and a `siginfo_t` is filled. A null pointer means no time limit.
    let signal = unsafe { libc::sigtimedwait(signals, info.as_mut_ptr(), std::ptr::null()) };
    // SAFETY: a `siginfo_t` of zeroes is valid.
    let info = unsafe { info.assume_init() };
    // SAFETY: the field is an integer, for which any bytes are valid.
    let pid = unsafe { info.si_pid() };
    (signal > 0).then(|| (signal, system::sender(info.si_code, pid)))
}

/// Ignores poisoning: the recipients are valid after each statement.
fn lock(recipients: &Mutex<Recipients>) -> MutexGuard<'_, Recipients> {
    recipients.lock().unwrap_or_else(PoisonError::into_inner)
}
