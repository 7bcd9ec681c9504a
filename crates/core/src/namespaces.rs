//! The namespaces of a child, as data (namespaces(7)).

use crate::Fd;
use core::fmt;

/// A kind of namespace (namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Namespace {
    /// User and group IDs, and capabilities (user_namespaces(7)). It comes first: the child has all capabilities in it, and so
    /// over the namespaces that are created with it.
    User,
    /// Mounts (mount_namespaces(7)).
    Mount,
    /// Process IDs (pid_namespaces(7)). The child has ID 1, and all processes in the namespace end with it.
    Pid,
    /// Network devices, addresses and ports (network_namespaces(7)).
    Net,
    /// System V IPC and POSIX message queues (ipc_namespaces(7)).
    Ipc,
    /// Host name and domain name (uts_namespaces(7)).
    Uts,
    /// The root of the control groups (cgroup_namespaces(7)).
    Cgroup,
    /// The offsets of the monotonic clock and of the time since boot (time_namespaces(7)).
    Time,
}

impl Namespace {
    /// All kinds.
    pub const ALL: [Self; 8] =
        [Self::User, Self::Mount, Self::Pid, Self::Net, Self::Ipc, Self::Uts, Self::Cgroup, Self::Time];

    /// Returns the name, as in `/proc/PID/ns`, except for `mount`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mount => "mount",
            Self::Pid => "pid",
            Self::Net => "net",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of kinds of namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NamespaceSet(u8);

impl NamespaceSet {
    /// The set without a kind.
    pub const EMPTY: Self = Self(0);

    /// Adds a kind.
    #[must_use]
    pub const fn with(self, namespace: Namespace) -> Self {
        Self(self.0 | 1 << namespace as u8)
    }

    /// Returns whether the kind is in the set.
    pub const fn contains(self, namespace: Namespace) -> bool {
        self.0 >> namespace as u8 & 1 == 1
    }

    /// Returns whether no kind is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds that the call which creates a process can create with it.
    #[must_use]
    pub const fn of_start(self) -> Self {
        Self(self.0 & !Self::TIME.0)
    }

    /// The kinds that a process creates for itself, and enters at exec.
    #[must_use]
    pub const fn of_child(self) -> Self {
        Self(self.0 & Self::TIME.0)
    }

    const TIME: Self = Self::EMPTY.with(Namespace::Time);

    /// The kinds, in the order of [`Namespace::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Namespace> {
        Namespace::ALL.into_iter().filter(move |&namespace| self.contains(namespace))
    }
}

impl FromIterator<Namespace> for NamespaceSet {
    fn from_iter<I: IntoIterator<Item = Namespace>>(namespaces: I) -> Self {
        namespaces.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Display for NamespaceSet {
    /// Writes the names, with a comma between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(index, namespace)| {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{namespace}")
        })
    }
}

/// The namespaces that a child joins and creates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces<'a> {
    /// The descriptors of the namespaces to join, in this order.
    pub join: &'a [Fd],
    /// The kinds to create.
    pub new: NamespaceSet,
    /// The IDs of a new user namespace.
    pub maps: Option<IdMaps<'a>>,
}

/// The IDs of a new user namespace: the contents of its files (user_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdMaps<'a> {
    /// The content of `uid_map`.
    pub users: Option<&'a [u8]>,
    /// The content of `gid_map`. The child gives up setgroups(2) first, as an unprivileged process must.
    pub groups: Option<&'a [u8]>,
}

#[cfg(test)]
mod tests {
    use super::{Namespace, NamespaceSet};
    use std::string::ToString;

    #[test]
    fn set_has_the_kinds_that_were_added() {
        let set: NamespaceSet = [Namespace::Net, Namespace::User, Namespace::Net].into_iter().collect();
        assert_eq!(set.to_string(), "user,net");
        assert!(set.contains(Namespace::Net) && !set.contains(Namespace::Pid) && !set.is_empty());
        assert!(NamespaceSet::EMPTY.is_empty() && NamespaceSet::EMPTY.iter().next().is_none());
    }

    #[test]
    fn each_kind_is_created_by_the_start_or_by_the_child() {
        let all: NamespaceSet = Namespace::ALL.into_iter().collect();
        assert!(all.of_child().iter().eq([Namespace::Time]));
        assert!(all.of_start().iter().chain(all.of_child().iter()).eq(Namespace::ALL));
    }

    #[test]
    fn each_kind_has_its_own_bit() {
        let all: NamespaceSet = Namespace::ALL.into_iter().collect();
        assert!(all.iter().eq(Namespace::ALL));
    }
}
