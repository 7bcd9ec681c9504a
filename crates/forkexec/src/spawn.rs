//! From a prepared command to a running child: the plan and the launch. Nothing here allocates unless the
//! start fails, passes sockets, sets a watchdog or creates a control group.

pub(crate) mod failure;
pub(crate) mod in_place;
pub(crate) mod panics;
mod spawner_thread;

use crate::child_fds::layout::Layout;
use crate::child_fds::low_fds;
use crate::child_fds::spawn_fds::{SpawnFds, off_the_targets};
use crate::config::namespaces;
use crate::config::settings::{OnDrop, Settings, SpawnPolicy};
use crate::error::{Error, SpawnError, errno_of, failed};
use crate::exec::own_pids;
use crate::prepare::SHELL;
use crate::prepare::checked::CheckedCommand;
use crate::spawn::panics::Panicked;
use crate::sys::backend;
use crate::sys::cgroup::{CgroupFds, ChildCgroup, cgroup_failed};
use crate::sys::system;
use crate::sys::tree_means::TreeMeans;
use crate::sys::worker::on_new_thread;
use forkexec_core::{
    Autoreap, Backend, CStrArray, Errno, Exec, Fd, HOOK_PANICKED, Hook, IdMaps, KeepList, LaunchError,
    Launched, Mask, Namespaces, Operation, Plan, Report, SharedMemory, ShellFallback, Stage,
    WorkingDirectory,
};
use nix::unistd::{getegid, geteuid};
use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;

/// A child that was started, and what the parent holds of it.
pub(crate) struct Spawned {
    pub(crate) launched: Launched,
    /// The parent's ends of the pipes of 0, 1 and 2.
    pub(crate) pipes: [Option<OwnedFd>; 3],
    pub(crate) tree: TreeMeans,
}

/// Starts a child.
pub(crate) fn spawn(prepared: &CheckedCommand<'_>, layout: &Layout) -> Result<Spawned, Error> {
    low_fds::or_give_up(|| start(prepared, layout))
}

fn start(prepared: &CheckedCommand<'_>, layout: &Layout) -> Result<Spawned, Error> {
    let trees = &prepared.trees;
    trees.prepare_process().map_err(|error| failed("become the reaper of descendants", &error))?;
    let cgroup = trees.create_cgroup().map_err(|(base, error)| cgroup_failed(base, &error))?;
    let has_cgroup = cgroup.is_some();
    match start_in(prepared, layout, cgroup) {
        // Only the attempt shows that the group may not be entered.
        Err(Error::Spawn(error)) if has_cgroup && error.stage() == Stage::Cgroup && trees.go_without() => {
            start_in(prepared, layout, None)
        }
        started => started,
    }
}

/// Starts a child, in its own control group if there is one.
fn start_in(
    prepared: &CheckedCommand<'_>,
    layout: &Layout,
    cgroup: Option<(ChildCgroup, CgroupFds)>,
) -> Result<Spawned, Error> {
    let memory = watched(&prepared.settings)?;
    let panicked = memory.as_deref();
    with_plan(prepared, layout, panicked, |plan, spawn_fds| {
        let (cgroup, cgroup_fds) = cgroup.unzip();
        let cgroup_fds = cgroup_fds.map(|fds| cgroup_off_the_targets(fds, plan)).transpose()?;
        let tree = prepared.trees.means(cgroup);
        let plan = Plan {
            cgroup: cgroup_fds.as_ref().map(CgroupFds::numbers).or(plan.cgroup),
            // The pid of a child that the kernel reaps may belong to another process, and identifies no tree.
            autoreap: plan.autoreap.filter(|_| !tree.needs_number()),
            ..*plan
        };
        // SAFETY: `with_plan` and `cgroup_fds` own or borrow each descriptor of the plan, and outlive the call. The plan has an
        // environment of its own.
        let launched = unsafe { launch(&prepared.settings, &plan, &layout.pid_namespaces) };
        let launched = launched.map_err(|error| {
            let error = as_panic(panicked, error);
            failure::explain(prepared, spawn_fds.as_known(error))
        })?;
        Ok(Spawned { launched, pipes: spawn_fds.take_parent_ends(), tree })
    })
}

/// Opens what a start needs, and calls `run` with the plan and the descriptors. `prepared`, its layout and the descriptors own
/// or borrow each descriptor of the plan for that time.
fn with_plan<T>(
    prepared: &CheckedCommand<'_>,
    layout: &Layout,
    panicked: Option<&Panicked>,
    run: impl FnOnce(&Plan<'_>, &mut SpawnFds) -> Result<T, Error>,
) -> Result<T, Error> {
    let hook = || {
        if let Some(panicked) = panicked {
            panicked.watch();
        }
        prepared.settings.hooks.iter().try_for_each(|hook| hook())
    };
    // SAFETY: the caller of `Command::pre_exec` promised that the closure may run between fork and exec.
    let hook = unsafe { Hook::new(&hook) };
    let plan = plan(prepared, layout, hook);
    let mut spawn_fds = SpawnFds::open(layout, &plan)?;
    let own_pids = own_pids::variables(&prepared.settings);
    let announced = (!own_pids.is_empty()).then(|| own_pids::environment(&prepared.env, &own_pids));
    let env = announced.as_deref().and_then(CStrArray::new).or(plan.exec.env);
    let (numbers, reopen) = (*spawn_fds.numbers(), spawn_fds.reopen(layout));
    let ruleset = layout.ruleset.map(|ruleset| ruleset.number(&numbers));
    let settings = &prepared.settings;
    let joined: Vec<Fd> = layout.join.iter().map(|namespace| namespace.number(&numbers)).collect();
    let users = namespaces::map(settings.namespaces.user, || geteuid().as_raw());
    let groups = namespaces::map(settings.namespaces.group, || getegid().as_raw());
    let maps = (users.is_some() || groups.is_some()).then(|| IdMaps {
        users: users.as_deref().map(str::as_bytes),
        groups: groups.as_deref().map(str::as_bytes),
    });
    let attributes = settings.attributes.list(&prepared.encoded, settings.uid.is_some(), ruleset);
    let plan = Plan {
        ends: &numbers,
        reopen: &reopen,
        own_pids: &own_pids,
        attributes: &attributes,
        executable: layout.executable.map(|executable| executable.number(&numbers)),
        namespaces: Namespaces { join: &joined, new: settings.namespaces.new, maps },
        exec: Exec { env, ..plan.exec },
        early_directory: layout.directory.map(|directory| WorkingDirectory::Fd(directory.number(&numbers))),
        terminal: layout.terminal.map(|terminal| terminal.number(&numbers)),
        foreground: layout.foreground.map(|terminal| terminal.number(&numbers)),
        ..plan
    };
    run(&plan, &mut spawn_fds)
}

/// Moves the descriptors of the child's control group to numbers that no step of the plan overwrites.
fn cgroup_off_the_targets(fds: CgroupFds, plan: &Plan<'_>) -> Result<CgroupFds, SpawnError> {
    let directory = off_the_targets(fds.directory, plan)?;
    let procs = off_the_targets(fds.procs, plan)?;
    Ok(CgroupFds { directory, procs })
}

/// Maps the shared memory that records a panic of a closure, if there are closures.
fn watched(settings: &Settings<'_>) -> Result<Option<impl Deref<Target = Panicked>>, Error> {
    if settings.hooks.is_empty() {
        return Ok(None);
    }
    // SAFETY: the value is used only to map new memory. It touches no descriptor.
    let sys = unsafe { backend::backend() }.sys();
    let memory = SharedMemory::new(sys);
    Ok(Some(
        memory.map_err(|errno| {
            failed("allocate shared memory for the report of a panic", &errno_error(errno))
        })?,
    ))
}

fn errno_error(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.raw())
}

/// Turns the error into that of a panic, if a panic ended the child.
fn as_panic(panicked: Option<&Panicked>, error: LaunchError) -> LaunchError {
    match error {
        LaunchError::Died { stage: Stage::PreExec, .. } if panicked.is_some_and(Panicked::is_set) => {
            let (stage, errno, operand) = (Stage::PreExec, Errno::CANCELED, HOOK_PANICKED);
            LaunchError::Child(Report { stage, errno, operand })
        }
        error => error,
    }
}

/// # Safety
///
/// As [`backend::launch`].
unsafe fn launch(
    settings: &Settings<'_>,
    plan: &Plan<'_>,
    pid_namespaces: &[Fd],
) -> Result<Launched, LaunchError> {
    if pid_namespaces.is_empty() && may_kill_by_pidfd(settings, plan) {
        let plan = Plan { autoreap: Some(Autoreap::ReapAndKill), ..*plan };
        // SAFETY: the caller upholds the contract of `launch_by`.
        match unsafe { launch_by(settings.spawn_policy, &plan) } {
            // The kernel cannot, or may not. The parent-death signal takes its place.
            Err(LaunchError::Parent { stage: Stage::DieWithParent, .. }) => {}
            launched => return launched,
        }
    }
    let is_pdeathsig_thread = needs_pdeathsig_thread(settings);
    if !is_pdeathsig_thread && pid_namespaces.is_empty() {
        // SAFETY: the caller upholds the contract of `launch_by`.
        return unsafe { launch_by(settings.spawn_policy, plan) };
    }
    let mask = match plan.mask {
        Mask::Inherit => Mask::Set(backend::blocked_signals().map_err(in_parent)?),
        set @ Mask::Set(_) => set,
    };
    let plan = Plan { mask, ..*plan };
    let launch = || {
        join_pid_namespaces(pid_namespaces)?;
        // SAFETY: the caller upholds the contract of `launch_by`, and this call returns only after the thread is
        // done.
        unsafe { launch_by(settings.spawn_policy, &plan) }
    };
    let started = if is_pdeathsig_thread {
        spawner_thread::run(launch)
    } else {
        // Children of a thread that lives on would be in the namespace, too.
        on_new_thread("forkexec-pid-namespace", launch)
    };
    started.unwrap_or_else(|error| Err(in_parent(errno_of(&error))))
}

/// Moves the later children of the calling thread to the namespaces. No child was started if that fails.
fn join_pid_namespaces(pid_namespaces: &[Fd]) -> Result<(), LaunchError> {
    (0..).zip(pid_namespaces).try_for_each(|(index, &namespace)| {
        system::join_pid_namespace(namespace).map_err(|errno| {
            let operand = namespaces::in_parent(index);
            LaunchError::Child(Report { stage: Stage::Namespaces, errno, operand })
        })
    })
}

/// # Safety
///
/// As [`backend::launch`].
unsafe fn launch_by(policy: SpawnPolicy, plan: &Plan<'_>) -> Result<Launched, LaunchError> {
    let launch = match policy {
        SpawnPolicy::Auto => backend::launch,
        SpawnPolicy::NoFork => backend::launch_fast,
        SpawnPolicy::Fork => backend::launch_forked,
    };
    // SAFETY: the caller upholds the contract of `backend::launch`.
    unsafe { launch(plan) }
}

/// Returns true if the kernel may kill the child when its pidfd is closed, instead of a parent-death signal. An abandoned
/// child has no handle that keeps the pidfd open.
fn may_kill_by_pidfd(settings: &Settings<'_>, plan: &Plan<'_>) -> bool {
    plan.autoreap.is_some()
        && settings.die_with_parent == Some(libc::SIGKILL)
        && settings.on_drop != OnDrop::Abandon
        && settings.spawn_policy != SpawnPolicy::Fork
        && plan.hook.is_none()
        && backend::has(Operation::Autoreap)
}

/// Returns true if the spawner thread starts the child, so that the child does not die with the calling
/// thread.
fn needs_pdeathsig_thread(settings: &Settings<'_>) -> bool {
    settings.pdeathsig_thread
        && settings.die_with_parent.is_some()
        && system::thread::may_end_before_the_process()
}

fn in_parent(errno: Errno) -> LaunchError {
    LaunchError::Parent { stage: Stage::Start, errno }
}

/// Builds the plan, without the parts that differ between starts.
fn plan<'a>(prepared: &'a CheckedCommand<'_>, layout: &'a Layout, hook: Hook<'a>) -> Plan<'a> {
    let settings = &*prepared.settings;
    Plan {
        keep: KeepList::new(&prepared.descriptors.open)
            .expect("collected from a sorted set of checked numbers"),
        inherit: &layout.inherit,
        moves: &layout.moves,
        placed: &layout.placed,
        cgroup: layout.cgroup,
        root: prepared.root.as_deref(),
        directory: prepared.directory.as_deref().map(WorkingDirectory::Path),
        umask: settings.umask,
        reset: prepared.reset,
        ignore: prepared.ignore,
        session: settings.starts_session(),
        process_group: settings.joins_group(),
        limits: &prepared.limits,
        nice: settings.nice,
        groups: prepared.group_list.as_deref(),
        gid: settings.gid,
        uid: settings.uid,
        no_new_privs: settings.no_new_privs,
        die_with_parent: settings.die_with_parent,
        mask: prepared.mask.map_or(Mask::Inherit, Mask::Set),
        hook: (!settings.hooks.is_empty()).then_some(hook),
        close: settings.close,
        pidfd: settings.pidfd != Some(false),
        autoreap: settings.autoreap.then_some(Autoreap::Reap),
        timed: settings.timed,
        ..Plan::new(exec(prepared))
    }
}

fn exec<'a>(prepared: &'a CheckedCommand<'_>) -> Exec<'a> {
    let argvs = prepared.shell_argvs.as_arrays();
    Exec {
        candidates: prepared.candidates.as_refs(),
        argv: prepared.argv.as_array(),
        env: Some(prepared.env.as_array()),
        shell: (!argvs.is_empty()).then_some(ShellFallback { shell: SHELL, argvs }),
    }
}

/// Calls `work` with the plan of a command that is not started.
#[cfg(test)]
pub(crate) fn planned<T>(prepared: &CheckedCommand<'_>, work: impl FnOnce(&Plan<'_>) -> T) -> T {
    // SAFETY: the closure does nothing.
    let hook = unsafe { Hook::new(&|| Ok(())) };
    work(&plan(prepared, &prepared.layout, hook))
}

#[cfg(test)]
mod tests {
    use super::{Plan, may_kill_by_pidfd, planned, with_plan};
    use crate::Stdio;
    use crate::child_fds::low_fds::HIGH;
    use crate::command::Command;
    use crate::config::settings::{OnDrop, SpawnPolicy};
    use crate::sys::fd::duplicate;
    use crate::sys::{backend, system};
    use forkexec_core::{Access, Namespace, Operation, Reopen};
    use rstest::rstest;
    use std::fs::File;

    /// Calls `work` with the plan of a start that does not take place.
    fn at_a_start<T>(command: &mut Command, work: impl FnOnce(&Plan<'_>) -> T) -> T {
        let prepared = command.prepare().expect("it can be prepared");
        let checked = &prepared.checked;
        with_plan(checked, &checked.layout, None, |plan, _| Ok(work(plan))).expect("numbers are free")
    }

    /// Without these, a child copies and closes more, and is the same.
    #[test]
    fn plan_has_what_saves_calls() {
        let mut command = Command::new("true");
        let file = File::open("/dev/null").expect("it is there");
        // It can have a low number while the child starts.
        let high = duplicate(&file, HIGH).expect("a number is free");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).keep_fd(high).fd(40, file);
        at_a_start(&mut command, |plan| {
            assert!(plan.placed.contains(&40) && plan.placed.iter().all(|&fd| fd > 2), "{:?}", plan.placed);
            assert_eq!(plan.inherit.is_empty(), system::shares_table());
            assert_eq!(plan.reopen[1], Reopen { fd: plan.ends[1], access: Access::Write });
        });
    }

    #[rstest]
    #[case::none(|_: &mut Command| (), None)]
    #[case::user(|it: &mut Command| _ = it.map_user(5), Some((true, false)))]
    #[case::group(|it: &mut Command| _ = it.map_group(5), Some((false, true)))]
    #[case::both(|it: &mut Command| _ = it.map_user(5).map_group(5), Some((true, true)))]
    fn each_map_of_a_user_namespace_can_be_alone(
        #[case] ask: fn(&mut Command),
        #[case] expected: Option<(bool, bool)>,
    ) {
        if !backend::has(Operation::Namespaces) {
            return;
        }
        let mut command = Command::new("true");
        ask(command.unshare([Namespace::User]));
        let maps = |plan: &Plan<'_>| {
            let maps = plan.namespaces.maps.as_ref();
            maps.map(|maps| (maps.users.is_some(), maps.groups.is_some()))
        };
        assert_eq!(at_a_start(&mut command, maps), expected);
    }

    /// The parent-death signal remains in all other cases.
    #[rstest]
    #[case::killed_and_reaped(|_: &mut Command| (), true)]
    #[case::not_autoreaped(|it: &mut Command| _ = it.autoreap(false), false)]
    #[case::other_signal(|it: &mut Command| _ = it.die_with_parent(libc::SIGTERM), false)]
    #[case::killed_on_drop(|it: &mut Command| _ = it.on_drop(OnDrop::Kill), true)]
    #[case::abandoned(|it: &mut Command| _ = it.on_drop(OnDrop::Abandon), false)]
    #[case::forked(|it: &mut Command| _ = it.spawn_policy(SpawnPolicy::Fork), false)]
    // SAFETY: the closure does nothing.
    #[case::closure(|it: &mut Command| _ = unsafe { it.pre_exec(|| Ok(())) }, false)]
    fn closing_kills_only_what_a_handle_keeps_open(#[case] ask: fn(&mut Command), #[case] expected: bool) {
        if !backend::has(Operation::DieWithParent) {
            return;
        }
        let mut command = Command::new("true");
        command.autoreap(true).die_with_parent(libc::SIGKILL);
        ask(&mut command);
        let prepared = command.prepare().expect("it can be prepared");
        let settings = &prepared.checked.settings;
        let kills = planned(&prepared.checked, |plan| may_kill_by_pidfd(settings, plan));
        assert_eq!(kills, expected && backend::has(Operation::Autoreap));
    }
}
