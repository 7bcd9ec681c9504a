//! The end of a child that has no descriptor: a thread waits for it.
//!
//! What wakes a task holds its runtime. So it is taken back from the thread as soon as nobody waits any more: a runtime that is
//! shut down while a child runs on must not keep its descriptors open until that ends.

use crate::sys::waitid::await_end;
use crate::sys::worker::start_thread;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

/// A thread that waits for a child, and leaves its status where it is. It ends with the child.
#[derive(Debug)]
pub(super) struct Waiter {
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Who is to be woken.
    waker: Option<Waker>,
    ended: bool,
    error: Option<io::Error>,
}

impl Waiter {
    pub(super) fn start(id: u32) -> io::Result<Self> {
        let shared = Arc::<Mutex<Shared>>::default();
        let theirs = Arc::clone(&shared);
        let watch = move || {
            let error = await_end(id.cast_signed()).err();
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

    /// Until the child has ended.
    pub(super) fn ended(&self) -> Ended<'_> {
        Ended(&self.shared)
    }
}

impl Drop for Waiter {
    /// A thread that has seen the end may be about to wake somebody. That takes no time, and is over after this.
    fn drop(&mut self) {
        let ended = lock(&self.shared).ended;
        if let Some(thread) = self.thread.take().filter(|_| ended) {
            let _ = thread.join();
        }
    }
}

/// The end of a child, as a future. Dropping it takes back what it gave the thread.
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

/// Nothing in here panics while it is locked.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
