//! What was found, in words.

use forkexec::{CloseStrategy, Errno, Operation, Outcome, ProbeKind, ProbeReport};

use crate::signal;

/// What a means is for.
pub(super) fn purpose(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Close(CloseStrategy::Bulk) => "close many at once",
        ProbeKind::Close(CloseStrategy::Enumerate) => "close what is listed",
        ProbeKind::Close(CloseStrategy::Loop) => "close every number",
        ProbeKind::Spawn(_) => "start a child",
        _ => "other",
    }
}

/// One word, for programs too.
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
        Outcome::NotRun(_) => "untried",
        _ => "other",
    }
}

/// Why, if it does not work.
pub(super) fn reason(outcome: Outcome, kind: ProbeKind) -> Option<String> {
    match (outcome, kind) {
        (Outcome::Refused(Errno::OVERFLOW), ProbeKind::Close(CloseStrategy::Loop)) => {
            Some("too many numbers to try".to_owned())
        }
        (Outcome::Refused(errno) | Outcome::NotRun(errno), _) => Some(errno_text(errno)),
        (Outcome::Untrusted, _) => Some("it is not the list of open descriptors".to_owned()),
        (Outcome::NotShared, _) => {
            Some("the child has a copy of the memory that it should share, as under an emulator".to_owned())
        }
        (Outcome::Sanitizer, _) => {
            Some("a sanitizer is part of this program, and would be misled".to_owned())
        }
        (Outcome::Leaks, _) => Some("it reports success and does nothing".to_owned()),
        (Outcome::Trapped, _) => {
            Some("a filter ends the child that makes the call (SIGSYS): one child is lost, once".to_owned())
        }
        (Outcome::NotCalled, _) => Some("the filter of this Android release may trap the call".to_owned()),
        (Outcome::Died(Some(number)), ProbeKind::Spawn(_)) => {
            Some(format!("{} ends the process that starts the child", signal::name(number)))
        }
        (Outcome::Died(Some(number)), _) => Some(format!("killed by {}", signal::name(number))),
        (Outcome::Died(None), _) => Some("the process that tried it died".to_owned()),
        _ => None,
    }
}

/// `EPERM: Operation not permitted`.
fn errno_text(errno: Errno) -> String {
    let text = nix::errno::Errno::from_raw(errno.raw()).desc();
    errno.name().map_or_else(|| text.to_owned(), |name| format!("{name}: {text}"))
}

/// A link as `--close-strategy` takes it.
pub(super) fn link(link: CloseStrategy) -> &'static str {
    match link {
        CloseStrategy::Bulk => "bulk",
        CloseStrategy::Enumerate => "enumerate",
        CloseStrategy::Loop => "loop",
    }
}

/// An operation by the option of `run` that asks for it.
pub(super) fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Cgroup => "cgroup",
        Operation::DieWithParent => "die-with-parent",
        Operation::NoNewPrivs => "no-new-privs",
        _ => "other",
    }
}

/// Whether children start, and get exactly what they are handed.
pub(super) fn is_exact(survey: &ProbeReport) -> bool {
    survey.first_link().is_some() && survey.starts() && deadly_start(survey).is_none()
}

/// The method that a start tries first and that ends the process which tries it.
pub(super) fn deadly_start(survey: &ProbeReport) -> Option<&'static str> {
    let launches = survey.trials.iter().filter(|trial| matches!(trial.kind, ProbeKind::Spawn(_)));
    let first = launches.take_while(|trial| trial.outcome != Outcome::Works);
    first.filter(|trial| matches!(trial.outcome, Outcome::Died(_))).map(|trial| trial.name).next()
}

/// The answer to what the reader came for.
pub(super) fn verdict(survey: &ProbeReport) -> String {
    if !survey.starts() {
        return "no child can be started here".to_owned();
    }
    if let Some(deadly) = deadly_start(survey) {
        return format!("a start by {deadly} ends the program that makes it: choose fork");
    }
    match survey.first_link() {
        Some(CloseStrategy::Bulk) => "children get exactly what they are handed".to_owned(),
        Some(later) => {
            format!("children get exactly what they are handed, with --close-strategy {}", link(later))
        }
        None => "nothing here closes descriptors: children would get more than they are handed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_reason() {
        let close = ProbeKind::Close(CloseStrategy::Bulk);
        let cases = [
            (Outcome::Works, None),
            (Outcome::Refused(Errno::PERM), Some("EPERM: Operation not permitted")),
            (Outcome::Untrusted, Some("it is not the list of open descriptors")),
            (
                Outcome::NotShared,
                Some("the child has a copy of the memory that it should share, as under an emulator"),
            ),
            (Outcome::Sanitizer, Some("a sanitizer is part of this program, and would be misled")),
            (Outcome::Leaks, Some("it reports success and does nothing")),
            (
                Outcome::Trapped,
                Some("a filter ends the child that makes the call (SIGSYS): one child is lost, once"),
            ),
            (Outcome::NotCalled, Some("the filter of this Android release may trap the call")),
            (Outcome::Died(Some(libc::SIGSYS)), Some("killed by SIGSYS")),
            (Outcome::Died(None), Some("the process that tried it died")),
        ];
        for (outcome, text) in cases {
            assert_eq!(reason(outcome, close).as_deref(), text);
        }
        let start = ProbeKind::Spawn(forkexec::SpawnMethod::Shared);
        let killed = reason(Outcome::Died(Some(libc::SIGSYS)), start);
        assert_eq!(killed.as_deref(), Some("SIGSYS ends the process that starts the child"));
        let limit = reason(Outcome::Refused(Errno::OVERFLOW), ProbeKind::Close(CloseStrategy::Loop));
        assert_eq!(limit.as_deref(), Some("too many numbers to try"));
    }
}
