//! The start of the program, as a child that waits before exec until it is traced.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use forkexec::{Command, Error, OnDrop, Stdio};
use nix::sys::signal::{SigHandler, Signal, signal};

use super::{filter, sys};
use crate::exit::{Code, Failure};
use crate::inherited_fds;
use crate::leaks::platform::options::Settings;
use crate::run::outcome;
use crate::started;

/// A program that is being started.
///
/// The library's spawn returns after the child's exec, and the child does not exec before it is traced. So one thread spawns
/// the child, and another one traces it.
pub(super) struct Starting {
    line: UnixStream,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Starting {
    /// Starts a child that sends its process id and waits.
    ///
    /// # Errors
    ///
    /// Fails if a descriptor to keep is not open, or if the socket or the thread cannot be created.
    pub(super) fn begin(settings: &Settings) -> Result<Self, Failure> {
        let mut command = command(settings)?;
        // Another wait for the child would take its stops from the tracer.
        command.on_drop(OnDrop::Abandon);
        let failed = |error| Failure::refused("cannot start the program").because(error);
        let (line, childs) = UnixStream::pair().map_err(failed)?;
        let (number, filter) = (line.as_raw_fd(), filter::program());
        let wait = move || {
            // SAFETY: this closes the child's copy of the descriptor, which no code in the child uses.
            unsafe { libc::close(number) };
            (&childs).write_all(&std::process::id().to_ne_bytes())?;
            (&childs).read_exact(&mut [0])?;
            // Without a filter, all calls stop.
            let _ = sys::filter_calls(&filter);
            Ok(())
        };
        // SAFETY: `wait` only makes system calls and allocates nothing. It closes the child's copy of the parent's end.
        unsafe { command.pre_exec(wait) };
        // If the signal were ignored, the kernel would discard the status of the child.
        // SAFETY: the default action installs no handler.
        let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
        let thread = thread::Builder::new().name("start".into()).spawn(move || command.spawn().map(drop));
        Ok(Self { line, thread: Some(thread.map_err(failed)?) })
    }

    /// Waits for the child's process id. Returns `None` if the child ended before it sent the id.
    ///
    /// # Errors
    ///
    /// Fails if the socket cannot be read.
    pub(super) fn pid(&mut self) -> Result<Option<i32>, Failure> {
        let mut bytes = [0; 4];
        match self.line.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(i32::from_ne_bytes(bytes))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(Failure::refused("cannot start the program").because(error)),
        }
    }

    /// Lets the child continue to exec.
    pub(super) fn go(&mut self) {
        // Later stops of the child write again, which has no effect.
        let _ = self.line.write_all(&[0]);
    }

    /// Explains why the program did not start.
    pub(super) fn failure(mut self) -> Failure {
        let joined = self.thread.take().map(JoinHandle::join);
        match joined {
            Some(Ok(Err(error))) => Failure::new(outcome::code_of_start(&error), error.to_string()),
            _ => Failure::new(Code::Refused, "cannot start the program: it ended before exec"),
        }
    }
}

/// Returns the command for the program, with 0, 1, 2 and the descriptors to keep.
fn command(settings: &Settings) -> Result<Command, Failure> {
    let (program, args) = settings
        .command
        .split_first()
        .ok_or_else(|| Failure::refused("cannot start the program: no program is given"))?;
    let mut command = Command::new(program);
    command.args(args);
    for range in &settings.keep {
        for fd in range.clone() {
            command.keep_fd(inherited_fds::borrow(&format!("--keep {}", inherited_fds::typed(range)), fd)?);
        }
    }
    for fd in (0..3).filter(|&fd| started::was_closed(fd)) {
        match fd {
            0 => command.stdin(Stdio::closed()),
            1 => command.stdout(Stdio::closed()),
            _ => command.stderr(Stdio::closed()),
        };
    }
    Ok(command)
}
