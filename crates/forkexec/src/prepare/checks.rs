//! The checks that refuse a command before a child is started.

use crate::child_fds::layout::Descriptors;
use crate::config::attributes::Encoded;
use crate::config::containment::Containment;
use crate::config::limit::LimitChange;
use crate::config::settings::{Directory, Settings, SpawnPolicy};
use crate::config::source::FdSource;
use crate::config::stdio::{Kind, Stdio};
use crate::error::{Error, InputError, Operand, SignalUse, SpawnError, failed};
use crate::exec::listen_vars::is_name;
use crate::sys::backend::{self, capabilities};
use crate::sys::fd::{cloexec, highest_target};
use crate::sys::limit;
use crate::sys::system::{self, MOST_GROUPS};
use forkexec_core::{
    Capabilities, Errno, Fd, Limit, Namespace, Operation, Signal, SignalSet, SpawnMethod, Stage,
};
use nix::unistd::geteuid;
use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

/// Checks kept descriptors and mappings, and collects the numbers from 3 up that the program will have open.
pub(super) fn descriptors(settings: &Settings<'_>) -> Result<Descriptors, InputError> {
    let mut targets = BTreeSet::new();
    let highest = LazyCell::new(highest_target);
    for (source, target) in &settings.mappings {
        is_open(source)?;
        if !(0..=*highest).contains(target) {
            return Err(InputError::TargetOutOfRange { target: *target, highest: *highest });
        }
        if !targets.insert(*target) {
            return Err(InputError::ClaimedTwice { target: *target });
        }
    }
    if let Some(name) = settings.sockets.iter().find(|name| !is_name(name)) {
        return Err(InputError::BadSocketName { name: name.clone() });
    }
    let mut kept = BTreeSet::new();
    for source in &settings.keep {
        is_open(source)?;
        let fd = source.as_raw_fd();
        if targets.contains(&fd) || stream_is_set(settings, fd) {
            return Err(InputError::ClaimedTwice { target: fd });
        }
        kept.insert(fd);
    }
    let users =
        [&settings.terminal, &settings.foreground, &settings.attributes.landlock, &settings.executable];
    let users = users.into_iter().flatten();
    users.chain(settings.directory_fd()).chain(&settings.namespaces.join).try_for_each(is_open)?;
    targets.extend(&kept);
    Ok(Descriptors {
        kept: kept.into_iter().collect(),
        open: targets.into_iter().filter(|&fd| fd > 2).collect(),
    })
}

fn is_open(source: &FdSource<'_>) -> Result<(), InputError> {
    let fd = source.as_raw_fd();
    cloexec(fd).map(drop).ok_or(InputError::NotOpen { fd })
}

/// Returns true if the stream with this number was set. A kept 0, 1 or 2 contradicts that, unless it is set
/// to inherit.
fn stream_is_set(settings: &Settings<'_>, fd: Fd) -> bool {
    let stream = usize::try_from(fd).ok().and_then(|index| settings.streams.get(index)?.as_ref());
    let is_of_pty = || settings.pty.is_some() && (0..=2).contains(&fd);
    stream.map_or_else(is_of_pty, |stdio| !matches!(stdio.0, Kind::Inherit))
}

/// Checks all settings that are numbers, and whether the system supports them.
pub(super) fn attributes(settings: &Settings<'_>) -> Result<(), Error> {
    launch(settings)?;
    identity(settings)?;
    session(settings)?;
    let sets_capacity = |stream: &Option<Stdio>| matches!(stream, Some(Stdio(Kind::Piped(Some(_)))));
    if !system::SETS_PIPE_CAPACITY && settings.streams.iter().any(sets_capacity) {
        let system = capabilities().system;
        return Err(Error::Unsupported { operation: "set the capacity of a pipe", system });
    }
    if let Some(mask) = settings.umask.filter(|&mask| mask > 0o777) {
        return Err(InputError::UmaskOutOfRange { mask }.into());
    }
    if let Some(nice) = settings.nice.filter(|nice| !(-20..=19).contains(nice)) {
        return Err(InputError::NiceOutOfRange { nice }.into());
    }
    let too_short = |interval: &Duration| interval.as_micros() == 0;
    if let Some(interval) = settings.supervision.watchdog.filter(too_short) {
        return Err(InputError::WatchdogTooShort { interval }.into());
    }
    if let Some(signal) = settings.die_with_parent {
        is_signal(signal, SignalUse::Sent)?;
        supports(Operation::DieWithParent, "set the parent-death signal")?;
    }
    if settings.cgroup.is_some() || settings.containment == Some(Containment::Cgroup) {
        supports(Operation::Cgroup, "start a child in a cgroup")?;
    }
    if settings.containment == Some(Containment::Reaper) && !system::reaper::IS_THERE {
        let system = capabilities().system;
        return Err(Error::Unsupported { operation: "contain a child's descendants by a reaper", system });
    }
    if settings.no_new_privs {
        supports(Operation::NoNewPrivs, "set no_new_privs")?;
    }
    namespaces(settings)?;
    if settings.executable.is_some() {
        supports(Operation::ExecuteFile, "execute an open file")?;
    }
    if !settings.attributes.unveiled.is_empty() && settings.attributes.promises.is_none() {
        return Err(InputError::UnveilWithoutPledge.into());
    }
    let ruleset = settings.attributes.landlock.as_ref().map(AsRawFd::as_raw_fd);
    for attribute in settings.attributes.list(&Encoded::default(), settings.uid.is_some(), ruleset) {
        supports(attribute.operation(), attribute.stage().describe())?;
    }
    if settings.attributes.scheduler.is_some_and(|scheduler| !backend::has_scheduler(scheduler)) {
        let system = capabilities().system;
        return Err(Error::Unsupported { operation: "set this scheduling policy", system });
    }
    if settings.attributes.io_priority.is_some_and(|priority| !backend::has_io_priority(priority)) {
        let system = capabilities().system;
        return Err(Error::Unsupported { operation: "set this I/O priority", system });
    }
    if settings.attributes.has_more_processors_than(backend::most_processors()) {
        let system = capabilities().system;
        return Err(Error::Unsupported { operation: "set a CPU affinity of several processors", system });
    }
    settings.attributes.check(backend::highest_priority())?;
    if settings.attributes.autogroup.is_some() && !settings.starts_session() {
        return Err(InputError::AutogroupWithoutSession.into());
    }
    Ok(())
}

fn namespaces(settings: &Settings<'_>) -> Result<(), Error> {
    let namespaces = &settings.namespaces;
    if namespaces.maps_nothing() {
        return Err(InputError::MapWithoutUserNamespace.into());
    }
    let has_time = namespaces.new.contains(Namespace::Time);
    if !has_time && !settings.attributes.clocks.is_empty() {
        return Err(InputError::ClockWithoutTimeNamespace.into());
    }
    if namespaces.is_empty() {
        return Ok(());
    }
    supports(Operation::Namespaces, Stage::Namespaces.describe())?;
    if has_time {
        supports(Operation::TimeNamespace, "create a time namespace")?;
    }
    let forks = !settings.hooks.is_empty() || settings.spawn_policy == SpawnPolicy::Fork;
    if forks && namespaces.new.contains(Namespace::Pid) {
        return Err(InputError::PidNamespaceNeedsClone.into());
    }
    // The thread that joins the namespace ends after the start.
    match namespaces.of_pids().next().filter(|_| settings.die_with_parent.is_some()) {
        Some(namespace) => Err(InputError::DieWithParentInPidNamespace { fd: namespace.as_raw_fd() }.into()),
        None => Ok(()),
    }
}

/// Returns the limits to set. A side that was not set is that of an earlier setting, or of this process.
pub(super) fn limits(changes: &[LimitChange]) -> Result<Vec<Limit>, Error> {
    let mut limits: Vec<Limit> = Vec::with_capacity(changes.len());
    for change in changes {
        let earlier = limits.iter().rev().find(|limit| limit.resource == change.resource).copied();
        let before = || earlier.map_or_else(|| limit::of_process(change.resource), Ok);
        let limit = change.of(before).map_err(|error| failed("read a resource limit", &error))?;
        if limit.soft > limit.hard {
            let name = backend::resource_name(limit.resource);
            return Err(InputError::SoftAboveHard { name, soft: limit.soft, hard: limit.hard }.into());
        }
        limits.push(limit);
    }
    Ok(limits)
}

/// Checks that the system has a method other than fork(2), if the policy demands one.
fn launch(settings: &Settings<'_>) -> Result<(), Error> {
    if settings.spawn_policy != SpawnPolicy::NoFork {
        return Ok(());
    }
    if !settings.hooks.is_empty() {
        return Err(InputError::ClosureNeedsFork.into());
    }
    let Capabilities { launchers, system, .. } = *capabilities();
    if launchers.iter().all(|method| *method == SpawnMethod::Fork) {
        return Err(Error::Unsupported { operation: "start a child without fork", system });
    }
    Ok(())
}

fn supports(operation: Operation, words: &'static str) -> Result<(), Error> {
    if backend::has(operation) {
        return Ok(());
    }
    Err(Error::Unsupported { operation: words, system: capabilities().system })
}

fn identity(settings: &Settings<'_>) -> Result<(), InputError> {
    let is_id =
        |what, id: u32| if id == u32::MAX { Err(InputError::IdOutOfRange { what, id }) } else { Ok(()) };
    settings.uid.map_or(Ok(()), |uid| is_id("user", uid))?;
    settings.gid.map_or(Ok(()), |gid| is_id("group", gid))?;
    let groups = settings.groups.as_deref().unwrap_or_default();
    groups.iter().try_for_each(|&group| is_id("supplementary group", group))?;
    if !groups.is_empty() {
        let limit = groups_limit();
        if groups.len() > limit {
            return Err(InputError::TooManyGroups { count: groups.len(), limit });
        }
    }
    match settings.uid {
        Some(uid) if leaves_group(settings) => Err(InputError::UserWithoutGroup { uid }),
        _ => Ok(()),
    }
}

/// Returns true if a child with another user would keep the group of a privileged parent.
fn leaves_group(settings: &Settings<'_>) -> bool {
    settings.gid.is_none() && !settings.keep_groups && settings.uid != Some(0) && geteuid().is_root()
}

/// Returns true if the child drops the supplementary groups of a privileged parent although none are set, as
/// in std.
pub(super) fn drops_groups(settings: &Settings<'_>) -> bool {
    let changes = settings.uid.is_some() && settings.gid.is_some();
    changes && settings.groups.is_none() && !settings.keep_groups && geteuid().is_root()
}

/// The maximum number of supplementary groups of the system.
fn groups_limit() -> usize {
    // SAFETY: sysconf(3) with a constant only reads a limit.
    let reported = || usize::try_from(unsafe { libc::sysconf(libc::_SC_NGROUPS_MAX) }).unwrap_or(usize::MAX);
    MOST_GROUPS.unwrap_or_else(reported)
}

fn session(settings: &Settings<'_>) -> Result<(), InputError> {
    if let Some(group) = settings.process_group {
        if group < 0 {
            return Err(InputError::NegativeProcessGroup { group });
        }
        if settings.starts_session() && group != 0 {
            return Err(InputError::SessionInOtherGroup { group });
        }
        if settings.containment == Some(Containment::Group) && group != 0 {
            return Err(InputError::TreeInOtherGroup { group });
        }
    }
    if settings.terminal.is_some() && !settings.starts_session() {
        return Err(InputError::TerminalWithoutSession);
    }
    Ok(())
}

fn is_signal(signal: Signal, verb: SignalUse) -> Result<(), InputError> {
    if backend::is_signal(signal) { Ok(()) } else { Err(InputError::BadSignal { signal, verb }) }
}

/// Collects a set of signals. Refuses those that no process can block or ignore, and those reserved by the C
/// library.
pub(super) fn signals(signals: &[Signal], verb: SignalUse) -> Result<SignalSet, InputError> {
    for &signal in signals {
        is_signal(signal, verb)?;
        let fixed = matches!(signal, libc::SIGKILL | libc::SIGSTOP);
        if fixed || capabilities().reserved_signals.contains(&signal) {
            return Err(InputError::BadSignal { signal, verb });
        }
    }
    Ok(signals.iter().copied().collect())
}

/// Checks that directories exist. If the child changes its root or user, only the child can find out what a
/// path means.
pub(super) fn directories(settings: &Settings<'_>) -> Result<(), SpawnError> {
    if !settings.child_has_the_same_files() {
        return Ok(());
    }
    if let Some(root) = &settings.root {
        return is_directory(Stage::Chroot, root);
    }
    match &settings.directory {
        Some(Directory::Path(path)) => is_directory(Stage::Chdir, path),
        _ => Ok(()),
    }
}

fn is_directory(stage: Stage, path: &Path) -> Result<(), SpawnError> {
    let errno = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => Errno::NOTDIR,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Errno::NOENT,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Errno::NOTDIR,
        // The child may have permissions that this process lacks.
        Err(_) => return Ok(()),
    };
    Err(SpawnError::new(stage, Operand::Path(path.to_owned()), errno, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::stderr;
    use std::os::fd::AsFd;

    #[test]
    fn open_descriptors_exclude_the_streams() {
        let (errors, file) = (stderr(), File::open("/dev/null").expect("there is a null device"));
        let mut settings = Settings::new("true".into());
        settings.keep = vec![FdSource::from(errors.as_fd()), FdSource::from(&file)];
        let Descriptors { kept, open } = descriptors(&settings).expect("both are open");
        assert_eq!(kept, [2, file.as_raw_fd()]);
        assert_eq!(open, [file.as_raw_fd()]);
    }

    #[test]
    fn limits_of_the_identity_are_inclusive() {
        let with_groups = |count| Settings { groups: Some(vec![1; count]), ..Settings::new("true".into()) };
        let limit = groups_limit();
        assert!(identity(&with_groups(limit)).is_ok());
        let refused = identity(&with_groups(limit + 1)).expect_err("they are too many");
        assert!(
            matches!(refused, InputError::TooManyGroups { count, .. } if count == limit + 1),
            "{refused}"
        );
        let with_gid = |gid| Settings { gid: Some(gid), ..Settings::new("true".into()) };
        assert!(identity(&with_gid(u32::MAX - 1)).is_ok());
        let refused = identity(&with_gid(u32::MAX)).expect_err("it is not an ID");
        assert!(matches!(refused, InputError::IdOutOfRange { id: u32::MAX, .. }), "{refused}");
    }

    #[test]
    fn limits_of_numbers_are_inclusive() {
        let is_accepted = |nice, umask, interval| {
            let mut settings = Settings { umask, nice, ..Settings::new("true".into()) };
            settings.supervision.watchdog = interval;
            attributes(&settings).is_ok()
        };
        for (nice, expected) in [(-21, false), (-20, true), (19, true), (20, false)] {
            assert_eq!(is_accepted(Some(nice), None, None), expected, "{nice}");
        }
        for (umask, expected) in [(0, true), (0o777, true), (0o1000, false)] {
            assert_eq!(is_accepted(None, Some(umask), None), expected, "{umask:o}");
        }
        for (nanoseconds, expected) in [(999, false), (1_000, true)] {
            let interval = Some(Duration::from_nanos(nanoseconds));
            assert_eq!(is_accepted(None, None, interval), expected, "{nanoseconds}");
        }
    }

    #[test]
    fn leader_of_a_session_or_tree_joins_no_other_group() {
        let is_accepted = |group, session, containment| {
            let process_group = Some(group);
            let settings = Settings { session, process_group, containment, ..Settings::new("true".into()) };
            super::session(&settings).is_ok()
        };
        let tree = Some(Containment::Group);
        assert!(is_accepted(0, true, None) && is_accepted(0, false, tree) && is_accepted(1, false, None));
        assert!(!is_accepted(-1, false, None) && !is_accepted(1, true, None) && !is_accepted(1, false, tree));
    }

    /// The parent leaves each other error to the child.
    #[test]
    fn missing_directory_is_refused_with_its_errno() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let (file, ring) = (directory.path().join("file"), directory.path().join("ring"));
        fs::write(&file, "").expect("it can be written");
        std::os::unix::fs::symlink(&ring, &ring).expect("it can be made");
        let errno = |path: &Path| is_directory(Stage::Chdir, path).map_err(|error| error.errno());
        assert_eq!(errno(directory.path()), Ok(()));
        assert_eq!(errno(&directory.path().join("missing")), Err(Errno::NOENT));
        assert_eq!([errno(&file), errno(&file.join("below"))], [Err(Errno::NOTDIR); 2]);
        assert_eq!(errno(&ring), Ok(()));
    }
}
