//! Property tests that print their seed.
//!
//! `FORKEXEC_SEED` repeats a run. Without it, every run has a new seed.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};

/// Checks a property with this many random cases.
///
/// # Panics
///
/// With the smallest failing case, and the seed.
pub(crate) fn hold<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value) -> TestCaseResult) {
    let seed = seed();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    if let Err(failure) = runner.run(strategy, property) {
        panic!("with FORKEXEC_SEED={seed}: {failure}");
    }
}

/// The seed of this run.
pub(crate) fn seed() -> u64 {
    let given = env::var("FORKEXEC_SEED").ok();
    given.map_or_else(from_the_clock, |seed| seed.parse().expect("FORKEXEC_SEED is a number"))
}

fn from_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::from(now.subsec_nanos()) << 32 | now.as_secs() & 0xffff_ffff
}
