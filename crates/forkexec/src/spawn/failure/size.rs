//! Finds the cause of `E2BIG`: one string, or the total of all.

use super::Cause;
use crate::prepare::checked::CheckedCommand;
use crate::sys::{limit, system};
use forkexec_core::Resource;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;

/// Returns what is too large in the arguments and the environment of exec.
pub(crate) fn of_size(prepared: &CheckedCommand<'_>) -> Cause {
    let longest = system::longest_string();
    let is_too_long = |string: &CStr| longest.is_some_and(|limit| string.count_bytes() > limit);
    let limit = longest.unwrap_or(usize::MAX);
    if let Some((index, argument)) =
        prepared.argv.strings().enumerate().find(|(_, string)| is_too_long(string))
    {
        return Cause::ArgumentTooLong { index, length: argument.count_bytes(), limit };
    }
    if let Some(variable) = prepared.env.strings().find(|string| is_too_long(string)) {
        let name = name(variable.to_bytes()).to_owned();
        return Cause::VariableTooLong { name, length: variable.count_bytes(), limit };
    }
    let (total, longest) = prepared.size();
    let limit = system::most_bytes(stack_limit(prepared)).filter(|&limit| total > limit);
    Cause::TooLarge { total, longest, limit }
}

/// Returns the name of a variable. A leading `=` belongs to the name.
fn name(variable: &[u8]) -> &OsStr {
    let end = variable.iter().skip(1).position(|&byte| byte == b'=').map_or(variable.len(), |at| at + 1);
    OsStr::from_bytes(&variable[..end])
}

/// Returns the soft stack limit of the child. `None` if a closure may have set it.
fn stack_limit(prepared: &CheckedCommand<'_>) -> Option<u64> {
    let settings = &prepared.settings;
    if !settings.hooks.is_empty() {
        return None;
    }
    let set = prepared.limits.iter().rev().find(|limit| limit.resource == Resource::STACK).copied();
    set.or_else(|| limit::of_process(Resource::STACK).ok()).map(|limit| limit.soft)
}
