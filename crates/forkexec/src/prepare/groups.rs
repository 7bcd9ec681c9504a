//! The list for setgroups(2), in the form that the running system expects.

use super::checks;
use crate::config::settings::Settings;
use forkexec_core::GroupList;
use nix::unistd::getegid;

/// Returns the list that sets the child's supplementary groups. Without a group id of its own, the child
/// keeps the parent's.
pub(super) fn list(settings: &Settings<'_>, rule: GroupList) -> Option<Vec<u32>> {
    let dropped: Option<&[u32]> = checks::drops_groups(settings).then_some(&[]);
    let groups = dropped.or(settings.groups.as_deref())?;
    let effective = settings.gid.unwrap_or_else(|| getegid().as_raw());
    Some(rule.arrange(groups, effective).collect())
}

#[cfg(test)]
mod tests {
    use super::list;
    use crate::config::settings::Settings;
    use forkexec_core::GroupList;
    use nix::unistd::getegid;
    use rstest::rstest;

    fn settings(groups: Option<&[u32]>, gid: Option<u32>) -> Settings<'static> {
        let mut settings = Settings::new("true".into());
        settings.groups = groups.map(<[u32]>::to_vec);
        settings.gid = gid;
        settings
    }

    /// Faults: Q-bsd-groups
    #[rstest]
    #[case::gid_of_the_child(&[100, 101], Some(50), &[50, 100, 101])]
    #[case::gid_of_the_child_alone(&[], Some(50), &[50])]
    #[case::gid_of_the_child_among_them(&[100, 50], Some(50), &[50, 100])]
    fn group_list_begins_with_the_effective_group(
        #[case] groups: &[u32],
        #[case] gid: Option<u32>,
        #[case] expected: &[u32],
    ) {
        let settings = settings(Some(groups), gid);
        assert_eq!(list(&settings, GroupList::EffectiveFirst).as_deref(), Some(expected));
        assert_eq!(list(&settings, GroupList::Supplementary).as_deref(), Some(groups));
    }

    /// Faults: Q-bsd-groups
    #[test]
    fn group_list_without_a_gid_begins_with_the_parents_group() {
        let other = getegid().as_raw() + 1;
        let expected = vec![getegid().as_raw(), other];
        assert_eq!(list(&settings(Some(&[other]), None), GroupList::EffectiveFirst), Some(expected));
    }

    #[rstest]
    fn groups_that_were_not_set_are_not_touched(
        #[values(GroupList::EffectiveFirst, GroupList::Supplementary)] rule: GroupList,
    ) {
        assert_eq!(list(&settings(None, Some(50)), rule), None);
    }
}
