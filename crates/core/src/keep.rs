//! The descriptors that stay open: sorted, unique and not negative by construction.
//!
//! All code that closes descriptors takes the gaps between kept ones from here. There is no empty gap: for two adjacent kept
//! descriptors, the range `keep + 1 ..= keep` would make close_range(2) fail with `EINVAL`.

use crate::Fd;

/// A list of descriptors to keep open, sorted and without duplicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepList<'a> {
    fds: &'a [Fd],
    also: [Option<Fd>; 3],
}

/// The list is not sorted, names a descriptor twice, or holds a negative number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKeepList {
    /// The index in the list.
    pub index: usize,
}

/// A run of descriptors, none of them kept: `first ..= last`, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    first: Fd,
    last: Fd,
}

impl Gap {
    /// The gap `first ..= last`, unless it is empty or begins below 0.
    pub const fn new(first: Fd, last: Fd) -> Option<Self> {
        if first < 0 || last < first { None } else { Some(Self { first, last }) }
    }

    /// The lowest descriptor of the gap.
    pub const fn first(self) -> Fd {
        self.first
    }

    /// The highest descriptor of the gap, `Fd::MAX` if it is open-ended.
    pub const fn last(self) -> Fd {
        self.last
    }
}

impl<'a> KeepList<'a> {
    /// A list that keeps nothing.
    pub const EMPTY: KeepList<'static> = KeepList { fds: &[], also: [None; 3] };

    /// Checks the list.
    ///
    /// # Errors
    ///
    /// Returns [`BadKeepList`] with the first entry that is negative or not above the one before it.
    pub fn new(fds: &'a [Fd]) -> Result<Self, BadKeepList> {
        let mut previous = -1;
        for (index, &fd) in fds.iter().enumerate() {
            if fd <= previous {
                return Err(BadKeepList { index });
            }
            previous = fd;
        }
        Ok(Self { fds, also: [None; 3] })
    }

    /// Adds one more descriptor, up to three: the report channel of this launch, a ruleset and the file of the program.
    #[must_use]
    pub const fn and(self, fd: Fd) -> Self {
        let also = match self.also {
            [None, second, third] => [Some(fd), second, third],
            [first, None, third] => [first, Some(fd), third],
            [first, second, _] => [first, second, Some(fd)],
        };
        Self { fds: self.fds, also }
    }

    /// The entries, without those that [`and`](Self::and) added.
    pub const fn as_slice(self) -> &'a [Fd] {
        self.fds
    }

    /// Returns whether `fd` is kept.
    pub fn contains(self, fd: Fd) -> bool {
        self.also.contains(&Some(fd)) || self.fds.binary_search(&fd).is_ok()
    }

    /// The runs of descriptors from `first` up that are not kept, in ascending order. The last one is open-ended
    /// unless `Fd::MAX` itself is kept.
    pub const fn gaps(self, first: Fd) -> Gaps<'a> {
        Gaps { keep: self, next: Some(first) }
    }

    /// The lowest kept descriptor at or above `fd`.
    fn at_or_above(self, fd: Fd) -> Option<Fd> {
        let index = self.fds.partition_point(|&kept| kept < fd);
        let listed = self.fds.get(index).copied();
        let also = self.also.into_iter().flatten().filter(|&also| also >= fd);
        listed.into_iter().chain(also).min()
    }
}

/// Iterator over the [`Gap`]s between kept descriptors.
#[derive(Clone, Debug)]
pub struct Gaps<'a> {
    keep: KeepList<'a>,
    next: Option<Fd>,
}

impl Iterator for Gaps<'_> {
    type Item = Gap;

    fn next(&mut self) -> Option<Gap> {
        loop {
            let first = self.next?;
            let Some(kept) = self.keep.at_or_above(first) else {
                self.next = None;
                return Gap::new(first, Fd::MAX);
            };
            self.next = kept.checked_add(1);
            if let Some(gap) = Gap::new(first, kept.saturating_sub(1)) {
                return Some(gap);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fd, KeepList};
    use rstest::rstest;
    use std::vec::Vec;

    const MAX: Fd = Fd::MAX;

    #[rstest]
    #[case::nothing_kept(&[], None, &[(3, MAX)])]
    #[case::first_number_kept(&[3], None, &[(4, MAX)])]
    #[case::adjacent_pair_has_no_gap_between(&[9, 10], None, &[(3, 8), (11, MAX)])]
    #[case::all_of_a_run(&[3, 4, 5, 6], None, &[(7, MAX)])]
    #[case::below_the_first(&[0, 1, 2], None, &[(3, MAX)])]
    #[case::highest_number_kept(&[MAX], None, &[(3, MAX - 1)])]
    #[case::two_highest_kept(&[MAX - 1, MAX], None, &[(3, MAX - 2)])]
    #[case::one_more_between(&[5, 9], Some(7), &[(3, 4), (6, 6), (8, 8), (10, MAX)])]
    #[case::one_more_adjacent(&[5, 7], Some(6), &[(3, 4), (8, MAX)])]
    #[case::one_more_that_is_listed(&[5], Some(5), &[(3, 4), (6, MAX)])]
    #[case::one_more_alone(&[], Some(4), &[(3, 3), (5, MAX)])]
    fn gaps_are_exactly_what_is_not_kept(
        #[case] keep: &[Fd],
        #[case] also: Option<Fd>,
        #[case] expected: &[(Fd, Fd)],
    ) {
        let list = KeepList::new(keep).unwrap();
        let list = also.map_or(list, |fd| list.and(fd));
        let gaps: Vec<_> = list.gaps(3).map(|gap| (gap.first(), gap.last())).collect();
        assert_eq!(gaps, expected);
    }

    #[rstest]
    #[case::sorted(&[3, 4, 900], Ok(()))]
    #[case::empty(&[], Ok(()))]
    #[case::unsorted(&[4, 3], Err(1))]
    #[case::twice(&[3, 3], Err(1))]
    #[case::negative(&[-1, 3], Err(0))]
    fn unsorted_repeated_or_negative_keep_list_is_refused(
        #[case] fds: &[Fd],
        #[case] answer: Result<(), usize>,
    ) {
        assert_eq!(KeepList::new(fds).map(|_| ()).map_err(|bad| bad.index), answer);
    }
}
