//! The job: the program to spawn, and the work around it.

use serde::Serialize;
use std::fmt;
use std::os::fd::RawFd;
use std::path::PathBuf;

/// The work around one spawn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
#[repr(i32)]
pub(super) enum Task {
    /// No descriptor is passed.
    Plain = 0,
    /// Standard output is a pipe that is read to its end.
    Captured = 1,
    /// The two highest open descriptors, which are adjacent, are kept under their numbers.
    Kept = 2,
    /// The same two are mapped to 3 and 4.
    Mapped = 3,
    /// User, groups, directory, session and a mapping are set.
    Full = 4,
}

impl Task {
    const ALL: [Self; 5] = [Self::Plain, Self::Captured, Self::Kept, Self::Mapped, Self::Full];

    /// Returns its word in the protocol.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Captured => "captured",
            Self::Kept => "kept",
            Self::Mapped => "mapped",
            Self::Full => "full",
        }
    }

    /// Returns its name in the titles of tables.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Plain => "nothing passed",
            Self::Captured => "stdout captured",
            Self::Kept => "the two highest kept under their numbers",
            Self::Mapped => "the two highest mapped to 3 and 4",
            Self::Full => "ids, groups, cwd, session, mapping",
        }
    }

    /// Returns the task with this word.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.word() == word)
    }

    /// Returns the number of descriptors that the child must have.
    pub(super) fn descriptors(self) -> u32 {
        match self {
            Self::Plain | Self::Captured => 3,
            Self::Kept | Self::Mapped => 5,
            Self::Full => 4,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The user and the group of [`Task::Full`]: the one without privileges.
pub(super) const ID: u32 = 65_534;

/// The target of a mapping. The second of two descriptors gets the next number.
pub(super) const TARGET: RawFd = 3;

/// One spawn.
#[derive(Clone)]
pub(super) struct Job {
    /// The program.
    pub(super) program: PathBuf,
    /// Its arguments, without argument 0.
    pub(super) arguments: Vec<String>,
    /// The work around the spawn.
    pub(super) task: Task,
    /// The two descriptors of [`Task::Kept`] and [`Task::Mapped`].
    pub(super) kept: [RawFd; 2],
    /// The descriptor that [`Task::Full`] maps.
    pub(super) source: RawFd,
}
