//! Children that the kernel reaps: the report is right, and the parent names no child by its number.

use forkexec_core::{Autoreap, Backend, Errno, LaunchError, Launched, Launcher, Plan, Stage, Sys};
use forkexec_linux::{Linux, LinuxLauncher, autoreaped_end};
use rstest::rstest;

use super::kernel::{Autoreaps, Kernel, World};
use super::script::Event;
use super::{CALM, CASES, Told, plan, stage_of};

const SEVENTH: Autoreaps = Autoreaps {
    privileged: true,
    released_at_once: false,
    traced: false,
    races: false,
    hides_status: false,
    loses_status: false,
    held_back: 0,
};

/// Launches a child that the kernel reaps, and kills it at one of its calls. Returns false if it makes fewer calls.
fn launch(
    fails: &[(&'static str, Errno)],
    kernel: Autoreaps,
    autoreap: Autoreap,
    killed_at: Option<usize>,
    told: Told,
) -> bool {
    let backend = Linux::new(Kernel::new(World { autoreap: Some(kernel), ..CALM }));
    backend.sys().state().fails = fails.to_vec();
    backend.sys().state().killed_at = killed_at;
    let launched = LinuxLauncher::new(&backend).launch(&Plan { autoreap: Some(autoreap), ..plan() });
    if let Ok(Launched { pidfd, .. }) = &launched {
        backend.sys().close(pidfd.expect("it has the status")).expect("it is open");
    }
    let state = backend.sys().state();
    let context = || format!("{launched:?} after {:?} in {:?}", state.calls, state.world);
    assert_eq!(state.leftovers(), [""; 0], "{}", context());
    assert_eq!(state.by_number, [""; 0], "{}", context());
    let killed = killed_at.and_then(|index| state.calls.get(index));
    match (&launched, killed, told) {
        (Ok(launched), None, Told::Runs) => {
            assert!(state.has(Event::Exec), "{}", context());
            assert_eq!(launched.autoreap, Some(autoreap), "{}", context());
        }
        // A child that is reaped shows no difference between a death within execve(2) and one right after it.
        (Ok(_), Some(&"execve"), _) => assert!(kernel.released_at_once && !kernel.traced, "{}", context()),
        (Err(LaunchError::Child(report)), None, Told::Reported(expected)) => {
            assert_eq!(*report, expected, "{}", context());
        }
        (Err(LaunchError::Died { stage, status }), Some(call), _) => {
            assert_eq!((*stage, *status), (stage_of(call), Some(libc::SIGKILL)), "{}", context());
        }
        _ => panic!("{}", context()),
    }
    assert!(launched.is_ok() || state.reaped, "{}", context());
    killed.is_some()
}

#[rstest]
fn autoreaped_child_killed_anywhere_is_reported_right(
    #[values(Autoreap::Reap, Autoreap::ReapAndKill)] autoreap: Autoreap,
    #[values(false, true)] released_at_once: bool,
    #[values(false, true)] traced: bool,
    #[values(false, true)] races: bool,
) {
    let kernel = Autoreaps { released_at_once, traced, races, ..SEVENTH };
    for case in CASES.iter().filter(|case| case.hook.is_none() && case.name != "no byte") {
        launch(case.fails, kernel, autoreap, None, case.told);
        let killed = (0..).take_while(|index| launch(case.fails, kernel, autoreap, Some(*index), case.told));
        assert!(killed.count() > 1, "{}", case.name);
    }
}

/// A debugger may hold the end of the child back. A call that must not block waits once.
#[rstest]
#[case::runs(SEVENTH, None, false, Ok(None))]
#[case::ended(SEVENTH, Some(EXITED), false, Ok(Some(EXITED)))]
#[case::ended_and_awaited(SEVENTH, Some(EXITED), true, Ok(Some(EXITED)))]
#[case::held_back(HELD, Some(EXITED), false, Ok(None))]
#[case::held_back_and_awaited(HELD, Some(EXITED), true, Ok(Some(EXITED)))]
#[case::status_lost(LOST, Some(EXITED), true, Err(Errno::SRCH))]
#[case::status_hidden(Autoreaps { hides_status: true, ..SEVENTH }, Some(EXITED), true, Err(Errno::PERM))]
fn end_of_an_autoreaped_child_is_awaited(
    #[case] kernel: Autoreaps,
    #[case] ended: Option<i32>,
    #[case] blocks: bool,
    #[case] told: Result<Option<i32>, Errno>,
) {
    let kernel = Kernel::new(World { autoreap: Some(kernel), ..CALM });
    let pidfd = kernel.state().with_autoreaped(ended);
    assert_eq!(autoreaped_end(&kernel, pidfd, blocks), told);
}

const EXITED: i32 = 3 << 8;
const HELD: Autoreaps = Autoreaps { held_back: 3, ..SEVENTH };
const LOST: Autoreaps = Autoreaps { loses_status: true, ..SEVENTH };

/// The kernel kills the child, so that no signal is tied to the thread that starts it.
#[rstest]
#[case::reaped(Autoreap::Reap, true)]
#[case::killed(Autoreap::ReapAndKill, false)]
fn killed_child_has_no_death_signal(#[case] autoreap: Autoreap, #[case] has_signal: bool) {
    let backend = Linux::new(Kernel::new(World { autoreap: Some(SEVENTH), ..CALM }));
    let plan = Plan { autoreap: Some(autoreap), die_with_parent: Some(libc::SIGKILL), ..plan() };
    let child = LinuxLauncher::new(&backend).launch(&plan).expect("it starts");
    assert_eq!(child.autoreap, Some(autoreap));
    assert_eq!(backend.sys().state().calls.contains(&"set_parent_death_signal"), has_signal);
}

/// A start that works asks the kernel whether the status can be read, and whether the child has executed a program.
#[test]
fn autoreap_adds_one_call_to_a_start() {
    let backend = Linux::new(Kernel::new(World { autoreap: Some(SEVENTH), ..CALM }));
    let launcher = LinuxLauncher::new(&backend);
    for _ in 0..2 {
        backend.sys().state().reset(&Vec::new());
        let child = launcher.launch(&Plan { autoreap: Some(Autoreap::Reap), ..plan() }).expect("it starts");
        backend.sys().close(child.pidfd.expect("it has the status")).expect("it is open");
        let state = backend.sys().state();
        assert_eq!(state.by_pidfd, ["pidfd_exit_status", "find_unexecuted"]);
        assert_eq!(state.by_number, [""; 0]);
    }
}

/// An older kernel is asked once.
#[test]
fn older_kernel_costs_one_refused_call() {
    let backend = Linux::new(Kernel::new(CALM));
    let launcher = LinuxLauncher::new(&backend);
    for refused in [1, 0] {
        backend.sys().state().reset(&Vec::new());
        let child = launcher.launch(&Plan { autoreap: Some(Autoreap::Reap), ..plan() }).expect("it starts");
        child.pidfd.map(|pidfd| backend.sys().close(pidfd));
        let state = backend.sys().state();
        assert_eq!((state.refused_starts, state.by_pidfd.len()), (refused, refused));
    }
}

/// Starts a child on this kernel.
fn answer(
    kernel: Option<Autoreaps>,
    autoreap: Autoreap,
    no_new_privs: bool,
) -> Result<Option<Autoreap>, LaunchError> {
    let backend = Linux::new(Kernel::new(World { autoreap: kernel, ..CALM }));
    let plan = Plan { autoreap: Some(autoreap), no_new_privs, ..plan() };
    LinuxLauncher::new(&backend).launch(&plan).map(|launched| launched.autoreap)
}

const fn refused(errno: Errno) -> LaunchError {
    LaunchError::Parent { stage: Stage::DieWithParent, errno }
}

#[rstest]
#[case::older_kernel(None, false, Ok(None), Err(refused(Errno::INVAL)))]
#[case::hidden_status(Some(Autoreaps { hides_status: true, ..SEVENTH }), false, Ok(None), Err(refused(Errno::NOSYS)))]
#[case::privileged(Some(SEVENTH), false, Ok(Some(Autoreap::Reap)), Ok(Some(Autoreap::ReapAndKill)))]
#[case::unprivileged(Some(Autoreaps { privileged: false, ..SEVENTH }), false, Ok(Some(Autoreap::Reap)), Err(refused(Errno::PERM)))]
#[case::without_new_privileges(Some(Autoreaps { privileged: false, ..SEVENTH }), true, Ok(Some(Autoreap::Reap)), Ok(Some(Autoreap::ReapAndKill)))]
fn refused_kill_starts_no_child(
    #[case] kernel: Option<Autoreaps>,
    #[case] no_new_privs: bool,
    #[case] reap: Result<Option<Autoreap>, LaunchError>,
    #[case] kill: Result<Option<Autoreap>, LaunchError>,
) {
    assert_eq!(answer(kernel, Autoreap::Reap, no_new_privs), reap);
    assert_eq!(answer(kernel, Autoreap::ReapAndKill, no_new_privs), kill);
}
