//! A supervisor: keeps several services running, restarts those that fail, and stops all of them in time.
//!
//! Run it with `cargo run --example supervisor -- FILE`. Each line of the file is a service, `NAME: COMMAND LINE` for
//! sh(1). Without a file it runs a small demonstration. A service that ends with 0 is done. One that fails is started
//! again after a pause, which doubles each time. `RESTARTS` in its environment counts the starts before.
//!
//! `SIGTERM` or `SIGINT`, such as Ctrl-C, is passed on to all services. Those that still run after the grace period are
//! killed with all their descendants. One thread does all that: it waits for signals and for the ends of children in one
//! poll(2).

use forkexec::{Child, Command, Containment, OnDrop, Stdio, wait_any};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::error::Error;
use std::io::Read;
use std::os::fd::{AsFd, IntoRawFd};
use std::process::{ExitCode, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

/// The pause before the first restart, and the longest one.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(30)];
/// A service that ran so long counts as healthy: its next pause is the first one.
const HEALTHY: Duration = Duration::from_secs(10);
/// The time that a service has after a signal.
const GRACE: Duration = Duration::from_secs(2);

const DEMO: &str = "
    greeter: echo hello
    flaky: echo attempt $RESTARTS; test $RESTARTS -eq 2
";

struct Service {
    name: String,
    line: String,
    state: State,
    restarts: u32,
    pause: Duration,
}

enum State {
    /// Starts at this time.
    Due(Instant),
    Running(Box<Child>, Instant),
    Done,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut signals = receive_signals()?;
    let config = env::args_os().nth(1).map_or(Ok(DEMO.to_owned()), fs::read_to_string)?;
    let mut services = parse(&config)?;
    // Set by a signal: the time at which everything is killed.
    let mut deadline = None;
    while services.iter().any(|service| !matches!(service.state, State::Done)) {
        for service in &mut services {
            service.start_if_due(deadline.is_some());
        }
        if wait(&signals, &services, deadline)? {
            let mut number = [0; 4];
            signals.read_exact(&mut number)?;
            let signal = i32::from_ne_bytes(number);
            println!("supervisor: {}", Signal::try_from(signal)?);
            deadline.get_or_insert_with(|| Instant::now() + GRACE);
            for service in &mut services {
                service.pass_on(signal);
            }
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            services.iter_mut().for_each(Service::kill);
        }
        reap(&mut services)?;
    }
    Ok(if deadline.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn parse(config: &str) -> Result<Vec<Service>, String> {
    let lines = config.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let service = |line: &str| {
        let (name, line) = line.split_once(':').ok_or_else(|| format!("no `NAME:` in: {line}"))?;
        let (name, line) = (name.to_owned(), line.trim().to_owned());
        Ok(Service { name, line, state: State::Due(Instant::now()), restarts: 0, pause: PAUSES[0] })
    };
    lines.map(service).collect()
}

/// Waits for a signal, the end of a service, the next restart or the end of the grace period. Returns true after a signal.
fn wait(signals: &os_pipe::PipeReader, services: &[Service], deadline: Option<Instant>) -> nix::Result<bool> {
    let mut fds = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    let mut next: Vec<Instant> = deadline.into_iter().collect();
    for service in services {
        match &service.state {
            State::Running(child, _) => match child.exit_fd() {
                Some(fd) => fds.push(PollFd::new(fd.as_fd(), PollFlags::POLLIN)),
                None => next.push(Instant::now() + PAUSES[0]),
            },
            State::Due(at) => next.push(*at),
            State::Done => {}
        }
    }
    let rest = next.iter().min().map(|next| next.saturating_duration_since(Instant::now()));
    let rest =
        rest.map(|rest| PollTimeout::try_from(rest + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX));
    match poll(&mut fds, rest.unwrap_or(PollTimeout::NONE)) {
        Err(nix::errno::Errno::EINTR) => Ok(false),
        polled => polled.map(|_| fds[0].any() == Some(true)),
    }
}

/// Takes the statuses of all services that have ended.
fn reap(services: &mut [Service]) -> Result<(), forkexec::Error> {
    loop {
        let mut running: Vec<&mut Service> =
            services.iter_mut().filter(|service| matches!(service.state, State::Running(..))).collect();
        let children = running.iter_mut().filter_map(|service| service.child());
        let Some((index, status)) = wait_any(children, Some(Duration::ZERO))? else { return Ok(()) };
        running[index].ended(status);
    }
}

impl Service {
    fn child(&mut self) -> Option<&mut Child> {
        if let State::Running(child, _) = &mut self.state { Some(child) } else { None }
    }

    fn start_if_due(&mut self, is_stopping: bool) {
        let now = Instant::now();
        match self.state {
            State::Due(_) if is_stopping => self.state = State::Done,
            State::Due(at) if at <= now => match self.start() {
                Ok(child) => {
                    println!("{}: started as {}", self.name, child.id());
                    self.state = State::Running(Box::new(child), now);
                }
                Err(error) => self.fail(&error.to_string(), Duration::ZERO),
            },
            _ => {}
        }
    }

    fn start(&self) -> Result<Child, forkexec::Error> {
        let mut command = Command::new("sh");
        command.args(["-c", &self.line]).env("RESTARTS", self.restarts.to_string()).stdin(Stdio::null());
        // The terminal sends its signals to the supervisor alone. No descendant is left, whatever happens.
        command.process_group(0).containment(Containment::Auto).on_drop(OnDrop::KillAndWait);
        command.create_pidfd(true).spawn()
    }

    fn ended(&mut self, status: ExitStatus) {
        let State::Running(mut child, since) = std::mem::replace(&mut self.state, State::Done) else {
            return;
        };
        let _ = child.kill_tree(); // the service may have left processes behind
        if status.success() {
            println!("{}: done", self.name);
        } else {
            self.fail(&status.to_string(), since.elapsed());
        }
    }

    fn fail(&mut self, why: &str, ran_for: Duration) {
        self.pause = if ran_for >= HEALTHY { PAUSES[0] } else { self.pause };
        println!("{}: {why}, next start in {:?}", self.name, self.pause);
        self.state = State::Due(Instant::now() + self.pause);
        self.restarts += 1;
        self.pause = PAUSES[1].min(self.pause * 2);
    }

    fn pass_on(&mut self, signal: i32) {
        if let Some(child) = self.child() {
            // A stopped process takes a signal when it continues.
            let _ = child.send_signal(signal).and_then(|()| child.send_signal(Signal::SIGCONT as i32));
        }
    }

    fn kill(&mut self) {
        let _ = self.child().map(Child::kill_tree);
    }
}

/// The writing end of the pipe of the handler.
static WRITER: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note_signal(signal: i32) {
    let number = signal.to_ne_bytes();
    // SAFETY: write(2) is async-signal-safe. The descriptor is never closed.
    unsafe { libc::write(WRITER.load(Ordering::Relaxed), number.as_ptr().cast(), number.len()) };
}

fn receive_signals() -> Result<os_pipe::PipeReader, Box<dyn Error>> {
    let (reader, writer) = os_pipe::pipe()?;
    WRITER.store(writer.into_raw_fd(), Ordering::Relaxed);
    let action = SigAction::new(SigHandler::Handler(note_signal), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // SAFETY: the handler only writes to a pipe, and keeps errno unless that fails.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(reader)
}
