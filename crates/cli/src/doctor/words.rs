//! The results in words.

use forkexec::{CloseStrategy, Errno, Operation, Outcome, ProbeKind, ProbeReport};

use crate::signal;

/// Returns the task of a method.
pub(super) fn task(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Close(CloseStrategy::Bulk) => "close ranges",
        ProbeKind::Close(CloseStrategy::Enumerate) => "close listed numbers",
        ProbeKind::Close(CloseStrategy::Loop) => "close every number",
        ProbeKind::Spawn(_) => "start a child",
        ProbeKind::TakeFd => "take a descriptor",
        ProbeKind::Operation(Operation::Autoreap) => "reap by the kernel",
        ProbeKind::Operation(Operation::Namespaces | Operation::TimeNamespace) => "create namespaces",
        ProbeKind::Operation(Operation::Jail) => "enter a jail",
        ProbeKind::Operation(Operation::ExecuteFile) => "execute an open file",
        ProbeKind::Operation(_) => "set an attribute",
        _ => "other",
    }
}

/// Returns the outcome as one word, for the table and for JSON.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Works => "works",
        Outcome::Refused(_) => "refused",
        Outcome::Untrusted => "untrusted",
        Outcome::NotShared => "not-shared",
        Outcome::Sanitizer => "sanitizer",
        Outcome::Leaks => "leaks",
        Outcome::Trapped => "trapped",
        Outcome::NotCalled => "not-called",
        Outcome::Died(_) => "died",
        Outcome::NotRun(_) => "not-run",
        _ => "other",
    }
}

/// Returns the reason if a method does not work.
pub(super) fn reason(outcome: Outcome, kind: ProbeKind) -> Option<String> {
    match (outcome, kind) {
        (Outcome::Refused(Errno::OVERFLOW), ProbeKind::Close(CloseStrategy::Loop)) => {
            Some("too many numbers to try".to_owned())
        }
        (Outcome::Refused(errno) | Outcome::NotRun(errno), _) => Some(errno_text(errno)),
        (Outcome::Untrusted, _) => Some("does not list the open descriptors".to_owned()),
        (Outcome::NotShared, _) => {
            Some("the child gets a copy of the memory instead of sharing it, as under an emulator".to_owned())
        }
        (Outcome::Sanitizer, _) => {
            Some("a sanitizer in this program would take the child for the calling thread".to_owned())
        }
        (Outcome::Leaks, _) => Some("reports success and does nothing".to_owned()),
        (Outcome::Trapped, _) => Some(
            "a filter kills the first child that makes the call (SIGSYS); later starts avoid it".to_owned(),
        ),
        (Outcome::NotCalled, _) => Some("the filter of this Android release may trap the call".to_owned()),
        (Outcome::Died(Some(number)), ProbeKind::Spawn(_)) => {
            Some(format!("{} kills the process that starts the child", signal::name(number)))
        }
        (Outcome::Died(Some(number)), _) => Some(format!("killed by {}", signal::name(number))),
        (Outcome::Died(None), _) => Some("the process of the trial died".to_owned()),
        _ => None,
    }
}

/// Formats an error number, such as `EPERM: Operation not permitted`.
fn errno_text(errno: Errno) -> String {
    let text = nix::errno::Errno::from_raw(errno.raw()).desc();
    errno.name().map_or_else(|| text.to_owned(), |name| format!("{name}: {text}"))
}

/// Returns the value of `--close-strategy`.
pub(super) fn strategy(strategy: CloseStrategy) -> &'static str {
    match strategy {
        CloseStrategy::Bulk => "bulk",
        CloseStrategy::Enumerate => "enumerate",
        CloseStrategy::Loop => "loop",
    }
}

/// Returns the name of an operation: the option of `run` that needs it, if there is one.
pub(super) fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Autoreap => "autoreap",
        Operation::Cgroup => "cgroup",
        Operation::DieWithParent => "die-with-parent",
        Operation::NoNewPrivs => "no-new-privs",
        Operation::ExecuteFile => "execute-file",
        Operation::Namespaces => "namespaces",
        Operation::TimeNamespace => "time-namespace",
        Operation::Jail => "jail",
        Operation::Autogroup => "autogroup",
        Operation::CpuAffinity => "cpu-affinity",
        Operation::Scheduler => "scheduler",
        Operation::IoPriority => "io-priority",
        Operation::MemoryPolicy => "memory-policy",
        Operation::TimerSlack => "timer-slack",
        Operation::OomScore => "oom-score",
        Operation::FixedAddresses => "fixed-addresses",
        Operation::Capabilities => "capabilities",
        Operation::SessionKeyring => "session-keyring",
        Operation::Unveil => "unveil",
        Operation::Pledge => "pledge",
        Operation::Landlock => "landlock",
        Operation::Seccomp => "seccomp",
        Operation::StartSuspended => "start-suspended",
        _ => "other",
    }
}

/// Returns true if children start, and get exactly the descriptors that are named.
pub(super) fn is_exact(report: &ProbeReport) -> bool {
    report.first_link().is_some() && report.starts() && deadly_start(report).is_none()
}

/// Returns the spawn method that kills its caller and that a start tries before one that works.
pub(super) fn deadly_start(report: &ProbeReport) -> Option<&'static str> {
    let launches = report.trials.iter().filter(|trial| matches!(trial.kind, ProbeKind::Spawn(_)));
    let first = launches.take_while(|trial| trial.outcome != Outcome::Works);
    first.filter(|trial| matches!(trial.outcome, Outcome::Died(_))).map(|trial| trial.name).next()
}

/// Returns the verdict, the last line of the table.
pub(super) fn verdict(report: &ProbeReport) -> String {
    if !report.starts() {
        return "no child can be started here".to_owned();
    }
    if let Some(deadly) = deadly_start(report) {
        return format!("the spawn method {deadly} kills the program that uses it: choose fork");
    }
    match report.first_link() {
        Some(CloseStrategy::Bulk) => EXACT.to_owned(),
        Some(later) => format!("{EXACT} with --close-strategy {}", strategy(later)),
        None => "no method closes descriptors: children get more than the named ones".to_owned(),
    }
}

const EXACT: &str = "children get exactly the named descriptors";

#[cfg(test)]
mod tests {
    use super::*;
    use forkexec::{SpawnMethod, capabilities};
    use std::collections::{BTreeSet, HashSet};

    /// `other` stands for what a later release of the library has.
    #[test]
    fn each_operation_has_its_own_name() {
        let of_others = [Operation::Jail, Operation::Unveil, Operation::Pledge];
        let operations: HashSet<_> = capabilities().operations.iter().copied().chain(of_others).collect();
        let names: BTreeSet<_> = operations.iter().copied().map(operation).collect();
        assert_eq!(names.len(), operations.len(), "{names:?}");
        assert!(!names.contains("other"), "{names:?}");
    }

    #[test]
    fn each_outcome_has_its_own_word() {
        let outcomes = [
            Outcome::Works,
            Outcome::Refused(Errno::PERM),
            Outcome::Untrusted,
            Outcome::NotShared,
            Outcome::Sanitizer,
            Outcome::Leaks,
            Outcome::Trapped,
            Outcome::NotCalled,
            Outcome::Died(None),
            Outcome::NotRun(Errno::PERM),
        ];
        let words = BTreeSet::from(outcomes.map(word));
        assert_eq!(words.len(), outcomes.len(), "{words:?}");
        assert!(!words.contains("other"), "{words:?}");
    }

    #[test]
    fn task_says_what_a_method_does() {
        let tasks = [
            (ProbeKind::Close(CloseStrategy::Bulk), "close ranges"),
            (ProbeKind::Close(CloseStrategy::Enumerate), "close listed numbers"),
            (ProbeKind::Close(CloseStrategy::Loop), "close every number"),
            (ProbeKind::Spawn(SpawnMethod::Fork), "start a child"),
            (ProbeKind::TakeFd, "take a descriptor"),
            (ProbeKind::Operation(Operation::Autoreap), "reap by the kernel"),
            (ProbeKind::Operation(Operation::Namespaces), "create namespaces"),
            (ProbeKind::Operation(Operation::TimeNamespace), "create namespaces"),
            (ProbeKind::Operation(Operation::Jail), "enter a jail"),
            (ProbeKind::Operation(Operation::ExecuteFile), "execute an open file"),
            (ProbeKind::Operation(Operation::TimerSlack), "set an attribute"),
        ];
        for (kind, text) in tasks {
            assert_eq!(task(kind), text);
        }
    }

    #[test]
    fn each_failure_has_a_reason() {
        let close = ProbeKind::Close(CloseStrategy::Bulk);
        let cases = [
            (Outcome::Works, None),
            (Outcome::Refused(Errno::PERM), Some("EPERM: Operation not permitted")),
            (Outcome::Untrusted, Some("does not list the open descriptors")),
            (
                Outcome::NotShared,
                Some("the child gets a copy of the memory instead of sharing it, as under an emulator"),
            ),
            (
                Outcome::Sanitizer,
                Some("a sanitizer in this program would take the child for the calling thread"),
            ),
            (Outcome::Leaks, Some("reports success and does nothing")),
            (
                Outcome::Trapped,
                Some("a filter kills the first child that makes the call (SIGSYS); later starts avoid it"),
            ),
            (Outcome::NotCalled, Some("the filter of this Android release may trap the call")),
            (Outcome::Died(Some(libc::SIGSYS)), Some("killed by SIGSYS")),
            (Outcome::Died(None), Some("the process of the trial died")),
        ];
        for (outcome, text) in cases {
            assert_eq!(reason(outcome, close).as_deref(), text);
        }
        let start = ProbeKind::Spawn(SpawnMethod::Shared);
        let killed = reason(Outcome::Died(Some(libc::SIGSYS)), start);
        assert_eq!(killed.as_deref(), Some("SIGSYS kills the process that starts the child"));
        let limit = reason(Outcome::Refused(Errno::OVERFLOW), ProbeKind::Close(CloseStrategy::Loop));
        assert_eq!(limit.as_deref(), Some("too many numbers to try"));
    }
}
