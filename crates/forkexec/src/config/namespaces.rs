//! The namespaces of a child, as the caller set them.

use crate::config::source::FdSource;
use crate::error::Operand;
use forkexec_core::{Namespace, NamespaceSet};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

#[derive(Clone, Debug, Default)]
pub(crate) struct Namespaces<'fd> {
    pub(crate) new: NamespaceSet,
    pub(crate) join: Vec<FdSource<'fd>>,
    /// The user ID in the new user namespace.
    pub(crate) user: Option<u32>,
    pub(crate) group: Option<u32>,
}

impl<'fd> Namespaces<'fd> {
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

    /// The pid namespaces to join. The thread that starts the child joins them, because setns(2) moves only later children.
    pub(crate) fn of_pids(&self) -> impl Iterator<Item = &FdSource<'fd>> {
        self.join.iter().filter(|namespace| is_of_pids(namespace))
    }

    /// The namespaces that the child joins itself.
    pub(crate) fn of_others(&self) -> impl Iterator<Item = &FdSource<'fd>> {
        self.join.iter().filter(|namespace| !is_of_pids(namespace))
    }

    /// The namespace that could not be entered: the one that the child joins with this index, or the new ones. A pid namespace has
    /// the index of [`in_parent`].
    pub(crate) fn operand(&self, index: i32) -> Operand {
        let joined = match usize::try_from(index) {
            Ok(index) => self.of_others().nth(index),
            Err(_) => self.of_pids().nth(in_parent(index).unsigned_abs() as usize),
        };
        joined.map_or_else(|| Operand::Value(self.new.to_string()), |fd| Operand::Fd(fd.as_raw_fd()))
    }
}

/// Converts the index of a pid namespace to the operand of a report, and back: the index 0 is -1.
pub(crate) fn in_parent(index: i32) -> i32 {
    -1 - index
}

/// The link names the kind (namespaces(7)).
fn is_of_pids(namespace: &FdSource<'_>) -> bool {
    let link = fs::read_link(format!("/proc/self/fd/{}", namespace.as_raw_fd()));
    link.is_ok_and(|link| link.as_os_str().as_bytes().starts_with(b"pid:["))
}

/// A line of `uid_map` or `gid_map` that maps one ID (user_namespaces(7)).
pub(crate) fn map(inside: Option<u32>, outside: impl FnOnce() -> u32) -> Option<String> {
    inside.map(|inside| format!("{inside} {} 1", outside()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::fs::File;

    #[rstest]
    #[case::none(false, None, true)]
    #[case::joined(true, None, false)]
    #[case::new(false, Some(Namespace::Mount), false)]
    fn child_without_a_namespace_of_its_own_has_an_empty_set(
        #[case] joins: bool,
        #[case] new: Option<Namespace>,
        #[case] is_empty: bool,
    ) {
        assert_eq!(namespaces(joins, new).is_empty(), is_empty);
    }

    #[rstest]
    #[case::parents(false, None, true)]
    #[case::joined(true, None, false)]
    #[case::new_users(false, Some(Namespace::User), false)]
    #[case::new_mounts(false, Some(Namespace::Mount), true)]
    #[case::joined_and_new(true, Some(Namespace::Mount), false)]
    fn ids_differ_in_another_user_namespace(
        #[case] joins: bool,
        #[case] new: Option<Namespace>,
        #[case] same: bool,
    ) {
        assert_eq!(namespaces(joins, new).has_the_same_ids(), same);
    }

    fn namespaces(joins: bool, new: Option<Namespace>) -> Namespaces<'static> {
        let file = || File::open("/dev/null").expect("there is a null device");
        let join = joins.then(file).map(FdSource::from).into_iter().collect();
        Namespaces { new: new.into_iter().collect(), join, ..Namespaces::default() }
    }
}
