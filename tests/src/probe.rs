//! The program that tests start, and what it says it was born with.
//!
//! The probe (`probe/probe.rs`) is a static executable that `build.rs` makes.
//! Its verbs:
//!
//! | arguments             | does                                                      |
//! |-----------------------|-----------------------------------------------------------|
//! | `report [--to N] ...` | writes what [`Seen`] holds to descriptor N, by default 1  |
//! | `report --below N`    | the same to 1, looking at descriptors below N alone       |
//! | `escape`              | reports, tries to be root again in every way, and reports what came of it ([`Escape`]) |
//! | `exit N`, `kill N`    | exits with N, raises signal N                             |
//! | `echo`                | copies its input to its output                            |
//! | `sleep-on-stdin`      | exits with 0 when its input ends                          |
//! | `write FD TEXT`       | writes TEXT to FD                                         |
//! | `spew OUT ERR`        | writes so many bytes to 1 and to 2, a block to each in turn |
//! | `exchange SEED IN OUT ERR` | reads and writes so many bytes ([`byte`]), in random blocks, closes each stream after its last, says on 3 how many it read and how many of them were wrong |
//! | `true`                | exits with 0                                              |
//!
//! When something fails it says so on descriptor 2, and exits with 99.

mod escape;
mod report;
mod seen;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

pub use escape::{Escape, Left};
pub use seen::{FdFacts, Ids, Kind, Seen};

/// Where the probe is.
///
/// `FORKEXEC_PROBE` in the environment names another place, for suites that
/// run elsewhere than they were built.
///
/// The build directory may be closed to other users: a child that changes its
/// user needs a [copy](copy_to) in a place that is not.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| env::var_os("FORKEXEC_PROBE").unwrap_or(env!("FORKEXEC_PROBE").into()).into())
}

/// What comes at a place of a stream of the verb `exchange`.
pub fn byte(seed: u64, stream: usize, at: usize) -> u8 {
    let mixed = (seed ^ at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(8);
    mixed.to_le_bytes()[stream]
}

/// Copies the probe into a directory as `probe`, for everybody to run.
///
/// Call it in a process of its own: a child that another thread starts
/// meanwhile holds the copy open for writing, which makes exec fail (ETXTBSY).
///
/// # Panics
///
/// If it cannot be copied.
pub fn copy_to(directory: &Path) -> PathBuf {
    let copy = directory.join("probe");
    fs::copy(path(), &copy).expect("the probe can be copied");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("the copy is ours");
    copy
}
