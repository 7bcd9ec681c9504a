//! The processor of a measurement. Without this, a child often wakes up on another processor than its parent, which doubles
//! every time and triples the spread.

use super::scenario::Pace;
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The processors of this process, and the one among them for all measurements but those of threads.
pub(super) struct Pinning {
    all: CpuSet,
    number: usize,
}

impl Pinning {
    /// Chooses the last processor that this process may use. The first one often handles interrupts.
    pub(super) fn new() -> Result<Self, Errno> {
        let all = sched_getaffinity(THIS)?;
        let number = (0..CpuSet::count()).rev().find(|&number| all.is_set(number) == Ok(true));
        Ok(Self { all, number: number.ok_or(Errno::ENODEV)? })
    }

    /// The number of the processor.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Pins this process, and so the workers that it starts later, unless threads are measured.
    pub(super) fn apply(&self, pace: Pace) -> Result<(), Errno> {
        let mut set = self.all;
        if pace == Pace::Alone {
            set = CpuSet::new();
            set.set(self.number)?;
        }
        sched_setaffinity(THIS, &set)
    }
}

/// The thread that calls.
const THIS: Pid = Pid::from_raw(0);

#[cfg(test)]
mod tests {
    use super::{Pace, Pinning};
    use std::num::NonZero;
    use std::thread::{available_parallelism, spawn};

    #[test]
    fn only_threads_are_measured_on_all_processors() {
        // The thread keeps the processors of the other tests as they are.
        let measured = spawn(|| {
            let pinning = Pinning::new().expect("there are processors");
            let count = || available_parallelism().expect("it is known");
            let all = count();
            pinning.apply(Pace::Alone).expect("it is one of ours");
            assert_eq!(count(), NonZero::<usize>::MIN);
            pinning.apply(Pace::Threads(1)).expect("they are ours");
            assert_eq!(count(), all);
        });
        measured.join().expect("it is as promised");
    }
}
