//! The one place that selects an operating system.
//!
//! All its modules have the same items: the unit of `ru_maxrss`, the sender of a signal, the adoption of orphans, and a
//! timer that runs while the process is stopped. They also list the constructor that runs before `main`.

cfg_if::cfg_if! {
    if #[cfg(target_os = "linux")] {
        mod linux;
        pub(crate) use linux::*;
    } else if #[cfg(target_os = "android")] {
        mod android;
        pub(crate) use android::*;
    } else if #[cfg(target_vendor = "apple")] {
        mod apple;
        pub(crate) use apple::*;
    } else if #[cfg(any(target_os = "freebsd", target_os = "dragonfly"))] {
        mod freebsd;
        pub(crate) use freebsd::*;
    } else if #[cfg(any(target_os = "netbsd", target_os = "openbsd"))] {
        mod bsd;
        pub(crate) use bsd::*;
    } else {
        mod other;
        pub(crate) use other::*;
    }
}

/// Converts the `ru_maxrss` of getrusage(2) to KiB. Returns `None` for 0, the value of systems that do not count.
pub(crate) fn max_rss_kib(max_rss: impl TryInto<u64>) -> Option<u64> {
    let count = max_rss.try_into().ok().filter(|&count| count > 0)?;
    Some(count / RSS_PER_KIB)
}

/// The sender of a signal, as the system reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A process, by kill(2) or a similar call, or by one of its timers. 0 is a process outside of this pid namespace.
    Process(i32),
    /// The kernel: for a key at the terminal, a hang-up or a resource limit.
    Kernel,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_kib_and_zero_is_unknown() {
        assert_eq!(max_rss_kib(2048 * RSS_PER_KIB), Some(2048));
        assert_eq!([max_rss_kib(0_u64), max_rss_kib(-1_i64)], [None, None]);
    }
}
