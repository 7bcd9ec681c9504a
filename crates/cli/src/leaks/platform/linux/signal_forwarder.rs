//! Signals that come to this command while it traces.
//!
//! They are blocked everywhere and taken by a thread that waits for them: no handler interrupts anything.
//!
//! The signals of job control are not taken. The program is in this process's group, so the terminal stops and continues both.

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

/// To whom signals go: the program, as long as it runs, and then all that are left.
#[derive(Default)]
struct Recipients {
    program: Option<i32>,
    rest: BTreeSet<i32>,
    /// Those that came before there was a program.
    early: Vec<(i32, Sender)>,
    has_begun: bool,
}

/// The thread that forwards signals, by what it reads.
pub(super) struct SignalForwarder {
    recipients: Arc<Mutex<Recipients>>,
}

impl SignalForwarder {
    /// Forwards, from now on. Call it before any other thread is started: the signals are blocked in all that follow.
    ///
    /// # Errors
    ///
    /// There is no thread.
    pub(super) fn begin() -> Result<Self, Failure> {
        let failed = || Failure::refused("cannot handle signals");
        let signals = block().map_err(|error| failed().because(error))?;
        let recipients = Arc::<Mutex<Recipients>>::default();
        let passing = Self { recipients: Arc::clone(&recipients) };
        let pass = move || {
            loop {
                if let Some((signal, sender)) = next(&signals) {
                    lock(&recipients).get(signal, sender);
                }
            }
        };
        thread::Builder::new().name("signals".into()).spawn(pass).map_err(|error| failed().because(error))?;
        Ok(passing)
    }

    /// The program runs.
    pub(super) fn to(&self, program: i32) {
        let mut recipients = lock(&self.recipients);
        recipients.program = Some(program);
        recipients.has_begun = true;
        for (signal, sender) in std::mem::take(&mut recipients.early) {
            recipients.get(signal, sender);
        }
    }

    /// Reaps a process: no signal is sent between that and the loss of its number.
    pub(super) fn reap<T>(&self, reaped: impl FnOnce() -> (T, Option<i32>)) -> T {
        let mut recipients = lock(&self.recipients);
        let (result, ended) = reaped();
        if let Some(ended) = ended {
            recipients.program = recipients.program.filter(|&program| program != ended);
            recipients.rest.remove(&ended);
        }
        result
    }

    /// Other processes are there now.
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

/// nix has no names for real-time signals.
fn send(pid: i32, signal: i32) {
    // SAFETY: kill(2) takes no memory. The process was not reaped: that takes the lock which the caller holds.
    unsafe { libc::kill(pid, signal) };
}

/// Blocks the signals that are forwarded. One that is ignored is for the program to inherit.
fn block() -> io::Result<libc::sigset_t> {
    let is_taken = |signal: &i32| {
        let stays = [libc::SIGPIPE, libc::SIGCONT].contains(signal) || STOPS.contains(signal);
        !stays && !started::ignores(*signal)
    };
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigemptyset fills the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: it is filled.
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

/// Waits for the next of these signals. `None`: a debugger interrupted that.
fn next(signals: &libc::sigset_t) -> Option<(i32, Sender)> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // Without a time limit. The libc crate has no sigwaitinfo(3) for Android.
    // SAFETY: the set is valid, and a `siginfo_t` is filled. A null pointer for the time is not followed.
    let signal = unsafe { libc::sigtimedwait(signals, info.as_mut_ptr(), std::ptr::null()) };
    // SAFETY: all zeroes are one, too.
    let info = unsafe { info.assume_init() };
    // SAFETY: any bytes are a number.
    let pid = unsafe { info.si_pid() };
    (signal > 0).then(|| (signal, system::sender(info.si_code, pid)))
}

/// What is behind it is whole after every statement, so a panic elsewhere does no harm.
fn lock(recipients: &Mutex<Recipients>) -> MutexGuard<'_, Recipients> {
    recipients.lock().unwrap_or_else(PoisonError::into_inner)
}
