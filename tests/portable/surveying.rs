//! Calls that this kernel, or a filter in front of it, refuses. The library finds and prints them.

use crate::child::command;
use crate::harness::say;
use forkexec::{CloseStrategy, Outcome, ProbeKind, Stage, capabilities, probe};

pub(crate) fn every_mechanism_is_tried_and_none_lies() {
    let has = capabilities();
    let report = probe();
    for name in has.enumerators.iter().copied().chain(["loop"]) {
        assert!(report.trials.iter().any(|trial| trial.name == name), "{name} was not tried");
    }
    let bulk = report.trials.iter().find(|trial| trial.kind == ProbeKind::Close(CloseStrategy::Bulk));
    assert_eq!(bulk.is_some(), has.bulk_closer.is_some(), "{bulk:?}");
    for trial in &report.trials {
        if trial.outcome != Outcome::Works {
            say(&format!("REFUSED HERE {}: {}: {:?}", report.system, trial.name, trial.outcome));
        }
        assert_ne!(trial.outcome, Outcome::Leaks, "{trial:?}");
    }
    assert!(report.starts() && report.first_link().is_some(), "{report:?}");
}

pub(crate) fn launcher_is_one_of_the_backends() {
    let mut child = command("exit").arg("0").spawn().expect("the child starts");
    assert!(capabilities().launchers.contains(&child.method()), "{:?}", child.method());
    let by = child.close_method().name();
    assert!(child.wait().expect("the child ends").success());
    say(&format!("{}: started by {}, closed by {by}", capabilities().system, child.method().name()));
}

pub(crate) fn each_stage_has_a_time() {
    let mut child = command("exit").arg("0").time_stages().spawn().expect("the child starts");
    let stages: Vec<_> = child.stage_times().expect("they were asked for").map(|(stage, _)| stage).collect();
    assert!(child.wait().expect("the child ends").success());
    assert!(stages.contains(&Stage::Close) && stages.contains(&Stage::Exec), "{stages:?}");
}
