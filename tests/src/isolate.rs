//! A process for each test.
//!
//! libtest runs tests as threads of one process. These tests check all descriptors, zombies and the mask of their process,
//! and change it for good. So [`isolated`] runs the test binary again for one test, under [`guarded`].
//!
//! That process starts with descriptors 0 (`/dev/null`), 1 and 2 (one file) and no others. It leads a process group, which is
//! killed afterwards. Its soft descriptor limit is 1,024, whatever the host's is. Its environment has no [`ANNOUNCEMENTS`].
//!
//! libtest runs the test body on a second thread there, too. Mount namespace, root, working directory after an unshare and
//! signal mask belong to that thread alone.
//!
//! Variables:
//!
//! - `FORKEXEC_ISOLATED` or `NEXTEST`: the process belongs to the test already;
//! - `FORKEXEC_ANDROID_API`: see [`android`];
//! - `FORKEXEC_SKIPPED_LOG`: a file to which each [`skip`] adds a line.

mod child;
mod hanging;

pub use child::{ANNOUNCEMENTS, hide_announcements};

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use crate::guard::guarded;
use crate::{android, world};

const INSIDE: &str = "FORKEXEC_ISOLATED";
const SKIPPED_LOG: &str = "FORKEXEC_SKIPPED_LOG";
const SKIPPED: &str = "SKIPPED ";
#[expect(clippy::duration_suboptimal_units, reason = "Rust 1.85, which tests the command, has no longer one")]
const LIMIT: Duration = Duration::from_secs(120);
/// The customary soft descriptor limit. A test that needs another one sets it.
const DESCRIPTORS: u64 = 1_024;
/// The factor by which a test may take longer under an emulator, on a busy machine.
const EMULATED: u32 = 5;

/// Runs a test in a process of its own, guarded, for at most two minutes, or ten under an emulator.
///
/// It must be the whole body of the test function, because both processes run that. It must be called on the test's own
/// thread, whose name is the test's, so `#[timeout]` of rstest, which starts another thread, cannot be used.
///
/// # Panics
///
/// If the test failed there, with its output; if it did not end in time; if there is no test with the thread's name.
pub fn isolated(test: impl FnOnce()) {
    isolated_for(LIMIT, test);
}

/// Like [`isolated`], with another time limit.
pub fn isolated_for(limit: Duration, test: impl FnOnce()) {
    if is_inside() || thread::current().name() == Some("main") {
        if let Err(reason) = set_descriptor_limit() {
            return skip(&reason);
        }
        android::install_if_told();
        return guarded(test);
    }
    let limit = if world::emulator().is_some() { limit * EMULATED } else { limit };
    match child::run(&name(), limit) {
        Ok(said) => said.lines().filter(|line| line.starts_with(SKIPPED)).for_each(announce),
        Err(failure) => panic!("{failure}"),
    }
}

/// Like [`isolated`], if `has_needs` returns true in that process. Otherwise it calls [`skip`].
pub fn isolated_if(has_needs: impl FnOnce() -> bool, test: impl FnOnce()) {
    isolated(|| {
        if has_needs() {
            test();
        }
    });
}

/// The host's soft limit may be lower, or so high that a loop over all numbers takes minutes.
fn set_descriptor_limit() -> Result<(), String> {
    let (_, hard) = world::limit(libc::RLIMIT_NOFILE).expect("the limit is known");
    if hard < DESCRIPTORS {
        return Err(format!("needs {DESCRIPTORS} descriptors, and the hard limit is {hard}"));
    }
    world::set_limit(libc::RLIMIT_NOFILE, DESCRIPTORS, hard)
        .expect("a soft limit up to the hard one can be set");
    Ok(())
}

/// Returns true if this process belongs to one test.
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some() || env::var_os("NEXTEST").is_some()
}

/// Prints, past libtest's capture, that the test proves nothing here.
///
/// The caller returns after it: `return skip("needs root")`. Nothing is printed if standard error is closed.
pub fn skip(reason: &str) {
    let reason = reason.replace('\n', " ");
    announce(&format!("{SKIPPED}{}: {reason}", name()));
}

/// libtest captures the output of the print macros, and no other.
///
/// The text starts with a line break: libtest may have begun a line.
fn announce(line: &str) {
    let _ = io::stderr().write_all(format!("\n{line}\n").as_bytes());
    if let Some(path) = env::var_os(SKIPPED_LOG) {
        let log = File::options().append(true).create(true).open(path);
        let noted = log.and_then(|mut log| log.write_all(format!("{line}\n").as_bytes()));
        noted.expect("the log of skipped tests can be written");
    }
}

fn name() -> String {
    let thread = thread::current();
    thread.name().expect("a test's thread has the test's name").to_owned()
}
