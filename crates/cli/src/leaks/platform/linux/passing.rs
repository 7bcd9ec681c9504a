//! Signals that come to this command while it traces.
//!
//! They are blocked everywhere and taken by a thread that waits for them: no handler interrupts anything.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::exit::Failure;
use crate::started;

/// The terminal sends these to all of the foreground group, the program among them.
const OF_THE_TERMINAL: [Signal; 2] = [Signal::SIGINT, Signal::SIGQUIT];
const PASSED_ON: [Signal; 2] = [Signal::SIGTERM, Signal::SIGHUP];

/// To whom signals go: the program, as long as it runs, and then everybody who is left.
#[derive(Default)]
struct Recipients {
    program: Option<i32>,
    rest: BTreeSet<i32>,
    /// The last one that came before there was anybody.
    early: Option<Signal>,
}

/// The thread that passes signals on, by what it reads.
pub(super) struct Passing {
    recipients: Arc<Mutex<Recipients>>,
}

impl Passing {
    /// Passes on, from now on. Call it before any other thread is started: the signals are blocked in all that follow.
    ///
    /// # Errors
    ///
    /// There is no thread.
    pub(super) fn begin() -> Result<Self, Failure> {
        let mut signals = SigSet::empty();
        // One that is ignored is for the program to inherit.
        let heeded = PASSED_ON.into_iter().chain(OF_THE_TERMINAL);
        heeded.filter(|&signal| !started::ignores(signal as i32)).for_each(|signal| signals.add(signal));
        let failed = || Failure::refused("cannot heed signals");
        signals.thread_block().map_err(|errno| failed().because(errno))?;
        let recipients = Arc::<Mutex<Recipients>>::default();
        let passing = Self { recipients: Arc::clone(&recipients) };
        let pass = move || {
            while let Ok(signal) = signals.wait() {
                lock(&recipients).get(signal);
            }
        };
        thread::Builder::new().name("signals".into()).spawn(pass).map_err(|error| failed().because(error))?;
        Ok(passing)
    }

    /// The program runs.
    pub(super) fn to(&self, program: i32) {
        let mut recipients = lock(&self.recipients);
        recipients.program = Some(program);
        if let Some(signal) = recipients.early.take() {
            recipients.get(signal);
        }
    }

    /// A process ended, or others are there now.
    pub(super) fn leave(&self, ended: i32, rest: BTreeSet<i32>) {
        let mut recipients = lock(&self.recipients);
        recipients.program = recipients.program.filter(|&program| program != ended);
        recipients.rest = rest;
    }
}

impl Recipients {
    fn get(&mut self, signal: Signal) {
        let send = |pid: i32| {
            // Who has just ended needs none.
            let _ = kill(Pid::from_raw(pid), signal);
        };
        match self.program {
            Some(program) if PASSED_ON.contains(&signal) => send(program),
            Some(_) => {}
            None if self.rest.is_empty() => self.early = Some(signal),
            None => self.rest.iter().copied().for_each(send),
        }
    }
}

/// What is behind it is whole after every statement, so a panic elsewhere does no harm.
fn lock(recipients: &Mutex<Recipients>) -> MutexGuard<'_, Recipients> {
    recipients.lock().unwrap_or_else(PoisonError::into_inner)
}
