//! The trial of each operation: a child sets it, and finds no program.

use super::run::{self, Tried};
use super::{Probe, ProbeKind};
use crate::config::attributes::Attributes;
use crate::sys::system::{forking, launchers};
use forkexec_core::{
    Attribute, Autoreap, Backend, BpfInstruction, CStrArray, CapabilitySets, Errno, Exec, IoPriority,
    MemoryPolicy, Namespace, NamespaceSet, Namespaces, Operation, ParentSys, Plan, Scheduler, SeccompFilter,
    Stage, Unveil,
};
use std::collections::BTreeSet;
use std::ffi::c_ulong;
use std::fs::{self, File};
use std::os::fd::AsRawFd;

/// Tries each operation of the running release. A child can enter only a control group that exists, so
/// there is no trial for that.
pub(super) fn trials<B: Backend<Sys: ParentSys> + ?Sized>(backend: &B) -> Vec<Probe> {
    let operations = backend.capabilities().operations.iter().copied();
    let processors = processors();
    operations
        .filter(|&operation| backend.has(operation))
        .filter_map(|operation| {
            let (stage, attributes) = attributes(operation, processors.as_deref())?;
            let tried = attributes.map_or_else(
                || Tried::not_run(Errno::NOENT),
                |attributes| trial(backend, operation, stage, attributes.as_slice()),
            );
            let name = match operation {
                Operation::ExecuteFile => "execute-file",
                Operation::StartSuspended => "start-suspended",
                Operation::Autoreap => "autoreap",
                Operation::TimeNamespace => "time-namespace",
                _ => stage.name(),
            };
            Some(tried.of(ProbeKind::Operation(operation), name))
        })
        .collect()
}

fn trial<B: Backend<Sys: ParentSys> + ?Sized>(
    backend: &B,
    operation: Operation,
    stage: Stage,
    attributes: &[Attribute<'_>],
) -> Tried {
    let exec = Exec { candidates: &[], argv: CStrArray::EMPTY, env: Some(CStrArray::EMPTY), shell: None };
    let is = |other| operation == other;
    let user = NamespaceSet::EMPTY.with(Namespace::User);
    let new = match operation {
        Operation::Namespaces => user,
        Operation::TimeNamespace => user.with(Namespace::Time),
        _ => NamespaceSet::EMPTY,
    };
    let device = is(Operation::ExecuteFile).then(|| File::open("/dev/null"));
    let Ok(device) = device.transpose() else { return Tried::not_run(Errno::NOENT) };
    let plan = Plan {
        close: None,
        attributes,
        namespaces: Namespaces { join: &[], new, maps: None },
        // A ruleset, a filter and the kill at the parent's death need it without privilege.
        no_new_privs: [Operation::NoNewPrivs, Operation::Landlock, Operation::Seccomp, Operation::Autoreap]
            .into_iter()
            .any(is),
        autoreap: is(Operation::Autoreap).then_some(Autoreap::ReapAndKill),
        executable: device.as_ref().map(AsRawFd::as_raw_fd),
        // The autogroup of this process stays as it is.
        session: is(Operation::Autogroup),
        die_with_parent: is(Operation::DieWithParent).then_some(libc::SIGKILL),
        ..Plan::new(exec)
    };
    // SAFETY: the plan names no descriptor but that of the device, which outlives the trial.
    let first = unsafe { launchers() }.next();
    let needs_first =
        [Operation::Namespaces, Operation::TimeNamespace, Operation::Autoreap].into_iter().any(is);
    let first = first.filter(|_| needs_first);
    // A kernel with the call answers `EBADF` to no ruleset (landlock_restrict_self(2)), `EACCES` to a device (execveat(2)), and
    // `EINVAL` to no jail (jail_attach(2)). One without it answers something else.
    let works = |errno, at| match operation {
        Operation::Landlock => (at, errno) == (stage, Errno::BADF),
        Operation::ExecuteFile => (at, errno) == (stage, Errno::ACCES),
        Operation::Jail => (at, errno) == (stage, Errno::INVAL),
        _ => at == Stage::Exec,
    };
    run::operation(backend, first.unwrap_or_else(forking), &plan, works)
}

/// Returns the stage of an operation, and the attributes that set it. They are harmless: the child has no
/// program. They need no privilege, except where the operation itself does.
fn attributes(
    operation: Operation,
    processors: Option<&[c_ulong]>,
) -> Option<(Stage, Option<Vec<Attribute<'_>>>)> {
    const ALLOW: &[BpfInstruction] = &[BpfInstruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 }];
    const NO_RULESET: i32 = -1;
    const NO_JAIL: i32 = -1;
    let attribute = match operation {
        Operation::DieWithParent => return Some((Stage::DieWithParent, Some(Vec::new()))),
        Operation::Autoreap => return Some((Stage::Start, Some(Vec::new()))),
        Operation::NoNewPrivs => return Some((Stage::NoNewPrivs, Some(Vec::new()))),
        Operation::ExecuteFile => return Some((Stage::Exec, Some(Vec::new()))),
        Operation::Namespaces => return Some((Stage::Namespaces, Some(Vec::new()))),
        Operation::CpuAffinity => {
            return Some((Stage::CpuAffinity, processors.map(|mask| vec![Attribute::CpuAffinity(mask)])));
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
    Some((attribute.stage(), Some(vec![attribute])))
}

/// Returns the processors that may run this thread. `None` without `/proc`.
fn processors() -> Option<Vec<c_ulong>> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let cpus = numbers(list.trim())?;
    Some(Attributes { cpus: Some(cpus), ..Attributes::default() }.encode().ok()?.cpus)
}

/// Parses `0-3,8`.
fn numbers(list: &str) -> Option<BTreeSet<usize>> {
    let ranges = list.split(',').map(|range| {
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        Some(low.parse().ok()?..=high.parse().ok()?)
    });
    Some(ranges.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_numbers_and_ranges() {
        assert_eq!(numbers("0-2,8"), Some([0, 1, 2, 8].into()));
        assert_eq!(numbers("5"), Some([5].into()));
        assert_eq!((numbers(""), numbers("1-x")), (None, None));
    }
}
