//! Watches over the program until it has ended: forwards signals to it, stops and continues with it, reaps orphans.
//!
//! One thread does all of it, in turn. A signal is sent before the program is reaped or not at all, so it reaches no other
//! process that has the program's number by then.

use std::process::ExitStatus;
use std::time::Instant;

use forkexec::{Child, Command, Error};
use nix::sys::signal::killpg;
use nix::unistd::{Pid, getpgid, getpgrp, getpid, getsid};

use super::arrivals::{self, Arrival, Arrivals};
use super::forward::{self, Parties, STOPS};
use super::orphans;
use super::progress::Progress;
use super::terminal::Terminal;
use crate::exit::{Code, Failure};
use crate::started;
use crate::system;
use crate::system::Sender;

/// The program, as this process watches it.
pub(super) struct Watch {
    arrivals: Arrivals,
    terminal: Option<Terminal>,
    program: Pid,
    /// The process group in which the program started.
    group: Pid,
    /// Signals are forwarded to all of that group.
    to_group: bool,
    /// The terminal sent a signal, so there is one, whatever could be opened.
    heard_terminal: bool,
    /// `SIGINT` was forwarded, so that the terminal is not what interrupted the program.
    forwarded_interrupt: bool,
}

/// Settings of a watch.
pub(super) struct Plan {
    /// The terminal, unless the program has another session.
    pub(super) terminal: Option<Terminal>,
    /// Signals go to the process group that the program leads.
    pub(super) to_group: bool,
    /// The program is to ignore all signals that this process was started with ignored.
    pub(super) keeps_ignored: bool,
}

/// Starts the program, with this process ready for signals.
///
/// Signals that arrive before the program runs are forwarded when it does.
///
/// # Errors
///
/// Those of [`Command::spawn`].
pub(super) fn spawn(
    command: &mut Command<'_>,
    plan: Plan,
    failure: impl FnOnce(&Error) -> Failure,
) -> Result<(Child, Watch), Failure> {
    let Plan { terminal, to_group, keeps_ignored } = plan;
    // A handler is needed to wait for the program.
    if keeps_ignored && started::ignores(libc::SIGCHLD) {
        command.ignore_signal(libc::SIGCHLD);
    }
    if let Some(terminal) = terminal.as_ref().and_then(Terminal::to_lend) {
        command.foreground(terminal);
    }
    let arrivals =
        Arrivals::begin().map_err(|error| Failure::refused("cannot handle signals").because(error))?;
    let spawned = command.spawn();
    // Only now, because the program may be to inherit the mask.
    arrivals::unblock();
    let child = match spawned {
        Ok(child) => child,
        Err(error) => {
            if let Some(terminal) = &terminal {
                terminal.take_back_from_none();
            }
            return Err(failure(&error));
        }
    };
    let program = Pid::from_raw(child.id().cast_signed());
    // Once it has ended, other systems do not tell any more: then it does not matter.
    let group = getpgid(Some(program)).unwrap_or(program);
    let watch = Watch {
        arrivals,
        terminal,
        program,
        group,
        to_group,
        heard_terminal: false,
        forwarded_interrupt: false,
    };
    Ok((child, watch))
}

impl Watch {
    /// Waits until the program has ended, or it is time.
    ///
    /// # Errors
    ///
    /// Those of [`Child::try_wait`].
    pub(super) fn wait(
        &mut self,
        child: &mut Child,
        end: Option<Instant>,
        progress: &mut Progress,
    ) -> Result<Option<ExitStatus>, Failure> {
        loop {
            if let Some(status) = child.try_wait().map_err(|error| lost(&error))? {
                return Ok(Some(status));
            }
            orphans::reap(self.program.as_raw());
            if let Some(signal) = orphans::stopped(self.program.as_raw()) {
                progress.clear();
                self.stop_with_program(child, signal, end);
            }
            let rest = end.map(|end| end.saturating_duration_since(Instant::now()));
            if rest.is_some_and(|rest| rest.is_zero()) {
                return Ok(None);
            }
            let step = rest.into_iter().chain(progress.period()).min();
            let arrived = self.arrivals.next(step);
            match arrived.map_err(|error| Failure::refused("cannot wait for signals").because(error))? {
                Some(arrival) => self.heed(child, arrival),
                None => progress.draw(),
            }
        }
    }

    /// Takes the terminal back from a program that has ended.
    pub(super) fn ended(&self) {
        if let Some(terminal) = &self.terminal {
            terminal.take_back(self.group);
        }
    }

    /// Whether a key at the terminal interrupted the program, and not this process's group.
    pub(super) fn missed_interrupt(&self) -> bool {
        let is_lent = self.terminal.as_ref().is_some_and(Terminal::is_lent);
        is_lent && self.group != getpgrp() && !self.forwarded_interrupt
    }

    fn heed(&mut self, child: &mut Child, Arrival { signal, sender }: Arrival) {
        self.heard_terminal |= sender == Sender::Kernel && STOPS.contains(&signal);
        let parties = Parties {
            own: getpid().as_raw(),
            program: self.program.as_raw(),
            share_group: getpgid(Some(self.program)).unwrap_or(self.group) == getpgrp(),
            leads_session: getsid(None) == Ok(getpid()),
        };
        if signal == libc::SIGCHLD || !forward::is_forwarded(signal, sender, parties) {
            return;
        }
        if signal == libc::SIGCONT
            && let Some(terminal) = &self.terminal
        {
            terminal.lend(self.group);
        }
        self.forwarded_interrupt |= signal == libc::SIGINT;
        self.send(child, signal);
    }

    /// Sends a signal to the program, which was not reaped. A program that changed its user may refuse it.
    fn send(&self, child: &mut Child, signal: i32) {
        if self.to_group {
            // nix has no names for real-time signals.
            // SAFETY: kill(2) takes no memory. The program leads the group and was not reaped.
            unsafe { libc::kill(-self.program.as_raw(), signal) };
        } else {
            let _ = child.send_signal(signal);
        }
    }

    /// The program has stopped: takes the terminal back and stops, too, as the shell expects of its job.
    ///
    /// At `end` a timer continues this process, so that a program that is stopped cannot outlast its time.
    fn stop_with_program(&mut self, child: &mut Child, signal: i32, end: Option<Instant>) {
        let is_of_terminal = STOPS.contains(&signal);
        let is_in_use = |terminal: &Terminal| is_of_terminal || terminal.is_in_use(self.group);
        let has_job = self.heard_terminal || self.terminal.as_ref().is_some_and(is_in_use);
        if !self.arrivals.can_stop || !has_job {
            return;
        }
        if let Some(terminal) = &self.terminal {
            terminal.take_back(self.group);
        }
        // The kernel discards these signals, unlike SIGSTOP, where no shell could continue this process.
        let own = if is_of_terminal { signal } else { libc::SIGTSTP };
        let has_stopped = system::stop_until(end, || arrivals::stop(own));
        if !has_stopped && signal == libc::SIGTSTP && self.group != getpgrp() {
            // The kernel would have discarded it for the program, too, in this process's group.
            if let Some(terminal) = &self.terminal {
                terminal.lend(self.group);
            }
            self.send(child, libc::SIGCONT);
        }
    }
}

fn lost(error: &Error) -> Failure {
    Failure::new(Code::Refused, error.to_string())
}

/// Sends `SIGINT` to this process's group, this process among it.
pub(super) fn interrupt_group() {
    let _ = killpg(getpgrp(), nix::sys::signal::Signal::SIGINT);
}
