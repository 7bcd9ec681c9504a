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

/// Returns whether exec moves a process to the time namespace that it created: from Linux 6.2 on (`exec_task_namespaces` of
/// kernel/nsproxy.c). Before, only its children were in it, and setns(2) refuses a process that shares its memory
/// (`timens_install` of kernel/time/namespace.c).
pub(crate) fn exec_enters_time_namespace<S: LinuxSys>(sys: &S) -> bool {
    const FIRST: [u32; 2] = [6, 2];
    sys.kernel_release().is_ok_and(|release| version(&release).is_some_and(|version| version >= FIRST))
}

/// The first two numbers of a release such as `6.18.4-amd64`.
fn version(release: &[u8]) -> Option<[u32; 2]> {
    let mut numbers = core::str::from_utf8(release).ok()?.split(|byte: char| !byte.is_ascii_digit());
    Some([numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?])
}

/// A process without privilege in the parent namespace must give up setgroups(2) before it maps groups (user_namespaces(7)).
pub(crate) fn map_ids<S: LinuxSys>(sys: &S, maps: IdMaps<'_>) -> Result<(), Errno> {
    if let Some(groups) = maps.groups {
        write_proc(sys, c"/proc/self/setgroups", b"deny")?;
        write_proc(sys, c"/proc/self/gid_map", groups)?;
    }
    maps.users.map_or(Ok(()), |users| write_proc(sys, c"/proc/self/uid_map", users))
}

#[cfg(test)]
mod tests {
    use super::version;
    use rstest::rstest;

    #[rstest]
    #[case::padded(b"6.18.4-amd64\0\0", Some([6, 18]))]
    #[case::without_patch(b"7.0-rc1", Some([7, 0]))]
    #[case::one_number(b"6", None)]
    #[case::no_number(b"-6.2", None)]
    #[case::empty(b"", None)]
    fn version_is_the_first_two_numbers(#[case] release: &[u8], #[case] expected: Option<[u32; 2]>) {
        assert_eq!(version(release), expected);
    }
}
