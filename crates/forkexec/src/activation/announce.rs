//! The starting side. Count and names are known when a command is prepared; the process id is the child's to write.

use super::{COUNT, NAMES, PID};
use crate::env::Variables;
use crate::prepared::Prepared;
use crate::settings::Settings;
use forkexec_core::{PidVariable, ThinCStr};

/// Puts the variables in that the parent knows. What the parent itself was told about its sockets is no news for the child.
pub(crate) fn announce(settings: &Settings<'_>, variables: &mut Variables) {
    if settings.sockets.is_empty() {
        return;
    }
    variables.remove(PID);
    variables.set(COUNT, &settings.sockets.len().to_string());
    variables.set(NAMES, &settings.sockets.join(":"));
}

/// The variable that the child of one start is to write, if it gets sockets.
pub(crate) fn pid_variable(settings: &Settings<'_>) -> Option<PidVariable> {
    PidVariable::new(PID).filter(|_| !settings.sockets.is_empty())
}

/// The environment of one start: that of the command, and the variable that the child writes.
pub(crate) fn environment<'a>(prepared: &'a Prepared<'_>, pid: &'a PidVariable) -> Vec<Option<ThinCStr<'a>>> {
    // SAFETY: the array goes into the plan of one start, which hands it to exec and to nobody else.
    let pid = unsafe { ThinCStr::of_pid(pid) };
    prepared.env.strings().map(ThinCStr::from).chain([pid]).map(Some).chain([None]).collect()
}
