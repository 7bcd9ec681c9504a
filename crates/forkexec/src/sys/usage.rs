//! The resource usage of a single child: getrusage(2).

use std::time::Duration;

/// The resource usage of a child, including those of its descendants that their parents waited for
/// (getrusage(2)).
///
/// [`Child::wait_usage`](crate::Child::wait_usage) returns it.
///
/// # Examples
///
/// ```
/// use forkexec::Command;
///
/// let mut child = Command::new("sh").args(["-c", "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done"]).spawn()?;
/// let (_, usage) = child.wait_usage()?;
/// println!("{:?} in user mode, {:?} in the kernel", usage.user_time(), usage.system_time());
/// println!("{:?} bytes at most", usage.max_rss());
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceUsage {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// In bytes.
    pub(crate) peak: u64,
    /// A peak up to this value may be that of the parent, in bytes.
    pub(crate) inherited: u64,
    pub(crate) minor_faults: u64,
    pub(crate) major_faults: u64,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
}

impl ResourceUsage {
    /// Returns the processor time that was spent in user mode.
    ///
    /// # Examples
    ///
    /// See [`ResourceUsage`].
    pub fn user_time(&self) -> Duration {
        self.user
    }

    /// Returns the processor time that was spent in the kernel.
    ///
    /// # Examples
    ///
    /// See [`ResourceUsage`].
    pub fn system_time(&self) -> Duration {
        self.system
    }

    /// Returns the peak of the resident set size, in bytes, if it is known.
    ///
    /// On Linux the kernel also counts the child's memory before exec, which is the memory of its parent;
    /// other systems may do so, too. If the peak is not above the parent's own, the child's part is unknown,
    /// and the result is `None`.
    ///
    /// # Examples
    ///
    /// See [`ResourceUsage`].
    pub fn max_rss(&self) -> Option<u64> {
        (self.peak > self.inherited).then_some(self.peak)
    }

    /// Returns the number of page faults that needed no I/O.
    ///
    /// # Examples
    ///
    /// See [`Child::wait_usage`](crate::Child::wait_usage).
    pub fn minor_faults(&self) -> u64 {
        self.minor_faults
    }

    /// Returns the number of page faults that needed I/O.
    ///
    /// # Examples
    ///
    /// See [`Child::wait_usage`](crate::Child::wait_usage).
    pub fn major_faults(&self) -> u64 {
        self.major_faults
    }

    /// Returns the number of voluntary context switches: the process waited for something.
    ///
    /// # Examples
    ///
    /// See [`Child::wait_usage`](crate::Child::wait_usage).
    pub fn voluntary_switches(&self) -> u64 {
        self.voluntary_switches
    }

    /// Returns the number of involuntary context switches: the process was preempted.
    ///
    /// # Examples
    ///
    /// See [`Child::wait_usage`](crate::Child::wait_usage).
    pub fn involuntary_switches(&self) -> u64 {
        self.involuntary_switches
    }
}

#[cfg(test)]
mod tests {
    use super::ResourceUsage;
    use std::time::Duration;

    #[test]
    fn each_method_returns_its_own_number() {
        let usage = ResourceUsage {
            user: Duration::from_secs(1),
            system: Duration::from_secs(2),
            peak: 3,
            inherited: 0,
            minor_faults: 4,
            major_faults: 5,
            voluntary_switches: 6,
            involuntary_switches: 7,
        };
        assert_eq!((usage.user_time().as_secs(), usage.system_time().as_secs()), (1, 2));
        assert_eq!(usage.max_rss(), Some(3));
        assert_eq!((usage.minor_faults(), usage.major_faults()), (4, 5));
        assert_eq!((usage.voluntary_switches(), usage.involuntary_switches()), (6, 7));
    }
}
