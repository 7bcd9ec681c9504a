//! A shell with job control: pipelines, redirections, jobs in the foreground and the background.
//!
//! Run it in a terminal with `cargo run --example shell`. Commands are connected by `|`, `&` and `;`, and have
//! `<`, `>`, `>>`, `2>`, `2>>` and `2>&1`. Quotes keep blanks, and `$?` is the last exit status. `cd`, `exit`,
//! `jobs`, `fg` and `bg` are built in. Ctrl-C interrupts a job, and Ctrl-Z stops it.

use forkexec::{BorrowingCommand, Child, ChildChange, Foreground, IgnoredSignals, Stdio};
use nix::sys::signal::{SigHandler, Signal, killpg, signal};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{IsTerminal, Write, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;
use std::sync::Arc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const OPERATORS: [&str; 9] = ["2>&1", "2>>", "2>", ">>", ">", "<", "|", "&", ";"];

/// A pipeline that runs or is stopped. Its first process leads a process group of all.
struct Job {
    line: String,
    children: Vec<Child>,
    /// The status of the last command, or 128 + the signal that stopped the job.
    status: i32,
    is_stopped: bool,
}

#[derive(Default)]
struct Shell {
    /// The terminal, if the shell reads one.
    terminal: Option<Arc<File>>,
    jobs: Vec<Job>,
    status: i32,
}

fn main() -> Result<ExitCode> {
    let mut shell = Shell::default();
    if stdin().is_terminal() {
        shell.terminal = Some(File::options().read(true).write(true).open("/dev/tty")?.into());
        for key in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
            // SAFETY: no handler runs for an ignored signal.
            unsafe { signal(key, SigHandler::SigIgn) }?;
        }
    }
    loop {
        shell.jobs.retain_mut(|job| !job.is_over());
        if shell.terminal.is_some() {
            print!("{} $ ", shell.status);
            stdout().flush()?;
        }
        let mut line = String::new();
        let is_end = stdin().read_line(&mut line)? == 0;
        let words = split(&line.replace("$?", &shell.status.to_string()));
        if is_end || words.first().is_some_and(|word| word == "exit") {
            let code = words.get(1).map_or(Ok(shell.status), |code| code.parse())?;
            return Ok(ExitCode::from(u8::try_from(code)?));
        }
        for part in words.split_inclusive(|word| word == ";" || word == "&") {
            let words = part.split(|word| word == ";" || word == "&").next().unwrap_or_default();
            let in_background = part.last().is_some_and(|word| word == "&");
            shell.status = shell.run(words, in_background).unwrap_or_else(|error| {
                eprintln!("shell: {error}");
                127
            });
        }
    }
}

/// Splits a line into words and operators.
fn split(mut rest: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec![], None::<String>, None);
    while let Some(next) = rest.chars().next() {
        let operator = OPERATORS.iter().find(|operator| quote.is_none() && rest.starts_with(**operator));
        // `2>` is an operator only at the beginning of a word.
        let operator = operator.filter(|operator| word.is_none() || !operator.starts_with('2'));
        if operator.is_some() || (quote.is_none() && next.is_whitespace()) {
            words.extend(word.take());
            words.extend(operator.map(ToString::to_string));
        } else if quote == Some(next) {
            quote = None;
        } else {
            let word = word.get_or_insert_default();
            if quote.is_none() && matches!(next, '\'' | '"') { quote = Some(next) } else { word.push(next) }
        }
        rest = &rest[operator.map_or(next.len_utf8(), |operator| operator.len())..];
    }
    words.extend(word);
    words
}

impl Shell {
    /// Runs a pipeline or a built-in command, and returns its exit status.
    fn run(&mut self, words: &[String], in_background: bool) -> Result<i32> {
        let Some((name, args)) = words.split_first() else { return Ok(self.status) };
        // The drop takes the terminal back.
        let mut foreground = self.terminal.clone().map(Foreground::save).transpose()?;
        let mut job = match name.as_str() {
            "cd" => return Ok(std::env::set_current_dir(args.first().map_or("/", |path| path)).map(|()| 0)?),
            "jobs" => {
                self.jobs.iter().enumerate().for_each(|(index, job)| job.print(index));
                return Ok(0);
            }
            "fg" | "bg" => {
                let number = args.first().map_or(Ok(self.jobs.len()), |number| number.parse())?;
                let index = number.checked_sub(1).filter(|index| *index < self.jobs.len());
                self.jobs.remove(index.ok_or("there is no such job")?)
            }
            _ => start(words, self.terminal.as_ref().filter(|_| !in_background))?,
        };
        let group = Pid::from_raw(job.children[0].id().try_into()?);
        let waits = !in_background && name != "bg";
        if let Some(foreground) = foreground.as_mut().filter(|_| waits) {
            let _ = foreground.set(group.as_raw()); // fails if the job has ended
        }
        if name == "fg" || name == "bg" {
            let _ = killpg(group, Signal::SIGCONT); // also for one that stopped when it read the terminal
            job.is_stopped = false;
        }
        for child in job.children.iter_mut().filter(|_| waits) {
            while !job.is_stopped && child.try_wait()?.is_none() {
                if let ChildChange::Stopped(signal) = child.wait_change()? {
                    (job.is_stopped, job.status) = (true, 128 + signal);
                }
            }
            if let Some(status) = child.try_wait()?.filter(|_| !job.is_stopped) {
                job.status = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
            }
        }
        let status = job.status;
        if !job.is_over() {
            job.print(self.jobs.len());
            self.jobs.push(job);
        }
        Ok(status)
    }
}

impl Job {
    fn is_over(&mut self) -> bool {
        self.children.iter_mut().all(|child| child.try_wait().is_ok_and(|status| status.is_some()))
    }

    fn print(&self, index: usize) {
        println!("[{}] {} {}", index + 1, if self.is_stopped { "stopped" } else { "running" }, self.line);
    }
}

/// Starts all commands of a pipeline in one process group, in the foreground of the terminal, if there is one.
fn start(words: &[String], terminal: Option<&Arc<File>>) -> Result<Job> {
    let mut job = Job { line: words.join(" "), children: vec![], status: 0, is_stopped: false };
    let mut input = None;
    let mut commands = words.split(|word| word == "|").peekable();
    while let Some(words) = commands.next() {
        let (reader, writer) = commands.peek().map(|_| os_pipe::pipe()).transpose()?.unzip();
        let mut command = command(words, [input.take(), writer.map(OwnedFd::from), None])?;
        command.process_group(job.children.first().map_or(Ok(0), |leader| leader.id().try_into())?);
        if let Some(terminal) = terminal {
            command.foreground(terminal);
        }
        job.children.push(command.ignored_signals(IgnoredSignals::RestoreAll).spawn()?);
        input = reader.map(OwnedFd::from);
    }
    Ok(job)
}

/// Makes a command with its redirections, which replace the pipes to its neighbours.
fn command<'fd>(words: &[String], mut streams: [Option<OwnedFd>; 3]) -> Result<BorrowingCommand<'fd>> {
    let (mut args, mut words) = (vec![], words.iter());
    while let Some(word) = words.next() {
        let stream = match word.as_str() {
            "<" => 0,
            ">" | ">>" => 1,
            "2>" | "2>>" | "2>&1" => 2,
            _ => {
                args.push(word);
                continue;
            }
        };
        streams[stream] = Some(if word == "2>&1" {
            streams[1].as_ref().map_or_else(|| stdout().as_fd().try_clone_to_owned(), OwnedFd::try_clone)?
        } else {
            let path = words.next().ok_or("a redirection has no file")?;
            let (writes, appends) = (stream != 0, word.ends_with(">>"));
            let mut how = File::options();
            how.read(!writes).write(writes).create(writes).append(appends).truncate(writes && !appends);
            how.open(path).map_err(|error| format!("cannot open {path:?}: {error}"))?.into()
        });
    }
    let [stdin, stdout, stderr] = streams.map(|stream| stream.map_or_else(Stdio::inherit, Stdio::from));
    let mut command = BorrowingCommand::new(args.first().ok_or("a command is empty")?);
    command.args(&args[1..]).stdin(stdin).stdout(stdout).stderr(stderr);
    Ok(command)
}
