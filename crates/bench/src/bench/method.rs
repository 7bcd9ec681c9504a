//! The ways to spawn that are called from this executable. A file each, a row of the table each or more.

pub(super) mod bare;
mod command_fds;
mod duct;
mod ours;
mod std_command;
mod subprocess;
mod tokio;

use super::job::Job;
pub(super) use super::worker::Refusal;
use std::process::ExitStatus;

/// Spawns once, and waits for the end.
pub(super) type Spawner = Box<dyn FnMut() -> Result<(), Refusal>>;

/// A way to spawn.
pub(super) struct SpawnMethod {
    /// Its name in the protocol and on the command line.
    pub(super) id: &'static str,
    /// Its name in the table.
    pub(super) title: &'static str,
    /// What it is to the others.
    pub(super) kind: Kind,
    /// The worker that it runs in. What installs handlers or keeps threads has one of its own.
    pub(super) worker: &'static str,
    /// Gets everything ready that is ready before a spawn.
    pub(super) prepare: fn(&Job) -> Result<Spawner, Refusal>,
}

/// What a method is to the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Bare system calls: what the others are compared with.
    Floor,
    /// This library.
    Ours,
    /// Somebody else's.
    Peer,
}

impl SpawnMethod {
    /// A peer in the common worker.
    const fn peer(
        id: &'static str,
        title: &'static str,
        prepare: fn(&Job) -> Result<Spawner, Refusal>,
    ) -> Self {
        Self { id, title, kind: Kind::Peer, worker: "native", prepare }
    }
}

/// All of them, in the order of the table.
pub(super) static ALL: &[SpawnMethod] = &[
    bare::LEAKS,
    bare::COPIES,
    bare::SHARES,
    bare::SLOTS,
    bare::PIDFD,
    bare::SLOTS_PIDFD,
    ours::COMMAND,
    ours::PREPARED,
    ours::WITHOUT_PIDFD,
    bare::POSIX_SPAWN,
    bare::POSIX_SPAWN_CLOSES,
    std_command::PLAIN,
    std_command::PRE_EXEC,
    std_command::UID,
    command_fds::METHOD,
    subprocess::METHOD,
    duct::METHOD,
    tokio::METHOD,
];

/// A child that has not ended well was not a child of the kind that is measured.
fn succeeded(status: ExitStatus) -> Result<(), Refusal> {
    if status.success() { Ok(()) } else { Err(Refusal::Failed(format!("the child ended with {status}"))) }
}
