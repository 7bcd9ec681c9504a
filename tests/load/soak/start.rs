//! One spawn of a random plan, and its expected result.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use forkexec::{BorrowingCommand, Child, CloseStrategy, Command, Error, OnDrop, SpawnPolicy, Stage, Stdio};
use forkexec_tests::probe::{self, Seen};
use forkexec_tests::world;

use super::batch::{ASKED_FOR, Refused};
use crate::draw::Draw;

/// The parent's descriptors, for all threads.
pub(super) struct Ground {
    kept: Vec<OwnedFd>,
    _secrets: Vec<OwnedFd>,
}

/// The result of a spawn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Ended,
    Killed,
    /// Before its program ran.
    Died,
    Refused,
    Missing,
    /// It was dropped while it ran.
    Left,
}

/// The stages of [`ASKED_FOR`].
const STAGES: [Stage; 4] = [Stage::Session, Stage::Nice, Stage::ProcessGroup, Stage::Chdir];

/// A plan that was drawn.
struct Drawn<'g> {
    command: BorrowingCommand<'g>,
    /// The program's descriptors.
    fds: Vec<i32>,
    /// The calls of [`ASKED_FOR`] that the plan needs.
    asks: [bool; 4],
    is_missing: bool,
    reports: bool,
}

impl Ground {
    pub(super) fn new() -> Self {
        let null = File::open("/dev/null").expect("it is there");
        Self {
            kept: (700..706).map(|number| world::place(&null, number)).collect(),
            _secrets: world::open_many(20),
        }
    }

    /// Starts once.
    pub(super) fn start(&self, draw: &mut Draw, refused: &Refused, kills: bool) -> Outcome {
        let Drawn { mut command, fds, asks, is_missing, reports } = self.draw(draw);
        let is_refused = |place: usize| asks[place] && refused.has(ASKED_FOR[place]);
        let stages: Vec<Stage> =
            (0..4).filter(|place| is_refused(*place)).map(|place| STAGES[place]).collect();
        match command.spawn() {
            Ok(child) => {
                assert!(stages.is_empty() && !is_missing, "it runs, though {stages:?} {is_missing}");
                ends(child, draw, reports.then_some(&fds[..]), kills)
            }
            Err(Error::Died { status: Some(status), .. }) if kills && is_kill(status) => Outcome::Died,
            Err(error) => {
                let stage = error.as_spawn().map(forkexec::SpawnError::stage);
                if stage.is_some_and(|stage| stages.contains(&stage)) {
                    return Outcome::Refused;
                }
                assert!(is_missing && stage == Some(Stage::Exec), "{error:?}");
                Outcome::Missing
            }
        }
    }

    fn draw<'g>(&'g self, draw: &mut Draw) -> Drawn<'g> {
        let is_missing = draw.below(10) == 0;
        let reports = draw.below(4) == 0;
        let program = if is_missing { "/no/such/program".as_ref() } else { probe::path() };
        let mut command = Command::new(program);
        if reports {
            command.args(["report", "--below", "1024"]).stdout(Stdio::piped());
        } else {
            command.arg(["true", "sleep-on-stdin", "pause"][draw.below(3)]);
        }
        let fds = self.spawn_unreaped(&mut command, draw);
        let asks = attributes(&mut command, draw);
        how_to_start(&mut command, draw);
        Drawn { command, fds, asks, is_missing, reports }
    }

    /// Keeps some descriptors, and maps some to numbers that may be in use.
    fn spawn_unreaped<'g>(&'g self, command: &mut BorrowingCommand<'g>, draw: &mut Draw) -> Vec<i32> {
        const TARGETS: [i32; 8] = [3, 4, 5, 9, 20, 64, 333, 512];
        let mut fds = vec![0, 1, 2];
        for fd in &self.kept {
            if draw.below(3) == 0 {
                command.keep_fd(fd);
                fds.push(fd.as_raw_fd());
            }
        }
        for target in TARGETS {
            if draw.below(4) == 0 {
                command.fd(target, &self.kept[draw.below(self.kept.len())]);
                fds.push(target);
            }
        }
        fds.sort_unstable();
        fds
    }
}

/// Sets attributes, and returns which of [`ASKED_FOR`] they need.
fn attributes(command: &mut BorrowingCommand<'_>, draw: &mut Draw) -> [bool; 4] {
    let mut asks = [false; 4].map(|_| draw.below(5) == 0);
    // The leader of a session can join no group.
    asks[2] &= !asks[0];
    if asks[0] {
        command.setsid();
    }
    if asks[1] {
        command.nice(1);
    }
    if asks[2] {
        command.process_group(0);
    }
    if asks[3] {
        command.current_dir("/");
    }
    if draw.below(5) == 0 {
        command.umask(0o077).ignore_signal(libc::SIGHUP);
    }
    if draw.below(5) == 0 {
        command.signal_mask([libc::SIGUSR1]).rlimit(forkexec::Resource::CORE, Some(0), Some(0));
    }
    asks
}

fn how_to_start(command: &mut BorrowingCommand<'_>, draw: &mut Draw) {
    match draw.below(100) {
        0..20 => drop(command.spawn_policy(SpawnPolicy::Fork)),
        20..30 => drop(command.close_strategy(CloseStrategy::Enumerate)),
        30 => drop(command.close_strategy(CloseStrategy::Loop)),
        31..35 => {
            // SAFETY: it does nothing.
            unsafe { command.pre_exec(|| Ok(())) };
        }
        _ => {}
    }
    match draw.below(4) {
        0 => drop(command.create_pidfd(false)),
        1 => drop(command.time_stages()),
        _ => {}
    }
    command.on_drop([OnDrop::Leave, OnDrop::Kill, OnDrop::KillAndWait][draw.below(3)]);
    command.reaper_thread(draw.below(2) == 0);
}

/// A child that runs is waited for, killed, or dropped.
fn ends(mut child: Child, draw: &mut Draw, expected: Option<&[i32]>, kills: bool) -> Outcome {
    if let Some(expected) = expected {
        return reports(child, expected, kills);
    }
    match draw.below(4) {
        0 => {
            thread::sleep(Duration::from_micros(u64::try_from(draw.below(500)).expect("it is small")));
            child.kill().expect("it is ours");
        }
        1 => {
            // A child that would run endlessly is killed.
            child.kill().expect("it is ours");
            return Outcome::Left;
        }
        _ => child.kill().expect("it is ours"),
    }
    let status = child.wait().expect("nobody else takes it");
    assert!(status.success() || is_kill(status), "{status}");
    if status.success() { Outcome::Ended } else { Outcome::Killed }
}

fn reports(mut child: Child, expected: &[i32], kills: bool) -> Outcome {
    let mut text = String::new();
    let mut stdout = child.stdout.take().expect("it is a pipe");
    stdout.read_to_string(&mut text).expect("a report is ASCII");
    let status = child.wait().expect("nobody else takes it");
    if kills && is_kill(status) {
        return Outcome::Killed;
    }
    assert!(status.success(), "{status}");
    assert_eq!(Seen::parse(&text).fds, expected);
    Outcome::Ended
}

fn is_kill(status: ExitStatus) -> bool {
    status.signal() == Some(libc::SIGKILL)
}
