//! By what the tree of one child can be told from the rest of the system.

use super::cgroup::ChildCgroup;

/// Of what a child is the leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Leads {
    #[default]
    Nothing,
    Group,
    Session,
}

/// What holds the tree of one child together.
#[derive(Debug, Default)]
pub(crate) struct TreeMeans {
    /// The command said that there is a tree to be ended.
    pub(crate) is_chosen: bool,
    pub(crate) leaf: Option<ChildCgroup>,
    pub(crate) leads: Leads,
    pub(crate) reaps: bool,
}
