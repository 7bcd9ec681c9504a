//! `--pty`: a terminal of its own for the program, and the copying between it and the standard streams of this process.
//!
//! Two threads copy, one for each direction. They block all signals, so that each signal arrives at the main thread. The main
//! thread sets the modes of the calling terminal, and passes on its size.

use std::io::{self, IsTerminal, Read, Stdin, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use forkexec::{Pty, RawMode, WindowSize};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::termios::{
    LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcgetsid, tcsetattr,
};
use nix::unistd::{getpgrp, getsid, tcgetpgrp};

use super::arrivals::{self, Arrivals};
use super::forward::STOPS;
use super::program;
use crate::exit::Failure;

// Not a doc comment: clap would use it as the description of the subcommand.
#[derive(Args)]
#[group(skip)]
pub(super) struct Options {
    /// Run the program on a terminal of its own, and copy its input and output
    ///
    /// Programs that colour their output, or ask questions, only on a terminal then do so in a pipe, too. The program leads a
    /// new session on a new terminal. Its standard streams are this terminal, except those that other options set.
    ///
    /// If standard input and output of forkexec are terminals, keys reach the program unchanged: Ctrl-C interrupts the
    /// program, not forkexec. Otherwise the new terminal neither echoes its input nor changes line ends, and control
    /// characters in the input act as keys. The end of the input becomes the key for end of file. With --stdin null, forkexec
    /// reads no input: so a pager at the end of a pipe gets all keys.
    ///
    /// The terminal has the size of the calling one, and follows it. Without one, it has 24 rows of 80 columns. When the
    /// program ends, the terminal hangs up.
    #[arg(long, help_heading = "Standard streams", conflicts_with_all = ["setsid", "pgroup", "ctty", "foreground"])]
    pty: bool,
}

impl Options {
    /// Opens the terminal, if `--pty` is given.
    ///
    /// # Errors
    ///
    /// Fails if there is no terminal to be had.
    pub(super) fn open(&self, program: &program::Options) -> Result<Option<Relay>, Failure> {
        self.pty.then(|| Relay::new(!program.sets_stream(0), !program.sets_stream(1))).transpose()
    }

    /// Returns true if `--pty` is given.
    pub(super) fn is_given(&self) -> bool {
        self.pty
    }
}

/// The program's terminal, and what is copied between it and this process.
pub(super) struct Relay {
    /// `None` after the terminal was hung up.
    pty: Option<Arc<Pty>>,
    /// True if the program reads the terminal.
    has_input: bool,
    /// True if keys reach the program unchanged: a user sees the output of the program where the keys come from.
    is_interactive: bool,
    /// The modes of the calling terminal are changed while this is set.
    raw: Option<RawMode<Stdin>>,
    output: Arc<Output>,
    /// Ends the threads when it is dropped.
    stop: Option<UnixStream>,
}

/// The state of the thread that copies the output.
#[derive(Default)]
struct Output {
    /// True when the thread has copied everything, or has given up.
    over: AtomicBool,
    /// True if the output of this process takes no more.
    lost: AtomicBool,
    /// True while the thread has output that it has not written.
    busy: AtomicBool,
}

/// The time between two looks at the foreground, while this process is in the background and does not read its terminal.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The time limit for the output before this process stops. A reader of the output may not read on.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// The key for end of file: Ctrl-D, unless the terminal has another.
const END_OF_FILE: u8 = 4;

impl Relay {
    fn new(has_input: bool, has_output: bool) -> Result<Self, Failure> {
        let cannot = |error: forkexec::Error| Failure::refused(format!("--pty: {error}"));
        let pty = Pty::open(calling_size().unwrap_or_default()).map_err(cannot)?;
        pty.set_nonblocking(true).map_err(cannot)?;
        let is_interactive =
            has_input && has_output && io::stdin().is_terminal() && io::stdout().is_terminal();
        let user = pty.open_user().map_err(cannot)?;
        let modes = tcgetattr(&user).map(|own| initial_modes(own, is_interactive));
        modes.and_then(|modes| tcsetattr(&user, SetArg::TCSANOW, &modes)).map_err(|errno| {
            Failure::refused("--pty: cannot set the modes of the terminal").because(io::Error::from(errno))
        })?;
        let (pty, output) = (Some(Arc::new(pty)), Arc::default());
        Ok(Self { pty, has_input, is_interactive, raw: None, output, stop: None })
    }

    /// Returns the terminal, for the command.
    pub(super) fn pty(&self) -> Option<&Pty> {
        self.pty.as_deref()
    }

    /// Begins to copy.
    ///
    /// # Errors
    ///
    /// Fails if no thread can be started.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        // In raw mode first: otherwise the calling terminal would change the line ends of the first output.
        self.resume();
        let Some(pty) = &self.pty else { return Ok(()) };
        let cannot = |error| Failure::refused("--pty: cannot copy the output").because(error);
        let (stopped, stop) = UnixStream::pair().map_err(cannot)?;
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK);
        let begun = self.start_threads(pty, stopped);
        if let Ok(before) = before {
            // The mask was in force a moment ago, so it is valid.
            let _ = before.thread_set_mask();
        }
        begun.map_err(cannot)?;
        self.stop = Some(stop);
        Ok(())
    }

    fn start_threads(&self, pty: &Arc<Pty>, stopped: UnixStream) -> io::Result<()> {
        if self.has_input {
            let (pty, stopped) = (Arc::downgrade(pty), stopped.try_clone()?);
            thread::Builder::new().spawn(move || copy_input(&pty, &stopped))?;
        }
        let (pty, output) = (Arc::clone(pty), Arc::clone(&self.output));
        thread::Builder::new().spawn(move || {
            output.lost.store(copy_output(&pty, &stopped, &output.busy).is_err(), SeqCst);
            drop(pty);
            output.over.store(true, SeqCst);
            arrivals::wake();
        })?;
        Ok(())
    }

    /// Sets the calling terminal to raw mode, if keys reach the program unchanged and this process is in the foreground.
    /// Passes on its size.
    pub(super) fn resume(&mut self) {
        if self.is_interactive && self.raw.is_none() && is_in_foreground() {
            // This fails if the terminal is gone. Then there are no keys.
            self.raw = RawMode::enter(io::stdin()).ok();
        }
        self.resize();
    }

    /// Returns the time after which to call [`resume`](Self::resume): a shell brings a job that runs to the foreground without a
    /// signal.
    pub(super) fn period(&self) -> Option<Duration> {
        (self.is_interactive && self.raw.is_none()).then_some(LOOK_AGAIN)
    }

    /// Waits for the output that the program has written, and restores the modes of the calling terminal, before this process
    /// stops. Full-screen programs write their last output before they stop.
    pub(super) fn pause(&mut self) {
        let end = Instant::now() + FLUSH_LIMIT;
        while self.has_output() && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
        self.raw = None;
    }

    /// Returns true if there is output that was not copied.
    fn has_output(&self) -> bool {
        let Some(pty) = self.pty.as_deref().filter(|_| !self.output.over.load(SeqCst)) else {
            return false;
        };
        let mut fds = [PollFd::new(pty.as_fd(), PollFlags::POLLIN)];
        // In this order: the thread is busy before it reads.
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) || self.output.busy.load(SeqCst)
    }

    /// Passes on the size of the calling terminal.
    pub(super) fn resize(&self) {
        if let (Some(pty), Some(size)) = (&self.pty, calling_size()) {
            // This cannot fail: the controller end is open.
            let _ = pty.resize(size);
        }
    }

    /// Returns true if a key at the terminal interrupts only the program.
    pub(super) fn keeps_keys(&self) -> bool {
        self.is_interactive
    }

    /// Hangs the terminal up if the output of this process takes no more, as if the user had closed it.
    pub(super) fn hang_up_if_lost(&mut self) {
        if self.output.lost.load(SeqCst) && self.pty.is_some() {
            self.stop = None;
            self.pty = None;
        }
    }

    /// Copies the rest of the output after the program has ended, and restores the calling terminal. A signal that would end
    /// this process ends the copying: the reader of the output may not read on. One that stops it stops it.
    pub(super) fn finish(&mut self, arrivals: &Arrivals) {
        let is_running = self.stop.take().is_some();
        while is_running && !self.output.over.load(SeqCst) {
            match arrivals.next(None) {
                Ok(Some(arrival)) if STOPS.contains(&arrival.signal) => {
                    self.raw = None;
                    arrivals::stop(arrival.signal);
                }
                Ok(Some(arrival)) if !IGNORED_BY_DEFAULT.contains(&arrival.signal) => break,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        self.raw = None;
    }
}

/// The signals that neither end nor stop a process (signal(7)).
const IGNORED_BY_DEFAULT: [i32; 4] = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];

/// The modes of the new terminal: those of the calling one for a user at it, and else neither echo nor conversion of line ends.
fn initial_modes(mut own: Termios, is_interactive: bool) -> Termios {
    if !is_interactive {
        own.local_flags.remove(LocalFlags::ECHO);
        own.output_flags.remove(OutputFlags::ONLCR);
        return own;
    }
    // In the background, the modes are those of the shell's own line editor.
    let calling = is_in_foreground().then(|| tcgetattr(io::stdin()).ok()).flatten();
    calling.unwrap_or(own)
}

/// Returns the size of the first standard stream that is a terminal.
fn calling_size() -> Option<WindowSize> {
    let sizes = [WindowSize::of(io::stdin()), WindowSize::of(io::stdout()), WindowSize::of(io::stderr())];
    sizes.into_iter().find_map(Result::ok)
}

/// Returns true unless another process group has the foreground of the terminal on standard input. The terminal of another session,
/// such as the controller end of a pseudo-terminal, has no foreground for this process.
fn is_in_foreground() -> bool {
    let is_own = tcgetsid(io::stdin()).is_ok_and(|session| getsid(None) == Ok(session));
    !is_own || tcgetpgrp(io::stdin()).map_or(true, |group| group == getpgrp())
}

/// The state of two descriptors.
#[derive(Default)]
struct Ready {
    first: bool,
    /// No process has the other end of the first one open.
    is_hung_up: bool,
    is_stopped: bool,
}

/// Waits until the first descriptor has one of the events, or until this process ends the copying.
fn wait(first: Option<PollFd<'_>>, stopped: &UnixStream, limit: Option<Duration>) -> io::Result<Ready> {
    let mut fds = vec![PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
    fds.extend(first);
    let limit = limit.and_then(|limit| PollTimeout::try_from(limit).ok()).unwrap_or(PollTimeout::NONE);
    match poll(&mut fds, limit) {
        Err(Errno::EINTR) => Ok(Ready::default()),
        Err(errno) => Err(errno.into()),
        Ok(_) => {
            let events =
                |index: usize| fds.get(index).and_then(PollFd::revents).unwrap_or(PollFlags::empty());
            let [stopped, first] = [0, 1].map(events);
            let is_hung_up = first.contains(PollFlags::POLLHUP);
            Ok(Ready { first: !first.is_empty(), is_hung_up, is_stopped: !stopped.is_empty() })
        }
    }
}

/// Copies the input of this process to the program, until it ends or the copying is ended. The end becomes the key for end of
/// file, once for a line that has not ended and once for the end.
///
/// While this process is in the background, it does not read its terminal: that would stop it.
fn copy_input(pty: &Weak<Pty>, stopped: &UnixStream) -> Option<()> {
    let stdin = io::stdin();
    let mut buffer = [0; 4096];
    let mut is_in_line = false;
    loop {
        if !is_in_foreground() {
            if wait(None, stopped, Some(LOOK_AGAIN)).ok()?.is_stopped {
                return None;
            }
            continue;
        }
        let ready = wait(Some(PollFd::new(stdin.as_fd(), PollFlags::POLLIN)), stopped, None).ok()?;
        if ready.is_stopped {
            return None;
        }
        if !ready.first || !is_in_foreground() {
            continue;
        }
        match nix::unistd::read(&stdin, &mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                is_in_line = buffer[count - 1] != b'\n';
                write_all(pty, &buffer[..count], stopped)?;
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // The foreground was lost meanwhile. `SIGTTIN`, which would stop this process, is blocked.
            Err(Errno::EIO) if !is_in_foreground() => {}
            Err(_) => break,
        }
    }
    let key = tcgetattr(&*pty.upgrade()?)
        .map_or(END_OF_FILE, |modes| modes.control_chars[SpecialCharacterIndices::VEOF as usize]);
    write_all(pty, &[key, key][..if is_in_line { 2 } else { 1 }], stopped)
}

/// Writes to the program. Returns `None` if it reads no more, or the copying is ended.
fn write_all(pty: &Weak<Pty>, mut bytes: &[u8], stopped: &UnixStream) -> Option<()> {
    while !bytes.is_empty() {
        let pty = pty.upgrade()?;
        match (&*pty).write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let ready = wait(Some(PollFd::new(pty.as_fd(), PollFlags::POLLOUT)), stopped, None).ok()?;
                // A program that has closed its terminal reads no more.
                if ready.is_stopped || ready.is_hung_up {
                    return None;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(())
}

/// Copies the output of the program, until no process has its terminal open, or until the copying is ended and everything was
/// copied that the program had written.
///
/// # Errors
///
/// Fails if the output of this process takes no more.
fn copy_output(pty: &Pty, stopped: &UnixStream, busy: &AtomicBool) -> io::Result<()> {
    let stdout = io::stdout();
    let mut buffer = [0; 16_384];
    loop {
        busy.store(false, SeqCst);
        let ready = wait(Some(PollFd::new(pty.as_fd(), PollFlags::POLLIN)), stopped, None)?;
        if !ready.first && ready.is_stopped {
            return Ok(());
        }
        if !ready.first {
            continue;
        }
        busy.store(true, SeqCst);
        let mut source = pty;
        let count = match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            match nix::unistd::write(&stdout, rest) {
                Ok(count) => rest = &rest[count..],
                // Another process has made the open file non-blocking.
                Err(Errno::EAGAIN) => {
                    let _ = poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE);
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::user(true, Some(LOOK_AGAIN))]
    #[case::pipe(false, None)]
    fn foreground_is_awaited_only_for_a_user(
        #[case] is_interactive: bool,
        #[case] expected: Option<Duration>,
    ) {
        let output = Arc::default();
        let relay = Relay { pty: None, has_input: true, is_interactive, raw: None, output, stop: None };
        assert_eq!(relay.period(), expected);
    }

    /// A relay that copies nothing, with output in its terminal or with the thread.
    fn relay(is_in_terminal: bool, is_with_thread: bool) -> Option<Relay> {
        let relay = Relay::new(true, true).ok()?;
        if is_in_terminal {
            let user = relay.pty()?.open_user().expect("the terminal is open");
            nix::unistd::write(&user, b"output").expect("it has room");
        }
        relay.output.busy.store(is_with_thread, SeqCst);
        Some(relay)
    }

    #[rstest]
    #[case::nothing(false, false, false)]
    #[case::in_the_terminal(true, false, true)]
    #[case::with_the_thread(false, true, true)]
    fn output_that_is_not_copied_is_noticed(
        #[case] is_in_terminal: bool,
        #[case] is_with_thread: bool,
        #[case] expected: bool,
    ) {
        let Some(relay) = relay(is_in_terminal, is_with_thread) else { return };
        assert_eq!(relay.has_output(), expected);
        relay.output.over.store(true, SeqCst);
        assert!(!relay.has_output(), "the thread has given up");
    }

    /// A reader of the output may not read on.
    #[test]
    fn output_that_nobody_takes_delays_a_stop_for_a_limited_time() {
        let Some(mut relay) = relay(true, true) else { return };
        let start = Instant::now();
        relay.pause();
        assert!(start.elapsed() >= FLUSH_LIMIT);
    }

    /// Otherwise the copying would try again and again.
    ///
    /// Faults: C14
    #[test]
    fn input_for_a_closed_terminal_is_given_up() {
        let Ok(pty) = Pty::open(WindowSize::default()) else { return };
        pty.set_nonblocking(true).expect("it is open");
        // It has closed its terminal when this returns.
        forkexec::Command::new("true").pty(&pty).status().expect("it starts");
        let (pty, (stopped, _stop)) = (Arc::new(pty), UnixStream::pair().expect("sockets can be made"));
        assert_eq!(write_all(&Arc::downgrade(&pty), &b"y\n".repeat(500_000), &stopped), None);
    }
}
