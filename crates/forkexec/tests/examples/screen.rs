//! An example on a pseudo-terminal, with a user at it.

use std::env;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use forkexec::{Child, Command, IgnoredSignals, OnDrop, Pty, WindowSize};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::tcgetpgrp;

/// Ctrl-C, Ctrl-D and Ctrl-Z.
pub(crate) const INTERRUPT: &str = "\u{3}";
pub(crate) const END: &str = "\u{4}";
pub(crate) const SUSPEND: &str = "\u{1a}";

/// The time limit for expected output.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Screen {
    pub(crate) pty: Pty,
    pub(crate) child: Child,
    output: Receiver<Vec<u8>>,
    heard: String,
    /// The position at which the next search begins.
    from: usize,
}

/// Builds an example, unless it is built, and returns its path. cargo builds no examples for a single suite of tests.
fn built(name: &str) -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args([
        "build",
        "--quiet",
        "--locked",
        "--package",
        "forkexec",
        "--message-format",
        "json",
        "--example",
        name,
    ]);
    let output = build.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("it is text");
    let mut paths =
        messages.lines().filter_map(|line| line.split_once("\"executable\":\"")?.1.split_once('"'));
    paths.next_back().expect("cargo names the executable").0.into()
}

/// Lets a key that sends a signal keep the output of the terminal. Otherwise the kernel discards the output after it has sent
/// the signal (`isig` of drivers/tty/n_tty.c): the text that a program prints in answer to the signal may be lost.
fn keep_output(pty: &Pty) {
    let mut modes = tcgetattr(pty).expect("it is a terminal");
    modes.local_flags |= LocalFlags::NOFLSH;
    tcsetattr(pty, SetArg::TCSANOW, &modes).expect("it is a terminal");
}

impl Screen {
    pub(crate) fn start(example: &str, args: &[&str]) -> Self {
        let mut command = Command::new(built(example));
        command.args(args).env("PS1", "$ ").env("TERM", "dumb").on_drop(OnDrop::KillAndWait);
        // The tests may run in the background of a script, which ignores the signals of the terminal's keys.
        command.ignored_signals(IgnoredSignals::RestoreAll);
        let pty = Pty::open(WindowSize::new(30, 100)).expect("there is a pseudo-terminal");
        keep_output(&pty);
        let child = command.pty(&pty).spawn().expect("it starts");
        let (sender, output) = channel();
        let mut reader = pty.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { pty, child, output, heard: String::new(), from: 0 }
    }

    /// Types keys.
    pub(crate) fn press(&self, keys: &str) {
        (&self.pty).write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    /// Presses Enter twice a second until a prompt follows, after a key that sent a signal. The shell's terminal may have discarded
    /// the first prompt ([`keep_output`]), and the shell forgets what was typed before it.
    pub(crate) fn ask_for_prompt(&mut self) {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            self.press("\r");
            let next = Instant::now() + Duration::from_millis(500);
            // The terminal echoes the key at once, and the prompt comes later.
            while let Ok(bytes) = self.output.recv_timeout(next.saturating_duration_since(Instant::now())) {
                self.heard += &String::from_utf8_lossy(&bytes);
                if self.heard[self.from..].contains("$ ") {
                    return;
                }
            }
        }
        panic!("no prompt in {:?}", self.heard);
    }

    /// Reads until this text is on the screen, after the text of the previous call. Returns the text in between.
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.heard[self.from..].find(text) {
                let between = self.heard[self.from..self.from + at].to_owned();
                self.from += at + text.len();
                return between;
            }
            let read = self.output.recv_timeout(LIMIT);
            let bytes = read.unwrap_or_else(|error| panic!("no {text:?} in {:?}: {error}", self.heard));
            self.heard += &String::from_utf8_lossy(&bytes);
        }
    }

    /// Waits for the end of the example.
    pub(crate) fn end(mut self) -> ExitStatus {
        let status = self.child.wait_timeout(LIMIT).expect("it can be waited for");
        status.unwrap_or_else(|| panic!("it does not end: {:?}", self.heard))
    }

    /// Returns the foreground process group of the terminal.
    pub(crate) fn foreground(&self) -> i32 {
        tcgetpgrp(&self.pty).expect("the terminal has a session").as_raw()
    }

    /// Waits for the end of the example, and returns all its output as well.
    pub(crate) fn end_with_output(mut self) -> (String, ExitStatus) {
        // It ends when no process has the terminal open.
        while let Ok(bytes) = self.output.recv_timeout(LIMIT) {
            self.heard += &String::from_utf8_lossy(&bytes);
        }
        let said = std::mem::take(&mut self.heard);
        (said, self.end())
    }

    /// Returns the modes of the terminal.
    pub(crate) fn modes(&self) -> Termios {
        tcgetattr(self.pty.open_user().expect("it can be opened")).expect("it is a terminal")
    }
}
