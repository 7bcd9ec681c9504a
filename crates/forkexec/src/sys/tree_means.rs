//! The means by which the tree of one child is identified.

use super::cgroup::ChildCgroup;

/// The kind of group that a child leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Leads {
    #[default]
    Nothing,
    Group,
    Session,
}

/// The means by which the tree of one child is identified.
#[derive(Debug, Default)]
pub(crate) struct TreeMeans {
    /// The command set a containment.
    pub(crate) is_chosen: bool,
    pub(crate) cgroup: Option<ChildCgroup>,
    pub(crate) leads: Leads,
    pub(crate) reaps: bool,
}

impl TreeMeans {
    /// Returns true if only the child's pid identifies the tree, so that the pid must not be reused.
    pub(crate) fn needs_number(&self) -> bool {
        self.is_chosen && self.cgroup.is_none() && !self.reaps && self.leads != Leads::Nothing
    }
}
