//! Children that are stopped and continued, and children that are traced.

use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::{Duration, Instant};

use forkexec::{Child, ChildChange, Command, Containment, Error};
use forkexec_tests::isolate::{isolated, skip};
use forkexec_tests::process::state;
use rstest::rstest;

use crate::ground::{check, is_emulated};

/// The handle of the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pidfd,
    Pid,
    /// It is shared with a signaler.
    Shared,
    SharedPid,
    /// It leads a group, so that its status is left in place.
    Leader,
    /// The kernel reaps it, from Linux 7.1 on.
    Autoreaped,
}

fn sleeping(kind: Kind) -> Child {
    let mut command = Command::new("sleep");
    command.arg("600").create_pidfd(!matches!(kind, Kind::Pid | Kind::SharedPid));
    match kind {
        Kind::Leader => drop(command.containment(Containment::Group)),
        Kind::Autoreaped => drop(command.autoreap(true)),
        _ => {}
    }
    let mut child = command.spawn().expect("it starts");
    if matches!(kind, Kind::Shared | Kind::SharedPid) {
        drop(child.signaler());
    }
    child
}

/// Waits until the kernel shows one of these states.
fn await_state(child: &Child, states: &[char]) {
    let end = Instant::now() + Duration::from_mins(1);
    // The kernel leaves no zombie of a child that it reaps.
    let is_gone = |state: Option<char>| child.is_autoreaped() && states == ['Z'] && state.is_none();
    let is_there = |state: Option<char>| state.is_some_and(|state| states.contains(&state));
    while !is_there(state(child.id())) && !is_gone(state(child.id())) {
        assert!(Instant::now() < end, "it does not come to {states:?}");
        thread::yield_now();
    }
}

#[rstest]
fn each_change_is_returned_once(
    #[values(Kind::Pidfd, Kind::Pid, Kind::Shared, Kind::SharedPid, Kind::Leader, Kind::Autoreaped)]
    kind: Kind,
    #[values(true, false)] blocks: bool,
) {
    isolated(|| {
        let mut child = sleeping(kind);
        for signal in [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN] {
            child.send_signal(signal).expect("it is ours");
            assert_eq!(change(&mut child, blocks, &['T']), Some(ChildChange::Stopped(signal)));
            assert_eq!(child.try_wait_change().expect("it is ours"), None);
            assert_eq!(child.try_wait().expect("it is ours"), None);
            child.send_signal(libc::SIGCONT).expect("it is ours");
            assert_eq!(change(&mut child, blocks, &['S', 'R']), Some(ChildChange::Continued));
            assert_eq!(child.try_wait_change().expect("it is ours"), None);
        }
        child.kill().expect("it is ours");
        let Some(ChildChange::Exited(status)) = change(&mut child, blocks, &['Z']) else {
            panic!("it was killed")
        };
        assert_eq!(status.signal(), Some(libc::SIGKILL));
        // The status is that of each later wait.
        assert_eq!(child.wait().expect("it is known"), status);
        assert_eq!(child.try_wait().expect("it is known"), Some(status));
        assert_eq!(child.wait_change().expect("it is known"), ChildChange::Exited(status));
        child.kill().expect("a signal to a reaped child is no error");
    });
}

fn change(child: &mut Child, blocks: bool, states: &[char]) -> Option<ChildChange> {
    if blocks {
        return Some(child.wait_change().expect("it is ours"));
    }
    await_state(child, states);
    child.try_wait_change().expect("it is ours")
}

/// The kernel keeps the last change only.
#[rstest]
fn last_of_several_changes_is_returned(
    #[values(Kind::Pidfd, Kind::Pid, Kind::Shared, Kind::Leader, Kind::Autoreaped)] kind: Kind,
) {
    isolated(|| {
        let mut child = sleeping(kind);
        child.send_signal(libc::SIGSTOP).expect("it is ours");
        await_state(&child, &['T']);
        child.send_signal(libc::SIGCONT).expect("it is ours");
        await_state(&child, &['S', 'R']);
        assert_eq!(child.try_wait_change().expect("it is ours"), Some(ChildChange::Continued));
        child.send_signal(libc::SIGSTOP).expect("it is ours");
        await_state(&child, &['T']);
        child.kill().expect("it is ours");
        await_state(&child, &['Z']);
        let changed = child.try_wait_change().expect("it is ours");
        assert!(matches!(changed, Some(ChildChange::Exited(_))), "{changed:?}");
    });
}

/// A stop that was not asked for stays in place for `wait_change`, and is not an end for `wait`.
#[rstest]
fn stop_is_not_seen_by_a_wait_for_the_end(
    #[values(Kind::Pidfd, Kind::Pid, Kind::Leader, Kind::Autoreaped)] kind: Kind,
) {
    isolated(|| {
        let mut child = sleeping(kind);
        child.send_signal(libc::SIGSTOP).expect("it is ours");
        await_state(&child, &['T']);
        assert_eq!(child.try_wait().expect("it is ours"), None);
        assert_eq!(child.wait_timeout(Duration::from_millis(1)).expect("it is ours"), None);
        assert_eq!(child.wait_change().expect("it is ours"), ChildChange::Stopped(libc::SIGSTOP));
        child.kill().expect("it is ours");
        child.wait().expect("it was killed");
    });
}

#[rstest]
fn change_of_a_child_with_a_lost_status_is_an_error(
    #[values(Kind::Pidfd, Kind::Pid, Kind::Shared)] kind: Kind,
    #[values(true, false)] blocks: bool,
) {
    isolated(|| {
        let mut child = sleeping(kind);
        child.kill().expect("it is ours");
        // SAFETY: the process is the test's own, and nothing is written.
        check(unsafe { libc::waitpid(child.id().cast_signed(), std::ptr::null_mut(), 0) });
        let changed = if blocks { child.wait_change().map(Some) } else { child.try_wait_change() };
        assert!(matches!(changed, Err(Error::StatusLost { .. })), "{changed:?}");
    });
}

/// `linux/ptrace.h`. The libc crate does not have all of them for every C library, and their type differs.
const CONT: u16 = 7;
const SEIZE: u16 = 0x4206;
const INTERRUPT: u16 = 0x4207;

fn ptrace(request: u16, pid: u32) -> bool {
    let nothing = std::ptr::null_mut::<libc::c_void>();
    let request = request.into();
    // SAFETY: these requests read and write no memory of this process.
    unsafe { libc::ptrace(request, pid.cast_signed(), nothing, nothing) == 0 }
}

/// The kernel tells a tracer of stops that it does not ask for. They are not the end of the child.
#[rstest]
fn trace_stop_is_not_the_end_of_the_child(
    #[values(Kind::Pidfd, Kind::Pid, Kind::Shared, Kind::Leader, Kind::Autoreaped)] kind: Kind,
) {
    isolated(|| {
        if is_emulated("traces nothing") {
            return;
        }
        let mut child = sleeping(kind);
        if !ptrace(SEIZE, child.id()) {
            child.kill().expect("it is ours");
            child.wait().expect("it was killed");
            return skip("no process may be traced");
        }
        for _ in 0..3 {
            assert!(ptrace(INTERRUPT, child.id()));
            await_state(&child, &['t']);
            let changed = child.try_wait_change().expect("it is ours");
            assert_eq!(changed, Some(ChildChange::Stopped(libc::SIGTRAP)));
            assert_eq!(child.try_wait().expect("it is ours"), None);
            assert!(ptrace(CONT, child.id()));
            // A wait that does not ask for stops takes the report of this one, and goes on.
            assert!(ptrace(INTERRUPT, child.id()));
            await_state(&child, &['t']);
            assert_eq!(child.try_wait().expect("it is ours"), None);
            assert!(ptrace(CONT, child.id()));
        }
        let signaler = child.signaler();
        assert!(ptrace(INTERRUPT, child.id()));
        await_state(&child, &['t']);
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            signaler.kill().expect("it is ours");
        });
        assert_eq!(child.wait().expect("it was killed").signal(), Some(libc::SIGKILL));
        killer.join().expect("it does not panic");
    });
}
