//! Runs 1,000 jobs, eight at a time, as a build tool does. Shows a progress bar, and at the end the jobs that
//! failed, with their output.
//!
//! Run it with `cargo run --example jobs [LIMIT]`.

use forkexec::{Command, Error};
use std::env;
use std::io::{self, IsTerminal, Write};
use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const JOBS: usize = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let limit = env::args().nth(1).map_or(Ok(8), |limit| limit.parse())?;
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let bar = Bar::new();

    // Each thread starts a job, waits for it, and takes the next one.
    thread::scope(|scope| {
        for _ in 0..limit {
            scope.spawn(|| {
                while let Some(job) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&job| job < JOBS) {
                    let ended = run(job);
                    if !matches!(&ended, Ok(output) if output.status.success()) {
                        failed.lock().expect("no thread panics").push((job, ended));
                    }
                    bar.advance();
                }
            });
        }
    });

    let failed = failed.into_inner()?;
    println!("{} of {JOBS} jobs are done", JOBS - failed.len());
    for (job, ended) in &failed {
        match ended {
            Ok(output) => {
                println!("job {job}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
            }
            Err(error) => println!("job {job} was not started: {error}"),
        }
    }
    Ok(())
}

/// Runs a job. Every 250th job fails.
fn run(job: usize) -> Result<Output, Error> {
    let script = "[ $(($0 % 250)) -ne 7 ] || { echo undefined symbol >&2; exit 1; }";
    Command::new("sh").args(["-c", script]).arg(job.to_string()).output()
}

/// A progress bar: one line that is overwritten on a terminal, and nothing elsewhere.
struct Bar {
    done: Mutex<usize>,
    shown: bool,
}

impl Bar {
    fn new() -> Self {
        Self { done: Mutex::new(0), shown: io::stderr().is_terminal() }
    }

    fn advance(&self) {
        const WIDTH: usize = 50;
        let mut done = self.done.lock().expect("no thread panics");
        *done += 1;
        if self.shown {
            let end = if *done == JOBS { "\n" } else { "" };
            eprint!("\r[{:<WIDTH$}] {done}/{JOBS}{end}", "=".repeat(*done * WIDTH / JOBS));
            let _ = io::stderr().flush();
        }
    }
}
