//! A thread that is cancelled while it starts a child.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rstest::rstest;

use forkexec_core::{Plan, WorkingDirectory};
use forkexec_tests::isolate::isolated;

use super::{World, launch, over};
use crate::failing::Failing;
use crate::launcher::plan;

/// A thread that was asked to end does so at the next point of cancellation (pthreads(7)). In the middle of a start it would
/// leave a stack, a mask and a child behind.
///
/// Faults: M4
#[rstest]
fn spawn_is_no_cancellation_point(
    #[values(World::Whole, World::CloneAlone)] world: World,
    #[values(false, true)] fails: bool,
) {
    isolated(|| {
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).refusing(world.refuse()));
        let (asked, thread) = (AtomicBool::new(false), OnceLock::new());
        let directory = if fails { c"/no/such/directory" } else { c"/" };
        let plan = Plan { directory: Some(WorkingDirectory::Path(directory)), ..plan() };
        let is_started = thread::scope(|scope| {
            let starting = scope.spawn(|| {
                // SAFETY: the call reads about the calling thread and changes nothing.
                assert!(thread.set(Thread(unsafe { libc::pthread_self() })).is_ok());
                while !asked.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                let started = launch(backend, &launcher, &plan);
                let mut before = 0;
                // SAFETY: the state is valid, and the old one is written to `before`.
                assert_eq!(unsafe { pthread_setcancelstate(CANCEL_DISABLE, &raw mut before) }, 0);
                started.is_ok()
            });
            let thread = loop {
                match thread.get() {
                    Some(thread) => break thread.0,
                    None => std::hint::spin_loop(),
                }
            };
            // SAFETY: the thread waits until its id is stored below.
            assert_eq!(unsafe { libc::pthread_cancel(thread) }, 0);
            asked.store(true, Ordering::Release);
            starting.join().expect("it comes to its end")
        });
        assert_eq!(is_started, !fails);
    });
}

/// A thread as the C library knows it. That is a number for glibc, and a pointer for musl.
struct Thread(libc::pthread_t);

// SAFETY: only the C library follows the pointer, and any thread may ask it to.
unsafe impl Send for Thread {}
// SAFETY: as above.
unsafe impl Sync for Thread {}

unsafe extern "C" {
    fn pthread_setcancelstate(state: i32, old: *mut i32) -> i32;
}

/// `PTHREAD_CANCEL_DISABLE` of glibc and of musl.
const CANCEL_DISABLE: i32 = 1;
