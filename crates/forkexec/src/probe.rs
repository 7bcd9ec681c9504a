//! What this kernel, and the container around it, let a program do: tried for real, not looked up.
//!
//! A version number does not tell whether a seccomp filter refuses `close_range`, whether `/proc` is the kernel's own, or
//! how long a loop over all descriptors takes. So each means is tried in a process of its own, which may be killed for
//! the try. Nothing that is found out here changes how commands are started.

mod run;

use crate::sys::android::Android;
use crate::sys::backend::{self, backend};
use crate::sys::system::{self, launchers};
use forkexec_core::{Backend, Capabilities, Sys};
use forkexec_core::{CloseStrategy, Errno, Operation, SpawnMethod};
use run::Tried;
use std::time::Duration;

/// What this system has, as data: nothing is tried, and no container is asked.
///
/// # Examples
///
/// ```
/// let limits = forkexec::capabilities().resources;
/// assert!(limits.iter().any(|(name, resource)| *name == "nofile" && *resource == forkexec::Resource::NOFILE));
/// ```
pub fn capabilities() -> &'static Capabilities {
    backend::capabilities()
}

/// Returns true if the running release has the operation. A command that asks for one that is missing is refused before
/// anything starts ([`Error::Unsupported`](crate::Error::Unsupported)).
///
/// [`capabilities`] names the operations of the latest release; `no_new_privs` is missing on FreeBSD before 14. The answer
/// comes from a call that changes nothing. Linux has all of them since 3.5, and is not asked: a filter may trap the question.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Operation, supports};
///
/// let mut command = Command::new("true");
/// if supports(Operation::NoNewPrivs) {
///     command.no_new_privs();
/// }
/// assert!(command.status()?.success());
/// # Ok::<(), forkexec::Error>(())
/// ```
pub fn supports(operation: Operation) -> bool {
    backend::has(operation)
}

/// Tries each way of closing descriptors and of starting a child, and says what happened.
///
/// Each is tried in a throw-away child, one after the other, which takes a few milliseconds; where only the loop is left
/// and the descriptor limit is high, some hundred. The children are made by fork(2), whatever the launcher in use is.
///
/// No other function of this crate makes a process that was not asked for. After `unshare(CLONE_NEWPID)`, call this only once
/// the new namespace has a process that stays: otherwise a throw-away child becomes its init, and its end closes the
/// namespace.
///
/// Where `SIGCHLD` is ignored, or other code waits for any child, [`Outcome::Died`] cannot name the signal.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Outcome, probe};
///
/// let probe = probe();
/// for trial in &probe.trials {
///     println!("{}: {:?}", trial.name, trial.outcome);
/// }
/// let link = probe.first_link().ok_or("a child would get more than it was handed")?;
/// Command::new("true").close_strategy(link).status()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn probe() -> ProbeReport {
    let Capabilities { system, enumerators, .. } = *capabilities();
    // SAFETY: each trial closes and launches in a child of its own. This function asks for limits alone.
    let backend = unsafe { backend() };
    let android = system::android();
    let is_called = |name| android.as_ref().is_none_or(|android| !android.not_called.contains(&name));
    let mut trials = Vec::new();
    if let Some(name) = backend::bulk_closer() {
        let outcome =
            if is_called(name) { run::closing(backend, run::close_at_once) } else { Tried::NOT_CALLED };
        trials.push(outcome.of(ProbeKind::Close(CloseStrategy::Bulk), name));
    }
    for (index, &name) in enumerators.iter().enumerate() {
        let outcome = run::closing(backend, |backend, keep| run::close_listed(backend, keep, index));
        trials.push(outcome.of(ProbeKind::Close(CloseStrategy::Enumerate), name));
    }
    let outcome = run::closing(backend, run::close_each);
    trials.push(outcome.of(ProbeKind::Close(CloseStrategy::Loop), "loop"));
    // SAFETY: the plan of the trials names no descriptor.
    for launcher in unsafe { launchers() } {
        let method = launcher.method();
        trials.push(run::launching(backend, launcher).of(ProbeKind::Spawn(method), method.name()));
    }
    ProbeReport {
        system,
        android,
        trials,
        descriptor_limit: backend.sys().descriptor_limit().ok().filter(|&limit| limit != u64::MAX),
        loop_numbers: backend.loop_bound().ok().map(i32::unsigned_abs),
    }
}

/// What [`probe`] found. What needs no trial is in [`capabilities`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProbeReport {
    /// The system that this crate was built for.
    pub system: &'static str,
    /// The release of Android, if this is Android.
    pub android: Option<Android>,
    /// What was tried. The ways of closing come first, in the order of the chain in which a child tries them.
    pub trials: Vec<Probe>,
    /// The hard limit of descriptors (`RLIMIT_NOFILE`), unless there is none.
    pub descriptor_limit: Option<u64>,
    /// How many numbers the loop would close one by one; `None` where they are so many that it refuses.
    pub loop_numbers: Option<u32>,
}

/// One means, and what came of trying it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// What it is for.
    pub kind: ProbeKind,
    /// Its name: a call, a directory, `loop`, or that of a launcher.
    pub name: &'static str,
    /// What happened.
    pub outcome: Outcome,
    /// How long it took, start and end of the throw-away child not counted.
    pub took: Duration,
}

/// What a means is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProbeKind {
    /// To close descriptors, as this link of the chain.
    Close(CloseStrategy),
    /// To start a child.
    Spawn(SpawnMethod),
}

/// What came of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It did what it should.
    Works,
    /// A call was refused. The next link of the chain takes over.
    Refused(Errno),
    /// What lists the descriptors is not the live list: a plain directory, or something mounted over `/proc`. The next
    /// link of the chain takes over.
    Untrusted,
    /// A child that should have shared the parent's memory did not, as under an emulator. The next method is used.
    NotShared,
    /// A sanitizer is part of this program, and would be misled. The next method is used.
    Sanitizer,
    /// It reported success, but a descriptor that it should close is still open, or one that it should keep is not: a filter
    /// lets the call succeed without effect.
    Leaks,
    /// A call that only children make is trapped by a seccomp filter: SIGSYS ends the first child that makes it. The start
    /// goes on with the next link of the chain, or the next method, and later starts do without the call.
    Trapped,
    /// The call was not tried, and is never made, because the filter of this release of Android may trap it. The next link
    /// of the chain takes over.
    NotCalled,
    /// Whoever tries it dies, mostly of a seccomp filter: by this signal, if the system told.
    Died(Option<i32>),
    /// It could not be tried: no throw-away child could be started.
    NotRun(Errno),
}

impl ProbeReport {
    /// The link of the chain from which closing works: what [`Command::close_strategy`] is to be given where it is
    /// not the first one. `None` if a child would get more than it was handed, or none would start, from any link.
    ///
    /// A refusal or a trap is no reason to begin later, because the chain goes on by itself. A link that kills by another
    /// signal, or that says it closed what it did not, is.
    ///
    /// [`Command::close_strategy`]: crate::Command::close_strategy
    pub fn first_link(&self) -> Option<CloseStrategy> {
        [CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop]
            .into_iter()
            .find(|&link| self.closes_from(link))
    }

    /// Whether a child can be started.
    pub fn starts(&self) -> bool {
        let launches = |trial: &&Probe| matches!(trial.kind, ProbeKind::Spawn(_));
        self.trials.iter().filter(launches).any(|trial| trial.outcome == Outcome::Works)
    }

    /// What the chain comes to, if it begins with `link`: the first one that is not refused.
    fn closes_from(&self, link: CloseStrategy) -> bool {
        let asked = |trial: &&Probe| matches!(trial.kind, ProbeKind::Close(this) if this >= link);
        let refused = |trial: &&Probe| {
            use Outcome::{NotCalled, Refused, Trapped, Untrusted};
            matches!(trial.outcome, Refused(_) | Untrusted | Trapped | NotCalled)
        };
        let answer = self.trials.iter().filter(asked).find(|trial| !refused(trial));
        answer.is_some_and(|trial| trial.outcome == Outcome::Works)
    }
}

#[cfg(test)]
mod tests {
    use super::{CloseStrategy, Errno, Outcome, Probe, ProbeKind, ProbeReport, SpawnMethod, probe};
    use crate::sys::backend::{bulk_closer, capabilities};
    use rstest::rstest;
    use std::time::Duration;

    const KILLED: Outcome = Outcome::Died(Some(libc::SIGKILL));
    const REFUSED: Outcome = Outcome::Refused(Errno::PERM);

    fn found(closing: [Outcome; 3]) -> ProbeReport {
        let links = [CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop];
        let trial = |kind, outcome| Probe { kind, name: "", outcome, took: Duration::ZERO };
        let closing = links.into_iter().zip(closing).map(|(link, of)| trial(ProbeKind::Close(link), of));
        let launch = trial(ProbeKind::Spawn(SpawnMethod::Fork), Outcome::Works);
        let trials = closing.chain([launch]).collect();
        ProbeReport { system: "", android: None, trials, descriptor_limit: None, loop_numbers: None }
    }

    #[rstest]
    #[case::all_work([Outcome::Works; 3], Some(CloseStrategy::Bulk))]
    #[case::a_refusal_falls_back_by_itself([REFUSED, Outcome::Works, Outcome::Works], Some(CloseStrategy::Bulk))]
    #[case::down_to_the_loop([REFUSED, Outcome::Untrusted, Outcome::Works], Some(CloseStrategy::Bulk))]
    #[case::what_kills_is_not_asked([KILLED, Outcome::Works, Outcome::Works], Some(CloseStrategy::Enumerate))]
    #[case::what_kills_after_a_refusal([REFUSED, KILLED, Outcome::Works], Some(CloseStrategy::Loop))]
    #[case::a_trap_costs_a_child([Outcome::Trapped, Outcome::Works, Outcome::Works], Some(CloseStrategy::Bulk))]
    #[case::an_uncalled_link([Outcome::NotCalled, Outcome::Works, Outcome::Works], Some(CloseStrategy::Bulk))]
    #[case::what_lies_is_not_asked([Outcome::Leaks, REFUSED, Outcome::Works], Some(CloseStrategy::Enumerate))]
    #[case::nothing_closes([REFUSED, Outcome::Untrusted, Outcome::Refused(Errno::OVERFLOW)], None)]
    #[case::untried([Outcome::NotRun(Errno::AGAIN); 3], None)]
    fn closing_begins_where_the_chain_ends_well(
        #[case] closing: [Outcome; 3],
        #[case] link: Option<CloseStrategy>,
    ) {
        assert_eq!(found(closing).first_link(), link);
    }

    #[test]
    fn every_means_of_the_backend_is_tried_in_its_order() {
        let has = capabilities();
        let launchers = has.launchers.iter().map(|method| method.name());
        let names = bulk_closer().into_iter().chain(has.enumerators.iter().copied());
        let names: Vec<_> = names.chain(["loop"]).chain(launchers).collect();
        let probe = probe();
        assert_eq!(probe.trials.iter().map(|trial| trial.name).collect::<Vec<_>>(), names);
        assert!(probe.starts(), "{probe:?}");
        assert!(probe.trials.iter().all(|trial| trial.outcome != Outcome::Leaks), "{probe:?}");
    }
}
