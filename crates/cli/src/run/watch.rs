//! Watches the program until it has ended: forwards signals to it, stops and continues with it, and reaps orphans.
//!
//! One thread does all of this in turn. It sends no signal after it has reaped the program, so no signal reaches another
//! process with the same pid.

use std::process::ExitStatus;
use std::time::Instant;

use forkexec::{Child, Command, Error};
use nix::sys::signal::killpg;
use nix::unistd::{Pid, getpgid, getpgrp, getpid, getsid};

use super::arrivals::{self, Arrival, Arrivals};
use super::forward::{self, Parties, STOPS};
use super::orphans;
use super::progress::Progress;
use super::pty::Relay;
use super::terminal::Terminal;
use crate::exit::{Code, Failure};
use crate::started;
use crate::system;
use crate::system::Sender;

/// The state of the watch over the program.
pub(super) struct Watch {
    arrivals: Arrivals,
    terminal: Option<Terminal>,
    relay: Option<Relay>,
    program: Pid,
    /// The process group in which the program started.
    group: Pid,
    /// True if signals are forwarded to all of that group.
    to_group: bool,
    /// True if the terminal sent a signal: there is a terminal, even if it could not be opened.
    has_terminal_signal: bool,
    /// True if `SIGINT` was forwarded: then the terminal did not interrupt the program.
    forwarded_interrupt: bool,
}

/// Settings of a watch.
pub(super) struct Plan {
    /// The terminal, unless the program has another session.
    pub(super) terminal: Option<Terminal>,
    /// The terminal of the program's own session, with `--pty`.
    pub(super) relay: Option<Relay>,
    /// True if signals are forwarded to the process group that the program leads.
    pub(super) to_group: bool,
    /// True if the program ignores all signals that were ignored when this process started.
    pub(super) keeps_ignored: bool,
}

/// Handles signals from now on, and starts the program.
///
/// Signals that arrive before the program runs are forwarded when it runs.
///
/// # Errors
///
/// Returns the errors of [`Command::spawn`].
pub(super) fn spawn(
    command: &mut Command,
    plan: Plan,
    failure: impl FnOnce(&Error) -> Failure,
) -> Result<(Child, Watch), Failure> {
    let Plan { terminal, relay, to_group, keeps_ignored } = plan;
    // This process replaces an ignored SIGCHLD by a handler, to wait for the program. So it is ignored in the program
    // explicitly.
    if keeps_ignored && started::ignores(libc::SIGCHLD) {
        command.ignore_signal(libc::SIGCHLD);
    }
    if let Some(terminal) = terminal.as_ref().and_then(Terminal::for_program) {
        command.foreground(terminal);
    }
    let arrivals =
        Arrivals::begin().map_err(|error| Failure::refused("cannot handle signals").because(error))?;
    let spawned = command.spawn();
    // Not before the spawn, because the program may inherit the mask.
    arrivals::unblock();
    let child = match spawned {
        Ok(child) => child,
        Err(error) => {
            if let Some(terminal) = &terminal {
                terminal.restore_after_failure();
            }
            return Err(failure(&error));
        }
    };
    let program = Pid::from_raw(child.id().try_into().expect("a pid"));
    // Other systems than Linux fail if the program has ended. Then the group does not matter.
    let group = getpgid(Some(program)).unwrap_or(program);
    let watch = Watch {
        arrivals,
        terminal,
        relay,
        program,
        group,
        to_group,
        has_terminal_signal: false,
        forwarded_interrupt: false,
    };
    Ok((child, watch))
}

impl Watch {
    /// Begins to copy between the program's terminal and the standard streams, with `--pty`.
    ///
    /// # Errors
    ///
    /// Fails if no thread can be started. The program then runs on a terminal that hangs up when this process ends.
    pub(super) fn begin_relay(&mut self) -> Result<(), Failure> {
        self.relay.as_mut().map_or(Ok(()), Relay::begin)
    }

    /// Waits until the program has ended. Returns `None` at the instant `end`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Child::try_wait`].
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
            if let Some(relay) = &mut self.relay {
                relay.hang_up_if_lost();
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
            let relay = self.relay.as_ref().and_then(Relay::period);
            let step = rest.into_iter().chain(progress.period()).chain(relay).min();
            let arrived = self.arrivals.next(step);
            let arrived =
                arrived.map_err(|error| Failure::refused("cannot wait for signals").because(error))?;
            if let Some(arrival) = arrived {
                self.handle(child, arrival, end);
            } else {
                self.relay.iter_mut().for_each(Relay::resume);
                progress.draw();
            }
        }
    }

    /// Copies the rest of the output, and restores the terminal and its foreground group, after the program has ended.
    pub(super) fn ended(&mut self) {
        if let Some(relay) = &mut self.relay {
            relay.finish(&self.arrivals);
        }
        if let Some(terminal) = &self.terminal {
            terminal.restore(self.group);
        }
    }

    /// Returns true if a key at the terminal interrupted the program, but not the group of this process.
    pub(super) fn missed_interrupt(&self) -> bool {
        let in_foreground = self.terminal.as_ref().is_some_and(Terminal::starts_in_foreground);
        let keeps_keys = self.relay.as_ref().is_some_and(Relay::keeps_keys);
        (in_foreground || keeps_keys) && self.group != getpgrp() && !self.forwarded_interrupt
    }

    fn handle(&mut self, child: &mut Child, Arrival { signal, sender }: Arrival, end: Option<Instant>) {
        if let Some(relay) = &mut self.relay {
            match signal {
                // The new size sends the signal. A process that sends it may mean the program itself.
                libc::SIGWINCH => relay.resize(),
                libc::SIGCONT => {
                    relay.pause();
                    relay.resume();
                }
                _ => {}
            }
            if signal == libc::SIGWINCH && sender == Sender::Kernel {
                return;
            }
        }
        self.has_terminal_signal |= sender == Sender::Kernel && STOPS.contains(&signal);
        let parties = Parties {
            own: getpid().as_raw(),
            program: self.program.as_raw(),
            share_group: getpgid(Some(self.program)).unwrap_or(self.group) == getpgrp(),
            leads_session: getsid(None) == Ok(getpid()),
        };
        if signal == libc::SIGCHLD || !forward::is_forwarded(signal, sender, parties) {
            return;
        }
        let continued = self.terminal.as_ref().filter(|_| signal == libc::SIGCONT);
        if let Some(terminal) = continued {
            terminal.move_to(self.group);
        }
        self.forwarded_interrupt |= signal == libc::SIGINT;
        self.send(child, signal);
        if self.relay.is_some() && STOPS.contains(&signal) {
            // The program has another terminal, whose keys stop it. So this process alone is a job of the shell.
            self.stop(signal, end);
        }
    }

    /// Sends a signal to the program, which was not reaped. The kernel may refuse if the program has changed its user.
    fn send(&self, child: &mut Child, signal: i32) {
        if self.to_group {
            // nix has no names for real-time signals.
            // SAFETY: kill(2) accesses no memory. The program leads the group and was not reaped.
            unsafe { libc::kill(-self.program.as_raw(), signal) };
        } else {
            let _ = child.send_signal(signal);
        }
    }

    /// Restores the foreground group and stops this process after the program has stopped, as a shell expects of a job.
    ///
    /// At `end`, a timer continues this process, so that a stopped program does not exceed its time.
    fn stop_with_program(&mut self, child: &mut Child, signal: i32, end: Option<Instant>) {
        let is_of_terminal = STOPS.contains(&signal);
        let is_in_use = |terminal: &Terminal| is_of_terminal || terminal.is_in_use(self.group);
        let has_job = self.has_terminal_signal || self.terminal.as_ref().is_some_and(is_in_use);
        if !self.arrivals.can_stop || !has_job {
            return;
        }
        if let Some(terminal) = &self.terminal {
            terminal.restore(self.group);
        }
        // In an orphaned process group, the kernel discards these signals, but not SIGSTOP.
        let has_stopped = self.stop(if is_of_terminal { signal } else { libc::SIGTSTP }, end);
        if !has_stopped && signal == libc::SIGTSTP && self.group != getpgrp() {
            // In the group of this process, the kernel would have discarded the signal for the program, too.
            if let Some(terminal) = &self.terminal {
                terminal.move_to(self.group);
            }
            self.send(child, libc::SIGCONT);
        }
    }

    /// Stops this process until it is continued, with the calling terminal as it was. Returns false if it did not stop.
    fn stop(&mut self, signal: i32, end: Option<Instant>) -> bool {
        if let Some(relay) = &mut self.relay {
            relay.pause();
        }
        let has_stopped = system::stop_until(end, || arrivals::stop(signal));
        if let Some(relay) = &mut self.relay {
            relay.resume();
        }
        has_stopped
    }
}

fn lost(error: &Error) -> Failure {
    Failure::new(Code::Refused, error.to_string())
}

/// Sends `SIGINT` to the group of this process, including this process.
pub(super) fn interrupt_group() {
    let _ = killpg(getpgrp(), nix::sys::signal::Signal::SIGINT);
}
