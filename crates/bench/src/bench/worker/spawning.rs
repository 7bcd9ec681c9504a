//! Timed spawns, one after the other and in threads.

use crate::bench::job::{Job, Task};
use crate::bench::method::{self, SpawnMethod, Spawner};
use std::io;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// The reason why a request has no times.
pub(in crate::bench) enum Refusal {
    /// The method has no such operation.
    Unable(&'static str),
    /// The operation failed.
    Failed(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The state from the previous requests of the driver.
pub(super) struct Session {
    /// The next spawn.
    pub(super) job: Job,
}

impl Session {
    /// Sets the program.
    pub(super) fn set_program(&mut self, path: &str, arguments: &[&str]) {
        self.job.program = path.into();
        self.job.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    }

    /// Spawns `count` times. Returns the times in nanoseconds.
    pub(super) fn run(&mut self, method: &str, task: Task, count: usize) -> Result<String, Refusal> {
        self.job.task = task;
        let mut spawner = spawner(find(method)?, &self.job)?;
        let times = (0..count).map(|_| timed(&mut spawner)).collect::<Result<Vec<_>, _>>()?;
        Ok(times.iter().map(|time| time.as_nanos().to_string()).collect::<Vec<_>>().join(" "))
    }

    /// Spawns `count` times in each of `threads`. Returns the total time in nanoseconds.
    pub(super) fn together(
        &mut self,
        method: &str,
        task: Task,
        threads: usize,
        count: usize,
    ) -> Result<String, Refusal> {
        self.job.task = task;
        let method = find(method)?;
        let barrier = Barrier::new(threads + 1);
        let whole = thread::scope(|scope| {
            let running: Vec<_> =
                (0..threads).map(|_| scope.spawn(|| many(method, &self.job, count, &barrier))).collect();
            barrier.wait();
            let start = Instant::now();
            for thread in running {
                thread.join().map_err(|_| Refusal::Failed("a thread panicked".to_owned()))??;
            }
            Ok::<_, Refusal>(start.elapsed())
        })?;
        Ok(whole.as_nanos().to_string())
    }
}

fn find(id: &str) -> Result<&'static SpawnMethod, Refusal> {
    method::ALL
        .iter()
        .find(|method| method.id == id)
        .ok_or_else(|| Refusal::Failed(format!("no such method: {id}")))
}

fn spawner(method: &SpawnMethod, job: &Job) -> Result<Spawner, Refusal> {
    (method.prepare)(job)
}

fn timed(spawner: &mut Spawner) -> Result<Duration, Refusal> {
    let start = Instant::now();
    spawner()?;
    Ok(start.elapsed())
}

/// Runs one of many threads. It reaches the barrier even if its method fails.
fn many(method: &SpawnMethod, job: &Job, count: usize, barrier: &Barrier) -> Result<(), Refusal> {
    let spawner = spawner(method, job);
    barrier.wait();
    let mut spawner = spawner?;
    (0..count).try_for_each(|_| spawner())
}
