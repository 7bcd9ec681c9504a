//! Children that stay unreaped: the launcher has not waited for them, and any other wait finds them.

use rstest::rstest;

use forkexec_core::{
    Backend, Closed, Errno, Exec, Fd, ForkLauncher, ParentSys, Pid, Plan, Report, Reporter, Stage, Sys,
};
use forkexec_linux::Start;
use forkexec_tests::deny::Deny;
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::isolated;

use crate::failing::Failing;
use crate::launcher::plan;
use crate::shared::over;

/// A plan of a program that is not there.
pub(crate) fn lost() -> Plan<'static> {
    Plan::new(Exec { candidates: &[c"/nowhere/program"], ..plan().exec })
}

pub(crate) const LOST: Report = Report { stage: Stage::Exec, errno: Errno::NOENT, operand: 0 };

/// As waitpid(2) encodes `_exit(255)`.
const FAILED: i32 = 255 << 8;

/// waitpid(2) without `__WCLONE` finds one that failed only if its end is announced by `SIGCHLD`.
#[rstest]
#[case::runs(plan(), None, 0)]
#[case::fails(lost(), Some(LOST), FAILED)]
fn unreaped_child_is_found_by_a_plain_wait(
    #[case] plan: Plan<'static>,
    #[case] expected: Option<Report>,
    #[case] status: i32,
) {
    isolated(|| {
        let (backend, launcher) = over(Failing::nothing);
        let before = Snapshot::take();
        let (pid, failure) = launcher.spawn_unreaped(&plan).expect("it starts");
        assert_eq!(failure, expected);
        assert_eq!(backend.sys().inner().reap(pid), Some(status));
        assert!(backend.sys().take_starts().last().is_some_and(|start| start.exit_signal));
        assert_eq!(before.differences(&Snapshot::take()), [""; 0]);
    });
}

/// The launcher reaps a child that a filter killed at an optional call, and starts another.
///
/// Faults: F16
#[test]
fn trapped_optional_call_leaves_no_child() {
    isolated(|| {
        let (backend, launcher) = over(Failing::nothing);
        Deny::new().trap(libc::SYS_close_range).install().expect("a filter is taken");
        for _ in 0..2 {
            let (pid, failure) = launcher.spawn_unreaped(&plan()).expect("there is another way");
            assert_eq!((failure, backend.sys().inner().reap(pid)), (None, Some(0)));
            assert_eq!(backend.sys().inner().wait(-1), Err(Errno::CHILD));
        }
    });
}

/// The caller reaps a child that a filter killed at a call which has no other way.
///
/// Faults: F16
#[test]
fn child_killed_by_sigsys_at_its_exec_is_the_callers() {
    isolated(|| {
        let (backend, launcher) = over(|kernel| {
            Failing::nothing(kernel).acting("execve", || {
                // SAFETY: the child ends itself.
                unsafe { libc::raise(libc::SIGSYS) };
            })
        });
        for _ in 0..2 {
            let (pid, failure) = launcher.spawn_unreaped(&plan()).expect("it starts");
            let status = backend.sys().inner().reap(pid);
            assert_eq!((failure, status.map(|status| libc::WTERMSIG(status))), (None, Some(libc::SIGSYS)));
        }
    });
}

/// A child that cannot unshare its table is reaped by the launcher.
#[test]
fn refused_method_leaves_no_child() {
    isolated(|| {
        let denied = ["close_range_unshare", "unshare_files"];
        let (backend, launcher) = over(|kernel| Failing::nothing(kernel).denying(&denied, Errno::PERM));
        let (pid, failure) = launcher.spawn_unreaped(&plan()).expect("there is another way");
        assert_eq!((failure, backend.sys().inner().reap(pid)), (None, Some(0)));
        assert_eq!(backend.sys().inner().wait(-1), Err(Errno::CHILD));
        let shared: Vec<bool> =
            backend.sys().take_starts().iter().map(|start: &Start| start.shares_table).collect();
        assert_eq!(shared.last(), Some(&false));
    });
}

/// Writes the stage of a failure as one byte to a descriptor.
struct Byte<'a, S>(&'a S, Fd);

// SAFETY: its one action is a call of `S`, which meets the requirements of `Sys`.
unsafe impl<S: Sys> Reporter for Byte<'_, S> {
    fn enter(&self, _stage: Stage, _at: Option<u64>) -> Result<(), Errno> {
        Ok(())
    }

    fn closed(&self, _closed: Closed) {}

    fn intact(&self) -> Result<(), Errno> {
        Ok(())
    }

    fn fail(&self, report: Report) {
        let _ = self.0.write(self.1, &[report.stage as u8]);
    }

    fn channel(&self) -> Option<Fd> {
        Some(self.1)
    }
}

/// The launcher that forks, and Linux's, which has that one.
#[derive(Clone, Copy, Debug)]
enum By {
    Fork,
    Linux,
}

#[rstest]
#[case::runs(plan(), None, 0)]
#[case::fails(lost(), Some(Stage::Exec as u8), FAILED)]
fn forked_child_calls_its_reporter(
    #[values(By::Fork, By::Linux)] by: By,
    #[case] plan: Plan<'static>,
    #[case] expected: Option<u8>,
    #[case] status: i32,
) {
    isolated(|| {
        let (backend, launcher) = over(Failing::nothing);
        let sys = backend.sys();
        let (reader, writer) = sys.inner().pipe().expect("a pipe can be made");
        let byte = Byte(sys, writer);
        let pid: Pid = match by {
            By::Fork => ForkLauncher::new(backend).spawn_unreaped(&plan, &byte),
            By::Linux => launcher.fork_unreaped(&plan, &byte),
        }
        .expect("it starts");
        sys.inner().close(writer).expect("it is open");
        let mut byte = [0];
        let read = sys.inner().read(reader, &mut byte).expect("it can be read");
        assert_eq!((read == 1).then_some(byte[0]), expected);
        assert_eq!(sys.inner().reap(pid), Some(status));
        sys.inner().close(reader).expect("it is open");
    });
}
