//! The method by which a child closed descriptors.

use crate::sys::backend;
use forkexec_core::Closer;
use std::fmt;

/// The method by which a child closed the descriptors that it does not inherit
/// ([`Child::close_method`](crate::Child::close_method)), or by which [`AllFds`](crate::fds::AllFds) changed
/// those of this process.
///
/// # Examples
///
/// See [`Child::close_method`](crate::Child::close_method).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseMethod {
    /// The child closed nothing: it inherits every descriptor that is not close-on-exec.
    None,
    /// The child made one call that closes many descriptors. The text is the name of the call on the running
    /// release: `closefrom` on FreeBSD 12.1, `close_range` on later ones.
    Bulk(&'static str),
    /// The child listed the open descriptors and closed each of them. The text is the name of the list, such
    /// as `/proc/self/fd`.
    Enumerate(&'static str),
    /// The child tried to close each number up to the highest possible one.
    Loop,
}

impl CloseMethod {
    /// Names the means on the running release. Async-signal-safe.
    pub(crate) fn of(by: Closer) -> Self {
        match by {
            Closer::Nothing => Self::None,
            Closer::Bulk => Self::Bulk(backend::bulk_closer().unwrap_or("bulk")),
            Closer::Enumerator(index) => {
                let names = backend::capabilities().enumerators;
                Self::Enumerate(names.get(usize::from(index)).copied().unwrap_or("enumerator"))
            }
            Closer::Loop => Self::Loop,
        }
    }

    /// Returns the name of the call or of the list, `loop`, or `nothing`.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(forkexec::CloseMethod::Loop.name(), "loop");
    /// assert_eq!(forkexec::CloseMethod::Bulk("close_range").to_string(), "close_range");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Bulk(name) | Self::Enumerate(name) => name,
            Self::Loop => "loop",
        }
    }
}

impl fmt::Display for CloseMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
