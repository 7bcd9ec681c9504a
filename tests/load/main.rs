//! Many spawns at once, combined with other events, to meet rare conditions.
//!
//! - `busy_text`: programs that are written and started at once, in many threads (`ETXTBSY`)
//! - `crowd`: two thousand children with time limits, and one thread that waits for them
//! - `forkers`: trees that fork without a pause while they are killed
//! - `ids`: threads that change the ids of the process
//! - `killing`: one thread waits and another kills, while pids are reused
//! - `order`: the order of merged streams, alone and in pipelines
//! - `races`: threads that change descriptors, environment, directory, umask, handlers and ids
//! - `soak`: random plans under random refusals and kills
//! - `storm`: signals every 100 microseconds
//! - `talking`: children that read and write at once, in random pieces, and close early
//! - `threads`: children of many threads with different descriptors, and in new sessions
//!
//! `FORKEXEC_LOAD_ROUNDS` in the environment sets the number of rounds (default 10,000), `FORKEXEC_TALK_ROUNDS`
//! that of `talking` and `order` (default 300), and `FORKEXEC_KILL_ROUNDS` that of `killing` (default 1,000) and
//! `forkers` (a tenth of it).
//!
//! Some helpers of the `conformance` suite are included here.

#![cfg(any(target_os = "linux", target_os = "android"))]

mod busy_text;
mod crowd;
mod forkers;
mod ids;
mod killing;
mod order;
mod races;
mod soak;
mod storm;
mod talking;
mod threads;

#[expect(dead_code, reason = "the conformance suite uses all of it")]
#[path = "../conformance/few_numbers.rs"]
mod few_numbers;
#[expect(dead_code, reason = "the conformance suite uses all of it")]
#[path = "../conformance/ground.rs"]
mod ground;
#[expect(dead_code, reason = "the conformance suite uses all of it")]
#[path = "../conformance/held.rs"]
mod held;
#[expect(dead_code, reason = "the conformance suite uses all of it")]
#[path = "../conformance/random.rs"]
mod random;

#[path = "../faults/sweep/draw.rs"]
mod draw;

use std::env;
use std::ops::Range;
use std::thread;

/// The number of threads that start children at once.
const THREADS: usize = 8;

/// Returns the number of all rounds.
fn rounds() -> usize {
    env::var("FORKEXEC_LOAD_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(10_000)
}

/// Distributes the rounds to the threads, and adds up their counts.
fn in_threads(rounds: usize, count: impl Fn(usize, Range<usize>) -> usize + Sync) -> usize {
    let (count, each) = (&count, rounds.div_ceil(THREADS));
    thread::scope(|scope| {
        let spawn = |number: usize| {
            scope.spawn(move || count(number, number * each..rounds.min((number + 1) * each)))
        };
        let threads: Vec<_> = (0..THREADS).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).sum()
    })
}
