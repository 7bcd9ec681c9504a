//! The variants of clone for a child that shares memory, best first, and the refusals that this process knows.

use crate::Call;
use core::sync::atomic::{AtomicU8, Ordering};

/// One variant of the call that starts a child.
#[expect(clippy::struct_excessive_bools, reason = "each is a feature that is used or not")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CloneVariant {
    /// The system call.
    pub(super) call: Call,
    /// Requests a descriptor of the child (`CLONE_PIDFD`, Linux 5.2, ignored before).
    pub(super) pidfd: bool,
    /// Shares the descriptor table.
    pub(super) shares_table: bool,
    /// May create the child in a control group.
    pub(super) into_cgroup: bool,
    /// May let the kernel reap the child. Only clone3(2) with a pidfd can.
    pub(super) autoreap: bool,
    /// Lets the child take descriptors from the parent, if it shares the table.
    pub(super) takes_fds: bool,
}

impl CloneVariant {
    /// clone3(2) is always called with `CLONE_CLEAR_SIGHAND` (Linux 5.5). An older kernel refuses it.
    pub(super) fn clears_handlers(self) -> bool {
        self.call == Call::Clone3
    }

    /// The variant to try after the kernel refused this one. Valgrind ends a program that calls clone(2) with `CLONE_FILES`, so
    /// that flag is not used before memory is known to be shared.
    pub(super) fn next(self, memory_is_shared: bool) -> Option<Self> {
        match self {
            Self { call: Call::Clone3, .. } => {
                let shares_table = self.shares_table && memory_is_shared;
                Some(Self { call: Call::Clone, shares_table, ..self.without_autoreap() })
            }
            Self { pidfd: true, .. } => Some(self.without_pidfd()),
            _ => None,
        }
    }

    /// The status of a child that the kernel reaps is in its pidfd.
    pub(super) fn without_pidfd(self) -> Self {
        Self { pidfd: false, autoreap: false, ..self }
    }

    pub(super) fn without_autoreap(self) -> Self {
        Self { autoreap: false, ..self }
    }

    pub(super) fn without_taking(self) -> Self {
        Self { takes_fds: false, ..self }
    }

    pub(super) fn without_cgroup(self) -> Self {
        Self { into_cgroup: false, ..self }
    }
}

/// The refused features that this process knows, as a sum of the constants of [`Features`]. Several threads may record the same
/// fact at once.
#[derive(Debug)]
pub(super) struct KnownRefusals(AtomicU8);

/// A set of features that a kernel or a filter may refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Features(u8);

impl Features {
    /// clone3(2).
    pub(super) const CLONE3: Self = Self(1);
    /// `CLONE_PIDFD`.
    pub(super) const PIDFD: Self = Self(2);
    /// A shared table, or the call that replaces it.
    pub(super) const TABLE: Self = Self(4);
    /// `CLONE_INTO_CGROUP`.
    pub(super) const CGROUP: Self = Self(8);
    /// The flags of Linux 7.1: `CLONE_AUTOREAP`, `CLONE_NNP` and `CLONE_PIDFD_AUTOKILL`.
    pub(super) const AUTOREAP: Self = Self(16);

    pub(super) fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl KnownRefusals {
    pub(super) const fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// The best variant that is not refused.
    pub(super) fn best(&self) -> CloneVariant {
        let refused = self.0.load(Ordering::Relaxed);
        let offered = |feature: Features| refused & feature.0 == 0;
        CloneVariant {
            call: if offered(Features::CLONE3) { Call::Clone3 } else { Call::Clone },
            pidfd: offered(Features::PIDFD),
            shares_table: offered(Features::TABLE),
            into_cgroup: offered(Features::CGROUP),
            autoreap: [Features::CLONE3, Features::PIDFD, Features::AUTOREAP].into_iter().all(offered),
            takes_fds: true,
        }
    }

    /// Records that the kernel refused these features, and that a child was started without them.
    pub(super) fn refuse(&self, features: Features) {
        self.0.fetch_or(features.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, CloneVariant, Features, KnownRefusals};
    use rstest::rstest;

    const BEST: CloneVariant = CloneVariant {
        call: Call::Clone3,
        pidfd: true,
        shares_table: true,
        into_cgroup: true,
        autoreap: true,
        takes_fds: true,
    };
    const CLONE: CloneVariant = CloneVariant { call: Call::Clone, autoreap: false, ..BEST };

    #[rstest]
    #[case::nothing(&[], BEST)]
    #[case::clone3(&[Features::CLONE3], CLONE)]
    #[case::pidfd(&[Features::PIDFD], BEST.without_pidfd())]
    #[case::both(&[Features::CLONE3, Features::PIDFD, Features::CLONE3], CloneVariant { pidfd: false, ..CLONE })]
    #[case::table(&[Features::TABLE], CloneVariant { shares_table: false, ..BEST })]
    #[case::autoreap(&[Features::AUTOREAP], BEST.without_autoreap())]
    #[case::cgroup(&[Features::CGROUP], CloneVariant { into_cgroup: false, ..BEST })]
    fn best_variant_lacks_only_refused_features(#[case] refused: &[Features], #[case] best: CloneVariant) {
        let (known, mut at_once) = (KnownRefusals::new(), Features::default());
        for &feature in refused {
            known.refuse(feature);
        }
        assert_eq!(known.best(), best);
        let known = KnownRefusals::new();
        for &feature in refused {
            at_once.insert(feature);
        }
        known.refuse(at_once);
        assert_eq!(known.best(), best);
    }

    #[test]
    fn refused_variant_falls_back_to_clone_then_drops_pidfd() {
        let older = BEST.next(true);
        assert_eq!((BEST.clears_handlers(), older), (true, Some(CLONE)));
        let oldest = CLONE.next(true);
        assert_eq!((CLONE.clears_handlers(), oldest), (false, Some(CloneVariant { pidfd: false, ..CLONE })));
        assert_eq!(CLONE.without_pidfd().next(true), None);
        assert_eq!(BEST.without_pidfd(), CloneVariant { pidfd: false, autoreap: false, ..BEST });
        assert_eq!(BEST.without_autoreap(), CloneVariant { autoreap: false, ..BEST });
        assert_eq!(BEST.without_cgroup(), CloneVariant { into_cgroup: false, ..BEST });
        assert_eq!(BEST.without_taking(), CloneVariant { takes_fds: false, ..BEST });
    }

    #[test]
    fn clone_shares_no_table_until_memory_is_shared() {
        assert_eq!(BEST.next(false), Some(CloneVariant { shares_table: false, ..CLONE }));
    }
}
