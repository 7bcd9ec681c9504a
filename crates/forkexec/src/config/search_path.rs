//! The directories that are searched for a program.

use super::environment::Variables;
use std::env;
use std::ffi::{OsStr, OsString};

/// The list of directories in which a program without a slash is searched
/// ([`Command::search_path`](crate::Command::search_path)).
///
/// An empty element of a list is skipped; it does not mean the working directory, as it does for execvp(3).
/// Write `.` for the working directory. A relative element is resolved in the *child's* working directory.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, SearchPath};
///
/// let mut command = Command::new("sh");
/// command.args(["-c", "exit 0"]).env_clear().search_path(SearchPath::Given("/usr/bin:/bin".into()));
/// assert!(command.status()?.success());
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchPath {
    /// The `PATH` of the child, inherited or set, or [`SearchPath::FALLBACK`] if it has none.
    #[default]
    Child,
    /// The `PATH` of the parent, whatever the child's is, or [`SearchPath::FALLBACK`] if the parent has none.
    Parent,
    /// This list, separated by colons.
    Given(OsString),
}

impl SearchPath {
    /// The list that is searched without a `PATH`: that of execvp(3) in current C libraries.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(forkexec::SearchPath::FALLBACK, "/bin:/usr/bin");
    /// ```
    pub const FALLBACK: &'static str = "/bin:/usr/bin";

    /// Returns the list of directories.
    pub(crate) fn list(&self, child: &Variables) -> OsString {
        let list = match self {
            Self::Child => child.get("PATH").map(OsStr::to_owned),
            Self::Parent => env::var_os("PATH"),
            Self::Given(list) => Some(list.clone()),
        };
        list.unwrap_or_else(|| Self::FALLBACK.into())
    }
}
