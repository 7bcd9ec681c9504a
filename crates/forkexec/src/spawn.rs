//! From a prepared command to a child: its plan, its start.

use crate::failure;
use crate::layout::Layout;
use crate::platform;
use crate::prepare::{Prepared, PreparedDirectory, SHELL};
use crate::{Child, Error};
use forkexec_core::{
    CStrArray, Exec, Hook, HookError, KeepList, Mask, Plan, ShellFallback, WorkingDirectory,
};
use std::ffi::CStr;

/// Starts a child.
pub(crate) fn spawn(prepared: &Prepared<'_>) -> Result<Child, Error> {
    let mut layout = Layout::new(prepared)?;
    let candidates: Vec<&CStr> = prepared.candidates.iter().map(AsRef::as_ref).collect();
    let shell_argvs: Vec<CStrArray<'_>> = prepared.shell_argvs.iter().map(|argv| argv.as_array()).collect();
    let exec = Exec {
        candidates: &candidates,
        argv: prepared.argv.as_array(),
        env: Some(prepared.env.as_array()),
        shell: (!shell_argvs.is_empty()).then_some(ShellFallback { shell: SHELL, argvs: &shell_argvs }),
    };
    let hook = || prepared.settings.hooks.iter().try_for_each(|hook| hook());
    let launched = platform::launcher().launch(&plan(prepared, &layout, exec, &hook));
    let launched = launched.map_err(|error| failure::explain(prepared, error))?;
    Ok(Child::new(launched, std::mem::take(&mut layout.parents)))
}

fn plan<'a>(
    prepared: &'a Prepared<'_>,
    layout: &'a Layout,
    exec: Exec<'a>,
    hook: &'a (impl Fn() -> Result<(), HookError> + Sync),
) -> Plan<'a> {
    let settings = prepared.settings;
    Plan {
        keep: KeepList::new(&prepared.open).expect("collected from a sorted set of checked numbers"),
        inherit: &prepared.inherit,
        moves: &layout.moves,
        root: prepared.root.as_deref(),
        directory: directory(prepared, layout),
        umask: settings.umask,
        reset: prepared.reset,
        ignore: prepared.ignore,
        session: settings.session,
        // The leader of a session leads a process group already, and may not ask for one.
        process_group: settings.process_group.filter(|_| !settings.session),
        terminal: layout.terminal,
        foreground: layout.foreground,
        limits: &settings.limits,
        nice: settings.nice,
        groups: settings.groups.as_deref(),
        gid: settings.gid,
        uid: settings.uid,
        no_new_privs: settings.no_new_privs,
        die_with_parent: settings.die_with_parent,
        mask: prepared.mask.map_or(Mask::Inherit, Mask::Set),
        hook: (!settings.hooks.is_empty()).then_some(hook as &Hook<'_>),
        close: settings.close,
        timed: settings.timed,
        ..Plan::new(exec)
    }
}

fn directory<'a>(prepared: &'a Prepared<'_>, layout: &Layout) -> Option<WorkingDirectory<'a>> {
    match &prepared.directory {
        Some(PreparedDirectory::Path(path)) => Some(WorkingDirectory::Path(path)),
        Some(PreparedDirectory::Fd(_)) => layout.directory.map(WorkingDirectory::Fd),
        None => None,
    }
}
