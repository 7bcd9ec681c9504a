//! Waiting with a time limit for children that have no descriptor: a thread waits for each.
//!
//! The thread leaves the status in place (`WNOWAIT` of waitid(2)) and ends with the child. One thread serves
//! all waits for a child.

use super::per_process::PerProcess;
use super::waitid::await_end;
use super::worker::start_thread;
use std::io;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// A thread that waits for one child, and what it has found.
#[derive(Debug)]
pub(crate) struct EndThread(Arc<OnceLock<Result<(), Option<i32>>>>);

/// The threads notify all waits, and each wait looks for its own children.
struct Ends {
    lock: Mutex<()>,
    one_more: Condvar,
}

static ENDS: PerProcess<Ends> = PerProcess::new(|| Ends { lock: Mutex::new(()), one_more: Condvar::new() });

impl EndThread {
    pub(crate) fn start(pid: i32) -> io::Result<Self> {
        let found = Arc::<OnceLock<_>>::default();
        let finds = Arc::clone(&found);
        let watch = move || {
            let _ = finds.set(await_end(pid).map_err(|error| error.raw_os_error()));
            let ends = ENDS.get();
            // A wait that has just looked holds the lock until it sleeps.
            drop(ends.lock.lock().unwrap_or_else(PoisonError::into_inner));
            ends.one_more.notify_all();
        };
        start_thread("forkexec-wait", watch)?;
        Ok(Self(found))
    }

    /// Returns true if the child has ended.
    fn has_ended(&self) -> io::Result<bool> {
        match self.0.get() {
            None => Ok(false),
            Some(Ok(())) => Ok(true),
            Some(Err(errno)) => {
                Err(errno.map_or_else(|| io::ErrorKind::Other.into(), io::Error::from_raw_os_error))
            }
        }
    }
}

/// Waits until one of the children has ended or the deadline passes, and returns the index of the first that
/// has. Without a deadline it waits forever.
pub(crate) fn wait_for_any(threads: &[&EndThread], end: Option<Instant>) -> io::Result<Option<usize>> {
    let ends = ENDS.get();
    let mut guard = ends.lock.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        for (index, thread) in threads.iter().enumerate() {
            if thread.has_ended()? {
                return Ok(Some(index));
            }
        }
        let rest = end.map(|end| end.saturating_duration_since(Instant::now()));
        guard = match rest {
            None => ends.one_more.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(rest) if rest.is_zero() => return Ok(None),
            Some(rest) => ends.one_more.wait_timeout(guard, rest).unwrap_or_else(PoisonError::into_inner).0,
        };
    }
}
