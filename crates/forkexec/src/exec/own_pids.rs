//! The variables that hold the process id of the child. Only the child can write them.

use super::c_array::CStringArray;
use super::{listen_vars, notify_vars};
use crate::config::settings::Settings;
use forkexec_core::{PidVariable, ThinCStr};

/// Returns the variables that the child writes.
pub(crate) fn variables(settings: &Settings<'_>) -> Vec<PidVariable> {
    let sockets = (!settings.sockets.is_empty()).then_some(listen_vars::PID);
    let watchdog = settings.supervision.watchdog.map(|_| notify_vars::WATCHDOG_PID);
    sockets.into_iter().chain(watchdog).filter_map(PidVariable::new).collect()
}

/// Returns the environment of one start: that of the command, and the variables that the child writes.
pub(crate) fn environment<'a>(
    env: &'a CStringArray,
    variables: &'a [PidVariable],
) -> Vec<Option<ThinCStr<'a>>> {
    // SAFETY: the array goes into the plan of one start, and only exec in that child reads it.
    let written = variables.iter().map(|variable| unsafe { ThinCStr::of_pid(variable) });
    env.strings().map(ThinCStr::from).chain(written).map(Some).chain([None]).collect()
}
