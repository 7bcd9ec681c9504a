//! A probe of what the kernel, and the container around it, let a program do.
//!
//! A version number does not tell whether a seccomp filter refuses `close_range`, whether `/proc` is a
//! procfs, or how long a loop over all descriptors takes. So the probe tries each means, in a child of its
//! own, because a filter may kill the process that tries it. The results do not change how commands are
//! started.

mod operations;
mod run;

use crate::sys::android::Android;
use crate::sys::backend::{self, backend};
use crate::sys::system::{self, launchers};
use forkexec_core::{
    Backend, Capabilities, CloseStrategy, Closer, Errno, KeepList, Operation, ParentSys, SpawnMethod, Sys,
    close_by,
};
use run::Tried;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Returns what this system has, as data. It tries nothing, so that a container or a filter makes no difference.
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

/// Returns true if the running release has the operation. If a command needs a missing one, it fails with
/// [`Error::Unsupported`](crate::Error::Unsupported) before anything starts.
///
/// [`capabilities`] names the operations of the latest release. `no_new_privs` is missing on FreeBSD before
/// 14. The answer comes from a call that changes nothing. On Linux it is that for the latest release, and no
/// call is made, because a filter may trap it. If an older kernel lacks an operation, such as Landlock before
/// 5.13, the start fails at its stage. [`probe`](fn@probe) tries each operation.
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

/// Tries each means of closing descriptors and of starting a child, and each operation that not every system
/// has, and returns the outcomes.
///
/// A trial of an operation sets it in a child that has no program. [`Operation::Cgroup`] has no trial, because
/// it needs a group. Each trial runs in a child of its own, one after the other. All together take a few milliseconds, or some
/// hundred if the descriptor limit is high and only the loop works. The children are made by fork(2),
/// whatever launcher is in use.
///
/// This is the only function of the crate that starts a process which the caller did not ask for. After
/// `unshare(CLONE_NEWPID)`, call it only if the new namespace has a process that stays. Otherwise a child of
/// the probe becomes its init, and the exit of that child closes the namespace.
///
/// If `SIGCHLD` is ignored, or other code waits for any child, [`Outcome::Died`] cannot name the signal.
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
/// let link = probe.first_link().ok_or("a child would inherit other descriptors")?;
/// Command::new("true").close_strategy(link).status()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn probe() -> ProbeReport {
    let Capabilities { system, enumerators, .. } = *capabilities();
    // SAFETY: each trial closes and launches in a child of its own. This function itself only reads limits.
    let backend = unsafe { backend() };
    let android = system::android();
    let is_called = |name| android.as_ref().is_none_or(|android| !android.not_called.contains(&name));
    let bulk = backend.bulk_closer().map(|name| (CloseStrategy::Bulk, Closer::Bulk, name));
    let listed = (0..)
        .zip(enumerators)
        .map(|(index, &name)| (CloseStrategy::Enumerate, Closer::Enumerator(index), name));
    let means = bulk.into_iter().chain(listed).chain([(CloseStrategy::Loop, Closer::Loop, "loop")]);
    let mut trials: Vec<Probe> = means
        .map(|(link, by, name)| {
            let close =
                |backend: &_, keep: KeepList<'_>| close_by(backend, by, 3, keep).map_err(Outcome::from);
            let tried = if is_called(name) { run::closing(backend, close) } else { Tried::NOT_CALLED };
            tried.of(ProbeKind::Close(link), name)
        })
        .collect();
    // SAFETY: the plan of the trials names no descriptor.
    for launcher in unsafe { launchers() } {
        let method = launcher.method();
        trials.push(run::launching(backend, launcher).of(ProbeKind::Spawn(method), method.name()));
    }
    trials.extend(taking(backend));
    trials.extend(operations::trials(backend));
    ProbeReport {
        system,
        android,
        trials,
        descriptor_limit: backend.sys().descriptor_limit().ok().filter(|&limit| limit != u64::MAX),
        loop_numbers: backend.loop_bound().ok().map(i32::unsigned_abs),
    }
}

/// The trial of each means to take a descriptor from the parent.
fn taking<B: Backend<Sys: ParentSys> + ?Sized>(backend: &B) -> Vec<Probe> {
    let pipe = backend::pipe();
    let trial = |(index, &name)| {
        let tried = match &pipe {
            Ok((_, writer)) => run::taking(backend, index, writer.as_raw_fd()),
            Err(errno) => Tried::not_run(*errno),
        };
        tried.of(ProbeKind::TakeFd, name)
    };
    backend.take_means().iter().enumerate().map(trial).collect()
}

/// The result of [`probe`]. Facts that need no trial are in [`capabilities`].
///
/// # Examples
///
/// ```
/// let report = forkexec::probe();
/// println!("{}: descriptor limit {:?}", report.system, report.descriptor_limit);
/// assert!(report.starts());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProbeReport {
    /// The system for which this crate was built.
    pub system: &'static str,
    /// The release of Android, if this is Android.
    pub android: Option<Android>,
    /// The trials. Those of closing come first, in the order in which a child tries the means, and those of
    /// operations last.
    pub trials: Vec<Probe>,
    /// The hard limit of descriptors (`RLIMIT_NOFILE`). `None` if there is no limit.
    pub descriptor_limit: Option<u64>,
    /// The number of descriptors that the loop closes one by one. `None` if there are so many that it refuses.
    pub loop_numbers: Option<u32>,
}

/// The trial of one means.
///
/// # Examples
///
/// See [`probe`](fn@probe).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// The purpose of the means.
    pub kind: ProbeKind,
    /// Its name: a call, a directory, `loop`, or that of a launcher.
    pub name: &'static str,
    /// The outcome.
    pub outcome: Outcome,
    /// The duration, without the start and the exit of the child that tried it.
    pub took: Duration,
}

/// The purpose of a means.
///
/// # Examples
///
/// ```
/// use forkexec::{ProbeKind, probe};
///
/// let report = probe();
/// let closing = report.trials.iter().filter(|trial| matches!(trial.kind, ProbeKind::Close(_)));
/// assert!(closing.count() >= 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProbeKind {
    /// It closes descriptors, as this link of the chain.
    Close(CloseStrategy),
    /// It starts a child.
    Spawn(SpawnMethod),
    /// It lets a child take a descriptor with a high number from its parent. If none works, the kernel copies the
    /// descriptor table for a child that needs such a descriptor ([`HighFds`](crate::HighFds)).
    TakeFd,
    /// It is an operation that not every system has. A command that needs one which does not work fails.
    Operation(Operation),
}

/// The outcome of a trial.
///
/// # Examples
///
/// ```
/// use forkexec::{Outcome, probe};
///
/// let report = probe();
/// for trial in report.trials.iter().filter(|trial| trial.outcome != Outcome::Works) {
///     println!("{} does not work: {:?}", trial.name, trial.outcome);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The means works.
    Works,
    /// The kernel or a filter refused a call. A start falls back to the next link of the chain.
    Refused(Errno),
    /// The list of descriptors is not the kernel's: it is a plain directory, or another file system is
    /// mounted over `/proc`. A start falls back to the next link of the chain.
    Untrusted,
    /// The child had a copy of the parent's memory instead of sharing it, as under an emulator. A start falls
    /// back to the next method.
    NotShared,
    /// The program contains a sanitizer, which a child that shares memory would mislead. A start falls back
    /// to the next method.
    Sanitizer,
    /// The means reported success, but a descriptor that it should close is still open, or one that it should
    /// keep is closed. A filter can make a call succeed without effect.
    Leaks,
    /// A seccomp filter traps a call that only children make: SIGSYS ends the first child that makes it. The
    /// start falls back to the next link of the chain, or to the next method, and later starts avoid the
    /// call.
    Trapped,
    /// The call was not made, and never is, because the filter of this release of Android may trap it. A
    /// start falls back to the next link of the chain.
    NotCalled,
    /// The process that tried it was killed, usually by a seccomp filter. The signal is `None` if the system
    /// did not tell.
    Died(Option<i32>),
    /// The trial did not run, because no child could be started for it.
    NotRun(Errno),
}

impl ProbeReport {
    /// Returns the link of the fallback chain from which closing works. If it is not the first one, pass it
    /// to [`Command::close_strategy`]. It is `None` if from any link a child would inherit other descriptors,
    /// or not start.
    ///
    /// A refusal or a trap does not exclude a link, because the chain falls back by itself. A link is
    /// excluded if it kills the child by another signal, or reports success without closing.
    ///
    /// # Examples
    ///
    /// See [`probe`](fn@probe).
    ///
    /// [`Command::close_strategy`]: crate::Command::close_strategy
    pub fn first_link(&self) -> Option<CloseStrategy> {
        [CloseStrategy::Bulk, CloseStrategy::Enumerate, CloseStrategy::Loop]
            .into_iter()
            .find(|&link| self.closes_from(link))
    }

    /// Returns true if a child can be started.
    ///
    /// # Examples
    ///
    /// See [`ProbeReport`].
    pub fn starts(&self) -> bool {
        let launches = |trial: &&Probe| matches!(trial.kind, ProbeKind::Spawn(_));
        self.trials.iter().filter(launches).any(|trial| trial.outcome == Outcome::Works)
    }

    /// Returns true if the first link from `link` on that is not refused works.
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
    use super::{
        Backend, CloseStrategy, Errno, Operation, Outcome, Probe, ProbeKind, ProbeReport, SpawnMethod, probe,
        supports,
    };
    use crate::sys::backend::{backend, bulk_closer, capabilities};
    use crate::sys::limit;
    use forkexec_core::Resource;
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
    #[case::refusal_falls_back_by_itself([REFUSED, Outcome::Works, Outcome::Works], Some(CloseStrategy::Bulk))]
    #[case::down_to_the_loop([REFUSED, Outcome::Untrusted, Outcome::Works], Some(CloseStrategy::Bulk))]
    #[case::what_kills_is_not_asked([KILLED, Outcome::Works, Outcome::Works], Some(CloseStrategy::Enumerate))]
    #[case::what_kills_after_a_refusal([REFUSED, KILLED, Outcome::Works], Some(CloseStrategy::Loop))]
    #[case::trap_costs_a_child([Outcome::Trapped, Outcome::Works, Outcome::Works], Some(CloseStrategy::Bulk))]
    #[case::uncalled_link([Outcome::NotCalled, Outcome::Works, Outcome::Works], Some(CloseStrategy::Bulk))]
    #[case::what_lies_is_not_asked([Outcome::Leaks, REFUSED, Outcome::Works], Some(CloseStrategy::Enumerate))]
    #[case::nothing_closes([REFUSED, Outcome::Untrusted, Outcome::Refused(Errno::OVERFLOW)], None)]
    #[case::untried([Outcome::NotRun(Errno::AGAIN); 3], None)]
    fn first_working_close_strategy_is_chosen(
        #[case] closing: [Outcome; 3],
        #[case] link: Option<CloseStrategy>,
    ) {
        assert_eq!(found(closing).first_link(), link);
    }

    #[rstest]
    #[case::none(&[], false)]
    #[case::one_of_two(&[REFUSED, Outcome::Works], true)]
    #[case::refused(&[REFUSED, KILLED], false)]
    fn child_starts_if_a_method_works(#[case] launchers: &[Outcome], #[case] starts: bool) {
        let mut probe = found([Outcome::Works; 3]);
        let kind = ProbeKind::Spawn(SpawnMethod::Fork);
        probe.trials.retain(|trial| trial.kind != kind);
        let trial = |&outcome: &Outcome| Probe { kind, name: "", outcome, took: Duration::ZERO };
        probe.trials.extend(launchers.iter().map(trial));
        assert_eq!(probe.starts(), starts);
    }

    #[test]
    fn probe_tries_every_mechanism_of_the_backend_in_order() {
        let has = capabilities();
        let launchers = has.launchers.iter().map(|method| method.name());
        let names = bulk_closer().into_iter().chain(has.enumerators.iter().copied());
        // SAFETY: the call reads a list of names.
        let takes = unsafe { backend() }.take_means().iter().copied();
        let names: Vec<_> = names.chain(["loop"]).chain(launchers).chain(takes).collect();
        let probe = probe();
        let is_operation = |trial: &&Probe| matches!(trial.kind, ProbeKind::Operation(_));
        let means = probe.trials.iter().filter(|trial| !is_operation(trial));
        assert_eq!(means.map(|trial| trial.name).collect::<Vec<_>>(), names);
        let tried: Vec<_> = probe.trials.iter().filter(is_operation).map(|trial| trial.kind).collect();
        let is_tried = |operation: &&Operation| **operation != Operation::Cgroup && supports(**operation);
        let operations = has.operations.iter().filter(is_tried);
        assert_eq!(tried, operations.map(|&it| ProbeKind::Operation(it)).collect::<Vec<_>>());
        assert!(probe.starts(), "{probe:?}");
        let limit = limit::of_process(Resource::NOFILE).expect("every system has it").hard;
        assert_eq!(probe.descriptor_limit, Some(limit).filter(|&limit| limit != u64::MAX));
        assert!(probe.trials.iter().all(|trial| trial.outcome != Outcome::Leaks), "{probe:?}");
    }
}
