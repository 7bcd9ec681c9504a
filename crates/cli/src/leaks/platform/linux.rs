//! Tracing by ptrace(2): follows each process that the program starts, stops it at calls on descriptors, and checks its
//! descriptors right after each exec.
//!
//! A filter (seccomp(2)) makes the stops, so that all other calls run at full speed. If the kernel refuses the filter, all
//! calls stop.
//!
//! If this process dies, the kernel kills all traced processes: without a tracer, the filter would make calls fail.

mod calls;
mod descriptors;
mod filter;
mod process;
mod signal_forwarder;
mod start;
mod sys;
mod tracees;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use libc::c_int;

use crate::exit::Failure;
use crate::leaks::platform::options::Settings;
use crate::leaks::platform::report::Traced;
use signal_forwarder::SignalForwarder;
use start::Starting;
use sys::{Syscall, Until};
use tracees::Tracees;

/// `PTRACE_EVENT_STOP` of linux/ptrace.h, which some C libraries do not name.
const EVENT_STOP: c_int = 128;

/// Runs the program, and traces it and its descendants until the last one ends.
///
/// # Errors
///
/// Fails if the program cannot be started or traced.
pub(in crate::leaks) fn trace(settings: &Settings) -> Result<Traced, Failure> {
    let forwarder = SignalForwarder::begin()?;
    let mut starting = Starting::begin(settings)?;
    let Some(root) = starting.pid()? else { return Err(starting.failure()) };
    let seized = sys::seize(root).and_then(|()| sys::interrupt(root));
    if let Err(error) = seized {
        return Err(Failure::refused("cannot trace the program").because(error));
    }
    forwarder.to(root);
    let mut tracer =
        Tracer { tracees: Tracees::new(settings, root), root, status: None, forwarder, starting };
    let done = tracer.run();
    // If the program did not start, its own error is better than that of the tracer.
    let Tracer { tracees, status, starting, .. } = tracer;
    match done {
        Err(error) => Err(Failure::refused("cannot trace the program").because(error)),
        Ok(()) if tracees.has_started() => Ok(tracees.into_traced(status.unwrap_or_default())),
        Ok(()) => Err(starting.failure()),
    }
}

struct Tracer<'a> {
    tracees: Tracees<'a>,
    root: i32,
    /// The exit status of the program.
    status: Option<ExitStatus>,
    forwarder: SignalForwarder,
    starting: Starting,
}

impl Tracer<'_> {
    /// Traces until no task is left.
    fn run(&mut self) -> io::Result<()> {
        while let Some(tid) = sys::next()? {
            let Some(status) = self.forwarder.reap(|| taken(tid)) else { continue };
            if !libc::WIFSTOPPED(status) {
                self.ended(tid, status);
                continue;
            }
            match self.stopped(tid, status) {
                // The task was killed while it was stopped. Its end is reported next.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                done => done?,
            }
        }
        Ok(())
    }

    fn ended(&mut self, tid: i32, status: c_int) {
        if tid == self.root {
            self.status = Some(ExitStatus::from_raw(status));
        }
        self.tracees.forget(tid);
        self.forwarder.leave(self.tracees.processes());
    }

    fn stopped(&mut self, tid: i32, status: c_int) -> io::Result<()> {
        if self.tracees.meet(tid) {
            self.forwarder.leave(self.tracees.processes());
        }
        let signal = libc::WSTOPSIG(status);
        match status >> 16 {
            0 if signal == libc::SIGTRAP | 0x80 => self.at_call(tid)?,
            0 => return self.resume(tid, signal),
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                self.tracees.created(tid, sys::event_message(tid)?);
                self.forwarder.leave(self.tracees.processes());
            }
            libc::PTRACE_EVENT_EXEC => self.tracees.execed(tid, sys::event_message(tid)?),
            libc::PTRACE_EVENT_SECCOMP => self.at_call(tid)?,
            libc::PTRACE_EVENT_EXIT => self.tracees.exits(tid),
            EVENT_STOP if signal != libc::SIGTRAP => return sys::leave_stopped(tid),
            EVENT_STOP if tid == self.root => self.starting.go(),
            _ => {}
        }
        self.resume(tid, 0)
    }

    fn at_call(&mut self, tid: i32) -> io::Result<()> {
        match sys::syscall(tid) {
            Ok(Syscall::Begins { number, args }) => self.tracees.begins(tid, number, args),
            Ok(Syscall::Ends { result }) => self.tracees.ends(tid, result),
            Ok(Syscall::None) => {}
            Err(error) if error.raw_os_error() == Some(libc::EIO) => {
                return Err(io::Error::other(
                    "this needs Linux 5.3 or later, whose ptrace(2) reports system calls",
                ));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn resume(&self, tid: i32, signal: c_int) -> io::Result<()> {
        let until = if self.tracees.awaits_a_call(tid) { Until::Call } else { Until::Event };
        sys::resume(tid, until, signal)
    }
}

/// Takes the status of a task. The second value is its id if the task has ended.
fn taken(tid: i32) -> (Option<c_int>, Option<i32>) {
    let status = sys::take_status(tid);
    (status, status.filter(|&status| !libc::WIFSTOPPED(status)).map(|_| tid))
}
