//! A process for each test.
//!
//! libtest runs tests as threads of one process. Ours look at all descriptors
//! of their process, at its zombies, its mask, and put it into worlds that it
//! cannot leave. So [`isolated`] runs the test binary again for one test, and
//! under [`guarded`] there.
//!
//! That process starts with descriptors 0 (`/dev/null`), 1 and 2 (one file) and
//! no others, and leads a process group, which is killed after it. Its soft
//! descriptor limit is 1,024, whatever the host's is.
//!
//! The test body runs on a thread of libtest's in that process, too: it has
//! two threads, and what belongs to a thread (mount namespace, root, working
//! directory after an unshare, signal mask) belongs to the test's alone.
//!
//! Set in the environment:
//!
//! - `FORKEXEC_ISOLATED` or `NEXTEST`: the process is the test's own already;
//! - `FORKEXEC_ANDROID_API`: see [`android`];
//! - `FORKEXEC_SKIPPED_LOG`: a file to which each [`skip`] adds a line.

mod child;

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
const LIMIT: Duration = Duration::from_mins(2);
/// The customary soft descriptor limit. A test that needs another one sets it.
const DESCRIPTORS: u64 = 1_024;
/// How much longer a test may take where an emulator runs it, on a machine that has other things to do.
const EMULATED: u32 = 5;

/// Runs a test in a process of its own, guarded, for at most two minutes, or ten where it is emulated.
///
/// It must be all that the test function does, since all of that is done in
/// both processes, and it must be called on the test's own thread, whose name
/// is the test's: do without rstest's `#[timeout]`, which starts another.
///
/// # Panics
///
/// If the test failed there, with what it printed; if it did not end in time;
/// if no test of the thread's name was run.
pub fn isolated(test: impl FnOnce()) {
    isolated_for(LIMIT, test);
}

/// Like [`isolated`], for at most so long on a processor of its own.
///
/// # Panics
///
/// As [`isolated`].
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

/// Whether this process is one test's own.
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some() || env::var_os("NEXTEST").is_some()
}

/// Says aloud, past libtest's capture, that the test proves nothing here.
///
/// The caller returns after it: `return skip("needs root")`. It is not heard
/// where standard error is closed.
pub fn skip(reason: &str) {
    let reason = reason.replace('\n', " ");
    announce(&format!("{SKIPPED}{}: {reason}", name()));
}

/// libtest captures what the print macros write, and nothing else.
///
/// The line starts on a line of its own: libtest may have begun one.
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
