//! A pseudo-terminal and a session on it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{Pid, setsid};

/// Ctrl-C and Ctrl-Z.
pub(crate) const INTERRUPT: &str = "\u{3}";
pub(crate) const SUSPEND: &str = "\u{1a}";

/// The time limit for expected output.
const LIMIT: Duration = Duration::from_secs(40);

/// A program that leads a session whose controlling terminal is a pseudo-terminal.
pub(crate) struct Session {
    master: Option<File>,
    leader: Child,
    heard: String,
    /// The position at which the next search begins.
    from: usize,
}

impl Session {
    /// Starts the command as the leader of a session.
    pub(crate) fn start(mut command: Command) -> Self {
        let pty = openpty(None, None).expect("there is a pseudo-terminal");
        // If the session had the master open, the terminal would never hang up.
        for end in [&pty.master, &pty.slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("it is open");
        }
        // A key that sends a signal would discard output: the kernel does that after it has sent the signal, so the text that a
        // program prints in answer may be lost (`isig` of drivers/tty/n_tty.c).
        let mut modes = tcgetattr(&pty.slave).expect("it is a terminal");
        modes.local_flags |= LocalFlags::NOFLSH;
        tcsetattr(&pty.slave, SetArg::TCSANOW, &modes).expect("it is a terminal");
        let duplicate = |fd: &OwnedFd| fd.try_clone().expect("there is a free descriptor");
        command.stdin(duplicate(&pty.slave)).stdout(duplicate(&pty.slave)).stderr(pty.slave);
        let own_session = || {
            setsid()?;
            // SAFETY: the call takes a number.
            let done = unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
            if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        };
        // SAFETY: the closure only makes system calls, and allocates nothing.
        unsafe { command.pre_exec(own_session) };
        let leader = command.spawn().expect("it starts");
        // The command has descriptors of the terminal, which would keep it open.
        drop(command);
        Self { master: Some(pty.master.into()), leader, heard: String::new(), from: 0 }
    }

    /// Starts a shell that runs this script.
    pub(crate) fn script(shell: &str, script: &str) -> Self {
        let mut command = Command::new(shell);
        command.args(["-c", script]);
        Self::start(command)
    }

    /// Types keys.
    pub(crate) fn press(&mut self, keys: &str) {
        let master = self.master.as_mut().expect("the terminal was not hung up");
        master.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    /// Changes the size of the window.
    pub(crate) fn resize(&mut self, rows: u16, columns: u16) {
        let size = nix::pty::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let master = self.master.as_ref().expect("the terminal was not hung up");
        // SAFETY: the call reads the size.
        assert_eq!(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }, 0);
    }

    /// Reads until this text is on the screen, after the text of the previous call.
    pub(crate) fn until(&mut self, text: &str) {
        self.up_to(text);
    }

    /// Does the same as [`until`](Self::until), and returns the text in between.
    pub(crate) fn up_to(&mut self, text: &str) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(at) = self.heard[self.from..].find(text) {
                let between = self.heard[self.from..self.from + at].to_owned();
                self.from += at + text.len();
                return between;
            }
            assert!(Instant::now() < end, "no {text:?} in time in {:?}", self.heard);
            assert!(self.read(end), "no {text:?} in {:?}", self.heard);
        }
    }

    /// Reads to the end of the session. Returns all that was on the screen, and the leader's exit status.
    pub(crate) fn end(mut self) -> (String, ExitStatus) {
        let end = Instant::now() + LIMIT;
        while self.read(end) {
            assert!(Instant::now() < end, "the session does not end: {:?}", self.heard);
        }
        let status = self.leader.wait().expect("it was not waited for");
        (std::mem::take(&mut self.heard), status)
    }

    /// Closes the terminal, and waits for the leader's end.
    pub(crate) fn hang_up(mut self) -> ExitStatus {
        drop(self.master.take());
        self.leader.wait().expect("it was not waited for")
    }

    /// Reads output, and waits for it until `end`. Returns false if the session has ended.
    fn read(&mut self, end: Instant) -> bool {
        let master = self.master.as_mut().expect("the terminal was not hung up");
        let rest = end.saturating_duration_since(Instant::now()).as_millis();
        let timeout = PollTimeout::try_from(i32::try_from(rest).unwrap_or(i32::MAX)).expect("it is positive");
        if poll(&mut [PollFd::new(master.as_fd(), PollFlags::POLLIN)], timeout) != Ok(1) {
            return true;
        }
        let mut bytes = [0; 4096];
        // EIO: no process has the terminal open.
        let Ok(count) = master.read(&mut bytes) else { return false };
        self.heard += &String::from_utf8_lossy(&bytes[..count]);
        count > 0
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.leader.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = kill(Pid::from_raw(crate::signed(self.leader.id())), Signal::SIGKILL);
            let _ = self.leader.wait();
        }
    }
}

/// Returns the exit code, or 128 + n for signal n, as a shell does.
pub(crate) fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).expect("it ended")
}
