//! The operand of a failed call.

use std::fmt;
use std::os::fd::RawFd;
use std::path::PathBuf;

/// The operand of the call that failed ([`SpawnError::operand`](crate::SpawnError::operand)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operand {
    /// No operand: the stage describes the call completely.
    None,
    /// The step of [`Stage::Setup`](crate::Stage::Setup) that failed in the parent, such as "open /dev/null".
    Setup(&'static str),
    /// A file or a directory.
    Path(PathBuf),
    /// A file descriptor, by the number that the caller knows.
    Fd(RawFd),
    /// A user, group, process group, signal or nice value.
    Number(i64),
    /// A value, as `forkexec run` takes it: `0-3` for processors, `fifo:10` for a scheduling policy.
    Value(String),
    /// The supplementary groups.
    Groups(Vec<u32>),
    /// A resource limit.
    Limit {
        /// The name of the resource.
        name: String,
        /// The soft limit.
        soft: u64,
        /// The hard limit.
        hard: u64,
    },
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Setup(step) => f.write_str(step),
            Self::Path(path) => write!(f, "{path:?}"),
            Self::Fd(fd) => write!(f, "fd {fd}"),
            Self::Value(value) => f.write_str(value),
            Self::Number(number) => write!(f, "{number}"),
            Self::Groups(groups) if groups.is_empty() => f.write_str("none"),
            Self::Groups(groups) => {
                let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
                f.write_str(&groups.join(", "))
            }
            Self::Limit { name, soft, hard } => write!(f, "{name}={}:{}", bound(*soft), bound(*hard)),
        }
    }
}

/// Returns a limit as a number, or "unlimited".
pub(super) fn bound(limit: u64) -> String {
    if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() }
}
