//! What a failed call was about.

use std::fmt;
use std::os::fd::RawFd;
use std::path::PathBuf;

/// What a failed call was about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operand {
    /// The stage says it all.
    None,
    /// Something of the parent's own that was to be set up.
    Setup(&'static str),
    /// A file or a directory.
    Path(PathBuf),
    /// A descriptor, by its number.
    Fd(RawFd),
    /// A user, group, process group, signal or nice value.
    Number(i64),
    /// The supplementary groups.
    Groups(Vec<u32>),
    /// A resource limit.
    Limit {
        /// Its name.
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
            Self::Setup(what) => f.write_str(what),
            Self::Path(path) => write!(f, "{path:?}"),
            Self::Fd(fd) => write!(f, "{fd}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Groups(groups) => write!(f, "{groups:?}"),
            Self::Limit { name, soft, hard } => write!(f, "{name} to {}:{}", bound(*soft), bound(*hard)),
        }
    }
}

fn bound(limit: u64) -> String {
    if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() }
}
