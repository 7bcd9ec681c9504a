//! What the parent knows of the release of Android.

/// A release of Android. Its seccomp filter ends an app that makes a call which is not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Android {
    /// The API level, unless the system does not tell it.
    pub api_level: Option<u32>,
    /// The calls that this library does without, because the filter of the release may trap them.
    pub not_called: Vec<&'static str>,
}
