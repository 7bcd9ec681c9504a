//! The program that tests start, and its report.
//!
//! The probe (`probe/probe.rs`) is a static executable that `build.rs` makes. Its verbs:
//!
//! | arguments             | does                                                      |
//! |-----------------------|-----------------------------------------------------------|
//! | `report [--to N] ...` | writes the contents of [`Seen`] to descriptor N (default 1) |
//! | `report --below N`    | the same to 1, for descriptors below N                    |
//! | `escape`              | reports, tries each way to become root again, and reports the results ([`Escape`]) |
//! | `exit N`, `kill N`    | exits with N, raises signal N                             |
//! | `echo`                | copies its input to its output                            |
//! | `sleep-on-stdin`      | exits with 0 when its input ends                          |
//! | `write FD TEXT`       | writes TEXT to FD                                         |
//! | `spew OUT ERR`        | writes these numbers of bytes to 1 and to 2, a block to each in turn |
//! | `exchange SEED IN OUT ERR` | reads and writes these numbers of bytes ([`byte`]) in random blocks, closes each stream after its last byte, and reports on 3 how many it read and how many were wrong |
//! | `true`                | exits with 0                                              |
//!
//! On failure it prints a message to descriptor 2, and exits with 99.

mod escape;
mod report;
mod seen;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use forkexec::BorrowingCommand;

pub use escape::{Escape, Left};
pub use seen::{FdFacts, Ids, Kind, Seen};

/// Returns the path of the probe.
///
/// `FORKEXEC_PROBE` in the environment names another path, for suites that run on another machine than the build.
///
/// The build directory may be closed to other users: a child that changes its user needs a [copy](copy_to) elsewhere.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| env::var_os("FORKEXEC_PROBE").unwrap_or(env!("FORKEXEC_PROBE").into()).into())
}

/// A command that runs the probe.
pub fn command<'fd>(args: &[&str]) -> BorrowingCommand<'fd> {
    let mut command = BorrowingCommand::new(path());
    command.args(args);
    command
}

/// Runs a command whose probe reports on standard output, and returns the report.
#[track_caller]
pub fn seen(command: &mut BorrowingCommand<'_>) -> Seen {
    let output = command.output().expect("the probe can be started");
    assert!(output.status.success(), "{output:?}");
    Seen::of(&output.stdout)
}

/// Returns the byte at a place of a stream of the verb `exchange`.
pub fn byte(seed: u64, stream: usize, at: usize) -> u8 {
    let mixed = (seed ^ at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(8);
    mixed.to_le_bytes()[stream]
}

/// Copies the probe into a directory as `probe`, executable for all users.
///
/// Call it in an isolated process: a child of another thread can hold the copy open for writing, which makes exec fail
/// (ETXTBSY).
pub fn copy_to(directory: &Path) -> PathBuf {
    let copy = directory.join("probe");
    fs::copy(path(), &copy).expect("the probe can be copied");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("the copy is ours");
    copy
}
