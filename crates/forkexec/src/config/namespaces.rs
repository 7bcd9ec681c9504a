//! The namespaces of a child, as the caller set them.

use crate::config::source::FdSource;
use crate::error::Operand;
use forkexec_core::{Namespace, NamespaceSet};
use std::os::fd::AsRawFd;

#[derive(Clone, Debug, Default)]
pub(crate) struct Namespaces<'fd> {
    pub(crate) new: NamespaceSet,
    pub(crate) join: Vec<FdSource<'fd>>,
    /// The user ID in the new user namespace.
    pub(crate) user: Option<u32>,
    pub(crate) group: Option<u32>,
}

impl Namespaces<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.join.is_empty()
    }

    /// Returns true if an ID is mapped, and there is no new user namespace for it.
    pub(crate) fn maps_nothing(&self) -> bool {
        (self.user.is_some() || self.group.is_some()) && !self.new.contains(Namespace::User)
    }

    /// Returns true if a path leads the child to the same file as the parent. A joined namespace may have other mounts. A new one has
    /// the same.
    pub(crate) fn has_the_same_files(&self) -> bool {
        self.join.is_empty()
    }

    /// Returns true if an id means the same user or group in the child and in the parent.
    pub(crate) fn has_the_same_ids(&self) -> bool {
        self.join.is_empty() && !self.new.contains(Namespace::User)
    }

    /// The namespace that could not be entered: the joined one with this index, or the new ones.
    pub(crate) fn operand(&self, index: i32) -> Operand {
        let joined = usize::try_from(index).ok().and_then(|index| self.join.get(index));
        joined.map_or_else(|| Operand::Value(self.new.to_string()), |fd| Operand::Fd(fd.as_raw_fd()))
    }
}

/// A line of `uid_map` or `gid_map` that maps one ID (user_namespaces(7)).
pub(crate) fn map(inside: Option<u32>, outside: impl FnOnce() -> u32) -> Option<String> {
    inside.map(|inside| format!("{inside} {} 1", outside()))
}
