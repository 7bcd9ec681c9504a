//! exec in the calling process, with each of its calls failing. The program is missing, so that every run comes back.

use std::env;

use forkexec_core::{
    Backend, Errno, Exec, KeepList, LaunchError, Mask, Move, Plan, Report, SignalSet, Stage, WorkingDirectory,
};
use forkexec_linux::{Kernel, Linux, LinuxLauncher};
use forkexec_tests::guard::Snapshot;
use forkexec_tests::isolate::isolated;
use forkexec_tests::world;

use crate::errnos;
use crate::failing::{Failing, Fault, Side};
use crate::launcher;
use crate::script::Script;
use crate::traceable::is_dumpable;

const MOVES: &[Move] = &[Move::copy(20, 21), Move::copy(20, 0)];

/// Everything that is the thread's own, and the report of each run.
fn plan() -> Plan<'static> {
    let exec = Exec { candidates: &[c"/no/such/program"], ..launcher::plan().exec };
    let plan = Plan {
        keep: KeepList::new(&[20, 21]).expect("the list is sorted"),
        inherit: &[20],
        moves: MOVES,
        placed: &[21],
        early_directory: Some(WorkingDirectory::Path(c"/dev")),
        directory: Some(WorkingDirectory::Path(c"/")),
        umask: Some(0o077),
        nice: Some(5),
        no_new_privs: true,
        die_with_parent: Some(libc::SIGTERM),
        mask: Mask::Set(SignalSet::EMPTY),
        ..Plan::new(exec)
    };
    if world::is_root() {
        Plan { root: Some(c"/"), groups: Some(&[4]), gid: Some(4322), uid: Some(4321), ..plan }
    } else {
        plan
    }
}

fn run(plan: &Plan<'_>, fault: Fault) -> LaunchError {
    // SAFETY: the plan names descriptors of the test's own, and nothing else uses the backend.
    let backend = Linux::new(Failing::parent(unsafe { Kernel::new() }, fault));
    let error = LinuxLauncher::new(&backend).exec_in_place(plan);
    assert_eq!(backend.sys().take_mapped(), [], "the stack stays mapped");
    error
}

/// The calls that a run makes if none fails: the side, the place among the calls of that side, and the name.
fn calls(plan: &Plan<'_>) -> Vec<(Side, usize, &'static str)> {
    let script = Script::new();
    script.begin(&[]);
    // SAFETY: as above.
    let backend = Linux::new(Failing::following(unsafe { Kernel::new() }, script));
    LinuxLauncher::new(&backend).exec_in_place(plan);
    let of =
        |side| script.calls(side).into_iter().enumerate().map(move |(index, call)| (side, index, call.name));
    of(Side::Parent).chain(of(Side::Child)).collect()
}

/// The kernel state of each thread that the snapshot lacks.
fn own_state() -> String {
    let status = world::own_status();
    format!("{status} {} {:?}", is_dumpable(), env::current_dir().expect("it exists"))
}

#[test]
fn failed_calls_leave_the_process_unchanged() {
    isolated(|| {
        let null = std::fs::File::open("/dev/null").expect("every system has it");
        let _placed = [20, 21].map(|number| world::place(&null, number));
        let plan = plan();
        let (before, own) = (Snapshot::take(), own_state());
        let mut tried = 0;
        for (side, index, name) in calls(&plan) {
            // Without these the library cannot know what to set back (`traceable`).
            let errnos = if name.ends_with("dumpable") { &[] } else { errnos::of(side, name) };
            for &errno in errnos {
                let error = run(&plan, Fault { side, name: None, index, errno });
                assert!(is_honest(&error, errno), "{name}, {errno:?}: {error:?}");
                assert_eq!(before.differences(&Snapshot::take()), [""; 0], "{name}, {errno:?}");
                assert_eq!(own_state(), own, "{name}, {errno:?}");
                tried += 1;
            }
        }
        assert!(tried >= 60, "{tried}");
    });
}

/// Another call took the place of the failed one, or the error is the failed call's.
fn is_honest(error: &LaunchError, errno: Errno) -> bool {
    match error {
        LaunchError::Child(Report { stage: Stage::Exec, errno: Errno::NOENT, .. }) => true,
        LaunchError::Child(report) => report.errno == errno,
        LaunchError::Parent { errno: told, .. } => *told == errno,
        LaunchError::ForkRequired(_) | LaunchError::Died { .. } | LaunchError::StageUnknown(_) => false,
    }
}
