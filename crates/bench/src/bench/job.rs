//! What is to be spawned.

use serde::Serialize;
use std::fmt;
use std::os::fd::RawFd;
use std::path::PathBuf;

/// The work around one spawn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
#[repr(i32)]
pub(super) enum Task {
    /// Nothing is passed.
    Plain = 0,
    /// Standard output is a pipe that is read to its end.
    Captured = 1,
    /// Two adjacent descriptors are kept, the highest that are open.
    High = 2,
    /// User, groups, directory, session and a mapping are set.
    Full = 3,
}

impl Task {
    const ALL: [Self; 4] = [Self::Plain, Self::Captured, Self::High, Self::Full];

    /// The word for it in the protocol.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Captured => "captured",
            Self::High => "high",
            Self::Full => "full",
        }
    }

    /// What a reader of the table is told.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Plain => "nothing passed",
            Self::Captured => "stdout captured",
            Self::High => "two high ones kept",
            Self::Full => "ids, groups, cwd, session, mapping",
        }
    }

    /// The task with this word.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.word() == word)
    }

    /// How many descriptors the child is to have.
    pub(super) fn handed(self) -> u32 {
        match self {
            Self::Plain | Self::Captured => 3,
            Self::High => 5,
            Self::Full => 4,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The user and the group of [`Task::Full`]: nobody.
pub(super) const ID: u32 = 65_534;

/// The number that [`Task::Full`] maps a descriptor to.
pub(super) const TARGET: RawFd = 3;

/// One spawn, as a method is told.
#[derive(Clone)]
pub(super) struct Job {
    /// The program.
    pub(super) program: PathBuf,
    /// Its arguments, without the zeroth.
    pub(super) arguments: Vec<String>,
    /// The work around it.
    pub(super) task: Task,
    /// The two that [`Task::High`] keeps.
    pub(super) kept: [RawFd; 2],
    /// What [`Task::Full`] maps.
    pub(super) source: RawFd,
}
