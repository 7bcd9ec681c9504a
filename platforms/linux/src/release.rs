//! The system: Linux, or a release of Android whose filter traps some calls of apps.
//!
//! Since Android 8, the zygote installs a seccomp filter in every app. It answers an unknown call with SIGSYS
//! (`SECCOMP_RET_TRAP`), which kills the process. So the launcher cannot try a call there; the release decides which calls
//! it makes. `docs/android.md` lists the releases and the sources.

use core::ops::RangeInclusive;

/// The system that answers the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Linux. No call is known to be trapped.
    Linux,
    /// Android, by its API level. 0 means unknown.
    Android(u32),
}

/// A call of this library that the filter of some release of Android traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AndroidCall {
    /// close_range(2).
    CloseRange,
    /// clone3(2).
    Clone3,
    /// pidfd_open(2).
    PidfdOpen,
    /// pidfd_send_signal(2).
    PidfdSendSignal,
    /// chroot(2).
    Chroot,
    /// setgroups(2).
    SetGroups,
    /// setresgid(2).
    SetGid,
    /// set_mempolicy(2).
    SetMemoryPolicy,
    /// keyctl(2).
    Keyctl,
    /// landlock_restrict_self(2).
    Landlock,
}

/// The first API level whose apps have a filter: Android 8.0.
const FIRST_WITH_FILTER: u32 = 26;
/// The last API level whose filter lets an app change its groups and its root: Android 8.1.
const LAST_WITH_IDS: u32 = 27;
#[expect(clippy::reversed_empty_ranges, reason = "no release with a filter allows these calls")]
const NO_LEVEL: RangeInclusive<u32> = 1..=0;

impl AndroidCall {
    /// All calls.
    pub const ALL: [Self; 10] = [
        Self::CloseRange,
        Self::Clone3,
        Self::PidfdOpen,
        Self::PidfdSendSignal,
        Self::Chroot,
        Self::SetGroups,
        Self::SetGid,
        Self::SetMemoryPolicy,
        Self::Keyctl,
        Self::Landlock,
    ];

    /// The name of the system call.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloseRange => "close_range",
            Self::Clone3 => "clone3",
            Self::PidfdOpen => "pidfd_open",
            Self::PidfdSendSignal => "pidfd_send_signal",
            Self::Chroot => "chroot",
            Self::SetGroups => "setgroups",
            Self::SetGid => "setresgid",
            Self::SetMemoryPolicy => "set_mempolicy",
            Self::Keyctl => "keyctl",
            Self::Landlock => "landlock_restrict_self",
        }
    }

    /// The API levels whose filter allows the call, in every tag of the release. Some tags of Android 14 allow clone3.
    const fn levels(self) -> RangeInclusive<u32> {
        match self {
            Self::CloseRange => 33..=u32::MAX,
            Self::Clone3 => 35..=u32::MAX,
            Self::PidfdOpen => 30..=u32::MAX,
            Self::PidfdSendSignal => 31..=u32::MAX,
            Self::Chroot | Self::SetGroups | Self::SetGid => FIRST_WITH_FILTER..=LAST_WITH_IDS,
            Self::SetMemoryPolicy | Self::Keyctl | Self::Landlock => NO_LEVEL,
        }
    }
}

impl Release {
    /// Returns whether an app may make the call. On Linux it always may, and the kernel answers.
    pub fn allows(self, call: AndroidCall) -> bool {
        match self {
            Self::Linux => true,
            Self::Android(level) => (1..FIRST_WITH_FILTER).contains(&level) || call.levels().contains(&level),
        }
    }

    /// The release of Android whose property `ro.build.version.sdk` has this value.
    pub fn from_property(value: &[u8]) -> Self {
        let level = core::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
        Self::Android(level.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::{AndroidCall, Release};
    use rstest::rstest;
    use std::vec::Vec;

    const ALL: &str = "close_range clone3 pidfd_open pidfd_send_signal chroot setgroups setresgid set_mempolicy keyctl \
                       landlock_restrict_self";

    #[rstest]
    #[case::linux(Release::Linux, ALL)]
    #[case::unknown(Release::Android(0), "")]
    #[case::android_7(Release::Android(25), ALL)]
    #[case::android_8_0(Release::Android(26), "chroot setgroups setresgid")]
    #[case::android_8_1(Release::Android(27), "chroot setgroups setresgid")]
    #[case::android_9(Release::Android(28), "")]
    #[case::android_10(Release::Android(29), "")]
    #[case::android_11(Release::Android(30), "pidfd_open")]
    #[case::android_12(Release::Android(31), "pidfd_open pidfd_send_signal")]
    #[case::android_12l(Release::Android(32), "pidfd_open pidfd_send_signal")]
    #[case::android_13(Release::Android(33), "close_range pidfd_open pidfd_send_signal")]
    #[case::android_14(Release::Android(34), "close_range pidfd_open pidfd_send_signal")]
    #[case::android_15(Release::Android(35), "close_range clone3 pidfd_open pidfd_send_signal")]
    #[case::android_16(Release::Android(36), "close_range clone3 pidfd_open pidfd_send_signal")]
    fn each_release_allows_what_its_filter_lists(#[case] release: Release, #[case] allowed: &str) {
        let allows = AndroidCall::ALL.into_iter().filter(|call| release.allows(*call));
        assert_eq!(allows.map(AndroidCall::name).collect::<Vec<_>>().join(" "), allowed);
    }

    #[rstest]
    #[case::number(b"31", 31)]
    #[case::nothing(b"", 0)]
    #[case::word(b"S", 0)]
    #[case::negative(b"-1", 0)]
    #[case::no_text(&[0xff], 0)]
    fn property_gives_the_api_level(#[case] value: &[u8], #[case] level: u32) {
        assert_eq!(Release::from_property(value), Release::Android(level));
    }
}
