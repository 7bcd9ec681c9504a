//! Joining a pid namespace (pid_namespaces(7)).

use crate::sys::system::BACKEND;
use forkexec_core::{Backend, Errno, Fd};
use forkexec_linux::{AttributeCall, LinuxSys};

/// Moves the later children of the calling thread to the pid namespace (setns(2)).
pub(crate) fn join_pid_namespace(namespace: Fd) -> Result<(), Errno> {
    BACKEND.sys().attribute(AttributeCall::JoinNamespace(namespace)).map(drop)
}
