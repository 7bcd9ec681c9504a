//! A thread that is cancelled while it starts a child.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rstest::rstest;

use forkexec_core::{CloseStrategy, Launcher, OneMethod, Plan, SpawnMethod, WorkingDirectory};
use forkexec_tests::isolate::{isolated, isolated_if};

use super::{World, launch, over, wait_for};
use crate::failing::Failing;
use crate::launcher::plan;
use crate::vfork;

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
        let directory = if fails { c"/no/such/directory" } else { c"/" };
        let plan = Plan { directory: Some(WorkingDirectory::Path(directory)), ..plan() };
        assert_eq!(in_cancelled_thread(|| launch(backend, &launcher, &plan).is_ok()), !fails);
    });
}

/// The child opens and reads a list, and closes descriptors: each call is a point of cancellation. So are calls of the parent: the
/// first start waits on a pipe, and the parent of a child that fails waits for its end.
///
/// Faults: M4
#[rstest]
fn spawn_by_vfork_is_no_cancellation_point(
    #[values(SpawnMethod::Vfork, SpawnMethod::Fork)] method: SpawnMethod,
    #[values(true, false)] is_first: bool,
    #[values(false, true)] fails: bool,
) {
    isolated_if(vfork::has_vfork, || {
        let (backend, launcher) = vfork::over(Failing::nothing);
        if !is_first {
            vfork::launch(backend, &launcher, &plan()).expect("it starts");
        }
        let forking = OneMethod::new(&launcher, SpawnMethod::Fork);
        let launcher: &dyn Launcher = if method == SpawnMethod::Fork { &forking } else { &launcher };
        let directory = if fails { c"/no/such/directory" } else { c"/" };
        let directory = Some(WorkingDirectory::Path(directory));
        let plan = Plan { directory, close: Some(CloseStrategy::Enumerate), ..plan() };
        let started = in_cancelled_thread(|| launcher.launch(&plan));
        assert_eq!(started.map(|started| wait_for(backend, &started)).is_ok(), !fails);
    });
}

/// Makes a call in a thread that was asked to end, and then has no point of cancellation any more.
fn in_cancelled_thread<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    let (asked, thread) = (AtomicBool::new(false), OnceLock::new());
    thread::scope(|scope| {
        let calling = scope.spawn(|| {
            // SAFETY: the call reads about the calling thread and changes nothing.
            assert!(thread.set(Thread(unsafe { libc::pthread_self() })).is_ok());
            while !asked.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
            let result = call();
            let mut before = -1;
            // SAFETY: the state is valid, and the old one is written to `before`.
            assert_eq!(unsafe { pthread_setcancelstate(CANCEL_DISABLE, &raw mut before) }, 0);
            assert_eq!(before, CANCEL_ENABLE, "the call restored the state");
            result
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
        calling.join().expect("it comes to its end")
    })
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

/// `PTHREAD_CANCEL_ENABLE` and `PTHREAD_CANCEL_DISABLE` of glibc and of musl.
const CANCEL_ENABLE: i32 = 0;
const CANCEL_DISABLE: i32 = 1;
