//! Sets of signals, as plain data.
//!
//! The `sigset_t` of the C libraries and of the kernels differs in size and layout. Here bit `n - 1` is signal `n`, up to 128,
//! which MIPS has. A backend converts sets at its system calls.

/// The number of a signal, such as `libc::SIGTERM`.
pub type Signal = i32;

/// A set of signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u128);

impl SignalSet {
    /// No signal.
    pub const EMPTY: Self = Self(0);
    /// All signals.
    pub const ALL: Self = Self(u128::MAX);
    /// The highest number that a set can hold.
    pub const MAX: Signal = 128;

    /// Creates a set from bits: bit `n - 1` is signal `n`.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The set as bits: bit `n - 1` is signal `n`.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Adds `signal`. A number outside `1 ..= 128` changes nothing.
    #[must_use]
    pub const fn with(self, signal: Signal) -> Self {
        Self(self.0 | Self::bit(signal))
    }

    /// Removes `signal`.
    #[must_use]
    pub const fn without(self, signal: Signal) -> Self {
        Self(self.0 & !Self::bit(signal))
    }

    /// Returns whether `signal` is in the set.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & Self::bit(signal) != 0
    }

    /// The signals in the set, in ascending order.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        let mut rest = self;
        core::iter::from_fn(move || {
            let lowest = rest.0.trailing_zeros();
            let signal = Signal::try_from(lowest).ok().filter(|&bit| bit < Self::MAX)?.saturating_add(1);
            rest = rest.without(signal);
            Some(signal)
        })
    }

    const fn bit(signal: Signal) -> u128 {
        if signal < 1 || signal > Self::MAX {
            return 0;
        }
        1_u128.wrapping_shl(signal.wrapping_sub(1).unsigned_abs())
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> Self {
        signals.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// The disposition of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The default action (`SIG_DFL`).
    Default,
    /// The signal is ignored (`SIG_IGN`).
    Ignored,
    /// A handler of the process runs. Exec restores the default action.
    Handled,
}

#[cfg(test)]
mod tests {
    use super::SignalSet;
    use std::vec::Vec;

    #[test]
    fn signal_set_holds_only_signals_in_its_range() {
        let set: SignalSet = [1, 15, 64, 128, 0, -1, 129].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [1, 15, 64, 128]);
        assert!(!set.without(15).contains(15));
    }

    #[test]
    fn signal_set_ignores_repeated_insert_and_remove() {
        let set = SignalSet::EMPTY.with(2).with(15).with(15);
        assert_eq!(set.iter().collect::<Vec<_>>(), [2, 15]);
        assert_eq!(set.without(15).without(15), SignalSet::EMPTY.with(2));
        assert_eq!(set.without(3), set);
    }

    #[test]
    fn every_possible_signal_has_its_own_bit() {
        let all: Vec<_> = (1..=SignalSet::MAX).collect();
        assert_eq!(SignalSet::ALL.iter().collect::<Vec<_>>(), all);
        assert_eq!(all.iter().copied().collect::<SignalSet>(), SignalSet::ALL);
        for signal in all {
            let one = SignalSet::EMPTY.with(signal);
            assert_eq!((one.bits(), SignalSet::from_bits(one.bits())), (1 << (signal - 1), one));
        }
        assert_eq!(SignalSet::EMPTY.iter().next(), None);
    }
}
