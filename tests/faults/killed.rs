//! A child that shares memory is killed from outside before its program runs. The error has the stage and the status;
//! the spawn never counts as a success.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rstest::rstest;

use forkexec_core::{
    Backend, Errno, KeepList, LaunchError, Launcher, Limit, NamespaceSet, ParentSys, Plan, Resource,
    SignalSet, SpawnMethod, Stage, Sys, WorkingDirectory,
};
use forkexec_linux::{Call, Start};
use forkexec_tests::isolate::isolated;

use crate::failing::Failing;
use crate::held::Acting;
use crate::launcher::{busy, plan};
use crate::shared::{Ran, launch, over};

/// The child that hangs, in memory that it shares.
static HANGING: AtomicI32 = AtomicI32::new(0);

/// Announces the hanging child, and hangs until it is killed.
pub(crate) fn hang() {
    // SAFETY: the call reads about the calling process and changes nothing.
    HANGING.store(unsafe { libc::getpid() }, Ordering::Release);
    loop {
        // SAFETY: waits, and changes nothing.
        unsafe { libc::pause() };
    }
}

/// Waits until a child hangs.
fn hanging() -> i32 {
    loop {
        match HANGING.swap(0, Ordering::Acquire) {
            0 => thread::sleep(Duration::from_micros(200)),
            child => return child,
        }
    }
}

fn end(child: i32, signal: i32) {
    // SAFETY: it is a child of this process that was not reaped.
    assert_eq!(unsafe { libc::kill(child, signal) }, 0);
}

/// A plan with a call in most stages. The kept number is not the lowest, so that there is a gap to close.
fn many_stages() -> Plan<'static> {
    let (keep, reset) = (KeepList::new(&[5]).expect("it is sorted"), SignalSet::EMPTY.with(libc::SIGPIPE));
    Plan { keep, reset, ignore: SignalSet::EMPTY, umask: None, mask: plan().mask, ..busy(c"true") }
}

/// The child has the handlers of its parent until it sets them back.
fn by_clone(start: Start) -> Option<Errno> {
    (start.call == Call::Clone3).then_some(Errno::NOSYS)
}

/// The child starts without handlers.
fn by_clone3(_: Start) -> Option<Errno> {
    None
}

/// Faults: E10
#[rstest]
#[case::table("close_range_unshare", Stage::UnshareFiles)]
#[case::root("chroot", Stage::Chroot)]
#[case::directory("chdir", Stage::Chdir)]
#[case::signals("set_disposition", Stage::Signals)]
#[case::session("setsid", Stage::Session)]
#[case::limits("set_limit", Stage::Limits)]
#[case::groups("set_groups", Stage::Groups)]
#[case::uid("set_uid", Stage::Uid)]
#[case::mask("set_mask", Stage::Mask)]
#[case::close("close_range", Stage::Close)]
#[case::exec("execve", Stage::Exec)]
fn hanging_child_that_is_killed_is_reported_with_its_stage(
    #[case] call: &'static str,
    #[case] stage: Stage,
    #[values(by_clone, by_clone3)] refuse: fn(Start) -> Option<Errno>,
) {
    isolated(|| {
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).acting(call, hang).refusing(refuse));
        let start = Start {
            call: Call::Clone3,
            pidfd: false,
            shares_table: true,
            exit_signal: false,
            cgroup: None,
            namespaces: NamespaceSet::EMPTY,
            autoreap: None,
            no_new_privs: false,
        };
        if stage == Stage::UnshareFiles && refuse(start).is_some() {
            // clone(2) shares no table before a child has shown that memory is shared.
            launch(backend, &launcher, &plan()).expect("it has a table of its own");
        }
        let killer = thread::spawn(|| (0..3).for_each(|_| end(hanging(), libc::SIGKILL)));
        for _ in 0..3 {
            // With a new root the first chdir(2) leads there.
            let root = many_stages().root.filter(|_| stage != Stage::Chdir);
            let started = launch(backend, &launcher, &Plan { root, ..many_stages() });
            assert_eq!(started, Err(LaunchError::Died { stage, status: Some(libc::SIGKILL) }));
        }
        killer.join().expect("it does not panic");
    });
}

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler(_: i32) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// Signals are unblocked before the last stages: the parent's handler would act on the parent's memory.
///
/// Faults: M3
#[rstest]
fn signal_to_a_child_runs_no_handler_of_its_parent(
    #[values(by_clone, by_clone3)] refuse: fn(Start) -> Option<Errno>,
) {
    isolated(|| {
        let handled = Acting::new(libc::SIGTERM, handler as *const () as usize);
        let (backend, launcher) =
            over(|kernel| Failing::nothing(kernel).acting("execve", hang).refusing(refuse));
        let killer = thread::spawn(|| end(hanging(), libc::SIGTERM));
        let started = launch(backend, &launcher, &plan());
        let died = LaunchError::Died { stage: Stage::Exec, status: Some(libc::SIGTERM) };
        assert_eq!((started, HANDLED.load(Ordering::Relaxed)), (Err(died), 0));
        killer.join().expect("it does not panic");
        drop(handled);
    });
}

/// A child that has used up its processor time in the last stage.
///
/// Faults: E9
#[test]
fn child_ended_by_its_own_limit_is_reported() {
    fn burn() {
        loop {
            std::hint::spin_loop();
        }
    }
    isolated(|| {
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).acting("execve", burn));
        let limits = [Limit { resource: CPU, soft: 1, hard: 1 }];
        let started = launch(backend, &launcher, &Plan { limits: &limits, ..plan() });
        let Err(LaunchError::Died { stage: Stage::Exec, status: Some(status) }) = started else {
            panic!("a child without time is {started:?}");
        };
        assert!([libc::SIGKILL, libc::SIGXCPU].contains(&libc::WTERMSIG(status)), "{status:#x}");
    });
}

/// `RLIMIT_CPU` is 0 on every architecture.
const CPU: Resource = Resource(0);

/// While one child hangs, others start: no lock is held across a start.
///
/// Faults: M12
#[test]
fn hanging_child_delays_no_other() {
    isolated(|| {
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).acting("chdir", hang));
        let hangs = Plan { directory: Some(WorkingDirectory::Path(c"/")), ..plan() };
        let sys = backend.sys().inner();
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let hanging_one = scope.spawn(|| {
                let started = launch(backend, &launcher, &hangs);
                ended.store(true, Ordering::Release);
                started
            });
            let child = hanging();
            for _ in 0..50 {
                let started = launcher.launch(&plan()).expect("it starts");
                assert_eq!(sys.wait(started.pid), Ok(0));
                if let Some(pidfd) = started.pidfd {
                    sys.close(pidfd).expect("it is the caller's");
                }
            }
            assert!(!ended.load(Ordering::Acquire));
            end(child, libc::SIGKILL);
            let died = LaunchError::Died { stage: Stage::Chdir, status: Some(libc::SIGKILL) };
            assert_eq!(hanging_one.join().expect("it does not panic"), Err(died));
        });
        let next = launch(backend, &launcher, &plan());
        assert!(matches!(next, Ok(Ran { method: SpawnMethod::Shared, .. })), "{next:?}");
    });
}
