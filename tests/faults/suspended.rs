//! A child that starts suspended, and whose stop or whose end of tracing fails.

use std::fs;

use forkexec_core::{Attribute, Backend, Errno, LaunchError, Launcher, ParentSys, Plan, Report, Stage, Sys};
use forkexec_linux::Kernel;
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::isolated;
use rstest::rstest;

use crate::failing::{Failing, Fault, Side};
use crate::launcher::{plan, plan_of};
use crate::shared::{Calls, copies, over};
use crate::sim::rich::as_hook;

fn suspended() -> Plan<'static> {
    Plan { attributes: &[Attribute::Suspended], ..plan() }
}

/// With a closure, the child is forked.
fn forked() -> Plan<'static> {
    Plan { hook: Some(as_hook(&|| Ok(()))), ..suspended() }
}

/// Starts a child, lets it run, and waits for it.
fn launch(calls: impl FnOnce(Kernel) -> Calls, plan: &Plan<'_>) -> Result<(), LaunchError> {
    let (backend, launcher) = over(calls);
    let started = launcher.launch(plan)?;
    let sys = backend.sys().inner();
    sys.kill(started.pid, libc::SIGCONT).expect("it is a child of this process");
    assert_eq!(sys.wait(started.pid), Ok(0), "the probe succeeds");
    if let Some(pidfd) = started.pidfd {
        sys.close(pidfd).expect("it is the caller's");
    }
    Ok(())
}

fn in_parent(name: &'static str, index: usize, errno: Errno) -> Fault {
    Fault { side: Side::Parent, name: Some(name), index, errno }
}

/// The child has not stopped yet.
#[rstest]
#[case::memory_is_shared(suspended())]
#[case::forked(forked())]
fn stop_is_awaited(#[case] plan: Plan<'static>) {
    isolated(|| {
        for call in ["set_mask_of", "detach"] {
            let fault = in_parent(call, 0, Errno::SRCH);
            assert_eq!(launch(|kernel| Failing::parent(kernel, fault), &plan), Ok(()));
        }
    });
}

/// An emulator copies the memory of the first child. Without the flag for processes that executed a program, the stop tells.
///
/// Faults: F15, M1
#[rstest]
#[case::with_the_flag(&[])]
#[case::without_the_flag(&["join_no_group", "read_file"])]
fn first_child_with_copied_memory_stops(#[case] denied: &'static [&'static str]) {
    isolated(|| {
        for copies in copies() {
            let calls = |kernel| Failing::nothing(kernel).copying(copies).denying(denied, Errno::PERM);
            assert_eq!(launch(calls, &suspended()), Ok(()), "{copies:?}");
        }
    });
}

/// A filter may permit some operations of ptrace(2) only. No child remains.
#[rstest]
#[case::mask("set_mask_of", suspended())]
#[case::end_of_tracing("detach", suspended())]
#[case::mask_of_a_forked_child("set_mask_of", forked())]
#[case::end_of_tracing_of_a_forked_child("detach", forked())]
fn refused_end_of_tracing_ends_the_child(#[case] call: &'static str, #[case] plan: Plan<'static>) {
    isolated(|| {
        let before = Snapshot::take();
        let errno = Errno::from_raw(libc::EXDEV);
        // If it ran, it would not end.
        let plan = Plan { exec: plan_of(c"pause").exec, ..plan };
        let started = launch(|kernel| Failing::parent(kernel, in_parent(call, 0, errno)), &plan);
        let report = Report { stage: Stage::Suspend, errno, operand: 0 };
        assert_eq!(started, Err(LaunchError::Child(report)));
        assert_eq!(Snapshot::take(), before);
    });
}

/// Faults: E10
#[rstest]
#[case::memory_is_shared(suspended())]
#[case::forked(forked())]
fn child_killed_at_its_stop_is_reported(#[case] plan: Plan<'static>) {
    isolated(|| {
        let started = launch(
            |kernel| Failing::nothing(kernel).acting_as(Side::Parent, "set_mask_of", kill_child),
            &plan,
        );
        assert_eq!(started, Err(LaunchError::Died { stage: Stage::Exec, status: Some(libc::SIGKILL) }));
    });
}

/// Kills the only child of this process.
fn kill_child() {
    for task in fs::read_dir("/proc/self/task").expect("there is procfs").flatten() {
        let children = fs::read_to_string(task.path().join("children")).expect("the kernel lists children");
        for child in children.split_whitespace() {
            let child = child.parse().expect("it is a pid");
            // SAFETY: it is a child of this process that was not reaped.
            assert_eq!(unsafe { libc::kill(child, libc::SIGKILL) }, 0);
        }
    }
}

/// The second change of the mask is that of the stage.
#[rstest]
#[case::mask("set_mask", 1)]
#[case::request("attribute", 0)]
fn refused_request_to_be_traced_is_reported(#[case] call: &'static str, #[case] index: usize) {
    isolated(|| {
        for plan in [suspended(), forked()] {
            let errno = Errno::from_raw(libc::EXDEV);
            let fault = Fault { side: Side::Child, name: Some(call), index, errno };
            let started = launch(|kernel| Failing::parent(kernel, fault), &plan);
            assert_eq!(started, Err(LaunchError::Child(Report { stage: Stage::Suspend, errno, operand: 0 })));
        }
    });
}

/// A failed exec does not stop a traced child.
#[test]
fn suspended_child_without_a_program_is_reported() {
    isolated(|| {
        let before = Snapshot::take();
        for mut plan in [suspended(), forked()] {
            plan.exec.candidates = &[c"/no/such/program"];
            let report = Report { stage: Stage::Exec, errno: Errno::NOENT, operand: 0 };
            let started = launch(Failing::nothing, &plan);
            assert_eq!(started, Err(LaunchError::Child(report)));
        }
        assert_eq!(Snapshot::take(), before);
    });
}
