//! The driver's side of a worker.

use super::Failure;
use super::job::Task;
use super::peer::Worker;
use super::scenario::World;
use super::toolbox::Toolbox;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The time limit for an answer of a worker, in milliseconds.
const PATIENCE: i32 = 120_000;

/// The answer of a worker.
pub(super) enum Answer {
    /// The request succeeded.
    Times(Vec<u64>),
    /// The method has no such operation.
    Unable(String),
    /// The request failed.
    Failed(String),
}

/// The state that a child reports.
#[derive(Clone, Copy)]
pub(super) struct Sight {
    /// The number of descriptors that it inherited.
    pub(super) descriptors: u32,
    /// True if it has the attributes of the task.
    pub(super) as_requested: bool,
}

/// A running worker.
pub(super) struct Host {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    report: PathBuf,
    opens_late: bool,
}

impl Host {
    /// Starts a worker. The native worker opens its descriptors on request. The others inherit theirs.
    pub(super) fn start(worker: &Worker, world: World, toolbox: &Toolbox) -> Result<Self, Failure> {
        let mut command = command_of(worker, world)?;
        command.env_clear().envs(environment());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a worker without streams".into());
        };
        let report = toolbox.writable(&format!("report-{}", worker.id))?;
        let mut host =
            Self { child, input, output: BufReader::new(output), report, opens_late: worker.opens_late };
        if !host.opens_late {
            host.expect(&format!("keep {} {}", world.descriptors + 1, world.descriptors + 2))?;
        }
        host.expect(&format!("memory {}", world.memory))?;
        Ok(host)
    }

    /// Makes the worker open its descriptors now, unless it inherited them.
    pub(super) fn open(&mut self, world: World) -> Result<(), Failure> {
        if self.opens_late { self.expect(&format!("open {}", world.descriptors)).map(|_| ()) } else { Ok(()) }
    }

    /// Sets the program to the one that exits at once.
    pub(super) fn spawn_exits(&mut self, toolbox: &Toolbox) -> Result<(), Failure> {
        self.expect(&format!("program {}", toolbox.exits.display())).map(|_| ())
    }

    /// Spawns `count` times, one after the other.
    pub(super) fn run(&mut self, method: &str, task: Task, count: usize) -> Result<Answer, Failure> {
        self.ask(&format!("run {method} {task} {count}"))
    }

    /// Spawns in threads. The answer is one number.
    pub(super) fn together(
        &mut self,
        method: &str,
        task: Task,
        threads: usize,
        count: usize,
    ) -> Result<Answer, Failure> {
        self.ask(&format!("together {method} {task} {threads} {count}"))
    }

    /// Spawns the program that reports the state that it inherited.
    pub(super) fn sight(
        &mut self,
        method: &str,
        task: Task,
        toolbox: &Toolbox,
    ) -> Result<Result<Sight, Answer>, Failure> {
        fs::write(&self.report, "")?;
        let own_stdout = stdout_inode(&self.output)?;
        self.expect(&format!("program {} {} {own_stdout}", toolbox.sees.display(), self.report.display()))?;
        let answer = self.run(method, task, 1)?;
        self.spawn_exits(toolbox)?;
        match answer {
            Answer::Times(_) => Ok(Ok(sight(&fs::read_to_string(&self.report)?, task)?)),
            other => Ok(Err(other)),
        }
    }

    fn expect(&mut self, line: &str) -> Result<Vec<u64>, Failure> {
        match self.ask(line)? {
            Answer::Times(numbers) => Ok(numbers),
            Answer::Unable(reason) | Answer::Failed(reason) => Err(format!("{line}: {reason}").into()),
        }
    }

    /// Waits for an answer. A worker that hangs has failed.
    fn wait_for_answer(&self) -> Result<(), Failure> {
        let fd = self.output.get_ref().as_raw_fd();
        let mut wanted = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: the call writes one `pollfd`.
        match unsafe { libc::poll(&raw mut wanted, 1, PATIENCE) } {
            0 => Err("the worker has not answered for two minutes".into()),
            _ => Ok(()),
        }
    }

    fn ask(&mut self, line: &str) -> Result<Answer, Failure> {
        writeln!(self.input, "{line}")?;
        self.input.flush()?;
        self.wait_for_answer()?;
        let mut answer = String::new();
        if self.output.read_line(&mut answer)? == 0 {
            return Err(format!("the worker ended at the request {line:?}").into());
        }
        parse(answer.trim())
    }
}

/// Ends the worker.
impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number of variables in the environment of each worker, and so of each child: as many as systemd gives to a service.
pub(super) const VARIABLES: usize = 12;

/// The environment of a worker. The workers in other languages find their files through the first variables. The others make up
/// the number, so that the machine's own environment does not change the figures.
fn environment() -> Vec<(String, OsString)> {
    let needed = ["PATH", "HOME", "JAVA_HOME", "GOROOT"];
    let given = needed.iter().filter_map(|name| Some(((*name).to_owned(), env::var_os(name)?)));
    let filler = (0..).map(|number| (format!("VARIABLE_{number:02}"), "x".repeat(24).into()));
    given.chain(filler).take(VARIABLES).collect()
}

fn command_of(worker: &Worker, world: World) -> Result<Command, Failure> {
    let (program, arguments) = worker.command.split_first().ok_or("a worker without a program")?;
    if worker.opens_late {
        let mut command = Command::new(program);
        command.args(arguments);
        return Ok(command);
    }
    let mut command = Command::new(env::current_exe()?);
    command.args(["with-descriptors", &world.descriptors.to_string(), "--"]).args(&worker.command);
    Ok(command)
}

fn parse(answer: &str) -> Result<Answer, Failure> {
    match answer.split_once(' ').unwrap_or((answer, "")) {
        ("ok", numbers) => Ok(Answer::Times(
            numbers.split(' ').filter(|word| !word.is_empty()).map(str::parse).collect::<Result<_, _>>()?,
        )),
        ("no", reason) => Ok(Answer::Unable(reason.to_owned())),
        ("error", reason) => Ok(Answer::Failed(reason.to_owned())),
        _ => Err(format!("invalid answer of a worker: {answer:?}").into()),
    }
}

fn stdout_inode(output: &BufReader<ChildStdout>) -> Result<u64, Failure> {
    let copy = output.get_ref().as_fd().try_clone_to_owned()?;
    Ok(fs::File::from(copy).metadata()?.ino())
}

/// Parses the line of `workers/sees.c`.
fn sight(line: &str, task: Task) -> Result<Sight, Failure> {
    let numbers = line.split_whitespace().map(str::parse).collect::<Result<Vec<u32>, _>>()?;
    let [descriptors, captured, user, leader, above @ ..] = numbers.as_slice() else {
        return Err(format!("invalid report of a child: {line:?}").into());
    };
    let as_requested = match task {
        Task::Plain => true,
        Task::Captured => *captured == 1,
        Task::Kept => above.len() >= 2,
        Task::Mapped => above.starts_with(&[3, 4]),
        Task::Full => *user == super::job::ID && *leader == 1 && above.first() == Some(&3),
    };
    Ok(Sight { descriptors: *descriptors, as_requested })
}
