//! The one place that selects a system: units, the sender of a signal, the adoption of orphans, a clock that runs while a
//! process is stopped, and the constructor that runs before `main`. All modules have the same items.

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

/// The `ru_maxrss` of getrusage(2) in KiB. Systems that count nothing say 0.
pub(crate) fn max_rss_kib(max_rss: impl TryInto<u64>) -> Option<u64> {
    let count = max_rss.try_into().ok().filter(|&count| count > 0)?;
    Some(count / RSS_PER_KIB)
}

/// The sender of a signal, as far as the system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A process, by kill(2) and the like, or by a timer of its own; 0 is one outside of this pid namespace.
    Process(i32),
    /// The kernel: a key at the terminal, a hang-up, a limit.
    Kernel,
}
