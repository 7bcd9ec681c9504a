//! A thread that changes the ids of the process while another one forks.
//!
//! Android leaves ids to each thread, and its older versions have no handlers of fork(3).

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use forkexec::SpawnPolicy;
use forkexec_tests::isolate::isolated;

use crate::start::probe;

/// Longer than a change of ids takes on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(20);

static IS_FORKING: AtomicBool = AtomicBool::new(false);
static HAS_CHANGED: AtomicBool = AtomicBool::new(false);
static WAS_HELD_UP: AtomicBool = AtomicBool::new(false);

/// A handler of fork(3) that waits for another thread, as those of allocators do. That one changes ids.
extern "C" fn wait_for_the_change() {
    IS_FORKING.store(true, Ordering::Release);
    let began = Instant::now();
    while !HAS_CHANGED.load(Ordering::Acquire) {
        if began.elapsed() > PATIENCE {
            return WAS_HELD_UP.store(true, Ordering::Relaxed);
        }
        thread::yield_now();
    }
}

/// The C library makes all threads change their ids, and waits for each (nptl(7)). A thread that forks with that signal
/// blocked, and whose handlers wait for the waiting thread, would deadlock.
///
/// Faults: M5
#[test]
fn change_of_ids_does_not_wait_for_a_fork() {
    isolated(|| {
        // SAFETY: the handler calls nothing that may not be called there: it runs in the parent.
        assert_eq!(unsafe { libc::pthread_atfork(Some(wait_for_the_change), None, None) }, 0);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !IS_FORKING.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                // SAFETY: changes nothing: -1 leaves an id as it is.
                assert_eq!(unsafe { libc::setresgid(u32::MAX, u32::MAX, u32::MAX) }, 0);
                HAS_CHANGED.store(true, Ordering::Release);
            });
            let mut child = probe(&["true"]).spawn_policy(SpawnPolicy::Fork).spawn().expect("it starts");
            assert!(child.wait().expect("it ends").success());
        });
        assert!(!WAS_HELD_UP.load(Ordering::Relaxed));
    });
}
