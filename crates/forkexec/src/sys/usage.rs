//! What a child used: getrusage(2), of that child.

use std::time::Duration;

/// What a child used of the machine, itself and those of its descendants that were waited for by their parents: getrusage(2).
///
/// [`Child::wait_usage`](crate::Child::wait_usage) gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceUsage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// In bytes.
    pub(crate) peak: u64,
    /// Up to here a peak may be the parent's, in bytes.
    pub(crate) inherited: u64,
    pub(crate) minor_faults: u64,
    pub(crate) major_faults: u64,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
}

impl ResourceUsage {
    /// Time on a processor in user mode.
    pub fn user_time(&self) -> Duration {
        self.user
    }

    /// Time on a processor in the kernel.
    pub fn system_time(&self) -> Duration {
        self.system
    }

    /// The most memory that it had at one time (resident set), in bytes, if that is known.
    ///
    /// What the child had before exec, which is its parent's memory, is counted on Linux, and may be elsewhere. So `None` is for
    /// a peak that is not above the parent's own: what the child's was then, nobody can tell.
    pub fn max_rss(&self) -> Option<u64> {
        (self.peak > self.inherited).then_some(self.peak)
    }

    /// Page faults that were served without reading from a device.
    pub fn minor_faults(&self) -> u64 {
        self.minor_faults
    }

    /// Page faults for which something was read from a device.
    pub fn major_faults(&self) -> u64 {
        self.major_faults
    }

    /// How often it gave up its processor, to wait for something.
    pub fn voluntary_switches(&self) -> u64 {
        self.voluntary_switches
    }

    /// How often its processor was taken away.
    pub fn involuntary_switches(&self) -> u64 {
        self.involuntary_switches
    }
}
