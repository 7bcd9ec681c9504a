//! Waiting for a child without a descriptor: a thread waits for it.
//!
//! A waker keeps its runtime alive. So the thread gives the waker back when the future is dropped. Otherwise
//! a runtime that shuts down while a child runs would keep its descriptors open until the child ends.

use crate::sys::waitid::await_end;
use crate::sys::worker::start_thread;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

/// A thread that waits for a child and leaves its status in place. It ends with the child.
#[derive(Debug)]
pub(super) struct Waiter {
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The task to wake.
    waker: Option<Waker>,
    ended: bool,
    error: Option<io::Error>,
}

impl Waiter {
    pub(super) fn start(pid: i32) -> io::Result<Self> {
        let shared = Arc::<Mutex<Shared>>::default();
        let theirs = Arc::clone(&shared);
        let watch = move || {
            let error = await_end(pid).err();
            let waker = {
                let mut shared = lock(&theirs);
                (shared.ended, shared.error) = (true, error);
                shared.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        let thread = start_thread("forkexec-wait", watch)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Returns a future that completes when the child has ended.
    pub(super) fn ended(&self) -> Ended<'_> {
        Ended(&self.shared)
    }
}

impl Drop for Waiter {
    /// If the thread has seen the end, it may be about to wake a task. Joins it, which takes no time.
    fn drop(&mut self) {
        let ended = lock(&self.shared).ended;
        if let Some(thread) = self.thread.take().filter(|_| ended) {
            let _ = thread.join();
        }
    }
}

/// The end of a child, as a future. The drop takes back the waker that it gave to the thread.
pub(super) struct Ended<'waiter>(&'waiter Mutex<Shared>);

impl Future for Ended<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = lock(self.0);
        if shared.ended {
            return Poll::Ready(shared.error.take().map_or(Ok(()), Err));
        }
        shared.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let waker = lock(self.0).waker.take();
        drop(waker); // which may drop a task, and is done without the lock
    }
}

/// Locks the state. No code panics while it holds the lock.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
