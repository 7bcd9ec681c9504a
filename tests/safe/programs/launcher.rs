//! Implements a launcher, whose descriptors the library would own unchecked.
//!
//! Fault: U2
//! Error: E0200
#![forbid(unsafe_code)]

use forkexec_core::{Closed, HighFds, LaunchError, Launched, Launcher, SpawnMethod, Plan};

struct Lying;

impl Launcher for Lying {
    fn method(&self) -> SpawnMethod {
        SpawnMethod::Fork
    }
    fn launch(&self, _: &Plan<'_>) -> Result<Launched, LaunchError> {
        let (closed, high_fds) = (Closed::default(), HighFds::Copied);
        Ok(Launched { pid: 1, pidfd: Some(0), autoreap: None, method: SpawnMethod::Fork, closed, high_fds, timeline: None })
    }
}

fn main() {}
