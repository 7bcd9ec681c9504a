//! State that a forked process must not share with its parent.
//!
//! A process forked by a multi-threaded program has a copy of all memory and one thread. A lock that another
//! thread held at that moment stays locked forever, and the other threads do not exist. So no lock of this
//! library is used after a fork: the forked process creates new ones. It frees nothing, because the copied
//! state may be half-way through a change.

use std::process;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A value that each process creates for itself.
pub(crate) struct PerProcess<T: 'static> {
    current: AtomicPtr<Owned<T>>,
    make: fn() -> T,
}

struct Owned<T> {
    process: u32,
    value: T,
}

impl<T: Sync> PerProcess<T> {
    pub(crate) const fn new(make: fn() -> T) -> Self {
        Self { current: AtomicPtr::new(ptr::null_mut()), make }
    }

    /// Returns the value of this process. Never waits for another thread.
    pub(crate) fn get(&self) -> &'static T {
        let process = process::id();
        let before = self.current.load(Ordering::Acquire);
        // SAFETY: the pointer is null, or came from a box that is leaked.
        match unsafe { before.as_ref() } {
            Some(owned) if owned.process == process => &owned.value,
            _ => self.replace(before, process),
        }
    }

    fn replace(&self, before: *mut Owned<T>, process: u32) -> &'static T {
        let made = Box::into_raw(Box::new(Owned { process, value: (self.make)() }));
        let current = match self.current.compare_exchange(before, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => made,
            Err(others) => {
                // SAFETY: `made` came from a box above, and was not published.
                drop(unsafe { Box::from_raw(made) });
                others
            }
        };
        // SAFETY: a thread of this process published the value, and it is never freed.
        &unsafe { &*current }.value
    }
}

/// A value that is created once. Unlike with `OnceLock`, no thread waits for another: if two threads create
/// it at once, the first one to publish wins.
pub(crate) struct Published<T>(AtomicPtr<T>);

impl<T> Published<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: the pointer is null, or came from a box that `self` owns.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// Publishes a value unless there is one, and returns the one that is published.
    pub(crate) fn set(&self, value: T) -> &T {
        let made = Box::into_raw(Box::new(value));
        let none = ptr::null_mut();
        let current = match self.0.compare_exchange(none, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => made,
            Err(others) => {
                // SAFETY: `made` came from a box above, and was not published.
                drop(unsafe { Box::from_raw(made) });
                others
            }
        };
        // SAFETY: as in `get`.
        unsafe { &*current }
    }
}

impl<T> Drop for Published<T> {
    fn drop(&mut self) {
        let published = *self.0.get_mut();
        if !published.is_null() {
            // SAFETY: the pointer came from a box, and nothing borrows it any more.
            drop(unsafe { Box::from_raw(published) });
        }
    }
}

// SAFETY: `Published` owns a `T` as a box does, and gives out shared references to it.
unsafe impl<T: Send + Sync> Sync for Published<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Published<T> {}

/// Forks while `held` is held, and returns true if a thread of the new process finishes `work` in time.
#[cfg(test)]
pub(crate) fn is_done_in_a_forked_process<T>(held: T, work: impl FnOnce() + Send) -> bool {
    // SAFETY: the C library's functions work in the child of a threaded program, and this test is about those
    // of this crate.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: the alarm can end only the forked process, if it hangs.
        unsafe { libc::alarm(10) };
        let done = std::thread::scope(|scope| scope.spawn(work).join());
        // SAFETY: _exit(2) ends the forked process.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    let mut status = -1;
    // SAFETY: waitpid(2) writes one int, which outlives the call.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    drop(held);
    status == 0
}

#[cfg(test)]
mod tests {
    use super::{PerProcess, Published, is_done_in_a_forked_process};
    use std::sync::Mutex;
    use std::thread;

    /// Faults: M13
    #[test]
    fn forked_process_does_not_wait_for_a_lock_of_its_parent() {
        static VALUE: PerProcess<Mutex<i32>> = PerProcess::new(|| Mutex::new(7));
        let mut held = VALUE.get().lock().expect("it does not panic");
        *held = 8;
        let work = || assert_eq!(*VALUE.get().lock().expect("it does not panic"), 7);
        assert!(is_done_in_a_forked_process(held, work));
        assert_eq!(*VALUE.get().lock().expect("it does not panic"), 8);
    }

    #[test]
    fn all_threads_have_one_value() {
        static VALUE: PerProcess<[u8; 8]> = PerProcess::new(|| [7; 8]);
        let threads: Vec<_> = (0..8).map(|_| thread::spawn(|| VALUE.get().as_ptr() as usize)).collect();
        let own = VALUE.get().as_ptr() as usize;
        assert!(threads.into_iter().all(|it| it.join().expect("it does not panic") == own));
    }

    #[test]
    fn first_value_that_is_published_stays() {
        let published = Published::new();
        assert_eq!(published.get(), None);
        assert_eq!(*published.set("a".to_owned()), "a");
        assert_eq!(*published.set("b".to_owned()), "a");
        assert_eq!(published.get().map(String::as_str), Some("a"));
    }
}
