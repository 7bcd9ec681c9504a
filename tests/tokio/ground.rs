//! A runtime and a process for each test, and commands that start the probe.

use std::fs;
use std::io;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use forkexec::tokio::Command;
use forkexec::{OnDrop, reap_dropped};
use forkexec_tests::isolate::isolated;
use forkexec_tests::probe;
use tokio::runtime::{Builder, Runtime};

/// The kind of runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Threads {
    One,
    Many,
}

impl Threads {
    pub(crate) fn runtime(self) -> Runtime {
        let mut builder = match self {
            Self::One => Builder::new_current_thread(),
            Self::Many => Builder::new_multi_thread(),
        };
        builder.worker_threads(2).enable_all().build().expect("a runtime can be made")
    }
}

/// Runs a test in a process of its own, as a task of a runtime that is shut down at its end.
pub(crate) fn in_runtime(threads: Threads, test: impl Future<Output = ()> + Send + 'static) {
    isolated(move || {
        let runtime = threads.runtime();
        let task = runtime.spawn(test);
        if let Err(error) = runtime.block_on(task) {
            drop(runtime);
            resume_unwind(error.into_panic());
        }
    });
}

/// A command that runs the probe. Its child does not outlive its handle.
pub(crate) fn probe(args: &[&str]) -> Command {
    let mut command = Command::new(probe::path());
    command.args(args).on_drop(OnDrop::KillAndWait);
    command
}

/// Returns true if this process has no children, running or zombie.
pub(crate) fn has_no_children() -> bool {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: no result is requested.
    let answer = unsafe { libc::waitid(libc::P_ALL, 0, std::ptr::null_mut(), options) };
    answer < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ECHILD)
}

/// Returns the number of threads of this process.
pub(crate) fn threads() -> usize {
    // The list of threads can end early if one of them ends.
    let status = fs::read_to_string("/proc/self/status").expect("it is there");
    let count = status.lines().find_map(|line| line.strip_prefix("Threads:")).expect("it is said");
    count.trim().parse().expect("it is a number")
}

/// Waits until all dropped children are reaped and at most `count` threads are left. The library's threads end without
/// notice when they have no work, so the test counts them.
pub(crate) fn await_threads(count: usize) {
    let end = Instant::now() + Duration::from_mins(1);
    while reap_dropped() > 0 || threads() > count {
        assert!(Instant::now() < end, "a child or a thread of the library's is left");
        thread::yield_now();
    }
}
