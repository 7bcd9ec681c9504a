//! Random plans from eight threads, under random refusals and while children are killed: nothing is lost.
//!
//! A filter cannot be removed, and the library remembers refusals. So the spawns are distributed to batches, each with
//! its own process, seed and refusals.
//!
//! `FORKEXEC_SOAK_SPAWNS` in the environment sets the number of spawns (default 2,000), and `FORKEXEC_SEED` the seed.
//! `FORKEXEC_SOAK_BATCH` repeats one batch by its seed.

mod batch;
mod killer;
mod start;

use std::env;
use std::time::Duration;

use forkexec::Command;
use forkexec_tests::isolate::isolated_for;

use crate::draw::seed;

/// Starts of one process.
const BATCH: usize = 500;
const LIMIT: Duration = Duration::from_mins(10);
const NAME: &str = "soak::random_spawns_under_refusals_and_kills_lose_nothing";
const OF_BATCH: &str = "FORKEXEC_SOAK_BATCH";

fn spawns() -> usize {
    env::var("FORKEXEC_SOAK_SPAWNS").ok().and_then(|spawns| spawns.parse().ok()).unwrap_or(2_000)
}

/// The seed of the batch that this process is.
fn own_batch() -> Option<u64> {
    env::var(OF_BATCH).ok().map(|seed| seed.parse().expect("the seed of a batch is a number"))
}

/// Faults: E15
#[test]
fn random_spawns_under_refusals_and_kills_lose_nothing() {
    if let Some(seed) = own_batch() {
        return isolated_for(LIMIT, || batch::run(seed, BATCH));
    }
    let batches = u64::try_from(spawns().div_ceil(BATCH)).expect("it is small");
    println!("{} starts in {batches} batches with FORKEXEC_SEED={}", spawns(), seed());
    for number in 0..batches {
        println!("{}", outcome_of(seed().wrapping_mul(1_000_000).wrapping_add(number)));
    }
}

/// Runs one batch, and returns its counts.
fn outcome_of(batch: u64) -> String {
    let this = env::current_exe().expect("a process knows its program");
    let mut command = Command::new(this);
    command.args([NAME, "--exact", "--nocapture", "--test-threads=1"]);
    command.env("FORKEXEC_ISOLATED", "1").env(OF_BATCH, batch.to_string());
    let output = command.process_group(0).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{OF_BATCH}={batch}: {}\n{said}\n{told}", output.status);
    let counted = said.lines().find_map(|line| line.find(batch::COUNTED).map(|at| &line[at..]));
    counted.expect("a batch says what it counted").to_owned()
}
