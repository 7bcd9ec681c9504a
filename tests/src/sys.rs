//! Thin bindings: one call, one check, no decisions.

mod descriptor;
mod filter;
mod mount;
mod process;
mod signal;

use std::io;

use libc::{c_int, c_long};

pub(crate) use descriptor::{
    ask, await_change, close, close_all_on_exec, close_nothing, duplicate_above, duplicate_to, identity,
    open_null,
};
pub(crate) use filter::{filter_calls, ruleset, set_no_new_privs, unknown_call};
pub(crate) use mount::{detach, is_proc, mount, mount_cgroups, mount_hiding_proc, unshare_mounts};
pub(crate) use process::{
    await_end, effective_user, ended_child, kill_group, limit, set_limit, umask, wait_for,
};
pub(crate) use signal::{blocked_signals, reset_signals, signal_action};

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn check_long(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
