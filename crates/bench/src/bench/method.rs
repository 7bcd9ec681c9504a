//! The methods that run in this executable. Each file has one or more methods, and each method is a row of the tables.

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

/// A function that spawns once, and waits for the child.
pub(super) type Spawner = Box<dyn FnMut() -> Result<(), Refusal>>;

/// A method of spawning.
pub(super) struct SpawnMethod {
    /// Its name in the protocol and on the command line.
    pub(super) id: &'static str,
    /// Its name in the table.
    pub(super) title: &'static str,
    /// The kind of the method.
    pub(super) kind: Kind,
    /// The worker in which it runs. Methods that install handlers or keep threads have their own worker.
    pub(super) worker: &'static str,
    /// Prepares everything that a program would prepare before a spawn.
    pub(super) prepare: fn(&Job) -> Result<Spawner, Refusal>,
}

/// The kind of a method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Bare system calls, to which the others are compared.
    Floor,
    /// This library.
    Ours,
    /// Another library.
    Peer,
}

impl SpawnMethod {
    /// Makes a peer that runs in the common worker.
    const fn peer(
        id: &'static str,
        title: &'static str,
        prepare: fn(&Job) -> Result<Spawner, Refusal>,
    ) -> Self {
        Self { id, title, kind: Kind::Peer, worker: "native", prepare }
    }
}

/// All methods, in the order of the table.
pub(super) static ALL: &[SpawnMethod] = &[
    bare::LEAKS,
    bare::COPIES,
    bare::SHARES,
    bare::SLOTS,
    bare::PIDFD,
    bare::SLOTS_PIDFD,
    bare::TAKES,
    bare::TAKES_PIDFD,
    bare::VFORK,
    ours::COMMAND,
    ours::PREPARED,
    ours::WITHOUT_PIDFD,
    ours::FORK,
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

/// The id of a new command for each start.
pub(super) const COMMAND: &str = ours::COMMAND.id;

/// The id of our method that other builds of this benchmark run.
pub(super) const PREPARED: &str = ours::PREPARED.id;

/// Fails unless the child succeeded.
fn succeeded(status: ExitStatus) -> Result<(), Refusal> {
    if status.success() { Ok(()) } else { Err(Refusal::Failed(format!("the child ended with {status}"))) }
}
