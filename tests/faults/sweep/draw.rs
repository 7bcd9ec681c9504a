//! Random choices with a printed seed.

use std::env;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// One choice after the other.
pub(crate) struct Draw(TestRunner);

/// The seed of a run: always the same one, unless `FORKEXEC_SEED` is another number.
pub(crate) fn seed() -> u64 {
    const USUAL: u64 = 8;
    let given = env::var("FORKEXEC_SEED").ok();
    given.map_or(USUAL, |seed| seed.parse().expect("FORKEXEC_SEED is a number"))
}

impl Draw {
    /// The choices of this seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)))
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (0..end).new_tree(&mut self.0).expect("a range has values").current()
    }
}
