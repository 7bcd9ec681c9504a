//! The start of the program: a child that waits, before exec, until it is traced.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use forkexec::{Command, Error, OnDrop, Stdio};
use nix::sys::signal::{SigHandler, Signal, signal};

use super::{filter, sys};
use crate::exit::{Code, Failure};
use crate::inherited_fds;
use crate::leaks::platform::options::Wanted;
use crate::run::outcome;
use crate::started;

/// A program that is being started.
///
/// The library comes back from a start when the child execs, and the child does not before it is traced: so it is started by a
/// thread, and traced by another.
pub(super) struct Starting {
    line: UnixStream,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Starting {
    /// Starts a child that sends its process id and waits.
    ///
    /// # Errors
    ///
    /// A descriptor to keep is not open, or there is no socket or thread.
    pub(super) fn begin(wanted: &Wanted) -> Result<Self, Failure> {
        let mut command = command(wanted)?;
        // Whoever else waited for the child would take its stops from the tracer.
        command.on_drop(OnDrop::Abandon);
        let failed = |error| Failure::refused("cannot start the program").because(error);
        let (line, childs) = UnixStream::pair().map_err(failed)?;
        let (number, filter) = (line.as_raw_fd(), filter::program());
        let wait = move || {
            // SAFETY: in the child this is its own copy of the number, which nobody uses there.
            unsafe { libc::close(number) };
            (&childs).write_all(&std::process::id().to_ne_bytes())?;
            (&childs).read_exact(&mut [0])?;
            // Where there are no filters every call stops.
            let _ = sys::filter_calls(&filter);
            Ok(())
        };
        // SAFETY: it makes system calls and allocates nothing; what it closes is the child's copy of our end.
        unsafe { command.pre_exec(wait) };
        // SAFETY: no handler of ours is set. Were it ignored, no status would come.
        let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
        let thread = thread::Builder::new().name("start".into()).spawn(move || command.spawn().map(drop));
        Ok(Self { line, thread: Some(thread.map_err(failed)?) })
    }

    /// The child's process id; `None` if it ended without one.
    ///
    /// # Errors
    ///
    /// It sent none.
    pub(super) fn pid(&mut self) -> Result<Option<i32>, Failure> {
        let mut bytes = [0; 4];
        match self.line.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(i32::from_ne_bytes(bytes))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(Failure::refused("cannot start the program").because(error)),
        }
    }

    /// Lets the child go on to exec.
    pub(super) fn go(&mut self) {
        // Said again at each later stop of the child; nobody reads it then.
        let _ = self.line.write_all(&[0]);
    }

    /// Why the program did not start.
    pub(super) fn failure(mut self) -> Failure {
        let joined = self.thread.take().map(JoinHandle::join);
        match joined {
            Some(Ok(Err(error))) => Failure::new(outcome::code_of_start(&error), error.to_string()),
            _ => Failure::new(Code::Refused, "the program ended before exec"),
        }
    }
}

/// The program with 0, 1 and 2 and what it is to keep.
fn command(wanted: &Wanted) -> Result<Command<'static>, Failure> {
    let (program, args) =
        wanted.command.split_first().ok_or_else(|| Failure::refused("no program is named"))?;
    let mut command = Command::new(program);
    command.args(args);
    for range in &wanted.keep {
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
