//! The trial of each operation: a child sets it, and finds no program.

use super::run::{self, Tried};
use super::{Probe, ProbeKind};
use crate::config::attributes::PROCESSORS;
use crate::sys::system::{forking, launchers};
use forkexec_core::{
    Attribute, Autoreap, Backend, BpfInstruction, CStrArray, CapabilitySets, Errno, Exec, Fd, IoPriority,
    MemoryPolicy, Namespace, NamespaceSet, Namespaces, Operation, ParentSys, Plan, Scheduler, SeccompFilter,
    Stage, Unveil,
};
use std::ffi::c_ulong;
use std::fs::File;
use std::os::fd::AsRawFd;

/// Tries each operation of the running release. A child can enter only a control group that exists, so
/// there is no trial for that.
pub(super) fn trials<B: Backend<Sys: ParentSys> + ?Sized>(backend: &B) -> Vec<Probe> {
    let operations = backend.capabilities().operations.iter().copied();
    let processors = processors(backend);
    operations
        .filter(|&operation| backend.has(operation))
        .filter_map(|operation| {
            let (stage, attributes) = attributes(operation, &processors)?;
            let tried = attributes.map_or_else(Tried::not_run, |attributes| {
                trial(backend, operation, stage, attributes.as_slice())
            });
            Some(tried.of(ProbeKind::Operation(operation), name(operation, stage)))
        })
        .collect()
}

/// Several operations have a stage in common.
fn name(operation: Operation, stage: Stage) -> &'static str {
    match operation {
        Operation::ExecuteFile => "execute-file",
        Operation::StartSuspended => "start-suspended",
        Operation::Autoreap => "autoreap",
        Operation::TimeNamespace => "time-namespace",
        _ => stage.name(),
    }
}

fn trial<B: Backend<Sys: ParentSys> + ?Sized>(
    backend: &B,
    operation: Operation,
    stage: Stage,
    attributes: &[Attribute<'_>],
) -> Tried {
    let device = (operation == Operation::ExecuteFile).then(|| File::open("/dev/null"));
    let Ok(device) = device.transpose() else { return Tried::not_run(Errno::NOENT) };
    // SAFETY: the plan names no descriptor but that of the device, which outlives the trial.
    let first = unsafe { launchers() }.next();
    let needs_first =
        matches!(operation, Operation::Namespaces | Operation::TimeNamespace | Operation::Autoreap);
    let launcher = first.filter(|_| needs_first).unwrap_or_else(forking);
    let plan = plan(operation, attributes, device.as_ref().map(AsRawFd::as_raw_fd));
    run::operation(backend, launcher, &plan, |errno, at| works(operation, stage, errno, at))
}

/// Returns a plan with this operation.
fn plan<'p>(operation: Operation, attributes: &'p [Attribute<'p>], executable: Option<Fd>) -> Plan<'p> {
    let exec = Exec { candidates: &[], argv: CStrArray::EMPTY, env: Some(CStrArray::EMPTY), shell: None };
    let is = |other| operation == other;
    let user = NamespaceSet::EMPTY.with(Namespace::User);
    let new = match operation {
        Operation::Namespaces => user,
        Operation::TimeNamespace => user.with(Namespace::Time),
        _ => NamespaceSet::EMPTY,
    };
    Plan {
        close: None,
        attributes,
        namespaces: Namespaces { join: &[], new, maps: None },
        // A ruleset, a filter and the kill at the parent's death need it without privilege.
        no_new_privs: [Operation::NoNewPrivs, Operation::Landlock, Operation::Seccomp, Operation::Autoreap]
            .into_iter()
            .any(is),
        autoreap: is(Operation::Autoreap).then_some(Autoreap::ReapAndKill),
        executable,
        // The autogroup of this process stays as it is.
        session: is(Operation::Autogroup),
        die_with_parent: is(Operation::DieWithParent).then_some(libc::SIGKILL),
        ..Plan::new(exec)
    }
}

/// Returns true if the operation works when its child failed in this way.
///
/// A kernel with the call answers `EBADF` to no ruleset (landlock_restrict_self(2)), `EACCES` to a device (execveat(2)), and
/// `EINVAL` to no jail (jail_attach(2)). One without it answers something else.
fn works(operation: Operation, stage: Stage, errno: Errno, at: Stage) -> bool {
    match operation {
        Operation::Landlock => (at, errno) == (stage, Errno::BADF),
        Operation::ExecuteFile => (at, errno) == (stage, Errno::ACCES),
        Operation::Jail => (at, errno) == (stage, Errno::INVAL),
        _ => at == Stage::Exec,
    }
}

/// Returns the stage of an operation, and the attributes that set it. They are harmless: the child has no
/// program. They need no privilege, except where the operation itself does.
fn attributes(
    operation: Operation,
    processors: &Result<Vec<c_ulong>, Errno>,
) -> Option<(Stage, Result<Vec<Attribute<'_>>, Errno>)> {
    const ALLOW: &[BpfInstruction] = &[BpfInstruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }];
    const NO_RULESET: i32 = -1;
    const NO_JAIL: i32 = -1;
    let attribute = match operation {
        Operation::DieWithParent => return Some((Stage::DieWithParent, Ok(Vec::new()))),
        Operation::Autoreap => return Some((Stage::Start, Ok(Vec::new()))),
        Operation::NoNewPrivs => return Some((Stage::NoNewPrivs, Ok(Vec::new()))),
        Operation::ExecuteFile => return Some((Stage::Exec, Ok(Vec::new()))),
        Operation::Namespaces => return Some((Stage::Namespaces, Ok(Vec::new()))),
        Operation::CpuAffinity => {
            let of = |mask| vec![Attribute::CpuAffinity(mask)];
            return Some((Stage::CpuAffinity, processors.as_deref().map(of).map_err(|errno| *errno)));
        }
        Operation::TimeNamespace => Attribute::ClockOffsets(b"monotonic 1 0\n"),
        Operation::Jail => Attribute::Jail(NO_JAIL),
        Operation::Autogroup => Attribute::AutogroupNice(19),
        Operation::Scheduler => Attribute::Scheduler(Scheduler::Other),
        Operation::MemoryPolicy => Attribute::MemoryPolicy(MemoryPolicy::Local, &[]),
        Operation::IoPriority => Attribute::IoPriority(IoPriority::Idle),
        Operation::TimerSlack => Attribute::TimerSlack(1),
        Operation::OomScore => Attribute::OomScore(1000),
        Operation::FixedAddresses => Attribute::FixedAddresses,
        Operation::Capabilities => {
            Attribute::Capabilities(CapabilitySets { inheritable: 0, ambient: 0, nothing_else: false })
        }
        Operation::SessionKeyring => Attribute::SessionKeyring,
        Operation::Unveil => Attribute::Unveil(Unveil { index: 0, path: c"/", permissions: c"rx" }),
        Operation::Pledge => Attribute::Pledge(c""),
        Operation::Landlock => Attribute::Landlock(NO_RULESET),
        Operation::Seccomp => Attribute::Seccomp(SeccompFilter { program: ALLOW, flags: 0 }),
        Operation::StartSuspended => Attribute::Suspended,
        _ => return None,
    };
    Some((attribute.stage(), Ok(vec![attribute])))
}

/// Returns the processors that may run this thread.
fn processors<B: Backend + ?Sized>(backend: &B) -> Result<Vec<c_ulong>, Errno> {
    let mut mask = vec![0; PROCESSORS / c_ulong::BITS as usize];
    backend.processors(&mut mask)?;
    let words = mask.iter().rposition(|&word| word != 0).map_or(0, |last| last + 1);
    mask.truncate(words);
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Outcome;
    use crate::sys::backend;
    use nix::unistd::geteuid;
    use rstest::rstest;
    use std::fs;

    /// Each system has some of them.
    #[rstest]
    #[case(Operation::Jail, Stage::Jail)]
    #[case(Operation::Unveil, Stage::Unveil)]
    #[case(Operation::Pledge, Stage::Pledge)]
    #[case(Operation::Landlock, Stage::Landlock)]
    #[case(Operation::Autogroup, Stage::Autogroup)]
    fn operation_is_tried_at_its_stage(#[case] operation: Operation, #[case] stage: Stage) {
        let processors = Ok(Vec::new());
        let (at, attributes_there) = attributes(operation, &processors).expect("it is tried");
        let attributes_there = attributes_there.expect("no processor is needed");
        assert_eq!((at, attributes_there.len()), (stage, 1));
        // No jail and no ruleset have this number.
        assert!(!matches!(attributes_there[0], Attribute::Jail(0..) | Attribute::Landlock(0..)));
        assert!(attributes(Operation::Cgroup, &processors).is_none());
    }

    #[rstest]
    #[case(Operation::ExecuteFile, Stage::Exec, "execute-file")]
    #[case(Operation::StartSuspended, Stage::Suspend, "start-suspended")]
    #[case(Operation::TimeNamespace, Stage::Namespaces, "time-namespace")]
    #[case(Operation::Autoreap, Stage::Start, "autoreap")]
    #[case(Operation::NoNewPrivs, Stage::NoNewPrivs, "no-new-privs")]
    fn trial_has_the_name_of_its_operation(
        #[case] operation: Operation,
        #[case] stage: Stage,
        #[case] expected: &str,
    ) {
        assert_eq!(name(operation, stage), expected);
    }

    /// The settings of a plan that are no attributes.
    type Set = (bool, Option<Autoreap>, bool, Option<i32>, NamespaceSet);

    const USER: NamespaceSet = NamespaceSet::EMPTY.with(Namespace::User);
    const NOTHING: Set = (false, None, false, None, NamespaceSet::EMPTY);
    const NO_PRIVILEGE: Set = (true, None, false, None, NamespaceSet::EMPTY);

    /// A child of the trial closes nothing, and sets only what the operation needs.
    #[rstest]
    #[case(Operation::CpuAffinity, NOTHING)]
    #[case(Operation::NoNewPrivs, NO_PRIVILEGE)]
    #[case(Operation::Landlock, NO_PRIVILEGE)]
    #[case(Operation::Seccomp, NO_PRIVILEGE)]
    #[case(Operation::Autoreap, (true, Some(Autoreap::ReapAndKill), false, None, NamespaceSet::EMPTY))]
    #[case(Operation::Autogroup, (false, None, true, None, NamespaceSet::EMPTY))]
    #[case(Operation::DieWithParent, (false, None, false, Some(libc::SIGKILL), NamespaceSet::EMPTY))]
    #[case(Operation::Namespaces, (false, None, false, None, USER))]
    #[case(Operation::TimeNamespace, (false, None, false, None, USER.with(Namespace::Time)))]
    fn plan_of_a_trial_sets_its_operation(#[case] operation: Operation, #[case] expected: Set) {
        let Plan { close, no_new_privs, autoreap, session, die_with_parent, namespaces, executable, .. } =
            plan(operation, &[], Some(7));
        assert_eq!((no_new_privs, autoreap, session, die_with_parent, namespaces.new), expected);
        assert_eq!((close.is_none(), executable), (true, Some(7)));
    }

    #[rstest]
    #[case(Operation::Landlock, Stage::Landlock, Errno::BADF)]
    #[case(Operation::ExecuteFile, Stage::Exec, Errno::ACCES)]
    #[case(Operation::Jail, Stage::Jail, Errno::INVAL)]
    #[case(Operation::Scheduler, Stage::Exec, Errno::NOENT)]
    fn error_shows_that_an_operation_works(
        #[case] operation: Operation,
        #[case] stage: Stage,
        #[case] errno: Errno,
    ) {
        assert!(works(operation, stage, errno, stage));
        assert!(!works(operation, stage, errno, Stage::Close), "another stage failed");
        assert_eq!(works(operation, stage, Errno::NOSYS, stage), operation == Operation::Scheduler);
    }

    /// A kernel may lack one, and a container may refuse one. A filter refuses in many ways, and shows in the status of the process.
    #[test]
    fn every_operation_works_for_the_superuser() {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let is_filtered = !status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "0"]));
        if is_filtered || !geteuid().is_root() {
            return;
        }
        // SAFETY: the plans of the trials name no descriptor of another owner.
        for trial in trials(unsafe { backend::backend() }) {
            let is_missing =
                matches!(trial.outcome, Outcome::Refused(Errno::NOSYS | Errno::INVAL | Errno::PERM));
            assert!(trial.outcome == Outcome::Works || is_missing, "{trial:?}");
        }
    }

    #[test]
    fn processors_end_with_the_highest() {
        // SAFETY: the backend makes one call, which reads the affinity.
        let mask = processors(unsafe { backend::backend() }).expect("a thread may ask that");
        assert!(mask.last().is_some_and(|&last| last != 0));
    }
}
