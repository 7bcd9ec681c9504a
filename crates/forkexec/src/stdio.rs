//! What a child's standard input, output and error are.

use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

/// What one of a child's standard descriptors is to be, as [`std::process::Stdio`].
#[derive(Debug)]
pub struct Stdio(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    Inherit,
    Null,
    Piped,
    Closed,
    Fd(OwnedFd),
}

impl Stdio {
    /// The parent's own. One that is closed in the parent is closed in the child, too.
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// `/dev/null`.
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// A new pipe, whose other end is in the [`Child`](crate::Child).
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }

    /// Nothing: the number is not open in the child. Few programs expect that: the first file that they open gets
    /// the number.
    pub fn closed() -> Self {
        Self(Kind::Closed)
    }
}

macro_rules! owners {
    ($($owner:ty),* $(,)?) => {$(
        impl From<$owner> for Stdio {
            fn from(owner: $owner) -> Self {
                Self(Kind::Fd(owner.into()))
            }
        }
    )*};
}

owners![OwnedFd, File, PipeReader, PipeWriter, ChildStdin, ChildStdout, ChildStderr];
