//! The worker for all methods of this executable.
//!
//! Workers in other languages use the same protocol: one line for a request, one line for the answer.
//!
//! | request | answer |
//! |---|---|
//! | `program PATH [ARGUMENT...]` | `ok` |
//! | `keep A B`: the two descriptors of the tasks `kept` and `mapped` | `ok` |
//! | `run METHOD TASK COUNT` | `ok NS...`: the time of each spawn, with the wait for the child |
//! | `together METHOD TASK THREADS COUNT` | `ok NS`: from the start of all threads to the end of the last |
//! | `memory BYTES`: touches each page | `ok` |
//! | `open COUNT`: only in this worker, because the others inherit their descriptors | `ok A B`: the last two |
//!
//! Other answers are `no REASON` if the method has no such operation, and `error REASON` if the request failed.

mod spawning;
mod surroundings;

use super::Failure;
use super::cli;
use super::job::{Job, Task};
use super::method::bare;
pub(super) use spawning::Refusal;
use spawning::Session;
use std::io::{self, BufRead as _, Write as _};
use std::os::fd::RawFd;
use std::process::ExitCode;

/// Answers line by line until standard input ends.
pub(super) fn serve(options: &cli::Worker) -> Result<ExitCode, Failure> {
    if let Some(path) = &options.bare {
        bare::load(path)?;
    }
    let mut session = Session { job: first_job(surroundings::low_descriptors()?) };
    for line in io::stdin().lock().lines() {
        let answer = match answer(&mut session, &line?) {
            Ok(words) => format!("ok {words}"),
            Err(Refusal::Unable(reason)) => format!("no {reason}"),
            Err(Refusal::Failed(reason)) => format!("error {}", reason.replace('\n', " ")),
        };
        let mut out = io::stdout().lock();
        writeln!(out, "{}", answer.trim_end())?;
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(session: &mut Session, line: &str) -> Result<String, Refusal> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["program", path, ref arguments @ ..] => session.set_program(path, arguments),
        ["keep", a, b] => session.job.kept = [number(a)?, number(b)?],
        ["memory", bytes] => surroundings::touch(number(bytes)?)?,
        ["open", count] => {
            let [a, b] = super::setup::open(number(count)?)?;
            session.job.kept = [a, b];
            return Ok(format!("{a} {b}"));
        }
        ["run", method, task, count] => return session.run(method, self::task(task)?, number(count)?),
        ["together", method, task, threads, count] => {
            return session.together(method, self::task(task)?, number(threads)?, number(count)?);
        }
        _ => return Err(Refusal::Failed(format!("invalid request: {line}"))),
    }
    Ok(String::new())
}

fn task(word: &str) -> Result<Task, Refusal> {
    Task::of_word(word).ok_or_else(|| Refusal::Failed(format!("no such task: {word}")))
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, Refusal> {
    word.parse().map_err(|_| Refusal::Failed(format!("not a number: {word}")))
}

/// Returns the job before the first request of the driver.
fn first_job([source, a, b]: [RawFd; 3]) -> Job {
    Job { program: "/bin/true".into(), arguments: Vec::new(), task: Task::Plain, kept: [a, b], source }
}
