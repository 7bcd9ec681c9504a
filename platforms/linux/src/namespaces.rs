//! Namespaces: the calls that join and create them, and the maps of a new user namespace.

use crate::attributes::write_proc;
use crate::{AttributeCall, LinuxSys};
use forkexec_core::{Errno, Fd, IdMaps, Namespace, NamespaceSet};

pub(crate) fn join<S: LinuxSys>(sys: &S, namespace: Fd) -> Result<(), Errno> {
    sys.attribute(AttributeCall::JoinNamespace(namespace)).map(drop)
}

/// unshare(2) does not move the calling process to a new pid namespace, only its children (pid_namespaces(7)).
pub(crate) fn unshare<S: LinuxSys>(sys: &S, namespaces: NamespaceSet) -> Result<(), Errno> {
    if namespaces.contains(Namespace::Pid) {
        return Err(Errno::INVAL);
    }
    sys.attribute(AttributeCall::Unshare(namespaces)).map(drop)
}

/// A process without privilege in the parent namespace must give up setgroups(2) before it maps groups (user_namespaces(7)).
pub(crate) fn map_ids<S: LinuxSys>(sys: &S, maps: IdMaps<'_>) -> Result<(), Errno> {
    if let Some(groups) = maps.groups {
        write_proc(sys, c"/proc/self/setgroups", b"deny")?;
        write_proc(sys, c"/proc/self/gid_map", groups)?;
    }
    maps.users.map_or(Ok(()), |users| write_proc(sys, c"/proc/self/uid_map", users))
}
