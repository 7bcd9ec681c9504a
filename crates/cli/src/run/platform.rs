//! What systems count in different units.

/// The `ru_maxrss` of getrusage(2) in KiB: Apple's systems count bytes, and those that count nothing say 0.
pub(super) fn max_rss_kib(max_rss: impl TryInto<u64>) -> Option<u64> {
    let count = max_rss.try_into().ok().filter(|&count| count > 0)?;
    Some(if cfg!(target_vendor = "apple") { count / 1024 } else { count })
}
