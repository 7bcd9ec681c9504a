//! Which directories are searched for a program.

use super::environment::Variables;
use std::env;
use std::ffi::{OsStr, OsString};

/// Which directories a program named without a slash is searched in.
///
/// An empty element of a list is skipped: it is not the working directory. Write `.` for that. A relative element is
/// relative to the *child's* working directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchPath {
    /// The `PATH` that the child will have, whether inherited or set; [`SearchPath::FALLBACK`] if it has none.
    #[default]
    Child,
    /// The parent's `PATH`, whatever the child's is; [`SearchPath::FALLBACK`] if it has none.
    Parent,
    /// This list, separated by colons.
    Given(OsString),
}

impl SearchPath {
    /// Where to search without a `PATH`: what execvp(3) does in the C libraries of today.
    pub const FALLBACK: &'static str = "/bin:/usr/bin";

    /// The list of directories.
    pub(crate) fn list(&self, child: &Variables) -> OsString {
        let list = match self {
            Self::Child => child.get("PATH").map(OsStr::to_owned),
            Self::Parent => env::var_os("PATH"),
            Self::Given(list) => Some(list.clone()),
        };
        list.unwrap_or_else(|| Self::FALLBACK.into())
    }
}
