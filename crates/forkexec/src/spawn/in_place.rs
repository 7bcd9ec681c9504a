//! exec in the calling process.

use crate::error::{Error, ExecError, InputError};
use crate::prepare::checked::CheckedCommand;
use crate::spawn::{failure, with_plan};
use crate::sys::backend::capabilities;
use crate::sys::system;
use forkexec_core::{Namespace, Plan};
use std::convert::Infallible;

/// Runs the prepared command in this process. Returns only if that failed.
pub(crate) fn exec(prepared: &CheckedCommand<'_>) -> ExecError {
    let mut changed = Vec::new();
    let executed = check(prepared).and_then(|()| {
        with_plan(prepared, &prepared.layout, None, |plan, ends| -> Result<Infallible, Error> {
            let error;
            // SAFETY: `with_plan` owns or borrows each descriptor of the plan. The plan has an environment of its own.
            (error, changed) =
                unsafe { system::exec_in_place(&Plan { pidfd: false, timed: false, ..*plan }) };
            Err(failure::explain(prepared, ends.as_known(error)))
        })
    });
    let Err(error) = executed;
    ExecError { error, changed }
}

/// Settings that need a parent.
fn check(prepared: &CheckedCommand<'_>) -> Result<(), Error> {
    if prepared.layout.piped.contains(&true) {
        return Err(InputError::NotWithExec { setting: "a pipe" }.into());
    }
    if prepared.settings.containment.is_some() {
        return Err(InputError::NotWithExec { setting: "containment" }.into());
    }
    if prepared.settings.attributes.start_suspended {
        return Err(InputError::NotWithExec { setting: "a suspended start" }.into());
    }
    let new = prepared.settings.namespaces.new;
    if new.contains(Namespace::User) || new.contains(Namespace::Pid) {
        return Err(InputError::NotWithExec { setting: "a new user or pid namespace" }.into());
    }
    if !prepared.layout.pid_namespaces.is_empty() {
        return Err(InputError::NotWithExec { setting: "a joined pid namespace" }.into());
    }
    if !system::EXECS_IN_PLACE {
        let system = capabilities().system;
        return Err(Error::Unsupported { operation: "replace the calling process", system });
    }
    Ok(())
}
