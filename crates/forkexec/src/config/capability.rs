//! Capabilities of Linux, by name and number.

use std::fmt;
use std::str::FromStr;

/// A capability: one of the privileges into which Linux divides those of root (capabilities(7)).
///
/// # Examples
///
/// ```
/// use forkexec::Capability;
///
/// assert_eq!(Capability::NET_BIND_SERVICE.to_string(), "net_bind_service");
/// assert_eq!("CAP_NET_BIND_SERVICE".parse(), Ok(Capability::NET_BIND_SERVICE));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability(u8);

macro_rules! capabilities {
    ($($number:literal $name:ident $text:literal,)*) => {
        impl Capability {
            $(
                #[doc = concat!("`CAP_", stringify!($name), "`")]
                pub const $name: Self = Self($number);
            )*
        }

        /// The names, by number.
        const NAMES: [&str; 41] = [$($text),*];
    };
}

// `linux/capability.h`.
capabilities! {
    0 CHOWN "chown",
    1 DAC_OVERRIDE "dac_override",
    2 DAC_READ_SEARCH "dac_read_search",
    3 FOWNER "fowner",
    4 FSETID "fsetid",
    5 KILL "kill",
    6 SETGID "setgid",
    7 SETUID "setuid",
    8 SETPCAP "setpcap",
    9 LINUX_IMMUTABLE "linux_immutable",
    10 NET_BIND_SERVICE "net_bind_service",
    11 NET_BROADCAST "net_broadcast",
    12 NET_ADMIN "net_admin",
    13 NET_RAW "net_raw",
    14 IPC_LOCK "ipc_lock",
    15 IPC_OWNER "ipc_owner",
    16 SYS_MODULE "sys_module",
    17 SYS_RAWIO "sys_rawio",
    18 SYS_CHROOT "sys_chroot",
    19 SYS_PTRACE "sys_ptrace",
    20 SYS_PACCT "sys_pacct",
    21 SYS_ADMIN "sys_admin",
    22 SYS_BOOT "sys_boot",
    23 SYS_NICE "sys_nice",
    24 SYS_RESOURCE "sys_resource",
    25 SYS_TIME "sys_time",
    26 SYS_TTY_CONFIG "sys_tty_config",
    27 MKNOD "mknod",
    28 LEASE "lease",
    29 AUDIT_WRITE "audit_write",
    30 AUDIT_CONTROL "audit_control",
    31 SETFCAP "setfcap",
    32 MAC_OVERRIDE "mac_override",
    33 MAC_ADMIN "mac_admin",
    34 SYSLOG "syslog",
    35 WAKE_ALARM "wake_alarm",
    36 BLOCK_SUSPEND "block_suspend",
    37 AUDIT_READ "audit_read",
    38 PERFMON "perfmon",
    39 BPF "bpf",
    40 CHECKPOINT_RESTORE "checkpoint_restore",
}

/// A name that no capability has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no capability {0:?}")]
pub struct UnknownCapability(String);

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(usize::from(self.0)) {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl FromStr for Capability {
    type Err = UnknownCapability;

    /// Reads a name in either case, with or without `cap_` before it.
    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("cap_").unwrap_or(&lower);
        let number = NAMES.iter().position(|known| *known == name).and_then(|place| u8::try_from(place).ok());
        number.map(Self).ok_or_else(|| UnknownCapability(text.to_owned()))
    }
}

/// A set of capabilities.
///
/// # Examples
///
/// ```
/// use forkexec::{Capability, CapabilitySet};
///
/// let set: CapabilitySet = [Capability::CHOWN, Capability::KILL].into_iter().collect();
/// assert!(set.contains(Capability::KILL));
/// assert_eq!(set.to_string(), "chown,kill");
/// assert_eq!("all,-sys_admin".parse::<CapabilitySet>()?.contains(Capability::SYS_ADMIN), false);
/// # Ok::<(), forkexec::UnknownCapability>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CapabilitySet(u64);

impl CapabilitySet {
    /// The set without a capability.
    pub const EMPTY: Self = Self(0);

    /// The set of all capabilities, also of those that later kernels add.
    pub const ALL: Self = Self(u64::MAX);

    /// Those without a name here.
    const UNNAMED: u64 = u64::MAX << NAMES.len();

    /// Adds a capability.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | 1 << capability.0)
    }

    /// Removes a capability.
    #[must_use]
    pub const fn without(self, capability: Capability) -> Self {
        Self(self.0 & !(1 << capability.0))
    }

    /// Returns whether the capability is in the set.
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 >> capability.0 & 1 == 1
    }

    /// Returns the mask, as in `/proc/PID/status`.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Creates a set from a mask. It may name capabilities that this library does not know.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl FromIterator<Capability> for CapabilitySet {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        capabilities.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl From<Capability> for CapabilitySet {
    fn from(capability: Capability) -> Self {
        Self::EMPTY.with(capability)
    }
}

impl IntoIterator for CapabilitySet {
    type Item = Capability;
    type IntoIter = std::vec::IntoIter<Capability>;

    fn into_iter(self) -> Self::IntoIter {
        let all = (0..64).map(Capability).filter(|&capability| self.contains(capability));
        all.collect::<Vec<_>>().into_iter()
    }
}

impl fmt::Display for CapabilitySet {
    /// Writes the names, with a comma between them, and `none` for the empty set. A capability without a known name is its number.
    /// A set with all of these is `all`, without those that are missing: `all,-sys_admin`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_unnamed = self.0 & Self::UNNAMED == Self::UNNAMED;
        let (first, sign, listed) = match *self {
            Self::EMPTY => return f.write_str("none"),
            _ if has_unnamed => (Some("all".to_owned()), "-", Self(!self.0)),
            _ => (None, "", *self),
        };
        let names = listed.into_iter().map(|capability| format!("{sign}{capability}"));
        f.write_str(&first.into_iter().chain(names).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for CapabilitySet {
    type Err = UnknownCapability;

    /// Reads `none`, names with a comma between them, or `all` and the names that it is without: `all,-sys_admin`.
    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        match text {
            "none" => Ok(Self::EMPTY),
            "all" => Ok(Self::ALL),
            _ => match text.strip_prefix("all,") {
                Some(missing) => all_but(missing),
                None => text.split(',').map(str::parse).collect(),
            },
        }
    }
}

/// Reads `-sys_admin,-sys_ptrace`.
fn all_but(names: &str) -> Result<CapabilitySet, UnknownCapability> {
    names.split(',').try_fold(CapabilitySet::ALL, |set, name| {
        let name = name.strip_prefix('-').ok_or_else(|| UnknownCapability(name.to_owned()))?;
        Ok(set.without(name.parse()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_that_of_its_number() {
        for (number, name) in (0..).zip(NAMES) {
            assert_eq!(name.parse(), Ok(Capability(number)));
            assert_eq!(format!("CAP_{}", name.to_ascii_uppercase()).parse(), Ok(Capability(number)));
            assert_eq!(Capability(number).to_string(), name);
        }
        assert!("".parse::<Capability>().is_err());
        assert!("cap_".parse::<Capability>().is_err());
        assert_eq!((Capability::MAC_ADMIN.0, Capability::CHECKPOINT_RESTORE.0), (33, 40));
    }

    #[test]
    fn text_of_a_set_is_read_as_that_set() {
        let most = CapabilitySet::ALL.without(Capability::CHOWN).without(Capability::BPF);
        let two = [Capability::CHOWN, Capability::BPF, Capability::CHOWN].into_iter().collect();
        let all = [
            (CapabilitySet::ALL, "all"),
            (CapabilitySet::EMPTY, "none"),
            (CapabilitySet::ALL.without(Capability::CHOWN), "all,-chown"),
            (most, "all,-chown,-bpf"),
            (two, "chown,bpf"),
        ];
        assert_eq!(CapabilitySet::from(Capability::BPF), CapabilitySet::EMPTY.with(Capability::BPF));
        for (set, text) in all {
            assert_eq!((set.to_string().as_str(), text.parse()), (text, Ok(set)));
        }
        for (text, wrong) in [
            ("", ""),
            ("chown,", ""),
            ("all,chown", "chown"),
            ("all,", ""),
            ("allx", "allx"),
            ("all,-x", "x"),
            ("-chown", "-chown"),
        ] {
            assert_eq!(text.parse::<CapabilitySet>(), Err(UnknownCapability(wrong.to_owned())));
        }
    }

    #[test]
    fn set_without_names_is_written_by_number() {
        assert_eq!(CapabilitySet::from_bits(1 << 63 | 1).to_string(), "chown,63");
        assert_eq!(CapabilitySet::EMPTY.to_string(), "none");
    }
}
