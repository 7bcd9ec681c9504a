//! What there is to be measured on this machine, and what there is not.

mod c;
mod languages;
mod native;

use super::cli::Options;
use super::method::Kind;
use super::toolbox::Toolbox;
use std::ffi::OsString;

/// A process that spawns for the driver.
pub(super) struct Worker {
    /// Its name, for files and messages.
    pub(super) id: String,
    /// How it is started.
    pub(super) command: Vec<OsString>,
    /// Whether it opens its descriptors when it is told to. The others are born with them.
    pub(super) opens_late: bool,
}

/// A row of the tables.
pub(super) struct Row {
    /// Its name on the command line.
    pub(super) id: String,
    /// Its name in the table.
    pub(super) title: String,
    /// What it is to the others.
    pub(super) kind: Kind,
    /// The word for the method in the protocol.
    pub(super) method: String,
    /// The index of its worker.
    pub(super) worker: usize,
}

/// A peer that is not to be had.
pub(super) struct Missing {
    /// What it would be.
    pub(super) title: String,
    /// Why it is not.
    pub(super) reason: String,
}

/// All that was found.
#[derive(Default)]
pub(super) struct Peers {
    pub(super) workers: Vec<Worker>,
    pub(super) rows: Vec<Row>,
    pub(super) missing: Vec<Missing>,
    /// What the command line wants.
    only: Vec<String>,
}

impl Peers {
    /// Adds a worker with one method, or the reason why not. `make` gives its version and its command.
    fn add(
        &mut self,
        id: &str,
        title: &str,
        make: impl FnOnce() -> Result<(String, Vec<OsString>), super::Failure>,
    ) {
        if !self.wants(id, Kind::Peer) {
            return;
        }
        match make() {
            Ok((version, command)) => {
                self.rows.push(Row {
                    id: id.to_owned(),
                    title: format!("{title} ({version})"),
                    kind: Kind::Peer,
                    method: "spawn".to_owned(),
                    worker: self.workers.len(),
                });
                self.workers.push(Worker { id: id.to_owned(), command, opens_late: false });
            }
            Err(reason) => self.missing(title, &reason.to_string()),
        }
    }

    fn missing(&mut self, title: &str, reason: &str) {
        self.missing.push(Missing { title: title.to_owned(), reason: reason.to_owned() });
    }

    /// Whether the command line wants it. The floor is always there.
    fn wants(&self, id: &str, kind: Kind) -> bool {
        kind == Kind::Floor
            || self.only.is_empty()
            || self.only.iter().any(|pattern| id.contains(pattern.as_str()))
    }
}

/// Looks for everything, and makes what is to be made.
pub(super) fn find(toolbox: &Toolbox, options: &Options) -> Peers {
    let mut peers = Peers { only: options.only.clone(), ..Peers::default() };
    native::find(toolbox, &mut peers);
    c::find(toolbox, &mut peers);
    languages::find(toolbox, &mut peers);
    peers
}
