//! A terminal multiplexer: several shells in one window, of which one has the screen.
//!
//! Run it in a terminal with `cargo run --example multiplexer [PROGRAM]`. It starts two shells. Ctrl-A and then
//! a key: `n` shows the next shell, `c` starts another one, `q` ends all, and `a` is a Ctrl-A for the shell.

use forkexec::{Command, IgnoredSignals, OnDrop, Pty, RawMode, WindowSize};
use nix::sys::signal::{SigSet, Signal};
use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, IsTerminal, Read, Write, stdin, stdout};
use std::sync::mpsc::{Sender, channel};
use std::{env, thread};

/// The key before a key of the multiplexer: Ctrl-A.
const PREFIX: u8 = 1;

/// The number of bytes of output that a shell shows again when it gets the screen.
const KEPT: usize = 1 << 16;

enum Event {
    Keys(Vec<u8>),
    Output(usize, Vec<u8>),
    /// The last process of a shell's terminal has ended.
    Closed(usize),
    Signal(Signal),
    /// The input has ended.
    End,
}

/// A shell on a terminal of its own.
struct Pane {
    pty: Pty,
    child: forkexec::Child,
    /// The last output.
    output: VecDeque<u8>,
    is_open: bool,
}

struct Multiplexer {
    program: String,
    panes: Vec<Pane>,
    /// The index of the pane that has the screen.
    current: usize,
    /// True if the last key was the prefix.
    after_prefix: bool,
    events: Sender<Event>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let program = env::args().nth(1).or_else(|| env::var("SHELL").ok()).unwrap_or_else(|| "sh".to_owned());
    // The mask belongs to this program: a child of the library starts with an empty one.
    let signals: SigSet = [Signal::SIGWINCH, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block()?;
    let (events, received) = channel();
    let _raw = stdin().is_terminal().then(|| RawMode::enter(stdin())).transpose()?;
    let mut multiplexer = Multiplexer { program, panes: vec![], current: 0, after_prefix: false, events };
    multiplexer.open()?;
    multiplexer.open()?;
    multiplexer.show(0)?;

    let keys = multiplexer.events.clone();
    thread::spawn(move || forward(&mut stdin(), &keys, Event::Keys, Event::End));
    let arrivals = multiplexer.events.clone();
    thread::spawn(
        move || {
            while signals.wait().is_ok_and(|signal| arrivals.send(Event::Signal(signal)).is_ok()) {}
        },
    );
    for event in received {
        if !multiplexer.handle(event)? {
            break;
        }
    }
    print!("\r\n");
    Ok(()) // drops the shells, which kills them, and then the guard, which restores the terminal
}

impl Multiplexer {
    /// Starts a shell, and returns its index.
    fn open(&mut self) -> Result<usize, Box<dyn Error>> {
        let index = self.panes.len();
        let pty = Pty::open(WindowSize::of(stdin()).unwrap_or_default())?;
        let mut command = Command::new(&self.program);
        // The keys of the terminal act even if this program ignores their signals, as in the background of a script.
        command.ignored_signals(IgnoredSignals::RestoreAll);
        command.env("PANE", index.to_string()).pty(&pty).on_drop(OnDrop::KillAndWait);
        let child = command.spawn()?;
        let (mut reader, events) = (pty.clone(), self.events.clone());
        let output = move |bytes| Event::Output(index, bytes);
        thread::spawn(move || forward(&mut reader, &events, output, Event::Closed(index)));
        self.panes.push(Pane { pty, child, output: VecDeque::new(), is_open: true });
        Ok(index)
    }

    /// Handles an event. Returns false if this was the last one.
    fn handle(&mut self, event: Event) -> Result<bool, Box<dyn Error>> {
        match event {
            Event::Keys(keys) => {
                for key in keys {
                    if !self.press(key)? {
                        return Ok(false);
                    }
                }
            }
            Event::Output(index, bytes) => {
                if index == self.current {
                    write(&bytes)?;
                }
                let output = &mut self.panes[index].output;
                output.extend(&bytes);
                output.drain(..output.len().saturating_sub(KEPT));
            }
            Event::Closed(index) => {
                self.panes[index].is_open = false;
                let status = self.panes[index].child.wait()?;
                let Some(next) = self.next() else { return Ok(false) };
                self.show(if index == self.current { next } else { self.current })?;
                write(format!("[shell {index} ended with {status}]\r\n").as_bytes())?;
            }
            Event::Signal(Signal::SIGWINCH) => {
                let size = WindowSize::of(stdin())?;
                self.panes.iter().try_for_each(|pane| pane.pty.resize(size))?;
            }
            Event::Signal(_) | Event::End => return Ok(false),
        }
        Ok(true)
    }

    /// Handles a key. Returns false if it ends the program.
    fn press(&mut self, key: u8) -> Result<bool, Box<dyn Error>> {
        match (self.after_prefix, key) {
            (false, PREFIX) => {
                self.after_prefix = true;
                return Ok(true);
            }
            (true, b'q') => return Ok(false),
            (true, b'c') => {
                let opened = self.open()?;
                self.show(opened)?;
            }
            (true, b'n') => self.show(self.next().unwrap_or(self.current))?,
            (true, b'a') => self.panes[self.current].pty.write_all(&[PREFIX])?,
            (true, _) => write(b"\x07")?,
            // The shell may have ended a moment ago.
            (false, key) => drop(self.panes[self.current].pty.write_all(&[key])),
        }
        self.after_prefix = false;
        Ok(true)
    }

    /// Returns the next open pane after the current one, which may be the same.
    fn next(&self) -> Option<usize> {
        let count = self.panes.len();
        (1..=count).map(|step| (self.current + step) % count).find(|index| self.panes[*index].is_open)
    }

    /// Clears the screen, and shows the last output of a pane.
    fn show(&mut self, index: usize) -> io::Result<()> {
        self.current = index;
        write(format!("\x1b[2J\x1b[H[shell {index}]\r\n").as_bytes())?;
        write(self.panes[index].output.make_contiguous())
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut screen = stdout().lock();
    screen.write_all(bytes)?;
    screen.flush()
}

/// Sends everything that is read as events, and then the event for the end.
fn forward(from: &mut impl Read, to: &Sender<Event>, event: impl Fn(Vec<u8>) -> Event, end: Event) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.send(event(buffer[..count].to_vec())).is_err() {
            return;
        }
    }
    let _ = to.send(end);
}
