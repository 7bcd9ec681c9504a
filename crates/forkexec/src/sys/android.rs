//! The release of Android that the program runs on.

/// A release of Android, whose seccomp filter kills an app that makes a call which the filter does not list.
///
/// [`ProbeReport::android`](crate::ProbeReport::android) holds it.
///
/// # Examples
///
/// ```
/// for call in forkexec::probe().android.into_iter().flat_map(|android| android.not_called) {
///     println!("not called on this release: {call}");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Android {
    /// The API level, or `None` if the system does not report it.
    pub api_level: Option<u32>,
    /// The calls that this library avoids, because the filter of the release may trap them.
    pub not_called: Vec<&'static str>,
}
